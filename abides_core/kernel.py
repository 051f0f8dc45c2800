"""The simulation kernel: a clock, a queue of events in a total order, and their dispatch to agents.

Every event is keyed `(time, sender, recipient, message id)`. At equal times the lower sender goes first, then the lower
recipient, then the earlier message; insertion order never matters. An agent that is still busy when its event comes up
has the event moved to the time at which it is free, where it competes again by the same key.
"""

from __future__ import annotations

import datetime
import gc
import logging
import os
import sys
import time as wall_time
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heappop
from heapq import heappush
from heapq import heapreplace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from abides_core.agent import Agent
from abides_core.ids import IdScope
from abides_core.latency_model import LatencyModel
from abides_core.logs import SUFFIX
from abides_core.logs import write_log
from abides_core.message import Message
from abides_core.message import MessageBatch
from abides_core.message import WakeupMsg
from abides_core.streams import random_state as new_random_state
from abides_core.utils import NanosecondTime
from abides_core.utils import fmt_ts
from abides_core.utils import str_to_ns

logger = logging.getLogger(__name__)

Trace = Callable[[NanosecondTime, int, int, Message], None]
"""Called with (time, sender, recipient, message) for every entry taken from the queue, re-queued ones included."""

SUMMARY = "summary_log"
PROGRESS_EVERY = 100_000
YOUNG_OBJECTS = 20_000
"""New objects between two passes of the garbage collector during a run."""


class Kernel:
    """A simulation run.

    Args:
        agents: The agents; the id of each is its index.
        start_time: First instant, ns.
        stop_time: Last instant, ns.
        default_computation_delay: Time that an activation takes, ns.
        default_latency: Latency without a model and without a matrix, ns.
        agent_latency: Matrix `[sender][recipient]` of latencies, ns; used without a model.
        latency_noise: Probabilities of 0, 1, 2, … extra ns; used without a model.
        agent_latency_model: Latency model; takes precedence.
        skip_log: Whether agents' logs are kept from disk.
        seed: Stored for reference.
        log_dir: Folder below `./log` for logs. Given, the summary log is always written there; not given, nothing is
            written unless `skip_log` is false.
        custom_properties: Attributes to set on the kernel (for example `oracle`).
        random_state: Stream of the latency noise.
        per_agent_computation_delays: Computation delays by agent id, ns.
        trace: Called for every entry taken from the queue.
        overshoot: Whether one entry beyond `stop_time` is still dispatched, as in the reference market, whose tape
            depends on it.

    Raises:
        ValueError: If an agent's id is not its index.

    Attributes:
        messages: The queue, a heap of `(time, sender, recipient, message id, message)`.
        ttl_messages: Entries taken from the queue so far.
        agent_current_times: For each agent, the time at which it is free.
        gym_agents: The agent that may interrupt the run for a decision from outside, if there is one.
        interrupting: Ids of the agents that may: the gym agent's, and those that an environment of several adds.
    """

    def __init__(
        self,
        agents: list[Any],
        start_time: NanosecondTime = str_to_ns("09:30:00"),
        stop_time: NanosecondTime = str_to_ns("16:00:00"),
        default_computation_delay: int = 1,
        default_latency: float = 1,
        agent_latency: list[list[float]] | None = None,
        latency_noise: Iterable[float] | None = None,
        agent_latency_model: LatencyModel | None = None,
        skip_log: bool = True,
        seed: int | None = None,
        log_dir: str | None = None,
        custom_properties: dict[str, Any] | None = None,
        random_state: np.random.RandomState | None = None,
        per_agent_computation_delays: dict[int, int] | None = None,
        trace: Trace | None = None,
        overshoot: bool = True,
    ) -> None:
        for name, value in (custom_properties or {}).items():
            setattr(self, name, value)
        for index, agent in enumerate(agents):
            if agent.id != index:
                raise ValueError(f"agent {agent.name!r} has id {agent.id} but stands at index {index} of the agents")
        self.random_state = random_state or new_random_state(0)
        self.messages: list[tuple[NanosecondTime, int, int, int, Message]] = []
        self.kernel_wall_clock_start = datetime.datetime.now()
        self.mean_result_by_agent_type: dict[str, float] = defaultdict(int)
        self.agent_count_by_type: dict[str, int] = defaultdict(int)
        self.summary_log: list[dict[str, Any]] = []
        self.has_run = False
        self.agents = agents
        self.gym_agents: list[Any] = [
            agent for agent in agents if any(base.__name__ == "CoreGymAgent" for base in agent.__class__.__bases__)
        ]
        assert len(self.gym_agents) <= 1, f"at most one gym agent may take part, got {len(self.gym_agents)}"
        self.interrupting: set[int] = {agent.id for agent in self.gym_agents}
        self.custom_state: dict[str, Any] = {}
        self.start_time = start_time
        self.stop_time = stop_time
        self.current_time: NanosecondTime = start_time
        self.seed = seed
        self.skip_log = skip_log
        self.writes_summary = bool(log_dir) or not skip_log
        self.log_dir = log_dir or f"{int(wall_time.time() * 1000)}-{os.getpid()}"
        count = len(agents)
        self.agent_current_times: list[NanosecondTime] = [start_time] * count
        self.agent_computation_delays: list[int] = [default_computation_delay] * count
        for agent_id, delay in (per_agent_computation_delays or {}).items():
            if 0 <= agent_id < count:
                self.agent_computation_delays[agent_id] = delay
        self.agent_latency_model = agent_latency_model
        self.agent_latency = agent_latency
        if agent_latency is None and agent_latency_model is None:
            self.agent_latency = [[default_latency] * count for _ in range(count)]
        self.latency_noise = list(latency_noise) if latency_noise is not None else [1.0]
        self.current_agent_additional_delay = 0
        self.show_trace_messages = False
        self.trace = trace
        self.overshoot = overshoot
        self.ttl_messages = 0
        self.halted = False
        self.event_queue_wall_clock_start = self.kernel_wall_clock_start
        self._ids = IdScope()
        self._log_owners = {SUMMARY: -1}
        self._ids_by_type: dict[type[Agent], list[int]] = {}

    # Phases of a run

    def run(self) -> dict[str, Any]:
        """Run from start to end and return the end state."""
        self.initialize()
        self.runner()
        return self.terminate()

    def initialize(self) -> None:
        """Let the agents prepare themselves; they may already send messages and ask for wake-ups."""
        self.has_run = True
        with self._ids.active():
            for agent in self.agents:
                agent.kernel_initializing(self)
            for agent in self.agents:
                agent.kernel_starting(self.start_time)
        self.current_time = self.start_time
        self.event_queue_wall_clock_start = datetime.datetime.now()
        self.ttl_messages = 0

    def runner(self, agent_actions: tuple[Any, Any] | None = None) -> dict[str, Any]:
        """Dispatch events until the end of the simulation or until a gym agent asks for a decision.

        Args:
            agent_actions: The gym agent and the actions that it should apply first.

        Returns:
            `{"done": whether the simulation is over, "result": what the gym agent shows}`.
        """
        with self._ids.active(), _rare_collections():
            if agent_actions is not None:
                agent, actions = agent_actions
                agent.apply_actions(actions)
            interrupt = self._dispatch()
            if interrupt is not None:
                return {"done": False, "result": interrupt}
            if self.gym_agents:
                gym_agent = self.gym_agents[0]
                gym_agent.update_raw_state()
                return {"done": True, "result": gym_agent.get_raw_state()}
            return {"done": True, "result": None}

    def _dispatch(self) -> Any:
        """Dispatch events; return what a gym agent interrupted with, or `None` at the end."""
        heap = self.messages
        agents = self.agents
        free_times = self.agent_current_times
        delays = self.agent_computation_delays
        interrupting = self.interrupting
        trace = self.trace
        last = sys.maxsize if self.overshoot else self.stop_time
        while heap and self.current_time <= self.stop_time and not self.halted:
            time, sender, recipient, message_id, message = heap[0]
            if time > last:
                break
            self.current_time = time
            if self.ttl_messages % PROGRESS_EVERY == 0:
                self._log_progress()
            self.ttl_messages += 1
            if trace is not None:
                trace(time, sender, recipient, message)
            free_time = free_times[recipient]
            if free_time > time:
                heapreplace(heap, (free_time, sender, recipient, message_id, message))
                continue
            heappop(heap)
            self.current_agent_additional_delay = 0
            if message.__class__ is WakeupMsg:
                result = agents[recipient].wakeup(time)
                free_times[recipient] = time + delays[recipient] + self.current_agent_additional_delay
                if result is not None and recipient in interrupting:
                    return result
                continue
            # The charge is taken with the delay in force before the handler: the reference market's tape depends on it.
            free_times[recipient] = time + delays[recipient]
            receive = agents[recipient].receive_message
            result = None
            if message.__class__ is MessageBatch:
                for part in message.messages:
                    result = receive(time, sender, part)
            else:
                result = receive(time, sender, message)
            free_times[recipient] += self.current_agent_additional_delay
            if result is not None and recipient in interrupting:
                return result
        return None

    def terminate(self) -> dict[str, Any]:
        """Let the agents finish and return the end state."""
        with self._ids.active():
            for agent in self.agents:
                agent.kernel_stopping()
            for agent in self.agents:
                agent.kernel_terminating()
        elapsed = datetime.datetime.now() - self.event_queue_wall_clock_start
        seconds = max(elapsed.total_seconds(), 1e-9)
        logger.info(
            "events taken from the queue: %d in %.3f s (%.0f per second)",
            self.ttl_messages,
            seconds,
            self.ttl_messages / seconds,
        )
        self.custom_state["kernel_event_queue_elapsed_wallclock"] = elapsed
        self.custom_state["kernel_slowest_agent_finish_time"] = max(self.agent_current_times, default=self.start_time)
        self.custom_state["agents"] = self.agents
        if self.writes_summary:
            self.write_summary_log()
        for agent_type, total in self.mean_result_by_agent_type.items():
            logger.info("mean result of %s: %d", agent_type, round(total / self.agent_count_by_type[agent_type]))
        return self.custom_state

    def reset(self) -> None:
        """End a run in progress and start it again with the same agents; a fresh kernel is usually what you want."""
        if self.has_run:
            self.terminate()
        self.initialize()
        self.runner()

    # Services for agents

    def send_message(self, sender_id: int, recipient_id: int, message: Message, delay: int = 0) -> None:
        """Queue a message.

        It leaves now plus the sender's computation and additional delays plus `delay` (ns), and arrives one latency
        later. Between agents that are not connected it is dropped.
        """
        sent = (
            self.current_time + self.agent_computation_delays[sender_id] + self.current_agent_additional_delay + delay
        )
        if self.agent_latency_model is not None:
            latency = int(self.agent_latency_model.get_latency(sender_id, recipient_id))
        else:
            assert self.agent_latency is not None
            noise = self.random_state.choice(len(self.latency_noise), p=self.latency_noise)
            latency = int(self.agent_latency[sender_id][recipient_id] + noise)
        if latency < 0:
            logger.warning("agent %d is not connected to %d: %s dropped", sender_id, recipient_id, message.type())
            return
        heappush(self.messages, (sent + latency, sender_id, recipient_id, message.message_id, message))

    def set_wakeup(self, sender_id: int, requested_time: NanosecondTime | None = None) -> None:
        """Queue a wake-up of an agent for itself.

        Raises:
            ValueError: If the time lies in the past.
        """
        if requested_time is None:
            requested_time = self.current_time + 1
        if requested_time < self.current_time:
            raise ValueError(
                f"agent {sender_id} asked for a wake-up in the past: requested_time={requested_time},"
                f" current_time={self.current_time}"
            )
        wakeup = WakeupMsg()
        heappush(self.messages, (requested_time, sender_id, sender_id, wakeup.message_id, wakeup))

    def halt(self, reason: str) -> None:
        """End the run after the event in progress; `reason` is logged as a warning."""
        self.halted = True
        logger.warning(reason)

    def get_agent_compute_delay(self, sender_id: int) -> int:
        """Return the time that an activation of the agent takes, ns."""
        return self.agent_computation_delays[sender_id]

    def set_agent_compute_delay(self, sender_id: int, requested_delay: int) -> None:
        """Set the time that an activation of the agent takes, ns; in force at once.

        Raises:
            ValueError: If the delay is not a whole number of ns, or negative.
        """
        self.agent_computation_delays[sender_id] = _whole_delay(requested_delay)

    def delay_agent(self, sender_id: int, additional_delay: int) -> None:
        """Add to the delay of the activation in progress, ns.

        Raises:
            ValueError: If the delay is not a whole number of ns, or negative.
        """
        self.current_agent_additional_delay += _whole_delay(additional_delay)

    def find_agents_by_type(self, agent_type: type[Agent]) -> list[int]:
        """Return the ids of the agents that are instances of a class, in order."""
        if agent_type not in self._ids_by_type:  # every agent asks for the exchange
            self._ids_by_type[agent_type] = [agent.id for agent in self.agents if isinstance(agent, agent_type)]
        return list(self._ids_by_type[agent_type])

    def pending_messages(self) -> list[tuple[NanosecondTime, int, int, str]]:
        """Return time, sender, recipient and class name of every message that waits in the queue."""
        return [(time, sender, recipient, message.type()) for time, sender, recipient, _, message in self.messages]

    def update_agent_state(self, agent_id: int, state: Any) -> None:
        """Set an agent's entry in the end state."""
        self.custom_state.setdefault("agent_state", {})[agent_id] = state

    # Logs

    def write_log(self, sender_id: int, df_log: pd.DataFrame, filename: str | None = None) -> None:
        """Write a frame as `./log/<log_dir>/<filename or agent name>.bz2`, unless logs are skipped.

        The file is a pickle, as the ABIDES API has it; `abides_core.logs.read_log` reads it without trusting it. A name
        loses its spaces, and a path separator becomes an underscore; a name that another agent has written to is
        followed by this agent's id.
        """
        if self.skip_log:
            return
        name = (filename or self.agents[sender_id].name.replace(" ", "")).replace("/", "_").replace("\\", "_")
        if self._log_owners.setdefault(name, sender_id) != sender_id:
            name = f"{name}_{sender_id}"
        write_log(df_log, self._log_path(name))

    def append_summary_log(self, sender_id: int, event_type: str, event: Any) -> None:
        """Add an event to the summary of the run."""
        self.summary_log.append(
            {
                "AgentID": sender_id,
                "AgentStrategy": self.agents[sender_id].type,
                "EventType": event_type,
                "Event": event,
            }
        )

    def write_summary_log(self) -> None:
        """Write the summary of the run as `./log/<log_dir>/summary_log.bz2`, a pickle as for `write_log`."""
        columns = ["AgentID", "AgentStrategy", "EventType", "Event"]
        write_log(pd.DataFrame(self.summary_log, columns=columns), self._log_path(SUMMARY))

    def _log_path(self, name: str) -> Path:
        return Path("log") / self.log_dir / f"{name}{SUFFIX}"

    def _log_progress(self) -> None:
        if logger.isEnabledFor(logging.INFO):
            logger.info(
                "simulated time %s, %d events, wall time %s",
                fmt_ts(self.current_time),
                self.ttl_messages,
                datetime.datetime.now() - self.event_queue_wall_clock_start,
            )


def _whole_delay(delay: int) -> int:
    if delay.__class__ is int and delay >= 0:  # the usual case: asking an abstract class costs ten times as much
        return delay
    if not isinstance(delay, Integral) or delay < 0:
        raise ValueError(f"a delay is a whole number of ns and not negative, got {delay!r}")
    return int(delay)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the cyclic garbage collector run seldom for the duration of a block.

    Nearly all that a market allocates (log entries, snapshots, history) lives to the end of the run, so the collector
    finds nothing and takes a quarter of the time. Reference counting frees what is dropped as before.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], YOUNG_OBJECTS) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
