"""Features: what a policy sees, computed from raw views, one row a market.

Prices, returns and imbalances are signed by the side of the parent order, so that one policy can buy and sell: a value
has the same meaning for both when the market is mirrored.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.views import PAST_MIDS
from agents.views import Rows
from configs import ConfigError

Floats = NDArray[np.float32]
SECOND = 1_000_000_000
DEPTH_SCALE = 5.0
"""Depths are log10(1 + shares) / 5: 100 shares are 0.4, 100 000 shares 1."""


@dataclass(frozen=True)
class Feature:
    """One number of the observation.

    Attributes:
        formula: How it is computed, with its unit.
        low: Least value; smaller ones are cut.
        high: Largest value; larger ones are cut.
        compute: From rows `(N,)` to values `(N,)`.
    """

    formula: str
    low: float
    high: float
    compute: Callable[[Rows], NDArray[Any]]


def _imbalance(levels: int) -> Callable[[Rows], NDArray[Any]]:
    def compute(rows: Rows) -> NDArray[Any]:
        bids = rows["bid_size"][:, :levels].sum(axis=1)
        asks = rows["ask_size"][:, :levels].sum(axis=1)
        return rows["side"] * (bids - asks) / np.maximum(bids + asks, 1)

    return compute


def _depth(own: bool, levels: int | None) -> Callable[[Rows], NDArray[Any]]:
    def compute(rows: Rows) -> NDArray[Any]:
        if levels is None:
            bids, asks = rows["bid_total"], rows["ask_total"]
        else:
            bids, asks = rows["bid_size"][:, :levels].sum(axis=1), rows["ask_size"][:, :levels].sum(axis=1)
        shares = np.where((rows["side"] > 0) == own, bids, asks)
        return np.log10(1 + shares) / DEPTH_SCALE

    return compute


def _spread(rows: Rows) -> NDArray[Any]:
    bid, ask = rows["bid_price"][:, 0], rows["ask_price"][:, 0]
    return np.where((bid < 0) | (ask < 0), 100.0, ask - bid) / 10


def _against_arrival(own: bool) -> Callable[[Rows], NDArray[Any]]:
    def compute(rows: Rows) -> NDArray[Any]:
        price = np.where((rows["side"] > 0) == own, rows["bid_price"][:, 0], rows["ask_price"][:, 0])
        away = rows["side"] * (2 * price - rows["arrival2"]) / rows["arrival2"] * 1e4
        return np.where(price < 0, 0.0, away)

    return compute


def _return(decisions: int) -> Callable[[Rows], NDArray[Any]]:
    def compute(rows: Rows) -> NDArray[Any]:
        return rows["side"] * (rows["mid2"] - rows["mid2_past"][:, decisions - 1]) / rows["arrival2"] * 1e4

    return compute


def _direction(rows: Rows) -> NDArray[Any]:
    return rows["side"] * (rows["mid2"] / 2 - rows["last_trade"])


def _slice(rows: Rows) -> NDArray[Any]:
    return rows["parent"] * rows["interval"] / rows["window"]


def _resting_distance(rows: Rows) -> NDArray[Any]:
    own_best = np.where(rows["side"] > 0, rows["bid_price"][:, 0], rows["ask_price"][:, 0])
    known = (rows["resting_price"] >= 0) & (own_best >= 0)
    return np.where(known, rows["side"] * (own_best - rows["resting_price"]), 0.0)


FEATURES: dict[str, Feature] = {
    "inventory": Feature("left / parent", 0, 1, lambda r: r["left"] / r["parent"]),
    "time": Feature("elapsed / window", 0, 1, lambda r: r["elapsed"] / r["window"]),
    "schedule_deviation": Feature(
        "filled / parent − elapsed / window", -1, 1, lambda r: r["filled"] / r["parent"] - r["elapsed"] / r["window"]
    ),
    **{
        f"imbalance_{n}": Feature(
            f"side · (bid − ask) / (bid + ask) shares of the {n} best levels; 0 if there are none",
            -1,
            1,
            _imbalance(n),
        )
        for n in range(1, 6)
    },
    **{
        f"{whose}_depth_{name}": Feature(
            f"log10(1 + shares of {what} on the {whose} side of the parent order) / 5",
            0,
            2,
            _depth(whose == "own", levels),
        )
        for whose in ("own", "opposite")
        for name, what, levels in (
            ("1", "the best level", 1),
            ("5", "the five best levels", 5),
            ("total", "all visible levels", None),
        )
    },
    "spread": Feature("(best ask − best bid) / 10 cents; 10 if a side is empty", 0, 10, _spread),
    **{
        f"{whose}_best": Feature(
            f"side · (best price of the {whose} side − arrival) / arrival, basis points; 0 if there is none",
            -50,
            50,
            _against_arrival(whose == "own"),
        )
        for whose in ("own", "opposite")
    },
    **{
        f"return_{n}": Feature(
            f"side · (mid − mid {n} decision{'s' if n > 1 else ''} ago) / arrival, basis points", -50, 50, _return(n)
        )
        for n in range(1, PAST_MIDS + 1)
    },
    "direction": Feature("side · (mid − last trade), cents", -20, 20, _direction),
    "resting": Feature(
        "own resting shares / shares of an even schedule in one interval", 0, 10, lambda r: r["resting"] / _slice(r)
    ),
    "resting_distance": Feature(
        "side · (own side's best − own resting price), cents; 0 without a resting order", -20, 20, _resting_distance
    ),
}
"""Every feature by name."""


class Observer:
    """Makes observations of raw views and remembers the last ones of each market.

    Args:
        features: Names of `FEATURES`, in the order of the observation.
        history: Number of decisions stacked, oldest first; before the first, it is repeated.
        markets: Number of markets N.

    Raises:
        ConfigError: If a name is not a feature.

    Attributes:
        low: Least observation, float32, shape `(F · history,)`.
        high: Largest observation.
        names: Name of each element; earlier decisions carry a suffix `@-k`.
    """

    def __init__(self, features: Sequence[str], history: int = 1, markets: int = 1) -> None:
        for name in features:
            if name not in FEATURES:
                raise ConfigError(f"unknown feature {name!r}; allowed: {', '.join(FEATURES)}")
        self._features = [FEATURES[name] for name in features]
        self._low = np.array([feature.low for feature in self._features], dtype=np.float32)
        self._high = np.array([feature.high for feature in self._features], dtype=np.float32)
        self._memory = np.zeros((markets, history, len(features)), dtype=np.float32)
        self._fresh = np.ones(markets, dtype=bool)
        self.low = np.tile(self._low, history)
        self.high = np.tile(self._high, history)
        self.names = [name + (f"@-{age}" if age else "") for age in reversed(range(history)) for name in features]

    def reset(self, markets: NDArray[np.bool_] | None = None) -> None:
        """Forget the past of the marked markets, by default of all."""
        self._fresh[... if markets is None else markets] = True

    def observe(self, rows: Rows) -> Floats:
        """Return the observations `(N, F · history)` of rows `(N,)`, cut to their ranges, and remember them."""
        now = np.stack([feature.compute(rows) for feature in self._features], axis=1).astype(np.float32)
        np.clip(now, self._low, self._high, out=now)
        self._memory[:, :-1] = self._memory[:, 1:]
        self._memory[:, -1] = now
        if self._fresh.any():
            self._memory[self._fresh] = now[self._fresh, None, :]
            self._fresh[:] = False
        return self._memory.reshape(len(rows), -1).copy()
