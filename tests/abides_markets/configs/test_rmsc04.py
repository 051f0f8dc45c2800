from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from abides_core import Kernel
from abides_core import abides
from abides_core.utils import datetime_str_to_ns
from abides_core.utils import str_to_ns
from abides_core.utils import subdict
from abides_markets.configs import rmsc04


def test_the_agents_of_the_market() -> None:
    config = rmsc04.build_config(seed=1)
    agents = config["agents"]
    assert [agent.id for agent in agents] == list(range(1117))
    assert Counter(agent.__class__.__name__ for agent in agents) == {
        "ExchangeAgent": 1,
        "NoiseAgent": 1000,
        "ValueAgent": 102,
        "AdaptiveMarketMakerAgent": 2,
        "MomentumAgent": 12,
    }
    assert (agents[0].name, agents[1].name, agents[1001].name) == ("EXCHANGE_AGENT", "NoiseAgent 1", "Value Agent 1001")
    assert {agent.type for agent in agents if "MAKER" in agent.name} == {"AdaptivePOVMarketMakerAgent"}
    assert {agent.starting_cash for agent in agents[1:]} == {10_000_000}


def test_times() -> None:
    midnight = datetime_str_to_ns("20210205")
    for end_time in ("10:20:00", str_to_ns("10:20:00")):
        config = rmsc04.build_config(seed=1, end_time=end_time, num_noise_agents=3)
        exchange = config["agents"][0]
        assert config["start_time"] == midnight
        assert exchange.mkt_open == midnight + str_to_ns("09:30:00")
        assert exchange.mkt_close == midnight + str_to_ns("10:20:00")
        assert config["stop_time"] == exchange.mkt_close + 10**9


def test_the_seed_decides_everything_and_global_state_nothing() -> None:
    def drawn(seed: int) -> list[Any]:
        config = rmsc04.build_config(seed=seed)
        noise = [(a.wakeup_time, a.random_state.rand()) for a in config["agents"][1:1001]]
        others = [agent.random_state.rand() for agent in config["agents"][1001:]]
        oracle = config["custom_properties"]["oracle"]
        return [
            noise,
            others,
            oracle.megashocks,
            config["latency_seed"],
            config["random_state_kernel"].rand(),
            config["agent_latency_model"].min_latency.tolist(),
        ]

    np.random.seed(1)
    random.seed(1)
    first = drawn(5)
    np.random.seed(2)
    random.seed(2)
    assert drawn(5) == first
    assert all(a != b for a, b in zip(drawn(6), first, strict=True))


def test_a_latency_seed_of_ones_own_changes_latencies_only() -> None:
    plain = rmsc04.build_config(seed=5, num_noise_agents=3)
    moved = rmsc04.build_config(seed=5, num_noise_agents=3, latency_seed=9)
    assert moved["latency_seed"] == 9
    assert (plain["agent_latency_model"].min_latency != moved["agent_latency_model"].min_latency).any()
    for a, b in zip(plain["agents"], moved["agents"], strict=True):
        assert a.random_state.rand() == b.random_state.rand()


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError):
        rmsc04.build_config(seed=seed)


def test_without_a_seed_the_clock_is_taken_and_told() -> None:
    seeds = {
        rmsc04.build_config(num_noise_agents=0, num_value_agents=0, num_momentum_agents=0)["seed"] for _ in range(3)
    }
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_it_runs_with_a_kernel_made_by_hand() -> None:
    config = rmsc04.build_config(
        seed=1, book_logging=False, end_time="09:35:00", log_orders=False, exchange_log_orders=False
    )
    keys = (
        "start_time",
        "stop_time",
        "agents",
        "agent_latency_model",
        "default_computation_delay",
        "custom_properties",
    )
    end_state = Kernel(random_state=np.random.RandomState(1), skip_log=True, **subdict(config, keys)).run()
    book = end_state["agents"][0].order_books["ABM"]
    assert book.history
    assert book.book_log2 == []


def test_statistics_of_the_market_lie_where_the_reference_market_has_them() -> None:
    """Bands of the reference market over seeds 1 to 8, 09:30 to 10:00, somewhat widened."""
    config = rmsc04.build_config(seed=12345)
    exchange = abides.run(config)["agents"][0]
    book = exchange.order_books["ABM"]
    counts = Counter(entry["type"] for entry in book.history)
    assert 1000 < counts["LIMIT"] < 3200
    assert 600 < counts["CANCEL"] < 2400
    assert 750 < counts["EXEC"] < 1200
    volume = sum(quantity for _, quantity in (*book.buy_transactions, *book.sell_transactions))
    assert 40_000 < volume < 62_000
    assert 99_500 < book.last_trade < 100_500
    spreads = [row["asks"][0][0] - row["bids"][0][0] for row in book.book_log2 if len(row["bids"]) and len(row["asks"])]
    assert np.median(spreads) == 1
    assert 1.2 < np.mean(spreads) < 3.5
