"""LOBSTER's format: a market written in it and read back is the same market, event for event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from abides_core import abides
from abides_markets.configs import rmsc04
from abides_markets.lobster import BUY
from abides_markets.lobster import CANCELLATION
from abides_markets.lobster import DELETION
from abides_markets.lobster import EXECUTION
from abides_markets.lobster import SELL
from abides_markets.lobster import SUBMISSION
from abides_markets.lobster import LobsterBook
from abides_markets.lobster import LobsterError
from abides_markets.lobster import LobsterMessage
from abides_markets.lobster import book_rows
from abides_markets.lobster import messages_of
from abides_markets.lobster import messages_of_book
from abides_markets.lobster import read_lobster
from abides_markets.lobster import write_lobster
from abides_markets.orders import Side
from tests.abides_markets.books import book_of
from tests.abides_markets.books import changed
from tests.abides_markets.books import order
from tests.abides_markets.books import taker

SECOND = 10**9
OPEN, CLOSE = 34_200 * SECOND, 57_600 * SECOND
SAMPLE = """34713.685155243,1,206833312,100,118600,-1
34714.133632201,3,206833312,100,118600,-1
34714.133632201,4,7,40,118500,1
34714.2,5,0,100,118550,1
34715.0,7,0,0,-1,-1
"""
"""Lines in the manner of LOBSTER's own description, times with as many decimals as there are."""


def shown(book: Any) -> tuple[Any, Any]:
    return book.get_l2_bid_data(), book.get_l2_ask_data()


def in_cents(book: LobsterBook) -> tuple[Any, Any]:
    bids, asks = book.best_bids(), book.best_asks()
    return [(price // 100, size) for price, size in bids], [(price // 100, size) for price, size in asks]


operation = st.tuples(
    st.sampled_from(["limit", "limit", "limit", "market", "cancel", "partial", "modify", "replace"]),
    st.sampled_from(Side),
    st.integers(1, 60),
    st.integers(95, 105),
    st.integers(0, 10**6),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(operation, max_size=40))
def test_messages_give_the_book_after_every_request(operations: list[tuple[str, Side, int, int, int]]) -> None:
    book, owner = book_of()
    made, told = LobsterBook(), 0
    for step, (what, side, quantity, price, which) in enumerate(operations):
        owner.current_time = step
        resting = [entry[0] for level in (*book.bids, *book.asks) for entry in level.visible_orders]
        one = resting[which % len(resting)].copy() if resting else None
        if what == "limit":
            book.handle_limit_order(order(quantity, side, price))
        elif what == "market":
            book.handle_market_order(taker(quantity, side))
        elif one is None:
            continue
        elif what == "cancel":
            book.cancel_order(one)
        elif what == "partial":
            book.partial_cancel_order(one, quantity)
        elif what == "modify":
            book.modify_order(one, changed(one, quantity))
        else:
            book.replace_order(2, one, order(quantity, one.side, price))
        messages = messages_of(book.history, 0)
        for message in messages[told:]:
            made.apply(message)
        told = len(messages)
        assert in_cents(made) == shown(book)
        assert made.unexplained == 0
    assert messages_of_book(book, 0) == messages_of(book.history, 0)


def test_each_kind_of_event_has_its_message() -> None:
    book, owner = book_of()
    owner.current_time = OPEN
    first, second = order(100, Side.BID, 99), order(50, Side.ASK, 101)
    book.handle_limit_order(first.copy())
    book.handle_limit_order(second.copy())
    owner.current_time += 1
    book.partial_cancel_order(first, 30)
    book.handle_market_order(taker(20, Side.ASK))
    book.handle_limit_order(order(60, Side.BID, 101))  # takes 50, and 10 rest
    book.modify_order(first, changed(first, 45))
    book.modify_order(first, changed(first, 80))
    new = order(7, Side.BID, 98)
    book.replace_order(2, first, new)
    book.cancel_order(new.copy())
    third = book.bids[0].visible_orders[0][0]
    assert messages_of_book(book, 0) == [
        (OPEN, SUBMISSION, first.order_id, 100, 9_900, BUY),
        (OPEN, SUBMISSION, second.order_id, 50, 10_100, SELL),
        (OPEN + 1, CANCELLATION, first.order_id, 30, 9_900, BUY),
        (OPEN + 1, EXECUTION, first.order_id, 20, 9_900, BUY),
        (OPEN + 1, EXECUTION, second.order_id, 50, 10_100, SELL),
        (OPEN + 1, SUBMISSION, third.order_id, 10, 10_100, BUY),
        (OPEN + 1, CANCELLATION, first.order_id, 5, 9_900, BUY),
        (OPEN + 1, DELETION, first.order_id, 45, 9_900, BUY),
        (OPEN + 1, SUBMISSION, first.order_id, 80, 9_900, BUY),
        (OPEN + 1, DELETION, first.order_id, 80, 9_900, BUY),
        (OPEN + 1, SUBMISSION, new.order_id, 7, 9_800, BUY),
        (OPEN + 1, DELETION, new.order_id, 7, 9_800, BUY),
    ]


def test_a_market_with_hidden_orders_is_refused() -> None:
    book, _ = book_of(bids=[(99, [5])])
    book.handle_limit_order(order(5, Side.ASK, 101, is_hidden=True))
    with pytest.raises(LobsterError, match="the history of X does not give its book: LOBSTER files have no hidden"):
        messages_of_book(book, 0)


def test_a_market_written_and_read_back_is_the_same_market(tmp_path: Path) -> None:
    config = rmsc04.build_config(seed=5, end_time="09:40:00", log_orders=None)
    exchange = config["agents"][0]
    abides.run(config)
    book, midnight = exchange.order_books["ABM"], config["start_time"]
    messages = messages_of_book(book, midnight)
    paths = write_lobster(tmp_path, "ABM", "2021-02-05", OPEN, OPEN + 600 * SECOND, messages, levels=10)
    assert [path.name for path in paths] == [
        "ABM_2021-02-05_34200000_34800000_message_10.csv",
        "ABM_2021-02-05_34200000_34800000_orderbook_10.csv",
    ]
    assert sorted(tmp_path.iterdir()) == sorted(paths), "nothing temporary is left"
    day = read_lobster(paths[0])
    assert day.messages == messages
    assert (day.ticker, day.date, day.start, day.end) == ("ABM", "2021-02-05", OPEN, OPEN + 600 * SECOND)
    assert day.opening == []
    # The rows are the book's own snapshots, one an event, as the exchange logged them.
    assert day.rows == list(book_rows(messages, 10))
    assert len(book.book_log2) == len(day.rows) > 1_000
    for snapshot, row in zip(book.book_log2, day.rows, strict=True):
        asks = [(price // 100, size) for price, size in zip(row[0::4], row[1::4], strict=True) if size]
        bids = [(price // 100, size) for price, size in zip(row[2::4], row[3::4], strict=True) if size]
        assert [tuple(level) for level in snapshot["asks"].tolist()] == asks
        assert [tuple(level) for level in snapshot["bids"].tolist()] == bids


def test_a_level_that_is_not_there_has_the_stated_price_and_no_shares() -> None:
    book = LobsterBook()
    book.apply(LobsterMessage(0, SUBMISSION, 1, 5, 10_000, SELL))
    assert book.row(2) == [10_000, 5, -9_999_999_999, 0, 9_999_999_999, 0, -9_999_999_999, 0]


def files(folder: Path, messages: str, rows: str | None = None) -> Path:
    path = folder / "AAPL_2012-06-21_34200000_57600000_message_1.csv"
    path.write_text(messages)
    if rows is not None:
        path.with_name(path.name.replace("message", "orderbook")).write_text(rows)
    return path


def test_lines_of_lobster_itself_are_read(tmp_path: Path) -> None:
    rows = "118600,100,118500,8800\n118700,9,118500,8800\n118700,9,118500,8760\n" + "118700,9,118500,8760\n" * 2
    day = read_lobster(files(tmp_path, SAMPLE, rows))
    assert day.messages[0] == (34_713_685_155_243, 1, 206_833_312, 100, 118_600, -1)
    assert day.messages[3].time == 34_714_200_000_000
    assert (day.start, day.end) == (OPEN, CLOSE)
    # Before the first event the order that it enters was not there.
    assert LobsterBook(day.opening).asks == {}
    assert LobsterBook(day.opening).bids == {118_500: 8_800}
    made = LobsterBook(day.opening)
    for message in day.messages:
        made.apply(message)
    assert made.best_bids() == [(118_500, 8_760)]


def test_a_book_that_shows_fewer_levels_than_there_were_counts_what_it_cannot_explain() -> None:
    book = LobsterBook([10_100, 5, 9_900, 5])
    book.apply(LobsterMessage(0, DELETION, 3, 8, 9_900, BUY))
    book.apply(LobsterMessage(0, EXECUTION, 4, 2, 9_800, BUY))
    assert book.bids == {}
    assert book.unexplained == 5


@pytest.mark.parametrize(
    ("messages", "rows", "fault"),
    [
        ("34200.1,1,5,100,9900\n", None, r"line 1: expected 6 columns, found 5: '34200.1,1,5,100,9900'"),
        ("34200.1,1,5,100,9900,1\n34200.2,1,x,1,1,1\n", None, r"line 2: expected a time and five whole numbers"),
        ("34200.1,9,5,100,9900,1\n", None, "line 1: type must be from 1 to 7, found 9"),
        ("34200.1,1,5,100,9900,0\n", None, "line 1: direction must be 1 or -1, found 0"),
        ("34200.1,1,5,0,9900,1\n", None, "line 1: size must be positive, found 0"),
        ("34200.2,1,5,1,9900,1\n34200.1,1,6,1,9900,1\n", None, "line 2: earlier than the line before it"),
        ("34200.1,1,5,1,9900,1\n", "1,2,3\n", "orderbook_1.csv, line 1: expected four columns a level, found 3"),
        ("34200.1,1,5,1,9900,1\n", "1,2,3,x\n", "orderbook_1.csv, line 1: expected whole numbers"),
        ("34200.1,1,5,1,9900,1\n", "", "orderbook_1.csv: 0 lines, but .*message_1.csv has 1"),
    ],
)
def test_a_broken_file_is_named_with_line_and_value(
    messages: str, rows: str | None, fault: str, tmp_path: Path
) -> None:
    with pytest.raises(LobsterError, match=fault) as caught:
        read_lobster(files(tmp_path, messages, rows))
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_and_a_wrong_name_are_named(tmp_path: Path) -> None:
    with pytest.raises(LobsterError, match=r"message_1.csv: cannot be read: No such file"):
        read_lobster(tmp_path / "AAPL_2012-06-21_34200000_57600000_message_1.csv")
    with pytest.raises(LobsterError, match=r"not named TICKER_YYYY-MM-DD_START_END_message_LEVELS\.csv"):
        read_lobster(tmp_path / "messages.csv")
    with pytest.raises(LobsterError, match="at least one level, got 0"):
        write_lobster(tmp_path, "X", "2021-02-05", 0, 1, [], levels=0)
