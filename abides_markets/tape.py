"""The tape of a market: every trade with the mid just before it, every change of the best quotes, watched orders.

A book writes on the tape that is attached to it (`book.tape`); without one nothing is recorded. Mids are integers of
half a cent: best bid + best ask.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from abides_core.utils import NanosecondTime
from abides_markets.orders import LimitOrder
from abides_markets.orders import Order
from abides_markets.orders import Side

if TYPE_CHECKING:
    from abides_markets.order_book import OrderBook

Rows = NDArray[np.int64]


class Trade(NamedTuple):
    """One execution.

    Attributes:
        time: ns since the epoch.
        price: Cents.
        quantity: Shares.
        aggressor_sign: +1 if the incoming order bought, −1 if it sold.
        passive_agent: Id of the agent whose order rested.
        aggressor_agent: Id of the agent whose order came in.
        passive_order_id: Id of the resting order.
        aggressor_order_id: Id of the incoming order.
        mid2: Twice the mid just before the incoming order, half cents; the last two-sided one if a side was empty.
        one_sided: Whether a side was empty just before the incoming order.
    """

    time: NanosecondTime
    price: int
    quantity: int
    aggressor_sign: int
    passive_agent: int
    aggressor_agent: int
    passive_order_id: int
    aggressor_order_id: int
    mid2: int
    one_sided: bool


class Quote(NamedTuple):
    """The visible book after a change of best quotes or depth.

    Attributes:
        time: ns since the epoch.
        bid: Best bid, cents; −1 if there is none.
        bid_size: Shares at the best bid.
        ask: Best ask, cents; −1 if there is none.
        ask_size: Shares at the best ask.
        bid_depth: All visible shares to buy.
        ask_depth: All visible shares to sell.
    """

    time: NanosecondTime
    bid: int
    bid_size: int
    ask: int
    ask_size: int
    bid_depth: int
    ask_depth: int


TIME, BID, ASK = (Quote._fields.index(name) for name in ("time", "bid", "ask"))


class MarketTape:
    """Trades, quotes and the queue positions of one agent's orders, in order of time.

    Trades and quotes are there as objects, to read one by one, and as rows of whole numbers, to compute with. A book
    records objects; the compiled engine hands over rows, and the objects are made when they are first looked at.

    Args:
        watched_agent: Id of the agent whose resting orders are noted with the shares ahead of them.

    Attributes:
        queue_ahead: Visible shares ahead of each watched order when it came to rest, by order id.
        accepted: Time at which each watched order came to rest, by order id.
        mid2: Twice the latest two-sided mid, half cents; −1 before the first.
        one_sided: Whether a side is empty now.
    """

    def __init__(self, watched_agent: int | None = None) -> None:
        self.watched_agent = watched_agent
        self.queue_ahead: dict[int, int] = {}
        self.accepted: dict[int, NanosecondTime] = {}
        self.mid2 = -1
        self.one_sided = True
        self._trades: list[Trade] | Rows = []
        self._quotes: list[Quote] | Rows = []
        self._last: tuple[int, ...] = ()

    @property
    def trades(self) -> list[Trade]:
        """Every execution."""
        if isinstance(self._trades, np.ndarray):
            self._trades = [Trade._make((*row, bool(one_sided))) for *row, one_sided in self._trades.tolist()]
        return self._trades

    @property
    def quotes(self) -> list[Quote]:
        """Every change of a best quote, its size, or a side's depth."""
        if isinstance(self._quotes, np.ndarray):
            self._quotes = [Quote._make(row) for row in self._quotes.tolist()]
        return self._quotes

    def trade_rows(self) -> Rows:
        """Return the trades as int64, shape `(T, 10)`, the columns as the fields of `Trade`."""
        return _rows_of(self._trades, Trade)

    def quote_rows(self) -> Rows:
        """Return the quotes as int64, shape `(Q, 7)`, the columns as the fields of `Quote`."""
        return _rows_of(self._quotes, Quote)

    def replace(self, trades: Rows, quotes: Rows) -> None:
        """Put trades and quotes, as `trade_rows` and `quote_rows` return them, in place of what the tape held."""
        self._trades, self._quotes = trades, quotes

    def copy(self) -> MarketTape:
        """Return a tape of its own with the same on it."""
        other = copy.copy(self)
        other.__dict__.update({name: copy.copy(value) for name, value in self.__dict__.items()})
        return other

    def record_trade(self, time: NanosecondTime, matched: LimitOrder, incoming: Order) -> None:
        """Note an execution of `incoming` against `matched`, before the quotes of its event are noted."""
        assert matched.fill_price is not None
        self.trades.append(
            Trade(
                time,
                matched.fill_price,
                matched.quantity,
                1 if incoming.side is Side.BID else -1,
                matched.agent_id,
                incoming.agent_id,
                matched.order_id,
                incoming.order_id,
                self.mid2,
                self.one_sided,
            )
        )

    def record_entry(self, time: NanosecondTime, order: LimitOrder, ahead: int) -> None:
        """Note that an order came to rest behind `ahead` visible shares."""
        if order.agent_id == self.watched_agent:
            self.queue_ahead[order.order_id] = ahead
            self.accepted[order.order_id] = time

    def record_quotes(self, time: NanosecondTime, book: OrderBook) -> None:
        """Note the best quotes after an event, if they or the depth changed."""
        bid = book.get_l1_bid_data()
        ask = book.get_l1_ask_data()
        bid_price, bid_size = bid or (-1, 0)
        ask_price, ask_size = ask or (-1, 0)
        depth = book.visible_depth
        state = (bid_price, bid_size, ask_price, ask_size, depth[0], depth[1])
        if state == self._last:
            return
        self._last = state
        self.one_sided = bid is None or ask is None
        if not self.one_sided:
            self.mid2 = bid_price + ask_price
        self.quotes.append(Quote(time, *state))

    def mid2_at(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return twice the last two-sided mid at or before each time, half cents; the first one before it.

        Args:
            times: ns since the epoch, any shape.

        Raises:
            ValueError: If the book has never been two-sided.
        """
        quotes = self.quote_rows()
        both = quotes[(quotes[:, BID] >= 0) & (quotes[:, ASK] >= 0)]
        if not len(both):
            raise ValueError("the book has never been two-sided: there is no mid")
        at = np.maximum(np.searchsorted(both[:, TIME], times, side="right") - 1, 0)
        mids2: NDArray[np.int64] = both[at, BID] + both[at, ASK]
        return mids2


def _rows_of(of: Sequence[tuple[int, ...]] | Rows, kind: type[Trade] | type[Quote]) -> Rows:
    if isinstance(of, np.ndarray):
        return of
    return np.array(of, dtype=np.int64).reshape(-1, len(kind._fields))
