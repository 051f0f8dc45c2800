from __future__ import annotations

import itertools
import sys
from copy import copy
from copy import deepcopy
from typing import Any

import pytest

from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side


@pytest.fixture(autouse=True)
def _ids_from_zero() -> Any:
    before = Order._order_id_counter
    Order._order_id_counter = 0
    yield
    Order._order_id_counter = before


def limit(**more: Any) -> LimitOrder:
    return LimitOrder(
        **{
            "agent_id": 1,
            "time_placed": 0,
            "symbol": "X",
            "quantity": 10,
            "side": Side.BID,
            "limit_price": 12345,
            **more,
        }
    )


def market(**more: Any) -> MarketOrder:
    return MarketOrder(**{"agent_id": 1, "time_placed": 0, "symbol": "X", "quantity": 10, "side": Side.ASK, **more})


def test_sides() -> None:
    assert Side.BID.is_bid()
    assert not Side.BID.is_ask()
    assert Side.ASK.is_ask()
    assert not Side.ASK.is_bid()
    assert (Side.BID.value, Side.ASK.value) == ("BID", "ASK")


def test_ids_count_across_kinds_and_explicit_ones_do_not() -> None:
    assert [limit().order_id, market().order_id, limit(order_id=77).order_id, market().order_id] == [0, 1, 77, 2]


def test_the_other_way_to_set_the_next_id() -> None:
    kind: Any = Order
    kind._order_id_generator = itertools.count(40)
    assert [limit().order_id, market().order_id] == [40, 41]
    assert next(kind._order_id_generator) == 42
    assert Order._order_id_counter == 43


def test_an_order_without_a_kind_cannot_be_made() -> None:
    with pytest.raises(TypeError):
        Order(1, 0, "X", 10, Side.BID)


def test_positional_arguments_are_not_judged() -> None:
    odd_side: Any = True
    assert LimitOrder(1, 2, "X", 3, odd_side, 4).side is True
    assert MarketOrder(1, 2, "X", 3, odd_side).time_placed == 2


@pytest.mark.parametrize("duplicate", [lambda order: order.copy(), copy, deepcopy])
@pytest.mark.parametrize("make", [limit, market])
def test_copies_are_equal_independent_and_take_no_id(make: Any, duplicate: Any) -> None:
    order = make(tag={"a": [1]})
    order.fill_price = 9
    other = duplicate(order)
    assert other == order
    assert other is not order
    assert other.order_id == order.order_id
    other.tag["a"].append(2)
    other.quantity = 1
    assert order.tag == {"a": [1]}
    assert other != order
    assert make().order_id == order.order_id + 1


def test_equality_is_by_kind_and_every_field() -> None:
    assert limit(order_id=1) == limit(order_id=1)
    for change in (
        {"limit_price": 1},
        {"is_hidden": True},
        {"insert_by_id": True},
        {"tag": 1},
        {"agent_id": 2},
        {"order_id": 2},
    ):
        assert limit(order_id=1) != limit(**{"order_id": 1, **change})
    assert market(order_id=1, side=Side.BID) != limit(order_id=1)
    with pytest.raises(TypeError):
        hash(limit())


def test_texts() -> None:
    order = limit(tag="T")
    assert str(order) == repr(order) == "(Agent 1 @ 1970-01-01 00:00:00 [T]) : BID 10 X @ $123.45"
    order.fill_price = 100
    assert str(order).endswith("@ $123.45 (filled @ $1.00)")
    assert str(limit(limit_price=sys.maxsize)).endswith("@ MKT")
    assert str(market()) == "(Agent 1 @ 1970-01-01 00:00:00) : MKT Order ASK 10 X"


@pytest.mark.parametrize("wrong", [1.5, None, "x", float("nan"), True])
def test_any_order_can_be_written_out(wrong: Any) -> None:
    order = limit(limit_price=wrong, time_placed=wrong, side=wrong, quantity=wrong)
    order.fill_price = wrong
    assert str(wrong) in str(order) or wrong is True
    assert str(market(side=wrong, time_placed=wrong))
    assert order.to_dict()["limit_price"] is wrong


def test_fields_as_a_dict() -> None:
    fields = limit(tag=[1]).to_dict()
    assert fields == {
        "agent_id": 1,
        "time_placed": "1970-01-01 00:00:00",
        "symbol": "X",
        "quantity": 10,
        "side": Side.BID,
        "order_id": 0,
        "fill_price": None,
        "tag": [1],
        "limit_price": 12345,
        "is_hidden": False,
        "is_price_to_comply": False,
        "insert_by_id": False,
        "is_post_only": False,
    }
    assert "limit_price" not in market().to_dict()
