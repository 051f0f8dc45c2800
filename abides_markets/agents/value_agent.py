"""Value trader: follows noisy observations of a fundamental value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from abides_core.message import Message
from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_markets.agents.sized_agent import SizedAgent
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.models import OrderSizeModel
from abides_markets.orders import Side

LARGEST_DRAW = 2**63 - 2


class ValueAgent(SizedAgent):
    """Arrives as a Poisson process, updates its belief about the value at the close and trades on the gap to the mid.

    Args:
        id: Agent id.
        name: Name.
        type: Type for reports.
        random_state: The agent's stream.
        symbol: Traded symbol.
        starting_cash: Cash at the start, cents.
        sigma_n: Variance of the observation noise, cents².
        r_bar: Long-run mean of the fundamental, cents.
        kappa: Mean reversion of the fundamental, per ns.
        sigma_s: Variance of the fundamental's shocks, cents² per ns.
        order_size_model: Source of sizes; by default a fixed size drawn from 20 to 49 shares.
        lambda_a: Arrival rate, per ns.
        log_orders: Whether events about orders are logged.

    Attributes:
        percent_aggr: Share of orders priced at the own side's touch exactly.
        depth_spread: Range of the other orders' prices, in spreads.
        r_t: Belief about the fundamental now, cents.
        sigma_t: Variance of that belief, cents².
    """

    def __init__(
        self,
        id: int,
        name: str | None = None,
        type: str | None = None,
        random_state: np.random.RandomState | Seed | None = None,
        symbol: str = "IBM",
        starting_cash: int = 100_000,
        sigma_n: float = 10_000,
        r_bar: int = 100_000,
        kappa: float = 0.05,
        sigma_s: float = 100_000,
        order_size_model: OrderSizeModel | None = None,
        lambda_a: float = 0.005,
        log_orders: bool | None = False,
    ) -> None:
        super().__init__(id, name, type, random_state, starting_cash, log_orders)
        self.symbol = symbol
        self.sigma_n = sigma_n
        self.r_bar = r_bar
        self.kappa = kappa
        self.sigma_s = sigma_s
        self.lambda_a = lambda_a
        self.oracle: Any = None
        self.trading = False
        self.state = "AWAITING_WAKEUP"
        self.r_t: float = r_bar
        self.sigma_t: float = 0
        self.prev_wake_time: NanosecondTime | None = None
        self.percent_aggr = 0.1
        self._init_size(order_size_model, 20, 50)
        self.depth_spread = 2

    def kernel_starting(self, start_time: NanosecondTime) -> None:
        """Find the oracle."""
        super().kernel_starting(start_time)
        self.oracle = self._kernel().oracle  # type: ignore[attr-defined]

    def kernel_stopping(self) -> None:
        """Value what is left at the fundamental, as a return on the starting cash."""
        super().kernel_stopping()
        value = self.oracle.observe_price(self.symbol, self.current_time, sigma_n=0, random_state=self.random_state)
        surplus = value * self.get_holdings(self.symbol) + self.holdings["CASH"] - self.starting_cash
        self.logEvent("FINAL_VALUATION", surplus / self.starting_cash, True)

    def wakeup(self, current_time: NanosecondTime) -> None:
        """Schedule the next arrival, withdraw old orders and ask for the best quotes."""
        super().wakeup(current_time)
        self.state = "INACTIVE"
        if self.mkt_open is None or self.mkt_close is None:
            return
        self.trading = True
        if self.mkt_closed and self.symbol in self.daily_close_price:
            return
        self.set_wakeup(current_time + self.get_wake_frequency())
        if not self.mkt_closed:
            self.cancel_all_orders()
        self.get_current_spread(self.symbol)
        self.state = "AWAITING_SPREAD"

    def receive_message(self, current_time: NanosecondTime, sender_id: int, message: Message) -> Any:
        """Trade when the quotes arrive."""
        super().receive_message(current_time, sender_id, message)
        if self.state != "AWAITING_SPREAD" or not isinstance(message, QuerySpreadResponseMsg) or self.mkt_closed:
            return
        self.place_order()
        self.state = "AWAITING_WAKEUP"

    def update_estimates(self) -> int:
        """Observe the fundamental and update the belief.

        With ρ = (1 − κ)^Δ over the time Δ since the last update: the belief moves to (1 − ρ)·r̄ + ρ·r, its variance to
        ρ²·σ + (1 − ρ²)/(1 − (1 − κ)²)·σ_s, and both are combined with the observation by their precisions.

        Returns:
            The value expected at the close, whole cents.
        """
        now = self.current_time
        assert self.mkt_open is not None
        assert self.mkt_close is not None
        observed = self.oracle.observe_price(self.symbol, now, sigma_n=self.sigma_n, random_state=self.random_state)
        elapsed = now - (self.mkt_open if self.prev_wake_time is None else self.prev_wake_time)
        self.prev_wake_time = now
        if self.kappa == 0:
            moved, variance = self.r_t, self.sigma_t + elapsed * self.sigma_s
        else:
            log_decay = math.log1p(-self.kappa)
            rho = math.exp(elapsed * log_decay)
            moved = (1 - rho) * self.r_bar + rho * self.r_t
            shocks = math.expm1(2 * elapsed * log_decay) / math.expm1(2 * log_decay)
            variance = rho * rho * self.sigma_t + shocks * self.sigma_s
        total = self.sigma_n + variance
        if total > 0:
            self.r_t = self.sigma_n / total * moved + variance / total * observed
            self.sigma_t = self.sigma_n * variance / total
        else:
            self.r_t, self.sigma_t = moved, 0.0
        left = max(0, self.mkt_close - now)
        decay = math.exp(left * math.log1p(-self.kappa)) if self.kappa else 1.0
        return round((1 - decay) * self.r_bar + decay * self.r_t)

    def place_order(self) -> None:
        """Send one limit order: buy below the expected value, sell above it."""
        expected = self.update_estimates()
        bid, _, ask, _ = self.get_known_bid_ask(self.symbol)
        if bid and ask:
            mid = int((ask + bid) / 2)
            spread = abs(ask - bid)
            adjustment = 0
            if self.random_state.rand() >= self.percent_aggr and spread > 0:
                adjustment = int(self.random_state.randint(0, min(LARGEST_DRAW, self.depth_spread * spread)))
            buys = expected >= mid
            price = ask - adjustment if buys else bid + adjustment
        else:
            buys = self.random_state.randint(0, 2) == 1
            price = expected
        size = self.next_size()
        if size:
            self.place_limit_order(self.symbol, size, Side.BID if buys else Side.ASK, max(1, price))

    updateEstimates = update_estimates  # noqa: N815  name of the ABIDES API
    placeOrder = place_order  # noqa: N815  name of the ABIDES API

    def get_wake_frequency(self) -> int:
        """Draw the time to the next arrival, ns."""
        return round(self.random_state.exponential(scale=1.0 / self.lambda_a))
