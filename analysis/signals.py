"""How far what a policy sees foretells the mid: linear fits, tried on other markets than they were made in.

Every second market makes up one half. The fit to each half (least squares) is tried on the other, and what both say of
markets that they have not seen is taken together: the correlation of the change with what was said, and as what is
foreseen that correlation times the standard deviation of the change. Where a fit says nothing, the correlation is about
zero, or below. Intervals are by bootstrap over markets, the fits held fixed.

What is kept of a market are sums of products (`moments`), of which fits and correlations are made exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike
from numpy.typing import NDArray

from analysis.plots import BID
from analysis.plots import COLOURS
from analysis.plots import laid_out
from analysis.plots import new_figure
from analysis.plots import style
from analysis.stats import RESAMPLES
from analysis.stats import percentile_interval
from analysis.tables import TextTable
from analysis.tables import with_interval

SMALLEST = 1e-8
"""Variances below this part of what they are measured by count as none: of a feature that never changes, and of the
difference of two that say the same, as time and the deviation from a schedule that nobody trades."""
NAMED = 6
"""Features that the figure names."""

Floats = NDArray[np.float64]
Entry = dict[str, Any]


def moments(observations: ArrayLike, mids: ArrayLike, ahead: int) -> Floats:
    """Return the sums of products from which everything is computed.

    Args:
        observations: What is seen at each decision of a market, `(D, F)`.
        mids: The mid at each, cents, `(D,)`.
        ahead: How many decisions later the mid is compared, from 1 to D − 1.

    Returns:
        Sums over the D − `ahead` decisions of the products of (1, features, change of the mid), `(F + 2, F + 2)`.
    """
    seen, mid = np.asarray(observations, dtype=np.float64)[:-ahead], np.asarray(mids, dtype=np.float64)
    rows = np.column_stack([np.ones(len(seen)), seen, mid[ahead:] - mid[:-ahead]])
    product: Floats = rows.T @ rows
    return product


def fit(total: Floats) -> Floats:
    """Return the slopes of the least-squares fit of the change by a constant and the features, `(F,)`.

    Features are scaled before; one that never changes gets 0, and directions in which they hardly do are left out.

    Args:
        total: Moments, summed over the markets of the fit.
    """
    means = total[0, 1:] / total[0, 0]
    covariance = total[1:, 1:] / total[0, 0] - np.outer(means, means)
    variances = np.diag(covariance)[:-1]
    # A constant's variance is what rounding leaves of it.
    scale = np.sqrt(np.where(variances <= SMALLEST * means[:-1] ** 2, np.inf, variances))
    correlations = covariance[:-1, :-1] / np.outer(scale, scale)
    slopes: Floats = (
        np.linalg.pinv(correlations, rcond=SMALLEST, hermitian=True) @ (covariance[:-1, -1] / scale) / scale
    )
    return slopes


def summarise_signals(
    found: Sequence[Mapping[str, Any]], features: Sequence[str], horizons: Sequence[str]
) -> dict[str, Any]:
    """Summarise how far the features foretell the change of the mid.

    Args:
        found: A mapping a market: `moments`, one a horizon.
        features: Names of the features.
        horizons: Names of the horizons.

    Returns:
        `horizons` by name: `views` (their number), `moved_sd` (standard deviation of the change, cents), `all` and
        `alone` by feature. `all` and each of `alone` have `correlation` and `foreseen_sd` (cents), each with `mean` and
        `ci95`; a feature that never changes has None.
    """
    drawn = np.random.default_rng(0).integers(len(found), size=(RESAMPLES, len(found)))
    result = {}
    for place, horizon in enumerate(horizons):
        markets = np.array([one["moments"][place] for one in found], dtype=np.float64)
        last = len(features) + 1
        result[horizon] = {
            "views": int(markets[:, 0, 0].sum()),
            "moved_sd": _of(_moved_sd, markets[:, [0, 0, last], [0, last, last]], drawn),
            "all": _tried(markets, drawn),
            "alone": {
                name: _tried(markets[:, [[0], [at], [last]], [[0, at, last]]], drawn)
                for at, name in enumerate(features, 1)
            },
        }
    return {"horizons": result}


def _tried(markets: Floats, drawn: NDArray[np.int64]) -> Entry:
    """Fit to each half, try on the other, and estimate over all markets `(S, F + 2, F + 2)`."""
    sums, total = np.zeros((len(markets), 6)), markets.sum(axis=0)
    halves = [slice(0, None, 2), slice(1, None, 2)]
    for fitted, other in (halves, halves[::-1]):
        slopes = fit(markets[fitted].sum(axis=0))
        # Deviations from the features' means. The constant of the fit is left out: that of one half is high where the
        # change was low in the other, which would look like foresight in reverse.
        said_by = np.concatenate([[-total[0, 1:-1] @ slopes / total[0, 0]], slopes])
        own = markets[other]
        said = own[:, :, :-1] @ said_by
        # n, Σ y, Σ y², Σ ŷ, Σ ŷ², Σ ŷ y
        sums[other] = np.column_stack(
            [own[:, 0, 0], own[:, 0, -1], own[:, -1, -1], said[:, 0], said[:, :-1] @ said_by, said[:, -1]]
        )
    return {"correlation": _of(_correlation, sums, drawn), "foreseen_sd": _of(_foreseen_sd, sums, drawn)}


def _of(statistic: Callable[[Floats], Floats], sums: Floats, drawn: NDArray[np.int64]) -> Entry:
    """Return a statistic of sums over markets, with its bootstrap interval; None if it cannot be computed."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic(sums.sum(axis=0)))
        resampled = statistic(sums[drawn].sum(axis=1))
    if not np.isfinite(value) or not np.isfinite(resampled).all():
        return {"mean": None, "ci95": None}
    return {"mean": value, "ci95": percentile_interval(resampled)}


def _moved_sd(sums: Floats) -> Floats:
    n, y, yy = np.moveaxis(sums[..., :3], -1, 0)
    deviation: Floats = np.sqrt(yy / n - (y / n) ** 2)
    return deviation


def _correlation(sums: Floats) -> Floats:
    n, y, _, p, pp, py = np.moveaxis(sums, -1, 0)
    variance = pp / n - (p / n) ** 2
    # What says the same of every market says nothing.
    variance = np.where(variance > SMALLEST * _moved_sd(sums) ** 2, variance, np.nan)
    correlation: Floats = (py / n - p * y / n**2) / np.sqrt(variance) / _moved_sd(sums)
    return correlation


def _foreseen_sd(sums: Floats) -> Floats:
    return np.clip(_correlation(sums), 0, None) * _moved_sd(sums)


def ranked(summary: Mapping[str, Any]) -> list[str]:
    """Return the features, the one with the largest mean correlation over the horizons first."""
    horizons = list(summary["horizons"].values())

    def total(name: str) -> float:
        return sum(one["alone"][name]["correlation"]["mean"] or 0.0 for one in horizons)

    return sorted(horizons[0]["alone"], key=total, reverse=True)


def signals_table(summary: Mapping[str, Any]) -> TextTable:
    """Return one row a horizon."""
    rows = tuple(
        (
            name,
            with_interval(one["moved_sd"], 1, signed=False),
            with_interval(one["all"]["correlation"], signed=False),
            with_interval(one["all"]["foreseen_sd"], 1, signed=False),
        )
        for name, one in summary["horizons"].items()
    )
    header = ("the next", "sd of the mid's change, cents", "correlation, all features", "sd of what is foreseen, cents")
    return TextTable("What is foreseen of markets that the fit has not seen", header, rows)


def features_table(summary: Mapping[str, Any]) -> TextTable:
    """Return the correlation of each feature alone, a row a feature, the most telling first."""
    horizons = summary["horizons"]
    rows = tuple(
        (name, *(with_interval(one["alone"][name]["correlation"], signed=False) for one in horizons.values()))
        for name in ranked(summary)
    )
    return TextTable("Correlation, one feature alone", ("alone, over the next", *horizons), rows)


def signals_figure(summary: Mapping[str, Any]) -> Figure:
    """Draw the correlation over the horizon: all features together with the interval, and the most telling ones alone.

    Args:
        summary: As `summarise_signals` returns it, with `seconds`, the lengths of the horizons.
    """
    horizons, seconds = list(summary["horizons"].values()), summary["seconds"]
    with style():
        figure, axes = new_figure(3.8)
        ax = axes[0, 0]
        together = [one["all"]["correlation"] for one in horizons]
        if all(one["ci95"] for one in together):
            low, high = zip(*(one["ci95"] for one in together), strict=True)
            ax.fill_between(seconds, low, high, color=BID, alpha=0.18, linewidth=0)
        ax.plot(seconds, _means(together), "o-", color=BID, markersize=5, linewidth=2.2, label="all features together")
        for place, name in enumerate(ranked(summary)[:NAMED]):
            alone = _means([one["alone"][name]["correlation"] for one in horizons])
            ax.plot(seconds, alone, ".-", color=COLOURS[(place + 2) % len(COLOURS)], linewidth=1.2, label=name)
        ax.axhline(0, color="black", linewidth=0.9)
        ax.set_xscale("log")
        ax.set_xticks(seconds, list(summary["horizons"]))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel("how far ahead")
        ax.set_ylabel("correlation with the mid's change\nin markets that the fit has not seen")
        ax.legend(fontsize=8.5, loc="center left", bbox_to_anchor=(1.0, 0.5))
        return laid_out(figure)


def _means(entries: Sequence[Entry]) -> list[float]:
    return [np.nan if one["mean"] is None else one["mean"] for one in entries]
