"""Transaction-cost analysis of a run: every metric of every episode, by strategy and paired, with intervals.

The metrics are those of `analysis.metrics`. A run is read strategy by strategy, so that its market records need not fit
into memory all at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.costs import EPISODE
from analysis.episode_records import EpisodeRecords
from analysis.metrics import METRICS
from analysis.metrics import compute_metrics
from analysis.records import RecordsError
from analysis.records import read_frame
from analysis.stats import estimate
from analysis.stats import per_seed
from analysis.summary import pair_name
from analysis.tables import TextTable
from analysis.tables import count
from analysis.tables import with_interval

MARKET_COLUMNS = ("strategy", "seed", "side", "time_ns", "event", "bid", "ask", "volume", "notional_cents")


def episode_metrics(folder: Path | str, strategies: Sequence[str]) -> pd.DataFrame:
    """Compute the metrics of a run's episodes from its records.

    Args:
        folder: Run folder.
        strategies: Strategies, in order.

    Returns:
        One row an episode: strategy, seed, side and a column for each of `METRICS`; NaN where a value does not exist.

    Raises:
        RecordsError: If a table cannot be read or two of them contradict each other; one line that names the file and
            the column.
    """
    parts = [_metrics_of(Path(folder), strategy) for strategy in strategies]
    some = [part for part in parts if part is not None]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=[*EPISODE, *METRICS])


def _metrics_of(folder: Path, strategy: str) -> pd.DataFrame | None:
    """Return the metrics of a strategy's episodes; None if it has none."""
    only = [("strategy", "=", strategy)]
    tables = {name: read_frame(folder, name, filters=only) for name in ("episodes", "orders", "fills")}
    if tables["episodes"].empty:
        return None
    market = read_frame(folder, "market", columns=MARKET_COLUMNS, filters=only)
    try:
        return compute_metrics(EpisodeRecords(**tables, market=market))
    except RecordsError as error:
        raise RecordsError(f"{folder}/{error}") from error


def summarise_metrics(metrics: pd.DataFrame, strategies: Sequence[str], sides: Sequence[str]) -> dict[str, Any]:
    """Summarise metrics over seeds, the unit being the mean of a seed's sides.

    Args:
        metrics: As `episode_metrics` returns them, of the seeds that count.
        strategies: Strategies in order, the first is the reference of every pair.
        sides: The sides that a seed must have.

    Returns:
        `strategies.<name>.<metric>` and `paired.<a>-<b>.<metric>` (a − b on the same seeds), each with `n`, `mean`,
        `sd` and `ci95`: Student t intervals at 95 %, not corrected for their number.
    """
    values = {name: {metric: per_seed(metrics, name, sides, metric) for metric in METRICS} for name in strategies}
    reference = values[strategies[0]]
    return {
        "strategies": {
            name: {metric: estimate(series.to_numpy()).as_dict() for metric, series in own.items()}
            for name, own in values.items()
        },
        "paired": {
            pair_name(name, strategies[0]): {
                metric: estimate((series - reference[metric]).to_numpy()).as_dict()
                for metric, series in values[name].items()
            }
            for name in strategies[1:]
        },
    }


GROUPS = {
    "Execution by part, cents per share of the order": ("spread_cents", "depth_cents", "resting_share"),
    "Slippage against benchmark prices, cents per share filled": (
        "vwap_slippage_cents",
        "twap_slippage_cents",
        "close_slippage_cents",
    ),
    "Impact, cents: positive is with the order, against whoever trades it": (
        "peak_impact_cents",
        "permanent_impact_cents",
        "temporary_impact_cents",
        "reversal_cents",
    ),
    "Markouts, cents per share filled": (
        "markout_1s_cents",
        "markout_10s_cents",
        "markout_60s_cents",
        "markout_300s_cents",
    ),
    "How it traded: shares of one, seconds, shares": (
        "completion",
        "participation",
        "limit_fill_ratio",
        "queue_time_s",
        "queue_ahead_shares",
    ),
}
"""The tables of a comparison: title and metrics of each. What the summary shows of costs is not repeated."""


def comparison_tables(found: Mapping[str, Any]) -> list[TextTable]:
    """Return a table for each of `GROUPS`: a row a strategy, means over seeds with 95 % intervals.

    Args:
        found: As `summarise_metrics` returns it.
    """
    made = []
    for title, names in GROUPS.items():
        header = ("strategy", *(f"{_label(name)} [95 %]" for name in names))
        rows = tuple(
            (strategy, *(_mean(name, own[name]) for name in names)) for strategy, own in found["strategies"].items()
        )
        made.append(TextTable(title, header, rows))
    return made


def metrics_table(found: Mapping[str, Any], strategy: str, reference: str) -> TextTable:
    """Return every metric of one strategy, and its paired difference from the reference.

    Args:
        found: As `summarise_metrics` returns it.
        strategy: The strategy.
        reference: The first strategy of the comparison.
    """
    own = found["strategies"][strategy]
    pair = found["paired"].get(pair_name(strategy, reference), {})
    header = ["metric", "mean [95 %]", "n", *([f"minus {reference} [95 %]", "pairs"] if pair else []), "unit", "sign"]
    rows = []
    for name, one in METRICS.items():
        row = [_label(name), _mean(name, own[name]), count(own[name]["n"])]
        if pair:
            row += [with_interval(pair[name], _digits(name)), count(pair[name]["n"])]
        rows.append((*row, one.unit, one.sign))
    return TextTable(f"{strategy}: every metric", tuple(header), tuple(rows))


def _mean(name: str, entry: Mapping[str, Any]) -> str:
    """Write a mean with its interval; only what can be below zero has a sign."""
    return with_interval(entry, _digits(name), signed="cents" in METRICS[name].unit)


def _label(name: str) -> str:
    return name.removesuffix("_cents").removesuffix("_shares").removesuffix("_s").replace("_", " ")


def _digits(name: str) -> int:
    return 3 if METRICS[name].unit == "share of one" else 2
