"""The page that plays a recorded episode: one HTML file that needs nothing else, `experiments.watch` writes it.

A step is a decision; the last one is the end of the window, with every fill counted. All numbers of a step come from
the record tables, but for the levels of the book, the features and the values of actions, which the tables do not hold.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from markupsafe import Markup

from analysis.costs import fill_contributions
from analysis.costs import sign_of
from analysis.files import write_bytes
from analysis.pages import template

TEMPLATE = "watch.html.j2"
LEVELS = 10
"""Levels a side on the ladder."""
_MILLISECOND = 1_000_000
_TAKEN = ["market_quantity", "limit_quantity", "limit_price", "cancel", "action"]


@dataclass(frozen=True, slots=True)
class Look:
    """What a strategy saw at one decision and the tables do not hold.

    Attributes:
        bids: Levels to buy, `(price in cents, shares)`, best first.
        asks: Levels to sell, best first.
        resting_price: Best price of the own resting orders, cents; −1 without any.
        features: The observation's features at this decision.
        values: The value of each action under the policy; None without one.
    """

    bids: Sequence[tuple[int, int]]
    asks: Sequence[tuple[int, int]]
    resting_price: int
    features: Sequence[float]
    values: Sequence[float] | None


def recording(
    tables: Mapping[str, pa.Table], looks: Sequence[Look], features: Sequence[str], actions: Sequence[str]
) -> dict[str, Any]:
    """Put together what the page plays.

    Args:
        tables: The record tables of one episode.
        looks: One for each row of `decisions`.
        features: Names of the features.
        actions: Names of the actions; none where the strategy has none.

    Returns:
        JSON values. Times are milliseconds since the start of the window, prices cents, costs cents per share of the
        parent order; `steps` is one longer than `looks`, its last being the end of the window.
    """
    frames = {name: table.to_pandas() for name, table in tables.items()}
    episode = frames["episodes"].iloc[0]
    decisions, fills, market = frames["decisions"], frames["fills"], frames["market"]
    market = market[market["time_ns"] <= episode["end_ns"]]
    start, end = int(market["time_ns"].iloc[0]), int(episode["end_ns"])
    trades, grid = market[market["event"] == "trade"], market[market["event"] == "grid"]
    last = grid.iloc[-1]

    times = np.append(decisions["time_ns"].to_numpy(), end)
    mids2 = np.append(decisions["mid2"].to_numpy(), episode["end_mid2"])
    # Fills confirmed between the end of the window and the end of the settlement belong to the last step.
    known_until = np.append(times[:-1], np.iinfo(np.int64).max)
    spent = fill_contributions(fills, frames["episodes"])

    def until(values: pd.Series[Any]) -> np.ndarray:
        """Add up a value of each fill up to each step."""
        sums = np.concatenate([[0], np.cumsum(values.to_numpy())])
        return np.asarray(sums[np.searchsorted(spent["time_ns"].to_numpy(), known_until, side="right")])

    quantity, arrival2 = int(episode["quantity"]), int(episode["arrival_mid2"])
    sign = int(sign_of(frames["episodes"]["side"]).iloc[0])
    left = quantity - until(spent["quantity"])
    opportunity = left * sign * (arrival2 - mids2) / 2 / quantity
    return {
        "strategy": episode["strategy"],
        "seed": int(episode["seed"]),
        "side": episode["side"],
        "quantity": quantity,
        "arrival": arrival2 / 2,
        "start": pd.Timestamp(start).strftime("%H:%M:%S"),
        "window": (end - start) // _MILLISECOND,
        "features": list(features),
        "actions": list(actions),
        "steps": {
            "time": _milliseconds(times, start),
            "left": left.tolist(),
            "mid": (mids2 / 2).tolist(),
            "execution": _rounded(until(spent["execution_cents"])),
            "drift": _rounded(until(spent["drift_cents"])),
            "opportunity": _rounded(opportunity),
            "resting": [*decisions["resting"].tolist(), 0],
        },
        "decisions": decisions[_TAKEN]
        .rename(columns={"market_quantity": "market", "limit_quantity": "limit"})
        .to_dict("records"),
        "looks": [
            {
                "bids": [list(level) for level in look.bids[:LEVELS]],
                "asks": [list(level) for level in look.asks[:LEVELS]],
                "own": look.resting_price,
                "features": _rounded(look.features),
                "values": None if look.values is None else _rounded(look.values),
            }
            for look in looks
        ]
        + [{"bids": _level(last, "bid"), "asks": _level(last, "ask"), "own": -1, "features": [], "values": None}],
        "path": {
            "time": _milliseconds(grid["time_ns"].to_numpy(), start),
            "mid": [
                (bid + ask) / 2 if bid >= 0 and ask >= 0 else None
                for bid, ask in zip(grid["bid"].tolist(), grid["ask"].tolist(), strict=True)
            ],
        },
        "trades": {
            "time": _milliseconds(trades["time_ns"].to_numpy(), start),
            "price": trades["price"].tolist(),
            "quantity": trades["quantity"].tolist(),
            "aggressor": trades["aggressor"].tolist(),
            "own": _own(trades, fills, sign),
        },
    }


def write_page(path: Path, found: Mapping[str, Any], source: str) -> Path:
    """Write the page of a recording atomically.

    Args:
        path: The HTML file; one that is there is replaced.
        found: The recording.
        source: Where it comes from, for the line below the title.
    """
    # As JSON in a script element, nothing may end that element early.
    data = Markup(json.dumps(found, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"))
    title = f"{found['strategy']}, seed {found['seed']}, {found['side']}"
    return write_bytes(path, template(TEMPLATE).render(title=title, source=source, data=data).encode())


def _milliseconds(times: np.ndarray, start: int) -> list[float]:
    return [(time - start) / _MILLISECOND for time in times.tolist()]


def _rounded(values: Sequence[float] | np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def _level(row: pd.Series[Any], side: str) -> list[list[int]]:
    """Return the best level of a row of the market's grid."""
    return [[int(row[side]), int(row[f"{side}_size"])]] if row[side] >= 0 else []


def _own(trades: pd.DataFrame, fills: pd.DataFrame, sign: int) -> list[bool]:
    """Tell the own trades among all: those with the time, price and size of a fill, taken from the same side."""
    columns = ["time_ns", "price_cents", "quantity"]
    aggressors = np.where(fills["passive"], -sign, sign).tolist()
    waiting = Counter(zip(*(fills[name].tolist() for name in columns), aggressors, strict=True))
    columns = ["time_ns", "price", "quantity", "aggressor"]
    found = []
    for key in zip(*(trades[name].tolist() for name in columns), strict=True):
        found.append(waiting[key] > 0)
        waiting[key] -= 1
    return found
