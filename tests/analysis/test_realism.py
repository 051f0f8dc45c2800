"""Facts of flows whose facts are known, because they were made so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from analysis.facts import FACTS
from analysis.facts import LEVELS
from analysis.facts import MINUTE
from analysis.facts import SECOND
from analysis.facts import Flow
from analysis.facts import autocorrelation
from analysis.facts import curves_of
from analysis.facts import facts_of
from analysis.facts import hill
from analysis.facts import returns
from analysis.plots import svg
from analysis.realism import compare_with_upstream
from analysis.realism import facts_table
from analysis.realism import read_upstream
from analysis.realism import realism_figure
from analysis.realism import summarise_realism
from analysis.realism import upstream_table
from analysis.realism import verdict

OPEN = 34_200 * SECOND
FACT = {fact.name: fact for fact in FACTS}


def flow(
    mids: Any,
    *,
    trade_times: Any = (),
    signs: Any = (),
    sizes: Any = (),
    jumps: Any = (),
    depth: Any = (100,) * LEVELS,
    messages: Any = (),
) -> Flow:
    """A flow with these mids each second, a spread of two cents, and orders that trade and move the mid by `jumps`."""
    mids = np.asarray(mids, dtype=np.int64)
    times = OPEN + SECOND * np.arange(len(mids))
    levels = np.arange(1, LEVELS + 1)
    prices = np.stack([mids[:, None] - levels, mids[:, None] + levels], axis=1)
    trade_times = np.asarray(trade_times, dtype=np.int64)
    n = len(trade_times)
    signs = np.asarray(signs if len(signs) else np.ones(n), dtype=np.int64)
    sizes = np.asarray(sizes if len(sizes) else np.full(n, 10), dtype=np.int64)
    trades = np.column_stack([trade_times, np.full(n, 1000), sizes, signs, np.arange(n)])
    quotes = np.column_stack([times, mids - 1, mids + 1])
    if len(jumps):
        base = mids[0] + np.concatenate([[0], np.cumsum(signs * np.asarray(jumps))])
        quotes = np.column_stack([[OPEN, *trade_times], base - 1, base + 1])
    return Flow(
        times,
        prices,
        np.broadcast_to(np.asarray(depth, dtype=np.int64), (len(mids), 2, LEVELS)),
        trades.astype(np.int64),
        quotes.astype(np.int64),
        np.array(messages, dtype=np.int64).reshape(-1, 4),
    )


def walk(rng: np.random.Generator, n: int, correlation: float = 0.0, step: int = 1, degrees: float = math.inf) -> Any:
    """Mids of a walk whose steps last `step` seconds, are correlated from one to the next, and have Student's tails."""
    draws = rng.standard_t(degrees, n // step) if math.isfinite(degrees) else rng.normal(size=n // step)
    moves = np.zeros(n // step)
    for i, draw in enumerate(draws):
        moves[i] = correlation * moves[i - 1] + draw
    return np.repeat(1_000_000 + np.cumsum(1_000 * moves), step)


def of(name: str, one: Flow) -> float:
    return FACT[name].compute(one)


def test_returns_of_a_walk_are_uncorrelated_and_those_of_a_trend_are_not() -> None:
    rng = np.random.default_rng(0)
    assert abs(of("return_autocorrelation", flow(walk(rng, 60_000, step=60)))) < 0.08
    assert of("return_autocorrelation", flow(walk(rng, 60_000, 0.5, step=60))) == pytest.approx(0.5, abs=0.08)


def test_tails_are_told_from_a_normal_distribution() -> None:
    rng = np.random.default_rng(1)
    normal, heavy = (flow(walk(rng, 40_000, step=10, degrees=d)) for d in (math.inf, 3))
    assert abs(of("heavy_tails", normal)) < 0.3
    assert of("heavy_tails", heavy) > 1
    assert of("tail_index", heavy) < 3.5 < of("tail_index", normal)
    assert hill(rng.pareto(1.5, size=200_000) + 1) == pytest.approx(1.5, abs=0.05)


def test_volatility_that_comes_in_spells_is_seen() -> None:
    rng = np.random.default_rng(2)
    spells = np.repeat(rng.choice([1.0, 5.0], size=100), 30)
    moves = np.repeat(spells * rng.normal(size=len(spells)), 10) / 10
    assert of("volatility_clustering", flow(1_000_000 + np.cumsum(100 * moves))) > 0.15
    assert abs(of("volatility_clustering", flow(walk(rng, 30_000, step=10)))) < 0.05


def test_volume_that_goes_with_moves_is_seen() -> None:
    rng = np.random.default_rng(3)
    moves = rng.normal(size=60) * 1_000
    mids = np.repeat(1_000_000 + np.concatenate([[0], np.cumsum(moves)]), 60)
    minute = np.arange(60)
    times = OPEN + (minute + 0.5) * MINUTE
    sizes = 1 + np.abs(moves).astype(np.int64)
    assert of("volume_and_volatility", flow(mids, trade_times=times, sizes=sizes)) > 0.95
    assert of("volume_and_volatility", flow(mids, trade_times=times, sizes=sizes.max() + 1 - sizes)) < -0.95


def test_arrivals_of_a_poisson_process_are_no_bunches() -> None:
    rng = np.random.default_rng(4)
    gaps = rng.exponential(0.2, size=30_000)
    rates = np.repeat(rng.choice([0.3, 3.0], size=1_000), 30)
    for scale, variation, correlation in ((np.ones(30_000), 1.0, 0.0), (rates, None, None)):
        times = OPEN + (1e9 * np.cumsum(gaps * scale)).astype(np.int64)
        one = flow(np.full(12_000, 10_000), trade_times=times)
        if variation is not None:
            assert of("inter_arrival_times", one) == pytest.approx(variation, abs=0.03)
            assert of("inter_arrival_clustering", one) == pytest.approx(correlation, abs=0.03)
        else:
            assert of("inter_arrival_times", one) > 1.2
            assert of("inter_arrival_clustering", one) > 0.2


def test_signs_that_persist_are_seen() -> None:
    rng = np.random.default_rng(5)
    times = OPEN + SECOND * np.arange(400, 40_400) // 4
    mids = np.full(11_000, 10_000)
    runs = np.repeat(rng.choice([-1, 1], size=1_000), 40)
    assert of("order_flow_autocorrelation", flow(mids, trade_times=times, signs=runs)) > 0.9
    assert of("order_flow_memory", flow(mids, trade_times=times, signs=runs)) > 0.5
    coins = rng.choice([-1, 1], size=40_000)
    assert abs(of("order_flow_autocorrelation", flow(mids, trade_times=times, signs=coins))) < 0.03
    assert abs(of("order_flow_memory", flow(mids, trade_times=times, signs=coins))) < 0.02


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_the_exponent_of_single_orders_is_found(exponent: float) -> None:
    rng = np.random.default_rng(6)
    n = 4_000
    # Two sizes: what the means of the halves say is then exact.
    sizes = rng.choice([10, 1_000], size=n)
    signs = rng.choice([-1, 1], size=n)
    times = OPEN + SECOND * np.arange(400, 400 + n)
    one = flow(
        np.full(6_000, 100_000_000), trade_times=times, signs=signs, sizes=sizes, jumps=(10 * sizes**exponent).round()
    )
    assert of("impact_concavity", one) == pytest.approx(exponent, abs=0.02)


def test_the_size_of_an_order_counts_what_of_it_came_to_rest() -> None:
    times = OPEN + SECOND * np.arange(400, 404)
    # Trades of 10 shares each; the second and the fourth order had 990 more, which rested.
    rested = [(times[1], 1, 1, 990), (times[3], 1, 3, 990), (times[0], 3, 0, 5)]
    one = flow(np.full(900, 10_000), trade_times=times, jumps=[2, 20, 2, 20], messages=rested)
    assert of("impact_concavity", one) == pytest.approx(0.5)


def test_shares_of_one_order_are_one_order() -> None:
    one = flow(np.full(900, 10_000), trade_times=OPEN + SECOND * np.array([400, 400, 401, 402]), sizes=[5, 7, 9, 11])
    one.trades[:, 4] = [8, 8, 9, 3]
    assert one.orders_that_traded()[:, :2].tolist() == [
        [OPEN + 400 * SECOND, 12], [OPEN + 401 * SECOND, 9], [OPEN + 402 * SECOND, 11]
    ]  # fmt: skip


def test_depth_profile_and_cancel_rate_are_counted_after_the_first_minutes() -> None:
    late, early = OPEN + 400 * SECOND, OPEN + SECOND
    messages = [(early, 1, 0, 5), (early, 3, 0, 5), *((late, 1, i, 5) for i in range(1, 9)), (late, 3, 1, 5),
                (late, 3, 2, 5), (late, 2, 3, 1), (late, 4, 4, 5)]  # fmt: skip
    one = flow(np.full(900, 10_000), messages=messages, depth=(100, 150, 120, *(10,) * 7))
    assert of("cancel_rate", one) == 2 / 8
    assert of("depth_profile", one) == 1.5


def test_the_profile_of_the_day_holds_the_first_minutes_against_the_rest() -> None:
    times = np.concatenate([OPEN + np.arange(20) * MINUTE // 2, OPEN + 10 * MINUTE + np.arange(20) * MINUTE]) + SECOND
    assert of("intraday_profile", flow(np.full(1_801, 10_000), trade_times=times)) == pytest.approx(2)


def test_mids_hold_on_where_a_side_is_empty() -> None:
    one = flow([100, 102, 104])
    one.prices[1, 0] = -1
    assert one.mids.tolist() == [100, 100, 104]
    assert np.isfinite(returns(one, 1)).all()


def test_an_empty_market_has_no_facts_and_no_errors() -> None:
    facts = facts_of(flow(np.full(900, 10_000)))
    assert {name: value for name, value in facts.items() if value is not None} == {"depth_profile": 1.0}


def test_verdicts() -> None:
    assert verdict((0.2, 0.4), 0.1, 0.5) == "pass"
    assert verdict((0.05, 0.4), 0.1, 0.5) == "open"
    assert verdict((0.6, 0.8), 0.1, 0.5) == "fail"
    assert verdict((-0.6, 0.0), 0.1, math.inf) == "fail"
    assert verdict((0.2, 99.0), 0.1, math.inf) == "pass"
    assert verdict(None, 0.1, 0.5) == "open"


def test_autocorrelation_of_what_does_not_vary_is_no_number() -> None:
    assert np.isnan(autocorrelation(np.ones(20), 3)).all()
    assert np.isfinite(autocorrelation(np.array([1.0, 2.0, 1.0, 2.0]), 5)[:3]).all()


def test_summary_table_and_figure_name_every_fact() -> None:
    rng = np.random.default_rng(7)
    n = 3_000
    made = []
    for _ in range(3):
        times = OPEN + np.sort(rng.integers(0, n * SECOND, size=2_000))
        made.append(flow(walk(rng, n, step=10), trade_times=times, signs=rng.choice([-1, 1], size=2_000)))
    summary = summarise_realism([{"facts": facts_of(one), "curves": curves_of(one)} for one in made])
    assert set(summary["facts"]) == set(FACT)
    assert summary["facts"]["inter_arrival_times"]["n"] == 3
    table = facts_table(summary)
    for name, fact in FACT.items():
        assert f"| {name.replace('_', ' ')} |" in table
        assert fact.source in table
    assert svg(realism_figure(summary)) == svg(realism_figure(summary))


def test_the_comparison_with_upstream_counts_digits() -> None:
    upstream = read_upstream()
    assert sorted(upstream) == list(range(10))
    found = {seed: dict(upstream[seed]) for seed in (0, 1)}
    found[1]["spread_mean"] *= 1.001
    comparison = compare_with_upstream(found)
    assert comparison["spread_mean"]["equal"] == 1
    assert all(one["equal"] == one["n"] == 2 for name, one in comparison.items() if name != "spread_mean")
    assert "| `spread_mean` |" in upstream_table(comparison)
