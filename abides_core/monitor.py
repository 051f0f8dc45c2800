"""Watching an agent: what it does in a run, and what it does wrong."""

from __future__ import annotations

import dataclasses
import enum
import random
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

from abides_core.engines import UnsupportedError
from abides_core.message import Message
from abides_core.message import MessageBatch
from abides_core.utils import fmt_ts

MAX_AT_ONCE = 10_000
"""Activations at one instant after which an agent counts as standing still."""
MAX_ENTRIES = 200_000
"""Entries of the event queue for one agent, re-queued ones included, after which it is not watched any longer."""
SECOND = 1_000_000_000
RANDOM, TIMING = "random", "timing"
OWN_STREAM = "draw from self.random_state only"


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes:
        check: Name of the check.
        passed: Whether it has passed; `None` if it could not be made.
        what: What happened.
        when: Simulated time, ns, if it happened at one.
        mend: What to do about it.
    """

    check: str
    passed: bool | None
    what: str
    when: int | None = None
    mend: str = ""

    def __str__(self) -> str:
        mark = {True: "passed", False: "FAILED", None: "not run"}[self.passed]
        when = "" if self.when is None else f"at {fmt_ts(self.when)}.{self.when % SECOND:09d}: "
        mend = f"\n{'':21}{self.mend}" if self.mend else ""
        return f"{mark:<8}{self.check:<13}{when}{self.what}{mend}"


@dataclasses.dataclass
class Observed:
    """What one run has shown.

    Attributes:
        actions: What the agent did, a text an action, each beginning with its time in ns.
        market: What happened around it, likewise.
        faults: What was wrong.
        complete: Whether the run came to its end.
    """

    actions: list[str] = dataclasses.field(default_factory=list)
    market: list[str] = dataclasses.field(default_factory=list)
    faults: list[Finding] = dataclasses.field(default_factory=list)
    complete: bool = False


class StopRun(Exception):  # noqa: N818  not an error: what follows a fault is not worth watching
    """Ends a run."""


class Monitor:
    """Stands between an agent and its kernel, and notes what the agent does.

    Args:
        agent: The agent; its methods are replaced on the object, its class stays.
        observed: Where to note.
    """

    def __init__(self, agent: Any, observed: Observed) -> None:
        self.agent = agent
        self.observed = observed
        self.now = 0
        self._at_once = 0
        self._entries = 0
        self._global_state = global_state()
        initializing = agent.kernel_initializing
        agent.kernel_initializing = lambda kernel: initializing(_KernelSeenBy(self, kernel))
        for name in ("kernel_starting", "wakeup", "receive_message"):
            setattr(agent, name, self._watched(name, getattr(agent, name)))

    def fault(self, check: str, what: str, mend: str, stop: bool = False) -> None:
        """Note a fault, unless one with the same remedy is known.

        Raises:
            StopRun: If asked for.
        """
        if mend not in {fault.mend for fault in self.observed.faults}:
            self.observed.faults.append(Finding(check, False, what, self.now, mend))
        if stop:
            raise StopRun

    # What other monitors add to

    def sent(self, message: Message) -> None:
        """Look at a message that the agent is sending; those of a batch come one by one."""

    def receiving(self, message: Message) -> None:
        """Look at a message before the agent is handed it."""

    def activated(self) -> None:
        """Look at the agent after an activation."""

    # Between the agent and its kernel

    def trace(self, time: int, sender_id: int, recipient_id: int, message: Message) -> None:
        """Count the entries of the event queue that are the agent's."""
        if recipient_id == self.agent.id:
            self._entries += 1
            if self._entries > MAX_ENTRIES:
                what = f"it kept the event queue busy with {MAX_ENTRIES} entries, more than are watched"
                self.fault(TIMING, what, "ask for one wake-up at a time, and for fewer", stop=True)

    def send_message(self, kernel: Any, sender_id: int, recipient_id: int, message: Any, delay: int = 0) -> None:
        """Note a message and pass it on."""
        if not isinstance(message, Message):
            mend = "send instances of subclasses of abides_core.Message"
            self.fault(TIMING, f"it sent {text(message)}, which is not a message", mend, stop=True)
        if not isinstance(delay, Integral) or delay < 0:
            what = f"it sent a {message.type()} with a delay of {delay!r}, to arrive before it is sent"
            self.fault(TIMING, what, "a delay is a whole number of ns and not negative", stop=True)
        if sender_id != self.agent.id:
            self.fault(TIMING, f"it sent a {message.type()} as agent {sender_id}", "send with self.send_message", True)
        if not 0 <= recipient_id < len(kernel.agents):
            what = f"it sent a {message.type()} to agent {recipient_id}, of 0 to {len(kernel.agents) - 1}"
            self.fault(TIMING, what, "find recipients with kernel.find_agents_by_type", stop=True)
        after = f" after {delay} ns" if delay else ""
        self.observed.actions.append(f"{self.now} sent to {recipient_id}: {text(message)}{after}")
        for part in message.messages if isinstance(message, MessageBatch) else [message]:
            self.sent(part)
        kernel.send_message(sender_id, recipient_id, message, delay=delay)

    def set_wakeup(self, kernel: Any, sender_id: int, requested_time: Any = None) -> None:
        """Note a wake-up that is asked for and pass it on."""
        if requested_time is not None and not isinstance(requested_time, Integral):
            mend = "times are whole nanoseconds: round them"
            self.fault(TIMING, f"it asked for a wake-up at {requested_time!r}", mend, stop=True)
        if requested_time is not None and requested_time < self.now:
            what = f"it asked for a wake-up {self.now - int(requested_time)} ns in the past"
            self.fault(TIMING, what, "ask for a time from current_time on", stop=True)
        self.observed.actions.append(f"{self.now} asked for a wake-up at {requested_time}")
        kernel.set_wakeup(sender_id, requested_time)

    def _watched(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def watched(time: int, *rest: Any) -> Any:
            self._at_once = self._at_once + 1 if time == self.now else 0
            if self._at_once > MAX_AT_ONCE:
                what = f"it was activated {MAX_AT_ONCE} times at one instant"
                self.fault(TIMING, what, "ask for wake-ups later than now, so that time passes", stop=True)
            self.now = time
            if name == "receive_message":
                self.receiving(rest[1])
            try:
                result = method(time, *rest)
            except (StopRun, UnsupportedError):
                raise
            except Exception as error:
                what = f"{name} failed with {type(error).__name__}: {error}"
                self.fault(TIMING, what, "handle whatever comes without an error", stop=True)
            self._look(name)
            return result

        return watched

    def _look(self, name: str) -> None:
        state = global_state()
        if state != self._global_state:
            self._global_state = state
            what = f"{name} drew from, or seeded, the global random stream of Python or NumPy"
            self.fault(RANDOM, what, OWN_STREAM)
        if name == "kernel_starting":
            return
        if self.agent.current_time != self.now:
            what = f"{name} left the agent's clock at {self.agent.current_time}"
            self.fault(TIMING, what, f"call super().{name}(...) first")
        self.activated()


class _KernelSeenBy:
    """A kernel as a watched agent sees it: what the agent asks of it passes its monitor."""

    def __init__(self, monitor: Monitor, kernel: Any) -> None:
        self.__dict__.update(_monitor=monitor, _kernel=kernel)

    def send_message(self, *arguments: Any, **named: Any) -> None:
        self._monitor.send_message(self._kernel, *arguments, **named)

    def set_wakeup(self, *arguments: Any, **named: Any) -> None:
        self._monitor.set_wakeup(self._kernel, *arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._kernel, name, value)


def text(value: Any) -> str:
    """Return a value as a text that is the same for equal values, in any process."""
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, enum.Enum):
        return str(value)
    if isinstance(value, bool | int | float | str | None):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text(key)}: {text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(text, value)) + "]"
    if isinstance(value, Message) and dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.name != "message_id"]
        return f"{value.type()}({', '.join(f'{name}={text(getattr(value, name))}' for name in names)})"
    if hasattr(value, "to_dict"):
        told = {key: item for key, item in value.to_dict().items() if item is not None and item is not False}
        return text(told)
    return type(value).__name__


def global_state() -> tuple[Any, ...]:
    """Return the state of the global random streams of Python and NumPy."""
    numpys: Any = np.random.get_state()
    return random.getstate(), numpys[1].tobytes(), *numpys[2:]
