"""Random streams inside a market's buffer: MT19937 with the draws of `numpy.random.RandomState`.

A stream takes `WORDS` 64-bit words: the 624 state words of 32 bits, the position among them, and the second normal
value that the polar method leaves over. Every function gives, bit for bit, what the method of its name gives in NumPy's
legacy generator; the tests hold them together.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from abides_markets.compiled.jit import compiled

STATE = 624
POSITION = 312
HAS_GAUSS = 313
GAUSS = 314
WORDS = 315
"""Words of 64 bits that a stream takes."""

MASK32 = 0xFFFFFFFF


@compiled
def seed_stream(b, u, s, seed):
    """Seed a stream as `RandomState(seed)` does."""
    value = seed & MASK32
    base = 2 * s
    for i in range(STATE):
        u[base + i] = value
        value = (1812433253 * (value ^ (value >> 30)) + i + 1) & MASK32
    b[s + POSITION] = STATE
    b[s + HAS_GAUSS] = 0


@compiled
def seed_streams(b, u, starts, seeds):
    """Seed several streams."""
    for i in range(len(starts)):
        seed_stream(b, u, starts[i], seeds[i])


@compiled
def _twist(u, base):
    for i in range(STATE):
        j = i + 1 if i + 1 < STATE else 0
        k = i + 397 if i + 397 < STATE else i + 397 - STATE
        y = (np.int64(u[base + i]) & 0x80000000) | (np.int64(u[base + j]) & 0x7FFFFFFF)
        value = np.int64(u[base + k]) ^ (y >> 1)
        if y & 1:
            value ^= 0x9908B0DF
        u[base + i] = value


@compiled
def _temper(y):
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C5680
    y ^= (y << 15) & 0xEFC60000
    return y ^ (y >> 18)


@compiled
def next_word(b, u, s):
    """Return the next 32 random bits."""
    position = b[s + POSITION]
    if position == STATE:
        _twist(u, 2 * s)
        position = 0
    b[s + POSITION] = position + 1
    return _temper(np.int64(u[2 * s + position]))


@compiled
def random_sample(b, u, s):
    """Draw from [0, 1)."""
    high = next_word(b, u, s) >> 5
    low = next_word(b, u, s) >> 6
    return (high * 67108864.0 + low) / 9007199254740992.0


@compiled
def randint(b, u, s, low, high):
    """Draw a whole number from low to high − 1; nothing is drawn if there is only one."""
    span = high - 1 - low
    if span == 0:
        return low
    mask = span
    mask |= mask >> 1
    mask |= mask >> 2
    mask |= mask >> 4
    mask |= mask >> 8
    mask |= mask >> 16
    mask |= mask >> 32
    while True:
        if span <= MASK32:
            value = next_word(b, u, s) & mask
        else:
            value = ((next_word(b, u, s) << 32) | next_word(b, u, s)) & mask
        if value <= span:
            return low + value


@compiled
def exponential(b, u, s, scale):
    """Draw from the exponential law of mean `scale`."""
    return scale * -math.log(1.0 - random_sample(b, u, s))


@compiled
def gauss(b, f, u, s):
    """Draw from the standard normal law, by the polar method, which makes two values at a time."""
    if b[s + HAS_GAUSS]:
        b[s + HAS_GAUSS] = 0
        return f[s + GAUSS]
    while True:
        x = 2.0 * random_sample(b, u, s) - 1.0
        y = 2.0 * random_sample(b, u, s) - 1.0
        r = x * x + y * y
        if 0.0 < r < 1.0:
            break
    scale = math.sqrt(-2.0 * math.log(r) / r)
    f[s + GAUSS] = scale * x
    b[s + HAS_GAUSS] = 1
    return scale * y


@compiled
def first_gauss(u, s, seed):
    """Return the first normal value of a fresh stream with a seed; `s` is scratch room for a stream.

    The state is seeded but not turned over as a whole: the few words that are drawn are made one by one.
    """
    value = seed & MASK32
    base = 2 * s
    for i in range(STATE):
        u[base + i] = value
        value = (1812433253 * (value ^ (value >> 30)) + i + 1) & MASK32
    k = 0
    while True:
        x = 2.0 * _early_sample(u, base, k) - 1.0
        y = 2.0 * _early_sample(u, base, k + 2) - 1.0
        r = x * x + y * y
        k += 4
        if 0.0 < r < 1.0:
            return math.sqrt(-2.0 * math.log(r) / r) * y


@compiled
def _early_sample(u, base, k):
    high = _early_word(u, base, k) >> 5
    low = _early_word(u, base, k + 1) >> 6
    return (high * 67108864.0 + low) / 9007199254740992.0


@compiled
def _early_word(u, base, k):
    """Return output k < 227 of a stream that has not been turned over yet."""
    y = (np.int64(u[base + k]) & 0x80000000) | (np.int64(u[base + k + 1]) & 0x7FFFFFFF)
    value = np.int64(u[base + k + 397]) ^ (y >> 1)
    if y & 1:
        value ^= 0x9908B0DF
    return _temper(value)


def load_stream(buffer: Any, s: int, random_state: np.random.RandomState) -> None:
    """Put the state of a `RandomState` into a buffer at word `s`."""
    _, words, position, has_gauss, cached = random_state.get_state()
    buffer.view(np.uint32)[2 * s : 2 * s + STATE] = words
    buffer[s + POSITION] = position
    buffer[s + HAS_GAUSS] = has_gauss
    buffer.view(np.float64)[s + GAUSS] = cached


def store_stream(buffer: Any, s: int, random_state: np.random.RandomState) -> None:
    """Put the state at word `s` of a buffer into a `RandomState`."""
    words = buffer.view(np.uint32)[2 * s : 2 * s + STATE].copy()
    cached = float(buffer.view(np.float64)[s + GAUSS])
    random_state.set_state(("MT19937", words, int(buffer[s + POSITION]), int(buffer[s + HAS_GAUSS]), cached))
