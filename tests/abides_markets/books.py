"""Books with resting orders, and short ways to make orders."""

from __future__ import annotations

from typing import Any

from abides_markets.order_book import OrderBook
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Side
from abides_markets.switches import REFERENCE
from abides_markets.switches import Switches
from tests.abides_markets.naive_book import Owner

X = "X"
Levels = list[tuple[int, list[int]]]


def order(quantity: Any, side: Side, price: Any, agent: int = 2, symbol: str = X, **flags: Any) -> LimitOrder:
    return LimitOrder(agent, 0, symbol, quantity, side, price, **flags)


def taker(quantity: Any, side: Side, symbol: str = X) -> MarketOrder:
    return MarketOrder(2, 0, symbol, quantity, side)


def book_of(
    bids: Levels = [],  # noqa: B006
    asks: Levels = [],  # noqa: B006
    switches: Switches = REFERENCE,
    **owner: Any,
) -> tuple[OrderBook, Owner]:
    """A book with resting orders of agent 1 and an owner that has forgotten how they came there."""
    exchange = Owner(**owner)
    book = OrderBook(exchange, X, switches)
    for side, levels in ((Side.BID, bids), (Side.ASK, asks)):
        for price, quantities in levels:
            for quantity in quantities:
                book.handle_limit_order(order(quantity, side, price, agent=1))
    exchange.messages.clear()
    return book, exchange


def changed(resting: LimitOrder, quantity: int) -> LimitOrder:
    new = resting.copy()
    new.quantity = quantity
    return new
