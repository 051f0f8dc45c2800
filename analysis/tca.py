"""Transaction-cost analysis of a run: every metric of every episode, by strategy and paired, with intervals.

The metrics are those of `analysis.metrics`. A run is read strategy by strategy, so that its market records need not fit
into memory all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.episode_records import EpisodeRecords
from analysis.metrics import METRICS
from analysis.metrics import compute_metrics
from analysis.records import RecordsError
from analysis.records import read_frame
from analysis.stats import estimate
from analysis.stats import per_seed
from analysis.summary import pair_name

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
    return pd.concat(parts, ignore_index=True)


def _metrics_of(folder: Path, strategy: str) -> pd.DataFrame:
    only = [("strategy", "=", strategy)]
    tables = {name: read_frame(folder, name, filters=only) for name in ("episodes", "orders", "fills")}
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
