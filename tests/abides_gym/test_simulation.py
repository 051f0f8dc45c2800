from __future__ import annotations

from typing import Any

import pytest

from abides_core.agent import Agent
from abides_core.message import Message
from abides_gym.experimental_agents import CoreGymAgent
from abides_gym.simulation import SteppedSimulation

TICK = 10


class Note(Message):
    """A message without content."""


class Learner(Agent, CoreGymAgent):
    """Asks for a decision at every wake-up and at every message; its action is the time to its next wake-up."""

    def __init__(self, id: int, asks: tuple[str, ...] = ("wakeup", "message")) -> None:
        super().__init__(id)
        self.asks = asks
        self.applied: list[Any] = []
        self.ended = 0

    def wakeup(self, current_time: int) -> Any:
        super().wakeup(current_time)
        self.set_wakeup(current_time + TICK)
        return ("wakeup", current_time) if "wakeup" in self.asks else None

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> Any:
        super().receive_message(current_time, sender_id, message)
        return ("message", current_time, sender_id) if "message" in self.asks else None

    def apply_actions(self, actions: Any) -> None:
        self.applied.append((self.kernel.current_time, actions))  # type: ignore[union-attr]
        if actions == "send":
            self.send_message(0, Note())

    def update_raw_state(self) -> None:
        self.ended += 1

    def get_raw_state(self) -> Any:
        return ("end", self.ended)


class Chatty(Agent):
    """Answers every message, and returns something from every activation, which nobody has asked for."""

    def __init__(self, id: int) -> None:
        super().__init__(id)
        self.activations: list[int] = []
        self.stopped = 0

    def wakeup(self, current_time: int) -> Any:
        super().wakeup(current_time)
        self.activations.append(current_time)
        self.set_wakeup(current_time + 3)
        return "something"

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> Any:
        super().receive_message(current_time, sender_id, message)
        self.send_message(sender_id, Note())
        return "something else"

    def kernel_stopping(self) -> None:
        super().kernel_stopping()
        self.stopped += 1


class Grandchild(Learner):
    """Has the mark among the bases of its base only."""


def config(*agents: Agent, stop: int = 35) -> dict[str, Any]:
    return {
        "agents": list(agents),
        "start_time": 0,
        "stop_time": stop,
        "default_computation_delay": 0,
        "agent_latency_model": None,
        "custom_properties": {},
    }


def test_it_stops_at_every_decision_and_ends_with_the_simulation() -> None:
    learner = Learner(1)
    simulation = SteppedSimulation(config(Chatty(0), learner))
    assert simulation.agent is learner
    seen = [simulation.start()]
    while not simulation.done:
        seen.append(simulation.step(len(seen)))
    assert [s for s in seen if s[0] == "wakeup"] == [("wakeup", t) for t in (0, 10, 20, 30)]
    assert seen[-1] == ("end", 1)
    assert [action for _, action in learner.applied] == list(range(1, len(seen)))


def test_it_stops_at_messages_as_well_and_carries_on_where_it_stopped() -> None:
    chatty, learner = Chatty(0), Learner(1)
    simulation = SteppedSimulation(config(chatty, learner))
    assert simulation.start() == ("wakeup", 0)
    # The note travels there and back, one latency of 1 ns and some noise of 0 each way.
    kind, time, sender = simulation.step("send")
    assert (kind, sender) == ("message", 0)
    assert 0 < time < 10
    assert learner.applied == [(0, "send")]
    assert simulation.step(None) == ("wakeup", 10)
    assert learner.applied[1] == (time, None)
    assert chatty.activations[:3] == [0, 3, 6]


def test_an_agent_may_ask_at_messages_only() -> None:
    class Asking(Learner, CoreGymAgent):
        def wakeup(self, current_time: int) -> Any:
            super().wakeup(current_time)
            self.send_message(0, Note())

    simulation = SteppedSimulation(config(Chatty(0), Asking(1, ("message",))))
    assert simulation.start()[0] == "message"
    assert simulation.step(None)[0] == "message"


def test_what_other_agents_return_interrupts_nobody() -> None:
    chatty, learner = Chatty(0), Learner(1, asks=())
    simulation = SteppedSimulation(config(chatty, learner))
    assert simulation.start() == ("end", 1)
    assert simulation.done
    assert chatty.activations == list(range(0, 37, 3))  # one entry beyond the stop time, as in the reference market


def test_without_a_learning_agent_there_is_nothing_to_step() -> None:
    with pytest.raises(ValueError, match="CoreGymAgent among its direct base classes"):
        SteppedSimulation(config(Chatty(0)))
    with pytest.raises(ValueError, match="CoreGymAgent"):
        SteppedSimulation(config(Grandchild(0)))
    with pytest.raises(AssertionError, match="at most one gym agent"):
        SteppedSimulation(config(Learner(0), Learner(1)))


def test_the_end_comes_once() -> None:
    chatty = Chatty(0)
    simulation = SteppedSimulation(config(chatty, Learner(1)))
    simulation.start()
    state = simulation.end()
    assert chatty.stopped == 1
    assert state["agents"][0] is chatty
    assert simulation.end() is state
    assert chatty.stopped == 1
