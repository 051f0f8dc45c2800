"""The base of all agents."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pandas as pd

from abides_core.message import Message
from abides_core.message import MessageBatch
from abides_core.streams import Seed
from abides_core.streams import Unmade
from abides_core.utils import NanosecondTime

if TYPE_CHECKING:
    from abides_core.kernel import Kernel


class Agent:
    """A participant of a simulation: woken at times of its choice and handed the messages sent to it.

    An agent that is to take part in a market that is forked or kept (`fork`, `snapshot` and `restore` of a kernel that
    has them) defines `get_state() -> state`, all that changes during a run but for `kernel`, `current_time` and
    `stream`, and `set_state(state)`, which is called on an agent as its constructor left it, or on a shallow copy, and
    replaces all of that. A state is made of None, booleans, numbers, text, bytes, NumPy arrays of numbers, and lists
    and dictionaries (with text as keys) of these; tuples come back as lists.

    Args:
        id: Index of the agent in the kernel's list.
        name: Name, by default `{type}_{id}`.
        type: Type for reports, by default the class name.
        random_state: The agent's own stream, or the seed of one; by default one seeded with its id.
        log_events: Whether `logEvent` records anything.
        log_to_file: Whether the log is written at the end of a run that writes logs.

    Attributes:
        kernel: The kernel of the run, `None` before it.
        current_time: Time of the last activation, ns since the epoch.
        log: Recorded events, `(time, event type, payload)`.
        stream: The agent's stream, or its seed as long as nothing was drawn.
    """

    def __init__(
        self,
        id: int,
        name: str | None = None,
        type: str | None = None,
        random_state: np.random.RandomState | Seed | None = None,
        log_events: bool = True,
        log_to_file: bool = True,
    ) -> None:
        self.id = id
        self.type = type or self.__class__.__name__
        self.name = name or f"{self.type}_{id}"
        self.stream: np.random.RandomState | Unmade = random_state if random_state is not None else Seed(id)
        self.log_events = log_events
        self.log_to_file = log_to_file and log_events
        self.kernel: Kernel | None = None
        self.current_time: NanosecondTime = 0
        self.log: list[tuple[NanosecondTime, str, Any]] = []
        self.logEvent("AGENT_TYPE", self.type)

    @property
    def random_state(self) -> np.random.RandomState:
        """The agent's own stream, made when it is first asked for."""
        if not isinstance(self.stream, np.random.RandomState):
            self.stream = self.stream.make()
        return self.stream

    @random_state.setter
    def random_state(self, stream: np.random.RandomState | Unmade) -> None:
        self.stream = stream

    # Life cycle, called by the kernel

    def kernel_initializing(self, kernel: Kernel) -> None:
        """Take note of the kernel; other agents may not exist yet."""
        self.kernel = kernel

    def kernel_starting(self, start_time: NanosecondTime) -> None:
        """Ask for a wake-up at the start of the simulation."""
        self.set_wakeup(start_time)

    def kernel_stopping(self) -> None:
        """Do last things while all other agents still exist."""

    def kernel_terminating(self) -> None:
        """Write the log, if the run writes logs."""
        if self.log and self.log_to_file and self.kernel is not None and not self.kernel.skip_log:
            frame = pd.DataFrame(self.log, columns=["EventTime", "EventType", "Event"]).set_index("EventTime")
            frame.attrs = {"agent_id": self.id, "agent_type": self.type}  # the file's name does not tell
            self.write_log(frame)

    def wakeup(self, current_time: NanosecondTime) -> Any:
        """React to a wake-up at `current_time` (ns since the epoch)."""
        self.current_time = current_time

    def receive_message(self, current_time: NanosecondTime, sender_id: int, message: Message) -> Any:
        """React to a message delivered at `current_time` (ns since the epoch)."""
        self.current_time = current_time

    # Services

    def logEvent(  # noqa: N802  name of the ABIDES API
        self, event_type: str, event: Any = "", append_summary_log: bool = False, deepcopy_event: bool = False
    ) -> None:
        """Record an event.

        Args:
            event_type: Name of the event.
            event: Payload; pass a copy of what will change, or ask for one.
            append_summary_log: Whether the event also belongs in the run's summary.
            deepcopy_event: Whether to record a deep copy of the payload.
        """
        if not self.log_events:
            return
        if deepcopy_event:
            event = deepcopy(event)
        self.log.append((self.current_time, event_type, event))
        if append_summary_log:
            self._kernel().append_summary_log(self.id, event_type, event)

    def send_message(self, recipient_id: int, message: Message, delay: int = 0) -> None:
        """Send a message; `delay` (ns) is added to the latency."""
        self._kernel().send_message(self.id, recipient_id, message, delay=delay)

    def send_message_batch(self, recipient_id: int, messages: list[Message], delay: int = 0) -> None:
        """Send several messages to be delivered together; `delay` (ns) is added to the latency."""
        self._kernel().send_message(self.id, recipient_id, MessageBatch(messages), delay=delay)

    def set_wakeup(self, requested_time: NanosecondTime) -> None:
        """Ask to be woken at `requested_time` (ns since the epoch, not in the past)."""
        self._kernel().set_wakeup(self.id, requested_time)

    def get_computation_delay(self) -> int:
        """Return the time that an activation of this agent takes, ns."""
        return self._kernel().get_agent_compute_delay(self.id)

    def set_computation_delay(self, requested_delay: int) -> None:
        """Set the time that an activation of this agent takes, ns."""
        self._kernel().set_agent_compute_delay(self.id, requested_delay)

    def delay(self, additional_delay: int) -> None:
        """Take longer over the present activation, by `additional_delay` ns."""
        self._kernel().delay_agent(self.id, additional_delay)

    def write_log(self, df_log: pd.DataFrame, filename: str | None = None) -> None:
        """Write a frame into the run's log folder."""
        self._kernel().write_log(self.id, df_log, filename)

    def update_agent_state(self, state: Any) -> None:
        """Leave a value in the end state of the run under this agent's id."""
        self._kernel().update_agent_state(self.id, state)

    def _kernel(self) -> Kernel:
        assert self.kernel is not None, f"agent {self.id} is not part of a running simulation"
        return self.kernel

    def __lt__(self, other: Agent) -> bool:
        return self.id < other.id
