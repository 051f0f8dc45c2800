"""Order flow in the format of LOBSTER (lobsterdata.com, "output structure"): message file and order book file.

A day is two CSV files without headers, line by line about the same events.

- Message file: time (seconds after midnight), type, order id, size, price (ten-thousandths of a dollar), direction (1 a
  buy order, −1 a sell order; of an execution that of the order that rested). Types: 1 a new limit order comes to rest,
  2 a part of it is cancelled, 3 it is deleted, 4 it is executed, 5 a hidden order is executed, 6 a cross trade, 7 a
  trading halt.
- Order book file: the book after the event; for each level ask price, ask size, bid price, bid size, best first. A
  level that is not there has size 0 and the price 9999999999 (ask) or −9999999999 (bid).

Files: TICKER_YYYY-MM-DD_START_END_message_LEVELS.csv and …_orderbook_LEVELS.csv, start and end in milliseconds after
midnight. LOBSTER leaves out events beyond the levels asked for, and its first line follows a book that is not empty;
files written here have every event of a market that begins with an empty book, so that messages alone give the book.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from typing import NamedTuple
from typing import TextIO

SUBMISSION, CANCELLATION, DELETION, EXECUTION, HIDDEN_EXECUTION, CROSS_TRADE, HALT = range(1, 8)
PER_CENT = 100
"""Ten-thousandths of a dollar in a cent."""
NO_ASK, NO_BID = 9_999_999_999, -9_999_999_999
BUY, SELL = 1, -1
SECOND = 1_000_000_000
MILLISECOND = 1_000_000
_DIRECTIONS = {"BID": BUY, "ASK": SELL}
_NAME = re.compile(r"(?P<ticker>.+)_(?P<date>\d{4}-\d{2}-\d{2})_(?P<start>\d+)_(?P<end>\d+)_message_\d+\.csv")


class LobsterError(ValueError):
    """A file that is not in LOBSTER's format, or a market that does not go into it; one line says what and where."""


class LobsterMessage(NamedTuple):
    """One event, as a line of a message file says it.

    Attributes:
        time: ns since midnight.
        kind: 1 to 7.
        order_id: The order.
        size: Shares.
        price: Ten-thousandths of a dollar.
        direction: 1 an order to buy, −1 one to sell.
    """

    time: int
    kind: int
    order_id: int
    size: int
    price: int
    direction: int


class LobsterBook:
    """The visible book that messages make, price by price.

    Args:
        opening: A line of an order book file, what the book was before the first message; empty by default.

    Attributes:
        bids: Shares by price (ten-thousandths of a dollar).
        asks: The same.
        unexplained: Shares that left the book by messages and that it did not have; more than none where the opening
            shows fewer levels than there were.
    """

    def __init__(self, opening: Sequence[int] = ()) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.unexplained = 0
        for place in range(0, len(opening), 4):
            ask, ask_size, bid, bid_size = opening[place : place + 4]
            if ask_size > 0:
                self.asks[ask] = ask_size
            if bid_size > 0:
                self.bids[bid] = bid_size

    def apply(self, message: LobsterMessage) -> None:
        """Let a message change the book; hidden executions, crosses and halts do not."""
        side = self.bids if message.direction == BUY else self.asks
        price, size = message.price, message.size
        if message.kind == SUBMISSION:
            side[price] = side.get(price, 0) + size
        elif message.kind in (CANCELLATION, DELETION, EXECUTION):
            left = side.pop(price, 0) - size
            if left > 0:
                side[price] = left
            else:
                self.unexplained -= left

    def best_bids(self, levels: int | None = None) -> list[tuple[int, int]]:
        """Return `(price, shares)` of the best levels to buy, best first; all by default."""
        return [(price, self.bids[price]) for price in sorted(self.bids, reverse=True)[:levels]]

    def best_asks(self, levels: int | None = None) -> list[tuple[int, int]]:
        """Return `(price, shares)` of the best levels to sell, best first; all by default."""
        return [(price, self.asks[price]) for price in sorted(self.asks)[:levels]]

    def row(self, levels: int) -> list[int]:
        """Return the book as a line of an order book file."""
        asks, bids = self.best_asks(levels), self.best_bids(levels)
        asks += [(NO_ASK, 0)] * (levels - len(asks))
        bids += [(NO_BID, 0)] * (levels - len(bids))
        return [value for ask, bid in zip(asks, bids, strict=True) for value in (*ask, *bid)]


def book_rows(messages: Iterable[LobsterMessage], levels: int, opening: Sequence[int] = ()) -> Iterator[list[int]]:
    """Yield the book after each message, as the lines of an order book file."""
    book = LobsterBook(opening)
    for message in messages:
        book.apply(message)
        yield book.row(levels)


# From a market


def messages_of(history: Iterable[dict[str, Any]], midnight: int) -> list[LobsterMessage]:
    """Return what happened in a market as messages.

    A quantity that is raised loses the order's place in the queue: it is a deletion and a submission. So is a
    replacement. Orders that trade when they come in are seen by what they execute, as in LOBSTER.

    Args:
        history: `OrderBook.history` of a market without hidden and price-to-comply orders, which it does not tell from
            visible ones.
        midnight: Start of the day, ns since the epoch.
    """
    found: list[LobsterMessage] = []
    resting: dict[int, tuple[int, int, int]] = {}  # size, price, direction by id
    replacement: list[int] | None = None  # id, size, price, direction of an order that replaces another and may trade

    def add(time: int, kind: int, order_id: int, size: int) -> None:
        left, price, direction = resting[order_id]
        found.append(LobsterMessage(time - midnight, kind, order_id, size, price, direction))
        if kind != SUBMISSION:
            if size < left:
                resting[order_id] = (left - size, price, direction)
            else:
                del resting[order_id]

    def submit(time: int, order_id: int, size: int, price: int, direction: int) -> None:
        resting[order_id] = (size, price, direction)
        add(time, SUBMISSION, order_id, size)

    now = 0
    for entry in history:
        kind = entry["type"]
        if replacement is not None and not (kind == "EXEC" and entry["oppos_order_id"] == replacement[0]):
            if replacement[1] > 0:
                submit(now, *replacement)
            replacement = None
        now = entry["time"]
        if kind == "LIMIT":
            direction = _DIRECTIONS[entry["side"]]
            submit(now, entry["order_id"], entry["quantity"], entry["price"] * PER_CENT, direction)
        elif kind == "EXEC":
            add(now, EXECUTION, entry["order_id"], entry["quantity"])
            if replacement is not None:
                replacement[1] -= entry["quantity"]
        elif kind == "CANCEL":
            add(now, DELETION, entry["order_id"], resting[entry["order_id"]][0])
        elif kind == "CANCEL_PARTIAL":
            add(now, CANCELLATION, entry["order_id"], entry["quantity"])
        elif kind == "MODIFY":
            size, price, direction = resting[entry["order_id"]]
            if entry["new_quantity"] < size:
                add(now, CANCELLATION, entry["order_id"], size - entry["new_quantity"])
            elif entry["new_quantity"] > size:
                add(now, DELETION, entry["order_id"], size)
                submit(now, entry["order_id"], entry["new_quantity"], price, direction)
        elif kind == "REPLACE":
            size, _, direction = resting[entry["old_order_id"]]
            add(now, DELETION, entry["old_order_id"], size)
            replacement = [entry["new_order_id"], entry["quantity"], entry["price"] * PER_CENT, direction]
        else:
            raise LobsterError(f"a history entry of type {kind!r} cannot be written as a LOBSTER message")
    if replacement is not None and replacement[1] > 0:
        submit(now, *replacement)
    return found


def messages_of_book(book: Any, midnight: int) -> list[LobsterMessage]:
    """Return what happened in an `OrderBook` as messages, and make sure that they give the book that it is now.

    Raises:
        LobsterError: If they do not: it has had orders that its history does not tell, hidden ones for example.
    """
    messages = messages_of(book.history, midnight)
    made = LobsterBook()
    for message in messages:
        made.apply(message)
    sides = (book.get_l2_bid_data(), book.get_l2_ask_data())
    shown = [[(price * PER_CENT, size) for price, size in side] for side in sides]
    if shown != [made.best_bids(), made.best_asks()] or made.unexplained:
        raise LobsterError(f"the history of {book.symbol} does not give its book: LOBSTER files have no hidden orders")
    return messages


# Files


@dataclass(frozen=True)
class LobsterDay:
    """A day as read from its files.

    Attributes:
        messages: The events.
        rows: The book after each event, as lines of an order book file; `None` if that was not read.
        ticker: Symbol.
        date: `YYYY-MM-DD`.
        start: Beginning of the period, ns since midnight.
        end: Its end.
        opening: The book before the first event, from the first line of the order book file; empty without one.
    """

    messages: list[LobsterMessage]
    rows: list[list[int]] | None
    ticker: str
    date: str
    start: int
    end: int
    opening: list[int]


def write_lobster(
    folder: str | Path,
    ticker: str,
    date: str,
    start: int,
    end: int,
    messages: Sequence[LobsterMessage],
    levels: int = 10,
) -> tuple[Path, Path]:
    """Write the two files of a day that begins with an empty book; each is whole or not there.

    Args:
        folder: Where; made if missing.
        ticker: Symbol.
        date: `YYYY-MM-DD`.
        start: Beginning of the period, ns since midnight, for the names.
        end: Its end.
        messages: The events.
        levels: Levels of the order book file.

    Returns:
        The message file and the order book file.

    Raises:
        LobsterError: If there is not at least one level.
    """
    if levels < 1:
        raise LobsterError(f"an order book file has at least one level, got {levels}")
    Path(folder).mkdir(parents=True, exist_ok=True)
    stem = f"{ticker}_{date}_{start // MILLISECOND}_{end // MILLISECOND}"
    paths = tuple(Path(folder) / f"{stem}_{what}_{levels}.csv" for what in ("message", "orderbook"))
    with _whole(paths[0]) as file:
        for time, *values in messages:
            file.write(f"{time // SECOND}.{time % SECOND:09d},{','.join(map(str, values))}\n")
    with _whole(paths[1]) as file:
        for row in book_rows(messages, levels):
            file.write(f"{','.join(map(str, row))}\n")
    return paths[0], paths[1]


def read_lobster(message_file: str | Path, orderbook_file: str | Path | None = None) -> LobsterDay:
    """Read a day.

    Args:
        message_file: Its message file, named as LOBSTER names it.
        orderbook_file: Its order book file; by default the one beside it, if there is one.

    Raises:
        LobsterError: If a file is missing or is not in the format; the message names file, line and value.
    """
    path = Path(message_file)
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise LobsterError(f"{path}: not named TICKER_YYYY-MM-DD_START_END_message_LEVELS.csv")
    messages = [_message(path, number, line) for number, line in _lines(path)]
    for number, (before, after) in enumerate(pairwise(messages), 2):
        if after.time < before.time:
            raise LobsterError(f"{path}, line {number}: earlier than the line before it")
    beside = path.with_name(path.name.replace("_message_", "_orderbook_"))
    if orderbook_file is None and beside.exists():
        orderbook_file = beside
    rows, opening = None, []
    if orderbook_file is not None:
        rows = [_row(Path(orderbook_file), number, line) for number, line in _lines(Path(orderbook_file))]
        if len(rows) != len(messages):
            raise LobsterError(f"{orderbook_file}: {len(rows)} lines, but {path.name} has {len(messages)}")
        if messages:
            opening = _before(messages[0], rows[0])
    start, end = (int(name[which]) * MILLISECOND for which in ("start", "end"))
    return LobsterDay(messages, rows, name["ticker"], name["date"], start, end, opening)


def _before(message: LobsterMessage, row: list[int]) -> list[int]:
    """Return the book before a message, given the one after it."""
    book = LobsterBook(row)
    if message.kind == SUBMISSION:
        book.apply(message._replace(kind=DELETION))
    elif message.kind in (CANCELLATION, DELETION, EXECUTION):
        book.apply(message._replace(kind=SUBMISSION))
    return book.row(max(len(book.bids), len(book.asks)))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="ascii") as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip("\r\n")
    except OSError as error:
        raise LobsterError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LobsterError(f"{path}: not a text file") from error


def _message(path: Path, number: int, line: str) -> LobsterMessage:
    values = line.split(",")
    if len(values) < 6:
        raise LobsterError(f"{path}, line {number}: expected 6 columns, found {len(values)}: {line!r}")
    whole, _, decimals = values[0].partition(".")
    try:
        time = int(whole) * SECOND + int(decimals[:9].ljust(9, "0"))
        message = LobsterMessage(time, *map(int, values[1:6]))
    except ValueError:
        raise LobsterError(f"{path}, line {number}: expected a time and five whole numbers, found {line!r}") from None
    if not SUBMISSION <= message.kind <= HALT:
        raise LobsterError(f"{path}, line {number}: type must be from 1 to 7, found {message.kind}")
    if message.kind <= EXECUTION:
        if message.direction not in (BUY, SELL):
            raise LobsterError(f"{path}, line {number}: direction must be 1 or -1, found {message.direction}")
        if message.size <= 0:
            raise LobsterError(f"{path}, line {number}: size must be positive, found {message.size}")
    return message


def _row(path: Path, number: int, line: str) -> list[int]:
    values = line.split(",")
    if len(values) % 4:
        raise LobsterError(f"{path}, line {number}: expected four columns a level, found {len(values)} columns")
    try:
        return [int(value) for value in values]
    except ValueError:
        raise LobsterError(f"{path}, line {number}: expected whole numbers, found {line!r}") from None


@contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """Open a file for writing that takes its name only once it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="ascii", newline="") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
