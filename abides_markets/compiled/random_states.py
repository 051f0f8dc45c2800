"""Random streams between `RandomState` objects and a market's buffer.

`get_state` and `set_state` take 30 µs each: they go through the 624 words one Python integer at a time, and a market
has more than a thousand streams. So the words are copied in memory, at the address that NumPy gives out for callers in
C. How they lie there is checked once; were it ever otherwise, the slow way is taken.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from abides_core.streams import random_state as new_random_state
from abides_markets.compiled.streams import POSITION
from abides_markets.compiled.streams import STATE
from abides_markets.compiled.streams import WORD
from abides_markets.compiled.streams import load_stream
from abides_markets.compiled.streams import store_stream

WORD_BYTES = 4 * STATE


def _address(random_state: np.random.RandomState) -> int:
    address: int = random_state._bit_generator.ctypes.state_address
    return address


def _is_laid_out_as_expected() -> bool:
    probe = new_random_state(1)
    probe.random_sample(5)
    try:
        memory = (ctypes.c_uint32 * (STATE + 1)).from_address(_address(probe))
    except AttributeError:
        return False
    state: Any = probe.get_state()
    return bool((np.array(memory[:STATE], dtype=np.uint32) == state[1]).all() and memory[STATE] == state[2])


IN_MEMORY = _is_laid_out_as_expected()


def load(buffer: Any, s: int, random_state: np.random.RandomState, draws_normals: bool) -> None:
    """Put the state of a `RandomState` into a buffer, as a full stream at word `s`.

    Args:
        buffer: The market's buffer.
        s: Where the stream lies.
        random_state: The stream.
        draws_normals: Whether normal values are drawn from it; they come in pairs, of which one may be waiting.
    """
    if draws_normals or not IN_MEMORY:
        load_stream(buffer, s, random_state)
        return
    source = _address(random_state)
    ctypes.memmove(buffer.ctypes.data + 8 * (s + WORD), source, WORD_BYTES)
    buffer[s + POSITION] = ctypes.c_int32.from_address(source + WORD_BYTES).value


class Stored:
    """A stream that lies in the buffer of a finished run; an agent makes it when it is asked for."""

    __slots__ = ("_buffer", "_draws_normals", "_s")

    def __init__(self, buffer: Any, s: int, draws_normals: bool) -> None:
        self._buffer = buffer
        self._s = s
        self._draws_normals = draws_normals

    def make(self) -> np.random.RandomState:
        """Return the stream."""
        stream = new_random_state(0)
        store(self._buffer, self._s, stream, self._draws_normals)
        return stream


def store(buffer: Any, s: int, random_state: np.random.RandomState, draws_normals: bool) -> None:
    """Put the stream at word `s` of a buffer, full or young, into a `RandomState`; arguments as of `load`."""
    position = int(buffer[s + POSITION])
    if draws_normals or position < 0 or not IN_MEMORY:
        store_stream(buffer, s, random_state)
        return
    target = _address(random_state)
    ctypes.memmove(target, buffer.ctypes.data + 8 * (s + WORD), WORD_BYTES)
    ctypes.c_int32.from_address(target + WORD_BYTES).value = position
