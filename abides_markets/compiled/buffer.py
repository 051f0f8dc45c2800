"""Making a market's buffer, and making it larger."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abides_markets.compiled import layout as at

Buffer = NDArray[np.int64]

GROWING = (
    # offset, rows in all, words a row, copies, where a pool's rows are linked (`None` if the table is no pool)
    (at.HEAP, at.HEAP_ROWS, at.HEAP_WORDS, 1, None),
    (at.EVENTS, at.EVENT_ROWS, at.EVENT_WORDS, 1, at.LINK),
    (at.WAITING, at.WAITING_ROWS, at.WAITING_WORDS, 1, at.WAITING_RIGHT),
    (at.RECORDS, at.RECORD_ROWS, at.RECORD_WORDS, 1, at.R_AFTER),
    (at.ORDERS, at.ORDER_ROWS, at.ORDER_WORDS, 1, at.O_AFTER),
    (at.LEVELS, at.LEVEL_ROWS, at.LEVEL_WORDS, 2, None),
    (at.QUOTES, at.QUOTE_ROWS, at.QUOTE_WORDS, 1, None),
    (at.HISTORY, at.HISTORY_ROWS, at.HISTORY_WORDS, 1, None),
    (at.SNAPSHOTS, at.SNAPSHOT_ROWS, at.SNAPSHOT_WORDS, 1, at.D_AFTER),
    (at.FILLS, at.FILL_ROWS, at.FILL_WORDS, 1, None),
)
FIRST_ROWS = {
    at.HEAP: 4096,
    at.EVENTS: 4096,
    at.WAITING: 2048,
    at.RECORDS: 1024,
    at.ORDERS: 1024,
    at.LEVELS: 512,
    at.HISTORY: 8192,
    at.QUOTES: 8192,
    at.SNAPSHOTS: 1024,
    at.FILLS: 16,
}
_ROWS_FOR_EACH_AGENT = {at.HEAP: 4, at.EVENTS: 4, at.HISTORY: 2, at.QUOTES: 2}
"""What a crowd needs: its first wake-ups with the questions that follow, and one order each."""
HUGE_PAGE = 2 * 1024 * 1024
"""Bytes."""
HEAP_AHEAD = at.LINE - at.HEAP_WORDS
"""Words before the first row of the heap, so that the two children of every row lie in one line of the cache."""


def first_rows(agents: int) -> dict[int, int]:
    """Return the rows of each table at first: `FIRST_ROWS`, or more where a market of many agents needs them."""
    rows = dict(FIRST_ROWS)
    for table, each in _ROWS_FOR_EACH_AGENT.items():
        rows[table] = max(rows[table], each * agents)
    return rows


def with_tables(fixed: Buffer, rows: dict[int, int]) -> Buffer:
    """Return a buffer with what never grows at its start and empty tables behind it.

    Args:
        fixed: The words before the tables.
        rows: Rows of each table by the name of its offset.
    """
    places: dict[int, int] = {}
    end = len(fixed)
    for offset, _, words, copies, _ in GROWING:
        for copy in range(copies):
            places[offset + copy] = _start_of_line(end) + (HEAP_AHEAD if offset == at.HEAP else 0)
            end = places[offset + copy] + rows[offset] * words
    buffer = zeros(_start_of_line(end))
    buffer[: len(fixed)] = fixed
    for word, place in places.items():
        buffer[word] = place
    for offset, total, _, _, link in GROWING:
        buffer[total] = rows[offset]
        if link is not None:
            buffer[offset + at.POOL_FREE] = at.NONE
            buffer[offset + at.POOL_FREE_COUNT] = rows[offset]
            buffer[offset + at.POOL_TOUCHED] = 0
    return buffer


def zeros(words: int) -> Buffer:
    """Return a buffer of zeros that begins at the start of a line of the cache."""
    room = np.zeros(words + at.LINE, dtype=np.int64)
    start = -room.ctypes.data % (8 * at.LINE) // 8
    return room[start : start + words]


def zeros_in_huge_pages(words: int) -> Buffer:
    """Return a buffer of zeros in huge pages, where there are any (on Linux).

    A copy of a market touches hundreds of pages of the ordinary size for the first time, which takes several times as
    long as the copying.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return zeros(words)
    pages = -(-8 * words // HUGE_PAGE) + 1  # one more, to begin at the start of one
    memory = mmap.mmap(-1, pages * HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # of a kernel that has none
        memory.madvise(mmap.MADV_HUGEPAGE)
    room = np.frombuffer(memory, dtype=np.int64)
    start = -room.ctypes.data % HUGE_PAGE // 8
    return room[start : start + words]


def _start_of_line(word: int) -> int:
    return -(-word // at.LINE) * at.LINE


def grown(buffer: Buffer) -> Buffer:
    """Return a copy of a market's buffer with more room, of `grown_rows`."""
    return resized(buffer, grown_rows(buffer))


def grown_rows(buffer: Buffer) -> dict[int, int]:
    """Return the rows of each table when the one that lacks room and all that are more than half full are doubled."""
    rows = {offset: int(buffer[total]) for offset, total, *_ in GROWING}
    for offset in rows:
        if offset == buffer[at.LACKING] or 2 * _used(buffer, offset) > rows[offset]:
            rows[offset] *= 2
    return rows


def resized(buffer: Buffer, rows: dict[int, int]) -> Buffer:
    """Return a copy of a market's buffer whose tables have so many rows, none fewer than before."""
    fixed = int(buffer[at.FIXED_END])
    larger = with_tables(buffer[:fixed], rows)
    for offset, total, words, copies, link in GROWING:
        for copy in range(copies):
            source, target = int(buffer[offset + copy]), int(larger[offset + copy])
            size = _rows_written(buffer, offset) * words
            larger[target : target + size] = buffer[source : source + size]
        if link is not None:
            pool = slice(offset + at.POOL_FREE, offset + at.POOL_TOUCHED + 1)
            larger[pool] = buffer[pool]
            larger[offset + at.POOL_FREE_COUNT] += rows[offset] - buffer[total]
            larger[total] = rows[offset]
    return larger


def segments(buffer: Buffer) -> Iterator[tuple[int, int]]:
    """Yield begin and end of what is in use: what never grows, then of each table the rows up to the last used one."""
    yield 0, int(buffer[at.FIXED_END])
    for offset, _, words, copies, _ in GROWING:
        for copy in range(copies):
            start = int(buffer[offset + copy])
            yield start, start + _rows_written(buffer, offset) * words


def copied(buffer: Buffer) -> Buffer:
    """Return a copy of a buffer; what is not in use is left out, which leaves much of the new memory untouched."""
    twin = zeros_in_huge_pages(len(buffer))
    for start, end in segments(buffer):
        twin[start:end] = buffer[start:end]
    return twin


_COUNTS = {at.HEAP: at.HEAP_COUNT, at.HISTORY: at.HISTORY_COUNT, at.QUOTES: at.QUOTE_COUNT, at.FILLS: at.FILL_COUNT}
_POOLS = {offset for offset, *_, link in GROWING if link is not None}


def _used(buffer: Buffer, offset: int) -> int:
    """Return how many rows of a table are in use, of two copies in the fuller one."""
    if offset in _POOLS:
        return int(buffer[offset + at.POOL_ROWS] - buffer[offset + at.POOL_FREE_COUNT])
    if offset == at.LEVELS:
        return int(max(buffer[at.LEVEL_COUNT : at.LEVEL_COUNT + 2]))
    return int(buffer[_COUNTS[offset]])


def _rows_written(buffer: Buffer, offset: int) -> int:
    """Return after how many rows a table holds nothing; those of a pool that are free are linked."""
    return int(buffer[offset + at.POOL_TOUCHED]) if offset in _POOLS else _used(buffer, offset)


def floats(buffer: Buffer) -> Any:
    """Return a buffer seen as floats."""
    return buffer.view(np.float64)
