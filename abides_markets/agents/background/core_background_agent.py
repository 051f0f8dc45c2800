"""The base of agents that show their surroundings, as a raw state, to whoever decides for them.

A raw state is made of records that never change once they are in it: quotes and volumes as the exchange sent them,
executions, the status of orders. Handing out a raw state therefore copies the few containers that hold the records, not
the records, and what has been handed out stays as it was. Treat the records as read-only.
"""

from __future__ import annotations

import sys
from abc import ABC
from abc import abstractmethod
from collections import deque
from typing import Any

import numpy as np

from abides_core.generators import BaseGenerator
from abides_core.generators import ConstantTimeGenerator
from abides_core.generators import InterArrivalTimeGenerator
from abides_core.message import Message
from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_core.utils import str_to_ns
from abides_markets.agents.trading_agent import TradingAgent
from abides_markets.messages.marketdata import L2DataMsg
from abides_markets.messages.marketdata import L2SubReqMsg
from abides_markets.messages.marketdata import TransactedVolDataMsg
from abides_markets.messages.marketdata import TransactedVolSubReqMsg
from abides_markets.orders import Order
from abides_markets.orders import Side

RawState = deque[dict[str, Any]]


def copy_raw_state(raw_state: RawState) -> RawState:
    """Return a raw state whose containers may be changed without a trace in the first; the records are shared."""
    return deque([{name: part.copy() for name, part in state.items()} for state in raw_state], maxlen=raw_state.maxlen)


class CoreBackgroundAgent(TradingAgent, ABC):
    """A trader that subscribes to quotes and volume, keeps account of its orders, and acts at intervals.

    Args:
        id: Agent id.
        symbol: Traded symbol.
        starting_cash: Cash at the start, cents.
        subscribe_freq: Least time between two messages of each subscription, ns.
        lookback_period: Time over which the exchange adds up the volume, ns; by default the mean time between wake-ups.
        subscribe: Whether it subscribes to quotes and volume at all.
        subscribe_num_levels: Levels a side of the quotes, by default all.
        wakeup_interval_generator: Times between wake-ups, ns; by default one minute.
        order_size_generator: Sizes of orders, for subclasses that use one.
        state_buffer_length: Raw states that are kept.
        market_data_buffer_length: Messages of each subscription that are kept.
        first_interval: Time from the open to the first action, ns; by default one time between wake-ups.
        log_orders: Whether events about orders are logged.
        name: Name.
        type: Type for reports.
        random_state: The agent's stream; the generators draw from it too.

    Attributes:
        raw_state: The last raw states, newest last.
        parsed_mkt_data: The newest quotes: `bids`, `asks`, `last_transaction`, `exchange_ts`; empty before the first.
        parsed_volume_data: The newest volume: `bid_volume`, `ask_volume`, `total_volume`, `last_transaction`,
            `exchange_ts`; empty before the first.
        order_status: By order id: `status` (`active`, `executed`, `cancelled`, or `mkt_immediately_filled` for what
            was filled without resting), `order`, `active_qty`, `executed_qty`, `cancelled_qty`.
        episode_executed_orders: Executions, oldest first.
        inter_wakeup_executed_orders: Executions since the last step.
        parsed_episode_executed_orders: The same as `(shares, price)`.
        parsed_inter_wakeup_executed_orders: The same as `(shares, price)`.
    """

    def __init__(
        self,
        id: int,
        symbol: str,
        starting_cash: int,
        subscribe_freq: int = int(1e8),
        lookback_period: int | None = None,
        subscribe: bool = True,
        subscribe_num_levels: int | None = None,
        wakeup_interval_generator: InterArrivalTimeGenerator | None = None,
        order_size_generator: BaseGenerator[int] | None = None,
        state_buffer_length: int = 2,
        market_data_buffer_length: int = 5,
        first_interval: NanosecondTime | None = None,
        log_orders: bool | None = False,
        name: str | None = None,
        type: str | None = None,
        random_state: np.random.RandomState | Seed | None = None,
    ) -> None:
        super().__init__(id, name, type, random_state, starting_cash, log_orders)
        self.symbol = symbol
        self.subscribe = subscribe
        self.subscribe_freq = subscribe_freq
        self.subscribe_num_levels = subscribe_num_levels
        self.first_interval = first_interval
        self.wakeup_interval_generator = wakeup_interval_generator or ConstantTimeGenerator(str_to_ns("1min"))
        self.order_size_generator = order_size_generator
        generators: tuple[Any, ...] = (self.wakeup_interval_generator, order_size_generator)
        for generator in generators:
            if hasattr(generator, "random_generator"):
                generator.random_generator = self.random_state
        if lookback_period is None:
            lookback_period = self.wakeup_interval_generator.mean_ns()
        self.lookback_period = lookback_period
        self.state_buffer_length = state_buffer_length
        self.market_data_buffer_length = market_data_buffer_length
        self.has_subscribed = False
        self.parsed_mkt_data: dict[str, Any] = {}
        self.parsed_volume_data: dict[str, Any] = {}
        self.parsed_mkt_data_buffer: deque[dict[str, Any]] = deque(maxlen=market_data_buffer_length)
        self.parsed_volume_data_buffer: deque[dict[str, Any]] = deque(maxlen=market_data_buffer_length)
        self.raw_state: RawState = deque(maxlen=state_buffer_length)
        self.order_status: dict[int, dict[str, Any]] = {}
        self.episode_executed_orders: list[Order] = []
        self.inter_wakeup_executed_orders: list[Order] = []
        self.parsed_episode_executed_orders: list[tuple[int, int]] = []
        self.parsed_inter_wakeup_executed_orders: list[tuple[int, int]] = []

    # Activations

    def wakeup(self, current_time: NanosecondTime) -> Any:
        """Subscribe when first woken; act while the market is open.

        Returns:
            What `act_on_wakeup` returned, `None` outside the market's hours.
        """
        may_trade = super().wakeup(current_time)
        if self.subscribe and not self.has_subscribed:
            self._subscribe()
            self.has_subscribed = True
        if not may_trade:
            return None
        assert self.mkt_open is not None
        assert self.mkt_close is not None
        return self.act_on_wakeup() if self.mkt_open <= current_time < self.mkt_close else None

    @abstractmethod
    def act_on_wakeup(self) -> Any:
        """Act; what is returned, other than `None`, interrupts the kernel if the agent is a gym agent."""

    def act(self, raw_state: RawState) -> Any:
        """Decide on a raw state, for subclasses that decide inside the simulation."""
        raise NotImplementedError(f"{self.__class__.__name__} does not decide inside the simulation")

    def get_wake_frequency(self) -> int:
        """Return the time from the open to the first action, ns."""
        return int(self.wakeup_interval_generator.next()) if self.first_interval is None else self.first_interval

    def receive_message(self, current_time: NanosecondTime, sender_id: int, message: Message) -> Any:
        """Keep quotes and volume."""
        super().receive_message(current_time, sender_id, message)
        if not self.subscribe:
            return
        if isinstance(message, L2DataMsg):
            self.parsed_mkt_data = {
                "bids": message.bids,
                "asks": message.asks,
                "last_transaction": message.last_transaction,
                "exchange_ts": message.exchange_ts,
            }
            self.parsed_mkt_data_buffer.append(self.parsed_mkt_data)
        elif isinstance(message, TransactedVolDataMsg):
            self.parsed_volume_data = {
                "last_transaction": message.last_transaction,
                "exchange_ts": message.exchange_ts,
                "bid_volume": message.bid_volume,
                "ask_volume": message.ask_volume,
                "total_volume": message.bid_volume + message.ask_volume,
            }
            self.parsed_volume_data_buffer.append(self.parsed_volume_data)

    def _subscribe(self) -> None:
        levels = sys.maxsize if self.subscribe_num_levels is None else self.subscribe_num_levels
        self.request_data_subscription(L2SubReqMsg(self.symbol, freq=self.subscribe_freq, depth=levels))
        self.request_data_subscription(
            TransactedVolSubReqMsg(self.symbol, freq=self.subscribe_freq, lookback=self.lookback_period)
        )

    def apply_actions(self, actions: list[dict[str, Any]]) -> None:
        """Carry out actions, in order.

        Args:
            actions: Dicts: `{"type": "MKT", "direction", "size"}` is a market order,
                `{"type": "LMT", "direction", "size", "limit_price"}` a limit order (`direction` is `BUY`, anything else
                sells), `{"type": "CCL_ALL"}` cancels all open orders.

        Raises:
            ValueError: If the type is none of these.
        """
        for action in actions:
            kind = action["type"]
            if kind == "CCL_ALL":
                self.cancel_all_orders()
                continue
            if kind not in ("MKT", "LMT"):
                raise ValueError(f"unknown type of action {kind!r}; allowed: MKT, LMT, CCL_ALL")
            side = Side.BID if action["direction"] == "BUY" else Side.ASK
            if kind == "MKT":
                self.place_market_order(self.symbol, action["size"], side)
            else:
                self.place_limit_order(self.symbol, action["size"], side, action["limit_price"])

    # What is shown

    def update_raw_state(self) -> None:
        """Add the present to the raw states."""
        self.raw_state.append(
            {
                "parsed_mkt_data": self.parsed_mkt_data_buffer.copy(),
                "internal_data": self.get_internal_data(),
                "parsed_volume_data": self.parsed_volume_data_buffer.copy(),
            }
        )

    def get_raw_state(self) -> RawState:
        """Return the last raw states, newest last."""
        return self.raw_state

    def get_internal_data(self) -> dict[str, Any]:
        """Return what the agent knows of itself and of the market's hours."""
        return {
            "holdings": self.get_holdings(self.symbol),
            "cash": self.get_holdings("CASH"),
            "inter_wakeup_executed_orders": self.inter_wakeup_executed_orders.copy(),
            "episode_executed_orders": self.episode_executed_orders.copy(),
            "parsed_episode_executed_orders": self.parsed_episode_executed_orders.copy(),
            "parsed_inter_wakeup_executed_orders": self.parsed_inter_wakeup_executed_orders.copy(),
            "starting_cash": self.starting_cash,
            "current_time": self.current_time,
            "order_status": self.order_status.copy(),
            "mkt_open": self.mkt_open,
            "mkt_close": self.mkt_close,
        }

    def new_step_reset(self) -> None:
        """Begin a step: no executions since."""
        self.new_inter_wakeup_reset()

    def new_inter_wakeup_reset(self) -> None:
        """Forget the executions since the last step; the lists are new, those handed out stay."""
        self.inter_wakeup_executed_orders = []
        self.parsed_inter_wakeup_executed_orders = []

    # What the exchange tells. The status of an order is replaced, never changed: raw states share it.

    def order_executed(self, order: Order) -> None:
        """Take note of an execution."""
        super().order_executed(order)
        assert order.fill_price is not None
        parsed = (order.quantity, order.fill_price)
        self.inter_wakeup_executed_orders.append(order)
        self.episode_executed_orders.append(order)
        self.parsed_inter_wakeup_executed_orders.append(parsed)
        self.parsed_episode_executed_orders.append(parsed)
        known = self.order_status.get(order.order_id) or _status("mkt_immediately_filled", order)
        active = max(0, known["active_qty"] - order.quantity)
        self.order_status[order.order_id] = {
            **known,
            "status": "executed" if known["status"] == "active" and not active else known["status"],
            "active_qty": active,
            "executed_qty": known["executed_qty"] + order.quantity,
        }

    def order_accepted(self, order: Order) -> None:
        """Take note that an order rests in the book; part of it may have been executed before."""
        super().order_accepted(order)
        known = self.order_status.get(order.order_id) or _status("active", order)
        self.order_status[order.order_id] = {
            **known,
            "status": "active",
            "order": order,
            "active_qty": order.quantity,
        }

    def order_cancelled(self, order: Order) -> None:
        """Take note that the rest of an order has left the book."""
        super().order_cancelled(order)
        known = self.order_status.get(order.order_id) or _status("cancelled", order)
        self.order_status[order.order_id] = {
            **known,
            "status": "cancelled",
            "active_qty": 0,
            "cancelled_qty": known["cancelled_qty"] + order.quantity,
        }


def _status(status: str, order: Order) -> dict[str, Any]:
    return {"status": status, "order": order, "active_qty": 0, "executed_qty": 0, "cancelled_qty": 0}
