"""Statistics of a comparison: intervals, paired tests, Holm's correction, power.

One primary method throughout: Student's t on independent values, one a seed. Where a value cannot be given (one seed,
no spread), it is None and a reason says why; nothing here returns a number that is not finite.

Sources: Student, "The probable error of a mean", Biometrika 6 (1908); S. Holm, "A simple sequentially rejective
multiple test procedure", Scandinavian Journal of Statistics 6 (1979); J. Cohen, "Statistical Power Analysis for the
Behavioral Sciences", 2nd ed. (1988), chapter 2, for the power of the t test by the noncentral t distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

LEVEL = 0.95
RESAMPLES = 2_000
"""Samples that a bootstrap draws."""
ALPHA = 0.05
POWER = 0.80
LARGEST_N = 10**9

NO_VALUE = "no seed has this value"
ONE_SEED = "one seed: no standard deviation, no interval"
NO_RATIO = "the denominator cannot be told from zero: the ratio may be anything"
NO_SPREAD = "all seeds give the same value: no test"
FEW_FOR_SPREAD = "fewer than three seeds: no ratio of spreads"
NO_SPREAD_RATIO = "all seeds, or all but one, give the same value: no ratio of spreads"


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean of independent values, with its uncertainty.

    Attributes:
        n: Number of finite values.
        mean: Their mean.
        sd: Their standard deviation, with n − 1 in the denominator.
        ci95: Interval of the mean, at 95 % confidence.
        p: Two-sided p of the hypothesis that the mean is zero.
        reason: Why a value is None, empty if none is.
    """

    n: int
    mean: float | None
    sd: float | None
    ci95: tuple[float, float] | None
    p: float | None
    reason: str = ""

    def as_dict(self, *, test: bool = False) -> dict[str, Any]:
        """Return the estimate for `summary.json`; `p` only for a test, `reason` only if a value is missing."""
        result: dict[str, Any] = {"n": self.n, "mean": self.mean, "sd": self.sd}
        result["ci95"] = None if self.ci95 is None else list(self.ci95)
        if test:
            result["p"] = self.p
        if self.reason and (test or self.sd is None):
            result["reason"] = self.reason
        return result


def estimate(values: ArrayLike) -> Estimate:
    """Estimate the mean of independent values.

    The interval is mean ± t(0.975, n − 1) sd / √n, and p = 2 P(T > |mean| √n / sd) with T Student's t of n − 1 degrees
    of freedom (Student 1908). On per-seed differences this is the paired t test.

    Args:
        values: Independent values, one a seed; values that are not finite are left out and do not count in `n`.

    Returns:
        The estimate. One value has no sd, interval or p; values without spread have an interval of zero width and no p.
    """
    data = np.asarray(values, dtype="float64")
    data = data[np.isfinite(data)]
    n = len(data)
    if n == 0:
        return Estimate(0, None, None, None, None, NO_VALUE)
    mean = float(data.mean())
    if n == 1:
        return Estimate(1, mean, None, None, None, ONE_SEED)
    if np.ptp(data) == 0:
        return Estimate(n, float(data[0]), 0.0, (float(data[0]), float(data[0])), None, NO_SPREAD)
    sd = float(data.std(ddof=1))
    error = sd / math.sqrt(n)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    return Estimate(n, mean, sd, (mean - half, mean + half), p)


def percentile_interval(resampled: ArrayLike) -> list[float]:
    """Return the 95 % bootstrap interval of a statistic, from its values on samples drawn again with replacement.

    Its ends are the percentiles 2.5 and 97.5 (A. Davison and D. Hinkley, "Bootstrap Methods and their Application"
    (1997), chapters 2 and 5).

    Args:
        resampled: The statistic on `RESAMPLES` samples, in its own unit.
    """
    low, high = np.quantile(np.asarray(resampled, dtype="float64"), [ALPHA / 2, 1 - ALPHA / 2]).tolist()
    return [low, high]


def estimate_with_control(
    values: ArrayLike, control: ArrayLike, expectation: float, expectation_error: float = 0.0
) -> Estimate:
    """Estimate the mean of independent values with the help of a control variate whose expectation is known.

    Each value is corrected by b (control − expectation), where b is fitted on the other half of the sample
    (cross-fitting), so that no value has a say in its own correction; the interval is Student's t on the corrected
    values, widened by b times the standard error of the expectation (W. Cochran, "Sampling Techniques", 3rd ed., 1977,
    chapter 7, for the regression estimator). A control centred on its own sample mean changes nothing: the expectation
    must be known, or come from many other seeds.

    Args:
        values: Independent values, one a seed.
        control: What is known of the same seeds and moves with the values.
        expectation: Mean of the control over all seeds.
        expectation_error: Standard error of that mean, 0 if it is known exactly.

    Returns:
        The estimate; the plain one where there are fewer than four seeds, or a half in which the control does not vary.
    """
    data, known = np.asarray(values, dtype="float64"), np.asarray(control, dtype="float64")
    finite = np.isfinite(data) & np.isfinite(known)
    data, known = data[finite], known[finite]
    even = np.arange(len(data)) % 2 == 0
    if len(data) < 4 or np.ptp(known[even]) == 0 or np.ptp(known[~even]) == 0:
        return estimate(data)
    slopes = np.where(even, _slope(data[~even], known[~even]), _slope(data[even], known[even]))
    found = estimate(data - slopes * (known - expectation))
    if expectation_error == 0 or found.mean is None or found.sd is None:
        return found
    error = math.hypot(found.sd / math.sqrt(found.n), float(slopes.mean()) * expectation_error)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, found.n - 1)) * error
    p = float(2 * stats.t.sf(abs(found.mean) / error, found.n - 1)) if error > 0 else None
    return Estimate(found.n, found.mean, found.sd, (found.mean - half, found.mean + half), p)


def estimate_ratio(numerators: ArrayLike, denominators: ArrayLike) -> Estimate:
    """Estimate the ratio of two means of values measured together.

    The interval is Fieller's (E. Fieller, "Some problems in interval estimation", Journal of the Royal Statistical
    Society B 16 (1954)): all ratios ρ for which the mean of a − ρ b cannot be told from zero by Student's t.

    Args:
        numerators: Values a, one a seed.
        denominators: Values b of the same seeds.

    Returns:
        The ratio as `mean`, without `sd` and `p`; without interval where the mean of b itself cannot be told from zero,
        for then the ratio may be anything.
    """
    a, b = np.asarray(numerators, dtype="float64"), np.asarray(denominators, dtype="float64")
    finite = np.isfinite(a) & np.isfinite(b)
    a, b = a[finite], b[finite]
    n = len(a)
    if n == 0 or b.mean() == 0:
        return Estimate(n, None, None, None, None, NO_VALUE)
    ratio = float(a.mean() / b.mean())
    if n == 1:
        return Estimate(1, ratio, None, None, None, ONE_SEED)
    covariance = np.cov(a, b) / n
    square = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1)) ** 2
    # mean(a − ρ b)² ≤ t² var(a − ρ b) is a quadratic inequality in ρ: u ρ² − 2 v ρ + w ≤ 0.
    u = b.mean() ** 2 - square * covariance[1, 1]
    v = a.mean() * b.mean() - square * covariance[0, 1]
    w = a.mean() ** 2 - square * covariance[0, 0]
    if u <= 0:
        return Estimate(n, ratio, None, None, None, NO_RATIO)
    half = math.sqrt(max(v**2 - u * w, 0.0))
    return Estimate(n, ratio, None, (float((v - half) / u), float((v + half) / u)), None)


def estimate_sd_ratio(values: ArrayLike, reference: ArrayLike) -> Estimate:
    """Estimate the ratio of the standard deviations of two samples of values measured together.

    The interval is Student's t on the jackknife's pseudo-values of the logarithm of the ratio (R. Miller, "Jackknifing
    variances", Annals of Mathematical Statistics 39 (1968)), which asks neither for normal values nor for independent
    samples.

    Args:
        values: Values a, one a seed.
        reference: Values b of the same seeds.

    Returns:
        The ratio as `mean`, without `sd` and `p`; nothing with fewer than three seeds, or where one of the two has no
        spread, or none without one of the seeds.
    """
    a, b = np.asarray(values, dtype="float64"), np.asarray(reference, dtype="float64")
    finite = np.isfinite(a) & np.isfinite(b)
    pair = np.stack([a[finite], b[finite]])
    n = pair.shape[1]
    if n < 3:
        return Estimate(n, None, None, None, None, FEW_FOR_SPREAD if n else NO_VALUE)
    squares = (pair - pair.mean(axis=1, keepdims=True)) ** 2
    sums = squares.sum(axis=1, keepdims=True)
    # The variance without a value whose squared deviation is d is (Σ d − n d / (n − 1)) / (n − 2).
    without = (sums - n / (n - 1) * squares) / (n - 2)
    if np.ptp(pair, axis=1).min() == 0 or without.min() <= 0:
        return Estimate(n, None, None, None, None, NO_SPREAD_RATIO)
    whole, each = (np.log(one[0] / one[1]) / 2 for one in (sums, without))
    found = estimate(n * whole - (n - 1) * each)
    assert found.ci95 is not None  # there are three seeds or more
    low, high = found.ci95
    return Estimate(n, math.exp(float(whole[0])), None, (math.exp(low), math.exp(high)), None)


def _slope(values: np.ndarray, control: np.ndarray) -> float:
    """Return the slope of the least-squares line of values on control."""
    centred = control - control.mean()
    return float(values @ centred / (centred @ centred))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p values for the number of tests, Holm's step-down method (Holm 1979).

    The i-th smallest of m values becomes max over j ≤ i of min(1, (m − j + 1) p_j). A comparison that rejects where the
    adjusted value is at most α keeps the chance of any false rejection at or below α, whatever the dependence.

    Args:
        p_values: One family of tests; None where there was no test, which does not count.

    Returns:
        The adjusted values in the same order, None where there was none.
    """
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        adjusted[index] = largest
    return adjusted


def correct_family(tests: Sequence[dict[str, Any]], key: str = "p_holm") -> None:
    """Add to each test of a family its p corrected by `holm`.

    Args:
        tests: Entries of a summary, with `p`.
        key: What the corrected p is called.
    """
    for test, adjusted in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test[key] = adjusted


def power_of_n(n: int, sd: float, effect: float = 1.0, alpha: float = ALPHA) -> float:
    """Return the power of the two-sided paired t test.

    P(|T| > t(1 − α/2, n − 1)) with T noncentral t of n − 1 degrees of freedom and noncentrality effect √n / sd
    (Cohen 1988, chapter 2).

    Args:
        n: Number of differences, at least 2.
        sd: Their standard deviation, positive, in the unit of the effect.
        effect: True mean difference.
        alpha: Two-sided size of the test.
    """
    critical = stats.t.ppf(1 - alpha / 2, n - 1)
    noncentrality = abs(effect) * math.sqrt(n) / sd
    power = stats.nct.sf(critical, n - 1, noncentrality) + stats.nct.cdf(-critical, n - 1, noncentrality)
    # Far out, the noncentral t gives no number where the power is 1 to the last digit.
    return float(power) if math.isfinite(power) else 1.0


def n_for_effect(sd: float | None, effect: float = 1.0, power: float = POWER, alpha: float = ALPHA) -> int | None:
    """Return the smallest number of seeds with which the paired t test sees an effect.

    Args:
        sd: Standard deviation of the per-seed differences, in the unit of the effect.
        effect: True mean difference to be seen, not zero.
        power: Chance of seeing it, between `alpha` and 1.
        alpha: Two-sided size of the test.

    Returns:
        The smallest n ≥ 2 with `power_of_n` ≥ `power`; None if sd is unknown, zero or not finite, or n exceeds 10⁹.

    Raises:
        ValueError: If the effect is zero or the power is not between alpha and 1.
    """
    if effect == 0 or not alpha < power < 1:
        raise ValueError(f"effect must not be 0 and power must lie in ({alpha}, 1), got effect={effect}, power={power}")
    if sd is None or not math.isfinite(sd) or sd <= 0:
        return None
    low, high = 1, 2
    while power_of_n(high, sd, effect, alpha) < power:
        low, high = high, 2 * high
        if high > LARGEST_N:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if power_of_n(middle, sd, effect, alpha) < power:
            low = middle
        else:
            high = middle
    return high


def effect_for_n(n: int, sd: float | None, power: float = POWER, alpha: float = ALPHA) -> float | None:
    """Return the smallest effect that n seeds see at the given power, in the unit of sd; None if it has no answer."""
    if n < 2 or sd is None or not math.isfinite(sd) or sd <= 0:
        return None
    low, high = 0.0, sd
    while power_of_n(n, sd, high, alpha) < power:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if power_of_n(n, sd, middle, alpha) < power:
            low = middle
        else:
            high = middle
    return high


def per_seed(episodes: pd.DataFrame, strategy: str, sides: Sequence[str], measure: str) -> pd.Series[float]:
    """Return one value a seed: the mean of a measure over the sides.

    Buy and sell on one seed are antithetic, so their mean is the unit of comparison.

    Args:
        episodes: Rows of the `episodes` table, at most one for each strategy, seed and side.
        strategy: Name of the strategy.
        sides: The sides that a seed must have.
        measure: Column of `episodes`.

    Returns:
        Values indexed by seed, ascending; a seed that misses a side is left out, one with a side that is not finite
        has the value NaN.
    """
    rows = episodes[(episodes["strategy"] == strategy) & episodes["side"].isin(list(sides))]
    seeds, place = np.unique(rows["seed"].to_numpy(dtype=np.int64), return_inverse=True)
    sums = np.bincount(place, weights=rows[measure].to_numpy(dtype=np.float64), minlength=len(seeds))
    complete = np.bincount(place, minlength=len(seeds)) == len(sides)
    return pd.Series(sums[complete] / len(sides), index=pd.Index(seeds[complete], name="seed"), name=measure)
