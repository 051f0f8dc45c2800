"""A market made from a template is the market built in Python."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from abides_core.abides import new_kernel
from abides_core.engines import UnsupportedError
from abides_core.message import Message
from abides_core.streams import Seed
from abides_markets.agents import NoiseAgent
from abides_markets.agents import TradingAgent
from abides_markets.compiled.kernel import CompiledKernel
from abides_markets.compiled.template import MarketTemplate
from abides_markets.orders import Side
from abides_markets.switches import Switches
from abides_markets.tape import MarketTape
from abides_markets.utils import config_append_agents
from tests.abides_markets.compiled.worlds import build

SECOND = 10**9


class Talker(TradingAgent):
    """Trades a little every second and writes down all it is told."""

    def __init__(self, id: int, random_state: Any = None, subscribe: bool = False) -> None:
        super().__init__(id, random_state=random_state if random_state is not None else Seed(5))
        self.log_events = False
        self.subscribe = subscribe
        self.heard: list[Any] = []

    def wakeup(self, current_time: int) -> None:
        if super().wakeup(current_time):
            self.set_wakeup(current_time + SECOND)
            self.get_current_spread("ABM", depth=3)
            side = Side.BID if self.random_state.rand() < 0.5 else Side.ASK
            self.place_market_order("ABM", int(self.random_state.randint(1, 30)), side)

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        self.heard.append((current_time, sender_id, message.message_id, message))


def background(seed: int, **parameters: Any) -> dict[str, Any]:
    chosen = {"end_time": "09:32:00", "latency_seed": 3, "switches": Switches.all_on(), **parameters}
    config = build(seed, log_orders=None, **chosen)
    for agent in config["agents"]:
        agent.log_events = False
    return config


def played(kernel: Any) -> tuple[Any, ...]:
    tape = kernel.agents[0].order_books["ABM"].tape = MarketTape(kernel.agents[-1].id)
    kernel.initialize()
    kernel.runner()
    agent = kernel.agents[-1]
    assert len(agent.heard) > 100
    assert len(tape.trades) > 50
    heard = [(time, sender, number, repr(message)) for time, sender, number, message in agent.heard]
    return heard, tape.trades, tape.quotes, tape.accepted, agent.holdings, kernel.ttl_messages


@pytest.mark.parametrize("parameters", [{}, {"latency_seed": None}])
def test_it_runs_as_the_one_built_in_python(parameters: dict[str, Any]) -> None:
    template = MarketTemplate(partial(background, **parameters), Talker)
    assert template._is_reseedable == (not parameters)
    for seed in (0, 7, 2**32 - 1):
        config = background(seed, **parameters)
        config_append_agents(config, [Talker(len(config["agents"]))])
        expected = played(new_kernel(config, np.random.RandomState(0), "reference"))
        assert played(CompiledKernel.of_template(template, seed, Talker(template.last))) == expected


def test_markets_of_a_template_know_nothing_of_each_other() -> None:
    template = MarketTemplate(background, Talker)
    alone = played(CompiledKernel.of_template(template, 3, Talker(template.last)))
    kernels = [CompiledKernel.of_template(template, seed, Talker(template.last)) for seed in (3, 4, 3)]
    first, other, again = (played(kernel) for kernel in kernels)
    assert first == again == alone
    assert other[1] != first[1]
    assert len({id(kernel.agents[0].order_books["ABM"]) for kernel in kernels}) == 3


def test_its_kernel_is_stopped_not_ended() -> None:
    template = MarketTemplate(background, Talker)
    kernel = CompiledKernel.of_template(template, 3, Talker(template.last))
    kernel.initialize()
    kernel.runner()
    with pytest.raises(RuntimeError, match="is stopped, not ended"):
        kernel.terminate()


def test_what_it_cannot_make_is_refused() -> None:
    template = MarketTemplate(background, Talker)
    with pytest.raises(ValueError, match=f"has the id {template.last}, got 3"):
        CompiledKernel.of_template(template, 0, Talker(3))
    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match=f"less than 2\\*\\*32, got {seed}"):
            template.market(seed)
    with pytest.raises(UnsupportedError, match=f"does not support agent {template.last} with subscribe=True"):
        CompiledKernel.of_template(template, 0, Talker(template.last, subscribe=True))

    class Other(NoiseAgent):
        pass

    def with_other(seed: int) -> dict[str, Any]:
        config = background(seed)
        config["agents"][4].__class__ = Other
        return config

    with pytest.raises(UnsupportedError, match="agent 4, of type Other, in the background of a template"):
        MarketTemplate(with_other, Talker)
