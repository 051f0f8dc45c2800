"""Figures of a run, drawn from its record tables.

Every function returns a matplotlib `Figure` of its own and changes no global state. Colours are those of M. Okabe and
K. Ito, "Color Universal Design" (2008), told apart by colour-blind readers; strategies also differ in line style.
Costs are the gain over arrival in cents per share of the parent order: higher is better.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from analysis.benchmark_table import is_significant
from analysis.costs import cumulative_on_grid
from analysis.costs import fill_contributions
from analysis.files import write_bytes
from analysis.stats import estimate
from analysis.stats import per_seed

MINUTE = 60 * 10**9
SECOND = 10**9
GAIN = "gain over arrival, cents per share\n(higher is better)"
GRID_POINTS = 181
SNAPSHOT_POINTS = 450
WIDTH = 7.2
LARGEST_CENTS = 20.0

MARKOUTS = {
    "markout_1s_cents": "1 s",
    "markout_10s_cents": "10 s",
    "markout_60s_cents": "60 s",
    "markout_300s_cents": "300 s",
}
"""Metrics of `analysis.metrics` by what the axis says."""

COLOURS = ("#000000", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7")
DASHES: tuple[Any, ...] = ("-", "-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
BID = "#0072B2"
ASK = "#D55E00"

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "figure.dpi": 110,
    "svg.hashsalt": "shortfall",
    "svg.fonttype": "path",
}


def style() -> AbstractContextManager[None]:
    """Return a context in which figures are drawn and saved in the house style; afterwards all is as before."""
    return mpl.rc_context(STYLE)


def colours(strategies: Sequence[str]) -> dict[str, str]:
    """Return a colour for every strategy by its place in the list; the first, the reference, is black."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(strategies)}


def svg(figure: Figure) -> str:
    """Return a figure as SVG: the same figure gives the same text, without a date."""
    buffer = io.BytesIO()
    with style():
        # The resolution of the parts that are pictures within the SVG.
        figure.savefig(buffer, format="svg", dpi=200, metadata={"Date": None, "Creator": None})
    return buffer.getvalue().decode("utf-8")


def save(figure: Figure, path: Path | str) -> Path:
    """Write a figure as SVG, or as PNG if the path says so, atomically."""
    path = Path(path)
    if path.suffix == ".svg":
        return write_bytes(path, svg(figure).encode())
    if path.suffix != ".png":
        raise ValueError(f"figures are written as .svg or .png, got {path.name!r}")
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return write_bytes(path, buffer.getvalue())


def save_both(figure: Figure, path: Path) -> None:
    """Write a figure as SVG and as PNG.

    Args:
        figure: The figure.
        path: The files without their endings.
    """
    for ending in (".svg", ".png"):
        save(figure, path.with_suffix(ending))


def new_figure(height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, np.ndarray]:
    """Make a figure that no figure manager knows of, with a grid of axes.

    Args:
        height: Inches; the width is that of all figures.
        rows: Rows of axes.
        columns: Columns of axes.
        options: For `Figure.subplots`.

    Returns:
        The figure and its axes `(rows, columns)`.
    """
    figure = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.07))
    FigureCanvasAgg(figure)
    axes: np.ndarray = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, axes


def laid_out(figure: Figure) -> Figure:
    """Lay the figure out once and keep it so: saving it twice gives the same bytes."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def _dash(index: int) -> Any:
    return DASHES[index % len(DASHES)]


def window_minutes(episodes: pd.DataFrame) -> int:
    """Return the length of the longest window in whole minutes, rounded up."""
    return max(1, int(-(-(episodes["end_ns"] - episodes["arrival_ns"]).max() // MINUTE)))


def _strategies(episodes: pd.DataFrame, strategies: Sequence[str] | None) -> list[str]:
    present = list(episodes["strategy"].unique())
    return [name for name in strategies if name in present] if strategies is not None else present


def _limits(ax: Axes, minutes: int) -> None:
    ax.set_xlim(0, minutes)
    ax.set_xlabel("minutes since arrival")


def inventory_trajectories(
    episodes: pd.DataFrame, fills: pd.DataFrame, strategies: Sequence[str] | None = None
) -> Figure:
    """Draw the share of the parent order still to trade over time: mean over episodes, and the 10–90 % band.

    Args:
        episodes: Rows of the `episodes` table.
        fills: Rows of the `fills` table.
        strategies: Which, in order; all by default.
    """
    names = _strategies(episodes, strategies)
    minutes = window_minutes(episodes)
    grid = np.linspace(0, minutes * MINUTE, GRID_POINTS)
    rows = fill_contributions(fills, episodes)
    rows["part"] = rows["quantity"] / rows["parent"]
    with style():
        figure, axes = new_figure(3.7)
        ax = axes[0, 0]
        for i, (name, colour) in enumerate(colours(names).items()):
            own = episodes[episodes["strategy"] == name]
            left = 1 - cumulative_on_grid(rows[rows["strategy"] == name], own, "part", grid)
            low, high = np.quantile(left, [0.1, 0.9], axis=0)
            ax.fill_between(grid / MINUTE, 100 * low, 100 * high, color=colour, alpha=0.13, linewidth=0)
            ax.plot(grid / MINUTE, 100 * left.mean(axis=0), color=colour, linestyle=_dash(i), label=name)
        _limits(ax, minutes)
        ax.set_ylim(0, 102)
        ax.set_ylabel("left to trade, % of the order")
        ax.legend(loc="upper right")
        return laid_out(figure)


def _spread(values: np.ndarray) -> np.ndarray:
    """Return offsets in [-1, 1] that keep points apart: the golden ratio's sequence, in the order of the values."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return 2 * ((rank * 0.6180339887498949) % 1.0) - 1


def _strip(ax: Axes, position: int, values: np.ndarray, colour: str) -> None:
    """Draw every value as a point, their mean and its interval, with the numbers on the right."""
    values = values[np.isfinite(values)]
    found = estimate(values)
    size, alpha = (16, 0.45) if len(values) <= 60 else (7, 0.25)
    ax.scatter(values, position - 0.22 * _spread(values), s=size, color=colour, alpha=alpha, linewidths=0, zorder=2)
    if found.mean is None:
        return
    text = f"{found.mean:+.2f}"
    if found.ci95 is not None:
        ax.plot(found.ci95, [position, position], color="white", linewidth=5.5, solid_capstyle="round", zorder=3)
        ax.plot(found.ci95, [position, position], color=colour, linewidth=2.6, solid_capstyle="round", zorder=4)
        text += f" [{found.ci95[0]:+.2f}, {found.ci95[1]:+.2f}]"
    ax.scatter([found.mean], [position], s=52, color=colour, edgecolors="white", linewidths=1.1, zorder=5)
    ax.annotate(
        text.replace("-", "−"),
        (1.015, position),
        xycoords=("axes fraction", "data"),
        ha="left",
        va="center",
        fontsize=9,
        color="#333333",
        annotation_clip=False,
    )


def _strip_axis(ax: Axes, labels: Sequence[str], title: str) -> None:
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(-0.5, len(labels) - 0.5)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.axvline(0, color="#888888", linewidth=1.0, zorder=1)
    ax.set_title(title)


def shortfall_distribution(
    episodes: pd.DataFrame, strategies: Sequence[str] | None = None, measure: str = "shortfall_cents"
) -> Figure:
    """Draw a cost of every strategy, seed by seed, and its paired differences from the first, with 95 % intervals.

    Args:
        episodes: Rows of the `episodes` table.
        strategies: Which, in order, the first is the reference; all by default.
        measure: Column of `episodes`, in cents per share.
    """
    names = _strategies(episodes, strategies)
    sides = list(episodes["side"].unique())
    values = {name: per_seed(episodes, name, sides, measure) for name in names}
    palette = colours(names)
    what = measure.removesuffix("_cents")
    pairs = len(names) > 1
    with style():
        heights = [len(names), max(1, len(names) - 1)] if pairs else [1]
        figure, axes = new_figure(1.5 + 0.5 * sum(heights), len(heights), height_ratios=heights)
        top = axes[0, 0]
        for i, name in enumerate(names):
            _strip(top, i, values[name].to_numpy(), palette[name])
        _strip_axis(top, names, f"{what}, one point a seed; mean and 95 % interval")
        top.set_xlabel(GAIN.replace("\n", " "))
        if pairs:
            bottom = axes[1, 0]
            reference = values[names[0]]
            for i, name in enumerate(names[1:]):
                seeds = values[name].index.intersection(reference.index)
                difference = values[name].loc[seeds] - reference.loc[seeds]
                _strip(bottom, i, difference.to_numpy(), palette[name])
            labels = [f"{name} − {names[0]}" for name in names[1:]]
            _strip_axis(bottom, labels, "paired differences on the same seeds")
            bottom.set_xlabel(f"cents per share (right of 0: better than {names[0]})")
        return laid_out(figure)


def cost_against_time(episodes: pd.DataFrame, fills: pd.DataFrame, strategies: Sequence[str] | None = None) -> Figure:
    """Draw how the gain of the executed shares adds up over the window, mean over episodes with a 95 % interval.

    The left panel is execution (against the mid just before each fill), the right one execution + drift (against the
    arrival price). Shares left at the end are not in it.

    Args:
        episodes: Rows of the `episodes` table.
        fills: Rows of the `fills` table.
        strategies: Which, in order; all by default.
    """
    names = _strategies(episodes, strategies)
    minutes = window_minutes(episodes)
    grid = np.linspace(0, minutes * MINUTE, GRID_POINTS)
    rows = fill_contributions(fills, episodes)
    panels = (("execution_cents", "execution"), ("traded_cents", "execution + drift"))
    with style():
        figure, axes = new_figure(3.9, 1, 2)
        for ax, (column, title) in zip(axes[0], panels, strict=True):
            for i, (name, colour) in enumerate(colours(names).items()):
                own = episodes[episodes["strategy"] == name]
                paths = cumulative_on_grid(rows[rows["strategy"] == name], own, column, grid)
                seeds = pd.DataFrame(paths).groupby(own["seed"].to_numpy()).mean()
                low, high = _interval_band(seeds.to_numpy())
                ax.fill_between(grid / MINUTE, low, high, color=colour, alpha=0.13, linewidth=0)
                ax.plot(grid / MINUTE, seeds.mean(axis=0), color=colour, linestyle=_dash(i), label=name)
            ax.axhline(0, color="#888888", linewidth=1.0)
            ax.set_title(title)
            _limits(ax, minutes)
        axes[0, 0].set_ylabel(GAIN)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(5, len(names)))
        return laid_out(figure)


def cost_parts(costs: pd.DataFrame, strategies: Sequence[str] | None = None) -> Figure:
    """Draw the parts of every strategy's shortfall as bars, means over seeds with 95 % intervals.

    Args:
        costs: Rows of the `episodes` table, or of `analysis.costs.costs_of_fills`.
        strategies: Which, in order; all by default.
    """
    names = _strategies(costs, strategies)
    sides = list(costs["side"].unique())
    parts = ("execution", "drift", "opportunity", "shortfall")
    height = 0.8 / len(names)
    with style():
        figure, axes = new_figure(1.3 + 0.95 * len(parts) * max(0.5, len(names) / 5))
        ax = axes[0, 0]
        for i, (name, colour) in enumerate(colours(names).items()):
            for j, part in enumerate(parts):
                found = estimate(per_seed(costs, name, sides, f"{part}_cents").to_numpy())
                place = j + (i - (len(names) - 1) / 2) * height
                ax.barh(place, found.mean or 0.0, 0.88 * height, color=colour, label=name if j == 0 else None)
                if found.ci95 is not None:
                    ax.plot(found.ci95, [place, place], color="white", linewidth=3.2)
                    ax.plot(found.ci95, [place, place], color="#444444", linewidth=1.4)
        ax.set_yticks(range(len(parts)), parts)
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.axvline(0, color="#888888", linewidth=1.0)
        ax.set_xlabel(GAIN.replace("\n", " "))
        handles, labels = ax.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(5, len(names)))
        return laid_out(figure)


def markouts(found: Mapping[str, Any], strategies: Sequence[str]) -> Figure:
    """Draw what the price did after a fill: mean markouts with 95 % intervals.

    Args:
        found: As `analysis.tca.summarise_metrics` returns it.
        strategies: Which, in order.
    """
    with style():
        figure, axes = new_figure(3.6)
        ax = axes[0, 0]
        for i, (name, colour) in enumerate(colours(strategies).items()):
            own = [found["strategies"][name][metric] for metric in MARKOUTS]
            places = np.arange(len(own)) + 0.5 * ((i + 0.5) / len(strategies) - 0.5)
            means = [np.nan if one["mean"] is None else one["mean"] for one in own]
            ax.plot(places, means, color=colour, linestyle=_dash(i), marker="o", markersize=4, label=name)
            for place, one in zip(places, own, strict=True):
                if one["ci95"] is not None:
                    ax.plot([place, place], one["ci95"], color=colour, linewidth=1.2)
        ax.axhline(0, color="#888888", linewidth=1.0)
        ax.set_xticks(range(len(MARKOUTS)), list(MARKOUTS.values()))
        ax.set_xlabel("after the fill")
        ax.set_ylabel("markout, cents per share filled\n(up: the price went the way of the fill)")
        figure.legend(loc="outside upper center", ncols=min(5, len(strategies)))
        return laid_out(figure)


def benchmark_matrix(found: Mapping[str, Any]) -> Figure:
    """Draw the paired differences of every strategy in every regime as a matrix of numbers.

    The colour stops at ±20 cents; a number is bold where the whole table, corrected for all its comparisons, tells the
    two strategies apart.

    Args:
        found: As `analysis.benchmark_table.collect` returns it.
    """
    regimes = found["regimes"]
    pairs = list(next(iter(regimes.values()))["paired"])
    cells = [[regime["paired"][key]["shortfall_cents"] for regime in regimes.values()] for key in pairs]
    means = np.array([[np.nan if cell["mean"] is None else cell["mean"] for cell in row] for row in cells])
    with style():
        figure, axes = new_figure(1.9 + 0.3 * len(pairs))
        figure.set_figwidth(max(WIDTH, 2.2 + 0.72 * len(regimes)))
        ax = axes[0, 0]
        image = ax.imshow(means, cmap="RdBu", norm=Normalize(-LARGEST_CENTS, LARGEST_CENTS), aspect="auto")
        for i, row in enumerate(cells):
            for j, cell in enumerate(row):
                if cell["mean"] is None:
                    continue
                dark = abs(cell["mean"]) > 0.6 * LARGEST_CENTS
                weight = "bold" if is_significant(cell) else "normal"
                text = f"{cell['mean']:+.1f}".replace("-", "−")
                ax.text(
                    j, i, text, ha="center", va="center", fontsize=8, weight=weight, color="white" if dark else "black"
                )
        ax.set_yticks(range(len(pairs)), [key.partition("-")[0] for key in pairs])
        ax.set_xticks(range(len(regimes)), list(regimes), rotation=40, ha="right", rotation_mode="anchor")
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        ax.set_title(f"Shortfall minus that of {found['reference']} (bold: told apart)")
        bar = figure.colorbar(image, ax=ax, extend="both", shrink=0.8)
        bar.set_label("cents per share, positive is better")
        return laid_out(figure)


def _interval_band(paths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % interval of the mean at each time; the mean itself with one path."""
    bounds = []
    for column in paths.T:
        found = estimate(column)
        mean = found.mean if found.mean is not None else float("nan")
        bounds.append(found.ci95 or (mean, mean))
    low, high = np.array(bounds).T
    return low, high


def market_snapshot(
    market: pd.DataFrame,
    fills: pd.DataFrame,
    episodes: pd.DataFrame,
    strategies: Sequence[str],
    seed: int,
    side: str = "buy",
) -> Figure:
    """Draw one seed's market as two strategies lived it, side by side: quotes, trades, own fills, depth.

    Args:
        market: Rows of the `market` table, at least of these strategies, seed and side.
        fills: Rows of the `fills` table.
        episodes: Rows of the `episodes` table.
        strategies: One or two strategies.
        seed: Seed of the market.
        side: Side of the parent order.
    """
    titles = [f"{name}: {side}, seed {seed}" for name in strategies]
    with style():
        figure, axes = new_figure(
            5.4, 2, len(strategies), sharex=True, sharey="row", height_ratios=[2.1, 1], gridspec_kw={"wspace": 0.04}
        )
        largest = _largest_fill(fills, strategies, seed, side)
        for column, (name, title) in enumerate(zip(strategies, titles, strict=True)):
            episode = _one(episodes, name, seed, side)
            start, arrival = int(episode["arrival_ns"].iloc[0]), float(episode["arrival_mid2"].iloc[0]) / 2
            end = (int(episode["end_ns"].iloc[0]) - start) / MINUTE
            rows = _one(market, name, seed, side)
            own = _one(fills, name, seed, side)
            _quotes(axes[0, column], rows, own, start, arrival, largest)
            _depth(axes[1, column], rows, start)
            axes[0, column].set_title(title)
            last = (int(rows["time_ns"].max()) - start) / MINUTE
            axes[1, column].set_xlim(0, max(1, round(last)))
            for ax in axes[:, column]:
                ax.axvline(end, color="#888888", linewidth=1.0, linestyle=(0, (3, 2)), zorder=1)
            axes[1, column].set_xlabel("minutes since arrival")
        axes[0, 0].set_ylabel("price − arrival, cents")
        axes[1, 0].set_ylabel("shares in book\n(ask up, bid down)")
        figure.legend(handles=_snapshot_legend(), loc="outside upper center", ncols=3)
        return laid_out(figure)


def _one(rows: pd.DataFrame, strategy: str, seed: int, side: str) -> pd.DataFrame:
    return rows[(rows["strategy"] == strategy) & (rows["seed"] == seed) & (rows["side"] == side)]


def _largest_fill(fills: pd.DataFrame, strategies: Sequence[str], seed: int, side: str) -> int:
    sizes = [_one(fills, name, seed, side)["quantity"].max() for name in strategies]
    return int(max([size for size in sizes if size == size], default=1))


def _thinned(grid: pd.DataFrame) -> pd.DataFrame:
    """Return every k-th row of the grid, at most `SNAPSHOT_POINTS`: finer than a panel shows only fills the file."""
    return grid.iloc[:: max(1, -(-len(grid) // SNAPSHOT_POINTS))]


def _quotes(ax: Axes, rows: pd.DataFrame, own: pd.DataFrame, start: int, arrival: float, largest: int) -> None:
    """Draw best quotes, the trades of others and own fills, prices relative to arrival."""
    grid = _thinned(rows[rows["event"] == "grid"])
    minutes = (grid["time_ns"] - start) / MINUTE
    for column, colour in (("bid", BID), ("ask", ASK)):
        price = grid[column].where(grid[column] >= 0) - arrival
        ax.step(minutes, price, where="post", color=colour, linewidth=0.9)
    both = (grid["bid"] >= 0) & (grid["ask"] >= 0)
    ax.step(
        minutes, ((grid["bid"] + grid["ask"]) / 2 - arrival).where(both), where="post", color="#777777", linewidth=0.6
    )
    trades = rows[rows["event"] == "trade"]
    when = (trades["time_ns"] - start) / MINUTE
    ax.scatter(
        when, trades["price"] - arrival, s=2.5, color="#555555", alpha=0.6, linewidths=0, zorder=3, rasterized=True
    )
    for passive, marker, face in ((False, "o", "#E69F00"), (True, "D", "#009E73")):
        some = own[own["passive"] == passive]
        ax.scatter(
            (some["time_ns"] - start) / MINUTE,
            some["price_cents"] - arrival,
            s=3 + 13 * some["quantity"] / largest,
            marker=marker,
            color=face,
            edgecolors="black",
            linewidths=0.25,
            zorder=4,
        )
    ax.axhline(0, color="#888888", linewidth=1.0, zorder=1)


def _depth(ax: Axes, rows: pd.DataFrame, start: int) -> None:
    """Draw the shares of the whole visible book, asks upwards and bids downwards."""
    grid = _thinned(rows[rows["event"] == "grid"])
    minutes = ((grid["time_ns"] - start) / MINUTE).to_numpy()
    ax.fill_between(minutes, 0, grid["ask_depth"].to_numpy(), step="post", color=ASK, alpha=0.35, linewidth=0)
    ax.fill_between(minutes, 0, -grid["bid_depth"].to_numpy(), step="post", color=BID, alpha=0.35, linewidth=0)
    ax.axhline(0, color="#888888", linewidth=0.8)
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}".replace(",", "\u202f"))


def _snapshot_legend() -> list[Line2D]:
    def point(marker: str, colour: str, size: float, label: str, edge: str) -> Line2D:
        return Line2D(
            [], [], linestyle="", marker=marker, color=colour, markersize=size, markeredgecolor=edge, label=label
        )

    return [
        Line2D([], [], color=ASK, label="best ask"),
        Line2D([], [], color=BID, label="best bid"),
        Line2D([], [], color="#777777", linewidth=0.9, label="mid"),
        point("o", "#E69F00", 6, "own fill, taking", "black"),
        point("D", "#009E73", 5, "own fill, resting", "black"),
        point("o", "#555555", 3, "any trade", "#555555"),
    ]


def all_figures(
    tables: Mapping[str, pd.DataFrame], strategies: Sequence[str], shown: Sequence[str], seed: int, side: str
) -> dict[str, Figure]:
    """Return the figures of a report by name.

    Args:
        tables: Frames of `episodes`, `fills`, and `market` (at least of the snapshot).
        strategies: All strategies, the reference first.
        shown: The one or two strategies of the snapshot.
        seed: Seed of the snapshot.
        side: Side of the snapshot.
    """
    episodes, fills = tables["episodes"], tables["fills"]
    return {
        "shortfall": shortfall_distribution(episodes, strategies),
        "cost_against_time": cost_against_time(episodes, fills, strategies),
        "inventory": inventory_trajectories(episodes, fills, strategies),
        "market": market_snapshot(tables["market"], fills, episodes, shown, seed, side),
    }


def sweep_figure(rows: Sequence[Mapping[str, Any]], rungs: int) -> Figure:
    """Draw the trials of a sweep, the best on top: score with its 95 % interval, and the values beside it.

    Args:
        rows: Trials as in `sweep.json`, the best first.
        rungs: Rungs of a trial that was not stopped; one that came less far is grey.
    """
    with style():
        figure, axes = new_figure(1.3 + 0.28 * len(rows))
        ax: Axes = axes[0, 0]
        for place, row in enumerate(rows):
            colour = "#000000" if row["rung"] == rungs else "#9a9a9a"
            ax.plot(row["ci95"], [place, place], color=colour, linewidth=1.2)
            ax.plot(row["score"], place, marker="o", color=colour, markersize=4)
        ax.axvline(rows[0]["score"], color="#e3e3e3", linewidth=1.2, zorder=0)
        ax.set_yticks(range(len(rows)), [_values_text(row["values"]) for row in rows], fontsize=7.5)
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.set_xlabel("gain over arrival, cents per share (higher is better)")
        stopped = ", grey: stopped early" if any(row["rung"] < rungs for row in rows) else ""
        ax.set_title(f"Greedy policies on {rows[0]['n']} validation markets, 95 % intervals{stopped}")
        return laid_out(figure)


def learning_curves(curves: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]], labels: Mapping[str, str]) -> Figure:
    """Draw how trainings went, a panel a configuration: each training thin, the median bold, the quartiles as a band.

    Median and quartiles are those of the trainings at the same number of environment steps, as far as all have come.

    Args:
        curves: By title of the panel, of each training the environment steps and the values there, both `(K,)`.
        labels: By title, what the values are and their unit.
    """
    with style():
        figure, axes = new_figure(0.6 + 2.3 * len(curves), len(curves))
        for ax, (title, runs), colour in zip(axes[:, 0], curves.items(), colours(list(curves)).values(), strict=True):
            for steps, values in runs:
                ax.plot(steps, values, color=colour, alpha=0.4, linewidth=0.7)
            ends = [(np.min(steps), np.max(steps)) for steps, _ in runs]
            grid = np.linspace(max(first for first, _ in ends), min(last for _, last in ends), GRID_POINTS)
            low, median, high = np.quantile([np.interp(grid, *run) for run in runs], [0.25, 0.5, 0.75], axis=0)
            ax.fill_between(grid, low, high, color=colour, alpha=0.16, linewidth=0)
            ax.plot(grid, median, color=colour, linewidth=2.2)
            ax.set_title(f"{title} ({len(runs)} training seed{'s' * (len(runs) > 1)})")
            ax.set_ylabel(labels[title])
            ax.set_xlim(left=0)
            ax.xaxis.set_major_formatter(lambda steps, _: f"{steps:,.0f}".replace(",", "\u202f"))
        axes[-1, 0].set_xlabel("environment steps")
        return laid_out(figure)


def _values_text(values: Mapping[str, Any]) -> str:
    """Values of a trial in one line, by the last part of their names."""
    parts = [f"{name.rpartition('.')[2]} {_value_text(value)}" for name, value in values.items()]
    return ", ".join(parts)


def _value_text(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("kind", "…"))
    return "–".join(map(_value_text, value)) if isinstance(value, list) else str(value)
