"""The exchange: keeps the books, answers questions and publishes market data.

Whatever agents send, the run goes on: a request that cannot be granted is refused. A malformed one (an unknown symbol,
a quantity that is no number of shares, an order of another agent, …) gives a `UserWarning`; one that names an order or
a subscription that is not there, which may happen to anyone, does not. Both leave an event `REQUEST_REFUSED` that says
why in the exchange's log. The sender of a new order that is refused is told that it is cancelled; other requests are
not answered, unless the switch `report_rejections` is on.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any
from typing import TypeVar

import numpy as np
import pandas as pd

from abides_core.kernel import Kernel
from abides_core.message import Message
from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_core.utils import str_to_ns
from abides_markets.agents.financial_agent import FinancialAgent
from abides_markets.halt import halt_text
from abides_markets.halt import most_resting
from abides_markets.messages.market import MarketClosedMsg
from abides_markets.messages.market import MarketClosePriceMsg
from abides_markets.messages.market import MarketClosePriceRequestMsg
from abides_markets.messages.market import MarketHoursMsg
from abides_markets.messages.market import MarketHoursRequestMsg
from abides_markets.messages.marketdata import BookImbalanceDataMsg
from abides_markets.messages.marketdata import BookImbalanceSubReqMsg
from abides_markets.messages.marketdata import L1DataMsg
from abides_markets.messages.marketdata import L1SubReqMsg
from abides_markets.messages.marketdata import L2DataMsg
from abides_markets.messages.marketdata import L2SubReqMsg
from abides_markets.messages.marketdata import L3DataMsg
from abides_markets.messages.marketdata import L3SubReqMsg
from abides_markets.messages.marketdata import MarketDataEventMsg
from abides_markets.messages.marketdata import MarketDataMsg
from abides_markets.messages.marketdata import MarketDataSubReqMsg
from abides_markets.messages.marketdata import TransactedVolDataMsg
from abides_markets.messages.marketdata import TransactedVolSubReqMsg
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.order import ModifyOrderMsg
from abides_markets.messages.order import OrderMsg
from abides_markets.messages.order import PartialCancelOrderMsg
from abides_markets.messages.order import ReplaceOrderMsg
from abides_markets.messages.orderbook import OrderBookMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderRejectedMsg
from abides_markets.messages.query import QueryLastTradeMsg
from abides_markets.messages.query import QueryLastTradeResponseMsg
from abides_markets.messages.query import QueryMsg
from abides_markets.messages.query import QueryOrderStreamMsg
from abides_markets.messages.query import QueryOrderStreamResponseMsg
from abides_markets.messages.query import QuerySpreadMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.messages.query import QueryTransactedVolMsg
from abides_markets.messages.query import QueryTransactedVolResponseMsg
from abides_markets.order_book import OrderBook
from abides_markets.order_book import is_whole
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side
from abides_markets.switches import REFERENCE
from abides_markets.switches import Switches

AnyOrder = TypeVar("AnyOrder", LimitOrder, MarketOrder)
NEW_ORDERS = (LimitOrderMsg, MarketOrderMsg)


class ExchangeAgent(FinancialAgent):
    """The exchange.

    Args:
        id: Agent id.
        mkt_open: Open, ns since the epoch.
        mkt_close: Close, ns since the epoch; an order that arrives at this very time is still accepted.
        symbols: Traded symbols.
        name: Name.
        type: Type for reports.
        random_state: The agent's stream.
        book_logging: Whether books log a snapshot at every event.
        book_log_depth: Levels a side in a snapshot.
        pipeline_delay: Extra delay of notifications about orders, ns.
        computation_delay: Time that handling a message takes, ns.
        stream_history: Kept as an attribute for code that reads it; the order stream is as long as agents ask.
        log_orders: Whether requests and notifications about orders are logged, and, in a run that writes logs, the
            fundamental of each symbol is written at the end.
        use_metric_tracker: Whether `metric_trackers` has anything.
        switches: Repairs of the reference market.

    Attributes:
        order_books: The book of each symbol.
        data_subscriptions: Subscriptions to market data by symbol, in order of arrival.
        market_close_price_subscriptions: Ids of the agents to be told closing prices.
    """

    @dataclass(slots=True)
    class MetricTracker:
        """How liquid a market was, from the open to the close.

        Attributes:
            total_time_no_liquidity_asks: Time without a visible ask, s; not a number if the book kept no log.
            total_time_no_liquidity_bids: Time without a visible bid, s.
            pct_time_no_liquidity_asks: The same as a share of the session, %.
            pct_time_no_liquidity_bids: The same as a share of the session, %.
            total_exchanged_volume: Shares traded since the open, each trade counted once.
            last_trade: Price of the last trade, cents.
        """

        total_time_no_liquidity_asks: float = 0
        total_time_no_liquidity_bids: float = 0
        pct_time_no_liquidity_asks: float = 0
        pct_time_no_liquidity_bids: float = 0
        total_exchanged_volume: int = 0
        last_trade: int | None = 0

    @dataclass(slots=True)
    class BaseDataSubscription:
        """Who subscribed, and the time of the last update it was sent."""

        agent_id: int
        last_update_ts: NanosecondTime

    @dataclass(slots=True)
    class FrequencyBasedSubscription(BaseDataSubscription):
        """At most one message in `freq` ns."""

        freq: int

    @dataclass(slots=True)
    class L1DataSubscription(FrequencyBasedSubscription):
        """Best quotes."""

    @dataclass(slots=True)
    class L2DataSubscription(FrequencyBasedSubscription):
        """The `depth` best levels."""

        depth: int

    @dataclass(slots=True)
    class L3DataSubscription(FrequencyBasedSubscription):
        """The orders of the `depth` best levels."""

        depth: int

    @dataclass(slots=True)
    class TransactedVolDataSubscription(FrequencyBasedSubscription):
        """Volume over a look-back."""

        lookback: str | int

    @dataclass(slots=True)
    class EventBasedSubscription(BaseDataSubscription):
        """A message when an event begins or ends."""

        event_in_progress: bool

    @dataclass(slots=True)
    class BookImbalanceDataSubscription(EventBasedSubscription):
        """The book's imbalance rising above a threshold."""

        min_imbalance: float
        imbalance: float | None = None
        side: Side | None = None

    def __init__(
        self,
        id: int,
        mkt_open: NanosecondTime,
        mkt_close: NanosecondTime,
        symbols: list[str],
        name: str | None = None,
        type: str | None = None,
        random_state: np.random.RandomState | Seed | None = None,
        book_logging: bool = True,
        book_log_depth: int = 10,
        pipeline_delay: int = 40_000,
        computation_delay: int = 1,
        stream_history: int = 0,
        log_orders: bool | None = False,
        use_metric_tracker: bool = True,
        switches: Switches = REFERENCE,
    ) -> None:
        super().__init__(id, name, type, random_state)
        self.symbols = symbols
        self.reschedule = False
        self.mkt_open = mkt_open
        self.mkt_close = mkt_close
        self.pipeline_delay = pipeline_delay
        self.computation_delay = computation_delay
        self.stream_history = stream_history
        self.book_logging = book_logging
        self.book_log_depth = book_log_depth
        self.log_orders = bool(log_orders)
        self.use_metric_tracker = use_metric_tracker
        self.switches = switches
        self.oracle: Any = None
        self.order_books = {symbol: OrderBook(self, symbol, switches) for symbol in symbols}
        self.data_subscriptions: dict[str, list[Any]] = defaultdict(list)
        self.market_close_price_subscriptions: list[int] = []
        self._handlers: dict[Any, Callable[[int, Any], None]] = {
            MarketHoursRequestMsg: self._handle_hours_request,
            MarketClosePriceRequestMsg: self._handle_close_price_request,
            QueryLastTradeMsg: self._handle_last_trade_query,
            QuerySpreadMsg: self._handle_spread_query,
            QueryOrderStreamMsg: self._handle_order_stream_query,
            QueryTransactedVolMsg: self._handle_transacted_volume_query,
            LimitOrderMsg: self._handle_limit_order,
            MarketOrderMsg: self._handle_market_order,
            CancelOrderMsg: self._handle_cancel,
            PartialCancelOrderMsg: self._handle_partial_cancel,
            ModifyOrderMsg: self._handle_modify,
            ReplaceOrderMsg: self._handle_replace,
            MarketDataSubReqMsg: self._handle_subscription,
        }

    # Life cycle

    def kernel_initializing(self, kernel: Kernel) -> None:
        """Take the opening prices from the oracle and ask for a wake-up at the close."""
        super().kernel_initializing(kernel)
        self.oracle = getattr(kernel, "oracle", None)
        if self.oracle is not None:
            for symbol in self.symbols:
                self.order_books[symbol].last_trade = self.oracle.get_daily_open_price(symbol, self.mkt_open)
        self.set_wakeup(self.mkt_close)

    def wakeup(self, current_time: NanosecondTime) -> None:
        """At the close, tell the closing prices to those who asked."""
        super().wakeup(current_time)
        if current_time >= self.mkt_close:
            # One message object for all: the ids of the reference market's messages depend on it.
            message = MarketClosePriceMsg({symbol: book.last_trade for symbol, book in self.order_books.items()})
            for agent_id in dict.fromkeys(self.market_close_price_subscriptions):
                self.send_message(agent_id, message)

    def kernel_terminating(self) -> None:
        """Write the log and, if orders are logged, the path of each fundamental that the oracle has kept."""
        super().kernel_terminating()
        fundamentals = getattr(self.oracle, "f_log", None)
        if not self.log_orders or not fundamentals or self._kernel().skip_log:
            return
        for symbol in self.symbols:
            path = pd.DataFrame(list(fundamentals.get(symbol, [])))
            if not path.empty:
                self.write_log(path.set_index("FundamentalTime"), filename=f"fundamental_{symbol}")

    # Messages

    def receive_message(self, current_time: NanosecondTime, sender_id: int, message: Message) -> None:
        """Answer a question, handle a request about an order, or note a subscription."""
        super().receive_message(current_time, sender_id, message)
        self.set_computation_delay(self.computation_delay)
        is_order = isinstance(message, OrderMsg)
        if current_time > self.mkt_close and not isinstance(message, QueryMsg):
            self.send_message(sender_id, MarketClosedMsg())
            return
        if not is_order:
            self.logEvent(message.type(), message)
        elif self.log_orders:
            self._log_order(message)
        for base in message.__class__.__mro__:
            handler = self._handlers.get(base)
            if handler is not None:
                handler(sender_id, message)
                return

    def send_message(self, recipient_id: int, message: Message, delay: int = 0) -> None:
        """Send a message; notifications about orders take the pipeline delay longer."""
        if isinstance(message, OrderBookMsg):
            delay += self.pipeline_delay
            if self.log_orders:
                self._log_order(message)
        super().send_message(recipient_id, message, delay=delay)

    def _log_order(self, message: Message) -> None:
        order = getattr(message, "new_order", None) or _named_order(message)
        self.logEvent(message.type(), order.to_dict() if isinstance(order, Order) else order)

    def _refuse(self, sender_id: int, message: Message, reason: str, malformed: bool = True) -> None:
        text = f"{message.type()} of agent {sender_id} refused: {reason}"
        if malformed:
            warnings.warn(text, UserWarning, stacklevel=4)
        self.logEvent("REQUEST_REFUSED", text)
        order = getattr(message, "new_order", None) or _named_order(message)
        if _kind_fault(order, Order) is not None:
            return  # there is nothing to name in an answer
        if isinstance(message, NEW_ORDERS):
            self.send_message(sender_id, OrderCancelledMsg(order.copy()))
        elif self.switches.report_rejections:
            self.send_message(sender_id, OrderRejectedMsg(order.copy(), message.type(), reason))

    def _book(self, symbol: Any) -> OrderBook | None:
        return self.order_books.get(symbol) if isinstance(symbol, str) else None

    def _unknown(self, symbol: Any) -> str:
        return f"unknown symbol {symbol!r}; traded here: {', '.join(self.symbols)}"

    def _handle_hours_request(self, sender_id: int, message: MarketHoursRequestMsg) -> None:
        self.set_computation_delay(0)
        self.send_message(sender_id, MarketHoursMsg(self.mkt_open, self.mkt_close))

    def _handle_close_price_request(self, sender_id: int, message: MarketClosePriceRequestMsg) -> None:
        self.market_close_price_subscriptions.append(sender_id)

    # Questions

    def _book_asked(self, sender_id: int, message: QueryMsg, fault: str | None = None) -> OrderBook | None:
        """Return the book that a question is about, or refuse it."""
        book = self._book(message.symbol)
        if book is None:
            fault = self._unknown(message.symbol)
        if fault is None:
            return book
        self._refuse(sender_id, message, fault)
        return None

    def _handle_last_trade_query(self, sender_id: int, message: QueryLastTradeMsg) -> None:
        book = self._book_asked(sender_id, message)
        if book is not None:
            self.send_message(sender_id, QueryLastTradeResponseMsg(message.symbol, self._is_closed(), book.last_trade))

    def _handle_spread_query(self, sender_id: int, message: QuerySpreadMsg) -> None:
        book = self._book_asked(sender_id, message, _depth_fault(message.depth))
        if book is not None:
            self.send_message(
                sender_id,
                QuerySpreadResponseMsg(
                    message.symbol,
                    self._is_closed(),
                    message.depth,
                    book.get_l2_bid_data(message.depth),
                    book.get_l2_ask_data(message.depth),
                    book.last_trade,
                ),
            )

    def _handle_order_stream_query(self, sender_id: int, message: QueryOrderStreamMsg) -> None:
        length = message.length
        fault = None if is_whole(length, least=-sys.maxsize) else f"length {length!r} is not a whole number"
        book = self._book_asked(sender_id, message, fault)
        if book is not None:
            recent = [dict(entry) for entry in book.history[-int(length) :]] if length > 0 else []
            self.send_message(sender_id, QueryOrderStreamResponseMsg(message.symbol, self._is_closed(), length, recent))

    def _handle_transacted_volume_query(self, sender_id: int, message: QueryTransactedVolMsg) -> None:
        book = self._book_asked(sender_id, message, _duration_fault(message.lookback_period))
        if book is not None:
            bought, sold = book.get_transacted_volume(message.lookback_period)
            self.send_message(sender_id, QueryTransactedVolResponseMsg(message.symbol, self._is_closed(), bought, sold))

    def _is_closed(self) -> bool:
        return self.current_time > self.mkt_close

    # Orders are copied here, once, so that the sender's objects and the book's are never the same. Whatever becomes of
    # a message about orders, it is an occasion to publish: the reference's tape depends on it.

    def _handle_limit_order(self, sender_id: int, message: LimitOrderMsg) -> None:
        order = message.order
        fault = self._order_fault(sender_id, order, LimitOrder)
        if fault is None:
            book = self.order_books[order.symbol]
            book.handle_limit_order(_own_copy(order, sender_id))
            self._halt_if_too_many_rest(book)
        else:
            self._refuse(sender_id, message, fault)
        self._publish_after(order)

    def _halt_if_too_many_rest(self, book: OrderBook) -> None:
        kernel = self._kernel()
        most = most_resting(len(kernel.agents))
        if book.resting_orders > most and not kernel.halted:
            kernel.halt(halt_text(self.current_time, most))

    def _handle_market_order(self, sender_id: int, message: MarketOrderMsg) -> None:
        order = message.order
        fault = self._order_fault(sender_id, order, MarketOrder)
        if fault is None:
            self.order_books[order.symbol].handle_market_order(_own_copy(order, sender_id))
        else:
            self._refuse(sender_id, message, fault)
        self._publish_after(order)

    def _handle_cancel(self, sender_id: int, message: CancelOrderMsg) -> None:
        book = self._book_of_resting(sender_id, message, message.order)
        if book is not None:
            book.cancel_order(message.order, message.tag, message.metadata)
        self._publish_after(message.order)

    def _handle_partial_cancel(self, sender_id: int, message: PartialCancelOrderMsg) -> None:
        book = self._book_of_resting(sender_id, message, message.order, _quantity_fault(message.quantity))
        if book is not None:
            book.partial_cancel_order(message.order, message.quantity, message.tag, message.metadata)
        self._publish_after(message.order)

    def _handle_modify(self, sender_id: int, message: ModifyOrderMsg) -> None:
        old, new = message.old_order, message.new_order
        fault = _kind_fault(new, LimitOrder) or _kind_fault(old, LimitOrder) or _quantity_fault(new.quantity)
        if fault is None and new.order_id != old.order_id:
            fault = f"order {old.order_id} cannot become order {new.order_id}"
        book = self._book_of_resting(sender_id, message, old, fault)
        if book is not None:
            book.modify_order(old, new)
        self._publish_after(old)

    def _handle_replace(self, sender_id: int, message: ReplaceOrderMsg) -> None:
        old, new = message.old_order, message.new_order
        fault = _kind_fault(new, LimitOrder)
        if fault is None and not message.agent_id == new.agent_id == sender_id:
            fault = f"order {new.order_id} is that of agent {new.agent_id}, for agent {message.agent_id}"
        book = self._book_of_resting(sender_id, message, old, fault)
        if book is not None:
            book.replace_order(sender_id, old.copy(), _own_copy(new, sender_id))
        self._publish_after(old)

    def _order_fault(self, sender_id: int, order: Any, kind: type[Order]) -> str | None:
        """Return what is wrong with an order, as far as can be said without looking into the book."""
        fault = _kind_fault(order, kind)
        if fault is not None:
            return fault
        if order.agent_id != sender_id:
            return f"order {order.order_id} is that of agent {order.agent_id}"
        return None if self._book(order.symbol) is not None else self._unknown(order.symbol)

    def _book_of_resting(
        self, sender_id: int, message: OrderMsg, order: Any, fault: str | None = None
    ) -> OrderBook | None:
        """Return the book in which an order rests that its owner wants to change, or refuse the request.

        Args:
            sender_id: Who sent the request.
            message: The request.
            order: The order that it names.
            fault: What is wrong with the request otherwise.
        """
        fault = fault or self._order_fault(sender_id, order, LimitOrder)
        if fault is None:
            book = self.order_books[order.symbol]
            resting = book.find(order)
            if resting is None:
                self._refuse(sender_id, message, f"order {order.order_id} is not there", malformed=False)
                return None
            if resting.agent_id == sender_id:
                return book
            fault = f"order {order.order_id} is that of agent {resting.agent_id}"
        self._refuse(sender_id, message, fault)
        return None

    def _publish_after(self, order: Any) -> None:
        if isinstance(order, Order) and self._book(order.symbol) is not None:
            self.publish_order_book_data(order.symbol)

    # Market data

    def _handle_subscription(self, sender_id: int, message: MarketDataSubReqMsg) -> None:
        fault = self._unknown(message.symbol) if self._book(message.symbol) is None else _subscription_fault(message)
        if fault is not None:
            self._refuse(sender_id, message, fault)
            return
        subscription = self._subscription(sender_id, message)
        subscriptions = self.data_subscriptions[message.symbol]
        if not message.cancel:
            subscriptions.append(subscription)
            return
        wanted = _subscription_key(subscription)
        for index, existing in enumerate(subscriptions):
            if _subscription_key(existing) == wanted:
                del subscriptions[index]
                return
        self._refuse(sender_id, message, "there is no such subscription", malformed=False)

    def _subscription(self, agent_id: int, message: MarketDataSubReqMsg) -> Any:
        now = self.current_time
        match message:
            case L1SubReqMsg():
                return self.L1DataSubscription(agent_id, now, message.freq)
            case L2SubReqMsg():
                return self.L2DataSubscription(agent_id, now, message.freq, message.depth)
            case L3SubReqMsg():
                return self.L3DataSubscription(agent_id, now, message.freq, message.depth)
            case TransactedVolSubReqMsg():
                return self.TransactedVolDataSubscription(agent_id, now, message.freq, message.lookback)
            case BookImbalanceSubReqMsg():
                return self.BookImbalanceDataSubscription(agent_id, now, False, message.min_imbalance)
        raise TypeError(f"no subscription of kind {message.type()}")

    def publish_order_book_data(self, symbol: str | None = None) -> None:
        """Send the subscribers of a symbol, or of all, what is due to them."""
        if symbol is None:
            for each in self.symbols:
                self.publish_order_book_data(each)
            return
        subscriptions = self.data_subscriptions.get(symbol)
        if not subscriptions:
            return
        book = self.order_books[symbol]
        for subscription in subscriptions:
            if isinstance(subscription, self.FrequencyBasedSubscription):
                messages = self.handle_frequency_based_data_subscription(symbol, subscription)
            else:
                messages = self.handle_event_based_data_subscription(symbol, subscription)
            for message in messages:
                self.send_message(subscription.agent_id, message)
            if messages:
                subscription.last_update_ts = book.last_update_ts

    def handle_frequency_based_data_subscription(self, symbol: str, subscription: Any) -> list[MarketDataMsg]:
        """Return the message that a periodic subscription is due, if any."""
        book = self.order_books[symbol]
        assert book.last_update_ts is not None
        if book.last_update_ts - subscription.last_update_ts < subscription.freq:
            return []
        head = (symbol, book.last_trade, self.current_time)
        if isinstance(subscription, self.L1DataSubscription):
            return [L1DataMsg(*head, book.get_l1_bid_data(), book.get_l1_ask_data())]
        if isinstance(subscription, self.L2DataSubscription):
            depth = subscription.depth
            return [L2DataMsg(*head, book.get_l2_bid_data(depth), book.get_l2_ask_data(depth))]
        if isinstance(subscription, self.L3DataSubscription):
            depth = subscription.depth
            return [L3DataMsg(*head, book.get_l3_bid_data(depth), book.get_l3_ask_data(depth))]
        if isinstance(subscription, self.TransactedVolDataSubscription):
            return [TransactedVolDataMsg(*head, *book.get_transacted_volume(subscription.lookback))]
        raise TypeError(f"no market data for a subscription of kind {subscription.__class__.__name__}")

    def handle_event_based_data_subscription(self, symbol: str, subscription: Any) -> list[MarketDataMsg]:
        """Return the messages that begin or end an imbalance event, if any."""
        if not isinstance(subscription, self.BookImbalanceDataSubscription):
            raise TypeError(f"no market data for a subscription of kind {subscription.__class__.__name__}")
        book = self.order_books[symbol]
        imbalance, side = book.get_imbalance()
        active = imbalance > subscription.min_imbalance
        was_active = subscription.event_in_progress
        if not active and not was_active:
            return []
        stage = MarketDataEventMsg.Stage
        head = (symbol, book.last_trade, self.current_time)
        messages: list[MarketDataMsg] = []
        if was_active and active:
            if side is subscription.side:
                return []
            messages.append(BookImbalanceDataMsg(*head, stage.FINISH, subscription.imbalance, subscription.side))  # type: ignore[arg-type]
        elif was_active:
            subscription.event_in_progress = False
            subscription.imbalance = None
            subscription.side = None
            return [BookImbalanceDataMsg(*head, stage.FINISH, imbalance, side)]
        subscription.event_in_progress = True
        subscription.imbalance = imbalance
        subscription.side = side
        messages.append(BookImbalanceDataMsg(*head, stage.START, imbalance, side))
        return messages

    # Metrics

    @property
    def metric_trackers(self) -> dict[str, MetricTracker]:
        """How liquid the market of each symbol has been so far; empty without `use_metric_tracker`."""
        return {symbol: self.analyse_order_book(symbol) for symbol in self.symbols} if self.use_metric_tracker else {}

    @property
    def total_exchanged_volume(self) -> int:
        """Shares of all symbols traded since the open, each trade counted once."""
        return sum(self._volume_since_open(symbol) for symbol in self.symbols)

    def analyse_order_book(self, symbol: str) -> MetricTracker:
        """Return how liquid a symbol's market has been so far."""
        book = self.order_books[symbol]
        tracker = self.get_time_dropout(book.book_log2, symbol)
        if not self.book_logging:  # no snapshot does not mean that there was no quote
            tracker = self.MetricTracker(math.nan, math.nan, math.nan, math.nan)
        tracker.total_exchanged_volume = self._volume_since_open(symbol)
        tracker.last_trade = book.last_trade
        return tracker

    def get_time_dropout(self, book: list[dict[str, Any]], symbol: str) -> MetricTracker:
        """Return a tracker with the times from open to close in which a side had no visible order.

        Args:
            book: Snapshots as `OrderBook.book_log2` has them; each holds until the next, and before the first the book
                is empty.
            symbol: Traded symbol.
        """
        session = max(self.mkt_close - self.mkt_open, 1)
        without = {"asks": 0, "bids": 0}
        for side in without:
            since, is_empty = self.mkt_open, True
            for snapshot in [*book, {"QuoteTime": self.mkt_close, side: []}]:
                time = min(max(snapshot["QuoteTime"], self.mkt_open), self.mkt_close)
                without[side] += (time - since) * is_empty
                since, is_empty = time, len(snapshot[side]) == 0
        asks, bids = without["asks"], without["bids"]
        return self.MetricTracker(asks / 1e9, bids / 1e9, 100 * asks / session, 100 * bids / session)

    def _volume_since_open(self, symbol: str) -> int:
        book = self.order_books[symbol]
        trades = (*book.buy_transactions, *book.sell_transactions)
        return sum(quantity for time, quantity in trades if time >= self.mkt_open)

    def log_l2_style(self, symbol: str) -> tuple[list[NanosecondTime], list[list[Any]]] | None:
        """Return the times of the logged snapshots and `[bids, asks]` of each, or `None` without any."""
        log = self.order_books[symbol].book_log2
        if not log:
            return None
        return [row["QuoteTime"] for row in log], [[row["bids"], row["asks"]] for row in log]

    logL2style = log_l2_style  # noqa: N815  name of the ABIDES API


def _own_copy(order: AnyOrder, agent_id: int) -> AnyOrder:
    copy = order.copy()
    copy.agent_id = agent_id  # the same, but maybe of another type: 3.0 is no address
    return copy


def _named_order(message: Message) -> Any:
    return getattr(message, "old_order", None) or getattr(message, "order", None)


def _kind_fault(order: Any, kind: type[Order]) -> str | None:
    if not isinstance(order, kind):
        return f"{order!r} is not a {kind.__name__}"
    if order.order_id.__class__ is not int and not is_whole(order.order_id, least=-sys.maxsize):
        return f"order id {order.order_id!r} is not a whole number"
    return None


def _quantity_fault(quantity: Any) -> str | None:
    return None if is_whole(quantity, least=1) else f"quantity {quantity!r} is not a positive whole number"


def _depth_fault(depth: Any) -> str | None:
    if depth is None or (isinstance(depth, int | np.integer) and is_whole(depth)):
        return None
    return f"depth {depth!r} is not a whole number from 0 up"


def _duration_fault(duration: Any) -> str | None:
    try:
        str_to_ns(duration)
    except (TypeError, ValueError, OverflowError):
        return f"{duration!r} is not a duration"
    return None


def _subscription_fault(message: MarketDataSubReqMsg) -> str | None:
    fault = None
    match message:
        case L2SubReqMsg() | L3SubReqMsg():
            fault = _depth_fault(message.depth)
        case TransactedVolSubReqMsg():
            fault = _duration_fault(message.lookback)
        case BookImbalanceSubReqMsg():
            least: Any = message.min_imbalance
            return None if isinstance(least, Real) and math.isfinite(least) else f"min_imbalance {least!r} is no number"
        case L1SubReqMsg():
            pass
        case _:
            return "there is no market data of this kind"
    return fault if is_whole(message.freq) else f"freq {message.freq!r} is not a whole number of ns from 0 up"


def _subscription_key(subscription: Any) -> tuple[Any, ...]:
    """What two subscriptions must share to be the same: kind, agent and parameters."""
    parameters = ("freq", "depth", "lookback", "min_imbalance")
    return (
        subscription.__class__,
        subscription.agent_id,
        *(getattr(subscription, name, None) for name in parameters),
    )
