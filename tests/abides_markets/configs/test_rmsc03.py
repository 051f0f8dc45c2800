from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from abides_core import abides
from abides_core.utils import datetime_str_to_ns
from abides_core.utils import str_to_ns
from abides_markets.configs import rmsc03

SMALL = {"num_noise_agents": 5, "num_value_agents": 2, "num_momentum_agents": 1}


def of_type(config: dict[str, Any], name: str) -> Any:
    """The first agent of a type."""
    return next(agent for agent in config["agents"] if agent.type == name)


def test_the_agents_of_the_market() -> None:
    config = rmsc03.build_config(seed=1)
    agents = config["agents"]
    assert [agent.id for agent in agents] == list(range(5128))
    assert Counter(agent.__class__.__name__ for agent in agents) == {
        "ExchangeAgent": 1,
        "NoiseAgent": 5000,
        "ValueAgent": 100,
        "AdaptiveMarketMakerAgent": 2,
        "MomentumAgent": 25,
    }
    assert {agent.starting_cash for agent in agents[1:]} == {10_000_000}
    assert (agents[1].name, agents[5001].name, agents[-1].name) == (
        "NoiseAgent_1",
        "Value Agent 5001",
        "MOMENTUM_AGENT_5127",
    )
    midnight = datetime_str_to_ns("20200603")
    wake_times = [agent.wakeup_time - midnight for agent in agents[1:5001]]
    assert str_to_ns("09:00:00") <= min(wake_times) < str_to_ns("09:05:00")
    assert str_to_ns("15:55:00") < max(wake_times) <= str_to_ns("16:00:00")
    assert all(20 <= agent.size < 50 for agent in agents[1:100])
    assert all(1 <= agent.size < 10 for agent in agents[-25:])


def test_every_parameter_arrives() -> None:
    config = rmsc03.build_config(
        ticker="XYZ",
        historical_date="20210104",
        start_time="10:00:00",
        end_time=str_to_ns("11:00:00"),
        exchange_log_orders=False,
        log_orders=False,
        book_logging=False,
        book_log_depth=3,
        seed=4,
        stdout_log_level="ERROR",
        execution_pov=0.3,
        mm_pov=0.1,
        mm_window_size=7,
        mm_min_order_size=2,
        mm_num_ticks=4,
        mm_wake_up_freq="30s",
        mm_skew_beta=0.5,
        mm_level_spacing=2,
        mm_spread_alpha=0.5,
        mm_backstop_quantity=9,
        fund_r_bar=50_000,
        fund_kappa=1e-15,
        fund_sigma_s=1,
        fund_vol=1e-4,
        fund_megashock_lambda_a=1e-17,
        fund_megashock_mean=10,
        fund_megashock_var=20,
        val_r_bar=60_000,
        val_kappa=1e-14,
        val_vol=3,
        val_lambda_a=1e-11,
        latency_seed=8,
        **SMALL,
    )
    midnight = datetime_str_to_ns("20210104")
    exchange = config["agents"][0]
    oracle = config["custom_properties"]["oracle"]
    assert exchange.symbols == ["XYZ"]
    assert (exchange.mkt_open, exchange.mkt_close) == (
        midnight + str_to_ns("10:00:00"),
        midnight + str_to_ns("11:00:00"),
    )
    assert (config["start_time"], config["stop_time"]) == (midnight, exchange.mkt_close + str_to_ns("1min"))
    assert (oracle.mkt_open, oracle.mkt_close) == (exchange.mkt_open, exchange.mkt_close)
    assert (exchange.log_orders, exchange.book_logging, exchange.book_log_depth) == (False, False, 3)
    assert exchange.stream_history == 25_000
    assert config["stdout_log_level"] == "ERROR"
    assert config["latency_seed"] == 8
    maker = of_type(config, "AdaptivePOVMarketMakerAgent")
    assert (maker.pov, maker.window_size, maker.min_order_size, maker.num_ticks) == (0.1, 7, 2, 4)
    assert (maker.wake_up_freq, maker.skew_beta, maker.level_spacing) == (str_to_ns("30s"), 0.5, 2)
    assert (maker.spread_alpha, maker.backstop_quantity, maker.price_skew_param) == (0.5, 9, None)
    fundamental = {name: value for name, value in oracle.symbols["XYZ"].items() if name != "random_state"}
    assert fundamental == {
        "r_bar": 50_000,
        "kappa": 1e-15,
        "sigma_s": 1,
        "fund_vol": 1e-4,
        "megashock_lambda_a": 1e-17,
        "megashock_mean": 10,
        "megashock_var": 20,
        "drift": 0,
    }
    value = of_type(config, "ValueAgent")
    assert (value.r_bar, value.sigma_n, value.kappa, value.lambda_a) == (60_000, 6_000, 1e-14, 1e-11)
    assert of_type(config, "MomentumAgent").wake_up_freq == str_to_ns("20s")
    assert not any(agent.log_orders for agent in config["agents"])


def test_an_execution_agent_that_does_not_exist_is_refused() -> None:
    assert len(rmsc03.build_config(execution_agents=False, **SMALL)["agents"]) == 11
    with pytest.raises(ValueError, match="execution_agents=False"):
        rmsc03.build_config(execution_agents=True)


def test_a_small_market_runs() -> None:
    config = rmsc03.build_config(seed=2, num_noise_agents=50, end_time="09:35:00")
    assert abides.run(config)["agents"][0].order_books["ABM"].history
