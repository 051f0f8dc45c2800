"""The exchange: keeps the books, answers questions and publishes market data."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from abides_core.kernel import Kernel
from abides_core.message import Message
from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_markets.agents.financial_agent import FinancialAgent
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
from abides_markets.orders import Side
from abides_markets.switches import REFERENCE
from abides_markets.switches import Switches


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
        stream_history: Length of the order stream that agents are told of, entries.
        log_orders: Whether requests and notifications about orders are logged.
        switches: Repairs of the reference market.

    Attributes:
        order_books: The book of each symbol.
        data_subscriptions: Subscriptions to market data by symbol, in order of arrival.
        market_close_price_subscriptions: Ids of the agents to be told closing prices.
    """

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
        switches: Switches = REFERENCE,
    ) -> None:
        super().__init__(id, name, type, random_state)
        self.symbols = symbols
        self.mkt_open = mkt_open
        self.mkt_close = mkt_close
        self.pipeline_delay = pipeline_delay
        self.computation_delay = computation_delay
        self.stream_history = stream_history
        self.book_logging = book_logging
        self.book_log_depth = book_log_depth
        self.log_orders = bool(log_orders)
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
            L1SubReqMsg: self._handle_subscription,
            L2SubReqMsg: self._handle_subscription,
            L3SubReqMsg: self._handle_subscription,
            TransactedVolSubReqMsg: self._handle_subscription,
            BookImbalanceSubReqMsg: self._handle_subscription,
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
            for agent_id in self.market_close_price_subscriptions:
                self.send_message(agent_id, message)

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
            order = message.new_order if isinstance(message, ModifyOrderMsg | ReplaceOrderMsg) else message.order  # type: ignore[attr-defined]
            self.logEvent(message.type(), order.to_dict())
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
                order = getattr(message, "order", None) or message.new_order  # type: ignore[attr-defined]
                self.logEvent(message.type(), order.to_dict())
        super().send_message(recipient_id, message, delay=delay)

    def _book(self, symbol: str) -> OrderBook | None:
        book = self.order_books.get(symbol)
        if book is None:
            warnings.warn(
                f"message about unknown symbol {symbol!r} ignored; traded here: {', '.join(self.symbols)}",
                UserWarning,
                stacklevel=3,
            )
        return book

    def _handle_hours_request(self, sender_id: int, message: MarketHoursRequestMsg) -> None:
        self.set_computation_delay(0)
        self.send_message(sender_id, MarketHoursMsg(self.mkt_open, self.mkt_close))

    def _handle_close_price_request(self, sender_id: int, message: MarketClosePriceRequestMsg) -> None:
        self.market_close_price_subscriptions.append(sender_id)

    def _handle_last_trade_query(self, sender_id: int, message: QueryLastTradeMsg) -> None:
        book = self._book(message.symbol)
        if book is not None:
            self.send_message(sender_id, QueryLastTradeResponseMsg(message.symbol, self._is_closed(), book.last_trade))

    def _handle_spread_query(self, sender_id: int, message: QuerySpreadMsg) -> None:
        book = self._book(message.symbol)
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
        book = self._book(message.symbol)
        if book is not None:
            recent = [dict(entry) for entry in book.history[-message.length :]] if message.length > 0 else []
            self.send_message(
                sender_id,
                QueryOrderStreamResponseMsg(message.symbol, self._is_closed(), message.length, recent),
            )

    def _handle_transacted_volume_query(self, sender_id: int, message: QueryTransactedVolMsg) -> None:
        book = self._book(message.symbol)
        if book is not None:
            bought, sold = book.get_transacted_volume(message.lookback_period)
            self.send_message(sender_id, QueryTransactedVolResponseMsg(message.symbol, self._is_closed(), bought, sold))

    # Orders are copied here, once, so that the sender's objects and the book's are never the same.

    def _handle_limit_order(self, sender_id: int, message: LimitOrderMsg) -> None:
        book = self._book(message.order.symbol)
        if book is not None:
            book.handle_limit_order(message.order.copy())
            self.publish_order_book_data(message.order.symbol)

    def _handle_market_order(self, sender_id: int, message: MarketOrderMsg) -> None:
        book = self._book(message.order.symbol)
        if book is not None:
            book.handle_market_order(message.order)
            self.publish_order_book_data(message.order.symbol)

    def _handle_cancel(self, sender_id: int, message: CancelOrderMsg) -> None:
        book = self._book(message.order.symbol)
        if book is not None:
            book.cancel_order(message.order, message.tag, message.metadata)
            self.publish_order_book_data(message.order.symbol)

    def _handle_partial_cancel(self, sender_id: int, message: PartialCancelOrderMsg) -> None:
        book = self._book(message.order.symbol)
        if book is not None:
            book.partial_cancel_order(message.order, message.quantity, message.tag, message.metadata)
            self.publish_order_book_data(message.order.symbol)

    def _handle_modify(self, sender_id: int, message: ModifyOrderMsg) -> None:
        book = self._book(message.old_order.symbol)
        if book is not None:
            book.modify_order(message.old_order.copy(), message.new_order.copy())
            self.publish_order_book_data(message.old_order.symbol)

    def _handle_replace(self, sender_id: int, message: ReplaceOrderMsg) -> None:
        book = self._book(message.old_order.symbol)
        if book is not None:
            book.replace_order(message.agent_id, message.old_order.copy(), message.new_order.copy())
            self.publish_order_book_data(message.old_order.symbol)

    def _is_closed(self) -> bool:
        return self.current_time > self.mkt_close

    # Market data

    def _handle_subscription(self, sender_id: int, message: MarketDataSubReqMsg) -> None:
        if message.symbol not in self.order_books:
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

    def publish_order_book_data(self, symbol: str) -> None:
        """Send the subscribers of a symbol what is due to them."""
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


def _subscription_key(subscription: Any) -> tuple[Any, ...]:
    """What two subscriptions must share to be the same: kind, agent and parameters."""
    parameters = ("freq", "depth", "lookback", "min_imbalance")
    return (
        subscription.__class__,
        subscription.agent_id,
        *(getattr(subscription, name, None) for name in parameters),
    )
