"""Messages for busy agents wait as in the reference engine: handled in the same order, counted as often."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from abides_core import abides
from abides_core.message import Message
from abides_markets.agents import TradingAgent
from abides_markets.compiled import layout as at
from abides_markets.orders import Side
from abides_markets.utils import config_add_agents
from tests.abides_markets.compiled.worlds import assert_same
from tests.abides_markets.compiled.worlds import build
from tests.abides_markets.compiled.worlds import left_by
from tests.abides_markets.compiled.worlds import no_latency
from tests.abides_markets.tapes import SECOND
from tests.abides_markets.tapes import SYMBOL

ENGINES = ("reference", "compiled")
DELAYS = (0, 1, 50, 1_000_000, SECOND // 10, SECOND, 7 * SECOND)
TINY = {"num_noise_agents": 25, "num_value_agents": 4, "num_momentum_agents": 2, "end_time": "09:30:20"}


class Moody(TradingAgent):
    """Asks and trades every second, changes the time that it takes while messages wait for it, and notes them."""

    def __init__(self, id: int) -> None:
        super().__init__(id, random_state=np.random.RandomState(id))
        self.told: list[Any] = []

    def get_wake_frequency(self) -> int:
        return SECOND

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        self.told.append(current_time)
        if self.mkt_open is None:
            return
        draw = self.random_state.randint
        self.set_wakeup(current_time + SECOND)
        self.set_computation_delay(DELAYS[draw(len(DELAYS))])
        for _ in range(draw(4)):
            self.get_current_spread(SYMBOL)
            self.place_limit_order(SYMBOL, 1 + draw(20), (Side.BID, Side.ASK)[draw(2)], 99_950 + draw(100))
        self.set_computation_delay(DELAYS[draw(len(DELAYS))])

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        self.told.append((current_time, sender_id, message.message_id, message.type()))
        if self.random_state.randint(5) == 0:
            self.set_computation_delay(DELAYS[self.random_state.randint(len(DELAYS))])


def market(seed: int, delay: int, exchange_delay: int, latency: bool, moody: int, **parameters: Any) -> dict[str, Any]:
    config = build(seed, **{**TINY, **parameters})
    count = len(config["agents"])
    config_add_agents(config, [Moody(count + index) for index in range(moody)])
    config["default_computation_delay"] = delay
    config["agents"][0].computation_delay = exchange_delay
    if not latency:
        no_latency(config)
    return config


MARKETS = {
    "seed": st.integers(0, 1000),
    "delay": st.sampled_from(DELAYS),
    "exchange_delay": st.sampled_from((*DELAYS[:-2], 30_000_000)),
    "latency": st.booleans(),
    "moody": st.integers(0, 3),
}


@settings(max_examples=25, deadline=None)
@given(**MARKETS)
def test_the_same_market_however_long_agents_take(**parameters: Any) -> None:
    configs = [market(**parameters) for _ in ENGINES]
    assert_same([left_by(config, engine) for config, engine in zip(configs, ENGINES, strict=True)])
    reference, compiled = (config["agents"][-parameters["moody"] :] for config in configs)
    if parameters["moody"]:
        assert [agent.told for agent in compiled] == [agent.told for agent in reference]


@settings(max_examples=15, deadline=None)
@given(**MARKETS, stops=st.lists(st.integers(0, 12 * SECOND), min_size=1, max_size=6))
def test_a_run_that_stops_while_messages_wait_goes_on_where_it_was(stops: list[int], **parameters: Any) -> None:
    kernels = [abides.new_kernel(market(**parameters), np.random.RandomState(0), engine) for engine in ENGINES]
    seen: list[list[Any]] = []
    for kernel in kernels:
        kernel.initialize()
        states = []
        opens = kernel.agents[0].mkt_open
        for stop in sorted(stops):
            kernel.stop_time = opens + stop
            kernel.runner()
            waiting = sorted(entry[:3] for entry in kernel.pending_messages())
            states.append((kernel.current_time, kernel.ttl_messages, waiting))
        seen.append(states)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("latency", [True, False])
def test_a_crowd_at_the_exchange_is_counted_not_handled_one_by_one(latency: bool) -> None:
    """With so many at once nearly all entries taken out go back, in the reference engine."""
    crowd = {"num_noise_agents": 1200, "end_time": "09:30:00.001"}
    config = market(1, 100_000, 100_000, latency, 0, **crowd)
    expected = left_by(market(1, 100_000, 100_000, latency, 0, **crowd), "reference")
    kernel = abides.new_kernel(config, np.random.RandomState(0), "compiled")
    kernel.initialize()
    kernel.runner()
    assert kernel.ttl_messages == expected["pops"] > 10 * kernel.buffer[at.NEXT_MESSAGE]
