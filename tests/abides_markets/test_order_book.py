from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from abides_markets.messages.orderbook import OrderAcceptedMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.messages.orderbook import OrderModifiedMsg
from abides_markets.messages.orderbook import OrderPartialCancelledMsg
from abides_markets.messages.orderbook import OrderRejectedMsg
from abides_markets.messages.orderbook import OrderReplacedMsg
from abides_markets.orders import Side
from abides_markets.price_level import PriceLevel
from abides_markets.switches import Switches
from tests.abides_markets.books import Levels
from tests.abides_markets.books import book_of
from tests.abides_markets.books import changed
from tests.abides_markets.books import order
from tests.abides_markets.books import taker


def test_an_empty_book() -> None:
    book, _ = book_of()
    assert book.get_l1_bid_data() is None
    assert book.get_l1_ask_data() is None
    assert book.get_l2_bid_data() == book.get_l2_ask_data() == book.get_l3_bid_data() == book.get_l3_ask_data() == []
    assert book.get_transacted_volume() == (0, 0)
    assert book.get_imbalance() == (0, None)
    assert book.visible_depth == (0, 0)
    assert book.last_trade is None
    assert (book.history, book.book_log2) == ([], [])


def test_levels_are_sorted_however_they_come() -> None:
    prices = list(range(1, 201))
    random.Random(0).shuffle(prices)
    book, _ = book_of(bids=[(p, [1]) for p in prices if p <= 100], asks=[(p, [1]) for p in prices if p > 100])
    assert [level.price for level in book.bids] == list(range(100, 0, -1))
    assert [level.price for level in book.asks] == list(range(101, 201))
    middle = book.bids[50].visible_orders[0][0]
    assert book.cancel_order(middle) is True
    assert [level.price for level in book.bids] == [p for p in range(100, 0, -1) if p != 50]
    assert book.get_l2_bid_data(5) == [(p, 1) for p in range(100, 95, -1)]
    assert len(book.get_l2_ask_data(500)) == 100


def test_what_the_book_shows() -> None:
    book, _ = book_of(bids=[(200, [10, 20]), (100, [5, 3])], asks=[(300, [10, 50, 20]), (400, [40, 10])])
    assert book.get_l1_bid_data() == (200, 30)
    assert book.get_l1_ask_data() == (300, 80)
    assert book.get_l2_bid_data() == [(200, 30), (100, 8)]
    assert book.get_l2_ask_data() == [(300, 80), (400, 50)]
    assert book.get_l3_bid_data() == [(200, [10, 20]), (100, [5, 3])]
    assert book.get_l3_ask_data() == [(300, [10, 50, 20]), (400, [40, 10])]
    assert book.get_l2_bid_data(depth=None) == book.get_l2_bid_data()
    assert book.visible_depth == (38, 130)


def test_hidden_orders_do_not_show() -> None:
    book, _ = book_of(bids=[(100, [5])])
    book.handle_limit_order(order(7, Side.BID, 110, is_hidden=True))
    book.handle_limit_order(order(9, Side.BID, 100, is_hidden=True))
    assert book.get_l1_bid_data() == (100, 5)
    assert book.get_l2_bid_data() == [(100, 5)]
    assert book.get_l3_bid_data() == [(110, []), (100, [5])]
    assert book.visible_depth == (5, 0)
    book.cancel_order(book.bids[1].visible_orders[0][0])
    assert book.get_l1_bid_data() is None


def test_a_depth_counts_levels_that_show_something() -> None:
    book, _ = book_of(bids=[(100, [5]), (98, [6]), (97, [7])])
    for price in (110, 99):
        book.handle_limit_order(order(7, Side.BID, price, is_hidden=True))
    assert [book.get_l2_bid_data(depth) for depth in range(3)] == [[], [(100, 5)], [(100, 5), (98, 6)]]
    assert book.get_l2_bid_data(9) == book.get_l2_bid_data(None) == [(100, 5), (98, 6), (97, 7)]
    assert book.get_l3_bid_data(2) == [(110, []), (100, [5])]


def test_volume_by_the_side_that_came_in() -> None:
    book, owner = book_of(bids=[(100, [30])], asks=[(200, [30])])
    book.handle_market_order(taker(3, Side.BID))
    owner.current_time = 1000
    book.handle_limit_order(order(4, Side.ASK, 100))
    assert book.get_transacted_volume(1000) == (3, 4)
    owner.current_time = 1001
    assert book.get_transacted_volume(1000) == (0, 4)
    assert book.get_transacted_volume("1us") == (0, 4)
    assert book.get_transacted_volume(0) == (0, 0)


@pytest.mark.parametrize(
    ("bids", "asks", "expected"),
    [
        ([10], [10], (0, None)),
        ([20], [10], (0.5, Side.BID)),
        ([10], [20], (0.5, Side.ASK)),
        ([100], [10], (1 - 10 / 100, Side.BID)),
        ([5, 5], [100], (1 - 10 / 100, Side.ASK)),
        ([10], [], (1.0, Side.BID)),
        ([], [10], (1.0, Side.ASK)),
    ],
)
def test_imbalance(bids: list[int], asks: list[int], expected: tuple[float, Side | None]) -> None:
    book, _ = book_of(bids=[(100, bids)] if bids else [], asks=[(200, asks)] if asks else [])
    assert book.get_imbalance() == expected


# Limit orders


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("side", Side)
def test_an_order_that_crosses_nothing_rests(side: Side, hidden: bool) -> None:
    book, owner = book_of()
    sent = order(10, side, 100, is_hidden=hidden)
    book.handle_limit_order(sent.copy())
    mine, other = (book.bids, book.asks) if side is Side.BID else (book.asks, book.bids)
    assert mine == [PriceLevel([(sent, {})])]
    assert other == []
    [(recipient, message)] = owner.messages
    assert recipient == 2
    assert isinstance(message, OrderAcceptedMsg)
    assert message.order == sent


@pytest.mark.parametrize("side", Side)
def test_an_order_that_crosses_trades_at_the_resting_price(side: Side) -> None:
    opposite, price = (Side.ASK, 110) if side is Side.BID else (Side.BID, 90)
    book, owner = book_of(**{"asks" if side is Side.BID else "bids": [(100, [10])]})
    book.handle_limit_order(order(10, side, price))
    assert book.bids == book.asks == []
    (first_to, first), (then_to, then) = owner.messages
    assert (first_to, then_to) == (1, 2)
    for message, own_side, own_price in ((first, opposite, 100), (then, side, price)):
        assert isinstance(message, OrderExecutedMsg)
        o: Any = message.order
        assert (o.side, o.limit_price, o.fill_price, o.quantity) == (own_side, own_price, 100, 10)
    assert book.last_trade == 100


def test_what_is_left_of_a_crossing_order_rests() -> None:
    book, owner = book_of(asks=[(100, [10, 5]), (101, [7]), (105, [50])])
    book.handle_limit_order(order(30, Side.BID, 101))
    assert [(to, m.type(), m.order.quantity) for to, m in owner.messages] == [
        (1, "OrderExecutedMsg", 10),
        (2, "OrderExecutedMsg", 10),
        (1, "OrderExecutedMsg", 5),
        (2, "OrderExecutedMsg", 5),
        (1, "OrderExecutedMsg", 7),
        (2, "OrderExecutedMsg", 7),
        (2, "OrderAcceptedMsg", 8),
    ]
    assert book.get_l3_bid_data() == [(101, [8])]
    assert book.get_l3_ask_data() == [(105, [50])]
    assert book.last_trade == round((15 * 100 + 7 * 101) / 22)


def test_orders_inside_the_spread_and_of_one_share() -> None:
    book, owner = book_of(bids=[(100, [10])], asks=[(110, [10])])
    book.handle_limit_order(order(1, Side.BID, 105))
    assert book.get_l1_bid_data() == (105, 1)
    book.handle_limit_order(order(1, Side.ASK, 105))
    assert book.get_l1_bid_data() == (100, 10)
    assert [m.type() for _, m in owner.messages] == ["OrderAcceptedMsg", "OrderExecutedMsg", "OrderExecutedMsg"]


def test_at_one_price_visible_before_hidden_and_a_better_hidden_price_before_all() -> None:
    book, owner = book_of(asks=[(101, [10])])
    book.handle_limit_order(order(10, Side.ASK, 101, agent=3, is_hidden=True))
    book.handle_limit_order(order(10, Side.ASK, 101, agent=4))
    book.handle_limit_order(order(10, Side.ASK, 100, agent=5, is_hidden=True))
    owner.messages.clear()
    book.handle_limit_order(order(36, Side.BID, 101))
    assert [to for to, _ in owner.messages if to != 2] == [5, 1, 4, 3]
    assert [o.quantity for o, _ in book.asks[0].hidden_orders] == [4]
    book.handle_limit_order(order(4, Side.BID, 101))
    assert book.asks == []


def test_insertion_by_id() -> None:
    book, _ = book_of()
    orders = [order(10, Side.BID, 100, order_id=n, insert_by_id=n == 3) for n in (1, 2, 4, 3)]
    for o in orders:
        book.handle_limit_order(o.copy())
    assert book.bids[0].visible_orders == [(o, {}) for o in sorted(orders, key=lambda o: o.order_id)]


def test_best_quotes_and_last_trade_are_logged_for_limit_orders() -> None:
    book, owner = book_of(asks=[(100, [10]), (103, [5])])
    owner.events.clear()
    book.handle_limit_order(order(12, Side.BID, 103))
    assert owner.events == [("BEST_ASK", "X,103,3"), ("LAST_TRADE", "12,$1.0000")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbol": "Y"},
        {"quantity": 1.5},
        {"quantity": -10},
        {"quantity": 0},
        {"price": -100},
        {"price": 1.5},
        {"quantity": float("nan")},
        {"quantity": 2**63},
        {"quantity": "10"},
        {"quantity": None},
        {"price": float("inf")},
        {"price": 2**63},
        {"price": None},
        {"side": True},
        {"side": Side.ASK, "price": 0, "is_price_to_comply": True},
        {"price": 2**63 - 1, "is_price_to_comply": True},
    ],
)
def test_an_invalid_limit_order_warns_and_its_agent_is_told(wrong: dict[str, Any]) -> None:
    book, owner = book_of(asks=[(100, [10])])
    sent = order(**{"quantity": 10, "side": Side.BID, "price": 100, **wrong})
    with pytest.warns(UserWarning, match=f"order {sent.order_id} of agent 2 refused"):
        book.handle_limit_order(sent)
    assert book.get_l3_ask_data() == [(100, [10])]
    [(recipient, message)] = owner.messages
    assert recipient == 2
    assert isinstance(message, OrderCancelledMsg)
    assert message.order.order_id == sent.order_id
    assert message.order is not sent
    [text] = [event for name, event in owner.events if name == "REQUEST_REFUSED"]
    assert text.startswith(f"order {sent.order_id} of agent 2 refused: ")


@pytest.mark.parametrize("number", [10.0, np.int64(10), np.float32(10)])
def test_whole_numbers_of_any_type_are_taken_as_such(number: Any) -> None:
    book, owner = book_of()
    book.handle_limit_order(order(number, Side.BID, number))
    resting = book.bids[0].visible_orders[0][0]
    assert (type(resting.quantity), type(resting.limit_price)) == (int, int)
    book.handle_market_order(taker(number, Side.ASK))
    assert book.bids == []
    assert type(owner.messages[-1][1].order.quantity) is int


def test_an_id_that_rests_already_is_refused_and_is_free_again_once_it_does_not() -> None:
    book, owner = book_of()
    book.handle_limit_order(order(10, Side.BID, 100, order_id=7))
    with pytest.warns(UserWarning, match="an order with its id rests already"):
        book.handle_limit_order(order(5, Side.BID, 99, order_id=7))
    assert book.get_l3_bid_data() == [(100, [10])]
    book.replace_order(2, order(10, Side.BID, 100, order_id=7), order(4, Side.BID, 98, order_id=7))
    assert book.get_l3_bid_data() == [(98, [4])]
    book.handle_market_order(taker(4, Side.ASK))
    book.handle_limit_order(order(5, Side.BID, 99, order_id=7))
    assert book.get_l3_bid_data() == [(99, [5])]
    assert owner.messages[-1][1].type() == "OrderAcceptedMsg"


# Price-to-comply orders


@pytest.mark.parametrize("side", Side)
def test_a_price_to_comply_order_rests_as_two_halves(side: Side) -> None:
    book, owner = book_of()
    sent = order(10, side, 100, is_price_to_comply=True)
    book.handle_limit_order(sent.copy())
    better, own = book.bids if side is Side.BID else book.asks
    assert (better.price, own.price) == ((101, 100) if side is Side.BID else (99, 100))
    [(hidden, hidden_metadata)] = better.hidden_orders
    [(visible, visible_metadata)] = own.visible_orders
    assert (better.visible_orders, own.hidden_orders) == ([], [])
    assert hidden_metadata == {"ptc_hidden": True, "ptc_other_half": visible}
    assert visible_metadata == {"ptc_hidden": False, "ptc_other_half": hidden}
    assert hidden_metadata["ptc_other_half"] is visible
    assert visible_metadata["ptc_other_half"] is hidden
    assert (visible, hidden.order_id, hidden.is_hidden) == (sent, sent.order_id, True)
    assert (book.get_l1_bid_data() or book.get_l1_ask_data()) == (100, 10)
    assert sum(book.visible_depth) == 10
    assert [m.type() for _, m in owner.messages] == ["OrderAcceptedMsg"]
    assert [e["type"] for e in book.history] == ["LIMIT"]
    assert book.history[0]["price"] == 100


def test_a_price_to_comply_ask_at_one_cent_hides_at_nothing() -> None:
    book, _ = book_of()
    book.handle_limit_order(order(10, Side.ASK, 1, is_price_to_comply=True))
    assert [level.price for level in book.asks] == [0, 1]


def test_a_price_to_comply_order_trades_at_the_better_price_and_both_halves_shrink() -> None:
    book, owner = book_of()
    book.handle_limit_order(order(50, Side.BID, 100, agent=1, is_price_to_comply=True))
    book.handle_market_order(taker(20, Side.ASK))
    assert [(to, m.type()) for to, m in owner.messages] == [
        (1, "OrderAcceptedMsg"),
        (1, "OrderExecutedMsg"),
        (2, "OrderExecutedMsg"),
    ]
    assert [m.order.fill_price for _, m in owner.messages[1:]] == [101, 101]
    assert book.bids[0].hidden_orders[0][0].quantity == book.bids[1].visible_orders[0][0].quantity == 30
    assert book.visible_depth == (30, 0)
    book.handle_market_order(taker(30, Side.ASK))
    assert (book.bids, book.visible_depth) == ([], (0, 0))


@pytest.mark.parametrize("half", [0, 1])
def test_what_is_done_to_one_half_is_done_to_the_other(half: int) -> None:
    book, owner = book_of()
    book.handle_limit_order(order(50, Side.ASK, 100, is_price_to_comply=True))
    named = (book.asks[0].hidden_orders[0] if half == 0 else book.asks[1].visible_orders[0])[0].copy()

    def quantities() -> list[int]:
        return [book.asks[0].hidden_orders[0][0].quantity, book.asks[1].visible_orders[0][0].quantity]

    book.modify_order(named, changed(named, 60))
    assert quantities() == [60, 60]
    book.partial_cancel_order(named, 25)
    assert quantities() == [35, 35]
    assert book.visible_depth == (0, 35)
    assert [m.new_order.quantity for _, m in owner.messages[1:]] == [60, 35]
    assert book.cancel_order(named) is True
    assert (book.asks, book.visible_depth) == ([], (0, 0))
    assert [m.type() for _, m in owner.messages[3:]] == ["OrderCancelledMsg"]
    assert book.cancel_order(named) is False


def test_a_price_to_comply_order_may_be_replaced_by_an_ordinary_one() -> None:
    book, _ = book_of()
    sent = order(50, Side.BID, 100, is_price_to_comply=True)
    book.handle_limit_order(sent.copy())
    book.replace_order(2, sent, order(5, Side.ASK, 100))
    assert (book.bids, book.get_l3_ask_data()) == ([], [(100, [5])])


def test_a_hidden_half_may_lock_the_book_but_not_cross_it() -> None:
    book, _ = book_of(asks=[(101, [5])])
    book.handle_limit_order(order(10, Side.BID, 100, is_price_to_comply=True))
    assert book.bids[0].price == book.asks[0].price == 101
    assert (book.get_l1_bid_data(), book.get_l1_ask_data()) == ((100, 10), (101, 5))
    book.handle_limit_order(order(3, Side.ASK, 101))  # meets the hidden half
    assert book.get_l1_bid_data() == (100, 7)


# Post-only orders


def test_a_post_only_order_takes_visible_shares_and_rests_across_hidden_ones() -> None:
    """As specified; the switch `refuse_crossing_post_only` mends it."""
    book, owner = book_of(asks=[(100, [5])])
    book.handle_limit_order(order(3, Side.BID, 100, is_post_only=True))
    assert [m.type() for _, m in owner.messages] == ["OrderExecutedMsg"] * 2
    book.handle_limit_order(order(4, Side.ASK, 98, is_hidden=True))
    book.handle_limit_order(order(3, Side.BID, 99, is_post_only=True))
    assert (book.bids[0].price, book.asks[0].price) == (99, 98)


@pytest.mark.parametrize("tag", ["MR_preprocess_ADD", "MR_preprocess_REPLACE"])
def test_a_replayed_order_never_takes(tag: str) -> None:
    book, owner = book_of(asks=[(100, [5])])
    sent = order(3, Side.BID, 100, tag=tag)
    book.handle_limit_order(sent)
    assert (f"{tag}_POST_ONLY", {"order_id": sent.order_id}) in owner.events
    assert (book.get_l1_bid_data(), book.get_l1_ask_data()) == ((100, 3), (100, 5))


@pytest.mark.parametrize("flags", [{"is_post_only": True}, {"tag": "MR_preprocess_ADD"}])
@pytest.mark.parametrize("is_hidden", [False, True])
def test_with_the_switch_what_must_not_take_and_would_is_refused(flags: dict[str, Any], is_hidden: bool) -> None:
    book, owner = book_of(switches=Switches(refuse_crossing_post_only=True))
    book.handle_limit_order(order(5, Side.ASK, 100, agent=1, is_hidden=is_hidden))
    owner.messages.clear()
    crossing = order(3, Side.BID, 100, **flags)
    book.handle_limit_order(crossing)
    [(recipient, message)] = owner.messages
    assert isinstance(message, OrderCancelledMsg)
    assert (recipient, message.order) == (2, crossing)
    assert owner.events[-1][0] == "REQUEST_REFUSED"
    assert book.bids == []
    book.handle_limit_order(order(3, Side.BID, 99, **flags))
    assert book.get_l1_bid_data() == (99, 3)


# Market orders


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("levels", "quantity", "fills", "left"),
    [
        ([[30]], 20, [20], [[10]]),
        ([[20]], 20, [20], []),
        ([[10, 30]], 20, [10, 10], [[20]]),
        ([[10], [30]], 20, [10, 10], [[20]]),
        ([[5, 5], [5]], 20, [5, 5, 5], []),
    ],
)
def test_a_market_order_takes_what_there_is(
    side: Side, levels: list[list[int]], quantity: int, fills: list[int], left: list[list[int]]
) -> None:
    step = 10 if side is Side.BID else -10
    resting: Levels = [(100 + step * n, quantities) for n, quantities in enumerate(levels)]
    book, owner = book_of(**{"asks" if side is Side.BID else "bids": resting})
    book.handle_market_order(taker(quantity, side))
    prices = [price for price, quantities in resting for _ in quantities]
    assert [(to, m.order.quantity, m.order.fill_price) for to, m in owner.messages] == [
        row for fill, price in zip(fills, prices, strict=False) for row in ((1, fill, price), (2, fill, price))
    ]
    shown = book.get_l3_ask_data() if side is Side.BID else book.get_l3_bid_data()
    assert [quantities for _, quantities in shown] == left


def test_a_market_order_into_an_empty_side_does_nothing() -> None:
    book, owner = book_of(bids=[(100, [10])])
    book.handle_market_order(taker(5, Side.BID))
    assert (owner.messages, book.discarded) == ([], 1)
    assert book.get_l3_bid_data() == [(100, [10])]


@pytest.mark.parametrize("wrong", [{"symbol": "Y"}, {"quantity": 1.5}, {"quantity": -10}, {"quantity": 0}])
def test_an_invalid_market_order_warns_and_its_agent_is_told(wrong: dict[str, Any]) -> None:
    book, owner = book_of(asks=[(100, [10])])
    with pytest.warns(UserWarning, match="refused"):
        book.handle_market_order(taker(**{"quantity": 5, "side": Side.BID, **wrong}))
    assert [(to, m.type()) for to, m in owner.messages] == [(2, "OrderCancelledMsg")]
    assert book.get_l3_ask_data() == [(100, [10])]


# Cancel, modify, partial cancel, replace


@pytest.mark.parametrize("side", Side)
def test_cancelling(side: Side) -> None:
    book, owner = book_of(
        **{"bids" if side is Side.BID else "asks": [(100, [10, 20]), (90 if side is Side.BID else 110, [30])]}
    )
    levels = book.bids if side is Side.BID else book.asks
    second, last = levels[0].visible_orders[1][0], levels[1].visible_orders[0][0]
    assert book.cancel_order(second.copy()) is True
    assert book.cancel_order(last.copy(), tag="auctionFill", cancellation_metadata={"a": 1}) is True
    assert [quantities for _, quantities in (book.get_l3_bid_data() or book.get_l3_ask_data())] == [[10]]
    assert [(to, m.order) for to, m in owner.messages] == [(1, second), (1, last)]
    assert [(e["type"], e["tag"], e["metadata"]) for e in book.history[-2:]] == [
        ("CANCEL", None, None),
        ("CANCEL", "auctionFill", {"a": 1}),
    ]


def test_a_cancellation_carries_what_was_left() -> None:
    book, owner = book_of(bids=[(100, [10])])
    resting = book.bids[0].visible_orders[0][0].copy()
    book.handle_market_order(taker(4, Side.ASK))
    owner.messages.clear()
    book.cancel_order(resting)
    assert owner.messages[0][1].order.quantity == 6


def test_what_is_not_there_cannot_be_cancelled() -> None:
    book, owner = book_of(bids=[(100, [10])])
    resting = book.bids[0].visible_orders[0][0]
    elsewhere, unknown = resting.copy(), order(1, Side.BID, 100)
    elsewhere.limit_price = 99
    before = len(book.history)
    assert book.cancel_order(unknown) is False
    assert book.cancel_order(elsewhere) is False
    assert (owner.messages, len(book.history)) == ([], before)


def test_a_smaller_order_keeps_its_place_a_larger_one_loses_it() -> None:
    book, owner = book_of(bids=[(100, [10, 20, 30])])
    first = book.bids[0].visible_orders[0][0].copy()
    book.modify_order(first, changed(first, 5))
    assert book.get_l3_bid_data() == [(100, [5, 20, 30])]
    book.modify_order(first, changed(first, 40))
    assert book.get_l3_bid_data() == [(100, [20, 30, 40])]
    assert [(to, m.type(), m.new_order.quantity) for to, m in owner.messages] == [
        (1, "OrderModifiedMsg", 5),
        (1, "OrderModifiedMsg", 40),
    ]
    assert book.history[-1] == {
        "time": 0,
        "type": "MODIFY",
        "order_id": first.order_id,
        "new_side": "BID",
        "new_quantity": 40,
    }
    assert book.visible_depth == (90, 0)


@pytest.mark.parametrize("quantity", [0, -5, 2.5, float("nan"), "3", None])
def test_modifying_to_nothing_or_another_order_is_ignored(quantity: int) -> None:
    book, owner = book_of(bids=[(100, [10, 20])])
    first, second = (o for o, _ in book.bids[0].visible_orders)
    book.modify_order(first.copy(), changed(first, quantity))
    book.modify_order(first.copy(), changed(second, 5))
    book.partial_cancel_order(first.copy(), quantity)
    assert book.get_l3_bid_data() == [(100, [10, 20])]
    assert owner.messages == []


def test_a_modification_tells_of_the_order_as_it_rests() -> None:
    book, owner = book_of(bids=[(100, [10])])
    first = book.bids[0].visible_orders[0][0].copy()
    wanted = changed(first, 5)
    wanted.limit_price = 150  # only the quantity can be changed
    book.modify_order(first, wanted)
    assert owner.messages[0][1].new_order.limit_price == 100
    assert book.get_l3_bid_data() == [(100, [5])]


def test_a_partial_cancellation_counts_from_what_is_left() -> None:
    book, owner = book_of(bids=[(100, [10, 20])])
    first = book.bids[0].visible_orders[0][0].copy()
    book.handle_market_order(taker(4, Side.ASK))
    owner.messages.clear()
    book.partial_cancel_order(first, 3)  # the sender still believes in 10 shares
    assert book.get_l3_bid_data() == [(100, [3, 20])]
    [(recipient, message)] = owner.messages
    assert isinstance(message, OrderPartialCancelledMsg)
    assert (recipient, message.new_order.quantity) == (1, 3)
    assert book.history[-1]["type"] == "CANCEL_PARTIAL"
    assert book.history[-1]["quantity"] == 3
    book.partial_cancel_order(first, 5)  # more than is left: cancelled
    assert book.get_l3_bid_data() == [(100, [20])]
    assert isinstance(owner.messages[-1][1], OrderCancelledMsg)
    before = len(owner.messages)
    book.partial_cancel_order(first, 1)
    book.partial_cancel_order(book.bids[0].visible_orders[0][0].copy(), 0)
    assert len(owner.messages) == before


def test_replacing() -> None:
    book, owner = book_of(bids=[(200, [10, 30, 20]), (100, [5])])
    old = book.bids[0].visible_orders[1][0].copy()
    new = order(50, Side.BID, 100, agent=1)
    book.replace_order(1, old, new)
    assert book.get_l3_bid_data() == [(200, [10, 20]), (100, [5, 50])]
    [(recipient, message)] = owner.messages
    assert recipient == 1
    assert isinstance(message, OrderReplacedMsg)
    assert message.old_order is old
    assert message.new_order is new
    assert book.history[-1] == {
        "time": 0,
        "type": "REPLACE",
        "old_order_id": old.order_id,
        "new_order_id": new.order_id,
        "quantity": 50,
        "price": 100,
    }


def test_replacing_by_an_order_that_trades_tells_of_the_trades_first() -> None:
    book, owner = book_of(bids=[(100, [10])], asks=[(110, [4])])
    old = book.bids[0].visible_orders[0][0].copy()
    book.replace_order(1, old, order(10, Side.BID, 110, agent=1))
    assert [m.type() for _, m in owner.messages] == ["OrderExecutedMsg", "OrderExecutedMsg", "OrderReplacedMsg"]
    assert owner.messages[-1][1].new_order.quantity == 6
    assert book.get_l3_bid_data() == [(110, [6])]


def test_replacing_on_the_other_side_and_by_the_same() -> None:
    book, owner = book_of(bids=[(100, [10])])
    old = book.bids[0].visible_orders[0][0].copy()
    same = order(10, Side.BID, 100, agent=1)
    book.replace_order(1, old, same)
    book.replace_order(1, same.copy(), order(5, Side.ASK, 120, agent=1))
    assert (book.get_l3_bid_data(), book.get_l3_ask_data()) == ([], [(120, [5])])
    assert [m.type() for _, m in owner.messages] == ["OrderReplacedMsg"] * 2


def test_what_is_not_there_cannot_be_replaced() -> None:
    book, owner = book_of(bids=[(100, [10])])
    before = len(book.history)
    book.replace_order(1, order(10, Side.BID, 100), order(10, Side.BID, 101))
    assert (owner.messages, len(book.history), book.get_l3_bid_data()) == ([], before, [(100, [10])])


def test_replacing_by_an_invalid_order_cancels_the_old_and_tells_of_both() -> None:
    book, owner = book_of(bids=[(100, [10])])
    old = book.bids[0].visible_orders[0][0].copy()
    with pytest.warns(UserWarning, match="refused"):
        book.replace_order(1, old, order(-1, Side.BID, 100, agent=1))
    assert book.bids == []
    assert [m.type() for _, m in owner.messages] == ["OrderCancelledMsg", "OrderReplacedMsg"]


def test_notifications_have_one_base() -> None:
    from abides_markets.messages import orderbook

    for kind in (
        OrderAcceptedMsg,
        OrderCancelledMsg,
        OrderExecutedMsg,
        OrderModifiedMsg,
        OrderPartialCancelledMsg,
        OrderRejectedMsg,
        OrderReplacedMsg,
    ):
        assert issubclass(kind, orderbook.OrderBookMsg)
