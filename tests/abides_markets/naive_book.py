"""A slow, obvious order book to hold the real one against, and a stand-in for the exchange that owns a book.

One flat list of resting orders in order of arrival; everything else is worked out from it when asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from abides_core import Message
from abides_markets.orders import LimitOrder
from abides_markets.orders import Order
from abides_markets.orders import Side
from abides_markets.switches import REFERENCE
from abides_markets.switches import Switches

Sent = tuple[Any, ...]
TAGS = ("MR_preprocess_ADD", "MR_preprocess_REPLACE")


class Owner:
    """What a book needs of an exchange; keeps what the book sends and logs."""

    def __init__(self, book_logging: bool | None = None) -> None:
        self.current_time = 0
        self.mkt_open = 0
        self.book_logging = book_logging
        self.book_log_depth = 10
        self.messages: list[tuple[int, Any]] = []
        self.events: list[tuple[Any, ...]] = []

    def send_message(self, recipient_id: int, message: Message, delay: int = 0) -> None:
        self.messages.append((recipient_id, message))

    def logEvent(self, *event: Any, **_: Any) -> None:  # noqa: N802
        self.events.append(event)


def order_fields(order: Order) -> Sent:
    """What an agent sees of an order."""
    return (
        order.order_id,
        order.agent_id,
        order.side,
        order.quantity,
        getattr(order, "limit_price", None),
        order.fill_price,
    )


def sent_fields(recipient: int, message: Any) -> Sent:
    """What an agent sees of a notification."""
    orders = [getattr(message, name, None) for name in ("order", "old_order", "new_order")]
    return (recipient, message.type(), *(order_fields(order) for order in orders if order is not None))


class NaiveBook:
    """Price–time priority, visible before hidden, on a flat list.

    Attributes:
        resting: Resting orders; those of one price and kind in order of priority. A price-to-comply order is two of
            them, with one id.
        sent: Notifications, as `sent_fields` gives them.
        trades: `(price, quantity, sign, passive id, incoming id, mid2 before the request, one-sided before it)`.
        discarded: Market orders of which something vanished.
    """

    def __init__(self, switches: Switches = REFERENCE) -> None:
        self.switches = switches
        self.resting: list[LimitOrder] = []
        self.sent: list[Sent] = []
        self.trades: list[tuple[Any, ...]] = []
        self.last_trade: int | None = None
        self.bought = self.sold = 0
        self.discarded = 0
        self.mid2 = -1
        self.one_sided = True

    # Requests: each ends by looking at the mid

    def request(self, act: Callable[[], None]) -> None:
        act()
        bids, asks = self.l2(Side.BID), self.l2(Side.ASK)
        self.one_sided = not (bids and asks)
        if bids and asks:
            self.mid2 = bids[0][0] + asks[0][0]

    def limit(self, order: LimitOrder, quiet: bool = False) -> None:
        never_takes = order.is_post_only or order.tag in TAGS
        if self.switches.refuse_crossing_post_only and never_takes and self._crosses(order):
            self._send(order.agent_id, "OrderCancelledMsg", order)
            return
        self._fill(order, order.limit_price, keeps_last=True)
        if order.quantity > 0:
            if order.is_price_to_comply:
                better = order.copy()
                better.limit_price += 1 if order.side is Side.BID else -1
                better.is_hidden = True
                self.resting.append(better)
            place = len(self.resting)
            if order.insert_by_id and not order.is_hidden:
                queue = [other for other in self._queue(order.side, order.limit_price) if not other.is_hidden]
                behind = next((other for other in queue if other.order_id > order.order_id), None)
                place = place if behind is None else self._place(behind)
            self.resting.insert(place, order.copy())
            if not quiet:
                self._send(order.agent_id, "OrderAcceptedMsg", order)

    def market(self, order: Order) -> None:
        order = order.copy()
        self._fill(order, None, keeps_last=self.switches.market_orders_update_last_trade)
        if order.quantity > 0 and self.switches.report_unfilled:
            self._send(order.agent_id, "OrderCancelledMsg", order)
        elif order.quantity > 0:
            self.discarded += 1

    def cancel(self, order: LimitOrder, quiet: bool = False) -> bool:
        found = self._find(order)
        if found is None:
            return False
        self._remove(found)
        if not quiet:
            self._send(order.agent_id, "OrderCancelledMsg", found)
        return True

    def partial_cancel(self, order: LimitOrder, quantity: int) -> None:
        found = self._find(order)
        if found is None or quantity <= 0:
            return
        if quantity >= found.quantity:
            self.cancel(order)
            return
        self._set_quantity(found, found.quantity - quantity)
        self._send(order.agent_id, "OrderPartialCancelledMsg", found)

    def modify(self, order: LimitOrder, new: LimitOrder) -> None:
        found = self._find(order)
        if found is None or order.order_id != new.order_id or new.quantity <= 0:
            return
        if new.quantity > found.quantity:
            for half in [other for other in self.resting if other.order_id == found.order_id]:
                self.resting.append(self.resting.pop(self._place(half)))
        self._set_quantity(found, new.quantity)
        self._send(order.agent_id, "OrderModifiedMsg", new)

    def replace(self, agent_id: int, old: LimitOrder, new: LimitOrder) -> None:
        if self.cancel(old, quiet=True):
            self.limit(new, quiet=True)
            self._send(agent_id, "OrderReplacedMsg", old, new)

    # What the book shows

    def l3(self, side: Side) -> list[tuple[int, list[int]]]:
        prices = sorted({order.limit_price for order in self.resting if order.side is side}, reverse=side is Side.BID)
        return [(p, [o.quantity for o in self._queue(side, p) if not o.is_hidden]) for p in prices]

    def l2(self, side: Side) -> list[tuple[int, int]]:
        return [(price, sum(quantities)) for price, quantities in self.l3(side) if quantities]

    def imbalance(self) -> tuple[float, Side | None]:
        bids, asks = (sum(quantity for _, quantity in self.l2(side)) for side in (Side.BID, Side.ASK))
        if bids == asks:
            return 0, None
        return 1 - min(bids, asks) / max(bids, asks), Side.BID if bids > asks else Side.ASK

    # The work

    def _crosses(self, order: LimitOrder) -> bool:
        if order.side is Side.BID:
            return any(ask <= order.limit_price for ask, _ in self.l3(Side.ASK))
        return any(bid >= order.limit_price for bid, _ in self.l3(Side.BID))

    def _set_quantity(self, order: LimitOrder, quantity: int) -> None:
        for half in self.resting:
            if half.order_id == order.order_id:
                half.quantity = quantity

    def _remove(self, order: LimitOrder) -> None:
        self.resting = [other for other in self.resting if other.order_id != order.order_id]

    def _fill(self, order: Order, limit: int | None, keeps_last: bool) -> None:
        buys = order.side is Side.BID
        opposite = Side.ASK if buys else Side.BID
        fills: list[tuple[int, int]] = []
        while order.quantity > 0:
            prices = [price for price, _ in self.l3(opposite)]
            if not prices or (limit is not None and (prices[0] > limit if buys else prices[0] < limit)):
                break
            passive = self._queue(opposite, prices[0])[0]
            if order.tag in TAGS or (getattr(order, "is_post_only", False) and passive.is_hidden):
                break
            quantity = min(order.quantity, passive.quantity)
            fills.append((quantity, prices[0]))
            order.quantity -= quantity
            self._set_quantity(passive, passive.quantity - quantity)
            if passive.quantity == 0:
                self._remove(passive)
            self.bought, self.sold = (
                (self.bought + quantity, self.sold) if buys else (self.bought, self.sold + quantity)
            )
            sign = 1 if buys else -1
            self.trades.append((prices[0], quantity, sign, passive.order_id, order.order_id, self.mid2, self.one_sided))
            for party in (passive, order):
                self._send(party.agent_id, "OrderExecutedMsg", _executed(party, quantity, prices[0]))
        if fills and keeps_last:
            self.last_trade = round(sum(q * p for q, p in fills) / sum(q for q, _ in fills))

    def _queue(self, side: Side, price: int) -> list[LimitOrder]:
        queue = [order for order in self.resting if order.side is side and order.limit_price == price]
        return sorted(queue, key=lambda order: order.is_hidden)

    def _find(self, order: LimitOrder) -> LimitOrder | None:
        queue = self._queue(order.side, order.limit_price)
        return next((other for other in queue if other.order_id == order.order_id), None)

    def _place(self, order: LimitOrder) -> int:
        return next(index for index, other in enumerate(self.resting) if other is order)

    def _send(self, recipient: int, kind: str, *orders: Order) -> None:
        self.sent.append((recipient, kind, *(order_fields(order) for order in orders)))


def _executed(order: Order, quantity: int, price: int) -> Order:
    part = order.copy()
    part.quantity, part.fill_price = quantity, price
    return part
