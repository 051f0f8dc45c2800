"""What a book writes down: history, snapshots, text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from abides_markets.order_book import OrderBook
from abides_markets.orders import Side
from tests.abides_markets.books import book_of
from tests.abides_markets.books import changed
from tests.abides_markets.books import order
from tests.abides_markets.books import taker


def test_history_of_entries_and_executions() -> None:
    book, _ = book_of(asks=[(100, [10])])
    resting = book.asks[0].visible_orders[0][0]
    incoming = order(4, Side.BID, 105)
    book.handle_limit_order(incoming.copy())
    assert book.history == [
        {
            "time": 0,
            "type": "LIMIT",
            "order_id": resting.order_id,
            "agent_id": 1,
            "side": "ASK",
            "quantity": 10,
            "price": 100,
        },
        {
            "time": 0,
            "type": "EXEC",
            "order_id": resting.order_id,
            "agent_id": 1,
            "oppos_order_id": incoming.order_id,
            "oppos_agent_id": 2,
            "side": "SELL",
            "quantity": 4,
            "price": 100,
        },
    ]


def test_a_snapshot_at_every_event_but_only_if_logging() -> None:
    book, owner = book_of(bids=[(100, [10])], book_logging=True)
    owner.current_time = 5
    owner.book_log_depth = 1
    resting = book.bids[0].visible_orders[0][0].copy()
    actions: list[Callable[[], Any]] = [
        lambda: book.handle_limit_order(order(3, Side.ASK, 110)),
        lambda: book.handle_market_order(taker(1, Side.ASK)),
        lambda: book.modify_order(resting, changed(resting, 8)),
        lambda: book.partial_cancel_order(resting, 1),
        lambda: book.replace_order(1, resting, order(9, Side.BID, 99)),
        lambda: book.cancel_order(book.asks[0].visible_orders[0][0].copy()),
    ]
    for done, act in enumerate(actions, start=1):
        act()
        assert len(book.book_log2) == 1 + done
    last = book.book_log2[-1]
    assert last["QuoteTime"] == 5
    assert last["bids"].tolist() == [[99, 9]]
    assert last["asks"].shape == (0,)
    unlogged, _ = book_of(bids=[(100, [10])])
    assert unlogged.book_log2 == []


def test_snapshots_as_arrays() -> None:
    book, _ = book_of(bids=[(100, [10]), (98, [5])], book_logging=True)
    best = book.get_L1_snapshots()
    assert best["best_bids"].tolist() == [[0, 100, 10], [0, 100, 10]]
    assert best["best_asks"].tolist() == [[0, None, None]] * 2
    levels = book.get_L2_snapshots(3)
    assert levels["times"].tolist() == [0, 0]
    assert levels["bids"].tolist() == [[[100, 10], [99, 0], [98, 0]], [[100, 10], [98, 5], [97, 0]]]
    assert levels["asks"].tolist() == [[[0, 0]] * 3] * 2
    assert OrderBook.asks_padding(np.array([(5, 1), (6, 2)]), 1).tolist() == [[5, 1]]
    assert OrderBook.asks_padding(np.array([(5, 1)]), 3).tolist() == [[5, 1], [6, 0], [7, 0]]


def test_the_book_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    book, _ = book_of(bids=[(100, [10])], asks=[(110, [5])])
    with pytest.raises(AssertionError, match="no last trade"):
        book.pretty_print()
    book.handle_limit_order(order(2, Side.BID, 110))
    text = book.pretty_print()
    assert text is not None
    assert text.splitlines()[-2:] == ["          110       3         ", "10        100                 "]
    assert book.pretty_print(silent=False) is None
    assert capsys.readouterr().out == text + "\n"
