"""Random streams: `numpy.random.RandomState` objects made cheaply.

`RandomState(seed)` asks the system for entropy and mixes it before it applies the seed, which costs about 0.1 ms; a
market has more than a thousand streams. Here the generator is created from a constant and then seeded, with the same
stream as a result.
"""

from __future__ import annotations

from typing import Any
from typing import Protocol

import numpy as np
from numpy.random.bit_generator import ISeedSequence


class _NoEntropy(ISeedSequence):
    """Initial words that are overwritten at once by the seed."""

    _words = np.zeros(624, dtype=np.uint32)

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        return self._words


_NO_ENTROPY = _NoEntropy()


class Unmade(Protocol):
    """A stream that has not been made yet; an agent makes it when it first draws."""

    def make(self) -> np.random.RandomState:
        """Return the stream."""


class Seed(int):
    """A stream that has not been made yet, given by its seed."""

    def make(self) -> np.random.RandomState:
        """Return the stream."""
        return random_state(self)


def random_state(seed: int) -> np.random.RandomState:
    """Return a stream equal to `numpy.random.RandomState(seed)`.

    Args:
        seed: 0 ≤ seed < 2**32.

    Raises:
        ValueError: If the seed is out of range.
    """
    # Any ISeedSequence will do, though the stubs name only one.
    stream = np.random.RandomState(np.random.MT19937(_NO_ENTROPY))  # type: ignore[arg-type]
    stream.seed(seed)
    return stream
