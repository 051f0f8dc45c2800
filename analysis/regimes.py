"""What markets are like while nobody trades a parent order: how far prices move, spread, depth and volume."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.stats import RESAMPLES
from analysis.stats import estimate
from analysis.stats import percentile_interval
from analysis.tables import TextTable
from analysis.tables import with_interval

SECONDS_A_MINUTE = 60
COLUMNS = {
    "moved_sd": ("sd of the mid's change, cents", 0),
    "moved": ("its mean, cents", 0),
    "spread": ("spread, cents", 2),
    "touch": ("shares at the touch, a side", 0),
    "depth": ("depth, a side", 0),
    "volume": ("volume, shares a minute", 0),
}
"""Header and digits of each number."""


def describe_market(market: pd.DataFrame, end: int) -> dict[str, float | None]:
    """Describe a market over the window of the order that nobody worked in it.

    Args:
        market: Rows of the `market` table of one episode.
        end: End of the window, ns since the epoch.

    Returns:
        `moved` (last mid of the window minus the first, cents), means over its seconds of `spread` (cents, where both
        sides have orders; both are None if they never have), of `touch` and `depth` (shares at the best price and on
        all visible levels, the mean of the two sides), and `volume` (shares a minute).
    """
    grid = market[(market["event"] == "grid") & (market["time_ns"] <= end)]
    quoted = grid[(grid["bid"] >= 0) & (grid["ask"] >= 0)]
    mids = (quoted["bid"] + quoted["ask"]) / 2
    return {
        "moved": float(mids.iloc[-1] - mids.iloc[0]) if len(quoted) else None,
        "spread": float((quoted["ask"] - quoted["bid"]).mean()) if len(quoted) else None,
        "touch": float((grid["bid_size"] + grid["ask_size"]).mean() / 2),
        "depth": float((grid["bid_depth"] + grid["ask_depth"]).mean() / 2),
        "volume": float(grid["volume"].iloc[-1] / (len(grid) - 1) * SECONDS_A_MINUTE),
    }


def summarise_market(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Summarise the descriptions of one regime's markets, one a seed.

    Returns:
        Of each number its estimate over seeds, and `moved_sd`, the standard deviation of `moved` with its interval by
        bootstrap (`percentile_interval`), None with fewer than two markets that were ever quoted.
    """
    values = {name: np.array([one[name] for one in found], dtype=np.float64) for name in COLUMNS if name != "moved_sd"}
    moved = values["moved"][np.isfinite(values["moved"])]
    moved_sd: dict[str, Any] = {"mean": None, "ci95": None}
    if len(moved) > 1:
        drawn = np.random.default_rng(0).integers(len(moved), size=(RESAMPLES, len(moved)))
        interval = percentile_interval(moved[drawn].std(axis=1, ddof=1))
        moved_sd = {"mean": float(moved.std(ddof=1)), "ci95": interval}
    return {"moved_sd": moved_sd, **{name: estimate(own).as_dict() for name, own in values.items()}}


def regimes_table(summary: Mapping[str, Any], *, every_seed: bool = False) -> TextTable:
    """Return one row a regime.

    Args:
        summary: `regimes` by name, each as `experiments.gate.summarise_passed` returns it.
        every_seed: Whether the markets that failed the gate are in.
    """
    rows = []
    for name, passed in summary["regimes"].items():
        regime = (passed["with_invalid_seeds"] or passed) if every_seed else passed
        cells = (with_interval(regime[key], digits, signed=False) for key, (_, digits) in COLUMNS.items())
        rows.append((name, str(regime["n"]), *cells))
    return TextTable(
        "The market of each regime", ("regime", "n", *(title for title, _ in COLUMNS.values())), tuple(rows)
    )
