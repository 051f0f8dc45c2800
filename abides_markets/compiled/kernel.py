"""The face that the compiled engine shows to agents in Python: a kernel.

Built-in agents live in the market's buffer. Any other agent runs unchanged: the loop comes back when the next event is
its own, the event becomes the message that the reference engine would have handed over, and what the agent sends goes
into the same queue.
"""

from __future__ import annotations

import copy
import datetime
import gc
import json
import logging
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from abides_core.agent import Agent
from abides_core.message import MESSAGE_IDS
from abides_core.message import Message
from abides_core.message import MessageBatch
from abides_core.utils import NanosecondTime
from abides_markets.agents import ValueAgent
from abides_markets.compiled import layout as at
from abides_markets.compiled import loop
from abides_markets.compiled import outside
from abides_markets.compiled.buffer import Buffer
from abides_markets.compiled.buffer import copied
from abides_markets.compiled.buffer import grown
from abides_markets.compiled.messenger import Messenger
from abides_markets.compiled.messenger import unsupported
from abides_markets.compiled.oracle import advance
from abides_markets.compiled.queue import wake_at
from abides_markets.compiled.queue import wake_each
from abides_markets.compiled.results import add_results
from abides_markets.compiled.results import agent_rows
from abides_markets.compiled.results import fill_tape
from abides_markets.compiled.results import from_buffer
from abides_markets.compiled.state import agent_from_plain
from abides_markets.compiled.state import agent_to_plain
from abides_markets.compiled.state import copied_exchange
from abides_markets.compiled.state import copied_oracle
from abides_markets.compiled.state import copied_trader
from abides_markets.compiled.state import from_bytes
from abides_markets.compiled.state import plain
from abides_markets.compiled.state import to_bytes
from abides_markets.compiled.state import unplain
from abides_markets.compiled.template import MarketTemplate
from abides_markets.compiled.translate import is_built_in
from abides_markets.compiled.translate import python_agent_fault
from abides_markets.compiled.translate import to_buffer
from abides_markets.halt import halt_text
from abides_markets.orders import ORDER_IDS

logger = logging.getLogger("abides")

OUT = slice(0, at.OUT_END)
"""Words of the header that say what is handed to an agent in Python."""
ROOM = loop.SPARE - 4
"""Messages for which the loop has left room when it hands an event to an agent in Python."""
NAMES = {
    at.WAKEUP: "WakeupMsg",
    at.QUERY_SPREAD: "QuerySpreadMsg",
    at.SPREAD: "QuerySpreadResponseMsg",
    at.QUERY_VOLUME: "QueryTransactedVolMsg",
    at.VOLUME: "QueryTransactedVolResponseMsg",
}


class CompiledKernel:
    """A run of a configuration on the compiled engine.

    Args:
        config: What a `build_config` returned, without a fault (`translate.first_fault`).
        buffer: The market before its first event; by default made from the configuration.

    Attributes:
        buffer: The market.
        agents: The agents; those of the built-in kinds are filled in at the end of the run.
        gym_agents: The agent that may interrupt the run for a decision from outside, if there is one.
        interrupting: Ids of the agents that may: the gym agent's, and those that an environment of several adds.
    """

    def __init__(self, config: dict[str, Any], buffer: Buffer | None = None) -> None:
        self.config = config
        self.agents = config["agents"]
        self._in_python = [agent for agent in self.agents if not is_built_in(agent)]
        self.gym_agents = [
            agent for agent in self._in_python if any(base.__name__ == "CoreGymAgent" for base in type(agent).__bases__)
        ]
        assert len(self.gym_agents) <= 1, f"at most one gym agent may take part, got {len(self.gym_agents)}"
        self.interrupting: set[int] = {agent.id for agent in self.gym_agents}
        self.start_time: NanosecondTime = config["start_time"]
        self.symbol = self.agents[0].symbols[0]
        self.buffer: Buffer = to_buffer(config) if buffer is None else buffer
        self.oracle = _OracleFace(self, config["custom_properties"]["oracle"])
        for name, value in config["custom_properties"].items():
            if name != "oracle":
                setattr(self, name, value)
        self.custom_state: dict[str, Any] = {}
        self.summary_log: list[dict[str, Any]] = []
        self.mean_result_by_agent_type: dict[str, float] = defaultdict(int)
        self.agent_count_by_type: dict[str, int] = defaultdict(int)
        self.skip_log = True
        self._started = datetime.datetime.now()
        self._ids_by_type: dict[type, list[int]] = {}
        self._messenger = Messenger(self.symbol)
        self._room = 0
        self._is_calling = self._has_ended = self._is_fork = False
        self._is_of_template = buffer is not None
        for agent in self.agents if buffer is None else (self.agents[0], *self._in_python):
            agent.kernel = self

    @classmethod
    def of_template(cls, template: MarketTemplate, seed: int, agent: Agent) -> CompiledKernel:
        """Return the kernel of a seed's market with an agent in Python in the last place, not yet started.

        It runs as one of the same configuration built in Python would, but cannot be ended: the built-in agents lie in
        its buffer only.

        Raises:
            ValueError: If the agent's id is not that of the last place, or the seed is none.
            UnsupportedError: If the compiled engine does not run the agent.
        """
        if agent.id != template.last:
            raise ValueError(f"an agent in the last place of this market has the id {template.last}, got {agent.id}")
        fault = python_agent_fault(agent)
        if fault is not None:
            raise unsupported(fault)
        exchange, *others, _ = template.config["agents"]
        config = {**template.config, "agents": [copied_exchange(exchange), *others, agent]}
        return cls(config, template.market(seed))

    # Clock

    @property
    def current_time(self) -> NanosecondTime:
        """Simulated time, ns since the epoch."""
        return int(self.buffer[at.NOW])

    @property
    def stop_time(self) -> NanosecondTime:
        """Last instant of the run."""
        return int(self.buffer[at.STOP])

    @stop_time.setter
    def stop_time(self, time: NanosecondTime) -> None:
        self.buffer[at.STOP] = time

    @property
    def halted(self) -> bool:
        """Whether the run has ended because more orders rested than may (`most_resting`)."""
        return bool(self.buffer[at.HALTED])

    @property
    def ttl_messages(self) -> int:
        """Entries taken from the queue so far, re-queued ones included."""
        return int(self.buffer[at.POPS])

    # Phases of a run

    def run(self) -> dict[str, Any]:
        """Run from start to end and return the end state."""
        self.initialize()
        self.runner()
        return self.terminate()

    def initialize(self) -> None:
        """Queue the first wake-ups, and let the agents in Python prepare themselves."""
        with _own_ids():
            wake_at(self.buffer, 0, self.buffer[at.CLOSE])
            for agent in self._in_python:
                self._call(agent.kernel_initializing, self)
            first = 0
            for agent in self._in_python:
                wake_each(self.buffer, first, agent.id, self.start_time)
                self._call(agent.kernel_starting, self.start_time)
                first = agent.id + 1
            wake_each(self.buffer, first, len(self.agents), self.start_time)

    def runner(self, agent_actions: tuple[Any, Any] | None = None) -> dict[str, Any]:
        """Dispatch events until the end of the simulation or until a gym agent asks for a decision; see `Kernel`."""
        with _own_ids(), rare_collections():
            if agent_actions is not None:
                agent, actions = agent_actions
                self._call(agent.apply_actions, actions)
            interrupt = self._dispatch()
            if self.buffer[at.HALTED]:
                logger.warning(halt_text(self.current_time, int(self.buffer[at.MOST_RESTING])))
            self._fill_in_book()
            if interrupt is not None:
                return {"done": False, "result": interrupt}
            if self.gym_agents:
                self.gym_agents[0].update_raw_state()
                return {"done": True, "result": self.gym_agents[0].get_raw_state()}
            return {"done": True, "result": None}

    def _fill_in_book(self) -> None:
        """Leave on the exchange's book what its readers look for between two calls: the tape and what was discarded."""
        book = self.agents[0].order_books[self.symbol]
        book.discarded = int(self.buffer[at.DISCARDED])
        if book.tape is not None:
            fill_tape(self.buffer, book.tape)

    def _dispatch(self) -> Any:
        next_message = next_order = at.NONE
        b, out = self.buffer, self.buffer[OUT]
        self._is_calling = True
        try:
            while True:
                if b is not self.buffer:  # which has grown
                    b, out = self.buffer, self.buffer[OUT]
                status = outside.go_on(b, next_message, next_order)
                if status == loop.FINISHED:
                    return None
                if status == loop.FULL:
                    self.buffer = grown(b)
                    next_message = next_order = at.NONE
                    continue
                # The run's own message and order numbers are in place while an agent acts.
                now, next_message, next_order, sender, recipient, number, kind, *data = out.tolist()
                agent = self.agents[recipient]
                self._room = ROOM
                if kind == at.WAKEUP:
                    MESSAGE_IDS.value, ORDER_IDS.value = next_message, next_order
                    result = agent.wakeup(now)
                else:
                    message = self._messenger.read(b, kind, data)
                    message.message_id = number
                    MESSAGE_IDS.value, ORDER_IDS.value = next_message, next_order
                    result = agent.receive_message(now, sender, message)
                next_message, next_order = MESSAGE_IDS.value, ORDER_IDS.value
                if result is not None and recipient in self.interrupting:
                    outside.settle(self.buffer, next_message, next_order)
                    return result
        finally:
            self._is_calling = False
            self._room = 0

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call an agent's method with the run's own message and order numbers in place."""
        MESSAGE_IDS.value = int(self.buffer[at.NEXT_MESSAGE])
        ORDER_IDS.value = int(self.buffer[at.NEXT_ORDER])
        self._is_calling = True
        try:
            return function(*arguments)
        finally:
            self._is_calling = False
            self.buffer[at.NEXT_MESSAGE] = MESSAGE_IDS.value
            self.buffer[at.NEXT_ORDER] = ORDER_IDS.value

    def terminate(self) -> dict[str, Any]:
        """Let the agents in Python finish, give the others their holdings, and return the end state."""
        if self._is_of_template:
            raise RuntimeError("a market made from a template is stopped, not ended: it has no agents to report of")
        self._has_ended = True
        if self._is_fork:  # until here it has shared them
            self.agents = [copied_trader(a, self) if is_built_in(a) and a.id else a for a in self.agents]
            oracle = copied_oracle(self.config["custom_properties"]["oracle"])
            properties = {**self.config["custom_properties"], "oracle": oracle}
            self.config = {**self.config, "agents": self.agents, "custom_properties": properties}
        self._fill_in_holdings()
        with _own_ids():
            for agent in self.agents:
                if not is_built_in(agent):
                    self._call(agent.kernel_stopping)
                elif type(agent) is ValueAgent:  # looks at the fundamental once more, which may draw it
                    row = self._row(agent.id)
                    self.oracle.value_at(int(self.buffer[row + at.A_FREE] - self.buffer[row + at.A_DELAY]))
            for agent in self._in_python:
                self._call(agent.kernel_terminating)
        self.custom_state["kernel_event_queue_elapsed_wallclock"] = datetime.datetime.now() - self._started
        self.custom_state["kernel_slowest_agent_finish_time"] = int(agent_rows(self.buffer)[:, at.A_FREE].max())
        self.custom_state["agents"] = self.agents
        return self.custom_state

    def fill_in(self) -> None:
        """Leave in the agents, the book and the oracle all that the run has left; after `terminate`."""
        from_buffer(self.buffer, self.config)
        add_results(self)

    def _fill_in_holdings(self) -> None:
        """Leave the built-in agents with the cash and shares that they have in the buffer."""
        rows = agent_rows(self.buffer)
        cash, shares = rows[:, at.A_CASH].tolist(), rows[:, at.A_SHARES].tolist()
        for agent in self.agents[1:]:
            if is_built_in(agent):
                agent.holdings = {"CASH": cash[agent.id]}
                if shares[agent.id]:
                    agent.holdings[self.symbol] = shares[agent.id]

    # Copies

    def fork(self) -> CompiledKernel:
        """Return an independent kernel in the same state, which goes on as this one would.

        It has an exchange, a book, a tape and agents in Python of its own; the built-in agents lie in the buffer, and
        become its own objects when it ends.

        Raises:
            UnsupportedError: If an agent in Python has no `get_state` and `set_state`.
            RuntimeError: If the market has ended, or an agent is just acting.
        """
        state = json.loads(json.dumps(self._state()))
        twin = copy.copy(self)
        twin._is_fork = True
        twin.buffer = copied(self.buffer)
        twin.agents = list(self.agents)
        for agent in (self.agents[0], *self._in_python):
            twin.agents[agent.id] = copied_exchange(agent) if agent.id == 0 else copy.copy(agent)
            twin.agents[agent.id].kernel = twin
        twin._in_python = [twin.agents[agent.id] for agent in self._in_python]
        twin.gym_agents = [twin.agents[agent.id] for agent in self.gym_agents]
        twin.oracle = _OracleFace(twin, self.config["custom_properties"]["oracle"])
        twin.mean_result_by_agent_type, twin.agent_count_by_type = defaultdict(int), defaultdict(int)
        twin._messenger = Messenger(self.symbol)
        twin._set_state(state)
        return twin

    def snapshot(self) -> bytes:
        """Return the whole state, to go on from in this or another process (`restore`); raises as `fork` does."""
        return to_bytes(self.buffer, self.config, self._state())

    @classmethod
    def restore(cls, data: bytes, config: dict[str, Any]) -> CompiledKernel:
        """Return a kernel in the state of a snapshot.

        Args:
            data: What `snapshot` returned.
            config: The configuration of that market, built afresh.

        Raises:
            SnapshotError: If the bytes are none, or of another market or version of the engine.
        """
        kernel = cls(config)
        kernel.buffer, state = from_bytes(data, kernel.buffer, config)
        kernel._set_state(state)
        kernel._fill_in_book()
        return kernel

    def _state(self) -> dict[str, Any]:
        """Return what is kept in Python, as `plain` writes it."""
        if self._has_ended or self._is_calling:
            raise RuntimeError("a market is copied between two calls of runner, and before it ends")
        results = {key: value for key, value in self.custom_state.items() if key != "agent_state"}
        of_agents = self.custom_state.get("agent_state", {})
        return {
            **self._messenger.state(),
            "summary_log": plain(self.summary_log, "the summary log"),
            "custom_state": plain(results, "the run"),
            "agent_state": [[agent, plain(value, f"agent {agent}")] for agent, value in of_agents.items()],
            "agents": [agent_to_plain(agent) for agent in self._in_python],
        }

    def _set_state(self, state: dict[str, Any]) -> None:
        self._messenger.set_state(state)
        self.summary_log = unplain(state["summary_log"])
        self.custom_state = unplain(state["custom_state"])
        if state["agent_state"]:
            self.custom_state["agent_state"] = {agent: unplain(value) for agent, value in state["agent_state"]}
        for agent in state["agents"]:
            agent_from_plain(self.agents[agent["id"]], agent)

    # Services for agents

    def send_message(self, sender_id: int, recipient_id: int, message: Message, delay: int = 0) -> None:
        """Queue a message to the exchange.

        Raises:
            UnsupportedError: If it is for another agent, or of a kind that the compiled exchange does not know.
        """
        if recipient_id != 0:
            raise unsupported(f"a message from agent {sender_id} to agent {recipient_id}")
        if delay.__class__ is not int:
            if int(delay) != delay:
                raise unsupported(f"a delay of {delay!r} ns")
            delay = int(delay)
        if isinstance(message, MessageBatch):
            self._make_room(len(message.messages))
            self._room = 0
        else:
            self._make_room_for_one()
        self._messenger.send(self.buffer, sender_id, message, delay)

    def set_wakeup(self, sender_id: int, requested_time: NanosecondTime | None = None) -> None:
        """Queue a wake-up of an agent for itself.

        Raises:
            ValueError: If the time lies in the past.
        """
        now = int(self.buffer[at.NOW])
        if requested_time is None:
            requested_time = now + 1
        if requested_time < now:
            raise ValueError(
                f"agent {sender_id} asked for a wake-up in the past: requested_time={requested_time},"
                f" current_time={now}"
            )
        time = int(requested_time)
        if time != requested_time:
            raise unsupported(f"a wake-up at {requested_time!r} ns")
        self._make_room_for_one()
        outside.queue_wake(self.buffer, sender_id, time, MESSAGE_IDS.next())

    def get_agent_compute_delay(self, sender_id: int) -> int:
        """Return the time that an activation of the agent takes, ns."""
        return int(self.buffer[self._row(sender_id) + at.A_DELAY])

    def set_agent_compute_delay(self, sender_id: int, requested_delay: int) -> None:
        """Set the time that an activation of the agent takes, ns; in force at once."""
        self.buffer[self._row(sender_id) + at.A_DELAY] = _whole_delay(requested_delay)

    def delay_agent(self, sender_id: int, additional_delay: int) -> None:
        """Add to the delay of the activation in progress, ns."""
        self.buffer[at.EXTRA_DELAY] += _whole_delay(additional_delay)

    def find_agents_by_type(self, agent_type: type[Agent]) -> list[int]:
        """Return the ids of the agents that are instances of a class, in order."""
        if agent_type not in self._ids_by_type:
            self._ids_by_type[agent_type] = [agent.id for agent in self.agents if isinstance(agent, agent_type)]
        return list(self._ids_by_type[agent_type])

    def append_summary_log(self, sender_id: int, event_type: str, event: Any) -> None:
        """Add an event to the summary of the run."""
        strategy = self.agents[sender_id].type
        self.summary_log.append(
            {"AgentID": sender_id, "AgentStrategy": strategy, "EventType": event_type, "Event": event}
        )

    def write_log(self, sender_id: int, df_log: Any, filename: str | None = None) -> None:
        """Write nothing: runs on this engine keep no logs."""

    def update_agent_state(self, agent_id: int, state: Any) -> None:
        """Set an agent's entry in the end state."""
        self.custom_state.setdefault("agent_state", {})[agent_id] = state

    def pending_messages(self) -> list[tuple[NanosecondTime, int, int, str]]:
        """Return time, sender, recipient and class name of what waits in the queue; names of the kinds in `NAMES`."""
        b = self.buffer
        start = int(b[at.HEAP])
        rows = b[start : start + int(b[at.HEAP_COUNT]) * at.HEAP_WORDS].reshape(-1, at.HEAP_WORDS)
        entries = [tuple(row) for row in rows.tolist() if row[at.HEAP_EVENT] != at.NONE]
        for agent in np.flatnonzero(agent_rows(b)[:, at.A_WAITING_COUNT]).tolist():
            entries += self._waiting(agent)
        return [
            (
                time,
                parties >> at.PARTY_BITS,
                parties & ((1 << at.PARTY_BITS) - 1),
                NAMES.get(int(b[b[at.EVENTS] + event * at.EVENT_WORDS]), "Message"),
            )
            for time, parties, _, event in entries
        ]

    def _waiting(self, agent_id: int) -> list[tuple[int, ...]]:
        """Return time, parties, message id and event of what waits until an agent is free."""
        b = self.buffer
        row = self._row(agent_id)
        entries = []
        slots = [int(b[row + at.A_WAITING])]
        while slots:
            slot = slots.pop()
            if slot != at.NONE:
                first = int(b[at.WAITING]) + slot * at.WAITING_WORDS
                left, *entry, right = b[first : first + at.WAITING_WORDS].tolist()
                entries.append((int(b[row + at.A_WAITING_TIME]), *entry))
                slots += left, right
        return entries

    def _row(self, agent_id: int) -> int:
        return int(self.buffer[at.AGENTS]) + agent_id * at.AGENT_WORDS

    def _make_room_for_one(self) -> None:
        """Enlarge the tables if one message more might not fit; where the loop has left room, nothing is looked up."""
        self._room -= 1
        if self._room < 0:
            self._make_room(1)

    def _make_room(self, orders: int) -> None:
        """Enlarge the tables if so many orders might not fit, and the first wake-ups of all agents."""
        b = self.buffer
        rows = orders + len(self.agents) + 2
        while True:
            free = {
                at.EVENTS: b[at.EVENT_FREE_COUNT],
                at.RECORDS: b[at.RECORD_FREE_COUNT],
                at.HEAP: b[at.HEAP_ROWS] - b[at.HEAP_COUNT],
            }
            scarce = min(free, key=lambda table: int(free[table]))
            if free[scarce] >= rows:
                break
            b[at.LACKING] = scarce
            b = self.buffer = grown(b)
        if orders > b[at.LADDER]:
            b[at.LADDER] = orders


class _OracleFace:
    """The oracle as agents in Python see it: its state lies in the buffer."""

    def __init__(self, kernel: CompiledKernel, oracle: Any) -> None:
        self._kernel = kernel
        self._oracle = oracle

    def get_daily_open_price(self, symbol: str, mkt_open: NanosecondTime, cents: bool = True) -> int:
        """Return the price at the open, cents."""
        return int(self._oracle.get_daily_open_price(symbol, mkt_open, cents))

    def value_at(self, time: NanosecondTime) -> int:
        """Return the value at a time, ns since the epoch, cents."""
        b = self._kernel.buffer
        return int(advance(b, b.view(np.float64), b.view(np.uint32), time))

    def observe_price(
        self, symbol: str, current_time: NanosecondTime, random_state: np.random.RandomState, sigma_n: float = 1000
    ) -> int:
        """Return an observation of the value, cents, with noise of variance `sigma_n`."""
        value = self.value_at(current_time)
        if sigma_n == 0:
            return value
        return round(random_state.normal(loc=value, scale=float(np.sqrt(sigma_n))))


@contextmanager
def _own_ids() -> Iterator[None]:
    """Leave the message and order numbers of whoever calls as they were."""
    outside_ids = MESSAGE_IDS.value, ORDER_IDS.value
    try:
        yield
    finally:
        MESSAGE_IDS.value, ORDER_IDS.value = outside_ids


@contextmanager
def rare_collections() -> Iterator[None]:
    """Have Python look for unreachable cycles less often: among new objects ten times, among all a thousand times.

    Numba alone brings so many objects that a look at all of them takes as long as a whole run; what agents keep, views
    and orders without cycles, brings it on.
    """
    young, middle, old = gc.get_threshold()
    gc.set_threshold(max(young, 10_000), middle, max(old, 1000))
    try:
        yield
    finally:
        gc.set_threshold(young, middle, old)


def _whole_delay(delay: int) -> int:
    if int(delay) != delay or delay < 0:
        raise ValueError(f"a delay is a whole number of ns and not negative, got {delay!r}")
    return int(delay)
