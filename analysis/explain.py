"""Why a policy wins: what is computed and drawn from what `experiments.explain` measured.

The unit is a seed: the mean of its sides. A rule is compared with another on the same seeds. What a rule keeps of the
policy's gain over TWAP is (rule − TWAP) / (policy − TWAP), with Fieller's interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from numpy.typing import NDArray

from analysis.plots import ASK
from analysis.plots import BID
from analysis.plots import laid_out
from analysis.plots import new_figure
from analysis.plots import style
from analysis.stats import estimate
from analysis.stats import estimate_ratio
from analysis.tables import TextTable
from analysis.tables import number
from analysis.tables import share
from analysis.tables import with_interval

MEASURES = ("shortfall_cents", "reward")
TWAP, POLICY = "twap", "policy"
BINS = 20
"""Cells of a map along each axis."""
LEAST_IN_CELL = 20
"""Decisions below which a cell of a map stays empty."""
MOVES = ("moved for the order", "stayed", "moved against it")
"""Thirds of the episodes by what the mid did in them under TWAP."""

Floats = NDArray[np.float64]
Found = Sequence[Mapping[str, Any]]


def summarise_rules(found: Found) -> dict[str, Any]:
    """Summarise how the policy, TWAP and the rules distilled from it traded.

    Args:
        found: A mapping a seed: by rule `shortfall_cents`, `reward` and `completion`, a value a side.

    Returns:
        `rules` by name, `paired` differences `a-b` against TWAP and against the policy, and `kept` of the policy's gain
        over TWAP by rule and measure.
    """
    names = list(found[0])
    rules = {}
    for name in names:
        estimates = {measure: estimate(_values(found, name, measure)).as_dict() for measure in MEASURES}
        rules[name] = {**estimates, "completion": float(_values(found, name, "completion").mean())}
    pairs = [(name, TWAP) for name in names if name != TWAP]
    pairs += [(name, POLICY) for name in names if name not in (TWAP, POLICY)]
    paired = {
        f"{a}-{b}": {
            measure: estimate(_values(found, a, measure) - _values(found, b, measure)).as_dict(test=True)
            for measure in MEASURES
        }
        for a, b in pairs
    }
    kept = {
        name: {
            measure: estimate_ratio(
                *(_values(found, one, measure) - _values(found, TWAP, measure) for one in (name, POLICY))
            ).as_dict()
            for measure in MEASURES
        }
        for name in names
        if name not in (TWAP, POLICY)
    }
    return {"n": len(found), "rules": rules, "paired": paired, "kept": kept}


def summarise_importance(found: Found) -> dict[str, Any]:
    """Summarise what the policy loses when it is shown other decisions' values of some features.

    Args:
        found: A mapping a seed: `policy`, and what it came to with each group of features shuffled, by name.

    Returns:
        By name, by measure: what is lost, in the measure's unit; positive means that the features were of use.
    """
    return {
        name: {
            measure: estimate(_values(found, POLICY, measure) - _values(found, name, measure)).as_dict(test=True)
            for measure in MEASURES
        }
        for name in found[0]
        if name != POLICY
    }


def summarise_trajectories(found: Found, times: Floats) -> dict[str, Any]:
    """Summarise how far ahead of an even schedule the policy is, over all episodes and by what the price did.

    Args:
        found: A mapping a seed: for `policy` `left` (a path a side), for `twap` `moved_cents`.
        times: Times of the paths, as shares of the window.

    Returns:
        `times`; `left` and `ahead` with `mean`, `low` and `high` (the 10 % and 90 % quantiles); `lead`, the mean of
        `ahead` over the window; `by_move`, a mean path of `ahead`, its `lead` and the mean move for each third of the
        episodes. Shares of the order.
    """
    left = np.array([path for seed in found for path in seed[POLICY]["left"]])
    moved = np.array([value for seed in found for value in seed[TWAP]["moved_cents"]])
    ahead = (1 - left) - times
    parts = np.array_split(np.argsort(moved, kind="stable"), len(MOVES))
    return {
        "times": times.tolist(),
        "left": _band(left),
        "ahead": _band(ahead),
        "lead": float(ahead.mean()),
        "by_move": [
            {
                "move": name,
                "n": len(part),
                "moved_cents": float(moved[part].mean()),
                "ahead": ahead[part].mean(axis=0).tolist(),
                "lead": float(ahead[part].mean()),
            }
            for name, part in zip(MOVES, parts, strict=True)
            if len(part)
        ],
    }


def binned_mean(x: ArrayLike, y: ArrayLike, values: ArrayLike) -> dict[str, Any]:
    """Average values in the cells of a grid over the middle 98 % of two coordinates.

    Args:
        x: First coordinate of each value.
        y: Second coordinate.
        values: The values.

    Returns:
        `x` and `y`, edges of the cells; `mean`, a row for each cell of y, None where there are too few values.
    """
    places = np.column_stack([np.asarray(one, dtype="float64") for one in (x, y)])
    edges = [_edges(one) for one in places.T]
    counts = np.histogramdd(places, bins=edges)[0]
    sums = np.histogramdd(places, bins=edges, weights=np.asarray(values, dtype="float64"))[0]
    mean = sums / np.maximum(counts, 1)
    filled = counts >= LEAST_IN_CELL
    rows = [[float(mean[i, j]) if filled[i, j] else None for i in range(mean.shape[0])] for j in range(mean.shape[1])]
    return {"x": edges[0].tolist(), "y": edges[1].tolist(), "mean": rows}


def _edges(values: Floats) -> Floats:
    """Edges of cells between the 1 % and 99 % quantile; values that take few levels get a cell each."""
    levels = np.unique(values)
    low, high = np.quantile(values, [0.01, 0.99])
    levels = levels[(levels >= low) & (levels <= high)]
    if 1 < len(levels) <= BINS:
        middles = (levels[1:] + levels[:-1]) / 2
        return np.array([2 * levels[0] - middles[0], *middles, 2 * levels[-1] - middles[-1]])
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def _values(found: Found, rule: str, measure: str) -> Floats:
    """Return a measure of a rule, one value a seed."""
    return np.array([np.mean(seed[rule][measure]) for seed in found])


def _band(paths: Floats) -> dict[str, list[float]]:
    low, high = np.quantile(paths, [0.1, 0.9], axis=0)
    return {"mean": paths.mean(axis=0).tolist(), "low": low.tolist(), "high": high.tolist()}


def rules_table(summary: Mapping[str, Any]) -> TextTable:
    """Return the rules with their differences from TWAP and what they keep of the policy's gain."""
    rows = []
    for name, own in summary["rules"].items():
        gain, kept = summary["paired"].get(f"{name}-{TWAP}"), summary["kept"].get(name)
        rows.append(
            (
                name,
                with_interval(own["shortfall_cents"]),
                with_interval(gain["shortfall_cents"]) if gain else "",
                _ratio(kept["shortfall_cents"]) if kept else "",
                with_interval(own["reward"]),
                with_interval(gain["reward"]) if gain else "",
                _ratio(kept["reward"]) if kept else "",
                share(own["completion"]),
            )
        )
    header = ("rule", "shortfall", "against TWAP", "kept", "reward", "against TWAP", "kept", "completion")
    return TextTable(f"Cents per share, n = {summary['n']} seeds, 95 % intervals", header, tuple(rows))


def _ratio(kept: Mapping[str, Any]) -> str:
    """Write a ratio as a percentage with its interval."""
    if kept["mean"] is None or kept["ci95"] is None:
        return f"{share(kept['mean'])} ({kept['reason']})"
    mean, low, high = (number(100 * value, 0, signed=False) for value in (kept["mean"], *kept["ci95"]))
    return f"{mean} % [{low}, {high}]"


def importance_table(importance: Mapping[str, Any]) -> TextTable:
    """Return what each feature is worth: decisions changed, and what is lost without it."""
    rows = tuple(
        (
            name,
            share(own["changed"]),
            number(own["rate_change"], signed=False),
            with_interval(own["reward"]),
            with_interval(own["shortfall_cents"]),
        )
        for name, own in importance.items()
    )
    header = ("features of another decision", "decisions changed", "rate changed by", "reward lost", "shortfall lost")
    return TextTable("Cents per share, 95 % intervals; rate in multiples of the even rate", header, rows)


def maps_figure(maps: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw what the policy trades on average where it comes, over two coordinates, a panel a map.

    Args:
        maps: What `binned_mean` returned, with the names of the coordinates in `labels`.
    """
    with style():
        figure, axes = new_figure(3.5, 1, len(maps))
        largest = max(1.5, *(_largest(one["mean"]) for one in maps))
        for ax, one in zip(axes[0], maps, strict=True):
            mean = np.array(one["mean"], dtype=float)
            norm = TwoSlopeNorm(1.0, 0.0, largest)
            image = ax.pcolormesh(one["x"], one["y"], np.ma.masked_invalid(mean), cmap="RdBu", norm=norm)
            shown = np.argwhere(np.isfinite(mean))
            if len(shown):
                (bottom, first), (top, last) = shown.min(axis=0), shown.max(axis=0) + 1
                ax.set_xlim(one["x"][first], one["x"][last])
                ax.set_ylim(one["y"][bottom], one["y"][top])
            ax.set_xlabel(one["labels"][0])
            ax.set_ylabel(one["labels"][1])
            ax.grid(visible=False)
        bar = figure.colorbar(image, ax=axes[0].tolist(), shrink=0.85)
        bar.set_label("ordered, multiples of the even rate")
        return laid_out(figure)


def _largest(rows: Sequence[Sequence[float | None]]) -> float:
    return max((value for row in rows for value in row if value is not None), default=0.0)


def importance_figure(importance: Mapping[str, Any]) -> Figure:
    """Draw what the policy does and gets without each feature: decisions changed, reward and shortfall lost."""
    names = list(importance)
    places = range(len(names))
    panels = (("reward", "reward lost, cents"), ("shortfall_cents", "shortfall lost, cents"))
    with style():
        figure, axes = new_figure(1.2 + 0.27 * len(names), 1, 3, sharey=True, width_ratios=[1, 1.15, 1.15])
        axes[0, 0].barh(places, [100 * importance[name]["changed"] for name in names], color=BID, height=0.62)
        axes[0, 0].set_xlabel("decisions changed, %")
        for ax, (measure, label) in zip(axes[0, 1:], panels, strict=True):
            ax.axvline(0, color="#888888", linewidth=1.0)
            for place, name in enumerate(names):
                own = importance[name][measure]
                ax.plot(own["mean"], place, "o", color="#000000", markersize=4)
                if own["ci95"] is not None:
                    ax.plot(own["ci95"], [place, place], color="#000000", linewidth=1.2)
            ax.set_xlabel(label)
        for ax in axes[0]:
            ax.grid(axis="y", visible=False)
        axes[0, 0].set_yticks(places, names)
        axes[0, 0].invert_yaxis()
        return laid_out(figure)


def slices_figure(slices: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Figure:
    """Draw how the values of the actions depend on one feature, the others at their medians, a panel a feature.

    Args:
        slices: `feature`, `x`, and `values` (a row a point of x, a value an action).
        labels: Names of the actions.
    """
    columns = 2
    rows = -(-len(slices) // columns)
    with style():
        figure, axes = new_figure(0.6 + 2.3 * rows, rows, columns, sharey=True)
        for ax in axes.flat[len(slices) :]:
            ax.set_visible(False)
        for ax, one in zip(axes.flat, slices, strict=False):
            values = np.array(one["values"])
            below = values - values.max(axis=1, keepdims=True)
            actions = np.arange(values.shape[1])
            # Beyond the middle of all differences the colour says no more than "much worse".
            image = ax.pcolormesh(
                one["x"], actions, below.T, cmap="cividis", vmin=float(np.median(below)), vmax=0.0, shading="nearest"
            )
            ax.plot(one["x"], values.argmax(axis=1), color="white", linewidth=3.2)
            ax.plot(one["x"], values.argmax(axis=1), color=ASK, linewidth=1.6)
            ax.set_xlabel(one["feature"])
            ax.grid(visible=False)
            shown = actions[:: max(1, len(actions) // 6)]
            ax.set_yticks(shown, [labels[action] for action in shown], fontsize=8)
            figure.colorbar(image, ax=ax, extend="min").ax.tick_params(labelsize=8)
        figure.suptitle("Value below the best action's; line: the action taken", x=0.02, ha="left", fontsize=10)
        return laid_out(figure)


def trajectories_figure(trajectories: Mapping[str, Any], window_minutes: float) -> Figure:
    """Draw what is left over time against TWAP, and how far ahead the policy is by what the price did.

    Args:
        trajectories: What `summarise_trajectories` returned.
        window_minutes: Length of the window.
    """
    minutes = window_minutes * np.array(trajectories["times"])
    with style():
        figure, axes = new_figure(3.4, 1, 2)
        _draw_band(axes[0, 0], minutes, trajectories["left"], "policy, middle 80 %")
        axes[0, 0].plot(minutes, 100 * (1 - minutes / window_minutes), color="#000000", linestyle="--", label="TWAP")
        axes[0, 0].set_ylabel("left to trade, % of the order")
        axes[0, 0].set_ylim(0, 102)
        for own, colour in zip(trajectories["by_move"], (BID, "#777777", ASK), strict=False):
            label = f"{own['move']} ({number(own['moved_cents'], 0)} cents)"
            axes[0, 1].plot(minutes, 100 * np.array(own["ahead"]), color=colour, label=label)
        axes[0, 1].axhline(0, color="#000000", linestyle="--", linewidth=1.2)
        axes[0, 1].set_ylabel("ahead of TWAP, % of the order")
        axes[0, 1].set_title("Mean, by thirds: the mid …")
        for ax in axes[0]:
            ax.set_xlim(0, window_minutes)
            ax.set_xlabel("minutes since arrival")
            ax.legend(fontsize=8.5)
        return laid_out(figure)


def _draw_band(ax: Axes, minutes: Floats, band: Mapping[str, Sequence[float]], label: str) -> None:
    low, high, mean = (100 * np.array(band[name]) for name in ("low", "high", "mean"))
    ax.fill_between(minutes, low, high, color=BID, alpha=0.2, linewidth=0)
    ax.plot(minutes, mean, color=BID, label=label)
