"""What an execution agent sees at a decision: the raw view, before any feature is made of it.

A view belongs to one market. Features, actions and rewards are computed from rows of `VIEW`, one row a market, so that
one market and thousands go through the same code.
"""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from abides_markets.compiled.layout import VIEW_LEVELS
from abides_markets.compiled.layout import VIEW_PAST

LEVELS = VIEW_LEVELS
"""Price levels a side in a row."""
PAST_MIDS = VIEW_PAST
"""Mids of earlier decisions in a row."""

VIEW = np.dtype(
    [
        ("elapsed", np.int64),
        ("window", np.int64),
        ("interval", np.int64),
        ("side", np.int64),
        ("parent", np.int64),
        ("filled", np.int64),
        ("left", np.int64),
        ("resting", np.int64),
        ("resting_price", np.int64),
        ("arrival2", np.int64),
        ("mid2", np.int64),
        ("last_trade", np.int64),
        ("bid_price", np.int64, (LEVELS,)),
        ("bid_size", np.int64, (LEVELS,)),
        ("ask_price", np.int64, (LEVELS,)),
        ("ask_size", np.int64, (LEVELS,)),
        ("bid_total", np.int64),
        ("ask_total", np.int64),
        ("volume", np.int64),
        ("mid2_past", np.int64, (PAST_MIDS,)),
    ]
)
"""One market's raw view: times in ns, prices in cents (−1 where there is none), mids in half cents, sizes in shares."""

Rows = NDArray[Any]
WORD = np.dtype(np.int64)
Level = tuple[int, int]


def words_of(rows: Rows) -> NDArray[np.int64]:
    """Return rows `(N,)` of whole-number fields as words `(N, fields)`, for compiled code; the memory is shared."""
    words = rows.base
    # Rows that are the whole of an array of words: that array. NumPy would look at every field before it makes a view.
    if (
        words is not None
        and words.dtype is WORD
        and words.ndim == 2
        and len(words) == len(rows)
        and words.nbytes == rows.nbytes
        and rows.strides[0] > 0
    ):
        return words
    return rows.view(np.int64).reshape(len(rows), rows.dtype.itemsize // 8)


def copy_of(rows: Rows) -> Rows:
    """Return a copy of rows of `VIEW`; NumPy's own goes through them field by field."""
    return words_of(rows).copy().view(VIEW)[:, 0]


class Fill(NamedTuple):
    """An execution as its agent learns of it.

    Attributes:
        order_id: The child order.
        price: Cents.
        quantity: Shares.
    """

    order_id: int
    price: int
    quantity: int


class View(NamedTuple):
    """The raw view at one decision.

    Attributes:
        time: When the view arrived, ns since the epoch.
        decision: Number of the decision, from 0.
        elapsed: Time from the start of the window to this decision, ns.
        window: Length of the window, ns.
        interval: Time between decisions, ns.
        side: +1 if the parent order buys, −1 if it sells.
        parent: Shares of the parent order.
        filled: Shares filled so far.
        resting: Shares in own resting limit orders.
        resting_price: Best price of those, cents; −1 without any.
        arrival2: Twice the arrival price, half cents.
        mid2: Twice the mid, half cents; the last two-sided one if a side is empty.
        last_trade: Last trade, cents.
        bids: All visible levels to buy, `(price, shares)`, best first.
        asks: All visible levels to sell, best first.
        volume: Shares traded in the market during the last interval.
        mid2_past: `mid2` one, two and three decisions ago; the earliest known one before that.
        fills: Own executions since the last decision.
    """

    time: int
    decision: int
    elapsed: int
    window: int
    interval: int
    side: int
    parent: int
    filled: int
    resting: int
    resting_price: int
    arrival2: int
    mid2: int
    last_trade: int
    bids: list[Level]
    asks: list[Level]
    volume: int
    mid2_past: tuple[int, ...]
    fills: tuple[Fill, ...]

    @property
    def left(self) -> int:
        """Shares not yet filled."""
        return self.parent - self.filled

    @property
    def best_bid(self) -> int | None:
        """Best bid, cents, or `None`."""
        return self.bids[0][0] if self.bids else None

    @property
    def best_ask(self) -> int | None:
        """Best ask, cents, or `None`."""
        return self.asks[0][0] if self.asks else None

    @property
    def slice(self) -> float:
        """Shares that an even schedule trades in one interval."""
        return self.parent * self.interval / self.window

    def target(self, intervals: float = 1.0) -> int:
        """Return the cumulative shares of an even schedule, `intervals` decision intervals from now."""
        due = round(self.parent * (self.elapsed + intervals * self.interval) / self.window)
        return min(self.parent, due)

    def rows(self) -> Rows:
        """Return the view as one row of `VIEW`, shape `(1,)`."""
        rows = np.zeros(1, dtype=VIEW)
        bids, asks = self.bids[:LEVELS], self.asks[:LEVELS]
        absent = [(-1, 0)]
        padded_bids = bids + absent * (LEVELS - len(bids))
        padded_asks = asks + absent * (LEVELS - len(asks))
        rows[0] = (
            self.elapsed,
            self.window,
            self.interval,
            self.side,
            self.parent,
            self.filled,
            self.left,
            self.resting,
            self.resting_price,
            self.arrival2,
            self.mid2,
            self.last_trade,
            [price for price, _ in padded_bids],
            [size for _, size in padded_bids],
            [price for price, _ in padded_asks],
            [size for _, size in padded_asks],
            sum(size for _, size in self.bids),
            sum(size for _, size in self.asks),
            self.volume,
            self.mid2_past,
        )
        return rows
