"""Noise trader: one order, at a random time, on a random side."""

from __future__ import annotations

from typing import Any

import numpy as np

from abides_core.message import Message
from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_markets.agents.sized_agent import SizedAgent
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.models import OrderSizeModel
from abides_markets.orders import Side


class NoiseAgent(SizedAgent):
    """Wakes once, asks for the best quotes and trades at the opposite one.

    Args:
        id: Agent id.
        name: Name.
        type: Type for reports.
        random_state: The agent's stream.
        symbol: Traded symbol.
        starting_cash: Cash at the start, cents.
        log_orders: Whether events about orders are logged.
        order_size_model: Source of the order's size; by default a fixed size drawn from 20 to 49 shares.
        wakeup_time: When to trade, ns since the epoch; by default just after the open.
        retry_after: Time after which it tries again if there was nothing to trade with, ns. By default it does not, as
            in the reference market, whose tape depends on it.
    """

    def __init__(
        self,
        id: int,
        name: str | None = None,
        type: str | None = None,
        random_state: np.random.RandomState | Seed | None = None,
        symbol: str = "IBM",
        starting_cash: int = 100_000,
        log_orders: bool | None = False,
        order_size_model: OrderSizeModel | None = None,
        wakeup_time: NanosecondTime | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(id, name, type, random_state, starting_cash, log_orders)
        self.wakeup_time = wakeup_time
        self.retry_after = retry_after
        self.symbol = symbol
        self.trading = False
        self.state = "AWAITING_WAKEUP"
        self.prev_wake_time: NanosecondTime | None = None
        self._init_size(order_size_model, 20, 50)

    def kernel_stopping(self) -> None:
        """Value what is left, as a return on the starting cash."""
        super().kernel_stopping()
        bid, _, ask, _ = self.get_known_bid_ask(self.symbol)
        price = (bid + ask) // 2 if bid and ask else self.last_trade.get(self.symbol) or 0
        value = price * self.get_holdings(self.symbol) + self.holdings["CASH"]
        self.logEvent("FINAL_VALUATION", (value - self.starting_cash) / self.starting_cash, True)

    def wakeup(self, current_time: NanosecondTime) -> None:
        """Ask for the best quotes when it is time to trade."""
        super().wakeup(current_time)
        self.state = "INACTIVE"
        if self.mkt_open is None or self.mkt_close is None:
            return
        self.trading = True
        if self.mkt_closed and self.symbol in self.daily_close_price:
            return
        if self.wakeup_time is not None and self.wakeup_time > current_time:
            self.set_wakeup(self.wakeup_time)
            return
        self.get_current_spread(self.symbol)
        self.state = "AWAITING_SPREAD"

    def receive_message(self, current_time: NanosecondTime, sender_id: int, message: Message) -> Any:
        """Trade when the quotes arrive."""
        super().receive_message(current_time, sender_id, message)
        if self.state != "AWAITING_SPREAD" or not isinstance(message, QuerySpreadResponseMsg) or self.mkt_closed:
            return
        self.place_order()
        self.state = "AWAITING_WAKEUP"

    def place_order(self) -> None:
        """Send one limit order at the opposite best quote."""
        buys = self.random_state.randint(0, 2) == 1
        size = self.next_size()
        bid, _, ask, _ = self.get_known_bid_ask(self.symbol)
        if not size:
            return
        if buys and ask:
            self.place_limit_order(self.symbol, size, Side.BID, ask)
        elif not buys and bid:
            self.place_limit_order(self.symbol, size, Side.ASK, bid)
        elif self.retry_after is not None:
            self.set_wakeup(self.current_time + self.retry_after)

    placeOrder = place_order  # noqa: N815  name of the ABIDES API

    def get_wake_frequency(self) -> int:
        """Draw the time from the open to the first wake-up, 0 to 99 ns."""
        return int(self.random_state.randint(0, 100))
