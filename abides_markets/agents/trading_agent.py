"""The base of agents that trade: keeps cash, holdings and open orders, and speaks with the exchange."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any
from typing import Literal
from typing import overload

import numpy as np

from abides_core.message import Message
from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_markets.agents.exchange_agent import ExchangeAgent
from abides_markets.agents.financial_agent import FinancialAgent
from abides_markets.messages.market import MarketClosedMsg
from abides_markets.messages.market import MarketClosePriceMsg
from abides_markets.messages.market import MarketClosePriceRequestMsg
from abides_markets.messages.market import MarketHoursMsg
from abides_markets.messages.market import MarketHoursRequestMsg
from abides_markets.messages.marketdata import L2DataMsg
from abides_markets.messages.marketdata import MarketDataMsg
from abides_markets.messages.marketdata import MarketDataSubReqMsg
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.order import ModifyOrderMsg
from abides_markets.messages.order import PartialCancelOrderMsg
from abides_markets.messages.order import ReplaceOrderMsg
from abides_markets.messages.orderbook import OrderAcceptedMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.messages.orderbook import OrderModifiedMsg
from abides_markets.messages.orderbook import OrderPartialCancelledMsg
from abides_markets.messages.orderbook import OrderRejectedMsg
from abides_markets.messages.orderbook import OrderReplacedMsg
from abides_markets.messages.query import QueryLastTradeMsg
from abides_markets.messages.query import QueryLastTradeResponseMsg
from abides_markets.messages.query import QueryOrderStreamMsg
from abides_markets.messages.query import QueryOrderStreamResponseMsg
from abides_markets.messages.query import QuerySpreadMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.messages.query import QueryTransactedVolMsg
from abides_markets.messages.query import QueryTransactedVolResponseMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side

Levels = list[tuple[int, int]]


class TradingAgent(FinancialAgent):
    """An agent with cash and shares that sends orders to the exchange.

    Args:
        id: Agent id.
        name: Name.
        type: Type for reports.
        random_state: The agent's stream.
        starting_cash: Cash at the start, cents.
        log_orders: Whether events about orders are logged; `None` also keeps the log from disk.

    Attributes:
        holdings: Shares by symbol, and cents under `CASH`; a symbol without shares is absent.
        orders: Open orders as the agent believes them, by id, in order of placing.
        last_trade: Last known trade by symbol, cents.
        known_bids: Last known levels to buy by symbol, `(price, shares)`, best first.
        known_asks: Last known levels to sell by symbol.
        transacted_volume: Last known `(bought, sold)` volume by symbol.
        executed_orders: Executions, oldest first.
        mkt_open: Open, ns since the epoch; `None` until the exchange has told.
        mkt_close: Close, ns since the epoch; `None` until the exchange has told.
        mkt_closed: Whether the exchange has said that it is closed.
    """

    def __init__(
        self,
        id: int,
        name: str | None = None,
        type: str | None = None,
        random_state: np.random.RandomState | Seed | None = None,
        starting_cash: int = 100_000,
        log_orders: bool | None = False,
    ) -> None:
        super().__init__(id, name, type, random_state)
        self.mkt_open: NanosecondTime | None = None
        self.mkt_close: NanosecondTime | None = None
        if log_orders is None:
            self.log_to_file = False
        self.log_orders = bool(log_orders)
        self.starting_cash = starting_cash
        self.MKT_BUY = sys.maxsize
        self.MKT_SELL = 0
        self.holdings: dict[str, int] = {"CASH": starting_cash}
        self.orders: dict[int, Order] = {}
        self.last_trade: dict[str, int | None] = {}
        self.exchange_ts: dict[str, NanosecondTime] = {}
        self.daily_close_price: dict[str, int | None] = {}
        self.nav_diff = 0
        self.basket_size = 0
        self.known_bids: dict[str, Levels] = {}
        self.known_asks: dict[str, Levels] = {}
        self.stream_history: dict[str, list[dict[str, Any]]] = {}
        self.transacted_volume: dict[str, tuple[int, int]] = {}
        self.executed_orders: list[Order] = []
        self.first_wake = True
        self.mkt_closed = False
        self.exchange_id: int | None = None
        self.book: Any = ""

    # Life cycle

    def kernel_starting(self, start_time: NanosecondTime) -> None:
        """Find the exchange."""
        self.logEvent("STARTING_CASH", self.starting_cash, True)
        self.exchange_id = self._kernel().find_agents_by_type(ExchangeAgent)[0]
        super().kernel_starting(start_time)

    def kernel_stopping(self) -> None:
        """Value what is left."""
        super().kernel_stopping()
        self.logEvent("FINAL_HOLDINGS", self.fmt_holdings(self.holdings))
        self.logEvent("FINAL_CASH_POSITION", self.holdings["CASH"], True)
        value = self.mark_to_market(self.holdings)
        self.logEvent("ENDING_CASH", value, True)
        kernel = self._kernel()
        kernel.mean_result_by_agent_type[self.type] += value - self.starting_cash
        kernel.agent_count_by_type[self.type] += 1

    def wakeup(self, current_time: NanosecondTime) -> Any:
        """Ask for the market's hours until they are known.

        Returns:
            Whether the market is known to be open for orders; subclasses do not pass this on to the kernel.
        """
        super().wakeup(current_time)
        if self.first_wake:
            self.logEvent("HOLDINGS_UPDATED", dict(self.holdings))
            self.first_wake = False
            self._ask(MarketClosePriceRequestMsg())
        if self.mkt_open is None:
            self._ask(MarketHoursRequestMsg())
        return bool(self.mkt_open is not None and self.mkt_close is not None and not self.mkt_closed)

    def get_wake_frequency(self) -> int:
        """Return the time from the open to the first wake-up, ns."""
        return 0

    def receive_message(self, current_time: NanosecondTime, sender_id: int, message: Message) -> Any:
        """Hand a message to the method for its kind."""
        super().receive_message(current_time, sender_id, message)
        had_hours = self.mkt_open is not None and self.mkt_close is not None
        for base in message.__class__.__mro__:
            handler = _HANDLERS.get(base)
            if handler is not None:
                handler(self, message)
                break
        if not had_hours and self.mkt_open is not None and self.mkt_close is not None:
            self.set_wakeup(max(self.mkt_open + self.get_wake_frequency(), current_time))
        return None

    # Requests

    def _ask(self, message: Message) -> None:
        assert self.exchange_id is not None, f"agent {self.id} has not found an exchange yet"
        self.send_message(self.exchange_id, message)

    def request_data_subscription(self, subscription_message: MarketDataSubReqMsg) -> None:
        """Begin a subscription to market data."""
        subscription_message.cancel = False
        self._ask(subscription_message)

    def cancel_data_subscription(self, subscription_message: MarketDataSubReqMsg) -> None:
        """End a subscription to market data."""
        subscription_message.cancel = True
        self._ask(subscription_message)

    def get_last_trade(self, symbol: str) -> None:
        """Ask for the last trade."""
        self._ask(QueryLastTradeMsg(symbol))

    def get_current_spread(self, symbol: str, depth: int = 1) -> None:
        """Ask for the `depth` best levels of each side."""
        self._ask(QuerySpreadMsg(symbol, depth))

    def get_order_stream(self, symbol: str, length: int = 1) -> None:
        """Ask for the `length` latest entries of the book's history."""
        self._ask(QueryOrderStreamMsg(symbol, length))

    def get_transacted_volume(self, symbol: str, lookback_period: str | int = "10min") -> None:
        """Ask for the volume traded during a time before now."""
        self._ask(QueryTransactedVolMsg(symbol, lookback_period))

    # Orders

    def create_limit_order(
        self,
        symbol: str,
        quantity: int,
        side: Side,
        limit_price: int,
        order_id: int | None = None,
        is_hidden: bool = False,
        is_price_to_comply: bool = False,
        insert_by_id: bool = False,
        is_post_only: bool = False,
        ignore_risk: bool = True,
        tag: Any = None,
    ) -> LimitOrder | None:
        """Create a limit order without sending it.

        Returns:
            The order, or `None` (with a warning) if the quantity is not positive, or if the order would raise the
            value at risk above the starting cash and `ignore_risk` is false.
        """
        if not self._may_order(symbol, quantity, side, ignore_risk):
            return None
        return LimitOrder(
            self.id,
            self.current_time,
            symbol,
            quantity,
            side,
            limit_price,
            is_hidden,
            is_price_to_comply,
            insert_by_id,
            is_post_only,
            order_id,
            tag,
        )

    def place_limit_order(
        self,
        symbol: str,
        quantity: int,
        side: Side,
        limit_price: int,
        order_id: int | None = None,
        is_hidden: bool = False,
        is_price_to_comply: bool = False,
        insert_by_id: bool = False,
        is_post_only: bool = False,
        ignore_risk: bool = True,
        tag: Any = None,
    ) -> None:
        """Send a limit order; see `create_limit_order` for when none is sent."""
        order = self.create_limit_order(
            symbol,
            quantity,
            side,
            limit_price,
            order_id,
            is_hidden,
            is_price_to_comply,
            insert_by_id,
            is_post_only,
            ignore_risk,
            tag,
        )
        if order is not None:
            self._register(order)
            self._ask(LimitOrderMsg(order))
            if self.log_orders:
                self.logEvent("ORDER_SUBMITTED", order.to_dict())

    def place_market_order(
        self,
        symbol: str,
        quantity: int,
        side: Side,
        order_id: int | None = None,
        ignore_risk: bool = True,
        tag: Any = None,
    ) -> None:
        """Send a market order; none is sent (with a warning) if the quantity is not positive."""
        if not self._may_order(symbol, quantity, side, ignore_risk):
            return
        order = MarketOrder(self.id, self.current_time, symbol, quantity, side, order_id, tag)
        self._register(order)
        self._ask(MarketOrderMsg(order))
        if self.log_orders:
            self.logEvent("ORDER_SUBMITTED", order.to_dict())

    def place_multiple_orders(self, orders: list[Any]) -> None:
        """Send several orders in one batch.

        Raises:
            TypeError: If one of them is neither a limit nor a market order.
        """
        messages: list[Message] = []
        for order in orders:
            if isinstance(order, LimitOrder):
                messages.append(LimitOrderMsg(order))
            elif isinstance(order, MarketOrder):
                messages.append(MarketOrderMsg(order))
            else:
                raise TypeError(f"not an order: {order!r}")
        for order in orders:
            self._register(order)
            if self.log_orders:
                self.logEvent("ORDER_SUBMITTED", order.to_dict())
        if messages:
            assert self.exchange_id is not None
            self.send_message_batch(self.exchange_id, messages)

    def cancel_order(self, order: Order, tag: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Ask for a limit order to be cancelled; it stays in `orders` until the exchange confirms."""
        if not isinstance(order, LimitOrder):
            warnings.warn(f"only limit orders can be cancelled, got {order}", UserWarning, stacklevel=2)
            return
        self._ask(CancelOrderMsg(order, tag, metadata))
        if self.log_orders:
            self.logEvent("CANCEL_SUBMITTED", order.to_dict())

    def cancel_all_orders(self) -> None:
        """Ask for every open limit order to be cancelled, in order of placing."""
        for order in list(self.orders.values()):
            if isinstance(order, LimitOrder):
                self.cancel_order(order)

    def partial_cancel_order(
        self, order: LimitOrder, quantity: int, tag: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Ask for `quantity` shares to be taken off a limit order."""
        self._ask(PartialCancelOrderMsg(order, quantity, tag, metadata))
        if self.log_orders:
            self.logEvent("CANCEL_PARTIAL_ORDER", order.to_dict())

    def modify_order(self, order: LimitOrder, new_order: LimitOrder) -> None:
        """Ask for a limit order's quantity to become that of `new_order`, which has the same id."""
        self._ask(ModifyOrderMsg(order, new_order))
        if self.log_orders:
            self.logEvent("MODIFY_ORDER", order.to_dict())

    def replace_order(self, order: LimitOrder, new_order: LimitOrder) -> None:
        """Ask for one limit order to be cancelled and another placed in its stead."""
        self._register(new_order)  # its executions arrive before the confirmation
        self._ask(ReplaceOrderMsg(self.id, order, new_order))
        if self.log_orders:
            self.logEvent("REPLACE_ORDER", order.to_dict())

    def _register(self, order: Order) -> None:
        self.orders[order.order_id] = order.copy()

    def _may_order(self, symbol: str, quantity: int, side: Side, ignore_risk: bool) -> bool:
        if quantity <= 0:
            warnings.warn(
                f"{self.name} tried to order a quantity zero or less: {quantity} {symbol}", UserWarning, stacklevel=3
            )
            return False
        if ignore_risk:
            return True
        change = quantity if side is Side.BID else -quantity
        price = self.last_trade.get(symbol) or 0
        at_risk = self._value(self.holdings) - self.holdings["CASH"]
        new_at_risk = at_risk + change * price
        return not (new_at_risk > at_risk and new_at_risk > self.starting_cash)

    # What the exchange tells

    def order_executed(self, order: Order) -> None:
        """Take note of an execution."""
        if self.log_orders:
            self.logEvent("ORDER_EXECUTED", order.to_dict())
        assert order.fill_price is not None
        signed = order.quantity if order.side is Side.BID else -order.quantity
        shares = self.holdings.get(order.symbol, 0) + signed
        if shares:
            self.holdings[order.symbol] = shares
        else:
            self.holdings.pop(order.symbol, None)
        self.holdings["CASH"] -= signed * order.fill_price
        self.executed_orders.append(order)
        known = self.orders.get(order.order_id)
        if known is None:
            warnings.warn(f"execution of an order that {self.name} does not know: {order}", UserWarning, stacklevel=2)
        elif order.quantity >= known.quantity:
            del self.orders[order.order_id]
        else:
            known.quantity -= order.quantity
        if self.log_events:
            self.logEvent("HOLDINGS_UPDATED", dict(self.holdings))

    def order_accepted(self, order: Order) -> None:
        """Take note that an order rests in the book."""
        if self.log_orders:
            self.logEvent("ORDER_ACCEPTED", order.to_dict())

    def order_cancelled(self, order: Order) -> None:
        """Take note that an order has left the book."""
        if self.log_orders:
            self.logEvent("ORDER_CANCELLED", order.to_dict())
        if self.orders.pop(order.order_id, None) is None:
            warnings.warn(
                f"cancellation of an order that {self.name} does not know: {order}", UserWarning, stacklevel=2
            )

    def order_partial_cancelled(self, order: Order) -> None:
        """Take note that an order has become smaller."""
        if self.log_orders:
            self.logEvent("PARTIAL_CANCELLED", order.to_dict())
        self._update(order)

    def order_modified(self, order: Order) -> None:
        """Take note that an order's quantity has changed."""
        if self.log_orders:
            self.logEvent("ORDER_MODIFIED", order.to_dict())
        self._update(order)

    def order_replaced(self, old_order: Order, new_order: Order) -> None:
        """Take note that one order has taken the place of another."""
        if self.log_orders:
            self.logEvent("ORDER_REPLACED", old_order.to_dict())
        self.orders.pop(old_order.order_id, None)
        if new_order.order_id in self.orders and new_order.quantity > 0:
            self.orders[new_order.order_id] = new_order
        self.logEvent("HOLDINGS_UPDATED", dict(self.holdings))

    def order_rejected(self, order: Order, request: str, reason: str) -> None:
        """Take note that a request to cancel, change or replace an order was refused.

        Args:
            order: The order that the request named or, of a replacement, the new one, which will not be placed.
            request: Name of the request's message class.
            reason: Why it was refused.
        """
        if self.log_orders:
            self.logEvent("ORDER_REJECTED", {**order.to_dict(), "request": request, "reason": reason})
        if request == ReplaceOrderMsg.__name__:
            self.orders.pop(order.order_id, None)

    def _update(self, order: Order) -> None:
        if order.order_id in self.orders:
            self.orders[order.order_id] = order
        else:
            warnings.warn(f"change of an order that {self.name} does not know: {order}", UserWarning, stacklevel=3)
        self.logEvent("HOLDINGS_UPDATED", dict(self.holdings))

    def market_closed(self) -> None:
        """Take note that the market has closed."""
        self.logEvent("MKT_CLOSED")
        self.mkt_closed = True

    def query_last_trade(self, symbol: str, price: int | None) -> None:
        """Take note of the last trade."""
        self.last_trade[symbol] = price
        if self.mkt_closed:
            self.daily_close_price[symbol] = price

    def query_spread(self, symbol: str, price: int | None, bids: Levels, asks: Levels, book: Any) -> None:
        """Take note of the best levels."""
        self.query_last_trade(symbol, price)
        self.known_bids[symbol] = bids
        self.known_asks[symbol] = asks
        if self.log_events:
            self.logEvent("BID_DEPTH", bids)
            self.logEvent("ASK_DEPTH", asks)
            self.logEvent("IMBALANCE", [sum(q for _, q in bids), sum(q for _, q in asks)])
        self.book = book

    def query_order_stream(self, symbol: str, orders: list[dict[str, Any]]) -> None:
        """Take note of the book's latest history."""
        self.stream_history[symbol] = orders

    def query_transacted_volume(self, symbol: str, bid_volume: int, ask_volume: int) -> None:
        """Take note of the volume traded."""
        self.transacted_volume[symbol] = (bid_volume, ask_volume)

    def handle_market_data(self, message: MarketDataMsg) -> None:
        """Take note of subscribed data."""
        if isinstance(message, L2DataMsg):
            self.known_asks[message.symbol] = message.asks
            self.known_bids[message.symbol] = message.bids
            self.last_trade[message.symbol] = message.last_transaction
            self.exchange_ts[message.symbol] = message.exchange_ts

    # Message handlers: from a message to the methods above

    def _handle_market_hours_msg(self, message: MarketHoursMsg) -> None:
        self.mkt_open = message.mkt_open
        self.mkt_close = message.mkt_close

    def _handle_close_price_msg(self, message: MarketClosePriceMsg) -> None:
        self.last_trade.update(message.close_prices)

    def _handle_query_last_trade_response_msg(self, message: QueryLastTradeResponseMsg) -> None:
        self._note_close(message)
        self.query_last_trade(message.symbol, message.last_trade)

    def _handle_query_spread_response_msg(self, message: QuerySpreadResponseMsg) -> None:
        self._note_close(message)
        self.query_spread(message.symbol, message.last_trade, message.bids, message.asks, "")

    def _handle_query_order_stream_response_msg(self, message: QueryOrderStreamResponseMsg) -> None:
        self._note_close(message)
        self.query_order_stream(message.symbol, message.orders)

    def _handle_query_transacted_volume_response_msg(self, message: QueryTransactedVolResponseMsg) -> None:
        self._note_close(message)
        self.query_transacted_volume(message.symbol, message.bid_volume, message.ask_volume)

    def _note_close(self, message: Any) -> None:
        if message.mkt_closed:
            self.mkt_closed = True

    # Helpers

    @overload
    def get_known_bid_ask(self, symbol: str, best: Literal[True] = True) -> tuple[int | None, int, int | None, int]: ...

    @overload
    def get_known_bid_ask(self, symbol: str, best: Literal[False]) -> tuple[Levels | None, Levels | None]: ...

    def get_known_bid_ask(
        self, symbol: str, best: bool = True
    ) -> tuple[int | None, int, int | None, int] | tuple[Levels | None, Levels | None]:
        """Return what is known of a symbol's quotes.

        Args:
            symbol: Traded symbol.
            best: Whether only the best of each side is wanted.

        Returns:
            `(bid, bid shares, ask, ask shares)` with `None` and 0 for an empty side, or, with `best=False`, all known
            levels `(bids, asks)` with `None` for an empty side.
        """
        bids = self.known_bids.get(symbol)
        asks = self.known_asks.get(symbol)
        if not best:
            return bids or None, asks or None
        bid, bid_shares = bids[0] if bids else (None, 0)
        ask, ask_shares = asks[0] if asks else (None, 0)
        return bid, bid_shares, ask, ask_shares

    def get_known_liquidity(self, symbol: str, within: float = 0.0) -> tuple[int, int]:
        """Return the known shares to buy and sell within a fraction of the best price of each side."""
        return (
            self.get_book_liquidity(self.known_bids.get(symbol, []), within),
            self.get_book_liquidity(self.known_asks.get(symbol, []), within),
        )

    def get_book_liquidity(self, book: Levels, within: float) -> int:
        """Return the shares of one side within a fraction of its best price."""
        if not book:
            return 0
        best = book[0][0]
        reach = round(best * within)
        return sum(quantity for price, quantity in book if abs(best - price) <= reach)

    def get_known_bid_ask_midpoint(self, symbol: str) -> tuple[int | None, int | None, int | None]:
        """Return `(bid, ask, mid)` in whole cents, `None` for what is not known."""
        bid, _, ask, _ = self.get_known_bid_ask(symbol)
        mid = round((bid + ask) / 2) if bid is not None and ask is not None else None
        return bid, ask, mid

    def mark_to_market(self, holdings: dict[str, int], use_midpoint: bool = False) -> int:
        """Return the value of cash and shares at the last known trades (or mids), cents, and log it."""
        total = self._value(holdings, use_midpoint, log=True)
        self.logEvent("MARKED_TO_MARKET", total)
        return total

    def _value(self, holdings: dict[str, int], use_midpoint: bool = False, log: bool = False) -> int:
        total = holdings["CASH"] + self.basket_size * self.nav_diff
        for symbol, shares in holdings.items():
            if symbol == "CASH":
                continue
            price = self.last_trade.get(symbol) or 0
            if use_midpoint:
                mid = self.get_known_bid_ask_midpoint(symbol)[2]
                price = price if mid is None else mid
            total += price * shares
            if log:
                self.logEvent("MARK_TO_MARKET", f"{shares} {symbol} @ {price} == {price * shares}")
        return total

    def get_holdings(self, symbol: str) -> int:
        """Return the shares held (or the cents, for `CASH`)."""
        return self.holdings.get(symbol, 0)

    def get_average_transaction_price(self) -> float | None:
        """Return the mean fill price weighted by quantity, cents to two decimals; `None` without executions."""
        shares = sum(order.quantity for order in self.executed_orders)
        if not shares:
            return None
        return round(sum(order.quantity * (order.fill_price or 0) for order in self.executed_orders) / shares, 2)

    def fmt_holdings(self, holdings: dict[str, int]) -> str:
        """Return holdings as text, symbols in order, cash last."""
        parts = [f"{symbol}: {holdings[symbol]}" for symbol in sorted(holdings) if symbol != "CASH"]
        return "{ " + ", ".join([*parts, f"CASH: {holdings['CASH']}"]) + " }"


_HANDLERS: dict[type[Message], Callable[[TradingAgent, Any], None]] = {
    MarketHoursMsg: lambda agent, message: agent._handle_market_hours_msg(message),
    MarketClosePriceMsg: lambda agent, message: agent._handle_close_price_msg(message),
    MarketClosedMsg: lambda agent, message: agent.market_closed(),
    OrderExecutedMsg: lambda agent, message: agent.order_executed(message.order),
    OrderAcceptedMsg: lambda agent, message: agent.order_accepted(message.order),
    OrderCancelledMsg: lambda agent, message: agent.order_cancelled(message.order),
    OrderPartialCancelledMsg: lambda agent, message: agent.order_partial_cancelled(message.new_order),
    OrderModifiedMsg: lambda agent, message: agent.order_modified(message.new_order),
    OrderReplacedMsg: lambda agent, message: agent.order_replaced(message.old_order, message.new_order),
    OrderRejectedMsg: lambda agent, message: agent.order_rejected(message.order, message.request, message.reason),
    QueryLastTradeResponseMsg: lambda agent, message: agent._handle_query_last_trade_response_msg(message),
    QuerySpreadResponseMsg: lambda agent, message: agent._handle_query_spread_response_msg(message),
    QueryOrderStreamResponseMsg: lambda agent, message: agent._handle_query_order_stream_response_msg(message),
    QueryTransactedVolResponseMsg: lambda agent, message: agent._handle_query_transacted_volume_response_msg(message),
    MarketDataMsg: lambda agent, message: agent.handle_market_data(message),
}
