from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from abides_core import Agent
from abides_core import Kernel
from abides_core import Message
from abides_core import MessageBatch
from abides_core.monitor import Finding
from abides_core.monitor import Monitor
from abides_core.monitor import Observed
from abides_core.monitor import global_state
from abides_core.monitor import text


@dataclass(slots=True)
class NumberMsg(Message):
    number: int


class Order:
    def to_dict(self) -> dict[str, Any]:
        return {"id": 3, "price": None, "hidden": False, "size": 0}


class Talks(Agent):
    def wakeup(self, current_time: int) -> str:
        super().wakeup(current_time)
        self.delay(3)
        self.send_message(1, NumberMsg(1), delay=2)
        self.send_message_batch(1, [NumberMsg(2), NumberMsg(3)])
        return "what it returns is passed on"


def test_equal_values_have_equal_texts() -> None:
    assert text(NumberMsg(5)) == text(NumberMsg(5)) == "NumberMsg(number=5)"
    assert text(MessageBatch([NumberMsg(1)])) == "MessageBatch(messages=[NumberMsg(number=1)])"
    assert text([np.int64(3), (1.5, None), {"a": "b"}]) == "[3, [1.5, None], {'a': 'b'}]"
    assert text(Order()) == "{'id': 3, 'size': 0}"
    assert text(object()) == text(object()) == "object"


def test_actions_are_noted_with_their_times_and_passed_on() -> None:
    observed = Observed()
    agent = Talks(0)
    monitor = Monitor(agent, observed)
    heard: list[str] = []

    class Listens(Agent):
        def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
            heard.append(f"{current_time} {text(message)}")

    kernel = Kernel([agent, Listens(1)], start_time=100, stop_time=200, default_latency=10)
    kernel.run()
    assert observed.actions == [
        "100 asked for a wake-up at 100",
        "100 sent to 1: NumberMsg(number=1) after 2 ns",
        "100 sent to 1: MessageBatch(messages=[NumberMsg(number=2), NumberMsg(number=3)])",
    ]
    # One nanosecond of computation, three of delay, ten of latency.
    assert heard == ["114 NumberMsg(number=2)", "114 NumberMsg(number=3)", "116 NumberMsg(number=1)"]
    assert observed.faults == []
    assert monitor.agent is agent
    assert agent.kernel is not kernel, "what it asks of the kernel passes the monitor"
    assert agent.kernel.agents is kernel.agents  # type: ignore[union-attr]


def test_a_fault_is_noted_once() -> None:
    observed = Observed()
    monitor = Monitor(Agent(0), observed)
    for what in ("first", "second"):
        monitor.fault("timing", what, "the remedy")
    assert observed.faults == [Finding("timing", False, "first", 0, "the remedy")]


@pytest.mark.parametrize("draw", [random.random, np.random.rand, lambda: np.random.seed(1), lambda: random.seed(1)])
def test_any_use_of_a_global_stream_shows(draw: Any) -> None:
    states = random.getstate(), np.random.get_state()
    before = global_state()
    assert global_state() == before
    draw()
    assert global_state() != before
    random.setstate(states[0])
    np.random.set_state(states[1])
    assert global_state() == before
