from __future__ import annotations

import gc
import heapq
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abides_core import Agent
from abides_core import Kernel
from abides_core import LatencyModel
from abides_core import Message
from abides_core import MessageBatch
from abides_core.message import WakeupMsg


class Recorder(Agent):
    """Notes what reaches it; `plan` says what to do at an activation."""

    def __init__(self, id: int, plan: Any = None, **parameters: Any) -> None:
        super().__init__(id, log_events=False, random_state=np.random.RandomState(id), **parameters)
        self.plan = plan
        self.seen: list[tuple[int, Any, int]] = []

    def kernel_starting(self, start_time: int) -> None:
        if self.plan is not None:
            super().kernel_starting(start_time)

    def wakeup(self, current_time: int) -> Any:
        super().wakeup(current_time)
        self.seen.append((current_time, "wake", self.id))
        return None if self.plan is None else self.plan(self)

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        self.seen.append((current_time, message, sender_id))


def times(agent: Recorder) -> list[int]:
    return [time for time, _, _ in agent.seen]


def kernel(*agents: Agent, **parameters: Any) -> Kernel:
    return Kernel(list(agents), **{"start_time": 1000, "stop_time": 2000, "default_computation_delay": 0, **parameters})


def push(k: Kernel, time: int, sender: int, recipient: int, message: Message) -> None:
    heapq.heappush(k.messages, (time, sender, recipient, message.message_id, message))


def test_agents_are_woken_at_the_start_and_get_messages_one_latency_later() -> None:
    receiver = Recorder(1)
    sender = Recorder(0, plan=lambda agent: agent.send_message(1, Message()))
    end_state = kernel(sender, receiver, default_latency=7).run()
    assert times(sender) == [1000]
    assert times(receiver) == [1007]
    assert receiver.seen[0][2] == 0
    assert end_state["agents"] == [sender, receiver]


def test_a_run_may_start_at_time_zero() -> None:
    agent = Recorder(0, plan=lambda agent: None)
    Kernel([agent], start_time=0, stop_time=1).run()
    assert times(agent) == [0]


def test_a_kernel_without_agents_runs() -> None:
    empty = Kernel(agents=[], start_time=0, stop_time=1)
    assert empty.has_run is False
    empty.initialize()
    assert empty.has_run is True
    assert empty.runner() == {"done": True, "result": None}
    assert empty.terminate()["kernel_slowest_agent_finish_time"] == 0


def test_at_one_time_the_lower_sender_then_recipient_then_message_goes_first() -> None:
    order: list[tuple[int, int, int]] = []
    agents = [Recorder(0), Recorder(1), Recorder(2)]
    k = kernel(
        *agents, trace=lambda time, sender, recipient, message: order.append((sender, recipient, message.message_id))
    )
    k.initialize()
    entries = [(2, 0), (1, 2), (1, 0), (0, 1), (1, 0), (2, 2)]
    for sender, recipient in entries:
        push(k, 1500, sender, recipient, WakeupMsg() if sender == recipient else Message())
    k.runner()
    assert order == sorted(order)
    assert [entry[:2] for entry in order] == sorted(entries)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3), st.integers(0, 3)), max_size=60), st.integers(0, 5))
def test_events_come_in_the_total_order_and_busy_agents_make_time_wait_never_go_back(
    entries: list[tuple[int, int, int]], delay: int
) -> None:
    popped: list[tuple[int, int, int, int]] = []
    agents = [Recorder(n) for n in range(4)]
    k = kernel(
        *agents, default_computation_delay=delay, trace=lambda t, s, r, m: popped.append((t, s, r, m.message_id))
    )
    k.initialize()
    for time, sender, recipient in entries:
        push(k, 1000 + time, sender, recipient, Message())
    k.runner()
    assert [key[0] for key in popped] == sorted(key[0] for key in popped)
    assert k.ttl_messages == len(popped)
    for agent in agents:
        assert all(later - earlier >= delay for earlier, later in zip(times(agent), times(agent)[1:], strict=False))
    assert sum(len(agent.seen) for agent in agents) == len(entries)
    if delay == 0:
        assert popped == sorted(popped)


def test_a_busy_agent_gets_its_events_when_it_is_free_in_key_order() -> None:
    agent = Recorder(1)
    k = kernel(Recorder(0), agent, Recorder(2), default_computation_delay=10)
    k.initialize()
    first, late, early = Message(), Message(), Message()
    push(k, 1000, 0, 1, first)
    push(k, 1001, 2, 1, late)
    push(k, 1002, 0, 1, early)  # arrives later, from a lower sender: served first once the agent is free
    k.runner()
    assert [(time, message) for time, message, _ in agent.seen] == [(1000, first), (1010, early), (1020, late)]


def test_exactly_one_event_after_the_stop_is_dispatched() -> None:
    agent = Recorder(0)
    k = kernel(agent)
    k.initialize()
    for time in (1999, 2000, 2001, 2002):
        push(k, time, 0, 0, Message())
    k.runner()
    assert times(agent) == [1999, 2000, 2001]
    assert k.ttl_messages == 3


def test_no_event_after_the_stop_is_dispatched_if_asked_for() -> None:
    agent = Recorder(0, plan=lambda agent: None)
    k = kernel(agent, overshoot=False)
    k.initialize()
    for time in (1999, 2000, 2001):
        k.set_wakeup(0, time)
    k.runner()
    assert times(agent) == [1000, 1999, 2000]
    assert k.current_time == 2000


def test_a_run_split_by_its_stop_time_is_the_whole_run() -> None:
    def run(stops: list[int]) -> list[int]:
        agent = Recorder(0, plan=lambda agent: agent.set_wakeup(agent.current_time + 3))
        k = kernel(agent)
        k.initialize()
        for stop in stops:
            k.stop_time = stop
            k.runner()
        return times(agent)

    assert run([1001, 1002, 1010, 1500, 1501, 2000]) == run([2000])


def test_queue_can_be_fed_between_runs_and_charges_the_recipient() -> None:
    agent = Recorder(1)
    k = kernel(Recorder(0), agent, default_computation_delay=5)
    k.initialize()
    k.runner()
    push(k, 1200, 0, 1, Message())
    k.current_time = k.start_time
    k.runner()
    assert k.agent_current_times[1] == 1205


def test_a_batch_is_delivered_at_once_and_charged_once() -> None:
    agent = Recorder(1)
    k = kernel(Recorder(0), agent, default_computation_delay=5)
    k.initialize()
    parts: list[Message] = [Message() for _ in range(10)]
    push(k, 1200, 0, 1, MessageBatch(parts))
    k.runner()
    assert [(time, message) for time, message, _ in agent.seen] == [(1200, part) for part in parts]
    assert k.agent_current_times[1] == 1205
    assert k.ttl_messages == 1


def test_a_message_leaves_after_the_computation_delay_in_force_when_it_is_sent() -> None:
    def plan(agent: Recorder) -> None:
        agent.send_message(1, Message())
        agent.set_computation_delay(30)
        agent.send_message(1, Message())
        agent.delay(100)
        agent.send_message(1, Message(), delay=1000)
        agent.delay(100)

    sender, receiver = Recorder(0, plan=plan), Recorder(1)
    k = kernel(sender, receiver, default_computation_delay=10, default_latency=0, stop_time=10_000)
    k.run()
    # The receiver's own delay is 10 ns and the messages lie further apart.
    assert times(receiver) == [1010, 1030, 1000 + 30 + 100 + 1000]
    assert k.agent_current_times[0] == 1000 + 30 + 200


def test_a_delay_asked_for_while_handling_a_message_keeps_the_agent_busy() -> None:
    class Slow(Recorder):
        def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
            super().receive_message(current_time, sender_id, message)
            self.delay(40)

    slow = Slow(1)
    k = kernel(Recorder(0), slow, default_computation_delay=10)
    k.initialize()
    push(k, 1100, 0, 1, Message())
    push(k, 1101, 0, 1, Message())
    k.runner()
    assert times(slow) == [1100, 1150]


def test_an_additional_delay_lasts_one_activation() -> None:
    agent = Recorder(0, plan=lambda agent: agent.delay(100))
    k = kernel(agent)
    k.run()
    assert k.agent_current_times[0] == 1100
    push(k, 1500, 0, 0, Message())
    k.current_time = 1400
    k.runner()
    assert k.agent_current_times[0] == 1500


@pytest.mark.parametrize("delay", [-1, 1.5, "1", None])
def test_a_wrong_delay_is_refused_and_changes_nothing(delay: Any) -> None:
    k = kernel(Recorder(0), default_computation_delay=3)
    with pytest.raises(ValueError, match="whole number of ns"):
        k.set_agent_compute_delay(0, delay)
    with pytest.raises(ValueError, match="whole number of ns"):
        k.delay_agent(0, delay)
    assert k.get_agent_compute_delay(0) == 3
    assert k.current_agent_additional_delay == 0


def test_delays_may_be_numpy_integers() -> None:
    k = kernel(Recorder(0))
    k.set_agent_compute_delay(0, np.int64(4))  # type: ignore[arg-type]
    assert k.get_agent_compute_delay(0) == 4


def test_computation_delays_by_agent() -> None:
    k = kernel(Recorder(0), Recorder(1), default_computation_delay=5, per_agent_computation_delays={1: 9, 7: 1})
    assert k.agent_computation_delays == [5, 9]


def test_a_wakeup_in_the_past_is_refused_one_now_is_not() -> None:
    agent = Recorder(0)
    k = kernel(agent)
    k.initialize()
    with pytest.raises(ValueError, match="current_time=1000") as error:
        k.set_wakeup(0, 999)
    assert len(error.value.args) == 1
    k.set_wakeup(0, 1000)
    k.set_wakeup(0)
    k.runner()
    assert times(agent) == [1000, 1001]


def test_ids_must_be_positions() -> None:
    with pytest.raises(ValueError, match="id 5 but stands at index 1"):
        kernel(Recorder(0), Recorder(5))


def test_default_latencies_are_independent_rows() -> None:
    k = kernel(Recorder(0), Recorder(1), default_latency=7)
    assert k.agent_latency == [[7, 7], [7, 7]]
    k.agent_latency[0][1] = 99
    assert k.agent_latency[1] == [7, 7]


def test_latency_matrix_and_noise() -> None:
    receiver = Recorder(1)
    sender = Recorder(0, plan=lambda agent: agent.send_message(1, Message()))
    kernel(sender, receiver, agent_latency=[[0, 20], [0, 0]], latency_noise=[0.0, 0.0, 1.0]).run()
    assert times(receiver) == [1022]


def test_messages_between_unconnected_agents_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Recorder(1)
    sender = Recorder(0, plan=lambda agent: agent.send_message(1, Message()))
    model = LatencyModel(np.random.RandomState(0), min_latency=10, connected=False)
    with caplog.at_level(logging.WARNING):
        kernel(sender, receiver, agent_latency_model=model).run()
    assert receiver.seen == []
    assert "not connected" in caplog.text


def test_what_an_ordinary_agent_returns_does_not_end_the_run() -> None:
    agent = Recorder(0, plan=lambda agent: agent.set_wakeup(agent.current_time + 500) or True)
    k = kernel(agent)
    k.initialize()
    assert k.runner() == {"done": True, "result": None}
    assert times(agent) == [1000, 1500, 2000, 2500]


class CoreGymAgent(Agent):
    """Stands in for the gym base class, which the kernel knows by name."""


class Gym(CoreGymAgent):
    """Interrupts at every wake-up and every message."""

    def __init__(self, id: int) -> None:
        super().__init__(id)
        self.applied: list[Any] = []
        self.updates = 0

    def wakeup(self, current_time: int) -> Any:
        super().wakeup(current_time)
        self.set_wakeup(current_time + 400)
        return {"time": current_time}

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> Any:
        super().receive_message(current_time, sender_id, message)
        return {"message": current_time}

    def apply_actions(self, actions: Any) -> None:
        self.applied.append((self.kernel.current_time, actions))  # type: ignore[union-attr]

    def update_raw_state(self) -> None:
        self.updates += 1

    def get_raw_state(self) -> Any:
        return ("raw", self.updates)


def test_a_gym_agent_interrupts_and_acts() -> None:
    gym = Gym(0)
    k = kernel(gym)
    k.initialize()
    assert k.runner() == {"done": False, "result": {"time": 1000}}
    push(k, 1100, 0, 0, Message())
    assert k.runner((gym, "buy")) == {"done": False, "result": {"message": 1100}}
    assert k.runner((gym, "sell")) == {"done": False, "result": {"time": 1400}}
    assert gym.applied == [(1000, "buy"), (1100, "sell")]
    k.stop_time = 1300
    assert k.runner() == {"done": True, "result": ("raw", 1)}


def test_at_most_one_gym_agent() -> None:
    with pytest.raises(AssertionError, match="at most one gym agent"):
        kernel(Gym(0), Gym(1))


def test_find_agents_by_type_counts_subclasses() -> None:
    k = kernel(Recorder(0), Gym(1), Recorder(2))
    assert k.find_agents_by_type(Recorder) == [0, 2]
    assert k.find_agents_by_type(Agent) == [0, 1, 2]
    assert k.find_agents_by_type(int) == []


def test_custom_properties_and_agent_state() -> None:
    def plan(agent: Recorder) -> None:
        agent.update_agent_state({"oracle": agent.kernel.oracle})  # type: ignore[union-attr]

    end_state = kernel(Recorder(0, plan=plan), custom_properties={"oracle": "delphi"}).run()
    assert end_state["agent_state"] == {0: {"oracle": "delphi"}}


def test_hooks_are_called_in_the_order_of_the_phases() -> None:
    calls: list[tuple[str, int]] = []

    class Phased(Agent):
        def kernel_initializing(self, kernel: Kernel) -> None:
            super().kernel_initializing(kernel)
            calls.append(("initializing", self.id))

        def kernel_starting(self, start_time: int) -> None:
            calls.append(("starting", self.id))

        def kernel_stopping(self) -> None:
            calls.append(("stopping", self.id))

        def kernel_terminating(self) -> None:
            calls.append(("terminating", self.id))

    kernel(Phased(0), Phased(1)).run()
    assert calls == [(phase, n) for phase in ("initializing", "starting", "stopping", "terminating") for n in (0, 1)]


def test_message_ids_belong_to_the_run() -> None:
    ids: list[list[int]] = []
    for _ in range(2):
        Message()  # an id taken outside is no run's
        seen: list[int] = []
        agent = Recorder(0, plan=lambda agent: agent.send_message(0, Message()))
        kernel(agent, trace=lambda time, sender, recipient, message, seen=seen: seen.append(message.message_id)).run()
        ids.append(seen)
    assert ids == [[1, 2], [1, 2]]


def test_reset_runs_again() -> None:
    agent = Recorder(0, plan=lambda agent: None)
    k = kernel(agent)
    k.run()
    k.reset()
    assert times(agent) == [1000, 1000]


class Writer(Agent):
    def kernel_starting(self, start_time: int) -> None:
        self.logEvent("STARTING_CASH", 7, append_summary_log=True)


def test_logs_are_written_only_when_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kernel(Writer(0, name="A B")).run()
    assert list(tmp_path.iterdir()) == []
    kernel(Writer(0, name="A B"), log_dir="summary").run()
    assert [path.name for path in (tmp_path / "log" / "summary").iterdir()] == ["summary_log.bz2"]
    kernel(Writer(0, name="A B"), log_dir="all", skip_log=False).run()
    folder = tmp_path / "log" / "all"
    assert sorted(path.name for path in folder.iterdir()) == ["AB.bz2", "summary_log.bz2"]
    log = pd.read_pickle(folder / "AB.bz2")
    assert list(log["EventType"]) == ["AGENT_TYPE", "STARTING_CASH"]
    summary = pd.read_pickle(folder / "summary_log.bz2")
    assert summary.to_dict("records") == [
        {"AgentID": 0, "AgentStrategy": "Writer", "EventType": "STARTING_CASH", "Event": 7}
    ]


def test_no_log_is_lost_to_another_of_the_same_name_or_to_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["A B", "AB", "summary_log", "../../x"]
    kernel(*(Writer(id, name=name) for id, name in enumerate(names)), log_dir="all", skip_log=False).run()
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.bz2"))
    expected = [".._.._x.bz2", "AB.bz2", "AB_1.bz2", "summary_log.bz2", "summary_log_2.bz2"]
    assert written == [f"log/all/{name}" for name in expected]
    assert len(pd.read_pickle(tmp_path / "log/all/summary_log.bz2")) == 4


def test_progress_is_logged_without_warnings(caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(), caplog.at_level(logging.INFO):
        warnings.simplefilter("error")
        kernel(Recorder(0, plan=lambda agent: None)).run()
    assert "simulated time 1970-01-01 00:00:00" in caplog.text
    assert "1 in" in caplog.text


def test_the_garbage_collector_is_left_as_it_was() -> None:
    seen: list[int] = []
    before = gc.get_threshold()
    kernel(Recorder(0, plan=lambda agent: seen.append(gc.get_threshold()[0]))).run()
    assert seen[0] > before[0]
    assert gc.get_threshold() == before

    def fail(agent: Recorder) -> None:
        raise RuntimeError("in an agent")

    with pytest.raises(RuntimeError, match="in an agent"):
        kernel(Recorder(0, plan=fail)).run()
    assert gc.get_threshold() == before
    gc.set_threshold(0)  # whoever has turned it off keeps it off
    try:
        kernel(Recorder(0, plan=lambda agent: seen.append(gc.get_threshold()[0]))).run()
        assert seen[1] == 0
    finally:
        gc.set_threshold(*before)
