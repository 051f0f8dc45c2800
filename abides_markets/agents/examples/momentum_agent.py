"""Momentum trader: compares a short with a long moving average of the mid."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from abides_core.message import Message
from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_core.utils import str_to_ns
from abides_markets.agents.sized_agent import SizedAgent
from abides_markets.messages.marketdata import L2SubReqMsg
from abides_markets.messages.marketdata import MarketDataMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.models import OrderSizeModel
from abides_markets.orders import Side

SHORT_WINDOW = 20
LONG_WINDOW = 50


class MomentumAgent(SizedAgent):
    """Observes the mid now and then; buys while its 20-observation mean is at or above its 50-observation mean.

    Args:
        id: Agent id.
        symbol: Traded symbol.
        starting_cash: Cash at the start, cents.
        name: Name.
        type: Type for reports.
        random_state: The agent's stream.
        min_size: Least size, shares, without a size model.
        max_size: Upper end of the size (not reached), shares, without a size model.
        wake_up_freq: (Mean) time between observations, a duration.
        poisson_arrival: Whether that time is exponential rather than fixed.
        order_size_model: Source of sizes.
        subscribe: Whether to subscribe to quotes rather than ask for them.
        log_orders: Whether events about orders are logged.
        full_windows: Whether an average exists from 20 (50) observations on. If not, one more is needed, as in the
            reference market, whose tape depends on it.
    """

    def __init__(
        self,
        id: int,
        symbol: str,
        starting_cash: int,
        name: str | None = None,
        type: str | None = None,
        random_state: np.random.RandomState | Seed | None = None,
        min_size: int = 20,
        max_size: int = 50,
        wake_up_freq: str | int = "60s",
        poisson_arrival: bool = True,
        order_size_model: OrderSizeModel | None = None,
        subscribe: bool = False,
        log_orders: bool | None = False,
        full_windows: bool = False,
    ) -> None:
        super().__init__(id, name, type, random_state, starting_cash, log_orders)
        self.symbol = symbol
        self.min_size = min_size
        self.max_size = max_size
        self._init_size(order_size_model, min_size, max_size)
        self.wake_up_freq = str_to_ns(wake_up_freq)
        self.poisson_arrival = poisson_arrival
        if poisson_arrival:
            self.arrival_rate = self.wake_up_freq
        self.subscribe = subscribe
        self.subscription_requested = False
        self.mid_list: deque[float] = deque(maxlen=LONG_WINDOW)
        self.avg_20_list: list[float] = []
        self.avg_50_list: list[float] = []
        self.state = "AWAITING_WAKEUP"
        self.full_windows = full_windows
        self._observations = 0

    def wakeup(self, current_time: NanosecondTime) -> None:
        """Ask for the best quotes, or subscribe to them once."""
        can_trade = super().wakeup(current_time)
        if self.subscribe and not self.subscription_requested:
            self.request_data_subscription(L2SubReqMsg(self.symbol, freq=10 * 10**9, depth=1))
            self.subscription_requested = True
            self.state = "AWAITING_MARKET_DATA"
        elif can_trade and not self.subscribe:
            self.get_current_spread(self.symbol)
            self.state = "AWAITING_SPREAD"

    def receive_message(self, current_time: NanosecondTime, sender_id: int, message: Message) -> Any:
        """Decide when quotes arrive."""
        super().receive_message(current_time, sender_id, message)
        if not self.subscribe:
            if self.state == "AWAITING_SPREAD" and isinstance(message, QuerySpreadResponseMsg):
                bid, _, ask, _ = self.get_known_bid_ask(self.symbol)
                self.place_orders(bid, ask)
                self.set_wakeup(current_time + self.get_wake_frequency())
                self.state = "AWAITING_WAKEUP"
        elif self.state == "AWAITING_MARKET_DATA" and isinstance(message, MarketDataMsg):
            bids, asks = self.known_bids.get(self.symbol), self.known_asks.get(self.symbol)
            is_open = self.mkt_open is not None and current_time >= self.mkt_open and not self.mkt_closed
            if bids and asks and is_open:
                self.place_orders(bids[0][0], asks[0][0])
            self.state = "AWAITING_MARKET_DATA"

    def place_orders(self, bid: int | None, ask: int | None) -> None:
        """Take in a mid and trade at the opposite best quote once both averages exist."""
        if not bid or not ask:
            return
        self.mid_list.append((bid + ask) / 2)
        self._observations += 1
        waiting = 0 if self.full_windows else 1
        if self._observations >= SHORT_WINDOW + waiting:
            self.avg_20_list.append(_mean_of_last(self.mid_list, SHORT_WINDOW))
        if self._observations >= LONG_WINDOW + waiting:
            self.avg_50_list.append(_mean_of_last(self.mid_list, LONG_WINDOW))
        if not self.avg_20_list or not self.avg_50_list:
            return
        size = self.next_size()
        if size:
            if self.avg_20_list[-1] >= self.avg_50_list[-1]:
                self.place_limit_order(self.symbol, size, Side.BID, ask)
            else:
                self.place_limit_order(self.symbol, size, Side.ASK, bid)

    def get_wake_frequency(self) -> int:
        """Return the time to the next observation, ns."""
        if not self.poisson_arrival:
            return self.wake_up_freq
        return round(self.random_state.exponential(scale=self.arrival_rate))

    @staticmethod
    def ma(a: Any, n: int = 20) -> Any:
        """Return the `n`-point moving averages of an array of length L, an array of length L − n + 1."""
        sums = np.cumsum(a, dtype=float)
        sums[n:] = sums[n:] - sums[:-n]
        return sums[n - 1 :] / n


def _mean_of_last(values: deque[float], count: int) -> float:
    """Mean of the last `count` mids to two decimals, half to even; exact, as mids are multiples of a half."""
    total = sum(values[index] for index in range(len(values) - count, len(values)))
    return round(total / count * 100) / 100
