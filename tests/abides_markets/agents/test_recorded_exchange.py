"""The rules of a backtest, by records made by hand; and the record of a market, seen through it as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from abides_core.kernel import Kernel
from abides_core.latency_model import LatencyModel
from abides_core.utils import datetime_str_to_ns
from abides_core.utils import str_to_ns
from abides_markets.agents import TradingAgent
from abides_markets.agents.recorded_exchange import RecordedExchange
from abides_markets.lobster import BUY
from abides_markets.lobster import CANCELLATION
from abides_markets.lobster import DELETION
from abides_markets.lobster import EXECUTION
from abides_markets.lobster import SELL
from abides_markets.lobster import SUBMISSION
from abides_markets.lobster import LobsterMessage
from abides_markets.orders import Side

SECOND = 10**9
MIDNIGHT = datetime_str_to_ns("20210205")
OPEN = str_to_ns("09:30:00")
BOOK = [
    (0, SUBMISSION, 1, 100, 99, BUY),
    (0, SUBMISSION, 2, 50, 98, BUY),
    (0, SUBMISSION, 3, 80, 101, SELL),
    (0, SUBMISSION, 4, 30, 102, SELL),
]
"""Seconds after the open, type, id, size, price in cents, direction."""


def flow(*events: tuple[int, int, int, int, int, int]) -> list[LobsterMessage]:
    return [LobsterMessage(OPEN + at * SECOND, kind, i, size, 100 * price, d) for at, kind, i, size, price, d in events]


class Scripted(TradingAgent):
    """Does things at times after the open, a millisecond from the exchange, and notes what comes of them."""

    def __init__(self, script: list[tuple[int, str, tuple[Any, ...]]]) -> None:
        super().__init__(1)
        self.script = script
        self.told: list[tuple[str, int, int, int]] = []
        self.seen: list[Any] = []

    def get_wake_frequency(self) -> int:
        return SECOND

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        if self.mkt_open is None:
            return
        for at, what, arguments in self.script:
            if self.mkt_open + at * SECOND == current_time:
                getattr(self, what)(*arguments)
        self.set_wakeup(current_time + SECOND)

    def cancel_oldest(self) -> None:
        self.cancel_order(next(iter(self.orders.values())))

    def order_executed(self, order: Any) -> None:
        super().order_executed(order)
        self.told.append(("filled", self.clock(), order.quantity, order.fill_price))

    def order_cancelled(self, order: Any) -> None:
        super().order_cancelled(order)
        self.told.append(("cancelled", self.clock(), order.quantity, -1))

    def query_spread(self, symbol: str, price: Any, bids: Any, asks: Any, book: Any) -> None:
        super().query_spread(symbol, price, bids, asks, book)
        self.seen.append((bids, asks, price))

    def clock(self) -> int:
        assert self.mkt_open is not None
        return (self.current_time - self.mkt_open) // SECOND


def trade(script: list[tuple[int, str, tuple[Any, ...]]], *events: tuple[int, int, int, int, int, int]) -> Scripted:
    agent = Scripted(script)
    exchange = RecordedExchange(
        0, MIDNIGHT + OPEN, MIDNIGHT + OPEN + 60 * SECOND, ["X"], messages=flow(*BOOK, *events), pipeline_delay=0
    )
    kernel = Kernel(
        [exchange, agent],
        start_time=MIDNIGHT,
        stop_time=MIDNIGHT + OPEN + 70 * SECOND,
        agent_latency_model=LatencyModel(np.random.RandomState(0), 10**6, latency_model="deterministic"),
    )
    kernel.run()
    return agent


def market(at: int, quantity: int, side: Side = Side.BID) -> tuple[int, str, tuple[Any, ...]]:
    return at, "place_market_order", ("X", quantity, side)


def limit(at: int, quantity: int, price: int, side: Side = Side.BID) -> tuple[int, str, tuple[Any, ...]]:
    return at, "place_limit_order", ("X", quantity, side, price)


def test_a_market_order_walks_the_recorded_levels_and_finds_them_there_again() -> None:
    agent = trade([market(5, 100), market(6, 100), market(7, 120, Side.ASK), market(8, 200)])
    once = [("filled", 80, 101), ("filled", 20, 102)]
    found = [(what, quantity, price) for what, _, quantity, price in agent.told]
    sold = [("filled", 100, 99), ("filled", 20, 98)]
    assert found == [*once, *once, *sold, ("filled", 80, 101), ("filled", 30, 102), ("cancelled", 90, -1)]


def test_the_book_that_is_shown_is_the_record_and_nothing_else() -> None:
    look = "get_current_spread", ("X", 10)
    agent = trade(
        [(3, *look), limit(4, 500, 100), market(5, 60), (6, *look), (20, *look)],
        (10, EXECUTION, 3, 30, 101, SELL), (11, CANCELLATION, 1, 40, 99, BUY), (12, DELETION, 2, 50, 98, BUY),
    )  # fmt: skip
    opening = ([(99, 100), (98, 50)], [(101, 80), (102, 30)])
    assert agent.seen == [(*opening, None), (*opening, None), ([(99, 60)], [(101, 50), (102, 30)], 101)]


@pytest.mark.parametrize(
    ("events", "fills"),
    [
        # Nothing reaches it: 100 shares were there before it, and only 99 of them trade.
        ([(10, EXECUTION, 1, 99, 99, BUY)], []),
        # Cancellations of those before it bring it forward, but do not fill it.
        ([(10, CANCELLATION, 1, 60, 99, BUY), (11, EXECUTION, 1, 40, 99, BUY)], []),
        # An order that came later is executed: it would have been ours, share for share.
        (
            [(10, SUBMISSION, 5, 70, 99, BUY), (11, DELETION, 1, 100, 99, BUY), (12, EXECUTION, 5, 25, 99, BUY),
             (13, EXECUTION, 5, 45, 99, BUY)],
            [(12, 25), (13, 15)],
        ),
        # One that came later and is cancelled is neither ahead nor a trade.
        ([(10, SUBMISSION, 5, 70, 99, BUY), (11, DELETION, 5, 70, 99, BUY), (12, EXECUTION, 1, 100, 99, BUY)], []),
        # A trade at a worse price went past it.
        ([(10, DELETION, 1, 100, 99, BUY), (11, EXECUTION, 2, 30, 98, BUY)], [(11, 30)]),
        # Trades at better prices and on the other side say nothing.
        ([(10, SUBMISSION, 5, 9, 100, BUY), (11, EXECUTION, 5, 9, 100, BUY), (12, EXECUTION, 3, 80, 101, SELL)], []),
        # An order of the other side that comes to rest at its price would have met it.
        ([(10, DELETION, 1, 100, 99, BUY), (11, SUBMISSION, 6, 500, 99, SELL)], [(11, 40)]),
        ([(10, SUBMISSION, 6, 500, 100, SELL)], []),
    ],
)  # fmt: skip
def test_a_resting_order_is_filled_when_its_turn_has_come(
    events: list[tuple[int, int, int, int, int, int]], fills: list[tuple[int, int]]
) -> None:
    agent = trade([limit(5, 40, 99)], *events)
    assert [(at, quantity) for _, at, quantity, _ in agent.told] == fills
    assert all(price == 99 for *_, price in agent.told)
    mirrored = [(at, kind, i, size, 200 - price, -d) for at, kind, i, size, price, d in events]
    # In the mirror the book differs: give it one whose other side is this one's.
    other = [(1, DELETION, 3, 80, 101, SELL), (1, DELETION, 4, 30, 102, SELL), (1, DELETION, 1, 100, 99, BUY),
             (1, DELETION, 2, 50, 98, BUY)]  # fmt: skip
    book = [(2, kind, i, size, 200 - price, -d) for _, kind, i, size, price, d in BOOK]
    seller = trade([limit(5, 40, 101, Side.ASK)], *other, *book, *mirrored)
    assert [(at, quantity) for _, at, quantity, _ in seller.told] == fills


def test_a_limit_order_that_crosses_takes_up_to_its_price_and_the_rest_waits() -> None:
    agent = trade([limit(5, 200, 101), (8, "cancel_oldest", ())], (6, SUBMISSION, 9, 50, 101, SELL))
    # The recorded seller at 101 would have met the rest of the bid.
    assert agent.told == [("filled", 5, 80, 101), ("filled", 6, 50, 101), ("cancelled", 8, 70, -1)]


def test_two_orders_share_what_one_event_brings_the_better_price_first() -> None:
    agent = trade(
        [limit(4, 30, 98), limit(5, 20, 99)], (9, DELETION, 1, 100, 99, BUY), (10, SUBMISSION, 6, 35, 98, SELL)
    )
    # The recorded 50 at 98 are ahead of the first order, but an order that rests across them has met them.
    assert agent.told == [("filled", 10, 20, 99), ("filled", 10, 15, 98)]
