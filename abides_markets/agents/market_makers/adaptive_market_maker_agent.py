"""Market maker: a ladder of quotes around the mid, its size a share of the volume, its width following the spread.

After Chakraborty and Kearns, Market Making and Mean Reversion (EC 2011).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from abides_core.message import Message
from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_core.utils import str_to_ns
from abides_markets.agents.trading_agent import TradingAgent
from abides_markets.messages.marketdata import BookImbalanceDataMsg
from abides_markets.messages.marketdata import BookImbalanceSubReqMsg
from abides_markets.messages.marketdata import L2SubReqMsg
from abides_markets.messages.marketdata import MarketDataEventMsg
from abides_markets.messages.marketdata import MarketDataMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.messages.query import QueryTransactedVolResponseMsg
from abides_markets.orders import Side
from abides_markets.switches import REFERENCE
from abides_markets.switches import Switches
from abides_markets.utils import sigmoid
from abides_markets.utils import validate_window_size

ANCHOR_TOP_STR = "top"
ANCHOR_BOTTOM_STR = "bottom"
ANCHOR_MIDDLE_STR = "middle"
ADAPTIVE_SPREAD_STR = "adaptive"
INITIAL_SPREAD_VALUE = 50


class AdaptiveMarketMakerAgent(TradingAgent):
    """Quotes `num_ticks` levels a side around the mid and renews them at every wake-up.

    Args:
        id: Agent id.
        symbol: Traded symbol.
        starting_cash: Cash at the start, cents.
        name: Name.
        type: Type for reports.
        random_state: The agent's stream.
        pov: Size of each quote as a share of the volume since the last wake-up.
        min_order_size: Least size of a quote, shares.
        window_size: Distance between the best quotes, cents, or `adaptive`: a moving average of the spread.
        anchor: Where the mid lies between the best quotes: `top`, `middle` or `bottom`.
        num_ticks: Levels a side.
        level_spacing: Distance between levels, as a multiple of the window.
        wake_up_freq: (Mean) time between wake-ups, a duration.
        poisson_arrival: Whether that time is exponential rather than fixed.
        subscribe: Whether to subscribe to quotes rather than ask for them.
        subscribe_freq: Least time between subscribed quotes, ns.
        subscribe_num_levels: Levels asked for.
        cancel_limit_delay: Time between withdrawing old quotes and asking for the book, ns.
        skew_beta: Strength with which the inventory skews the sizes.
        price_skew_param: Strength with which the last flow skews the prices, cents, or `None`.
        spread_alpha: Weight of the newest spread in the moving average.
        backstop_quantity: Size of the outermost quotes, shares, or 0.
        log_orders: Whether events about orders are logged.
        min_imbalance: Imbalance of the book above which quotes are added at once, 0 to 1.
        switches: Repairs of the reference market.
        renew_on_imbalance: Whether old quotes are withdrawn when quotes are sent because the book has tipped. If not,
            they stand beside the new ones, as in the reference market, whose tape depends on it.

    Raises:
        ValueError: If the window or the anchor is not one of those above.
    """

    def __init__(
        self,
        id: int,
        symbol: str,
        starting_cash: int,
        name: str | None = None,
        type: str | None = None,
        random_state: np.random.RandomState | Seed | None = None,
        pov: float = 0.05,
        min_order_size: int = 20,
        window_size: int | str = 5,
        anchor: str = ANCHOR_MIDDLE_STR,
        num_ticks: int = 20,
        level_spacing: float = 0.5,
        wake_up_freq: str | int = "1s",
        poisson_arrival: bool = True,
        subscribe: bool = False,
        subscribe_freq: float = 10e9,
        subscribe_num_levels: int = 1,
        cancel_limit_delay: int = 50,
        skew_beta: float = 0,
        price_skew_param: int | None = None,
        spread_alpha: float = 0.85,
        backstop_quantity: int = 0,
        log_orders: bool | None = False,
        min_imbalance: float = 0.9,
        switches: Switches = REFERENCE,
        renew_on_imbalance: bool = False,
    ) -> None:
        super().__init__(id, name, type, random_state, starting_cash, log_orders)
        self.is_adaptive = False
        self.symbol = symbol
        self.pov = pov
        self.min_order_size = min_order_size
        self.anchor = self.validate_anchor(anchor)
        self.window_size: float | None = self.validate_window_size(window_size)
        self.num_ticks = num_ticks
        self.level_spacing = level_spacing
        self.wake_up_freq = str_to_ns(wake_up_freq)
        self.poisson_arrival = poisson_arrival
        if poisson_arrival:
            self.arrival_rate = self.wake_up_freq
        self.subscribe = subscribe
        self.subscribe_freq = int(subscribe_freq)
        self.subscribe_num_levels = subscribe_num_levels
        self.min_imbalance = min_imbalance
        self.cancel_limit_delay = cancel_limit_delay
        self.skew_beta = skew_beta
        self.price_skew_param = price_skew_param
        self.spread_alpha = spread_alpha
        self.backstop_quantity = backstop_quantity
        self.switches = switches
        self.renew_on_imbalance = renew_on_imbalance
        self.has_subscribed = False
        self.subscription_requested = False
        self.state = self.initialise_state()
        self.buy_order_size = min_order_size
        self.sell_order_size = min_order_size
        self.last_mid: int | None = None
        self.last_spread: float = INITIAL_SPREAD_VALUE
        self.tick_size: int | None = None if self.is_adaptive else math.ceil(self.last_spread * level_spacing)
        self.two_side = price_skew_param is not None

    def initialise_state(self) -> dict[str, bool]:
        """Return what is awaited after a wake-up."""
        first = "AWAITING_MARKET_DATA" if self.subscribe else "AWAITING_SPREAD"
        return {first: True, "AWAITING_TRANSACTED_VOLUME": True}

    def validate_anchor(self, anchor: str) -> str:
        """Return the anchor.

        Raises:
            ValueError: If it is not `top`, `middle` or `bottom`.
        """
        allowed = (ANCHOR_TOP_STR, ANCHOR_MIDDLE_STR, ANCHOR_BOTTOM_STR)
        if anchor not in allowed:
            raise ValueError(f"anchor must be one of {', '.join(allowed)}, got {anchor!r}")
        return anchor

    def validate_window_size(self, window_size: int | str) -> int | None:
        """Return the window in cents, or `None` and set the agent adaptive.

        Raises:
            ValueError: If it is neither a whole number nor `adaptive`.
        """
        value = validate_window_size(window_size)
        if value == ADAPTIVE_SPREAD_STR:
            self.is_adaptive = True
            self.anchor = ANCHOR_MIDDLE_STR
            return None
        return int(value)

    def wakeup(self, current_time: NanosecondTime) -> None:
        """Withdraw the old quotes and ask for the spread and the volume."""
        can_trade = super().wakeup(current_time)
        if not self.has_subscribed:
            self.request_data_subscription(BookImbalanceSubReqMsg(self.symbol, min_imbalance=self.min_imbalance))
            self.has_subscribed = True
        if self.subscribe:
            if not self.subscription_requested:
                self.request_data_subscription(
                    L2SubReqMsg(self.symbol, freq=self.subscribe_freq, depth=self.subscribe_num_levels)
                )
                self.get_transacted_volume(self.symbol, self.subscribe_freq)
                self.subscription_requested = True
        elif can_trade:
            self.cancel_all_orders()
            self.delay(self.cancel_limit_delay)
            self.get_current_spread(self.symbol, depth=self.subscribe_num_levels)
            self.get_transacted_volume(self.symbol, self.wake_up_freq)
            self.state = self.initialise_state()

    def receive_message(self, current_time: NanosecondTime, sender_id: int, message: Message) -> Any:
        """Renew the quotes once spread and volume are known; add quotes when the book tips."""
        super().receive_message(current_time, sender_id, message)
        if self.is_adaptive:
            self._follow_spread()
        if isinstance(message, QueryTransactedVolResponseMsg):
            if self.state["AWAITING_TRANSACTED_VOLUME"]:
                self.update_order_size()
                self.state["AWAITING_TRANSACTED_VOLUME"] = False
        elif isinstance(message, BookImbalanceDataMsg):
            if message.stage is MarketDataEventMsg.Stage.START and self.last_mid is not None:
                if self.renew_on_imbalance:
                    self.cancel_all_orders()
                self.place_orders(self.last_mid)
            return
        elif isinstance(message, MarketDataMsg):
            self._receive_quotes("AWAITING_MARKET_DATA")
        elif isinstance(message, QuerySpreadResponseMsg):
            self._receive_quotes("AWAITING_SPREAD")
        else:
            return
        if any(self.state.values()):
            return
        if self.last_mid is not None:
            if self.subscribe:
                self.cancel_all_orders()
            self.place_orders(self.last_mid)
        elif not self.switches.makers_requote:
            return
        self.state = self.initialise_state()
        if self.subscribe:
            self.get_transacted_volume(self.symbol, self.subscribe_freq)
        else:
            self.set_wakeup(current_time + self.get_wake_frequency())

    def _receive_quotes(self, awaited: str) -> None:
        if not self.state.get(awaited):
            return
        bid, _, ask, _ = self.get_known_bid_ask(self.symbol)
        if bid and ask:
            self.last_mid = int((ask + bid) / 2)
            if self.is_adaptive:
                self.last_spread = self.spread_alpha * (ask - bid) + (1 - self.spread_alpha) * self.last_spread
                self._follow_spread()
        self.state[awaited] = False

    def _follow_spread(self) -> None:
        self.window_size = self.last_spread
        self.tick_size = max(1, round(self.level_spacing * self.last_spread))

    def update_order_size(self) -> None:
        """Set the size of quotes to a share of the volume, skewed by the inventory if asked for."""
        bought, sold = self.transacted_volume[self.symbol]
        quantity = round(self.pov * (bought + sold))
        if self.skew_beta == 0:
            self.buy_order_size = self.sell_order_size = max(quantity, self.min_order_size)
            return
        share_to_sell = sigmoid(self.get_holdings(self.symbol), self.skew_beta)
        self.sell_order_size = max(math.ceil(share_to_sell * quantity), self.min_order_size)
        self.buy_order_size = max(math.floor((1 - share_to_sell) * quantity), self.min_order_size)

    def compute_orders_to_place(self, mid: int) -> tuple[list[int], list[int]]:
        """Return the prices of the ladder around `mid`, bids and asks each from low to high, cents."""
        assert self.window_size is not None
        assert self.tick_size is not None
        center: float = mid
        bought, sold = self.transacted_volume.get(self.symbol, (0, 0))
        if self.price_skew_param is not None and bought + sold:
            center = int(mid + self.price_skew_param * (2 * bought / (bought + sold) - 1))
        if self.anchor == ANCHOR_MIDDLE_STR:
            best_bid = int(center) - math.floor(self.window_size / 2)
            best_ask = int(center) + math.ceil(self.window_size / 2)
        elif self.anchor == ANCHOR_BOTTOM_STR:
            best_bid = int(center - 1)
            best_ask = int(center + self.window_size)
        else:
            best_bid = int(center - self.window_size)
            best_ask = int(center + 1)
        steps = range(self.num_ticks)
        bids = [best_bid - step * self.tick_size for step in reversed(steps)]
        asks = [best_ask + step * self.tick_size for step in steps]
        return [price for price in bids if price >= 1], asks

    def place_orders(self, mid: int) -> None:
        """Send the ladder around `mid` in one batch."""
        bids, asks = self.compute_orders_to_place(mid)
        quotes: list[tuple[int, Side, int]] = []
        if self.backstop_quantity != 0:
            if bids:
                quotes.append((self.backstop_quantity, Side.BID, bids.pop(0)))
            if asks:
                quotes.append((self.backstop_quantity, Side.ASK, asks.pop()))
        quotes += [(self.buy_order_size, Side.BID, price) for price in bids]
        quotes += [(self.sell_order_size, Side.ASK, price) for price in asks]
        orders = [self.create_limit_order(self.symbol, size, side, price) for size, side, price in quotes]
        self.place_multiple_orders([order for order in orders if order is not None])

    def get_wake_frequency(self) -> int:
        """Return the time to the next wake-up, ns."""
        if not self.poisson_arrival:
            return self.wake_up_freq
        return round(self.random_state.exponential(scale=self.arrival_rate))
