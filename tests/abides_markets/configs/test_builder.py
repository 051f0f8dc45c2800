from __future__ import annotations

import numpy as np
import pytest

from abides_markets.configs.builder import MarketBuilder


def test_every_seed_comes_from_one_stream_in_the_order_of_the_calls() -> None:
    market = MarketBuilder(9, "X", mkt_open=100, mkt_close=200, starting_cash=7, log_orders=False)
    market.add_exchange()
    market.add_noise_agents(2, 50, 150)
    market.add_momentum_agents(1)
    config = market.config(0, 300, "INFO")

    stream = np.random.RandomState(9)

    def seed() -> int:
        return int(stream.randint(0, 2**32, dtype=np.uint64))

    exchange = seed()
    wake_times_and_seeds = [(stream.rand(), seed()) for _ in range(2)]
    momentum, kernel, latency = seed(), seed(), seed()
    assert config["agents"][0].stream == exchange
    assert [agent.stream.seed for agent in config["agents"][1:]] == [s for _, s in wake_times_and_seeds] + [momentum]
    assert config["random_state_kernel"].rand() == np.random.RandomState(kernel).rand()
    assert config["latency_seed"] == latency
    assert config["random_state"].rand() == stream.rand()


def test_agents_are_numbered_and_named() -> None:
    market = MarketBuilder(1, "X", mkt_open=100, mkt_close=200, starting_cash=7, log_orders=None)
    market.add_exchange()
    market.add_noise_agents(1, 50, 150)
    market.add_value_agents(2)
    market.add_market_makers()
    market.add_momentum_agents(1)
    names = [agent.name for agent in market.agents]
    maker = "ADAPTIVE_POV_MARKET_MAKER_AGENT"
    assert names == [
        "EXCHANGE_AGENT",
        "NoiseAgent 1",
        "Value Agent 2",
        "Value Agent 3",
        f"{maker}_4",
        f"{maker}_5",
        "MOMENTUM_AGENT_6",
    ]
    assert {agent.starting_cash for agent in market.agents[1:]} == {7}
    assert {agent.symbol for agent in market.agents[1:]} == {"X"}
    assert not any(agent.log_to_file for agent in market.agents[1:])


def test_a_market_that_closes_before_it_opens_is_refused() -> None:
    with pytest.raises(ValueError, match="closes before it opens: 1970-01-01 00:00:01 to 1970-01-01 00:00:00"):
        MarketBuilder(1, "X", mkt_open=10**9, mkt_close=0, starting_cash=7, log_orders=None)
