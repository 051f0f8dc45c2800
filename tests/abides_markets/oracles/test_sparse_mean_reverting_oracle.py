from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from abides_core.utils import datetime_str_to_ns
from abides_core.utils import str_to_ns
from abides_markets.oracles import Oracle
from abides_markets.oracles import SparseMeanRevertingOracle

DAY = datetime_str_to_ns("20210205")
OPEN, CLOSE = DAY + str_to_ns("09:30:00"), DAY + str_to_ns("16:00:00")
MINUTE = str_to_ns("1min")


def parameters(**changes: Any) -> dict[str, Any]:
    return {
        "r_bar": 100_000,
        "kappa": 1.67e-16,
        "fund_vol": 5e-5,
        "megashock_lambda_a": 2.77778e-18,
        "megashock_mean": 1000,
        "megashock_var": 50_000,
        **changes,
    }


def oracle(seed: int = 0, **changes: Any) -> SparseMeanRevertingOracle:
    return SparseMeanRevertingOracle(OPEN, CLOSE, {"X": parameters(**changes)}, np.random.RandomState(seed))


def path(source: SparseMeanRevertingOracle, step: int = MINUTE) -> list[int]:
    unused = np.random.RandomState(0)
    return [source.observe_price("X", t, sigma_n=0, random_state=unused) for t in range(OPEN, CLOSE, step)]


@pytest.mark.parametrize("seed", range(10))
def test_the_mean_over_a_day_stays_near_the_long_run_mean(seed: int) -> None:
    assert np.mean(path(oracle(seed))) == pytest.approx(100_000, rel=0.1)


def test_the_path_is_that_of_the_process() -> None:
    """Over many days: mean and variance at a time as the process has them, from the formula of its distribution."""
    kappa, volatility, start, elapsed = 1e-13, 1e-4, 100_000, 20 * MINUTE
    ends = []
    for seed in range(1500):
        source = oracle(seed, kappa=kappa, fund_vol=volatility, megashock_lambda_a=0)
        source.symbols["X"]["r_bar"] = 100_500  # so that the value starts away from the mean
        ends.append(source.advance_fundamental_value_series(OPEN + elapsed, "X"))
    mean = 100_500 + (start - 100_500) * math.exp(-kappa * elapsed)
    sd = math.sqrt(volatility**2 / (2 * kappa) * (1 - math.exp(-2 * kappa * elapsed)))
    assert np.mean(ends) == pytest.approx(mean, abs=4 * sd / math.sqrt(1500))
    assert np.std(ends) == pytest.approx(sd, rel=0.08)


@pytest.mark.parametrize("kappa", [0.0, 1.67e-16])
def test_a_drift_adds_its_rate_times_the_time(kappa: float) -> None:
    """Watched every minute or once, with the same draws otherwise; without one nothing changes."""
    still, rising = (oracle(3, kappa=kappa, fund_vol=0, drift=drift) for drift in (0.0, 2 / MINUTE))
    assert set(path(still)) == {100_000}
    assert path(rising) == pytest.approx([100_000 + 2 * k for k in range(390)], abs=1)
    at_once = oracle(3, kappa=kappa, fund_vol=0, drift=2 / MINUTE)
    assert at_once.advance_fundamental_value_series(OPEN + 60 * MINUTE, "X") == pytest.approx(100_120, abs=1)
    assert path(oracle(4, kappa=kappa)) == path(oracle(4, kappa=kappa, drift=0.0))
    difference = np.array(path(oracle(4, kappa=kappa, drift=-2 / MINUTE))) - path(oracle(4, kappa=kappa))
    assert difference == pytest.approx(-2.0 * np.arange(390), abs=2)


def test_same_seed_same_path_whoever_watches() -> None:
    assert path(oracle(1)) == path(oracle(1)) != path(oracle(2))
    first, second = oracle(1), oracle(1)
    quiet, noisy = np.random.RandomState(5), np.random.RandomState(6)
    seen = [
        (first.observe_price("X", OPEN + k * MINUTE, quiet), second.observe_price("X", OPEN + k * MINUTE, noisy))
        for k in range(1, 50)
    ]
    assert any(a != b for a, b in seen)
    assert first.r == second.r


def test_at_the_open_and_after_the_close() -> None:
    source = oracle()
    unused = np.random.RandomState(0)
    assert source.get_daily_open_price("X", OPEN) == 100_000
    assert source.observe_price("X", OPEN, unused, sigma_n=0) == 100_000
    last = source.observe_price("X", CLOSE, unused, sigma_n=0)
    assert source.observe_price("X", CLOSE + MINUTE, unused, sigma_n=0) == last
    assert source.r["X"][0] == CLOSE - 1


def test_noise_is_drawn_from_the_observer_and_none_without_variance() -> None:
    source, stream = oracle(), np.random.RandomState(7)
    before = stream.get_state()[2]
    exact = source.observe_price("X", OPEN + MINUTE, stream, sigma_n=0)
    assert stream.get_state()[2] == before
    sample = [source.observe_price("X", OPEN + MINUTE, stream, sigma_n=400) for _ in range(4000)]
    assert np.mean(sample) == pytest.approx(exact, abs=2)
    assert np.std(sample) == pytest.approx(20, rel=0.05)
    assert all(type(value) is int for value in sample)


def test_asking_again_draws_nothing() -> None:
    source = oracle()
    value = source.advance_fundamental_value_series(OPEN + MINUTE, "X")
    length = len(source.f_log["X"])
    assert source.advance_fundamental_value_series(OPEN + MINUTE, "X") == value
    assert source.advance_fundamental_value_series(OPEN, "X") == value
    assert len(source.f_log["X"]) == length == 2
    assert source.f_log["X"][0] == {"FundamentalTime": OPEN, "FundamentalValue": 100_000}


def test_shocks_come_at_their_times_and_move_the_value() -> None:
    source = oracle(3, megashock_lambda_a=1 / (10 * MINUTE), megashock_mean=5_000, megashock_var=1, fund_vol=0)
    source.advance_fundamental_value_series(CLOSE - 1, "X")
    past, due = source.megashocks["X"][:-1], source.megashocks["X"][-1]
    assert len(past) > 10
    assert due["MegashockTime"] >= CLOSE
    times = [shock["MegashockTime"] for shock in past]
    assert times == sorted(times)
    assert all(type(time) is int and OPEN < time < CLOSE for time in times)
    values = {entry["FundamentalTime"]: entry["FundamentalValue"] for entry in source.f_log["X"]}
    jumps = np.diff([100_000, *(values[time] for time in times)])
    assert np.abs(jumps) == pytest.approx(5_000, rel=0.05)
    assert set(np.sign(jumps)) == {-1, 1}


def test_a_shock_due_at_the_very_time_is_included() -> None:
    source = oracle(fund_vol=0, kappa=0)
    source.megashocks["X"] = [{"MegashockTime": OPEN + MINUTE, "MegashockValue": 500.0}]
    assert source.advance_fundamental_value_series(OPEN + MINUTE, "X") == 100_500


def test_no_shocks_no_reversion_and_never_below_zero() -> None:
    plain = oracle(megashock_lambda_a=0)
    assert plain.megashocks["X"] == [{"MegashockTime": math.inf, "MegashockValue": 0.0}]
    assert all(value >= 0 for value in path(oracle(kappa=0, fund_vol=0.1)))
    strong = path(oracle(kappa=1e-9, fund_vol=5e-3, megashock_lambda_a=0))
    assert np.abs(np.array(strong) - 100_000).max() <= 600  # the stationary sd is 112 cents


def test_the_callers_parameters_are_neither_changed_nor_shared() -> None:
    given = {"X": parameters()}
    source = SparseMeanRevertingOracle(OPEN, CLOSE, given)
    assert "random_state" not in given["X"]
    given["X"]["r_bar"] = 1
    assert source.symbols["X"]["r_bar"] == 100_000
    assert source.get_daily_open_price("X", OPEN) == 100_000


def test_a_stream_of_the_symbols_own() -> None:
    given = {"X": parameters(random_state=np.random.RandomState(4))}
    assert path(SparseMeanRevertingOracle(OPEN, CLOSE, given, np.random.RandomState(0)))
    assert SparseMeanRevertingOracle(OPEN, CLOSE, given).symbols["X"]["random_state"] is given["X"]["random_state"]


def test_the_base_promises_the_interface() -> None:
    base = Oracle()
    assert base.f_log == {}
    with pytest.raises(NotImplementedError):
        base.get_daily_open_price("X", OPEN)
    with pytest.raises(NotImplementedError):
        base.observe_price("X", OPEN, np.random.RandomState(0))


def test_the_log_may_be_bounded() -> None:
    bounded = SparseMeanRevertingOracle(OPEN, CLOSE, {"X": parameters()}, np.random.RandomState(0), f_log_maxlen=5)
    assert path(bounded) == path(oracle(0))
    assert [entry["FundamentalTime"] for entry in bounded.f_log["X"]] == [CLOSE - k * MINUTE for k in range(5, 0, -1)]


def test_an_unknown_symbol_is_named() -> None:
    for ask in (
        lambda: oracle().get_daily_open_price("Y", OPEN),
        lambda: oracle().observe_price("Y", OPEN, np.random.RandomState(0)),
    ):
        with pytest.raises(ValueError, match="unknown symbol 'Y'; the oracle has: X"):
            ask()


def test_a_slow_fundamental_stands_still_in_whole_cents_and_moves_without() -> None:
    """Asked every millisecond: its deviation over one is 0.05 cents, over two seconds 2.2 cents."""
    rounded, exact = [], []
    for seed in range(30):
        for ends, whole_cents in ((rounded, True), (exact, False)):
            source = SparseMeanRevertingOracle(
                OPEN, CLOSE, {"X": parameters()}, np.random.RandomState(seed), whole_cents=whole_cents
            )
            for time in range(OPEN, OPEN + 2 * 10**9, 10**6):
                value = source.observe_price("X", time, sigma_n=0)
                assert type(value) is int
            ends.append(source.r["X"][1])
    assert set(rounded) == {100_000}
    assert np.std(exact) == pytest.approx(5e-5 * math.sqrt(2e9), rel=0.35)
