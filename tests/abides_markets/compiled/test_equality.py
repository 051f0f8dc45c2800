"""The compiled engine leaves exactly what the reference engine leaves, whatever the market."""

from __future__ import annotations

from typing import Any

import pytest

from abides_core.streams import Seed
from abides_markets.switches import Switches
from tests.abides_markets.compiled.worlds import Change
from tests.abides_markets.compiled.worlds import advanced_streams
from tests.abides_markets.compiled.worlds import assert_same
from tests.abides_markets.compiled.worlds import both
from tests.abides_markets.compiled.worlds import build_rmsc03
from tests.abides_markets.compiled.worlds import each
from tests.abides_markets.compiled.worlds import left_by
from tests.abides_markets.compiled.worlds import no_latency
from tests.abides_markets.compiled.worlds import run_both

# In so small a market the makers would often fall silent for the day, and little would be tested.
SMALL = {
    "num_noise_agents": 200,
    "num_value_agents": 20,
    "num_momentum_agents": 4,
    "end_time": "10:00:00",
    "switches": Switches(makers_requote=True),
}
SHOCKS = {"megashock_lambda_a": 1e-10, "megashock_mean": 2000}
MAKER = "Adaptive"

PARAMETERS: list[dict[str, Any]] = [
    {"num_noise_agents": 5000, "num_value_agents": 400, "num_momentum_agents": 60, "end_time": "09:32:00"},
    {"num_noise_agents": 0, "num_value_agents": 3, "num_momentum_agents": 0, "end_time": "11:00:00"},
    {"num_noise_agents": 30, "num_value_agents": 1, "num_momentum_agents": 1, "end_time": "16:00:00"},
    {"num_value_agents": 0, "end_time": "10:30:00"},
    {"end_time": "09:30:00.5"},
    {"end_time": "10:20:00", "mm_wake_up_freq": "5s", **SHOCKS},
    *[{**SMALL, "switches": Switches(**{name: True})} for name in ("makers_requote", "every_change_updates_timestamp")],
    {**SMALL, "switches": Switches.all_on(), "num_value_agents": 2, "num_noise_agents": 20},
    {**SMALL, **SHOCKS, "kappa_oracle": 0, "kappa": 0},
    {**SMALL, **SHOCKS, "fund_drift": -7.7e-11},
    {**SMALL, "kappa_oracle": 0, "fund_drift": 3.3333e-11},
    {**SMALL, **SHOCKS, "kappa_oracle": 1e-12, "kappa": 1e-12, "fund_vol": 0},
    {**SMALL, "megashock_lambda_a": 0, "megashock_var": 0, "fund_vol": 1e-3},
    {**SMALL, "lambda_a": 1e-9, "end_time": "09:34:00", "r_bar": 50},
    {**SMALL, "mm_skew_beta": 0.01, "mm_pov": 0.3, "mm_price_skew": None},
    {**SMALL, "mm_skew_beta": 0.5, "mm_pov": 0.3, "mm_price_skew": 40, "mm_wake_up_freq": "15s"},
    {**SMALL, "mm_window_size": 7, "mm_level_spacing": 0.4, "mm_num_ticks": 25, "mm_price_skew": None},
    {**SMALL, "mm_backstop_quantity": 500, "mm_num_ticks": 2, "mm_min_order_size": 0},
    {**SMALL, "mm_num_ticks": 1, "mm_backstop_quantity": 50, "mm_cancel_limit_delay": 5_000_000},
    {
        **SMALL,
        "mm_spread_alpha": 0.1,
        "mm_wake_up_freq": "1s",
        "mm_num_ticks": 60,
        "r_bar": 2000,
        "end_time": "09:32:00",
    },
    {**SMALL, "book_log_depth": 1, "latency_seed": 5, "date": "20200101", "ticker": "XYZ", "starting_cash": 7},
    {**SMALL, "book_logging": False},
]

CHANGES: dict[str, Change] = {
    "streams already drawn from": advanced_streams,
    "no latency": no_latency,
    "no latency and no delay": both(no_latency, lambda config: config.update(default_computation_delay=0)),
    "slow agents": lambda config: config.update(default_computation_delay=700_000_000),
    "slow exchange": each("ExchangeAgent", computation_delay=30_000_000, pipeline_delay=40_000),
    "fixed sizes": both(*(each(kind, order_size_model=None, size=37) for kind in ("Noise", "Value", "Momentum"))),
    "no size": both(*(each(kind, order_size_model=None, size=0) for kind in ("Noise", "Momentum"))),
    "anchor at the top": each(MAKER, is_adaptive=False, window_size=6, tick_size=3, anchor="top"),
    "anchor at the bottom": each(MAKER, is_adaptive=False, window_size=6, tick_size=3, anchor="bottom"),
    "makers that see imbalance early": each(MAKER, min_imbalance=0.5, price_skew_param=3),
    "regular makers": each(MAKER, poisson_arrival=False, wake_up_freq=20 * 10**9),
    "regular momentum traders": each("Momentum", poisson_arrival=False, wake_up_freq=2 * 10**9),
    "frequent momentum traders": each("Momentum", arrival_rate=5 * 10**9, wake_up_freq=5 * 10**9),
    "exact observations": each("Value", sigma_n=0, percent_aggr=0.9),
    "wide value traders": each("Value", sigma_n=1e8, sigma_s=0, depth_spread=10, lambda_a=1e-10),
    "noise at once": each("Noise", wakeup_time=None),
    "holdings at the start": lambda config: (
        [agent.holdings.update({"ABM": agent.id}) for agent in config["agents"][1:]] and None
    ),
    "a late stop": lambda config: config.update(stop_time=config["stop_time"] + 3600 * 10**9),
    "an early stop": lambda config: config.update(stop_time=config["stop_time"] - 900 * 10**9),
}


@pytest.mark.parametrize("seed", range(20))
def test_same_market_for_every_seed(seed: int) -> None:
    assert_same(run_both(seed))


@pytest.mark.filterwarnings("ignore:.*quantity zero or less")  # of the reference engine, for quotes of no shares
@pytest.mark.parametrize("index", range(len(PARAMETERS)))
def test_same_market_for_every_configuration(index: int) -> None:
    assert_same(run_both(100 + index, **PARAMETERS[index]))


@pytest.mark.parametrize("name", CHANGES)
def test_same_market_for_agents_changed_by_hand(name: str) -> None:
    assert_same(run_both(7, CHANGES[name], **{**SMALL, **SHOCKS}))


SIZES: dict[str, Change] = {
    "as drawn": lambda config: None,
    "asked for before the run": lambda config: (
        [agent.size for agent in config["agents"][1::3] if "size" in dir(agent)] and None
    ),
    "set by hand": each("Noise", size=3),
    "streams changed by hand": each("Value", random_state=Seed(77)),
    "streams already drawn from": advanced_streams,
}


@pytest.mark.parametrize("name", SIZES)
def test_same_market_when_sizes_are_drawn_once(name: str) -> None:
    parameters = {"num_noise_agents": 400, "num_value_agents": 30, "num_momentum_agents": 5, "end_time": "09:50:00"}
    assert_same([left_by(build_rmsc03(3, SIZES[name], **parameters), engine) for engine in ("reference", "compiled")])


@pytest.mark.parametrize("seed", range(1, 4))
def test_same_market_for_every_seed_of_rmsc03(seed: int) -> None:
    assert_same([left_by(build_rmsc03(seed), engine) for engine in ("reference", "compiled")])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 210))
def test_same_market_for_a_whole_day(seed: int) -> None:
    assert_same(run_both(seed, end_time="16:00:00", **SHOCKS))
