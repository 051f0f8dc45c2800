"""Messages about the market's hours and close."""

from __future__ import annotations

from dataclasses import dataclass

from abides_core.message import Message
from abides_core.utils import NanosecondTime


@dataclass(slots=True)
class MarketClosedMsg(Message):
    """The exchange is closed and did not act on a request."""


@dataclass(slots=True)
class MarketHoursRequestMsg(Message):
    """Asks for the market's hours."""


@dataclass(slots=True)
class MarketHoursMsg(Message):
    """The market's hours, ns since the epoch."""

    mkt_open: NanosecondTime
    mkt_close: NanosecondTime


@dataclass(slots=True)
class MarketClosePriceRequestMsg(Message):
    """Asks to be told the closing prices at the close."""


@dataclass(slots=True)
class MarketClosePriceMsg(Message):
    """The last trade of each symbol at the close, cents."""

    close_prices: dict[str, int | None]
