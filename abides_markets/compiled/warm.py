"""The first compilation: said, done once, and shared by the processes of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba

from abides_markets.compiled import jit

try:
    import fcntl
except ImportError:  # not on Windows: two processes may then compile at the same time, each for itself
    fcntl = None  # type: ignore[assignment]

DONE = "complete"


def prepare() -> None:
    """Have the entry points compiled, or loaded from the cache.

    The process that comes first compiles, and says so in one line on standard error; others wait for it.
    """
    from abides_markets.compiled import loop  # which imports this module's users

    if loop.run.signatures:
        return
    done = jit.CACHE / DONE
    if done.exists():
        _compile(loop.run)
        return
    with _alone(jit.CACHE / "lock"):
        if not done.exists():
            print(f"compiling the market engine, once (about 20 s; kept in {jit.CACHE})", file=sys.stderr, flush=True)
        _compile(loop.run)
        done.touch()


def _compile(function: Any) -> None:
    function.compile((numba.types.int64[::1],))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock on a file, waiting for other processes that hold it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
