"""Making a market's buffer, and making it larger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abides_markets.compiled import layout as at

Buffer = NDArray[np.int64]

GROWING = (
    # offset, rows in all, words a row, copies, free list (head, count, link), rows at the start
    (at.HEAP, at.HEAP_ROWS, at.HEAP_WORDS, 1, None),
    (at.EVENTS, at.EVENT_ROWS, at.EVENT_WORDS, 1, (at.EVENT_FREE, at.EVENT_FREE_COUNT, at.LINK)),
    (
        at.WAITING,
        at.WAITING_ROWS,
        at.WAITING_WORDS,
        1,
        (at.WAITING_FREE, at.WAITING_FREE_COUNT, at.WAITING_RIGHT),
    ),
    (at.RECORDS, at.RECORD_ROWS, at.RECORD_WORDS, 1, (at.RECORD_FREE, at.RECORD_FREE_COUNT, at.R_AFTER)),
    (at.ORDERS, at.ORDER_ROWS, at.ORDER_WORDS, 1, (at.ORDER_FREE, at.ORDER_FREE_COUNT, at.O_AFTER)),
    (at.LEVELS, at.LEVEL_ROWS, at.LEVEL_WORDS, 2, None),
    (at.HISTORY, at.HISTORY_ROWS, at.HISTORY_WORDS, 1, None),
    (at.QUOTES, at.QUOTE_ROWS, at.QUOTE_WORDS, 1, None),
    (at.SNAPSHOTS, at.SNAPSHOT_ROWS, at.SNAPSHOT_WORDS, 1, (at.SNAPSHOT_FREE, at.SNAPSHOT_FREE_COUNT, at.D_AFTER)),
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


def with_tables(fixed: Buffer, rows: dict[int, int] | None = None) -> Buffer:
    """Return a buffer with what never grows at its start and empty tables behind it.

    Args:
        fixed: The words before the tables.
        rows: Rows of each table by the name of its offset; by default `FIRST_ROWS`.
    """
    rows = rows if rows is not None else FIRST_ROWS
    needed = sum(rows[offset] * words * copies for offset, _, words, copies, _ in GROWING)
    buffer = np.zeros(len(fixed) + needed, dtype=np.int64)
    buffer[: len(fixed)] = fixed
    end = len(fixed)
    for offset, total, words, copies, free in GROWING:
        for copy in range(copies):
            buffer[offset + copy] = end
            end += rows[offset] * words
        buffer[total] = rows[offset]
        if free is not None:
            buffer[free[0]], buffer[free[1]] = at.NONE, 0
            _add_free_rows(buffer, offset, words, free, 0, rows[offset])
    return buffer


def _add_free_rows(buffer: Buffer, offset: int, words: int, free: tuple[int, int, int], first: int, end: int) -> None:
    """Put rows at the head of a free list, the lowest first."""
    head, count, link = free
    base = int(buffer[offset])
    rows = np.arange(first, end)
    links = rows + 1
    links[-1] = buffer[head]
    buffer[base + rows * words + link] = links
    if offset == at.RECORDS:
        buffer[base + rows * words + at.R_ID] = at.NONE
    buffer[head] = first
    buffer[count] += end - first


def grown(buffer: Buffer) -> Buffer:
    """Return a copy of a market's buffer with more room, of `grown_rows`."""
    return resized(buffer, grown_rows(buffer))


def grown_rows(buffer: Buffer) -> dict[int, int]:
    """Return the rows of each table when every one that is more than half full is made twice as long.

    If there is none, the shortest tables are: whoever calls this until there is room gets there, and no table becomes
    much longer than it must because another one is full.
    """
    rows = {offset: int(buffer[total]) for offset, total, *_ in GROWING}
    full = [offset for offset in rows if 2 * _used(buffer, offset) > rows[offset]]
    for offset in full or [offset for offset in rows if rows[offset] == min(rows.values())]:
        rows[offset] *= 2
    return rows


def resized(buffer: Buffer, rows: dict[int, int]) -> Buffer:
    """Return a copy of a market's buffer whose tables have so many rows, none fewer than before."""
    fixed = int(buffer[at.FIXED_END])
    larger = with_tables(buffer[:fixed], rows)
    for offset, total, words, copies, free in GROWING:
        old = int(buffer[total])
        for copy in range(copies):
            source, target = int(buffer[offset + copy]), int(larger[offset + copy])
            larger[target : target + old * words] = buffer[source : source + old * words]
        if free is not None:
            larger[free[0]], larger[free[1]] = buffer[free[0]], buffer[free[1]]
            if rows[offset] > old:
                _add_free_rows(larger, offset, words, free, old, rows[offset])
    return larger


def segments(buffer: Buffer) -> Iterator[tuple[int, int]]:
    """Yield begin and end of what is in use: what never grows, then of each table the rows up to the last used one."""
    yield 0, int(buffer[at.FIXED_END])
    for offset, total, words, copies, free in GROWING:
        rows = _used(buffer, offset) if free is None else int(buffer[total])
        for copy in range(copies):
            start = int(buffer[offset + copy])
            yield start, start + rows * words


def copied(buffer: Buffer) -> Buffer:
    """Return a copy of a buffer; what is not in use is left out, which leaves much of the new memory untouched."""
    twin = np.zeros(len(buffer), dtype=np.int64)
    for start, end in segments(buffer):
        twin[start:end] = buffer[start:end]
    return twin


def _used(buffer: Buffer, offset: int) -> int:
    """Return how many rows of a table are in use, of two copies in the fuller one."""
    counts = {
        at.HEAP: at.HEAP_COUNT,
        at.HISTORY: at.HISTORY_COUNT,
        at.QUOTES: at.QUOTE_COUNT,
        at.FILLS: at.FILL_COUNT,
    }
    if offset in counts:
        return int(buffer[counts[offset]])
    if offset == at.LEVELS:
        return int(max(buffer[at.LEVEL_COUNT : at.LEVEL_COUNT + 2]))
    total, free = next((total, free) for name, total, _, _, free in GROWING if name == offset)
    assert free is not None
    return int(buffer[total] - buffer[free[1]])


def floats(buffer: Buffer) -> Any:
    """Return a buffer seen as floats."""
    return buffer.view(np.float64)
