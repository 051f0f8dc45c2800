"""The first compilation: said, done once, and shared by the processes of this machine."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from numba import boolean
from numba import float64
from numba import int64
from numba import uint32

from abides_markets.compiled import build
from abides_markets.compiled import jit
from abides_markets.compiled import oracle
from abides_markets.compiled import outside
from abides_markets.compiled import queue
from abides_markets.compiled import sizes
from abides_markets.compiled import stepping
from abides_markets.compiled import streams

try:
    import fcntl
except ImportError:  # not on Windows: two processes may then compile at the same time, each for itself
    fcntl = None  # type: ignore[assignment]

DONE = "complete"
WORDS, FLOATS, HALVES = int64[::1], float64[::1], uint32[::1]
TABLE, MARKS = int64[:, ::1], boolean[::1]
ENTRY_POINTS = (
    (oracle.advance, (WORDS, FLOATS, HALVES, int64)),
    (outside.queue_wake, (WORDS, *3 * (int64,))),
    (outside.queue_message, (WORDS, *6 * (int64,))),
    (outside.queue_order, (WORDS, *8 * (int64,))),
    (outside.queue_batch, (WORDS, *3 * (int64,), TABLE)),
    (outside.take_levels, (WORDS, TABLE, int64, TABLE, int64)),
    (outside.settle, (WORDS, int64, int64)),
    (outside.go_on, (WORDS, int64, int64)),
    (queue.wake_at, (WORDS, int64, int64)),
    (queue.wake_each, (WORDS, int64, int64, int64)),
    (sizes.draw_sizes, (WORDS, HALVES, TABLE)),
    (streams.seed_streams, (WORDS, HALVES, WORDS, WORDS)),
    (streams.seed_young_streams, (WORDS, HALVES, WORDS, WORDS)),
    (build.reseed, (WORDS, int64)),
    (stepping.hand_in, (TABLE, TABLE, MARKS)),
    (stepping.run_all, (TABLE, int64, MARKS, TABLE, WORDS, MARKS, TABLE)),
)
"""What is called from Python, and with what."""


@functools.cache
def prepare() -> None:
    """See to it that the entry points lie compiled in the cache.

    The process that comes first compiles, and says so in one line on standard error; others wait for it.
    """
    done = jit.CACHE / DONE
    if done.exists():
        return
    with _alone(jit.CACHE / "lock"):
        if not done.exists():
            print(
                f"compiling the market engine, once (about a minute; kept in {jit.CACHE})",
                file=sys.stderr,
                flush=True,
            )
            for function, signature in ENTRY_POINTS:
                function.compile(signature)
            done.touch()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock on a file, waiting for other processes that hold it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
