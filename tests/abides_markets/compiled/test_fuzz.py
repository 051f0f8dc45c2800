"""Agents that do anything at all get the same messages from both engines, field for field."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np
import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from abides_core.message import Message
from abides_markets.agents import TradingAgent
from abides_markets.compiled import translate
from abides_markets.compiled.buffer import FIRST_ROWS
from abides_markets.messages.marketdata import BookImbalanceSubReqMsg
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.query import QueryLastTradeMsg
from abides_markets.messages.query import QuerySpreadMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side
from abides_markets.switches import Switches
from abides_markets.utils import config_add_agents
from tests.abides_markets.compiled.worlds import assert_same
from tests.abides_markets.compiled.worlds import build
from tests.abides_markets.compiled.worlds import left_by
from tests.abides_markets.tapes import SECOND
from tests.abides_markets.tapes import SYMBOL

SIDES = (Side.BID, Side.ASK)
DEPTHS = (0, 1, 2, 5, 20, 1_000, sys.maxsize)
PERIODS = (1, 0, 10**9, "1s", "10min", "1h")
LONGEST = 40


def plain(value: Any) -> Any:
    """A message, or anything in one, as plain values that are written out in full."""
    if isinstance(value, Order):
        return (type(value).__name__, *(plain(getattr(value, name)) for name in value._fields))
    if dataclasses.is_dataclass(value):
        return (type(value).__name__, *(plain(getattr(value, f.name)) for f in dataclasses.fields(value)))
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value


class Anything(TradingAgent):
    """Does things drawn from its stream whenever it is woken, and at times when it is told something.

    Args:
        id: Agent id.
        seed: Seed of what it does.
        pace: Mean time between two wake-ups, ns.
        ends: When it stops, ns since the epoch.

    Attributes:
        told: Everything that has happened to it.
        done: How often it has done each thing.
    """

    def __init__(self, id: int, seed: int, pace: int, ends: int) -> None:
        super().__init__(id, random_state=np.random.RandomState(seed), log_orders=False)
        self.draw = np.random.default_rng(seed)
        self.pace, self.ends = pace, ends
        self.told: list[Any] = []
        self.done: Counter[str] = Counter()
        self.placed: list[LimitOrder] = []
        self.subscribed = False
        self.waiting = 0

    def kernel_starting(self, start_time: int) -> None:
        super().kernel_starting(start_time)
        self.current_time = start_time
        for _ in range(self.below(4)):
            self.act()

    def wakeup(self, current_time: int) -> None:
        self.waiting -= 1
        super().wakeup(current_time)
        self.told.append((current_time, dict(self.holdings), self.get_computation_delay()))
        if current_time > self.ends or self.mkt_open is None:
            return
        for _ in range(self.below(5)):
            self.act()
        kind = self.below(20)
        gap = 0 if kind == 0 else 1 if kind == 1 else int(self.draw.exponential(self.pace))
        if self.waiting == 0:  # what it asks for besides begins no series of its own
            self.set_wakeup(current_time + gap)

    def set_wakeup(self, requested_time: int) -> None:
        self.waiting += 1
        super().set_wakeup(requested_time)

    def get_wake_frequency(self) -> int:
        return self.below(SECOND)

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        self.told.append((current_time, sender_id, plain(message)))
        super().receive_message(current_time, sender_id, message)
        # To act on any message would have one lead to more and more of them, above all once the market has closed.
        if isinstance(message, QuerySpreadResponseMsg) and not self.mkt_closed and self.below(4) == 0:
            self.act()

    def below(self, end: int) -> int:
        return int(self.draw.integers(end))

    def act(self) -> None:
        act = ACTS[self.below(len(ACTS))]
        self.done[act.__name__] += 1
        act(self)

    # Orders

    def price(self) -> int:
        bid, _, ask, _ = self.get_known_bid_ask(SYMBOL)
        known = [price for price in (bid, ask, self.last_trade.get(SYMBOL)) if price is not None]
        around = known[self.below(len(known))] if known else 100_000
        kind = self.below(20)
        if kind == 0:
            return self.below(3)
        reach = 500 if kind == 1 else 4
        return max(0, around + self.below(2 * reach + 1) - reach)

    def size(self) -> int:
        kind = self.below(20)
        return 1 + self.below(20_000 if kind == 0 else 400 if kind < 5 else 40)

    def limit_order(self) -> LimitOrder:
        order = self.create_limit_order(
            SYMBOL, self.size(), SIDES[self.below(2)], self.price(), tag=TAGS[self.below(3)]
        )
        assert order is not None
        self.placed.append(order)
        return order

    def place_limit(self) -> None:
        order = self.limit_order()
        self._register(order)
        self.send_message(0, LimitOrderMsg(order), delay=self.below(2) * self.below(SECOND))

    def place_market(self) -> None:
        self.place_market_order(SYMBOL, self.size(), SIDES[self.below(2)])

    def cancel_an_open_one(self) -> None:
        resting = [order for order in self.orders.values() if isinstance(order, LimitOrder)]
        if resting:
            self.cancel_order(resting[self.below(len(resting))])

    def cancel_all(self) -> None:
        self.cancel_all_orders()

    def cancel_any(self) -> None:
        """Any order it ever made: cancelled, filled, or still on its way; sometimes twice; sometimes as it is not."""
        if not self.placed:
            return
        order = self.placed[self.below(len(self.placed))].copy()
        kind = self.below(8)
        if kind == 0:
            order.limit_price += 1
        elif kind == 1:
            order.side = SIDES[order.side is Side.BID]
        for _ in range(1 + self.below(2)):
            self.cancel_order(order)

    def cancel_what_was_never_sent(self) -> None:
        order = self.create_limit_order(SYMBOL, 5, Side.BID, self.price())
        assert order is not None
        self.cancel_order(order)

    def send_batch(self) -> None:
        parts: list[Message] = []
        for _ in range(self.below(LONGEST)):
            kind = self.below(10)
            if kind < 6:
                order = self.limit_order()
                self._register(order)
                parts.append(LimitOrderMsg(order))
            elif kind < 7:
                taken = MarketOrder(self.id, self.current_time, SYMBOL, self.size(), SIDES[self.below(2)])
                self._register(taken)
                parts.append(MarketOrderMsg(taken))
            elif self.placed:
                order = self.placed[-1 - self.below(min(len(self.placed), 30))]
                parts.append(CancelOrderMsg(order, None, None))
        self.send_message_batch(0, parts, delay=self.below(2) * self.below(SECOND))

    def place_several(self) -> None:
        self.place_multiple_orders([self.limit_order() for _ in range(self.below(6))])

    # Questions

    def ask_spread(self) -> None:
        self.get_current_spread(SYMBOL, DEPTHS[self.below(len(DEPTHS))])

    def ask_volume(self) -> None:
        self.get_transacted_volume(SYMBOL, PERIODS[self.below(len(PERIODS))])

    def ask_last_trade(self) -> None:
        self.send_message(0, QueryLastTradeMsg(SYMBOL), delay=self.below(1000))

    def ask_much(self) -> None:
        for _ in range(self.below(10)):
            self.send_message(0, QuerySpreadMsg(SYMBOL, 3), delay=self.below(3))

    def subscribe(self) -> None:
        if not self.subscribed:
            self.subscribed = True
            self.request_data_subscription(BookImbalanceSubReqMsg(SYMBOL, min_imbalance=self.below(10) / 10))

    # Time

    def take_longer(self) -> None:
        self.delay(self.below(SECOND // 1000))

    def change_pace(self) -> None:
        self.set_computation_delay((0, 1, 50, self.below(SECOND // 10_000))[self.below(4)])

    def wake_again(self) -> None:
        self.set_wakeup(self.current_time + self.below(2) * self.below(SECOND))


TAGS = (None, None, {"why": [1, 2]})
ACTS: list[Callable[[Anything], None]] = [
    *[Anything.place_limit] * 6,
    *[Anything.place_market] * 2,
    *[Anything.cancel_an_open_one] * 3,
    Anything.cancel_all,
    *[Anything.cancel_any] * 3,
    Anything.cancel_what_was_never_sent,
    *[Anything.send_batch] * 2,
    Anything.place_several,
    *[Anything.ask_spread] * 3,
    Anything.ask_volume,
    Anything.ask_last_trade,
    Anything.ask_much,
    Anything.subscribe,
    Anything.take_longer,
    Anything.change_pace,
    Anything.wake_again,
]


def play(
    engine: str, seed: int, seeds: list[int], pace: int, seconds: int, delay: int, first: bool, **parameters: Any
) -> tuple[dict[str, Any], list[Anything]]:
    """Run a market with agents that do anything, beside the others or in the place of the first of them."""
    parameters["end_time"] = f"09:{30 + seconds // 60}:{seconds % 60:02d}"
    config = build(seed, **parameters)
    config["default_computation_delay"] = delay
    config["stop_time"] += 5 * SECOND  # the exchange is closed for these
    count = len(config["agents"])
    ids = range(1, 1 + len(seeds)) if first else range(count, count + len(seeds))
    agents = [Anything(id, of, pace, config["stop_time"] - SECOND) for id, of in zip(ids, seeds, strict=True)]
    if first:
        config["agents"][1 : 1 + len(seeds)] = agents
    else:
        config = config_add_agents(config, agents)
    return left_by(config, engine), agents


def operations(seed: int, seeds: list[int], **parameters: Any) -> Counter[str]:
    """Compare the two engines on one market; return what its agents have done."""
    (reference, theirs), (compiled, ours) = (
        play(engine, seed, seeds, **parameters) for engine in ("reference", "compiled")
    )
    for one, other in zip(theirs, ours, strict=True):
        for expected, told in zip(one.told, other.told, strict=False):
            assert told == expected
        assert len(other.told) == len(one.told)
        assert other.done == one.done
        assert list(other.orders) == list(one.orders)
    assert_same([reference, compiled])
    return sum((agent.done for agent in theirs), Counter())


MARKETS = {
    "seed": st.integers(0, 2**32 - 1),
    "seeds": st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True),
    "num_noise_agents": st.integers(4, 15),
    "num_value_agents": st.integers(0, 4),
    "num_momentum_agents": st.integers(0, 2),
    "switches": st.builds(Switches, *[st.booleans()] * 4),
    "delay": st.sampled_from([0, 1, 50, SECOND // 500]),
    "first": st.booleans(),
}


@example(  # its last event is a market order that meets nothing
    pace=SECOND // 10,
    seed=1,
    seeds=[32],
    num_noise_agents=4,
    num_value_agents=0,
    num_momentum_agents=0,
    switches=Switches(every_change_updates_timestamp=True),
    delay=0,
    first=False,
)
@settings(max_examples=60)
@given(pace=st.sampled_from([SECOND // 20, SECOND]), **MARKETS)  # type: ignore[arg-type]
def test_agents_that_do_anything_get_the_same_messages(**market: Any) -> None:
    operations(seconds=6, **market)


@settings(max_examples=10)
@given(pace=st.just(SECOND // 10), rows=st.integers(1, 40), **MARKETS)  # type: ignore[arg-type]
def test_agents_that_do_anything_see_no_table_grow(rows: int, **market: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translate, "first_rows", lambda agents: dict.fromkeys(FIRST_ROWS, rows))
        operations(seconds=4, **market)


def test_everything_is_done_and_answered() -> None:
    """The fuzz reaches what it is meant to reach."""
    parameters: dict[str, Any] = {"num_noise_agents": 10, "num_value_agents": 2, "num_momentum_agents": 1}
    of = {"pace": SECOND // 20, "seconds": 20, "delay": 1, "first": False, **parameters}
    done = operations(1, [1, 2], **of)
    assert set(done) == {act.__name__ for act in ACTS}
    _, agents = play("compiled", 1, [1, 2], **of)
    kinds = Counter(entry[2][0] for agent in agents for entry in agent.told if len(entry) == 3 and entry[1] == 0)
    assert {
        "OrderAcceptedMsg",
        "OrderExecutedMsg",
        "OrderCancelledMsg",
        "QuerySpreadResponseMsg",
        "QueryLastTradeResponseMsg",
        "QueryTransactedVolResponseMsg",
        "BookImbalanceDataMsg",
        "MarketClosedMsg",
        "MarketClosePriceMsg",
        "MarketHoursMsg",
    } <= set(kinds)


@pytest.mark.slow
def test_a_hundred_thousand_operations() -> None:
    draw = np.random.default_rng(20261122)
    done: Counter[str] = Counter()
    while done.total() < 100_000:
        done += operations(
            seed=int(draw.integers(2**32)),
            seeds=draw.integers(2**32, size=4).tolist(),
            pace=int(draw.choice([SECOND // 50, SECOND // 10, SECOND])),
            seconds=60,
            delay=int(draw.choice([0, 1, 50, SECOND // 500])),
            first=bool(draw.integers(2)),
            num_noise_agents=int(draw.integers(4, 30)),
            num_value_agents=int(draw.integers(5)),
            num_momentum_agents=int(draw.integers(3)),
            switches=Switches(*(bool(on) for on in draw.integers(2, size=4))),
        )
