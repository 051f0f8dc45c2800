"""Statistics against independent implementations, worked examples and simulation with a fixed seed."""

from __future__ import annotations

import math
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from analysis import stats


def test_interval_and_p_are_the_t_tests() -> None:
    values = np.random.default_rng(1).normal(0.4, 2.0, 9)
    found = stats.estimate(values)
    reference = scipy_stats.ttest_1samp(values, 0.0)
    interval = reference.confidence_interval(0.95)
    assert found.n == 9
    assert found.mean == pytest.approx(values.mean())
    assert found.sd == pytest.approx(values.std(ddof=1))
    assert found.ci95 == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(reference.pvalue)


def test_two_seeds_by_hand() -> None:
    """Values 1 and 3: mean 2, sd √2, half-width t(0.975, 1) · √2/√2 = 12.7062."""
    found = stats.estimate([1.0, 3.0])
    assert found.sd == pytest.approx(math.sqrt(2))
    assert found.ci95 == pytest.approx((2 - 12.7062047, 2 + 12.7062047))
    assert found.p == pytest.approx(2 * (0.5 - math.atan(2) / math.pi))


def test_what_cannot_be_given_is_none_with_a_reason() -> None:
    none = stats.estimate([math.nan, math.inf])
    assert (none.n, none.mean, none.ci95, none.reason) == (0, None, None, stats.NO_VALUE)
    one = stats.estimate([4.0, math.nan])
    assert (one.n, one.mean, one.sd, one.ci95, one.p, one.reason) == (1, 4.0, None, None, None, stats.ONE_SEED)
    same = stats.estimate([0.1, 0.1, 0.1])
    assert (same.mean, same.sd, same.ci95, same.p, same.reason) == (0.1, 0.0, (0.1, 0.1), None, stats.NO_SPREAD)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_interval_covers_at_its_level(n: int) -> None:
    """4 000 samples: the count of covering intervals is binomial(4000, 0.95), within 4 standard deviations."""
    draws = np.random.default_rng(n).normal(3.0, 5.0, (4000, n))
    covered = 0
    for row in draws:
        interval = stats.estimate(row).ci95
        assert interval is not None
        covered += interval[0] <= 3.0 <= interval[1]
    assert abs(covered / 4000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 4000)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    with patch("gc.collect"):  # which it calls each time, and which takes longer than all else
        expected = multipletests(p_values, method="holm")[1]
    assert stats.holm(p_values) == pytest.approx(list(expected))


def test_holm_by_hand_and_without_a_test() -> None:
    assert stats.holm([0.03, None, 0.01, 0.02]) == pytest.approx([0.04, None, 0.03, 0.04])
    assert stats.holm([]) == []


@pytest.mark.parametrize("sd", [0.3, 1.0, 2.5, 22.0, 60.0])
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_n_for_effect_agrees_with_statsmodels(sd: float, power: float) -> None:
    n = stats.n_for_effect(sd, 1.0, power)
    assert n is not None
    test = TTestPower()
    assert test.power(1 / sd, n, 0.05, alternative="two-sided") >= power
    if n > 2:
        assert test.power(1 / sd, n - 1, 0.05, alternative="two-sided") < power
        assert n == math.ceil(test.solve_power(1 / sd, alpha=0.05, power=power, alternative="two-sided"))


def test_n_for_effect_has_the_power_it_promises() -> None:
    """Simulated: 5 000 tests at the n given for 80 % power, within 4 standard deviations of a binomial."""
    n = stats.n_for_effect(2.0, 1.0)
    assert n == 34
    draws = np.random.default_rng(5).normal(1.0, 2.0, (5000, n))
    seen = (scipy_stats.ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05).mean()
    assert abs(seen - stats.power_of_n(n, 2.0)) < 4 * math.sqrt(0.8 * 0.2 / 5000)


def test_n_for_effect_without_an_answer() -> None:
    for sd in (None, 0.0, -1.0, math.nan, math.inf):
        assert stats.n_for_effect(sd) is None
    assert stats.n_for_effect(1e9) is None
    with pytest.raises(ValueError, match="effect must not be 0"):
        stats.n_for_effect(1.0, effect=0.0)
    with pytest.raises(ValueError, match=r"power must lie in \(0.05, 1\)"):
        stats.n_for_effect(1.0, power=1.0)


def test_effect_for_n_is_the_inverse() -> None:
    effect = stats.effect_for_n(340, 6.5)
    assert effect is not None
    assert stats.power_of_n(340, 6.5, effect) == pytest.approx(0.8, abs=1e-6)
    assert stats.n_for_effect(6.5, effect * 1.0001) == 340
    assert stats.effect_for_n(1, 6.5) is None
    assert stats.effect_for_n(10, 0.0) is None


def test_per_seed_is_the_mean_of_the_sides_and_leaves_out_the_incomplete() -> None:
    rows = [("a", 1, "buy", 2.0), ("a", 1, "sell", 4.0), ("a", 2, "buy", 9.0), ("a", 3, "buy", 1.0)]
    rows += [("a", 3, "sell", math.nan), ("b", 2, "sell", 7.0)]
    frame = pd.DataFrame(rows, columns=["strategy", "seed", "side", "x"])
    both = stats.per_seed(frame, "a", ["buy", "sell"], "x")
    assert both.index.tolist() == [1, 3]
    assert both[1] == 3.0
    assert math.isnan(both[3])
    assert stats.per_seed(frame, "a", ["buy"], "x").to_dict() == {1: 2.0, 2: 9.0, 3: 1.0}
    assert len(stats.per_seed(frame, "c", ["buy", "sell"], "x")) == 0
