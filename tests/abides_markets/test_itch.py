from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from abides_core import abides
from abides_core.utils import str_to_ns
from abides_markets.configs import rmsc04
from abides_markets.itch import COLUMNS
from abides_markets.itch import itch_frame
from abides_markets.orders import Side
from tests.abides_markets.books import book_of
from tests.abides_markets.books import changed
from tests.abides_markets.books import order
from tests.abides_markets.books import taker

NOON = 20_000 * str_to_ns("1day") + str_to_ns("12:00:00")


def rows(frame: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(None if pd.isna(v) else v for v in row) for row in frame[list(columns)].itertuples(index=False)]


def test_each_kind_of_entry() -> None:
    book, owner = book_of()
    owner.current_time = NOON
    sent = order(10, Side.BID, 100, order_id=1)
    book.handle_limit_order(sent.copy())
    book.modify_order(sent, changed(sent, 8))
    book.partial_cancel_order(sent, 1)
    book.handle_market_order(taker(2, Side.ASK))
    book.replace_order(2, sent, order(9, Side.ASK, 103, order_id=2))
    owner.current_time += 5
    book.cancel_order(order(9, Side.ASK, 103, order_id=2))
    frame = book.get_l3_itch()
    assert tuple(frame.columns) == COLUMNS
    assert rows(frame, "type", "reference", "side", "shares", "price", "new_reference") == [
        ("ADD", 1, "B", 10, 10_000, None),
        ("MODIFY", 1, "B", 8, None, None),
        ("CANCEL", 1, None, 1, None, None),
        ("EXECUTE", 1, None, 2, 10_000, None),
        ("REPLACE", 1, None, 9, 10_300, 2),
        ("DELETE", 2, None, None, None, None),
    ]
    assert frame["timestamp"].tolist() == [str_to_ns("12:00:00")] * 5 + [str_to_ns("12:00:00") + 5]
    assert frame[["stock", "printable"]].isna().all(axis=None)


def test_a_cancellation_by_an_auction_is_an_execution() -> None:
    book, _ = book_of(asks=[(100, [10, 6])])
    first, second = (o.copy() for o, _ in book.asks[0].visible_orders)
    book.cancel_order(first, tag="auctionFill", cancellation_metadata={"quantity": 10, "price": 99})
    book.partial_cancel_order(second, 4, tag="auctionFill", cancellation_metadata={"quantity": 4, "price": 98})
    assert rows(book.get_l3_itch().tail(2), "type", "side", "shares", "price") == [
        ("EXECUTE", None, 10, 9900),
        ("EXECUTE", None, 4, 9800),
    ]


def test_an_empty_history_and_one_without_cancellations() -> None:
    assert itch_frame([]).empty
    assert tuple(itch_frame([]).columns) == COLUMNS
    book, _ = book_of(asks=[(100, [10])])
    assert book.get_l3_itch()["type"].tolist() == ["ADD"]


@pytest.mark.parametrize("engine", ["reference", "compiled"])
def test_the_history_of_a_market(engine: str) -> None:
    config = rmsc04.build_config(seed=1, end_time="09:32:00")
    abides.run(config, engine=engine)
    book = config["agents"][0].order_books["ABM"]
    frame = book.get_l3_itch()
    assert len(frame) == len(book.history) > 100
    assert set(frame["type"]) == {"ADD", "DELETE", "EXECUTE"}
    assert set(frame["side"].dropna()) == {"B", "S"}
    assert frame["timestamp"].between(str_to_ns("09:30:00"), str_to_ns("09:33:00")).all()
