"""The tape of a market: every trade with the mid just before it, every change of the best quotes, watched orders.

A book writes on the tape that is attached to it (`book.tape`); without one nothing is recorded. Mids are integers of
half a cent: best bid + best ask.
"""

from __future__ import annotations

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


class MarketTape:
    """Trades, quotes and the queue positions of one agent's orders, in order of time.

    Args:
        watched_agent: Id of the agent whose resting orders are noted with the shares ahead of them.

    Attributes:
        trades: Every execution.
        quotes: Every change of a best quote, its size, or a side's depth.
        queue_ahead: Visible shares ahead of each watched order when it came to rest, by order id.
        accepted: Time at which each watched order came to rest, by order id.
        mid2: Twice the latest two-sided mid, half cents; −1 before the first.
        one_sided: Whether a side is empty now.
    """

    def __init__(self, watched_agent: int | None = None) -> None:
        self.watched_agent = watched_agent
        self.trades: list[Trade] = []
        self.quotes: list[Quote] = []
        self.queue_ahead: dict[int, int] = {}
        self.accepted: dict[int, NanosecondTime] = {}
        self.mid2 = -1
        self.one_sided = True
        self._last: tuple[int, ...] = ()

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
        both = np.array([(q.time, q.bid + q.ask) for q in self.quotes if q.bid >= 0 and q.ask >= 0], dtype=np.int64)
        if not len(both):
            raise ValueError("the book has never been two-sided: there is no mid")
        found: NDArray[np.int64] = both[np.maximum(np.searchsorted(both[:, 0], times, side="right") - 1, 0), 1]
        return found
