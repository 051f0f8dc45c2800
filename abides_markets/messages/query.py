"""Questions to the exchange and its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from abides_core.message import Message


@dataclass(slots=True)
class QueryMsg(Message):
    """Base of all questions about a symbol."""

    symbol: str


@dataclass(slots=True)
class QueryResponseMsg(Message):
    """Base of all answers; `mkt_closed` says whether the market has closed."""

    symbol: str
    mkt_closed: bool


@dataclass(slots=True)
class QueryLastTradeMsg(QueryMsg):
    """Asks for the last trade."""


@dataclass(slots=True)
class QueryLastTradeResponseMsg(QueryResponseMsg):
    """The price of the last trade, cents."""

    last_trade: int | None


@dataclass(slots=True)
class QuerySpreadMsg(QueryMsg):
    """Asks for the `depth` best levels of each side."""

    depth: int


@dataclass(slots=True)
class QuerySpreadResponseMsg(QueryResponseMsg):
    """The best levels of each side as `(price in cents, visible shares)`, best first, and the last trade."""

    depth: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    last_trade: int | None


@dataclass(slots=True)
class QueryOrderStreamMsg(QueryMsg):
    """Asks for the `length` most recent entries of the book's history."""

    length: int


@dataclass(slots=True)
class QueryOrderStreamResponseMsg(QueryResponseMsg):
    """Entries of the book's history, oldest first."""

    length: int
    orders: list[dict[str, Any]]


@dataclass(slots=True)
class QueryTransactedVolMsg(QueryMsg):
    """Asks for the shares traded during `lookback_period` (a duration, text or ns) before now."""

    lookback_period: str | int


@dataclass(slots=True)
class QueryTransactedVolResponseMsg(QueryResponseMsg):
    """Shares traded by aggressive buy and by aggressive sell orders."""

    bid_volume: int
    ask_volume: int
