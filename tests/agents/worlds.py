"""Small worlds for tests: short markets, scripted markets of two agents, and views and rows made by hand."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from abides_core.kernel import Kernel
from abides_core.latency_model import LatencyModel
from abides_core.streams import random_state
from abides_core.utils import datetime_str_to_ns
from abides_core.utils import str_to_ns
from abides_markets.agents import ExchangeAgent
from abides_markets.agents import TradingAgent
from abides_markets.orders import Side
from abides_markets.switches import Switches
from abides_markets.tape import MarketTape
from abides_markets.tape import Trade
from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.execution_agent import ParentOrder
from agents.views import LEVELS
from agents.views import PAST_MIDS
from agents.views import VIEW
from agents.views import View
from configs import Experiment
from configs import experiment_from

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
SYMBOL = "ABM"
THIN = {"num_noise_agents": 60, "num_value_agents": 8, "num_momentum_agents": 2}
"""A market with gaps: often one-sided, with wide spreads and little depth."""


SHORT = (
    "market.end_time=09:34:00",
    "order.start=09:31:00",
    "order.window=2min",
    "order.quantity=1200",
    "comparison.validity.volume=0",
)
"""Settings of a command that runs on the market of `experiment`, too short for the gate's volume of half an hour."""


def experiment(**sections: Any) -> Experiment:
    """Two minutes of a parent order from 09:31, in a market that closes soon after."""
    content: dict[str, Any] = {
        "name": "short",
        "market": {"end_time": "09:34:00"},
        "order": {"quantity": 2_000, "start": "09:31:00", "window": "2min"},
    }
    for key, value in sections.items():
        content[key] = {**content.get(key, {}), **value} if isinstance(value, dict) else value
    return experiment_from(content)


# A scripted market: everybody's orders are known, and so is what must come of them.


class Quote(NamedTuple):
    """An order of the script; without a price it is a market order. `at` is its arrival at the exchange."""

    at: int
    side: Side
    quantity: int
    price: int | None = None


class Scripted(TradingAgent):
    """Sends the orders of a script, each so that it arrives at its time."""

    def __init__(self, id: int, script: Sequence[Quote], start: int, latency: int) -> None:
        super().__init__(id)
        self._script = sorted(script, key=lambda quote: quote.at)
        self._start = start
        self._lead = latency + 1

    def kernel_starting(self, start_time: int) -> None:
        super().kernel_starting(start_time)
        for quote in self._script:
            self.set_wakeup(self._start + quote.at - self._lead)

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        while self._script and self._start + self._script[0].at - self._lead <= current_time:
            quote = self._script.pop(0)
            if quote.price is None:
                self.place_market_order(SYMBOL, quote.quantity, quote.side)
            else:
                self.place_limit_order(SYMBOL, quote.quantity, quote.side, quote.price)


class World(NamedTuple):
    """What came of a scripted market."""

    agent: Any
    tape: MarketTape
    start: int

    @property
    def own_trades(self) -> list[Trade]:
        return [t for t in self.tape.trades if self.agent.id in (t.passive_agent, t.aggressor_agent)]


def run_world(
    kind: Callable[..., ExecutionAgent],
    script: Sequence[Quote],
    *,
    order: ParentOrder,
    interval: int = 10 * SECOND,
    latency: int = MILLISECOND,
    **named: Any,
) -> World:
    """Run an execution agent against a script, whose times count from the start of the window."""
    midnight = datetime_str_to_ns("20210205")
    market_open = midnight + str_to_ns("09:30:00")
    start = midnight + order.start
    exchange = ExchangeAgent(
        0,
        market_open,
        midnight + str_to_ns("16:00:00"),
        [SYMBOL],
        book_logging=False,
        pipeline_delay=0,
        computation_delay=0,
        switches=Switches.all_on(),
    )
    agent = kind(2, SYMBOL, order, interval, random_state=random_state(1), **named)
    book = exchange.order_books[SYMBOL]
    book.tape = MarketTape(agent.id)
    kernel = Kernel(
        [exchange, Scripted(1, script, start, latency), agent],
        start_time=midnight,
        stop_time=start + order.window + order.settlement,
        agent_latency_model=LatencyModel(random_state(0), latency, latency_model="deterministic"),
    )
    kernel.initialize()
    kernel.runner()
    return World(agent, book.tape, start)


def parent(quantity: int = 1_000, side: Side = Side.BID, seconds: int = 100, sweep: bool = False) -> ParentOrder:
    return ParentOrder(side, quantity, str_to_ns("09:31:00"), seconds * SECOND, sweep)


def deep_book(at: int = -10 * SECOND, mid: int = 100_000, size: int = 100_000, spread: int = 2) -> list[Quote]:
    """One level a side that nobody exhausts."""
    return [Quote(at, Side.BID, size, mid - spread // 2), Quote(at, Side.ASK, size, mid + spread // 2)]


def mirrored(script: Sequence[Quote], mid: int = 100_000) -> list[Quote]:
    """The script with sides swapped and prices reflected."""
    other = {Side.BID: Side.ASK, Side.ASK: Side.BID}
    return [q._replace(side=other[q.side], price=None if q.price is None else 2 * mid - q.price) for q in script]


class RandomOrdersAgent(ExecutionAgent):
    """Decides anything at all: market and limit orders of any size near the touch, with and without cancelling."""

    def decide(self, view: View) -> Decision:
        draw = self.random_state.randint
        touch = (view.best_bid if view.side > 0 else view.best_ask) or view.mid2 // 2
        return Decision(
            market=int(draw(0, 2 * view.parent)) if draw(15) == 0 else int(draw(0, 30)),
            limit=int(draw(0, 2 * view.parent)) if draw(3) == 0 else int(draw(0, 60)),
            limit_price=max(0, touch + int(draw(-3, 4))),
            cancel=bool(draw(2)),
        )


# Views by hand


def view(**fields: Any) -> View:
    """A view a third into a buy of 1 000 shares, but for the given fields."""
    content: dict[str, Any] = {
        "time": 0,
        "decision": 3,
        "elapsed": 30 * SECOND,
        "window": 90 * SECOND,
        "interval": 10 * SECOND,
        "side": 1,
        "parent": 1_000,
        "filled": 300,
        "resting": 0,
        "resting_price": -1,
        "arrival2": 200_000,
        "mid2": 200_010,
        "last_trade": 100_004,
        "bids": [(100_004, 10), (100_003, 20)],
        "asks": [(100_006, 30), (100_008, 40)],
        "volume": 100,
        "mid2_past": (200_008, 200_006, 200_004),
        "fills": (),
    }
    return View(**{**content, **fields})


@st.composite
def raw_rows(draw: st.DrawFn, min_size: int = 1, max_size: int = 4) -> np.ndarray[Any, Any]:
    """Rows of `VIEW` as markets can show them: empty sides and levels, any time, any fill, orders at rest or not."""
    rows = np.zeros(draw(st.integers(min_size, max_size)), dtype=VIEW)
    for row in rows:
        decisions = draw(st.integers(1, 200))
        row["interval"] = draw(st.integers(1, 60)) * SECOND
        row["window"] = decisions * row["interval"]
        row["elapsed"] = draw(st.integers(0, decisions)) * row["interval"]
        row["side"] = draw(st.sampled_from((-1, 1)))
        row["parent"] = draw(st.integers(1, 20_000))
        row["filled"] = draw(st.integers(0, int(row["parent"])))
        row["left"] = row["parent"] - row["filled"]
        row["arrival2"] = 2 * draw(st.integers(99_000, 101_000)) + draw(st.integers(0, 1))
        best_bid = draw(st.integers(98_500, 101_500))
        best_ask = best_bid + draw(st.integers(1, 300))
        for name, best, direction in (("bid", best_bid, -1), ("ask", best_ask, 1)):
            levels = draw(st.integers(0, LEVELS))
            gaps = draw(st.lists(st.integers(1, 4), min_size=levels, max_size=levels))
            prices = [best + direction * sum(gaps[:i]) for i in range(levels)]
            sizes = draw(st.lists(st.integers(1, 5_000), min_size=levels, max_size=levels))
            row[f"{name}_price"] = prices + [-1] * (LEVELS - levels)
            row[f"{name}_size"] = sizes + [0] * (LEVELS - levels)
            row[f"{name}_total"] = sum(sizes) + (draw(st.integers(0, 50_000)) if levels == LEVELS else 0)
        row["mid2"] = best_bid + best_ask
        row["last_trade"] = draw(st.integers(best_bid - 40, best_ask + 40))
        row["mid2_past"] = [row["mid2"] + draw(st.integers(-1_500, 1_500)) for _ in range(PAST_MIDS)]
        row["volume"] = draw(st.integers(0, 10_000))
        row["resting_price"] = -1
        if draw(st.booleans()):
            row["resting"] = draw(st.integers(1, int(row["parent"])))
            own = best_bid if row["side"] > 0 else best_ask
            row["resting_price"] = own - row["side"] * draw(st.integers(-3, 30))
    return rows


def mirror_rows(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same markets seen in a mirror: sides swapped, prices reflected at the arrival price."""
    seen = rows.copy()
    seen["side"] = -rows["side"]
    seen["mid2"] = 2 * rows["arrival2"] - rows["mid2"]
    seen["mid2_past"] = 2 * rows["arrival2"][:, None] - rows["mid2_past"]
    seen["last_trade"] = rows["arrival2"] - rows["last_trade"]
    seen["resting_price"] = np.where(rows["resting_price"] < 0, -1, rows["arrival2"] - rows["resting_price"])
    for one, other in (("bid", "ask"), ("ask", "bid")):
        prices = rows[f"{other}_price"]
        seen[f"{one}_price"] = np.where(prices < 0, -1, rows["arrival2"][:, None] - prices)
        seen[f"{one}_size"] = rows[f"{other}_size"]
        seen[f"{one}_total"] = rows[f"{other}_total"]
    return seen
