"""Helpers of agents and environments: reading books, and simplifying raw states before they are read.

A book is a sequence of `(price in cents, shares)` levels, best first. A raw state is what a background agent shows at a
decision: a sequence of dicts, newest last, each with `parsed_mkt_data` and `parsed_volume_data` (sequences of dicts,
newest last) and `internal_data` (a dict). The decorators here never change the raw state that they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from functools import wraps
from typing import Any
from typing import TypeVar

Level = tuple[int, int]
Result = TypeVar("Result")
Method = Callable[[Any, Any], Result]

NO_MARKET_DATA: Mapping[str, Any] = {"bids": [], "asks": [], "last_transaction": None, "exchange_ts": None}
"""Stands for market data before the first message."""
NO_VOLUME_DATA: Mapping[str, Any] = {
    "last_transaction": None,
    "exchange_ts": None,
    "bid_volume": 0,
    "ask_volume": 0,
    "total_volume": 0,
}
"""Stands for volume data before the first message."""


# Raw states


def list_dict_flip(ld: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turn a sequence of dicts with the same keys into a dict of lists."""
    return {key: [item[key] for item in ld] for key in ld[0]}


def identity_decorator(func: Method[Result]) -> Method[Result]:
    """Leave a method as it is."""
    return func


def ignore_mkt_data_buffer_decorator(func: Method[Result]) -> Method[Result]:
    """Hand a method `(self, raw_state)` a dict of dicts of lists, with one entry for each buffered raw state.

    Of the market and volume data of each raw state only the newest is kept; before the first message, data without
    quotes, price and volume stand for it.
    """

    @wraps(func)
    def wrapped(self: Any, raw_state: Any) -> Result:
        newest = list_dict_flip([_newest_data(state) for state in raw_state])
        return func(self, {part: list_dict_flip(values) for part, values in newest.items()})

    return wrapped


def ignore_buffers_decorator(func: Method[Result]) -> Method[Result]:
    """Hand a method `(self, raw_state)` the newest raw state with its newest market and volume data, a dict of dicts.

    Before the first message, data without quotes, price and volume stand for it.
    """

    @wraps(func)
    def wrapped(self: Any, raw_state: Any) -> Result:
        return func(self, _newest_data(raw_state[-1]))

    return wrapped


def _newest_data(state: Mapping[str, Any]) -> dict[str, Any]:
    market, volume = state["parsed_mkt_data"], state["parsed_volume_data"]
    return {
        **state,
        "parsed_mkt_data": market[-1] if market else NO_MARKET_DATA,
        "parsed_volume_data": volume[-1] if volume else NO_VOLUME_DATA,
    }


# Books


def get_mid_price(bids: Sequence[Level], asks: Sequence[Level], last_transaction: Any) -> Any:
    """Return the mid in cents; of a one-sided book its best price, of an empty one the last transaction."""
    if bids and asks:
        return (bids[0][0] + asks[0][0]) / 2
    if bids or asks:
        return (bids or asks)[0][0]
    return last_transaction


def get_val(book: Sequence[Level], level: int) -> Level:
    """Return price and shares of a level, counted from 0; `(0, 0)` if the book is not that deep."""
    return book[level] if 0 <= level < len(book) else (0, 0)


def get_last_val(book: Sequence[Level], mid_price: Any) -> Any:
    """Return the price of the deepest level; of an empty book the price that is given."""
    return book[-1][0] if book else mid_price


def get_volume(book: Sequence[Level], depth: int | None = None) -> int:
    """Return the shares of the first `depth` levels, by default of all."""
    return sum(shares for _, shares in book[:depth])


def get_imbalance(
    bids: Sequence[Level], asks: Sequence[Level], direction: str = "BUY", depth: int | None = None
) -> float:
    """Return the share of one side in the shares of both, 0 to 1; 0.5 if both are empty.

    Args:
        bids: Levels to buy.
        asks: Levels to sell.
        direction: `BUY` for the share of the bids, anything else for that of the asks.
        depth: Levels a side that count, by default all.
    """
    bid_shares, ask_shares = get_volume(bids, depth), get_volume(asks, depth)
    if not bid_shares + ask_shares:
        return 0.5
    return (bid_shares if direction == "BUY" else ask_shares) / (bid_shares + ask_shares)
