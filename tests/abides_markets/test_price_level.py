from __future__ import annotations

from typing import Any

import pytest

from abides_markets.orders import LimitOrder
from abides_markets.orders import Side
from abides_markets.price_level import PriceLevel


def order(number: int, quantity: int = 10, side: Side = Side.BID, price: int = 100, **flags: Any) -> LimitOrder:
    return LimitOrder(1, 0, "X", quantity, side, price, order_id=number, **flags)


def level(*orders: LimitOrder) -> PriceLevel:
    return PriceLevel([(o, {}) for o in orders])


def ids(queue: Any) -> list[int]:
    return [o.order_id for o, _ in queue]


def test_orders_are_sorted_into_the_two_queues() -> None:
    mixed = level(order(0), order(1, is_hidden=True), order(2), order(3, is_hidden=True))
    assert (ids(mixed.visible_orders), ids(mixed.hidden_orders)) == ([0, 2], [1, 3])
    assert (mixed.price, mixed.side) == (100, Side.BID)
    assert mixed.total_quantity == 20


def test_a_level_needs_an_order() -> None:
    with pytest.raises(ValueError, match="at least one order"):
        PriceLevel([])


def test_metadata_is_kept_and_by_default_empty() -> None:
    kept = level(order(0))
    kept.add_order(order(1))
    kept.add_order(order(2), {"a": 1})
    assert [metadata for _, metadata in kept.visible_orders] == [{}, {}, {"a": 1}]


def test_insertion_by_id() -> None:
    kept = level(order(1), order(5), order(3))
    kept.add_order(order(4, insert_by_id=True))
    assert ids(kept.visible_orders) == [1, 4, 5, 3]  # before the first larger id
    kept.add_order(order(9, insert_by_id=True))
    assert ids(kept.visible_orders) == [1, 4, 5, 3, 9]
    kept.add_order(order(0, insert_by_id=True, is_hidden=True))
    assert ids(kept.hidden_orders) == [0]
    assert kept.total_quantity == 50


def test_a_smaller_quantity_keeps_the_place_a_larger_one_loses_it() -> None:
    kept = level(order(0), order(1), order(2), order(3, is_hidden=True), order(4, is_hidden=True))
    assert kept.update_order_quantity(0, 5) is True
    assert kept.update_order_quantity(1, 10) is True
    assert ids(kept.visible_orders) == [0, 1, 2]
    assert kept.update_order_quantity(0, 6) is True
    assert kept.update_order_quantity(3, 11) is True
    assert (ids(kept.visible_orders), ids(kept.hidden_orders)) == ([1, 2, 0], [4, 3])
    assert kept.total_quantity == 26
    assert kept.update_order_quantity(0, 0) is False
    assert kept.update_order_quantity(99, 5) is False
    assert kept.total_quantity == 26


def test_removal() -> None:
    kept = level(order(0), order(1), order(2, is_hidden=True))
    removed = kept.remove_order(1)
    assert removed is not None
    assert removed[0].order_id == 1
    assert kept.remove_order(1) is None
    assert kept.remove_order(2) is not None
    assert kept.total_quantity == 10
    assert not kept.is_empty
    kept.remove_order(0)
    assert kept.is_empty


def test_visible_orders_come_first_then_hidden_ones() -> None:
    kept = level(order(2, is_hidden=True), order(0), order(1))
    served = []
    while not kept.is_empty:
        first = kept.peek()
        assert kept.pop() is first
        served.append(first[0].order_id)
    assert served == [0, 1, 2]
    with pytest.raises(ValueError, match="no orders at 100"):
        kept.peek()
    with pytest.raises(ValueError, match="no orders at 100"):
        kept.pop()


def test_reducing_the_first() -> None:
    kept = level(order(0), order(1, is_hidden=True))
    kept.reduce_first(4)
    assert (kept.peek()[0].quantity, kept.total_quantity) == (6, 6)
    kept.pop()
    kept.reduce_first(3)
    assert (kept.peek()[0].quantity, kept.total_quantity) == (7, 0)


def test_queues_may_be_assigned() -> None:
    kept = level(order(0), order(1, is_hidden=True))
    kept.visible_orders = []
    assert kept.total_quantity == 0
    assert not kept.is_empty
    assert kept.peek()[0].order_id == 1
    kept.hidden_orders = []
    assert kept.is_empty
    kept.visible_orders = [(order(5, 7), {})]
    assert (kept.total_quantity, kept.is_empty) == (7, False)


@pytest.mark.parametrize(("side", "crossing", "just", "away"), [(Side.BID, 99, 100, 101), (Side.ASK, 101, 100, 99)])
def test_matching(side: Side, crossing: int, just: int, away: int) -> None:
    opposite = Side.ASK if side is Side.BID else Side.BID
    kept = level(order(0, side=side))
    assert kept.order_is_match(order(1, side=opposite, price=crossing))
    assert kept.order_is_match(order(1, side=opposite, price=just))
    assert not kept.order_is_match(order(1, side=opposite, price=away))
    with pytest.raises(ValueError, match="on the side of the level"):
        kept.order_is_match(order(1, side=side))


def test_post_only_orders_do_not_match_a_hidden_level() -> None:
    hidden, visible = level(order(0, is_hidden=True)), level(order(0))
    incoming = order(1, side=Side.ASK, is_post_only=True)
    assert not hidden.order_is_match(incoming)
    assert visible.order_is_match(incoming)


@pytest.mark.parametrize(("side", "better", "worse"), [(Side.BID, 101, 99), (Side.ASK, 99, 101)])
def test_comparison_of_prices(side: Side, better: int, worse: int) -> None:
    kept = level(order(0, side=side))
    for emptied in (False, True):
        if emptied:
            kept.visible_orders = []
        for price, expected in (
            (better, (True, False, False)),
            (worse, (False, True, False)),
            (100, (False, False, True)),
        ):
            o = order(1, side=side, price=price)
            assert (
                kept.order_has_better_price(o),
                kept.order_has_worse_price(o),
                kept.order_has_equal_price(o),
            ) == expected
        wrong = order(1, side=Side.ASK if side is Side.BID else Side.BID)
        for compare in (kept.order_has_better_price, kept.order_has_worse_price, kept.order_has_equal_price):
            with pytest.raises(ValueError, match="not on the side"):
                compare(wrong)


def test_equality() -> None:
    assert level(order(0), order(1)) == level(order(0), order(1))
    assert level(order(0), order(1)) != level(order(1), order(0))
    assert level(order(0)) != level(order(0, is_hidden=True))
    with pytest.raises(NotImplementedError):
        _ = level(order(0)) == 1
