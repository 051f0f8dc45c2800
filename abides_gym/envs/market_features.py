"""What the market environments show of the books of their buffered raw states."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

import abides_markets.agents.utils as markets_agent_utils

LARGEST = float(np.finfo(np.float32).max)
"""Bound of a feature without one of its own."""


@dataclass(frozen=True)
class MarketFeatures:
    """The market at a decision, prices in cents.

    Attributes:
        bids: Levels to buy, best first.
        asks: Levels to sell, best first.
        last_transaction: The last trade, `None` before it is known.
        mid: The mid; of a one-sided book its best price, of an empty one the last trade, `None` before that is known.
        spread: Best ask less best bid, the mid standing for a missing side.
        direction: The mid less the last trade; 0 before both are known.
        returns: Differences of the mids of the buffered raw states, newest last, zeros before the first.
    """

    bids: Sequence[tuple[int, int]]
    asks: Sequence[tuple[int, int]]
    last_transaction: int | None
    mid: float | None
    spread: float
    direction: float
    returns: list[float]

    @classmethod
    def of(cls, market_data: Mapping[str, Sequence[Any]], history: int) -> MarketFeatures:
        """Read them off the market data of the buffered raw states (lists by key, newest last).

        Args:
            market_data: `bids`, `asks` and `last_transaction` of each raw state.
            history: Raw states that the buffer holds when it is full; there is one return less.
        """
        books = list(zip(market_data["bids"], market_data["asks"], market_data["last_transaction"], strict=True))
        bids, asks, last = books[-1]
        mids = [mid for book in books if (mid := markets_agent_utils.get_mid_price(*book)) is not None]
        mid = markets_agent_utils.get_mid_price(bids, asks, last)
        changes = [later - earlier for earlier, later in pairwise(mids)]
        return cls(
            bids=bids,
            asks=asks,
            last_transaction=last,
            mid=mid,
            spread=best(asks, mid) - best(bids, mid) if bids or asks else 0.0,
            direction=mid - last if mid is not None and last is not None else 0.0,
            returns=[0.0] * (history - 1 - len(changes)) + changes,
        )


def best(levels: Sequence[tuple[int, int]], otherwise: Any) -> Any:
    """Return the best price of one side of a book, or what is to stand for it if the side is empty."""
    return levels[0][0] if levels else otherwise


def box(*bounds: tuple[float, float], unbounded: int) -> spaces.Box:
    """Return the space of observations: a column of features.

    Args:
        bounds: Least and largest value of the first features.
        unbounded: How many features without bounds follow.
    """
    low, high = np.array([*bounds, *[(-LARGEST, LARGEST)] * unbounded], dtype=np.float32).T
    return spaces.Box(low.reshape(-1, 1), high.reshape(-1, 1), dtype=np.float32)


def observation(features: Sequence[float], space: spaces.Box) -> NDArray[np.float32]:
    """Return features as an observation of a space, cut to its bounds."""
    column = np.array(features, dtype=np.float64).reshape(-1, 1)
    return np.clip(column, space.low, space.high).astype(np.float32)
