"""What the statistics promise, counted over thousands of made-up comparisons, heavy tails included.

Each count is compared with what it should be; a share of 2 000 replications near 5 % has a standard error of half a per
cent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from analysis import stats

REPLICATIONS = 2_000
Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


def student_3(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Infinite kurtosis: a market that jumps once in a while."""
    return rng.standard_t(3, shape)


def jumps(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """One seed in twenty has ten times the spread of the others."""
    return rng.normal(0, np.where(rng.random(shape) < 0.05, 10.0, 1.0))


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.normal(0, 1, shape)


DRAWS = {"normal": normal, "student_3": student_3, "jumps": jumps}


def covers(intervals: list[tuple[float, float] | None], truth: float) -> float:
    found = [interval is not None and interval[0] <= truth <= interval[1] for interval in intervals]
    return sum(found) / len(found)


@pytest.mark.parametrize(("kind", "n"), [("normal", 50), ("student_3", 50), ("jumps", 50), ("student_3", 200)])
def test_an_interval_of_paired_differences_covers_at_its_level(kind: str, n: int) -> None:
    """Two strategies on the same seeds: what the market does to both is ten times what they differ by."""
    rng = np.random.default_rng([n, len(kind)])
    market = 10 * DRAWS[kind](rng, (REPLICATIONS, n))
    a = market + DRAWS[kind](rng, (REPLICATIONS, n)) + 0.5
    b = market + DRAWS[kind](rng, (REPLICATIONS, n))
    share = covers([stats.estimate(row).ci95 for row in a - b], 0.5)
    assert 0.93 <= share <= 0.97


def test_the_mean_of_buy_and_sell_is_the_unit_that_keeps_the_level() -> None:
    """Sides of a seed share the market: taken as two seeds each, they cover too seldom; their means do not."""
    rng = np.random.default_rng(7)
    shared = student_3(rng, (REPLICATIONS, 50, 1))
    sides = shared + 0.3 * student_3(rng, (REPLICATIONS, 50, 2))
    frames = [
        pd.DataFrame({"strategy": "a", "seed": np.repeat(range(50), 2), "side": ["buy", "sell"] * 50, "x": one.ravel()})
        for one in sides[:20]
    ]
    for frame, one in zip(frames, sides, strict=False):
        np.testing.assert_allclose(stats.per_seed(frame, "a", ["buy", "sell"], "x"), one.mean(axis=1))
    assert 0.93 <= covers([stats.estimate(row).ci95 for row in sides.mean(axis=2)], 0.0) <= 0.97
    assert covers([stats.estimate(row.ravel()).ci95 for row in sides], 0.0) < 0.90


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("n", [60, 150])
def test_the_power_figure_predicts_how_often_the_effect_is_seen(kind: str, n: int) -> None:
    """The smallest effect that n seeds see at 80 % power is seen in 80 % of the comparisons, and n is what it takes."""
    rng = np.random.default_rng([n, len(kind), 1])
    draws = DRAWS[kind](rng, (REPLICATIONS, n))
    sd = float(DRAWS[kind](rng, (10**6,)).std())
    effect = stats.effect_for_n(n, sd)
    assert effect is not None
    assert stats.n_for_effect(sd, effect * 1.0001) == n
    pvalues = scipy_stats.ttest_1samp(draws + effect, 0.0, axis=1).pvalue
    seen = float((pvalues <= stats.ALPHA).mean())
    # Normal values see it as often as promised; where a few seeds make the spread, the others see more.
    assert 0.77 <= seen <= (0.83 if kind == "normal" else 0.93)
    unseen = float((scipy_stats.ttest_1samp(draws, 0.0, axis=1).pvalue <= stats.ALPHA).mean())
    # Nothing is seen too often where there is nothing; jumps make the test careful, not bold.
    assert (0.03 if kind != "jumps" else 0.01) <= unseen <= 0.07


@pytest.mark.parametrize("kind", DRAWS)
def test_holm_holds_the_family_wise_rate(kind: str) -> None:
    """Sixteen strategies against one reference, which all pairs share; none differs, or half of them do."""
    rng = np.random.default_rng([16, len(kind)])
    draws = DRAWS[kind](rng, (REPLICATIONS, 60, 17))
    effects = np.where(np.arange(16) < 8, 0.0, 0.6 * draws.std())
    for shift in (np.zeros(16), effects):
        pairs = draws[:, :, 1:] - draws[:, :, :1] + shift
        p = scipy_stats.ttest_1samp(pairs, 0.0, axis=1).pvalue
        adjusted = np.array([stats.holm(list(row)) for row in p], dtype=float)
        true = shift == 0
        family = float((adjusted[:, true] <= stats.ALPHA).any(axis=1).mean())
        assert family <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / REPLICATIONS)
        # Without the correction it would be far from held; with it, what differs is still found.
        assert (p[:, true] <= stats.ALPHA).any(axis=1).mean() > 0.15
        if not true.all():
            assert (adjusted[:, ~true] <= stats.ALPHA).mean() > 0.3


@pytest.mark.parametrize(("kind", "estimated"), [("normal", False), ("student_3", True), ("jumps", True)])
def test_a_control_variate_narrows_the_interval_and_keeps_it_honest(kind: str, estimated: bool) -> None:
    """The control explains most of the values; its expectation is known, or estimated from ten times as many seeds."""
    rng = np.random.default_rng([3, len(kind), estimated])
    n, others = 50, 500
    control = DRAWS[kind](rng, (REPLICATIONS, n)) + 3.0
    values = 2.0 + 1.5 * (control - 3.0) + 0.5 * DRAWS[kind](rng, (REPLICATIONS, n))
    intervals = []
    for row in range(REPLICATIONS):
        expectation, error = 3.0, 0.0
        if estimated:
            more = DRAWS[kind](rng, (others,)) + 3.0
            expectation, error = float(more.mean()), float(more.std(ddof=1) / np.sqrt(others))
        intervals.append(stats.estimate_with_control(values[row], control[row], expectation, error).ci95)
    assert 0.93 <= covers(intervals, 2.0) <= 0.97
    plain = 2 * scipy_stats.t.ppf(0.975, n - 1) * values.std(axis=1, ddof=1) / np.sqrt(n)
    assert np.mean([high - low for low, high in filter(None, intervals)]) < 0.7 * plain.mean()


def test_a_control_centred_on_its_own_mean_gains_nothing_and_would_lie() -> None:
    rng = np.random.default_rng(11)
    control = rng.normal(0, 1, (REPLICATIONS, 50))
    values = 2.0 + 1.5 * control + 0.3 * rng.normal(0, 1, (REPLICATIONS, 50))
    found = [stats.estimate_with_control(v, c, float(c.mean())) for v, c in zip(values, control, strict=True)]
    means = np.array([one.mean for one in found], dtype=float)
    # The estimate spreads as the plain mean does, and an interval without that centre's error covers far too seldom.
    assert means.std() > 0.9 * values.mean(axis=1).std()
    assert covers([one.ci95 for one in found], 2.0) < 0.5


def test_a_control_that_cannot_help_leaves_the_plain_estimate() -> None:
    values = [1.0, 2.0, 4.0, 3.0, 7.0, 5.0]
    assert stats.estimate_with_control(values, [1.0] * 6, 1.0) == stats.estimate(values)
    assert stats.estimate_with_control(values[:3], [1.0, 2.0, 3.0], 2.0) == stats.estimate(values[:3])
    # Values that are nothing but the control are known without error.
    found = stats.estimate_with_control([2 * v + 1 for v in values], values, 4.0)
    assert found.mean == pytest.approx(9.0)
    assert found.sd == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("kind", ["normal", "student_3"])
def test_the_interval_of_a_ratio_covers_at_its_level(kind: str) -> None:
    """A rule keeps six tenths of a gain; what the market does is in both."""
    rng = np.random.default_rng([5, len(kind)])
    shared = DRAWS[kind](rng, (REPLICATIONS, 100))
    gain = 1.0 + shared + DRAWS[kind](rng, (REPLICATIONS, 100))
    kept = 0.6 + shared + DRAWS[kind](rng, (REPLICATIONS, 100))
    found = [stats.estimate_ratio(a, b) for a, b in zip(kept, gain, strict=True)]
    bounded = [one.ci95 for one in found if one.ci95 is not None]
    assert len(bounded) > 0.95 * REPLICATIONS
    # Where the denominator cannot be told from zero there is no interval: those are no failures, nor successes.
    assert 0.92 <= covers(bounded, 0.6) <= 0.98


@pytest.mark.parametrize(("kind", "n"), [("normal", 50), ("student_3", 50), ("student_3", 400)])
def test_the_interval_of_a_ratio_of_spreads_covers_at_its_level(kind: str, n: int) -> None:
    """One strategy has nine tenths of the other's risk, and most of it is the market's, which both meet."""
    rng = np.random.default_rng([6, n])
    market, own, other = (size * DRAWS[kind](rng, (REPLICATIONS, n)) for size in (2, 1, 1))
    found = [stats.estimate_sd_ratio(a, b).ci95 for a, b in zip(0.9 * (market + own), market + other, strict=True)]
    assert 0.93 <= covers(found, 0.9) <= 0.97


def test_a_ratio_of_spreads_is_the_jackknifes_written_out() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.normal(0, 1, (2, 12))
    log_ratio = np.log(a.std(ddof=1) / b.std(ddof=1))
    others = [np.log(np.delete(a, i).std(ddof=1) / np.delete(b, i).std(ddof=1)) for i in range(12)]
    expected = stats.estimate(12 * log_ratio - 11 * np.array(others))
    found = stats.estimate_sd_ratio(a, b)
    assert found.mean == pytest.approx(np.exp(log_ratio))
    assert found.ci95 == pytest.approx(tuple(np.exp(expected.ci95)))


def test_a_ratio_of_spreads_needs_two_that_spread() -> None:
    found = stats.estimate_sd_ratio([1.0, 2.0, 4.0, np.nan], [-2.0, -4.0, -8.0, 1.0])
    assert (found.n, found.mean, found.ci95) == (3, 0.5, pytest.approx((0.5, 0.5)))
    assert stats.estimate_sd_ratio([1.0, 2.0, 3.0], [3.0, 3.0, 3.0]).reason == stats.NO_SPREAD_RATIO
    assert stats.estimate_sd_ratio([1.0, 2.0, 3.0], [0.0, 0.0, 1.0]).reason == stats.NO_SPREAD_RATIO
    assert stats.estimate_sd_ratio([1.0, 2.0], [3.0, 4.0]).reason == stats.FEW_FOR_SPREAD
    assert stats.estimate_sd_ratio([], []).reason == stats.NO_VALUE


def test_a_ratio_to_nothing_has_no_interval() -> None:
    rng = np.random.default_rng(0)
    found = stats.estimate_ratio(rng.normal(1, 1, 50), rng.normal(0, 10, 50))
    assert found.ci95 is None
    assert found.reason == stats.NO_RATIO
    exact = stats.estimate_ratio([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    assert exact.mean == 0.5
    assert stats.estimate_ratio([1.0], [2.0]).reason == stats.ONE_SEED
    assert stats.estimate_ratio([], []).mean is None
