from __future__ import annotations

import numpy as np
import pytest

from abides_core import Agent
from abides_core import Kernel
from abides_core import Message


class Plain(Agent):
    pass


def test_names_and_types_have_defaults() -> None:
    agent = Plain(3)
    assert (agent.type, agent.name) == ("Plain", "Plain_3")
    named = Plain(3, name="Ann", type="Trader")
    assert (named.type, named.name) == ("Trader", "Ann")
    assert Plain(3, type="Trader").name == "Trader_3"


def test_the_resolved_type_is_the_first_event() -> None:
    assert Plain(3).log == [(0, "AGENT_TYPE", "Plain")]


def test_a_missing_stream_never_comes_from_global_state() -> None:
    np.random.seed(0)
    first = Plain(3).random_state.rand()
    np.random.seed(1)
    assert Plain(3).random_state.rand() == first
    assert Plain(4).random_state.rand() != first


def test_a_given_stream_continues_where_it_stands() -> None:
    stream = np.random.RandomState(1)
    stream.rand(5)
    expected = np.random.RandomState(1).rand(6)[5]
    assert Plain(3, random_state=stream).random_state.rand() == expected


def test_log_event() -> None:
    agent = Plain(0)
    agent.current_time = 5
    payload = {"a": [1]}
    agent.logEvent("LIVE", payload)
    agent.logEvent("COPY", payload, deepcopy_event=True)
    agent.logEvent("NOTHING")
    payload["a"].append(2)
    assert agent.log[1:] == [(5, "LIVE", {"a": [1, 2]}), (5, "COPY", {"a": [1]}), (5, "NOTHING", "")]


def test_an_agent_that_does_not_log() -> None:
    agent = Plain(0, log_events=False)
    agent.logEvent("EVENT", 1, append_summary_log=True)  # not in the summary either, so no kernel is needed
    assert agent.log == []
    assert agent.log_to_file is False
    assert Plain(0, log_to_file=False).log_to_file is False


def test_services_need_a_kernel() -> None:
    agent = Plain(0)
    for call in (lambda: agent.set_wakeup(1), lambda: agent.send_message(0, Message()), lambda: agent.delay(1)):
        with pytest.raises(AssertionError, match="agent 0 is not part of a running simulation"):
            call()


def test_computation_delay_goes_through_the_kernel() -> None:
    agent = Plain(0)
    kernel = Kernel([agent], default_computation_delay=12)
    agent.kernel_initializing(kernel)
    assert agent.get_computation_delay() == 12
    agent.set_computation_delay(4)
    assert kernel.agent_computation_delays == [4]


def test_activation_sets_the_agents_clock() -> None:
    agent = Plain(0)
    agent.wakeup(7)
    assert agent.current_time == 7
    agent.receive_message(9, 0, Message())
    assert agent.current_time == 9


def test_agents_are_ordered_by_number() -> None:
    assert Plain(9) < Plain(10)
    assert not Plain(10) < Plain(9)
