"""Synthetic run records: made up, not simulated, for tests and for a notebook without a run to read.

The numbers follow a random walk with an invented impact. They obey every rule of the tables (costs add up, rows are
sorted, quantities balance) and say nothing about any market.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.costs import costs_of_fills
from analysis.records import concat_tables
from analysis.records import read_frame
from analysis.records import table_path
from analysis.schema import SIDES
from analysis.schema import make_table
from analysis.tables import source_line

SECOND = 1_000_000_000
START = pd.Timestamp("2021-02-05 09:35:00").value
SAMPLE_STRATEGIES = ("twap", "passive", "aggressive")


def sample_tables(
    strategies: Sequence[str] = SAMPLE_STRATEGIES,
    seeds: Sequence[int] = range(6),
    *,
    sides: Sequence[str] = SIDES,
    quantity: int = 20_000,
    window_s: int = 1_800,
    interval_s: int = 10,
    left: int = 0,
) -> dict[str, pa.Table]:
    """Make up the five record tables of a comparison; the same arguments give the same tables.

    Args:
        strategies: Names; the first trades evenly over the window, each further one half as fast again; the second
            rests part of its orders.
        seeds: Seeds of the made-up markets.
        sides: Sides of the parent orders.
        quantity: Shares of a parent order.
        window_s: Length of the window, seconds.
        interval_s: Seconds between decisions.
        left: Shares that every strategy but the first leaves unfilled.

    Returns:
        The tables by name, as declared in `analysis.schema` and sorted.
    """
    parts: dict[str, list[pa.Table]] = {}
    for rank, strategy in enumerate(strategies):
        for seed in seeds:
            for side in sides:
                target = quantity - (left if rank else 0)
                key = {"strategy": strategy, "seed": seed, "side": side}
                for name, table in _episode(key, rank, quantity, target, window_s, interval_s).items():
                    parts.setdefault(name, []).append(table)
    return {name: concat_tables(name, tables) for name, tables in parts.items()}


@dataclass(frozen=True, slots=True)
class RunData:
    """Records to look at, and where they come from.

    Attributes:
        label: One sentence that says which data these are; it says so if they are synthetic.
        strategies: Strategies in order, the reference first.
        tables: Frames by name: episodes, fills.
    """

    label: str
    strategies: tuple[str, ...]
    tables: dict[str, pd.DataFrame]


def run_or_sample(folder: Path | str) -> RunData:
    """Read a run's records if the folder is a finished run, and make up synthetic ones if it is not."""
    folder = Path(folder)
    names = ("episodes", "fills")
    if (folder / "summary.json").is_file() and all(table_path(folder, name).is_file() for name in names):
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        label = f"Data of the run {folder.resolve().name}: {source_line(summary)}"
        return RunData(label, tuple(summary["strategies"]), {name: read_frame(folder, name) for name in names})
    made = sample_tables()
    label = (
        f"SYNTHETIC data: {folder.name} is no finished run, so these records are made up by analysis.sample."
        " They show the method and say nothing about any market."
    )
    return RunData(label, SAMPLE_STRATEGIES, {name: made[name].to_pandas() for name in names})


def sample_validity(seeds: Sequence[int], invalid: Sequence[int] = ()) -> pd.DataFrame:
    """Make up the `validity` table, with the given seeds invalid."""
    bad = [seed in set(invalid) for seed in seeds]
    return pd.DataFrame(
        {
            "seed": list(seeds),
            "valid": [not b for b in bad],
            "reason": ["two_sided 0.41 < 0.95" if b else "" for b in bad],
            "two_sided": [0.41 if b else 1.0 for b in bad],
            "makers_alive": [0 if b else 2 for b in bad],
            "volume": 60_000,
            "discarded": 0,
        }
    )


def _episode(
    key: dict[str, Any], rank: int, quantity: int, target: int, window_s: int, interval_s: int
) -> dict[str, pa.Table]:
    sign = 1 if key["side"] == "buy" else -1
    rng = np.random.default_rng([key["seed"], rank, sign + 1])
    decisions = np.arange(0, window_s, interval_s)
    schedule = np.minimum(1.0, np.arange(1, len(decisions) + 1) / len(decisions) * (1 + 0.5 * rank))
    filled_after = np.rint(schedule * target).astype("int64")
    sizes = np.diff(filled_after, prepend=0)
    filled_before = filled_after - sizes
    # The path is shared by the strategies of a seed, up to each one's own noise and the pressure of its order.
    walk = np.random.default_rng([key["seed"], 7]).normal(0, 0.7, window_s + 2).cumsum()
    own = rng.normal(0, 0.25, window_s + 2).cumsum()
    at = np.minimum(np.arange(window_s + 2) // interval_s, len(decisions) - 1)
    pressure = sign * 18.0 * filled_after[at] / quantity
    mid2 = np.rint(2 * (10_000_000 / 100 + walk + own + pressure)).astype("int64")
    spread2 = np.where(rng.random(window_s + 2) < 0.7, 1, 2) + (mid2 % 2 == 0)
    bid = (mid2 - spread2) // 2
    ask = mid2 - bid
    sent = decisions[sizes > 0]
    number = np.flatnonzero(sizes > 0)
    match_s = sent + 1
    passive = rng.random(len(sent)) < (0.6 if rank == 1 else 0.0)
    taking = np.where(sign > 0, ask[match_s], bid[match_s])
    making = np.where(sign > 0, bid[match_s], ask[match_s])
    price = np.where(passive, making, taking + sign * (sizes[number] > 150) * rank)
    ids = np.arange(len(sent))
    fills = pd.DataFrame(
        {
            **key,
            "fill_id": ids,
            "order_id": ids,
            "decision": number,
            "time_ns": START + match_s * SECOND + rng.integers(0, SECOND // 2, len(sent)),
            "price_cents": price,
            "quantity": sizes[number],
            "passive": passive,
            "mid2_before": mid2[match_s],
            "mid2_decision": mid2[sent],
            "arrival_mid2": mid2[0],
            "one_sided": False,
        }
    )
    orders = pd.DataFrame(
        {
            **key,
            "order_id": ids,
            "decision": number,
            "kind": np.where(passive, "limit", "market"),
            "quantity": sizes[number],
            "limit_price": np.where(passive, price, -1),
            "submitted_ns": START + sent * SECOND,
            "accepted_ns": START + sent * SECOND + 100_000,
            "done_ns": fills["time_ns"],
            "filled": sizes[number],
            "cancelled": 0,
            "queue_ahead": np.where(passive, 100, -1),
        }
    )
    seen = pd.DataFrame(
        {
            **key,
            "decision": np.arange(len(decisions)),
            "time_ns": START + decisions * SECOND,
            "filled": filled_before,
            "resting": 0,
            "bid": bid[decisions],
            "ask": ask[decisions],
            "mid2": mid2[decisions],
            "action": -1,
            "market_quantity": sizes,
            "limit_quantity": 0,
            "limit_price": -1,
            "cancel": False,
        }
    )
    market = _market(key, window_s, bid, ask, fills, sign, rng)
    base = pd.DataFrame(
        {**key, "quantity": quantity, "arrival_ns": START, "arrival_mid2": mid2[0], "end_mid2": mid2[window_s]},
        index=[0],
    ).assign(end_ns=START + window_s * SECOND)
    costs = costs_of_fills(fills, base)
    complete = target == quantity
    last = (int(fills["time_ns"].max()) - START) / (window_s * SECOND)
    episode = base.merge(costs, on=["strategy", "seed", "side"]).assign(
        completion=target / quantity,
        finish_fraction=min(1.0, last) if complete else 1.0,
        two_sided=1.0,
        volume=int(market["volume"].max()),
        child_orders=len(orders),
        fills=len(fills),
    )
    frames = {"episodes": episode, "decisions": seen, "orders": orders, "fills": fills, "market": market}
    return {name: make_table(name, frame) for name, frame in frames.items()}


def _market(
    key: dict[str, Any],
    window_s: int,
    bid: np.ndarray,
    ask: np.ndarray,
    fills: pd.DataFrame,
    sign: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Make up the grid of every second, background trades and the own fills as trades."""
    seconds = np.arange(window_s + 1)
    trade_s = np.sort(rng.choice(seconds[1:], size=window_s // 3, replace=False))
    aggressor = rng.choice([-1, 1], size=len(trade_s))
    own_s = ((fills["time_ns"] - START) // SECOND).to_numpy()
    own_aggressor = np.where(fills["passive"], -sign, sign)
    rows = pd.DataFrame(
        {
            "second": np.concatenate([seconds, trade_s, own_s]),
            "time_ns": np.concatenate(
                [START + seconds * SECOND, START + trade_s * SECOND + SECOND // 3, fills["time_ns"].to_numpy()]
            ),
            "event": ["grid"] * len(seconds) + ["trade"] * (len(trade_s) + len(own_s)),
            "price": np.concatenate(
                [
                    np.full(len(seconds), -1),
                    np.where(aggressor > 0, ask[trade_s], bid[trade_s]),
                    fills["price_cents"].to_numpy(),
                ]
            ),
            "quantity": np.concatenate(
                [np.zeros(len(seconds), "int64"), rng.integers(1, 120, len(trade_s)), fills["quantity"].to_numpy()]
            ),
            "aggressor": np.concatenate([np.zeros(len(seconds), "int64"), aggressor, own_aggressor]),
        }
    ).sort_values(["time_ns", "event"], kind="stable", ignore_index=True)
    depth = 750 + 120 * np.sin(np.arange(window_s + 2) / 90) + rng.normal(0, 40, window_s + 2)
    second = rows.pop("second").to_numpy()
    return rows.assign(
        **key,
        bid=bid[second],
        ask=ask[second],
        bid_size=190,
        ask_size=190,
        bid_depth=depth[second].astype("int64"),
        ask_depth=depth[::-1][second].astype("int64"),
        volume=rows["quantity"].cumsum(),
        notional_cents=(rows["quantity"] * rows["price"]).cumsum(),
    )
