"""On random streams of requests the book equals the naive book, and what must always hold holds."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from abides_markets.order_book import OrderBook
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Side
from abides_markets.price_level import PriceLevel
from abides_markets.switches import Switches
from abides_markets.tape import MarketTape
from tests.abides_markets.naive_book import NaiveBook
from tests.abides_markets.naive_book import Owner
from tests.abides_markets.naive_book import sent_fields

SYMBOL = "X"
sides = st.sampled_from(Side)
prices = st.integers(97, 102)
quantities = st.integers(1, 30)
# Which of the orders that a stream has sent so far (some have left the book by then), and for quantities "all": what
# rests of it now.
picks = st.integers(0, 10**6)
KINDS: dict[str, dict[str, Any]] = {
    "": {},
    "hidden": {"is_hidden": True},
    "by_id": {"insert_by_id": True},
    "price-to-comply": {"is_price_to_comply": True},
    "price-to-comply by id": {"is_price_to_comply": True, "insert_by_id": True},
    "post-only": {"is_post_only": True},
    "post-only price-to-comply": {"is_post_only": True, "is_price_to_comply": True},
    "replayed": {"tag": "MR_preprocess_ADD"},
}
limits = st.tuples(st.just("limit"), sides, prices, quantities, st.sampled_from(["", *KINDS]), st.integers(980, 1080))
requests = st.one_of(
    limits,
    limits,
    st.tuples(st.just("market"), sides, st.integers(1, 80)),
    st.tuples(st.just("cancel"), picks),
    st.tuples(st.just("cancel at another price"), picks),
    st.tuples(st.just("partial cancel"), picks, st.one_of(st.just("all"), st.integers(-1, 35))),
    st.tuples(st.just("modify"), picks, st.one_of(st.just("all"), st.integers(0, 40))),
    st.tuples(st.just("replace"), picks, sides, prices, quantities, st.sampled_from(list(KINDS))),
)
streams = st.lists(requests, min_size=10, max_size=60)
switches = st.builds(
    Switches,
    report_unfilled=st.booleans(),
    market_orders_update_last_trade=st.booleans(),
    every_change_updates_timestamp=st.booleans(),
    refuse_crossing_post_only=st.booleans(),
)


class Pair:
    """The same requests for the book and for the naive book, each on objects of its own."""

    def __init__(self, switches: Switches) -> None:
        self.owner = Owner(book_logging=True)
        self.book = OrderBook(self.owner, SYMBOL, switches)
        self.book.tape = MarketTape(watched_agent=0)
        self.naive = NaiveBook(switches)
        self.sent_orders: list[LimitOrder] = []
        self.submitted: dict[int, int] = {}
        self.as_sent: list[Any] = []

    def new_limit(
        self, side: Side, price: int, quantity: int, kind: str = "", order_id: int | None = None
    ) -> LimitOrder:
        count = len(self.submitted)
        if order_id is None or order_id in self.submitted:
            order_id = next(number for number in range(1000 + count, 3000) if number not in self.submitted)
        order = LimitOrder(
            agent_id=count % 4,
            time_placed=0,
            symbol=SYMBOL,
            quantity=quantity,
            side=side,
            limit_price=price,
            order_id=order_id,
            **KINDS[kind],
        )
        self.submitted[order_id] = quantity
        self.sent_orders.append(order)
        return order

    def apply(self, request: tuple[Any, ...]) -> None:
        self.owner.current_time += 1
        kind, *parameters = request
        book, naive = self.book, self.naive
        if kind == "limit":
            side, price, quantity, flag, number = parameters
            order = self.new_limit(side, price, quantity, flag, number if "by" in flag else None)
            book.handle_limit_order(order.copy())
            naive.request(lambda: naive.limit(order.copy()))
        elif kind == "market":
            side, quantity = parameters
            taker = MarketOrder(len(self.submitted) % 4, 0, SYMBOL, quantity, side, 5000 + len(self.submitted))
            self.submitted[taker.order_id] = quantity
            book.handle_market_order(taker)
            assert taker.quantity == quantity  # the caller's object is left alone
            naive.request(lambda: naive.market(taker))
        elif self.sent_orders:
            self._change(kind, self.sent_orders[parameters[0] % len(self.sent_orders)], parameters[1:])
        self.as_sent += [
            (message, sent_fields(recipient, message))
            for recipient, message in self.owner.messages[len(self.as_sent) :]
        ]

    def _change(self, kind: str, order: LimitOrder, parameters: list[Any]) -> None:
        book, naive = self.book, self.naive
        if parameters and parameters[0] == "all":
            parameters[0] = next((o.quantity for o in naive.resting if o.order_id == order.order_id), order.quantity)
        if kind == "cancel":
            assert book.cancel_order(order.copy()) is (order.order_id in {o.order_id for o in naive.resting})
            naive.request(lambda: bool(naive.cancel(order)))
        elif kind == "cancel at another price":
            elsewhere = order.copy()
            elsewhere.limit_price += 50
            assert book.cancel_order(elsewhere) is False
        elif kind == "partial cancel":
            book.partial_cancel_order(order.copy(), parameters[0])
            naive.request(lambda: naive.partial_cancel(order, parameters[0]))
        elif kind == "modify":
            changed = order.copy()
            changed.quantity = parameters[0]
            book.modify_order(order.copy(), changed.copy())
            naive.request(lambda: naive.modify(order, changed))
        else:
            side, price, quantity, flag = parameters
            new = self.new_limit(side, price, quantity, flag)
            book.replace_order(order.agent_id, order.copy(), new.copy())
            naive.request(lambda: naive.replace(order.agent_id, order, new.copy()))

    def messages(self) -> list[Any]:
        return [sent_fields(recipient, message) for recipient, message in self.owner.messages]


def played(stream: list[tuple[Any, ...]], switches: Switches) -> Pair:
    pair = Pair(switches)
    for request in stream:
        pair.apply(request)
    return pair


@settings(max_examples=300)
@given(streams, switches)
def test_book_equals_the_naive_book(stream: list[tuple[Any, ...]], switches: Switches) -> None:
    pair = Pair(switches)
    book, naive = pair.book, pair.naive
    for request in stream:
        pair.apply(request)
        assert book.get_l3_bid_data() == naive.l3(Side.BID)
        assert book.get_l3_ask_data() == naive.l3(Side.ASK)
        bids, asks = naive.l2(Side.BID), naive.l2(Side.ASK)
        assert book.get_l2_bid_data() == bids
        assert book.get_l2_ask_data() == asks
        assert book.get_l1_bid_data() == (bids[0] if bids else None)
        assert book.get_l1_ask_data() == (asks[0] if asks else None)
        assert book.get_imbalance() == naive.imbalance()
        assert book.last_trade == naive.last_trade
    assert pair.messages() == naive.sent
    assert book.discarded == naive.discarded
    assert book.get_transacted_volume(10**9) == (naive.bought, naive.sold)


@settings(max_examples=100)
@given(streams, switches)
def test_levels_are_ordered_filled_and_uncrossed_and_totals_are_right(
    stream: list[tuple[Any, ...]], switches: Switches
) -> None:
    pair = Pair(switches)
    book = pair.book
    for request in stream:
        pair.apply(request)
        bid_prices = [level.price for level in book.bids]
        ask_prices = [level.price for level in book.asks]
        assert bid_prices == sorted(set(bid_prices), reverse=True)
        assert ask_prices == sorted(set(ask_prices))
        if switches.refuse_crossing_post_only or not any(o.is_post_only or o.tag for o in pair.sent_orders):
            # Hidden halves of price-to-comply orders may stand at the price of an opposite order, but not across it.
            assert not (bid_prices and ask_prices) or bid_prices[0] <= ask_prices[0]
            bid, ask = book.get_l1_bid_data(), book.get_l1_ask_data()
            assert bid is None or ask is None or bid[0] < ask[0]
        for level in (*book.bids, *book.asks):
            assert not level.is_empty
            assert all(order.quantity > 0 for order, _ in (*level.visible_orders, *level.hidden_orders))
            assert level.total_quantity == sum(order.quantity for order, _ in level.visible_orders)
            for order, metadata in (*level.visible_orders, *level.hidden_orders):
                if not order.is_price_to_comply:
                    continue
                other = metadata["ptc_other_half"]
                assert metadata["ptc_hidden"] is order.is_hidden is not other.is_hidden
                assert abs(order.limit_price - other.limit_price) == 1
                assert (order.order_id, order.quantity) == (other.order_id, other.quantity)
                assert book.find(other) is other
        assert book.visible_depth == (_visible(book.bids), _visible(book.asks))


def _visible(levels: list[PriceLevel]) -> int:
    return sum(order.quantity for level in levels for order, _ in level.visible_orders)


@settings(max_examples=100)
@given(
    st.lists(
        st.one_of(
            limits,
            limits,
            st.tuples(st.just("market"), sides, st.integers(1, 80)),
            st.tuples(st.just("cancel"), picks),
            st.tuples(st.just("partial cancel"), picks, st.integers(-1, 35)),
        ),
        max_size=60,
    )
)
def test_every_share_submitted_is_executed_cancelled_resting_or_reported(stream: list[tuple[Any, ...]]) -> None:
    pair = played(stream, Switches(report_unfilled=True))
    gone: dict[int, int] = defaultdict(int)
    for _, message in pair.owner.messages:
        if message.type() in ("OrderExecutedMsg", "OrderCancelledMsg"):
            gone[message.order.order_id] += message.order.quantity
    for entry in pair.book.history:
        if entry["type"] == "CANCEL_PARTIAL":
            gone[entry["order_id"]] += entry["quantity"]
    resting = {
        order.order_id: order.quantity
        for level in (*pair.book.bids, *pair.book.asks)
        for order, _ in (*level.visible_orders, *level.hidden_orders)
    }
    for order_id, quantity in pair.submitted.items():
        assert gone[order_id] + resting.get(order_id, 0) == quantity
    assert pair.book.discarded == 0


@settings(max_examples=100)
@given(streams, switches)
def test_what_was_sent_does_not_change_afterwards(stream: list[tuple[Any, ...]], switches: Switches) -> None:
    pair = played(stream, switches)
    assert pair.messages() == [fields for _, fields in pair.as_sent]


@settings(max_examples=100)
@given(streams, switches)
def test_tape_has_every_trade_with_the_mid_before_the_request(
    stream: list[tuple[Any, ...]], switches: Switches
) -> None:
    pair = played(stream, switches)
    tape = pair.book.tape
    assert tape is not None
    assert [
        (t.price, t.quantity, t.aggressor_sign, t.passive_order_id, t.aggressor_order_id, t.mid2, t.one_sided)
        for t in tape.trades
    ] == pair.naive.trades
    executions = [entry for entry in pair.book.history if entry["type"] == "EXEC"]
    assert [(t.time, t.price, t.quantity, t.passive_agent, t.aggressor_agent) for t in tape.trades] == [
        (e["time"], e["price"], e["quantity"], e["agent_id"], e["oppos_agent_id"]) for e in executions
    ]
    assert tape.mid2 == pair.naive.mid2
    assert tape.one_sided is pair.naive.one_sided
    if tape.quotes:
        best = tape.quotes[-1]
        assert (best.bid, best.bid_size) == (pair.book.get_l1_bid_data() or (-1, 0))
        assert (best.ask, best.ask_size) == (pair.book.get_l1_ask_data() or (-1, 0))
        assert (best.bid_depth, best.ask_depth) == pair.book.visible_depth


@settings(max_examples=100)
@given(st.lists(st.tuples(sides, quantities, st.booleans()), min_size=1, max_size=20), st.integers(1, 300))
def test_orders_at_one_price_execute_visible_first_then_by_arrival(
    orders: list[tuple[Side, int, bool]], taken: int
) -> None:
    owner = Owner()
    book = OrderBook(owner, SYMBOL)
    for number, (_, quantity, hidden) in enumerate(orders):
        book.handle_limit_order(LimitOrder(1, 0, SYMBOL, quantity, Side.ASK, 100, is_hidden=hidden, order_id=number))
    owner.messages.clear()
    book.handle_market_order(MarketOrder(2, 0, SYMBOL, taken, Side.BID, order_id=10_000))
    executed = [message.order.order_id for recipient, message in owner.messages if recipient == 1]
    visible = [n for n, (_, _, hidden) in enumerate(orders) if not hidden]
    hidden_orders = [n for n, (_, _, hidden) in enumerate(orders) if hidden]
    assert executed == (visible + hidden_orders)[: len(executed)]


@pytest.mark.parametrize("depth", [0, 1, 3, None])
def test_depth_counts_levels(depth: int | None) -> None:
    pair = played([("limit", Side.BID, 95 + n, 10, "", 0) for n in range(5)], Switches())
    assert pair.book.get_l2_bid_data(depth) == pair.naive.l2(Side.BID)[:depth]
    assert pair.book.get_l3_bid_data(depth) == pair.naive.l3(Side.BID)[:depth]
