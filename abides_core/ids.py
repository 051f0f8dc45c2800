"""Identifiers that belong to the run in progress.

Messages and orders are numbered by counters that code far from any kernel uses (a dataclass constructor, say). So that
several markets in one process each give the tape that they give alone, every kernel keeps its own position of every
counter and puts it in place while it dispatches. Outside a run the process-wide positions count on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Counter:
    """A counter of identifiers; create one per kind at import time.

    Attributes:
        first: The first identifier of every run.
        value: The next identifier to be given.
    """

    __slots__ = ("first", "value")

    def __init__(self, first: int) -> None:
        self.first = first
        self.value = first
        _COUNTERS.append(self)

    def next(self) -> int:
        """Return the next identifier and advance."""
        value = self.value
        self.value = value + 1
        return value


_COUNTERS: list[Counter] = []


class IdScope:
    """The positions of all counters in one run."""

    __slots__ = ("_depth", "_positions")

    def __init__(self) -> None:
        self._positions: dict[int, int] = {}
        self._depth = 0

    @contextmanager
    def active(self) -> Iterator[None]:
        """Put this run's positions in place for the duration of a block; blocks of one run may nest."""
        self._depth += 1
        if self._depth > 1:
            try:
                yield
            finally:
                self._depth -= 1
            return
        outside = [counter.value for counter in _COUNTERS]
        for index, counter in enumerate(_COUNTERS):
            counter.value = self._positions.get(index, counter.first)
        try:
            yield
        finally:
            self._depth -= 1
            for index, counter in enumerate(_COUNTERS):
                self._positions[index] = counter.value
                if index < len(outside):
                    counter.value = outside[index]
                else:  # created during the run, by a late import
                    counter.value = counter.first
