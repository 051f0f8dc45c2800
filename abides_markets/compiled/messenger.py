"""What agents in Python say, as events of a market, and what they are told, as messages.

A message is checked when it is sent: what the compiled exchange does not know is refused by name. Orders live in the
market as numbers, so those that agents have sent are kept here, to be handed back with what becomes of them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from numbers import Real
from typing import Any
from typing import cast

import numpy as np

from abides_core.engines import UnsupportedError
from abides_core.message import Message
from abides_core.message import MessageBatch
from abides_core.utils import str_to_ns
from abides_markets.agents.trading_agent import Levels
from abides_markets.compiled import layout as at
from abides_markets.compiled import outside
from abides_markets.compiled.buffer import Buffer
from abides_markets.compiled.buffer import floats
from abides_markets.compiled.state import order_from_plain
from abides_markets.compiled.state import order_to_plain
from abides_markets.messages.market import MarketClosedMsg
from abides_markets.messages.market import MarketClosePriceMsg
from abides_markets.messages.market import MarketClosePriceRequestMsg
from abides_markets.messages.market import MarketHoursMsg
from abides_markets.messages.market import MarketHoursRequestMsg
from abides_markets.messages.marketdata import BookImbalanceDataMsg
from abides_markets.messages.marketdata import BookImbalanceSubReqMsg
from abides_markets.messages.marketdata import MarketDataEventMsg
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.orderbook import OrderAcceptedMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.messages.query import QueryLastTradeMsg
from abides_markets.messages.query import QueryLastTradeResponseMsg
from abides_markets.messages.query import QuerySpreadMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.messages.query import QueryTransactedVolMsg
from abides_markets.messages.query import QueryTransactedVolResponseMsg
from abides_markets.order_book import is_whole
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side

SIDES = (Side.BID, Side.ASK)
DEEPEST = 2**63 - 1
LARGEST = 2**31
"""Shares of an order and its limit price, cents: values beyond would overflow what is added up from them."""
WHOLE = (int, np.integer)
ORDERS = (LimitOrderMsg, MarketOrderMsg, CancelOrderMsg)


class Messenger:
    """Writes events for the messages that agents in Python send to a market, and reads messages from its events.

    Args:
        symbol: The traded symbol.
    """

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._orders: dict[int, Order] = {}
        self._records: dict[int, int] = {}
        self._standing: set[tuple[int, int]] = set()
        self._ladder = np.empty((0, 2), dtype=np.int64)
        self._bids: Levels = []
        self._asks: Levels = []
        self._send: dict[type, Callable[[Buffer, int, Any, int], None]] = {
            MarketHoursRequestMsg: self._send_plain(at.HOURS_REQUEST, lambda m: 0),
            MarketClosePriceRequestMsg: self._send_once(at.CLOSE_PRICE_REQUEST, lambda m: 0),
            QueryLastTradeMsg: self._send_plain(at.QUERY_LAST_TRADE, lambda m: 0),
            QuerySpreadMsg: self._send_plain(at.QUERY_SPREAD, _depth),
            QueryTransactedVolMsg: self._send_plain(at.QUERY_VOLUME, _lookback),
            BookImbalanceSubReqMsg: self._send_once(at.SUBSCRIBE, _threshold_bits),
            CancelOrderMsg: self._send_cancel,
            LimitOrderMsg: self._send_order,
            MarketOrderMsg: self._send_order,
            MessageBatch: self._send_batch,
        }
        self._build: dict[int, Callable[[Buffer, list[int]], Message]] = {
            at.HOURS: lambda b, d: MarketHoursMsg(int(b[at.OPEN]), int(b[at.CLOSE])),
            at.CLOSE_PRICE: lambda b, d: MarketClosePriceMsg({self._symbol: d[0]}),
            at.MARKET_CLOSED: lambda b, d: MarketClosedMsg(),
            at.SPREAD: self._spread,
            at.VOLUME: lambda b, d: QueryTransactedVolResponseMsg(self._symbol, bool(d[2]), d[0], d[1]),
            at.LAST_TRADE_REPLY: lambda b, d: QueryLastTradeResponseMsg(self._symbol, bool(d[1]), d[0]),
            at.ACCEPTED: lambda b, d: OrderAcceptedMsg(cast(LimitOrder, self._order(d))),  # no other comes to rest
            at.EXECUTED: lambda b, d: OrderExecutedMsg(self._order(d, fill_price=d[4])),
            at.CANCELLED: lambda b, d: OrderCancelledMsg(self._order(d)),
            at.IMBALANCE_START: lambda b, d: self._imbalance(b, d, MarketDataEventMsg.Stage.START),
            at.IMBALANCE_FINISH: lambda b, d: self._imbalance(b, d, MarketDataEventMsg.Stage.FINISH),
        }

    def send(self, b: Buffer, sender_id: int, message: Message, delay: int) -> None:
        """Queue a message to the exchange; there must be room for it, of a batch for each part.

        Args:
            b: The market.
            sender_id: The agent that sends it.
            message: The message.
            delay: What is added to the latency, ns.

        Raises:
            UnsupportedError: If it is of a kind, or about something, that the compiled exchange does not know.
        """
        handler = self._send.get(type(message))
        if handler is None:
            raise unsupported(f"a {message.type()} from agent {sender_id}")
        symbol = getattr(message, "symbol", self._symbol)
        if symbol != self._symbol:
            raise unsupported(f"a {message.type()} about {symbol!r}")
        handler(b, sender_id, message, delay)

    def read(self, b: Buffer, kind: int, data: list[int]) -> Message:
        """Return the message of an event for an agent in Python; what it holds besides `data` is given back."""
        return self._build[kind](b, data)

    def state(self) -> dict[str, Any]:
        """Return what is remembered of the messages sent so far, as JSON can say it."""
        return {
            "orders": [order_to_plain(order) for order in self._orders.values()],
            "records": list(self._records.items()),
            "standing": sorted(self._standing),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Remember what `state` has returned."""
        orders = [order_from_plain(order) for order in state["orders"]]
        self._orders = {order.order_id: order for order in orders}
        self._records = dict(state["records"])
        self._standing = {(kind, agent) for kind, agent in state["standing"]}

    # From messages to events

    def _send_plain(self, kind: int, value: Callable[[Any], int]) -> Callable[[Buffer, int, Any, int], None]:
        def send(b: Buffer, sender_id: int, message: Message, delay: int) -> None:
            outside.queue_message(b, sender_id, message.message_id, delay, kind, value(message), 0)

        return send

    def _send_once(self, kind: int, value: Callable[[Any], int]) -> Callable[[Buffer, int, Any, int], None]:
        """Return what sends a request for whose kind the exchange's table has one row for each agent."""
        send_plain = self._send_plain(kind, value)

        def send(b: Buffer, sender_id: int, message: Any, delay: int) -> None:
            if kind == at.SUBSCRIBE and message.cancel:
                raise unsupported("the end of a subscription")
            if (kind, sender_id) in self._standing:
                raise unsupported(f"more than one {message.type()} from agent {sender_id}")
            self._standing.add((kind, sender_id))
            send_plain(b, sender_id, message, delay)

        return send

    def _send_order(self, b: Buffer, sender_id: int, message: LimitOrderMsg | MarketOrderMsg, delay: int) -> None:
        kind, order_id, side, quantity, price, _ = self._encode(sender_id, message)
        self._records[order_id] = outside.queue_order(
            b, sender_id, message.message_id, delay, kind, order_id, side, quantity, price
        )

    def _send_cancel(self, b: Buffer, sender_id: int, message: CancelOrderMsg, delay: int) -> None:
        _, order_id, record, *_ = self._encode(sender_id, message)
        outside.queue_message(b, sender_id, message.message_id, delay, at.CANCEL, record, order_id)

    def _send_batch(self, b: Buffer, sender_id: int, message: MessageBatch, delay: int) -> None:
        for part in message.messages:
            if not isinstance(part, ORDERS):
                raise unsupported(f"a {part.type()} in a batch")
        rows = [self._encode(sender_id, part, index) for index, part in enumerate(message.messages)]
        parts = np.array(rows, dtype=np.int64).reshape(-1, 6)
        outside.queue_batch(b, sender_id, message.message_id, delay, parts)
        for kind, order_id, _, _, _, record in parts.tolist():
            if kind != at.CANCEL:
                self._records[order_id] = record

    def _encode(self, sender_id: int, message: Any, index: int = 0) -> tuple[int, int, int, int, int, int]:
        """Return kind, order id, side (of a cancellation, the record), quantity, price, and room for the record.

        Until its record is known an order has `NONE - 1 - index` instead, for cancellations in the same batch.
        """
        order = message.order
        is_limit = not isinstance(message, MarketOrderMsg)
        kind: type[Any] = LimitOrder if is_limit else MarketOrder
        if not isinstance(order, kind):
            raise unsupported(f"a {message.type()} with {order!r}")
        number = order.order_id
        if not is_whole(number, least=-sys.maxsize):
            raise unsupported(f"an order with the id {number!r}")
        if order.symbol != self._symbol:
            raise unsupported(f"an order for {order.symbol!r}")
        if order.agent_id != sender_id:
            raise unsupported(f"a {message.type()} from agent {sender_id} about an order of agent {order.agent_id}")
        if isinstance(message, CancelOrderMsg):
            if message.tag is not None:
                raise unsupported(f"a cancellation of {order!r} with the tag {message.tag!r}")
            placed = self._orders.get(number)
            if isinstance(placed, LimitOrder) and (placed.limit_price, placed.side) == (order.limit_price, order.side):
                return at.CANCEL, number, self._records[number], 0, 0, 0
            self._records.setdefault(number, at.NONE)
            return at.CANCEL, at.NONE - 1, 0, 0, 0, 0  # the exchange will not find it
        _check_order(order, is_limit)
        if number in self._records:
            raise unsupported(f"an order with the number {number}, which agents have used before")
        self._orders[number] = order.copy()
        self._records[number] = at.NONE - 1 - index
        side, quantity = SIDES.index(order.side), int(order.quantity)
        if is_limit:
            return at.LIMIT, number, side, quantity, int(order.limit_price), 0
        return at.MARKET, number, side, quantity, at.NONE, 0

    # From events to messages

    def _order(self, data: list[int], fill_price: int | None = None) -> Order:
        order = self._orders[data[1]].copy()
        order.quantity = data[3]
        order.fill_price = fill_price
        return order

    def _spread(self, b: Buffer, data: list[int]) -> QuerySpreadResponseMsg:
        """Return the book; nine levels of ten of a deep one are as they were at the last look, and not made anew."""
        _, last_trade, bids, asks, closed, depth = data
        ladder = np.empty((bids + asks, 2), dtype=np.int64)
        old_bids, old_asks = outside.take_levels(b, ladder, bids, self._ladder, len(self._bids))
        new: Levels = list(map(tuple, ladder[old_bids : bids + asks - old_asks].tolist()))
        new_bids = bids - old_bids
        self._bids = [*new[:new_bids][::-1], *self._bids[len(self._bids) - old_bids :]]
        self._asks = [*new[new_bids:], *self._asks[len(self._asks) - old_asks :]]
        self._ladder = ladder
        return QuerySpreadResponseMsg(
            self._symbol, bool(closed), depth, self._bids.copy(), self._asks.copy(), last_trade
        )

    def _imbalance(self, b: Buffer, data: list[int], stage: MarketDataEventMsg.Stage) -> BookImbalanceDataMsg:
        imbalance = float(floats(b)[at.OUT_DATA + 1])
        side = SIDES[data[2]] if data[2] >= 0 else None
        return BookImbalanceDataMsg(self._symbol, data[0], data[3], stage, imbalance, side)


def _check_order(order: Any, is_limit: bool) -> None:
    if not is_whole(order.quantity, least=1) or order.quantity >= LARGEST:
        raise unsupported(f"an order of {order.quantity!r} shares")
    if order.side not in SIDES:
        raise unsupported(f"an order on the side {order.side!r}")
    if order.tag is not None and str(order.tag).startswith("MR_preprocess"):
        raise unsupported(f"an order with the tag {order.tag!r}")
    if is_limit:
        for flag in ("is_hidden", "is_price_to_comply", "insert_by_id", "is_post_only"):
            if getattr(order, flag):
                raise unsupported(f"an order with {flag}")
        if not is_whole(order.limit_price) or order.limit_price >= LARGEST:
            raise unsupported(f"a limit price of {order.limit_price!r}")


def _depth(message: QuerySpreadMsg) -> int:
    if not isinstance(message.depth, WHOLE) or message.depth < 0:
        raise unsupported(f"a depth of {message.depth!r} levels")
    return min(int(message.depth), DEEPEST)


def _lookback(message: QueryTransactedVolMsg) -> int:
    try:
        return str_to_ns(message.lookback_period)
    except (TypeError, ValueError, OverflowError) as error:
        raise unsupported(f"a look-back of {message.lookback_period!r}") from error


def _threshold_bits(message: BookImbalanceSubReqMsg) -> int:
    least: Any = message.min_imbalance
    if not isinstance(least, Real) or not math.isfinite(least):
        raise unsupported(f"a min_imbalance of {least!r}")
    return int(np.float64(message.min_imbalance).view(np.int64))


def unsupported(what: str) -> UnsupportedError:
    """Return the error about something that the compiled engine does not support, given as a noun."""
    return UnsupportedError(f"the compiled engine does not support {what}: use engine='reference'")
