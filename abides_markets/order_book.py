"""The limit order book of one symbol, with price–time priority."""

from __future__ import annotations

import math
import sys
import warnings
from bisect import bisect_left
from itertools import islice
from numbers import Real
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pandas as pd

from abides_core.utils import NanosecondTime
from abides_core.utils import fmt_ts
from abides_core.utils import str_to_ns
from abides_markets.itch import itch_frame
from abides_markets.messages.orderbook import OrderAcceptedMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.messages.orderbook import OrderModifiedMsg
from abides_markets.messages.orderbook import OrderPartialCancelledMsg
from abides_markets.messages.orderbook import OrderReplacedMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side
from abides_markets.price_level import PriceLevel
from abides_markets.switches import REFERENCE
from abides_markets.switches import Switches

if TYPE_CHECKING:
    from abides_markets.tape import MarketTape

MARKET_REPLAY_TAGS = ("MR_preprocess_ADD", "MR_preprocess_REPLACE")
"""An order with one of these tags never takes what rests: it rests itself, even across it."""


def _bid_key(level: PriceLevel) -> int:
    return -level.price


def _ask_key(level: PriceLevel) -> int:
    return level.price


def is_whole(value: Any, least: int = 0) -> bool:
    """Return whether a value, of whatever type, is a whole number from `least` to `sys.maxsize`."""
    if value.__class__ is int:
        return bool(least <= value <= sys.maxsize)
    return isinstance(value, Real) and math.isfinite(value) and is_whole(math.floor(value), least) and value % 1 == 0


class OrderBook:
    """The resting orders of one symbol.

    A price-to-comply order rests as two halves with one id: a visible one at its price and a hidden one a cent better.
    What happens to one half happens to the other. The hidden half is not matched when it comes to rest, so it may stand
    at the very price of an opposite order: best bid and best ask may then be equal, hidden levels included.

    Args:
        owner: The exchange, or anything with `mkt_open`, `current_time`, `book_logging`, `book_log_depth`,
            `send_message(recipient_id, message)` and `logEvent(...)`.
        symbol: Traded symbol.
        switches: Repairs of the reference market.

    Attributes:
        bids: Price levels to buy, best first.
        asks: Price levels to sell, best first.
        last_trade: Price of the last trade, cents, `None` before the first.
        history: Everything that happened, oldest first, as dicts with `time` and `type`.
        last_update_ts: Time of the last change as subscribers see it, ns since the epoch.
        buy_transactions: `(time, shares)` of trades in which the incoming order bought.
        sell_transactions: `(time, shares)` of trades in which the incoming order sold.
        discarded: Orders, or remainders of orders, that were dropped without telling their agent.
        tape: Where trades and quotes are recorded, if anywhere.
    """

    def __init__(self, owner: Any, symbol: str, switches: Switches = REFERENCE) -> None:
        self.owner = owner
        self.symbol = symbol
        self.switches = switches
        self.bids: list[PriceLevel] = []
        self.asks: list[PriceLevel] = []
        self.last_trade: int | None = None
        self.history: list[dict[str, Any]] = []
        self.last_update_ts: NanosecondTime | None = owner.mkt_open
        self.buy_transactions: list[tuple[NanosecondTime, int]] = []
        self.sell_transactions: list[tuple[NanosecondTime, int]] = []
        self.discarded = 0
        self.tape: MarketTape | None = None
        self._bid_depth = 0
        self._ask_depth = 0
        self._resting: dict[int, LimitOrder] = {}  # by id; of a price-to-comply order the visible half
        self._hidden_halves: dict[int, LimitOrder] = {}
        self._log_rows: list[tuple[NanosecondTime, list[tuple[int, int]], list[tuple[int, int]]]] = []
        self._log_dicts: list[dict[str, Any]] = []

    @property
    def resting_orders(self) -> int:
        """Number of orders in the book."""
        return len(self._resting)

    # Requests

    def handle_limit_order(self, order: LimitOrder, quiet: bool = False) -> None:
        """Match a limit order and enter what remains of it.

        Args:
            order: The order; its quantity is reduced by what trades.
            quiet: Whether the entry of the remainder is neither announced nor noted in the history.
        """
        if not self._is_valid(order):
            return
        self._match_limit_order(order, quiet)
        self._after_change()

    def handle_market_order(self, order: MarketOrder) -> None:
        """Match a market order until it is filled or the opposite side is empty; the caller's object is unchanged."""
        order = order.copy()
        if not self._is_valid(order):
            return
        executed: list[tuple[int, int]] = []
        while order.quantity > 0:
            matched = self.execute_order(order)
            if matched is None:
                break
            executed.append((matched.quantity, matched.fill_price))  # type: ignore[arg-type]
        if executed and self.switches.market_orders_update_last_trade:
            self._log_best()
            self._set_last_trade(executed)
        if order.quantity > 0:
            if self.switches.report_unfilled:
                self.owner.send_message(order.agent_id, OrderCancelledMsg(order))
            else:
                self.discarded += 1
        self._after_change()

    def cancel_order(
        self,
        order: LimitOrder,
        tag: str | None = None,
        cancellation_metadata: dict[str, Any] | None = None,
        quiet: bool = False,
    ) -> bool:
        """Remove a resting order.

        Args:
            order: Names the order by id, side and price (of a price-to-comply order, the price of either half).
            tag: Noted in the history.
            cancellation_metadata: Noted in the history if the tag is `auctionFill`.
            quiet: Whether the cancellation is neither announced nor noted.

        Returns:
            Whether the order was found.
        """
        found = self._cancel(order, tag, cancellation_metadata, quiet)
        if found:
            self._after_change()
        return found

    def modify_order(self, order: LimitOrder, new_order: LimitOrder) -> None:
        """Change a resting order's quantity to that of `new_order`; a larger one loses its place in the queue."""
        resting = self.find(order)
        if resting is None or order.order_id != new_order.order_id or not is_whole(new_order.quantity, least=1):
            return
        self._resize(resting, int(new_order.quantity))
        self.history.append(
            {
                "time": self.owner.current_time,
                "type": "MODIFY",
                "order_id": resting.order_id,
                "new_side": resting.side.value,
                "new_quantity": resting.quantity,
            }
        )
        self.owner.send_message(resting.agent_id, OrderModifiedMsg(resting.copy()))
        self._after_resize()

    def partial_cancel_order(
        self,
        order: LimitOrder,
        quantity: int,
        tag: str | None = None,
        cancellation_metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take `quantity` shares off a resting order, which keeps its place; taking all of it cancels it."""
        resting = self.find(order)
        if resting is None or not is_whole(quantity, least=1):
            return
        if quantity >= resting.quantity:
            self.cancel_order(order, tag, cancellation_metadata)
            return
        quantity = int(quantity)
        self._resize(resting, resting.quantity - quantity)
        self.history.append(
            {
                "time": self.owner.current_time,
                "type": "CANCEL_PARTIAL",
                "order_id": order.order_id,
                "quantity": quantity,
                "tag": tag,
                "metadata": cancellation_metadata if tag == "auctionFill" else None,
            }
        )
        self.owner.send_message(resting.agent_id, OrderPartialCancelledMsg(resting.copy()))
        self._after_resize()

    def replace_order(self, agent_id: int, old_order: LimitOrder, new_order: LimitOrder) -> None:
        """Cancel one order and, if it was found, place another; `agent_id` is told once both are done.

        The history has one entry for both, with the new order as it was sent: what of it trades at once has `EXEC`
        entries, and what rests has no `LIMIT` entry.
        """
        if self._cancel(old_order, quiet=True):
            self.history.append(
                {
                    "time": self.owner.current_time,
                    "type": "REPLACE",
                    "old_order_id": old_order.order_id,
                    "new_order_id": new_order.order_id,
                    "quantity": new_order.quantity,
                    "price": new_order.limit_price,
                }
            )
            if self._is_valid(new_order):
                self._match_limit_order(new_order, quiet=True)
            self.owner.send_message(agent_id, OrderReplacedMsg(old_order, new_order))
            self._after_change()
        if self.owner.book_logging is True:
            self.append_book_log2()

    # Matching

    def execute_order(self, order: Order) -> LimitOrder | None:
        """Match an incoming order once, against the first order of the best opposite level.

        Both agents are told, the passive one first. The incoming order's quantity is reduced.

        Returns:
            The matched part of the resting order with its fill price, or `None` if nothing matches.
        """
        is_bid = order.side is Side.BID
        book = self.asks if is_bid else self.bids
        if not book:
            return None
        best = book[0]
        if order.__class__ is not MarketOrder and not best.order_is_match(order):  # type: ignore[arg-type]
            return None
        if order.tag in MARKET_REPLAY_TAGS:
            self.owner.logEvent(f"{order.tag}_POST_ONLY", {"order_id": order.order_id})
            return None
        visible_before = best.total_quantity
        passive = best.peek()[0]
        if order.quantity >= passive.quantity:
            best.pop()
            matched = passive
            if best.is_empty:
                del book[0]
            del (self._hidden_halves if passive.order_id in self._hidden_halves else self._resting)[passive.order_id]
            if passive.is_price_to_comply:
                self._remove(self._resting[passive.order_id])
        else:
            matched = passive.copy()
            matched.quantity = order.quantity
            best.reduce_first(order.quantity)
            if passive.is_price_to_comply:
                self._set_quantity(self._resting[passive.order_id], passive.quantity)
        taken = visible_before - best.total_quantity
        matched.fill_price = matched.limit_price
        now = self.owner.current_time
        if is_bid:
            self._ask_depth -= taken
            self.buy_transactions.append((now, matched.quantity))
        else:
            self._bid_depth -= taken
            self.sell_transactions.append((now, matched.quantity))
        self.history.append(
            {
                "time": now,
                "type": "EXEC",
                "order_id": matched.order_id,
                "agent_id": matched.agent_id,
                "oppos_order_id": order.order_id,
                "oppos_agent_id": order.agent_id,
                "side": "SELL" if is_bid else "BUY",
                "quantity": matched.quantity,
                "price": matched.fill_price,
            }
        )
        if self.tape is not None:
            self.tape.record_trade(now, matched, order)
        filled = order.copy()
        filled.quantity = matched.quantity
        filled.fill_price = matched.fill_price
        order.quantity -= filled.quantity
        self.owner.send_message(matched.agent_id, OrderExecutedMsg(matched))
        self.owner.send_message(order.agent_id, OrderExecutedMsg(filled))
        if self.owner.book_logging is True:
            self.append_book_log2()
        return matched

    def enter_order(self, order: LimitOrder, metadata: dict[str, Any] | None = None, quiet: bool = False) -> None:
        """Put an order into its level, or both halves of a price-to-comply order into theirs, without matching."""
        if order.is_price_to_comply and not metadata:
            self._enter_pair(order, quiet)
            return
        halves = self._hidden_halves if metadata and metadata.get("ptc_hidden") else self._resting
        halves[order.order_id] = order
        is_bid = order.side is Side.BID
        book, key, position = (
            (self.bids, _bid_key, -order.limit_price) if is_bid else (self.asks, _ask_key, order.limit_price)
        )
        index = bisect_left(book, position, key=key)
        level = book[index] if index < len(book) and book[index].price == order.limit_price else None
        if self.tape is not None:
            self.tape.record_entry(self.owner.current_time, order, level.total_quantity if level is not None else 0)
        if level is not None:
            level.add_order(order, metadata)
        else:
            book.insert(index, PriceLevel([(order, {} if metadata is None else metadata)]))
        if not order.is_hidden:
            if is_bid:
                self._bid_depth += order.quantity
            else:
                self._ask_depth += order.quantity
        if quiet:
            return
        self.history.append(
            {
                "time": self.owner.current_time,
                "type": "LIMIT",
                "order_id": order.order_id,
                "agent_id": order.agent_id,
                "side": order.side.value,
                "quantity": order.quantity,
                "price": order.limit_price,
            }
        )
        if self.owner.book_logging is True:
            self.append_book_log2()

    def _enter_pair(self, order: LimitOrder, quiet: bool) -> None:
        hidden, visible = order.copy(), order.copy()
        hidden.limit_price += 1 if order.side is Side.BID else -1
        hidden.is_hidden, visible.is_hidden = True, False
        self.enter_order(hidden, {"ptc_hidden": True, "ptc_other_half": visible}, quiet=True)
        self.enter_order(visible, {"ptc_hidden": False, "ptc_other_half": hidden}, quiet)

    def _match_limit_order(self, order: LimitOrder, quiet: bool) -> None:
        if self.switches.refuse_crossing_post_only and self._is_crossing_post_only(order):
            self._refuse(order, "it is post-only and would trade")
            return
        executed: list[tuple[int, int]] = []
        while order.quantity > 0:
            matched = self.execute_order(order)
            if matched is None:
                self.enter_order(order.copy(), quiet=quiet)
                if not quiet:
                    self.owner.send_message(order.agent_id, OrderAcceptedMsg(order))
                break
            executed.append((matched.quantity, matched.fill_price))  # type: ignore[arg-type]
        self._log_best()
        if executed:
            self._set_last_trade(executed)

    def _cancel(
        self,
        order: LimitOrder,
        tag: str | None = None,
        cancellation_metadata: dict[str, Any] | None = None,
        quiet: bool = False,
    ) -> bool:
        resting = self.find(order)
        if resting is None:
            return False
        self._remove(self._resting[resting.order_id])
        hidden_half = self._hidden_halves.get(resting.order_id)
        if hidden_half is not None:
            self._remove(hidden_half)
        now = self.owner.current_time
        self.last_update_ts = now
        if quiet:
            return True
        self.history.append(
            {
                "time": now,
                "type": "CANCEL",
                "order_id": resting.order_id,
                "tag": tag,
                "metadata": cancellation_metadata if tag == "auctionFill" else None,
            }
        )
        self.owner.send_message(resting.agent_id, OrderCancelledMsg(resting))
        if self.owner.book_logging is True:
            self.append_book_log2()
        return True

    def find(self, order: LimitOrder) -> LimitOrder | None:
        """Return the resting order, or half of one, that `order` names by id, side and price; `None` without one."""
        resting = self._resting.get(order.order_id)
        if resting is not None and resting.is_price_to_comply and resting.limit_price != order.limit_price:
            resting = self._hidden_halves[order.order_id]
        if resting is None or resting.limit_price != order.limit_price or resting.side is not order.side:
            return None
        return resting

    def _level_of(self, order: LimitOrder) -> tuple[list[PriceLevel], int]:
        """Return the side of the book in which an order rests, and the index there of its level."""
        if order.side is Side.BID:
            return self.bids, bisect_left(self.bids, -order.limit_price, key=_bid_key)
        return self.asks, bisect_left(self.asks, order.limit_price, key=_ask_key)

    def _remove(self, order: LimitOrder) -> None:
        """Take a resting order, or half of one, out of its level and out of the index."""
        levels, index = self._level_of(order)
        level = levels[index]
        visible_before = level.total_quantity
        level.remove_order(order.order_id)
        self._add_depth(order.side, level.total_quantity - visible_before)
        if level.is_empty:
            del levels[index]
        del (self._hidden_halves if self._hidden_halves.get(order.order_id) is order else self._resting)[order.order_id]

    def _set_quantity(self, order: LimitOrder, quantity: int) -> None:
        levels, index = self._level_of(order)
        level = levels[index]
        visible_before = level.total_quantity
        level.update_order_quantity(order.order_id, quantity)
        self._add_depth(order.side, level.total_quantity - visible_before)

    def _resize(self, order: LimitOrder, quantity: int) -> None:
        self._set_quantity(self._resting[order.order_id], quantity)
        if order.is_price_to_comply:
            self._set_quantity(self._hidden_halves[order.order_id], quantity)

    def _add_depth(self, side: Side, shares: int) -> None:
        if side is Side.BID:
            self._bid_depth += shares
        else:
            self._ask_depth += shares

    def _after_resize(self) -> None:
        self.last_update_ts = self.owner.current_time
        if self.owner.book_logging is True:
            self.append_book_log2()
        self._after_change()

    def _after_change(self) -> None:
        if self.switches.every_change_updates_timestamp:
            self.last_update_ts = self.owner.current_time
        if self.tape is not None:
            self.tape.record_quotes(self.owner.current_time, self)

    def _is_valid(self, order: Order) -> bool:
        fault = self._fault_of(order)
        if fault is None:
            order.quantity = int(order.quantity)  # it may be a whole number of another type
            if isinstance(order, LimitOrder):
                order.limit_price = int(order.limit_price)
            return True
        warnings.warn(f"order {order.order_id} of agent {order.agent_id} refused: {fault}", UserWarning, stacklevel=3)
        self._refuse(order, fault)
        return False

    def _fault_of(self, order: Order) -> str | None:
        if order.symbol != self.symbol:
            return f"symbol {order.symbol!r} is not {self.symbol!r}"
        if not is_whole(order.quantity, least=1):
            return f"quantity {order.quantity!r} is not a positive whole number"
        if not isinstance(order.side, Side):
            return f"side {order.side!r} is not a Side"
        if isinstance(order, LimitOrder):
            if not is_whole(order.limit_price):
                return f"limit price {order.limit_price!r} is not a whole number of cents from 0 up"
            if order.is_price_to_comply and order.limit_price == (sys.maxsize if order.side is Side.BID else 0):
                return f"there is no better price than {order.limit_price} for the hidden half"
            if order.order_id in self._resting:
                return "an order with its id rests already"
        return None

    def _is_crossing_post_only(self, order: LimitOrder) -> bool:
        if not order.is_post_only and order.tag not in MARKET_REPLAY_TAGS:
            return False
        if order.side is Side.BID:
            return bool(self.asks) and self.asks[0].price <= order.limit_price
        return bool(self.bids) and self.bids[0].price >= order.limit_price

    def _refuse(self, order: Order, reason: str) -> None:
        """Tell an agent that its new order is cancelled, and log why."""
        self.owner.logEvent("REQUEST_REFUSED", f"order {order.order_id} of agent {order.agent_id} refused: {reason}")
        self.owner.send_message(order.agent_id, OrderCancelledMsg(order.copy()))

    def _log_best(self) -> None:
        log_event = self.owner.logEvent
        if self.bids:
            log_event("BEST_BID", f"{self.symbol},{self.bids[0].price},{self.bids[0].total_quantity}")
        if self.asks:
            log_event("BEST_ASK", f"{self.symbol},{self.asks[0].price},{self.asks[0].total_quantity}")

    def _set_last_trade(self, executed: list[tuple[int, int]]) -> None:
        shares = sum(quantity for quantity, _ in executed)
        average = round(sum(quantity * price for quantity, price in executed) / shares)
        self.owner.logEvent("LAST_TRADE", f"{shares},${average / 100:0.4f}")
        self.last_trade = average

    # What the book shows

    @property
    def visible_depth(self) -> tuple[int, int]:
        """All visible shares to buy and to sell."""
        return self._bid_depth, self._ask_depth

    def get_l1_bid_data(self) -> tuple[int, int] | None:
        """Return `(price, visible shares)` of the best bid with visible shares, or `None`."""
        return self._l1(self.bids)

    def get_l1_ask_data(self) -> tuple[int, int] | None:
        """Return `(price, visible shares)` of the best ask with visible shares, or `None`."""
        return self._l1(self.asks)

    @staticmethod
    def _l1(book: list[PriceLevel]) -> tuple[int, int] | None:
        for level in book:
            if level.total_quantity > 0:
                return level.price, level.total_quantity
        return None

    def get_l2_bid_data(self, depth: int | None = sys.maxsize) -> list[tuple[int, int]]:
        """Return `(price, visible shares)` of the `depth` best bid levels with visible shares, best first."""
        rows = [(level.price, level.total_quantity) for level in islice(self.bids, depth) if level.total_quantity > 0]
        return rows if len(rows) == depth else self._completed(rows, self.bids, depth)

    def get_l2_ask_data(self, depth: int | None = sys.maxsize) -> list[tuple[int, int]]:
        """Return `(price, visible shares)` of the `depth` best ask levels with visible shares, best first."""
        rows = [(level.price, level.total_quantity) for level in islice(self.asks, depth) if level.total_quantity > 0]
        return rows if len(rows) == depth else self._completed(rows, self.asks, depth)

    @staticmethod
    def _completed(rows: list[tuple[int, int]], levels: list[PriceLevel], depth: int | None) -> list[tuple[int, int]]:
        """Return the rows of the first `depth` levels, others making up for levels that show nothing."""
        if depth is None or depth >= len(levels):
            return rows
        deeper = levels[depth:]
        rows += ((level.price, level.total_quantity) for level in deeper if level.total_quantity > 0)
        return rows[:depth]

    def get_l3_bid_data(self, depth: int | None = sys.maxsize) -> list[tuple[int, list[int]]]:
        """Return `(price, [shares of each visible order])` of the first `depth` bid levels, best first."""
        return [(level.price, [o.quantity for o, _ in level.visible_orders]) for level in islice(self.bids, depth)]

    def get_l3_ask_data(self, depth: int | None = sys.maxsize) -> list[tuple[int, list[int]]]:
        """Return `(price, [shares of each visible order])` of the first `depth` ask levels, best first."""
        return [(level.price, [o.quantity for o, _ in level.visible_orders]) for level in islice(self.asks, depth)]

    def get_transacted_volume(self, lookback_period: str | int = "10min") -> tuple[int, int]:
        """Return the shares traded by aggressive buys and sells in the time before now, its start included."""
        since = self.owner.current_time - str_to_ns(lookback_period)
        return self._volume_since(self.buy_transactions, since), self._volume_since(self.sell_transactions, since)

    @staticmethod
    def _volume_since(transactions: list[tuple[NanosecondTime, int]], since: NanosecondTime) -> int:
        volume = 0
        for time, quantity in reversed(transactions):
            if time < since:
                break
            volume += quantity
        return volume

    def get_imbalance(self) -> tuple[float, Side | None]:
        """Return how much lighter the lighter side is (0 to 1) and the heavier side, over all visible shares."""
        bids, asks = self._bid_depth, self._ask_depth
        if bids == asks:
            return 0, None
        if bids == 0:
            return 1.0, Side.ASK
        if asks == 0:
            return 1.0, Side.BID
        return (1 - bids / asks, Side.ASK) if bids < asks else (1 - asks / bids, Side.BID)

    # The log of snapshots

    def append_book_log2(self) -> None:
        """Log the `book_log_depth` best levels of each side."""
        depth = self.owner.book_log_depth
        self._log_rows.append((self.owner.current_time, self.get_l2_bid_data(depth), self.get_l2_ask_data(depth)))

    @property
    def book_log2(self) -> list[dict[str, Any]]:
        """Logged snapshots: dicts of `QuoteTime` (ns) and arrays `bids` and `asks` of `(price, shares)` rows."""
        for time, bids, asks in self._log_rows[len(self._log_dicts) :]:
            self._log_dicts.append({"QuoteTime": time, "bids": np.array(bids), "asks": np.array(asks)})
        return self._log_dicts

    def get_L1_snapshots(self) -> dict[str, Any]:  # noqa: N802  name of the ABIDES API
        """Return arrays `best_bids` and `best_asks` of `[time, price, shares]` rows, `None` for an empty side."""
        return {
            "best_bids": np.array([[t, *(bids[0] if bids else (None, None))] for t, bids, _ in self._log_rows]),
            "best_asks": np.array([[t, *(asks[0] if asks else (None, None))] for t, _, asks in self._log_rows]),
        }

    def get_L2_snapshots(self, nlevels: int) -> dict[str, Any]:  # noqa: N802  name of the ABIDES API
        """Return arrays `times` (T,), `bids` and `asks` (T, nlevels, 2), short sides padded."""
        return {
            "times": np.array([time for time, _, _ in self._log_rows]),
            "bids": np.array([self.bids_padding(np.array(bids), nlevels) for _, bids, _ in self._log_rows]),
            "asks": np.array([self.asks_padding(np.array(asks), nlevels) for _, _, asks in self._log_rows]),
        }

    @staticmethod
    def bids_padding(book: Any, nlevels: int) -> Any:
        """Pad or cut `(n, 2)` bid rows to `nlevels`, with ever lower prices and no shares; zeros without a bid."""
        return _padded(book, nlevels, step=-1)

    @staticmethod
    def asks_padding(book: Any, nlevels: int) -> Any:
        """Pad or cut `(n, 2)` ask rows to `nlevels`, with ever higher prices and no shares; zeros without an ask."""
        return _padded(book, nlevels, step=1)

    def get_l3_itch(self) -> pd.DataFrame:
        """Return the history as a table in the manner of ITCH; see `abides_markets.itch`."""
        return itch_frame(self.history)

    def pretty_print(self, silent: bool = True) -> str | None:
        """Return the book as a table of text, or print it and return nothing if not `silent`."""
        assert self.last_trade is not None, "the book has no last trade to show"
        lines = [
            f"{self.symbol} order book as of {fmt_ts(self.owner.current_time)}",
            f"Last trade: {self.last_trade}",
            "{:10s}{:10s}{:10s}".format("BID", "PRICE", "ASK"),
            "{:10s}{:10s}{:10s}".format("---", "-----", "---"),
        ]
        lines += [f"{'':10s}{price:<10d}{quantity:<10d}" for price, quantity in reversed(self.get_l2_ask_data())]
        lines += [f"{quantity:<10d}{price:<10d}{'':10s}" for price, quantity in self.get_l2_bid_data()]
        text = "\n".join(lines)
        if silent:
            return text
        print(text)
        return None


def _padded(book: Any, nlevels: int, step: int) -> Any:
    rows = np.zeros((nlevels, 2), dtype=int)
    given = min(len(book), nlevels)
    if given:
        rows[:given] = book[:given]
        rows[given:, 0] = rows[given - 1, 0] + step * np.arange(1, nlevels - given + 1)
    return rows
