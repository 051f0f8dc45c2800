"""Subscriptions to market data and the data that they bring."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum

from abides_core.message import Message
from abides_core.utils import NanosecondTime
from abides_markets.orders import Side


@dataclass(slots=True)
class MarketDataSubReqMsg(Message):
    """Base of all requests to begin or, with `cancel`, to end a subscription."""

    symbol: str
    cancel: bool = False


@dataclass(slots=True)
class MarketDataFreqBasedSubReqMsg(MarketDataSubReqMsg):
    """Subscribes to data sent at most once in `freq` ns."""

    freq: int = 1


@dataclass(slots=True)
class MarketDataEventBasedSubReqMsg(MarketDataSubReqMsg):
    """Subscribes to data sent when an event begins and ends."""


@dataclass(slots=True)
class L1SubReqMsg(MarketDataFreqBasedSubReqMsg):
    """Subscribes to the best quote of each side."""


@dataclass(slots=True)
class L2SubReqMsg(MarketDataFreqBasedSubReqMsg):
    """Subscribes to the `depth` best levels of each side."""

    depth: int = sys.maxsize


@dataclass(slots=True)
class L3SubReqMsg(MarketDataFreqBasedSubReqMsg):
    """Subscribes to the orders of the `depth` best levels of each side."""

    depth: int = sys.maxsize


@dataclass(slots=True)
class TransactedVolSubReqMsg(MarketDataFreqBasedSubReqMsg):
    """Subscribes to the volume traded during `lookback` (a duration, text or ns)."""

    lookback: str | int = "1min"


@dataclass(slots=True)
class BookImbalanceSubReqMsg(MarketDataEventBasedSubReqMsg):
    """Subscribes to the book's imbalance rising above and falling to `min_imbalance` (0 to 1)."""

    min_imbalance: float = 1.0


@dataclass(slots=True)
class MarketDataMsg(Message):
    """Base of all market data: the last trade (cents) and the exchange's time (ns since the epoch)."""

    symbol: str
    last_transaction: int | None
    exchange_ts: NanosecondTime


@dataclass(slots=True)
class MarketDataEventMsg(MarketDataMsg):
    """Base of data about an event that begins or ends."""

    class Stage(Enum):
        """Whether the event begins or ends."""

        START = "START"
        FINISH = "FINISH"

    stage: MarketDataEventMsg.Stage


@dataclass(slots=True)
class L1DataMsg(MarketDataMsg):
    """Best bid and ask as `(price, visible shares)`, `None` for an empty side."""

    bid: tuple[int, int] | None
    ask: tuple[int, int] | None


@dataclass(slots=True)
class L2DataMsg(MarketDataMsg):
    """Levels of each side as `(price, visible shares)`, best first."""

    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


@dataclass(slots=True)
class L3DataMsg(MarketDataMsg):
    """Levels of each side as `(price, [shares of each visible order])`, best first."""

    bids: list[tuple[int, list[int]]]
    asks: list[tuple[int, list[int]]]


@dataclass(slots=True)
class TransactedVolDataMsg(MarketDataMsg):
    """Shares traded by aggressive buy and by aggressive sell orders."""

    bid_volume: int
    ask_volume: int


@dataclass(slots=True)
class BookImbalanceDataMsg(MarketDataEventMsg):
    """The imbalance (0 to 1) and the heavier side at which an event began or ended."""

    imbalance: float
    side: Side | None
