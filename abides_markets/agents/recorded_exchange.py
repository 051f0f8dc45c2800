"""An exchange at which a recorded day passes and nobody reacts: what a backtest assumes.

The rules are the usual ones of a backtest on order flow:

- The record goes on as it was, whatever is done to it. What an order takes is there again at the next look, and so is
  what its sender left behind.
- A market order walks the recorded levels of the other side as they stand when it arrives; so does a limit order that
  crosses them, up to its price.
- A limit order that rests has the recorded shares at its price ahead of it. They become fewer by recorded executions
  and by cancellations of orders that were there before it. It is filled by recorded executions of orders that came
  after it, or at worse prices than its own, and by recorded orders of the other side that come to rest across it: share
  for share, at its own price.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from abides_core.message import Message
from abides_core.utils import NanosecondTime
from abides_core.utils import ns_date
from abides_core.utils import str_to_ns
from abides_markets.agents.exchange_agent import ExchangeAgent
from abides_markets.lobster import BUY
from abides_markets.lobster import CANCELLATION
from abides_markets.lobster import DELETION
from abides_markets.lobster import EXECUTION
from abides_markets.lobster import PER_CENT
from abides_markets.lobster import SELL
from abides_markets.lobster import SUBMISSION
from abides_markets.lobster import LobsterBook
from abides_markets.lobster import LobsterMessage
from abides_markets.messages.orderbook import OrderAcceptedMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side


class _Resting:
    """An order of an agent in the recorded queue: the shares ahead of it, and the recorded orders behind it."""

    __slots__ = ("ahead", "behind", "direction", "order", "price")

    def __init__(self, order: LimitOrder, ahead: int) -> None:
        self.order = order
        self.price = order.limit_price * PER_CENT
        self.direction = BUY if order.side is Side.BID else SELL
        self.ahead = ahead
        self.behind: set[int] = set()

    def see(self, message: LobsterMessage) -> int:
        """Let a recorded event pass, and return the shares that it would have traded with this order."""
        better = (message.price - self.price) * self.direction  # above zero: better for whoever trades against it
        if message.direction != self.direction:
            return message.size if message.kind == SUBMISSION and better <= 0 else 0
        if message.kind == EXECUTION and better < 0:
            return message.size
        if better != 0:
            return 0
        if message.kind == SUBMISSION:
            self.behind.add(message.order_id)
        elif message.order_id not in self.behind:
            self.ahead = max(0, self.ahead - message.size)
        elif message.kind == EXECUTION:
            return message.size
        return 0


class RecordedBook:
    """A recorded book that passes, with the orders of agents in it that change nothing; stands in for an `OrderBook`.

    Args:
        owner: The exchange.
        symbol: Traded symbol.
        messages: The record.
        opening: The book before it, as a line of a LOBSTER order book file; empty by default.

    Attributes:
        last_trade: Price of the last recorded execution, cents; `None` before the first.
        last_update_ts: Time of the last recorded event, ns since the epoch.
        history: Not kept.
    """

    def __init__(
        self, owner: Any, symbol: str, messages: Sequence[LobsterMessage], opening: Sequence[int] = ()
    ) -> None:
        self.owner = owner
        self.symbol = symbol
        self.last_trade: int | None = None
        self.last_update_ts: NanosecondTime = owner.mkt_open
        self.history: list[dict[str, Any]] = []
        self._messages = messages
        self._next = 0
        self._midnight = ns_date(owner.mkt_open)
        self._book = LobsterBook(opening)
        self._resting: dict[int, _Resting] = {}
        self._traded: list[tuple[NanosecondTime, int, int]] = []  # time, shares bought and sold by incoming orders

    @property
    def resting_orders(self) -> int:
        """Number of agents' orders in the book."""
        return len(self._resting)

    # The record

    @property
    def next_event(self) -> NanosecondTime | None:
        """Time of the next recorded event if an order rests that it may fill, ns since the epoch."""
        if not self._resting or self._next == len(self._messages):
            return None
        return self._midnight + self._messages[self._next].time

    def advance(self, now: NanosecondTime) -> None:
        """Let everything pass that was recorded up to now."""
        while self._next < len(self._messages) and self._midnight + self._messages[self._next].time <= now:
            message = self._messages[self._next]
            self._next += 1
            self._book.apply(message)
            self.last_update_ts = self._midnight + message.time
            if message.kind == EXECUTION:
                self.last_trade = message.price // PER_CENT
                self._note(self.last_update_ts, message.size, message.direction == SELL)
            if self._resting and message.kind in (SUBMISSION, CANCELLATION, DELETION, EXECUTION):
                self._fill_from(message)

    def _fill_from(self, message: LobsterMessage) -> None:
        shares: int | None = None
        # The best price first, at one price the oldest: what one order gets, the next does not.
        for resting in sorted(self._resting.values(), key=lambda r: -r.direction * r.price):
            would = resting.see(message)
            if would:
                shares = would if shares is None else shares
                taken = min(shares, resting.order.quantity)
                shares -= taken
                if taken:
                    self._fill_resting(resting.order, taken)

    def _fill_resting(self, order: LimitOrder, shares: int) -> None:
        order.quantity -= shares
        if order.quantity == 0:
            del self._resting[order.order_id]
        self._execute(order, shares, order.limit_price)

    def _execute(self, order: Order, shares: int, price: int) -> None:
        filled = order.copy()
        filled.quantity = shares
        filled.fill_price = price
        self.owner.send_message(order.agent_id, OrderExecutedMsg(filled))

    def _note(self, time: NanosecondTime, shares: int, is_bought: bool) -> None:
        self._traded.append((time, shares * is_bought, shares * (not is_bought)))

    # Requests, as an `OrderBook` has them

    def handle_market_order(self, order: MarketOrder) -> None:
        """Fill what the recorded book offers; the rest is reported as cancelled."""
        order = order.copy()
        self._take(order, None)
        if order.quantity > 0:
            self.owner.send_message(order.agent_id, OrderCancelledMsg(order))

    def handle_limit_order(self, order: LimitOrder) -> None:
        """Fill what crosses, and let the rest wait behind the recorded shares at its price."""
        self._take(order, order.limit_price * PER_CENT)
        if order.quantity > 0:
            side = self._book.bids if order.side is Side.BID else self._book.asks
            resting = order.copy()
            self._resting[order.order_id] = _Resting(resting, side.get(order.limit_price * PER_CENT, 0))
            self.owner.send_message(order.agent_id, OrderAcceptedMsg(order))

    def cancel_order(self, order: LimitOrder, *details: Any) -> bool:
        """Withdraw a resting order of an agent."""
        resting = self._resting.pop(order.order_id, None)
        if resting is None:
            return False
        self.owner.send_message(order.agent_id, OrderCancelledMsg(resting.order))
        return True

    def find(self, order: LimitOrder) -> LimitOrder | None:
        """Return the resting order that `order` names, if there is one."""
        resting = self._resting.get(order.order_id)
        return resting.order if resting is not None else None

    def _take(self, order: Order, limit: int | None) -> None:
        is_buy = order.side is Side.BID
        for price, shares in self._book.best_asks() if is_buy else self._book.best_bids():
            if order.quantity == 0 or (limit is not None and (price > limit if is_buy else price < limit)):
                break
            taken = min(shares, order.quantity)
            order.quantity -= taken
            self._note(self.owner.current_time, taken, is_buy)
            self._execute(order, taken, price // PER_CENT)

    # What the book shows

    def get_l2_bid_data(self, depth: int | None = None) -> list[tuple[int, int]]:
        """Return `(price, shares)` of the recorded levels to buy, cents, best first."""
        return [(price // PER_CENT, shares) for price, shares in self._book.best_bids(depth)]

    def get_l2_ask_data(self, depth: int | None = None) -> list[tuple[int, int]]:
        """Return `(price, shares)` of the recorded levels to sell, cents, best first."""
        return [(price // PER_CENT, shares) for price, shares in self._book.best_asks(depth)]

    def get_transacted_volume(self, lookback_period: str | int = "10min") -> tuple[int, int]:
        """Return the shares bought and sold by incoming orders in the time before now, the agents' own included."""
        since = self.owner.current_time - str_to_ns(lookback_period)
        bought = sold = 0
        for time, buy, sell in reversed(self._traded):
            if time < since:
                break
            bought, sold = bought + buy, sold + sell
        return bought, sold


class RecordedExchange(ExchangeAgent):
    """The exchange of a recorded day: agents trade against the record, which takes no notice (see this module).

    Partial cancellations, changes and replacements of orders, and subscriptions, are not for a record.

    Args:
        messages: The record.
        opening: The book before it, as a line of a LOBSTER order book file; empty by default.
        arguments: As for `ExchangeAgent`, with one symbol.
    """

    def __init__(
        self, *arguments: Any, messages: Sequence[LobsterMessage], opening: Sequence[int] = (), **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        (symbol,) = self.symbols
        self.record = RecordedBook(self, symbol, messages, opening)
        self.order_books = {symbol: self.record}  # type: ignore[dict-item]
        self._wakes_at: NanosecondTime = -1

    def wakeup(self, current_time: NanosecondTime) -> None:
        """Let the record pass, and wake again for its next event if that may fill an order."""
        super().wakeup(current_time)
        self._pass(current_time)

    def receive_message(self, current_time: NanosecondTime, sender_id: int, message: Message) -> None:
        """Let the record pass, and answer."""
        self.current_time = current_time
        self.record.advance(current_time)
        super().receive_message(current_time, sender_id, message)
        self._pass(current_time)

    def _pass(self, now: NanosecondTime) -> None:
        self.record.advance(now)
        following = self.record.next_event
        if following is not None and self._wakes_at <= now:  # else the next event is waited for already
            self._wakes_at = following
            self.set_wakeup(following)
