"""The base of all execution agents: one parent order, worked by child orders inside the market.

A strategy answers one question, `decide`: given the view at a decision time, which child orders to send. Everything
else is the same for all strategies, the learned one included: when decisions are taken, what is seen, how fills are
counted, and what happens at the end of the window.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from operator import index
from typing import Any
from typing import NamedTuple

import numpy as np

from abides_core.message import Message
from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_core.utils import ns_date
from abides_markets.agents import TradingAgent
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import Order
from abides_markets.orders import Side
from agents.views import PAST_MIDS
from agents.views import Fill
from agents.views import View

FULL_DEPTH = sys.maxsize
ARRIVAL_POLL = 1_000_000_000
"""Time between questions while the market has not been two-sided yet, ns."""
LONGEST_SWEEP = 500_000_000
"""Longest time before the end of the window at which the sweep begins, ns."""


@dataclass(frozen=True, slots=True)
class ParentOrder:
    """A parent order.

    Attributes:
        side: Side of the book.
        quantity: Shares.
        start: Arrival, ns since midnight.
        window: Length of the window, ns.
        sweep: Whether shares unfilled shortly before the end are sent as market orders.
        settlement: Time after the window in which the last confirmations arrive, ns.
    """

    side: Side
    quantity: int
    start: NanosecondTime
    window: int
    sweep: bool = True
    settlement: int = 1_000_000_000

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            raise ValueError(f"the quantity of a parent order must be positive, got {self.quantity}")
        if self.window <= 0:
            raise ValueError(f"the window of a parent order must be longer than zero, got {self.window} ns")

    @property
    def sign(self) -> int:
        """+1 to buy, −1 to sell."""
        return 1 if self.side is Side.BID else -1


class Decision(NamedTuple):
    """What to do at a decision; nothing by default.

    Attributes:
        market: Shares to send as a market order.
        limit: Shares to send as a limit order.
        limit_price: Its price, cents.
        cancel: Whether resting orders are cancelled, and confirmed as such, before anything is sent.
        action: Number of the action for the record; −1 where the strategy has none.
    """

    market: int = 0
    limit: int = 0
    limit_price: int = -1
    cancel: bool = False
    action: int = -1


def _checked(decision: Decision) -> Decision:
    """Return the decision in whole numbers; `place_*_order` would only warn of a wrong one."""
    market, limit, price = decision.market, decision.limit, decision.limit_price
    if not (market.__class__ is limit.__class__ is price.__class__ is int):
        try:
            market, limit, price = index(market), index(limit), index(price)
        except TypeError as error:
            raise ValueError(f"shares and prices of a decision must be whole numbers, got {decision}") from error
        decision = decision._replace(market=market, limit=limit, limit_price=price)
    if market < 0 or limit < 0:
        raise ValueError(f"shares of a decision must not be negative, got {decision}")
    if limit > 0 and price < 0:
        raise ValueError(f"a limit order needs a limit_price of at least 0 cents, got {decision}")
    return decision


class DecisionRecord(NamedTuple):
    """One decision as recorded: the view's essentials and what was decided."""

    view: View
    decision: Decision


@dataclass(slots=True)
class ChildOrder:
    """A child order as its agent knows it.

    Attributes:
        order_id: Id in the run.
        decision: Number of the decision that sent it; the number of decisions for the sweep.
        kind: `market` or `limit`.
        quantity: Shares.
        limit_price: Cents; −1 for a market order.
        submitted: Time of sending, ns since the epoch.
        filled: Shares executed.
        cancelled: Shares cancelled or left unfilled by the book.
        done: Time at which nothing of it was open any more; −1 before that.
    """

    order_id: int
    decision: int
    kind: str
    quantity: int
    limit_price: int
    submitted: NanosecondTime
    filled: int = 0
    cancelled: int = 0
    done: NanosecondTime = -1


class ExecutionAgent(TradingAgent):
    """Works a parent order. Subclasses implement `decide`.

    Decisions are due at the start of the window and every `interval` after it. At each the agent asks for the traded
    volume and for the book at full depth, and decides when the book arrives. Before the first two-sided book there is
    no arrival price: nothing is sent, and the question is repeated every second. Orders in flight and at rest never
    add up to more than what is left of the parent order.

    Shortly before the end of the window a sweep, if the parent order asks for one, withdraws what rests and sends the
    remainder as market orders until it is filled or the opposite side is empty. At the end everything still open is
    withdrawn; fills are counted until the end of the settlement.

    Args:
        id: Agent id.
        symbol: Traded symbol.
        order: The parent order.
        interval: Time between decisions, ns; divides the window.
        name: Name.
        type: Type for reports.
        random_state: The agent's stream.
        starting_cash: Cash at the start, cents.
        log_orders: Whether events about orders are logged.

    Attributes:
        filled: Shares filled so far.
        arrival2: Twice the arrival price, half cents; `None` until the first two-sided book.
        end_mid2: Twice the mid at the end of the window, half cents; `None` before it, or if it was not needed.
        finished: Whether the agent has nothing more to do.
        decisions: Every decision taken.
        child_orders: Every child order by id.
        fills: Every execution, in order of arrival.
    """

    def __init__(
        self,
        id: int,
        symbol: str,
        order: ParentOrder,
        interval: int,
        name: str | None = None,
        type: str | None = None,
        random_state: np.random.RandomState | Seed | None = None,
        starting_cash: int = 0,
        log_orders: bool | None = None,
    ) -> None:
        if interval <= 0 or order.window % interval:
            raise ValueError(f"the decision interval must divide the window of {order.window} ns, got {interval} ns")
        super().__init__(id, name, type, random_state, starting_cash, log_orders)
        self.symbol = symbol
        self.order = order
        self.interval = interval
        self.filled = 0
        self.arrival2: int | None = None
        self.end_mid2: int | None = None
        self.finished = False
        self.decisions: list[DecisionRecord] = []
        self.child_orders: dict[int, ChildOrder] = {}
        self.fills: list[Fill] = []
        self._start = self._sweep_start = self._end = NanosecondTime(0)
        self._mid2 = -1
        self._past: tuple[int, ...] = ()  # mids of earlier decisions, the last one first
        self._awaiting = ""  # "decision", "sweep" or "end": what the next book is wanted for
        self._sweeping = False
        self._pending: Decision | None = None
        self._fills_seen = 0

    # The question that a strategy answers

    def decide(self, view: View) -> Decision:
        """Return the child orders to send, given the view at a decision time."""
        raise NotImplementedError

    # Protocol

    def get_wake_frequency(self) -> int:
        """Return the time from the open to the start of the window, ns."""
        assert self.mkt_open is not None
        self._start = ns_date(self.mkt_open) + self.order.start
        self._end = self._start + self.order.window
        self._sweep_start = self._end - min(LONGEST_SWEEP, self.interval // 2)
        return self._start - self.mkt_open

    def wakeup(self, current_time: NanosecondTime) -> Any:
        """Ask for the book at a decision time, begin the sweep, or end the window."""
        may_trade = super().wakeup(current_time)
        if self.finished or self.mkt_open is None or current_time < self._start:
            return None
        if current_time >= self._end + self.order.settlement or not may_trade:
            return self._finish()
        if self.filled == self.order.quantity and not self.orders:
            return self._finish()
        if current_time >= self._end:
            self._sweeping = False
            self._pending = None
            self.cancel_all_orders()
            self._ask_for_book("end")
            self.set_wakeup(self._end + self.order.settlement)
        elif self.order.sweep and current_time >= self._sweep_start:
            self._sweeping = True
            self._pending = None
            self._awaiting = ""
            self.set_wakeup(self._end)
            if self.arrival2 is None:
                self._ask_for_book("sweep")
            elif any(isinstance(order, LimitOrder) for order in self.orders.values()):
                self.cancel_all_orders()
            else:
                self._sweep()
        else:
            self._schedule_next(current_time)
            self.get_transacted_volume(self.symbol, self.interval)
            self._ask_for_book("decision")
        return None

    def _schedule_next(self, now: NanosecondTime) -> None:
        next_decision = now + self.interval - (now - self._start) % self.interval
        if self.arrival2 is None:
            next_decision = min(next_decision, now + ARRIVAL_POLL)
        last = self._sweep_start if self.order.sweep else self._end
        self.set_wakeup(min(next_decision, last))

    def _ask_for_book(self, purpose: str) -> None:
        self._awaiting = purpose
        self.get_current_spread(self.symbol, depth=FULL_DEPTH)

    def receive_message(self, current_time: NanosecondTime, sender_id: int, message: Message) -> Any:
        """Decide when the book arrives."""
        super().receive_message(current_time, sender_id, message)
        if not isinstance(message, QuerySpreadResponseMsg) or not self._awaiting:
            return None
        purpose, self._awaiting = self._awaiting, ""
        if message.bids and message.asks:
            self._mid2 = message.bids[0][0] + message.asks[0][0]
            if self.arrival2 is None:
                self.arrival2 = self._mid2
        if purpose == "end":
            self.end_mid2 = self._mid2
        elif self.arrival2 is None:
            return None
        elif purpose == "sweep":
            if message.asks if self.order.side is Side.BID else message.bids:
                self._sweep()
        else:
            asked = current_time - (current_time - self._start) % self.interval
            if not self.decisions or self.decisions[-1].view.elapsed < asked - self._start:
                return self._on_view(self._view(current_time, asked - self._start, message))
        return None

    def _view(self, now: NanosecondTime, elapsed: int, book: QuerySpreadResponseMsg) -> View:
        resting = [order for order in self.orders.values() if isinstance(order, LimitOrder)]
        prices = [order.limit_price for order in resting]
        parent = self.order
        best = (max(prices) if parent.side is Side.BID else min(prices)) if prices else -1
        past = self._past or (self._mid2,) * PAST_MIDS
        self._past = (self._mid2, *past[:-1])
        fills = tuple(self.fills[self._fills_seen :])
        self._fills_seen = len(self.fills)
        assert self.arrival2 is not None
        return View(
            time=now,
            decision=elapsed // self.interval,
            elapsed=elapsed,
            window=parent.window,
            interval=self.interval,
            side=parent.sign,
            parent=parent.quantity,
            filled=self.filled,
            resting=sum([order.quantity for order in resting]),
            resting_price=best,
            arrival2=self.arrival2,
            mid2=self._mid2,
            last_trade=book.last_trade or 0,
            bids=book.bids,
            asks=book.asks,
            volume=sum(self.transacted_volume.get(self.symbol, (0, 0))),
            mid2_past=past,
            fills=fills,
        )

    def _on_view(self, view: View) -> Any:
        self.apply(view, self.decide(view))

    def apply(self, view: View, decision: Decision) -> None:
        """Carry a decision out and record it.

        Raises:
            ValueError: If it asks for less than no shares, parts of a share, or a limit order without a price.
        """
        decision = _checked(decision)
        self.decisions.append(DecisionRecord(view, decision))
        self._pending = None
        if decision.cancel and any(isinstance(order, LimitOrder) for order in self.orders.values()):
            self._pending = decision
            self.cancel_all_orders()
        else:
            self._place(decision)

    def _place(self, decision: Decision) -> None:
        room = self.order.quantity - self.filled - sum(order.quantity for order in self.orders.values())
        market = min(decision.market, room)
        limit = min(decision.limit, room - market)
        if market > 0:
            self.place_market_order(self.symbol, market, self.order.side)
        if limit > 0:
            self.place_limit_order(self.symbol, limit, self.order.side, decision.limit_price)

    def _sweep(self) -> None:
        left = self.order.quantity - self.filled
        if left > 0 and not self.orders:
            self.place_market_order(self.symbol, left, self.order.side)

    def _finish(self) -> Any:
        self.finished = True
        return self._on_finish()

    def _on_finish(self) -> Any:
        return None

    def final_view(self) -> View:
        """Return the view at the end: fills since the last decision, the last known mid, no book."""
        fills = tuple(self.fills[self._fills_seen :])
        self._fills_seen = len(self.fills)
        last = self.decisions[-1].view if self.decisions else None
        return View(
            time=self.current_time,
            decision=self.order.window // self.interval,
            elapsed=self.order.window,
            window=self.order.window,
            interval=self.interval,
            side=self.order.sign,
            parent=self.order.quantity,
            filled=self.filled,
            resting=0,
            resting_price=-1,
            arrival2=self.arrival2 if self.arrival2 is not None else -1,
            mid2=self._mid2,
            last_trade=last.last_trade if last is not None else -1,
            bids=last.bids if last is not None else [],
            asks=last.asks if last is not None else [],
            volume=0,
            mid2_past=(self._mid2,) * PAST_MIDS,
            fills=fills,
        )

    # Accounts

    def _register(self, order: Order) -> None:
        super()._register(order)
        limit_price = order.limit_price if isinstance(order, LimitOrder) else -1
        self.child_orders[order.order_id] = ChildOrder(
            order_id=order.order_id,
            decision=self.order.window // self.interval if self._sweeping else self.decisions[-1].view.decision,
            kind="limit" if limit_price >= 0 else "market",
            quantity=order.quantity,
            limit_price=limit_price,
            submitted=self.current_time,
        )

    def order_executed(self, order: Order) -> None:
        """Count an execution."""
        super().order_executed(order)
        assert order.fill_price is not None
        self.filled += order.quantity
        self.fills.append(Fill(order.order_id, order.fill_price, order.quantity))
        child = self.child_orders[order.order_id]
        child.filled += order.quantity
        self._after_change(child)

    def order_cancelled(self, order: Order) -> None:
        """Count what left the book unfilled."""
        super().order_cancelled(order)
        child = self.child_orders[order.order_id]
        child.cancelled += order.quantity
        self._after_change(child, unfilled=child.kind == "market")

    def _after_change(self, child: ChildOrder, unfilled: bool = False) -> None:
        if child.order_id not in self.orders:
            child.done = self.current_time
        if not self._sweeping and self._pending is None:
            return
        if any(isinstance(order, LimitOrder) for order in self.orders.values()):
            return
        if self._pending is not None:
            decision, self._pending = self._pending, None
            self._place(decision)
        elif self._sweeping and unfilled:
            self._ask_for_book("sweep")
        elif self._sweeping:
            self._sweep()
