from __future__ import annotations

import numpy as np
import pytest

from abides_markets.order_book import OrderBook
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Side
from abides_markets.tape import MarketTape
from abides_markets.tape import Quote
from abides_markets.tape import Trade
from tests.abides_markets.naive_book import Owner

X = "X"


def test_trades_quotes_and_queue_positions() -> None:
    owner = Owner()
    book = OrderBook(owner, X)
    tape = book.tape = MarketTape(watched_agent=7)
    assert (tape.mid2, tape.one_sided) == (-1, True)

    def limit(time: int, agent: int, quantity: int, side: Side, price: int, number: int, hidden: bool = False) -> None:
        owner.current_time = time
        book.handle_limit_order(LimitOrder(agent, 0, X, quantity, side, price, is_hidden=hidden, order_id=number))

    limit(1, 1, 10, Side.BID, 100, 0)
    limit(2, 2, 5, Side.ASK, 103, 1)
    limit(3, 7, 3, Side.BID, 100, 2)
    limit(4, 1, 50, Side.BID, 90, 3, hidden=True)  # nothing to see: no quote
    owner.current_time = 5
    book.handle_market_order(MarketOrder(9, 0, X, 12, Side.ASK, order_id=4))
    limit(6, 7, 9, Side.BID, 103, 5)

    # Both fills of one request have the mid before that request.
    assert tape.trades == [
        Trade(5, 100, 10, -1, 1, 9, 0, 4, 203, False),
        Trade(5, 100, 2, -1, 7, 9, 2, 4, 203, False),
        Trade(6, 103, 5, 1, 2, 7, 1, 5, 203, False),
    ]
    assert tape.quotes == [
        Quote(1, 100, 10, -1, 0, 10, 0),
        Quote(2, 100, 10, 103, 5, 10, 5),
        Quote(3, 100, 13, 103, 5, 13, 5),
        Quote(5, 100, 1, 103, 5, 1, 5),
        Quote(6, 103, 4, -1, 0, 5, 0),
    ]
    assert tape.queue_ahead == {2: 10, 5: 0}
    assert tape.accepted == {2: 3, 5: 6}
    assert (tape.mid2, tape.one_sided) == (203, True)  # the last two-sided mid, and that a side is empty


def test_a_trade_against_a_one_sided_book_is_flagged() -> None:
    owner = Owner()
    book = OrderBook(owner, X)
    tape = book.tape = MarketTape()
    book.handle_limit_order(LimitOrder(1, 0, X, 5, Side.ASK, 103))
    book.handle_market_order(MarketOrder(2, 0, X, 1, Side.BID))
    assert [(trade.mid2, trade.one_sided) for trade in tape.trades] == [(-1, True)]
    assert tape.queue_ahead == {}


def test_mids_at_times_are_the_last_two_sided_ones() -> None:
    tape = MarketTape()
    with pytest.raises(ValueError, match="never been two-sided"):
        tape.mid2_at(np.array([5]))
    tape.quotes.extend(Quote(t, bid, 5, ask, 5, 5, 5) for t, bid, ask in ((10, 99, 101), (20, 100, -1), (30, 102, 104)))
    assert tape.mid2_at(np.array([5, 10, 25, 30, 99])).tolist() == [200, 200, 200, 206, 206]


def test_objects_and_rows_are_the_same_tape() -> None:
    trades = [Trade(5, 100, 10, -1, 1, 9, 0, 4, 203, False), Trade(6, 103, 5, 1, 2, 7, 1, 5, -1, True)]
    quotes = [Quote(1, 100, 10, -1, 0, 10, 0), Quote(2, 100, 10, 103, 5, 10, 5)]
    empty, recorded, handed_over = (MarketTape() for _ in range(3))
    recorded.trades.extend(trades)
    recorded.quotes.extend(quotes)
    handed_over.replace(np.array(trades, dtype=np.int64), np.array(quotes, dtype=np.int64))
    copied = handed_over.copy()
    assert (empty.trade_rows().shape, empty.quote_rows().shape) == ((0, 10), (0, 7))
    for tape in (recorded, handed_over, copied):
        assert tape.trade_rows().tolist() == [[int(value) for value in trade] for trade in trades]
        assert tape.quote_rows().tolist() == [list(quote) for quote in quotes]
        assert (tape.trades, tape.quotes) == (trades, quotes)
        assert isinstance(tape.trades[0].one_sided, bool)
        tape.trades.append(trades[0])  # what is recorded later is in the rows as well
        assert tape.trade_rows()[-1].tolist() == tape.trade_rows()[0].tolist()
        assert len(tape.trade_rows()) == 3
