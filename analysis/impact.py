"""Market impact of a parent order: paths against the do-nothing twin, and a power law of impact on size.

Impact at a time is s (mid with the order − mid of its do-nothing twin), s = +1 for a buy and −1 for a sell, in cents:
positive where the order moved the price against itself. Buy and sell on one seed are antithetic, so the unit is their
mean; in that mean the twin cancels, and what it gives is each side by itself.

The power law is impact = c (x / x₀)^b, x the size or the participation rate and x₀ the value of x at the parent order
(J.-P. Bouchaud, J. Bonart, J. Donier and M. Gould, "Trades, Quotes and Prices" (2018), chapter 12: b near 1/2 in real
markets). It is fitted to the mean impacts by generalised least squares with the covariance of these means over seeds:
all sizes meet the same markets, and the mean impact of a small size may come out below zero, where no logarithm goes.
Intervals are those of the profile likelihood (W. Meeker and L. Escobar, "Teaching about approximate confidence regions
based on maximum likelihood estimation", The American Statistician 49 (1995)), with the t distribution and the variance
that belong to an estimated covariance (C. R. Rao, Biometrika 46 (1959); J. Grizzle and D. Allen, "Analysis of growth
and dose response curves", Biometrics 25 (1969), exact for a curve that is linear in its parameters). Where the data do
not bound a parameter within the range that is searched, there is no bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from numpy.typing import NDArray
from scipy import stats

from analysis.plots import ASK
from analysis.plots import BID
from analysis.plots import laid_out
from analysis.plots import new_figure
from analysis.plots import style
from analysis.stats import LEVEL
from analysis.stats import estimate

Floats = NDArray[np.float64]
EXPONENTS = np.linspace(-1.0, 3.0, 2_001)
"""Exponents that are searched."""
HORIZONS = (0, 60, 300, 600, 900)
"""Times after the end of the window at which what is left of the impact is shown, s."""
UNBOUNDED = "the data do not bound it within the range that is searched"
NEEDS_SEEDS = "needs more seeds than sizes"
NO_IMPACT = "a size trades nothing, or its impact is the same on every seed"


def power_law(x: ArrayLike, values: ArrayLike, reference: float) -> dict[str, Any]:
    """Fit impact = c (x / reference)^b to the mean impacts of several sizes.

    Args:
        x: Sizes or participation rates, positive, shape `(K,)`.
        values: Impacts, one row a seed, shape `(N, K)`; rows with a value that is not finite are left out.
        reference: The x at which the impact is c.

    Returns:
        `exponent` and `at_reference`, each `{value, ci95: [lo, hi]}` with null for a bound that there is not, `n`, and
        `misfit_p`, the chance of means as far from a power law as these if it is one. Without more seeds than sizes,
        or where a size trades nothing, the values are null, and `reason` says so.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.log(np.asarray(x, dtype=np.float64) / reference)
    rows = np.asarray(values, dtype=np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    n, sizes = rows.shape
    nothing = {"value": None, "ci95": [None, None]}
    reason = NEEDS_SEEDS if n <= sizes + 1 else ""
    if not reason and (not np.isfinite(scaled).all() or np.linalg.matrix_rank(np.cov(rows, rowvar=False)) < sizes):
        reason = NO_IMPACT
    if reason:
        return {"exponent": nothing, "at_reference": nothing, "n": n, "misfit_p": None, "reason": reason}
    fit = _Fit(scaled, rows)
    coarse = fit.inside(EXPONENTS)
    first, last = int(coarse.argmax()), len(coarse) - 1 - int(coarse[::-1].argmax())
    # The same again, finely, between the last points outside.
    fine = np.linspace(EXPONENTS[max(0, first - 1)], EXPONENTS[min(last + 1, len(EXPONENTS) - 1)], len(EXPONENTS))
    allowed = fine[fit.inside(fine)]
    exponents = [
        float(allowed[0]) if first > 0 else None,
        float(allowed[-1]) if last < len(EXPONENTS) - 1 else None,
    ]
    best = fit.best(fine)
    result: dict[str, Any] = {
        "exponent": {"value": best if exponents != [None, None] else None, "ci95": exponents},
        "at_reference": {"value": fit.scale(best), "ci95": fit.scales(allowed)},
        "n": n,
        "misfit_p": fit.misfit_p(best) if sizes > 2 else None,
    }
    if None in exponents:
        result["reason"] = UNBOUNDED
    return result


class _Fit:
    """Generalised least squares of c e^{b z} to means, z = log(x / x₀)."""

    def __init__(self, scaled: Floats, rows: Floats) -> None:
        self._scaled = scaled
        self._n, self._sizes = rows.shape
        self._means = rows.mean(axis=0)
        self._precision = np.linalg.inv(np.cov(rows, rowvar=False) / self._n)

    def _profile(self, exponents: Floats) -> tuple[Floats, Floats, Floats]:
        """For each exponent the c that fits best, the curvature in c there, and the distance that is left."""
        shapes = np.exp(np.outer(exponents, self._scaled))
        weights = shapes @ self._precision
        curvature = (weights * shapes).sum(axis=1)
        scale = weights @ self._means / curvature
        return scale, curvature, self._means @ self._precision @ self._means - scale**2 * curvature

    def best(self, exponents: Floats) -> float:
        """The exponent of the least distance."""
        return float(exponents[self._profile(exponents)[2].argmin()])

    def scale(self, exponent: float) -> float:
        """The c that fits best to an exponent."""
        return float(self._profile(np.array([exponent]))[0][0])

    def inside(self, exponents: Floats) -> NDArray[np.bool_]:
        """Which exponents the data allow; at least the best one."""
        distance = self._profile(exponents)[2]
        allowed: NDArray[np.bool_] = distance <= self._limit(distance)
        return allowed

    def _limit(self, distance: Floats) -> float:
        """Largest distance that the data allow a value of one parameter, given the distances of all.

        With a known covariance it would lie the quantile of χ² above the least. Estimating the covariance costs the
        degrees of freedom of the K − 2 contrasts that the curve leaves, and how far these are off enters the variance.
        """
        least, freedom = float(distance.min()), self._n - 1 - (self._sizes - 2)
        scale = (self._n - 1) / freedom * (1 + least / (self._n - 1))
        return least + scale * float(stats.f.ppf(LEVEL, 1, freedom))

    def scales(self, exponents: Floats) -> list[float]:
        """The least and the largest c that the data allow with one of these exponents."""
        scale, curvature, distance = self._profile(exponents)
        spread = np.sqrt(np.maximum(0, self._limit(distance) - distance) / curvature)
        return [float((scale - spread).min()), float((scale + spread).max())]

    def misfit_p(self, exponent: float) -> float:
        """The chance of a larger T² in the dimensions that the two parameters leave (Hotelling 1931)."""
        free, distance = self._sizes - 2, float(self._profile(np.array([exponent]))[2][0])
        return float(stats.f.sf(distance * (self._n - free) / (free * (self._n - 1)), free, self._n - free))


def summarise_impact(found: Sequence[Mapping[str, Any]], grid_s: Sequence[int], window_s: int) -> dict[str, Any]:
    """Summarise what `experiments.impact` measured.

    Args:
        found: One mapping a seed, as `experiments.impact.measure` returns it.
        grid_s: Times of the paths, s since arrival.
        window_s: Length of the window, s.

    Returns:
        `sizes` (one entry a size), `power_laws`, and `paths` by size: plain JSON values.
    """
    sizes = [order["shares"] for order in found[0]["orders"]]
    parent = sizes[found[0]["reference"]]
    grid = np.asarray(grid_s)
    end = int(np.flatnonzero(grid <= window_s)[-1])
    horizons = [h for h in HORIZONS if window_s + h <= grid[-1]]
    at = [int(np.flatnonzero(grid <= window_s + h)[-1]) for h in horizons]
    # Cents, shape (seeds, sizes, sides, times); sides are buy and sell.
    paths = np.array([[order["path2"] for order in one["orders"]] for one in found], dtype=np.float64) / 2
    both = paths.mean(axis=2)
    drift, execution, completion, participation = (
        np.array([[order[name] for order in one["orders"]] for one in found], dtype=np.float64)
        for name in ("drift_cents", "execution_cents", "completion", "participation")
    )
    rates = participation.mean(axis=(0, 2))
    paid = -drift.mean(axis=2)
    entries = []
    for k, shares in enumerate(sizes):
        entries.append(
            {
                "shares": shares,
                "participation": estimate(participation[:, k].mean(axis=1)).as_dict(),
                "completion": float(completion[:, k].mean()),
                "end_cents": estimate(both[:, k, end]).as_dict(),
                "end_buy_cents": estimate(paths[:, k, 0, end]).as_dict(),
                "end_sell_cents": estimate(paths[:, k, 1, end]).as_dict(),
                "paid_cents": estimate(paid[:, k]).as_dict(),
                "execution_cents": estimate(-execution[:, k].mean(axis=1)).as_dict(),
                "after": {str(h): estimate(both[:, k, i]).as_dict() for h, i in zip(horizons, at, strict=True)},
                "faded": {
                    str(h): estimate(both[:, k, end] - both[:, k, i]).as_dict(test=True)
                    for h, i in zip(horizons[1:], at[1:], strict=True)
                },
            }
        )
    reference = sizes.index(parent)
    laws = {
        measure: {
            name: power_law(x, values, x[reference])
            for name, x in (("shares", np.array(sizes, dtype=np.float64)), ("participation", rates))
        }
        for measure, values in (("end_cents", both[:, :, end]), ("paid_cents", paid))
    }
    return {
        "parent": parent,
        "sizes": entries,
        "power_laws": laws,
        "paths": {str(shares): _band(both[:, k]) for k, shares in enumerate(sizes)},
        "grid_s": [int(t) for t in grid],
        "window_s": window_s,
    }


def _band(rows: Floats) -> dict[str, list[float | None]]:
    """Return mean and interval at each time."""
    found = [estimate(column) for column in rows.T]
    return {
        "mean": [one.mean for one in found],
        "low": [one.ci95[0] if one.ci95 is not None else None for one in found],
        "high": [one.ci95[1] if one.ci95 is not None else None for one in found],
    }


def impact_figure(summary: Mapping[str, Any]) -> Figure:
    """Draw the paths of the impact, and the impact against the size with the fitted power laws.

    Args:
        summary: What `summarise_impact` returned.
    """
    with style():
        figure, axes = new_figure(3.9, 1, 2, width_ratios=[1.35, 1])
        _draw_paths(axes[0, 0], summary)
        _draw_laws(axes[0, 1], summary)
        return laid_out(figure)


def _draw_paths(ax: Axes, summary: Mapping[str, Any]) -> None:
    minutes = np.asarray(summary["grid_s"]) / 60
    shades = np.linspace(0.25, 1.0, len(summary["paths"]))
    for (shares, band), shade in zip(summary["paths"].items(), shades, strict=True):
        colour = (*_mixed(BID, shade), 1.0)
        is_parent = int(shares) == summary["parent"]
        if is_parent and band["low"][0] is not None:
            low, high = np.array(band["low"], dtype=float), np.array(band["high"], dtype=float)
            ax.fill_between(minutes, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(minutes, band["mean"], color=colour, linewidth=2.2 if is_parent else 1.3, label=f"{int(shares):,}")
    ax.axvline(summary["window_s"] / 60, color="#888888", linewidth=1.0, linestyle=(0, (4, 2)))
    ax.axhline(0, color="#888888", linewidth=1.0)
    ax.set_xlim(0, minutes[-1])
    ax.set_xlabel("minutes since arrival (dashed: end of the window)")
    ax.set_ylabel("mid moved against the order, cents")
    ax.legend(title="shares", loc="upper right", title_fontsize=9)


def _draw_laws(ax: Axes, summary: Mapping[str, Any]) -> None:
    sizes = np.array([entry["shares"] for entry in summary["sizes"]], dtype=float)
    fine = np.linspace(0, sizes[-1], 200)[1:]
    for measure, label, colour, shift in (
        ("end_cents", "at the end of the window", BID, 0.99),
        ("paid_cents", "paid, mean over the fills", ASK, 1.01),
    ):
        entries = [entry[measure] for entry in summary["sizes"]]
        ax.plot(sizes * shift, [entry["mean"] for entry in entries], "o", color=colour, markersize=5, label=label)
        for place, entry in zip(sizes * shift, entries, strict=True):
            if entry["ci95"] is not None:
                ax.plot([place, place], entry["ci95"], color=colour, linewidth=1.4)
        law = summary["power_laws"][measure]["shares"]
        exponent, scale = law["exponent"]["value"], law["at_reference"]["value"]
        if exponent is not None and scale is not None:
            ax.plot(fine, scale * (fine / summary["parent"]) ** exponent, color=colour, linewidth=1.3)
    ax.axhline(0, color="#888888", linewidth=1.0)
    ax.set_xlim(0, 1.05 * sizes[-1])
    ax.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k")
    ax.set_xlabel("shares of the parent order")
    ax.set_ylabel("impact, cents")
    ax.legend(loc="upper left")


def _mixed(colour: str, share: float) -> tuple[float, float, float]:
    """Return a colour mixed with white."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (1 - share * (1 - part) for part in parts)
    return red, green, blue


def impact_table(summary: Mapping[str, Any]) -> str:
    """Return the sizes, what is left of their impact after the window, and the power laws, as Markdown."""
    lines = [
        "| Shares | Part of the volume | Execution, cents a share | Paid, cents a share | Moved the mid at the end"
        " | … buying | … selling |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for entry in summary["sizes"]:
        cells = [
            _shares(entry),
            f"{100 * entry['participation']['mean']:.1f} %",
            with_interval(entry["execution_cents"], 2),
            *(with_interval(entry[name]) for name in ("paid_cents", "end_cents", "end_buy_cents", "end_sell_cents")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    horizons = [h for h in summary["sizes"][0]["after"] if h != "0"]
    if horizons:
        last = horizons[-1]
        later = [f"after {int(h) // 60} min" for h in horizons]
        lines += ["", f"| Shares | At the end | {' | '.join(later)} | Faded {later[-1]} |"]
        lines.append("|---:" * (len(horizons) + 3) + "|")
        for entry in summary["sizes"]:
            left = [with_interval(entry["after"][h]) for h in ("0", *horizons)]
            lines.append(f"| {_shares(entry)} | {' | '.join(left)} | {with_interval(entry['faded'][last])} |")
    lines += ["", "| Impact | on | exponent | at the parent order, cents | p of the misfit |"]
    lines.append("|---|---|---:|---:|---:|")
    for measure, name in (("end_cents", "at the end of the window"), ("paid_cents", "paid")):
        for x, law in summary["power_laws"][measure].items():
            misfit = "" if law["misfit_p"] is None else f"{law['misfit_p']:.2f}"
            lines.append(
                f"| {name} | {x} | {_of_law(law['exponent'], 2)} | {_of_law(law['at_reference'], 1)} | {misfit} |"
            )
    return "\n".join(lines)


def _shares(entry: Mapping[str, Any]) -> str:
    return f"{entry['shares']:,}".replace(",", " ")


def with_interval(found: Mapping[str, Any], digits: int = 1) -> str:
    """Return a mean with its interval, as in `+1.2 (+0.3 to +2.1)`."""
    if found["mean"] is None:
        return "not known"
    if found["ci95"] is None:
        return f"{found['mean']:+.{digits}f}"
    low, high = found["ci95"]
    return f"{found['mean']:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def _of_law(found: Mapping[str, Any], digits: int) -> str:
    low, high = ("no bound" if bound is None else f"{bound:.{digits}f}" for bound in found["ci95"])
    value = "not known" if found["value"] is None else f"{found['value']:.{digits}f}"
    return f"{value} ({low} to {high})"
