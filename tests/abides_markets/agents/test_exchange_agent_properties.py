"""Agents that send anything, malformed or not, stop no run, spoil no book, and make no shares or cash."""

from __future__ import annotations

import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from abides_core import Message
from abides_core import MessageBatch
from abides_markets.agents import ExchangeAgent
from abides_markets.messages.market import MarketClosePriceRequestMsg
from abides_markets.messages.market import MarketHoursRequestMsg
from abides_markets.messages.marketdata import BookImbalanceSubReqMsg
from abides_markets.messages.marketdata import L1SubReqMsg
from abides_markets.messages.marketdata import L2SubReqMsg
from abides_markets.messages.marketdata import L3SubReqMsg
from abides_markets.messages.marketdata import MarketDataSubReqMsg
from abides_markets.messages.marketdata import TransactedVolSubReqMsg
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.order import ModifyOrderMsg
from abides_markets.messages.order import OrderMsg
from abides_markets.messages.order import PartialCancelOrderMsg
from abides_markets.messages.order import ReplaceOrderMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.messages.query import QueryLastTradeMsg
from abides_markets.messages.query import QueryMsg
from abides_markets.messages.query import QueryOrderStreamMsg
from abides_markets.messages.query import QuerySpreadMsg
from abides_markets.messages.query import QueryTransactedVolMsg
from abides_markets.order_book import is_whole
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side
from abides_markets.switches import Switches
from tests.abides_markets.small_market import CLOSE
from tests.abides_markets.small_market import LATENCY
from tests.abides_markets.small_market import OPEN
from tests.abides_markets.small_market import SYMBOL
from tests.abides_markets.small_market import Planned
from tests.abides_markets.small_market import run_market

AGENTS = 3
STARTING_CASH = 1_000_000
APART = 20_000
"""Time between two acts, ns: after fifty the market is closed."""
ODD: tuple[Any, ...] = (0, -1, 2.5, 3.0, float("nan"), float("inf"), None, "x", 2**70, True, [1], b"1", -(2**70))
FLAGS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"is_hidden": True},
    {"is_price_to_comply": True},
    {"insert_by_id": True},
    {"is_post_only": True},
    {"tag": "MR_preprocess_ADD"},
    {"tag": {"any": "thing"}},
)

acts = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=60)
switches = st.builds(
    Switches,
    market_orders_update_last_trade=st.booleans(),
    every_change_updates_timestamp=st.booleans(),
    refuse_crossing_post_only=st.booleans(),
    report_rejections=st.booleans(),
    report_unfilled=st.just(True),
)


class World:
    """A market whose agents act as numbers say: each number is the seed of one act.

    Attributes:
        sent: Every message about a new order, in order of sending, with its sender and time.
    """

    def __init__(self, seeds: list[int], switches: Switches, log_orders: bool = False) -> None:
        self.known: list[LimitOrder] = []
        self.sent: list[tuple[int, int, Order]] = []
        self.traders = [Planned(id, starting_cash=STARTING_CASH) for id in range(1, 1 + AGENTS)]
        for index, seed in enumerate(seeds):
            draw = random.Random(seed)
            trader = self.traders[draw.randrange(AGENTS)]
            trader.plan.append((index * APART, lambda agent, draw=draw: self.act(agent, draw)))  # type: ignore[misc]
        with warnings.catch_warnings(category=UserWarning, action="ignore"):
            self.exchange: ExchangeAgent = run_market(*self.traders, switches=switches, log_orders=log_orders)
        self.book = self.exchange.order_books[SYMBOL]

    def act(self, agent: Planned, draw: random.Random) -> None:
        messages = [self.message(agent, draw) for _ in range(draw.choice([1, 1, 3]))]
        for message in messages:
            if isinstance(message, LimitOrderMsg | MarketOrderMsg) and isinstance(message.order, Order):
                self.sent.append((agent.id, agent.current_time, message.order.copy()))
        if len(messages) > 1:
            agent.send_message(0, MessageBatch(messages))
        else:
            agent.send_message(0, messages[0])

    def message(self, agent: Planned, draw: random.Random) -> Message:
        def odd(value: Any) -> Any:
            return draw.choice(ODD) if draw.random() < 0.1 else value

        def symbol() -> Any:
            return odd(SYMBOL)

        def limit() -> Any:
            order = LimitOrder(
                odd(agent.id if draw.random() < 0.95 else draw.randrange(AGENTS + 2)),
                odd(agent.current_time),
                symbol(),
                odd(draw.randint(1, 40)),
                odd(draw.choice(list(Side))),
                odd(draw.randint(97, 103)),
                **draw.choice(FLAGS),
                order_id=odd(draw.choice([None, None, None, draw.randint(10_000, 10_020)])),
            )
            self.known.append(order)
            return odd(order)

        def market() -> Any:
            return odd(MarketOrder(odd(agent.id), 0, symbol(), odd(draw.randint(1, 60)), odd(draw.choice(list(Side)))))

        def known() -> Any:
            """An order that someone has sent, its owner's more often than not, and sometimes a little off."""
            mine = [order for order in self.known if order.agent_id == agent.id] or self.known
            if not mine:
                return limit()
            order = draw.choice(mine if draw.random() < 0.8 else self.known).copy()
            name = draw.choice(["limit_price", "side", "order_id", "quantity", "symbol", "agent_id"])
            setattr(order, name, odd(getattr(order, name)))
            return odd(order)

        def resized() -> Any:
            order = known()
            if isinstance(order, LimitOrder):
                order.quantity = odd(draw.randint(1, 50))
            return order

        def modify() -> Message:
            order = known()
            new = order.copy() if isinstance(order, LimitOrder) else order
            if isinstance(new, LimitOrder):
                new.quantity = odd(draw.randint(1, 50))
            return ModifyOrderMsg(odd(order), odd(new))

        makers: list[Callable[[], Message]] = [
            *[lambda: LimitOrderMsg(limit())] * 10,
            *[lambda: MarketOrderMsg(market())] * 3,
            *[lambda: CancelOrderMsg(known(), odd(None), odd(None))] * 3,
            *[lambda: PartialCancelOrderMsg(known(), odd(draw.randint(1, 20)), odd("auctionFill"), odd({"a": 1}))] * 2,
            *[modify] * 2,
            lambda: ModifyOrderMsg(known(), resized()),
            *[lambda: ReplaceOrderMsg(odd(agent.id), known(), limit())] * 2,
            lambda: LimitOrderMsg(market()),
            lambda: MarketOrderMsg(limit()),
            lambda: OrderMsg(),
            lambda: QueryLastTradeMsg(symbol()),
            lambda: QuerySpreadMsg(symbol(), odd(3)),
            lambda: QueryOrderStreamMsg(symbol(), odd(3)),
            lambda: QueryTransactedVolMsg(symbol(), odd("1s")),
            lambda: QueryMsg(symbol()),
            lambda: L1SubReqMsg(symbol(), draw.random() < 0.3, odd(1)),
            lambda: L2SubReqMsg(symbol(), draw.random() < 0.3, odd(1), odd(2)),
            lambda: L3SubReqMsg(symbol(), draw.random() < 0.3, odd(1), odd(2)),
            lambda: TransactedVolSubReqMsg(symbol(), draw.random() < 0.3, odd(1), odd("1s")),
            lambda: BookImbalanceSubReqMsg(symbol(), draw.random() < 0.3, odd(0.5)),
            lambda: MarketDataSubReqMsg(symbol()),
            lambda: MarketHoursRequestMsg(),
            lambda: MarketClosePriceRequestMsg(),
            lambda: Message(),
        ]
        return draw.choice(makers)()


@settings(max_examples=120)
@given(acts, switches, st.booleans())
def test_books_stay_whole(seeds: list[int], switches: Switches, log_orders: bool) -> None:
    world = World(seeds, switches, log_orders)
    book = world.book
    bids, asks = [level.price for level in book.bids], [level.price for level in book.asks]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    if switches.refuse_crossing_post_only and bids and asks:
        assert bids[0] <= asks[0]
    ids: Counter[int] = Counter()
    for levels, side in ((book.bids, Side.BID), (book.asks, Side.ASK)):
        for level in levels:
            assert not level.is_empty
            assert level.total_quantity == sum(order.quantity for order, _ in level.visible_orders)
            for order, _ in (*level.visible_orders, *level.hidden_orders):
                assert (type(order.quantity), type(order.limit_price)) == (int, int)
                assert order.quantity > 0
                assert (order.side, order.limit_price, order.symbol) == (side, level.price, SYMBOL)
                assert order.agent_id in range(1, 1 + AGENTS)
                assert book.find(order) is order
                ids[order.order_id] += 1 if order.is_price_to_comply else 2
    assert set(ids.values()) <= {2}
    assert book.visible_depth == tuple(
        sum(level.total_quantity for level in levels) for levels in (book.bids, book.asks)
    )


@settings(max_examples=120)
@given(acts, switches)
def test_shares_and_cash_only_change_hands(seeds: list[int], switches: Switches) -> None:
    world = World(seeds, switches)
    assert sum(trader.get_holdings(SYMBOL) for trader in world.traders) == 0
    assert sum(trader.get_holdings("CASH") for trader in world.traders) == STARTING_CASH * AGENTS
    traded = sum(entry["quantity"] for entry in world.book.history if entry["type"] == "EXEC")
    assert traded * 2 == sum(m.order.quantity for trader in world.traders for m in trader.heard(OrderExecutedMsg))
    assert traded == world.exchange.total_exchanged_volume
    for trader in world.traders:
        assert set(trader.holdings) <= {SYMBOL, "CASH"}
        fills = [m.order for m in trader.heard(OrderExecutedMsg)]
        assert all(type(order.quantity) is int and order.agent_id == trader.id for order in fills)
        signed = sum(order.quantity if order.side is Side.BID else -order.quantity for order in fills)
        assert trader.get_holdings(SYMBOL) == signed


@settings(max_examples=120)
@given(acts, switches)
def test_every_new_order_is_answered_and_every_share_of_it_accounted_for(seeds: list[int], switches: Switches) -> None:
    world = World(seeds, switches)
    gone: Counter[int] = Counter()
    answered = set()
    for trader in world.traders:
        for _, message in trader.told:
            order = getattr(message, "order", None)
            if isinstance(order, Order):
                answered.add((trader.id, order.order_id))
            if isinstance(message, OrderExecutedMsg | OrderCancelledMsg):
                gone[message.order.order_id] += whole(message.order.quantity)
    changed = set()
    for entry in world.book.history:
        if entry["type"] == "CANCEL_PARTIAL":
            gone[entry["order_id"]] += entry["quantity"]
        elif entry["type"] == "MODIFY":
            changed.add(entry["order_id"])
        elif entry["type"] == "REPLACE":
            changed |= {entry["old_order_id"], entry["new_order_id"]}
    resting = {
        order.order_id: order.quantity
        for level in (*world.book.bids, *world.book.asks)
        for order, _ in (*level.visible_orders, *level.hidden_orders)
    }
    submitted: Counter[int] = Counter()
    for sender, time, order in world.sent:
        if time + LATENCY <= CLOSE and is_whole(order.order_id, least=-sys.maxsize):
            assert (sender, order.order_id) in answered
            submitted[order.order_id] += whole(order.quantity)
    for order_id, quantity in submitted.items():
        if order_id not in changed:
            assert gone[order_id] + resting.get(order_id, 0) == quantity


def whole(quantity: Any) -> int:
    return int(quantity) if is_whole(quantity, least=-sys.maxsize) else 0


def test_all_that_is_meant_is_reached() -> None:
    """The acts of the properties above do trade, change orders, and are refused for many reasons."""
    kinds: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for seed in range(60):
        draw = random.Random(seed)
        world = World([draw.randrange(2**32) for _ in range(60)], Switches.all_on(report_rejections=True))
        kinds.update(message.type() for trader in world.traders for _, message in trader.told)
        refused = [event for _, name, event in world.exchange.log if name == "REQUEST_REFUSED"]
        reasons.update(word for text in refused for word in REASONS if word in text)
        assert world.traders[0].mkt_open == OPEN
    assert set(REASONS) <= set(reasons)
    assert set(kinds) >= ANSWERS


REASONS = (
    "unknown symbol",
    "is not there",
    "order id",
    "is that of agent",
    "is not a LimitOrder",
    "is not a MarketOrder",
    "is not a positive whole number",
    "is not a whole number of cents",
    "is not a Side",
    "cannot become order",
    "rests already",
    "post-only",
    "is not a duration",
    "depth",
    "freq",
    "min_imbalance",
    "there is no such subscription",
    "there is no market data of this kind",
)
ANSWERS = {
    "OrderAcceptedMsg",
    "OrderExecutedMsg",
    "OrderCancelledMsg",
    "OrderPartialCancelledMsg",
    "OrderModifiedMsg",
    "OrderReplacedMsg",
    "OrderRejectedMsg",
    "MarketClosedMsg",
    "L1DataMsg",
    "L2DataMsg",
    "L3DataMsg",
    "TransactedVolDataMsg",
    "BookImbalanceDataMsg",
}
