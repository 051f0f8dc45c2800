"""Figures: what they show is what the tables say, saving is repeatable, nothing global changes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.patches import Rectangle

from analysis import plots
from analysis.sample import sample_tables

STRATEGIES = ["twap", "passive", "aggressive"]


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    tables = sample_tables(STRATEGIES, range(4), window_s=300)
    return {name: table.to_pandas() for name, table in tables.items()}


def draw(frames: dict[str, pd.DataFrame]) -> dict:
    return plots.all_figures(frames, STRATEGIES, ["twap", "aggressive"], 1, "sell")


def test_same_records_same_svg_and_no_global_state(frames: dict[str, pd.DataFrame]) -> None:
    before = dict(mpl.rcParams)
    first, second = draw(frames), draw(frames)
    assert list(first) == ["shortfall", "cost_against_time", "inventory", "market"]
    for name in first:
        text = plots.svg(first[name])
        assert text == plots.svg(first[name]) == plots.svg(second[name])
        assert "<dc:date>" not in text
    assert dict(mpl.rcParams) == before
    assert not Gcf.figs


def test_inventory_falls_from_all_to_what_is_left(frames: dict[str, pd.DataFrame]) -> None:
    figure = plots.inventory_trajectories(frames["episodes"], frames["fills"], STRATEGIES)
    lines = {line.get_label(): np.asarray(line.get_ydata(), dtype=float) for line in figure.axes[0].get_lines()}
    assert list(lines) == STRATEGIES
    for values in lines.values():
        assert values[0] == 100
        assert values[-1] == pytest.approx(0, abs=1e-9)
        assert (np.diff(values) <= 1e-9).all()
    assert "%" in figure.axes[0].get_ylabel()


def test_cost_against_time_ends_at_the_costs_of_the_episodes(frames: dict[str, pd.DataFrame]) -> None:
    figure = plots.cost_against_time(frames["episodes"], frames["fills"], STRATEGIES)
    means = frames["episodes"].groupby("strategy")[["execution_cents", "shortfall_cents"]].mean()
    for ax, column in zip(figure.axes, ["execution_cents", "shortfall_cents"], strict=True):
        lines = {line.get_label(): np.asarray(line.get_ydata(), dtype=float) for line in ax.get_lines()}
        for name in STRATEGIES:
            assert lines[name][-1] == pytest.approx(means.loc[name, column])
    assert "higher is better" in figure.axes[0].get_ylabel()
    assert "cents per share" in figure.axes[0].get_ylabel()


def test_distribution_shows_intervals_in_numbers(frames: dict[str, pd.DataFrame]) -> None:
    figure = plots.shortfall_distribution(frames["episodes"], STRATEGIES)
    top, bottom = figure.axes
    assert [label.get_text() for label in bottom.get_yticklabels()] == ["passive − twap", "aggressive − twap"]
    wide = frames["episodes"].groupby(["strategy", "seed"])["shortfall_cents"].mean().unstack("strategy")
    mean = f"{(wide['passive'] - wide['twap']).mean():+.2f}".replace("-", "−")
    assert bottom.texts[0].get_text().startswith(mean)
    assert len(top.texts) == 3


def test_one_strategy_one_seed_and_no_fills_can_be_drawn(frames: dict[str, pd.DataFrame]) -> None:
    one = {name: frame[(frame["strategy"] == "twap") & (frame["seed"] == 1)] for name, frame in frames.items()}
    one["fills"] = one["fills"].iloc[:0]
    figures = plots.all_figures(one, ["twap"], ["twap"], 1, "buy")
    assert len(figures) == 4
    for figure in figures.values():
        assert plots.svg(figure)


def test_an_empty_side_of_the_book_leaves_a_gap(frames: dict[str, pd.DataFrame]) -> None:
    market = frames["market"].copy()
    market.loc[market["time_ns"] % 7 == 0, ["bid", "bid_size", "bid_depth"]] = [-1, 0, 0]
    figure = plots.market_snapshot(market, frames["fills"], frames["episodes"], ["twap"], 1)
    low = min(np.nanmin(np.asarray(line.get_ydata(), dtype=float)) for line in figure.axes[0].get_lines())
    assert low > -1_000


def test_save(frames: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    figure = plots.shortfall_distribution(frames["episodes"], STRATEGIES)
    assert plots.save(figure, tmp_path / "a.svg").read_text().startswith("<?xml")
    assert plots.save(figure, tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"written as \.svg or \.png, got 'a\.gif'"):
        plots.save(figure, tmp_path / "a.gif")


def test_window_is_in_whole_minutes(frames: dict[str, pd.DataFrame]) -> None:
    assert plots.window_minutes(frames["episodes"]) == 5


def test_parts_are_bars_as_long_as_the_means(frames: dict[str, pd.DataFrame]) -> None:
    ax = plots.cost_parts(frames["episodes"], STRATEGIES).axes[0]
    means = frames["episodes"].groupby("strategy")[["execution_cents", "drift_cents", "shortfall_cents"]].mean()
    widths = [patch.get_width() for patch in ax.patches if isinstance(patch, Rectangle)]
    assert len(widths) == 4 * len(STRATEGIES)
    assert widths[:2] == pytest.approx(means.loc["twap", ["execution_cents", "drift_cents"]].tolist())
    assert widths[3] == pytest.approx(means.loc["twap", "shortfall_cents"])


def test_learning_curves_show_every_training_their_median_and_middle_half() -> None:
    steps = np.linspace(0, 1_000, 11)
    runs = [(steps, level + steps / 1_000) for level in (5.0, 1.0, 3.0, 2.0, 4.0)]
    # One training has not come as far: median and band end there.
    runs[0] = (runs[0][0][:6], runs[0][1][:6])
    figure = plots.learning_curves({"one": runs, "two": runs[:1]}, {"one": "mean return, cents", "two": "dollars"})
    first, second = figure.axes
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["one (5 training seeds)", "two (1 training seed)"]
    assert [ax.get_ylabel() for ax in figure.axes] == ["mean return, cents", "dollars"]
    *thin, bold = first.get_lines()
    assert len(thin) == 5
    assert all(line.get_linewidth() < bold.get_linewidth() for line in thin)
    x, y = np.asarray(bold.get_xdata()), np.asarray(bold.get_ydata())
    assert (x[0], x[-1]) == (0, 500)
    np.testing.assert_allclose(y, 3.0 + x / 1_000)
    (band,) = first.collections
    low, high = (extreme(band.get_paths()[0].vertices[:, 1]) for extreme in (np.min, np.max))
    assert (low, high) == (2.0, 4.5)
    assert len(second.get_lines()) == 2
