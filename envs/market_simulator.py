"""The stand-in market: a small statistical limit order book, for tests and teaching.

Three ideas make the whole model:

1. A **fundamental value** wanders and is pulled back to its mean (an Ornstein–Uhlenbeck process).
2. A **book** of a few levels a side is quoted around it. Limit orders arrive, and are cancelled in proportion to what
   stands (Cont, Stoikov and Talreja 2010), so a level that was consumed fills up again towards its mean.
3. A **trade** consumes depth level by level and moves the price: for good in proportion to its size (the linear
   permanent impact of Almgren and Chriss 2001), and for a while (the decaying impact of Obizhaeva and Wang 2013).

Nobody in this market reacts to anybody: what it leaves out is listed in `docs/stand-in.md`. Results about trading come
from the agent-based market, never from this one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from typing import Literal

import numpy as np

SECOND = 1_000_000_000

Side = Literal["buy", "sell"]
Level = tuple[int, int]

BUY: Side = "buy"
SELL: Side = "sell"


@dataclass(frozen=True, kw_only=True)
class MarketSimulatorParameters:
    """Parameters of `MarketSimulator`; the defaults resemble rmsc04 in price, depth, spread, volatility and volume.

    Attributes:
        initial_price: Fundamental value at time 0, cents.
        mean_price: Value that the fundamental is pulled back to, cents.
        volatility: Standard deviation of the fundamental's change, cents per square root of a second (1.29 is one
            basis point of 100 000 cents a minute).
        reversion: Time after which half of the distance to the mean is gone, seconds.
        depth: Mean size of each level, best first, shares; its length is the number of levels a side. Levels are one
            tick (one cent) apart.
        spread: Mean distance of the first ask level from the first bid level, ticks, at least 1.
        order_size: Shares of one arriving limit order.
        replenishment: Time after which half of a level's missing shares are back, seconds.
        trade_rate: Background market orders per second.
        trade_size: Mean size of a background market order, shares, at least 1.
        permanent_impact: Lasting move of the price per share traded by the agent (γ of Almgren and Chriss 2001,
            section 1.2), cents per share.
        transient_impact: Further move per share that decays (Obizhaeva and Wang 2013, section 3), cents per share.
        transient_half_life: Time after which half of the transient move is gone, seconds.
    """

    initial_price: int = 100_000
    mean_price: int = 100_000
    volatility: float = 1.29
    reversion: float = 1_800.0
    depth: tuple[int, ...] = (190, 140, 140, 140, 140)
    spread: float = 1.5
    order_size: int = 20
    replenishment: float = 5.0
    trade_rate: float = 0.25
    trade_size: float = 100.0
    permanent_impact: float = 0.001
    transient_impact: float = 0.005
    transient_half_life: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what makes no market.

        Raises:
            ValueError: If a parameter lies outside its range; the text names it and its value.
        """
        least = {"volatility": 0, "trade_rate": 0, "permanent_impact": 0, "transient_impact": 0}
        least |= {"spread": 1, "order_size": 1, "trade_size": 1}
        for parameter in fields(self):
            value = getattr(self, parameter.name)
            if parameter.name == "depth":
                if not value or min(value) < 1:
                    raise ValueError(f"depth must be one or more sizes of at least 1 share, got {value}")
            elif parameter.name in least and value < least[parameter.name]:
                raise ValueError(f"{parameter.name} must be at least {least[parameter.name]}, got {value}")
            elif parameter.name not in least and value <= 0:
                raise ValueError(f"{parameter.name} must be greater than 0, got {value}")


DEFAULT_PARAMETERS = MarketSimulatorParameters()


@dataclass(frozen=True)
class TradeResult:
    """What came of a trade.

    Attributes:
        fills: `(price in cents, shares)` of each level taken from, in the order of taking.
        left: Shares that found nobody to trade with; they are not kept.
    """

    fills: tuple[Level, ...]
    left: int

    @property
    def filled(self) -> int:
        """Shares traded."""
        return sum(quantity for _, quantity in self.fills)

    @property
    def depth_consumed(self) -> int:
        """Shares taken out of the book; every share that trades was standing in it."""
        return self.filled

    @property
    def average_price(self) -> float | None:
        """Mean price per share, cents; None if nothing was filled."""
        return sum(price * quantity for price, quantity in self.fills) / self.filled if self.fills else None


@dataclass
class RestingOrder:
    """The agent's limit order that waits in the book.

    Attributes:
        side: `buy` or `sell`.
        price: Limit, cents.
        left: Shares still waiting.
        ahead: Shares of others at the same price that trade first.
    """

    side: Side
    price: int
    left: int
    ahead: int


@dataclass
class _Quotes:
    """One side of the book: the price of its first level and the shares of every level, best first.

    `sign` is +1 for bids and −1 for asks: a price is better for who trades against it when `sign × price` is larger.
    """

    sign: int
    first: int = 0
    sizes: list[int] = field(default_factory=list)

    def price(self, rank: int) -> int:
        return self.first - self.sign * rank

    def levels(self) -> list[Level]:
        return [(self.price(rank), size) for rank, size in enumerate(self.sizes) if size]


class MarketSimulator:
    """A statistical limit order book that one agent trades in.

    The quotes stand around `fundamental + permanent impact + transient impact`. Prices are whole cents, sizes whole
    shares, times whole nanoseconds since the start. The same seed and the same calls give the same market.
    """

    def __init__(self, seed: int, *, parameters: MarketSimulatorParameters = DEFAULT_PARAMETERS) -> None:
        """Open the market with a full book.

        Args:
            seed: Seed of every random draw, ≥ 0.
            parameters: The market's parameters.
        """
        self.parameters = parameters
        self._random = np.random.default_rng(seed)
        self._time = 0
        self._fundamental = float(parameters.initial_price)
        self._permanent = 0.0
        self._transient = 0.0
        self._bids = _Quotes(+1, sizes=self._draw_full_side())
        self._asks = _Quotes(-1, sizes=self._draw_full_side())
        self._spread = self._draw_spread()
        self._resting: RestingOrder | None = None
        self._resting_fills: list[Level] = []
        self._last_trade = parameters.initial_price
        self._volume = 0
        self._next_trade = self._draw_gap()
        self._mid2 = 2 * parameters.initial_price
        self._quote()

    @property
    def time(self) -> int:
        """Nanoseconds since the start."""
        return self._time

    @property
    def fundamental(self) -> float:
        """The fundamental value, cents."""
        return self._fundamental

    @property
    def bids(self) -> list[Level]:
        """`(price, shares)` of the bid levels, best first, own order included; may be empty."""
        return self._visible(self._bids, BUY)

    @property
    def asks(self) -> list[Level]:
        """`(price, shares)` of the ask levels, best first, own order included; may be empty."""
        return self._visible(self._asks, SELL)

    @property
    def mid2(self) -> int:
        """Best bid + best ask, half cents; with a side empty, the last two-sided one."""
        return self._mid2

    @property
    def last_trade(self) -> int:
        """Price of the last trade, cents; the initial price before the first one."""
        return self._last_trade

    @property
    def volume(self) -> int:
        """Shares traded since the start, by anybody."""
        return self._volume

    @property
    def resting(self) -> RestingOrder | None:
        """The agent's limit order that waits in the book, if any."""
        return self._resting

    def step(self, duration: int) -> None:
        """Let time pass.

        The fundamental moves, the book replenishes, transient impact decays, and background market orders arrive as a
        Poisson process, each at its own moment.

        Args:
            duration: Nanoseconds, > 0.

        Raises:
            ValueError: If the duration is not positive.
        """
        if duration <= 0:
            raise ValueError(f"duration must be greater than 0 ns, got {duration}")
        end = self._time + duration
        while self._next_trade <= end:
            self._pass_time(self._next_trade - self._time)
            self._trade_in_background()
            self._next_trade += self._draw_gap()
        self._pass_time(end - self._time)

    def execute_trade(self, quantity: int, side: Side) -> TradeResult:
        """Trade at once with a market order: walk the book, consume its depth, move the price.

        The order takes the best opposite level first, then the next, until it is filled or the side is empty. What it
        takes is gone from the book until time brings it back. Then the price moves in the direction of the trade, by
        `(permanent_impact + transient_impact) × filled` cents: the first part stays (Almgren and Chriss 2001, linear
        permanent impact g(v) = γ v), the second decays exponentially (Obizhaeva and Wang 2013).

        Args:
            quantity: Shares, > 0.
            side: `buy` takes from the asks, `sell` from the bids.

        Returns:
            The fills with their average price, the depth consumed, and the shares left unfilled.

        Raises:
            ValueError: If the quantity or the side is none of these, or the agent's own order rests on the side that
                this one would take from.
        """
        _check_order(quantity, side)
        if self._resting is not None and self._resting.side != side:
            raise ValueError(f"a {side} could meet the agent's own resting {self._resting.side} order: cancel it first")
        return self._take(quantity, side)

    def place_limit(self, quantity: int, price: int, side: Side) -> TradeResult:
        """Place the agent's limit order; it replaces the one that rests, if any.

        What the limit allows to trade at once is traded as by `execute_trade`; the rest waits behind the shares that
        already stand at its price, until background orders reach it, or the market moves through its price.

        Args:
            quantity: Shares, > 0.
            price: Limit, cents, > 0.
            side: `buy` or `sell`.

        Returns:
            What was traded at once; `left` is what rests.

        Raises:
            ValueError: If the quantity, the price or the side is none of these.
        """
        _check_order(quantity, side)
        if price <= 0:
            raise ValueError(f"price must be greater than 0 cents, got {price}")
        self.cancel_limit()
        result = self._take(quantity, side, limit=price)
        if result.left:
            own = self._bids if side == BUY else self._asks
            self._resting = RestingOrder(side, price, result.left, ahead=dict(own.levels()).get(price, 0))
            self._remember_mid()
        return result

    def cancel_limit(self) -> int:
        """Take the agent's limit order out of the book.

        Returns:
            The shares that were still waiting; 0 if there was no order.
        """
        left = self._resting.left if self._resting is not None else 0
        self._resting = None
        self._remember_mid()
        return left

    def fills_since(self) -> tuple[Level, ...]:
        """Return `(price, shares)` of each fill of the agent's resting order since the last call of this method."""
        fills = tuple(self._resting_fills)
        self._resting_fills.clear()
        return fills

    # Time

    def _pass_time(self, duration: int) -> None:
        """Move everything but the background orders forward by `duration` nanoseconds."""
        parameters = self.parameters
        seconds = duration / SECOND
        self._time += duration
        # The exact transition of dX = θ (mean − X) dt + σ dW (Uhlenbeck and Ornstein 1930).
        theta = math.log(2) / parameters.reversion
        kept = math.exp(-theta * seconds)
        noise = parameters.volatility * math.sqrt((1 - kept**2) / (2 * theta))
        self._fundamental = parameters.mean_price + kept * (self._fundamental - parameters.mean_price)
        self._fundamental += noise * self._random.standard_normal()
        self._transient *= 0.5 ** (seconds / parameters.transient_half_life)
        self._replenish(seconds)
        self._spread = self._draw_spread()
        self._quote()

    def _replenish(self, seconds: float) -> None:
        """Cancel and renew: each share survives by chance, new orders bring what keeps the mean at `depth`."""
        parameters = self.parameters
        survival = 0.5 ** (seconds / parameters.replenishment)
        for quotes in (self._bids, self._asks):
            for rank, mean in enumerate(parameters.depth):
                orders = self._random.poisson(mean * (1 - survival) / parameters.order_size)
                old = self._random.binomial(quotes.sizes[rank], survival)
                quotes.sizes[rank] = int(old + orders * parameters.order_size)
        if self._resting is not None:
            self._resting.ahead = int(self._random.binomial(self._resting.ahead, survival))

    def _quote(self) -> None:
        """Set the quotes around the present price; the agent's order that they cross is filled at its limit."""
        price = self._fundamental + self._permanent + self._transient
        lowest = len(self.parameters.depth)
        self._bids.first = max(round(price - self._spread / 2), lowest)
        self._asks.first = self._bids.first + self._spread
        resting = self._resting
        if resting is not None:
            opposite = self._asks if resting.side == BUY else self._bids
            levels = opposite.levels()
            if levels and opposite.sign * (levels[0][0] - resting.price) >= 0:
                self._fill_resting(resting.left)
        self._remember_mid()

    # Trades

    def _take(self, quantity: int, side: Side, limit: int | None = None) -> TradeResult:
        """Walk the opposite side for the agent, best level first and no further than `limit`; then move the price."""
        opposite = self._asks if side == BUY else self._bids
        fills = []
        left = quantity
        for rank, available in enumerate(opposite.sizes):
            price = opposite.price(rank)
            if left == 0 or (limit is not None and opposite.sign * (limit - price) > 0):
                break
            taken = min(left, available)
            if taken:
                opposite.sizes[rank] -= taken
                left -= taken
                fills.append((price, taken))
                self._print_trade(price, taken)
        sign = +1 if side == BUY else -1
        self._permanent += sign * self.parameters.permanent_impact * (quantity - left)
        self._transient += sign * self.parameters.transient_impact * (quantity - left)
        self._quote()
        return TradeResult(tuple(fills), left)

    def _trade_in_background(self) -> None:
        """Send one background market order: it takes depth, and the agent's order in its turn, but moves no price.

        The news that moves the price is already in the fundamental's own noise.
        """
        quotes, side = (self._bids, BUY) if self._random.random() < 0.5 else (self._asks, SELL)
        left = int(self._random.geometric(1 / self.parameters.trade_size))
        resting = self._resting if self._resting is not None and self._resting.side == side else None
        for rank in range(len(quotes.sizes)):
            price = quotes.price(rank)
            if resting is not None and quotes.sign * (resting.price - price) > 0:
                left -= self._fill_resting(left)
            if resting is not None and resting.price == price:
                ahead = min(left, resting.ahead, quotes.sizes[rank])
                left -= self._take_level(quotes, rank, ahead)
                resting.ahead -= ahead
                if left:
                    left -= self._fill_resting(left)
            left -= self._take_level(quotes, rank, left)
        self._fill_resting(left if resting is not None else 0)
        self._remember_mid()

    def _take_level(self, quotes: _Quotes, rank: int, quantity: int) -> int:
        """Take up to `quantity` shares of others from one level; return how many."""
        taken = min(quantity, quotes.sizes[rank])
        if taken:
            quotes.sizes[rank] -= taken
            self._print_trade(quotes.price(rank), taken)
        return taken

    def _fill_resting(self, quantity: int) -> int:
        """Fill up to `quantity` shares of the agent's resting order; return how many."""
        resting = self._resting
        if resting is None or quantity == 0:
            return 0
        taken = min(quantity, resting.left)
        resting.left -= taken
        self._resting_fills.append((resting.price, taken))
        self._print_trade(resting.price, taken)
        if resting.left == 0:
            self._resting = None
        return taken

    def _print_trade(self, price: int, quantity: int) -> None:
        self._last_trade = price
        self._volume += quantity

    # Looking

    def _visible(self, quotes: _Quotes, side: Side) -> list[Level]:
        levels = dict(quotes.levels())
        if self._resting is not None and self._resting.side == side:
            levels[self._resting.price] = levels.get(self._resting.price, 0) + self._resting.left
        return sorted(levels.items(), reverse=side == BUY)

    def _remember_mid(self) -> None:
        bids, asks = self.bids, self.asks
        if bids and asks:
            self._mid2 = bids[0][0] + asks[0][0]

    # Draws

    def _draw_full_side(self) -> list[int]:
        size = self.parameters.order_size
        return [max(1, size * int(self._random.poisson(mean / size))) for mean in self.parameters.depth]

    def _draw_spread(self) -> int:
        return 1 + int(self._random.poisson(self.parameters.spread - 1))

    def _draw_gap(self) -> int:
        """Nanoseconds to the next background order."""
        rate = self.parameters.trade_rate
        seconds = self._random.exponential(1 / rate) if rate else math.inf
        return max(1, round(min(seconds, 1e9) * SECOND))


def _check_order(quantity: int, side: str) -> None:
    if side not in (BUY, SELL):
        raise ValueError(f"side must be one of buy, sell, got {side!r}")
    if quantity <= 0:
        raise ValueError(f"quantity must be greater than 0 shares, got {quantity}")
