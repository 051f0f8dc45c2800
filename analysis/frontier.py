"""Risk and return of execution: mean and standard deviation of an order's shortfall, measured and by the model.

The risk is that of an order, so its standard deviation is taken over orders, bought and sold; the mean of the two on
one seed, the unit elsewhere, would hide it: what the market does to one it does for the other. Orders on one seed are
not independent, so the interval of the standard deviation is by bootstrap over seeds (`percentile_interval`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.plots import ASK
from analysis.plots import BID
from analysis.plots import GAIN
from analysis.plots import laid_out
from analysis.plots import new_figure
from analysis.plots import style
from analysis.stats import RESAMPLES
from analysis.stats import estimate
from analysis.stats import percentile_interval
from analysis.tables import TextTable
from analysis.tables import number
from analysis.tables import share
from analysis.tables import with_interval

REFERENCE = "twap"
FAR = 3.0
"""A mean this many times as bad as the median of all is off the figure: with it the others could not be told apart."""

Floats = NDArray[np.float64]


def summarise_frontier(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Summarise the risk and return of strategies.

    Args:
        found: A mapping a seed: by strategy `shortfall_cents` and `completion`, a value a side.

    Returns:
        By strategy: `mean`, an estimate over seeds; `sd` of the orders with `ci95`; `against_twap`, the paired
        difference of means with its test, and `sd_ratio` with `ci95`; `completion`.
    """
    costs = {name: np.array([seed[name]["shortfall_cents"] for seed in found]) for name in found[0]}
    drawn = np.random.default_rng(0).integers(len(found), size=(RESAMPLES, len(found)))
    base, base_drawn = _sd(costs[REFERENCE]), _sd(costs[REFERENCE][drawn])
    result = {}
    for name, own in costs.items():
        sd, resampled = _sd(own), _sd(own[drawn])
        difference = estimate(own.mean(axis=1) - costs[REFERENCE].mean(axis=1))
        result[name] = {
            "mean": estimate(own.mean(axis=1)).as_dict(),
            "sd": {"mean": float(sd), "ci95": percentile_interval(resampled)},
            "against_twap": difference.as_dict(test=True),
            "sd_ratio": _ratio(float(sd), float(base), resampled, base_drawn),
            "completion": float(np.mean([seed[name]["completion"] for seed in found])),
        }
    return result


def _ratio(sd: float, base: float, resampled: Floats, base_drawn: Floats) -> dict[str, Any]:
    """Return a ratio of standard deviations with its interval; None where a sample had none to divide by."""
    if base == 0 or not (base_drawn > 0).all():
        return {"mean": sd / base if base else None, "ci95": None}
    return {"mean": sd / base, "ci95": percentile_interval(resampled / base_drawn)}


def _sd(costs: Floats) -> Floats:
    """Return the standard deviation over seeds and sides `(…, seeds, sides)`."""
    deviation: Floats = costs.reshape(*costs.shape[:-2], -1).std(axis=-1, ddof=1)
    return deviation


def model_point(
    executed: Floats, interval: float, shares: float, coefficients: Mapping[str, float]
) -> tuple[float, float]:
    """Return mean and standard deviation of the gain of a schedule by the model of Almgren and Chriss (2001).

    The expected cost is γX²/2 + ε Σ n_j + (η − γτ/2) Σ n_j² / τ (equation 8) and its variance σ² τ Σ x_j² (equation 5).

    Args:
        executed: Share of the order due at the end of each interval; the last is 1.
        interval: τ, seconds.
        shares: X, shares of the order.
        coefficients: `volatility` σ, `half_spread` ε, `temporary_impact` η and `permanent_impact` γ, in cents, shares
            and seconds.

    Returns:
        Cents per share; costs are negative gains.
    """
    sold = shares * np.diff(executed, prepend=0.0)
    left = shares * (1 - executed)
    gamma, eta = coefficients["permanent_impact"], coefficients["temporary_impact"]
    cost = (
        gamma * shares**2 / 2
        + coefficients["half_spread"] * float(sold.sum())
        + (eta - gamma * interval / 2) * float(sold @ sold) / interval
    )
    return -cost / shares, coefficients["volatility"] * math.sqrt(interval * float(left @ left)) / shares


def frontier_table(summary: Mapping[str, Any]) -> TextTable:
    """Return risk and return of every strategy."""
    rows = tuple(
        (
            name,
            with_interval(own["mean"]),
            with_interval(own["sd"], 1, signed=False),
            "" if name == REFERENCE else with_interval(own["against_twap"]),
            "" if name == REFERENCE else with_interval(own["sd_ratio"], signed=False),
            share(own["completion"]),
        )
        for name, own in summary["strategies"].items()
    )
    header = (
        "strategy",
        "mean shortfall",
        "sd of an order",
        "mean against TWAP",
        "sd, multiple of TWAP's",
        "completion",
    )
    return TextTable(f"Cents per share, n = {summary['n']} seeds, bought and sold, 95 % intervals", header, rows)


def frontier_figure(summary: Mapping[str, Any]) -> Figure:
    """Draw mean against standard deviation: the families as lines, the others as points, the model dashed.

    Args:
        summary: `strategies` of `summarise_frontier`; `families`, names by label, in order of the risk aversion that
            ends each name; `model`, `mean` and `sd` of the Almgren–Chriss model from no risk aversion on.
    """
    strategies, families = summary["strategies"], summary["families"]
    in_families = {name for names in families.values() for name in names}
    means = {name: own["mean"]["mean"] for name, own in strategies.items()}
    middle = float(np.median(list(means.values())))
    off = [name for name, mean in means.items() if mean < middle - (FAR - 1) * abs(middle)]
    with style():
        figure, axes = new_figure(4.4)
        ax: Axes = axes[0, 0]
        for (label, names), colour in zip(families.items(), (BID, "#000000"), strict=False):
            shown = {name: strategies[name] for name in names if name not in off}
            for name, own in shown.items():
                _cross(ax, own, colour)
                # What comes after the family's name is the risk aversion.
                _name(ax, own, name.rpartition("_")[2], colour)
            ax.plot(*_places(list(shown.values())), "o-", color=colour, markersize=5, label=label)
        for name, own in strategies.items():
            if name not in in_families and name not in off:
                _cross(ax, own, ASK)
                ax.plot(*_places([own]), "D", color=ASK, markersize=5)
                _name(ax, own, name, ASK)
        model = summary["model"]
        label = "Almgren–Chriss, the calibrated model"
        ax.plot(model["sd"], model["mean"], color="#888888", linestyle=(0, (4, 2)), label=label)
        ax.set_xlabel("standard deviation of an order's shortfall, cents per share (left: less risk)")
        ax.set_ylabel(GAIN)
        ax.legend(loc="lower right", fontsize=9)
        if off:
            words = [f"{name} ({number(means[name], 0)}, sd {strategies[name]['sd']['mean']:.0f})" for name in off]
            ax.set_title(f"Off the figure: {', '.join(words)}", fontsize=9, fontweight="normal")
        return laid_out(figure)


def _places(shown: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    return [own["sd"]["mean"] for own in shown], [own["mean"]["mean"] for own in shown]


def _cross(ax: Axes, own: Mapping[str, Any], colour: str) -> None:
    """Draw both intervals of a point."""
    sd, mean = own["sd"]["mean"], own["mean"]["mean"]
    ax.plot(own["sd"]["ci95"], [mean, mean], color=colour, linewidth=0.9, alpha=0.6)
    if own["mean"]["ci95"] is not None:
        ax.plot([sd, sd], own["mean"]["ci95"], color=colour, linewidth=0.9, alpha=0.6)


def _name(ax: Axes, own: Mapping[str, Any], text: str, colour: str) -> None:
    place = own["sd"]["mean"], own["mean"]["mean"]
    ax.annotate(text, place, xytext=(5, 5), textcoords="offset points", fontsize=8.5, color=colour)
