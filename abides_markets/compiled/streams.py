"""Random streams inside a market's buffer: MT19937 with the draws of `numpy.random.RandomState`.

A stream begins with its position, and the second normal value that the polar method leaves over. In a full one the 624
state words of 32 bits follow, and the position is the next of them. In a young one, of an agent that draws little, only
its seed and its first few words follow, and the position is `-1 - n` after n words of 32 bits: what it draws beyond the
first is made from the seed in scratch room, which all young streams of a market share. A market has a thousand streams
of which a hundred are full, and is that much smaller. Every function gives, bit for bit, what the method of its name
gives in NumPy's legacy generator; the tests hold them together.

Each word of a fresh state is made from the one before it, which keeps a processor waiting. Streams are therefore seeded
many at a time, side by side.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.jit import entry_point
from abides_markets.compiled.layout import YOUNG_SCRATCH

STATE = 624
REACH = 397
"""How far behind itself a turn of the state looks."""

POSITION, HAS_GAUSS, GAUSS, WORD = range(4)
"""Where a stream has its position, the waiting normal value, and its state; the last in words of 64 bits."""
SEED = WORD
WORDS = WORD + STATE // 2
"""Words of 64 bits that a full stream takes."""
EARLY = 6
"""How many words of 32 bits a young stream holds: as many as most noise traders draw."""
EARLY_WORD = SEED + 1
"""Where they begin."""
YOUNG_WORDS = EARLY_WORD + EARLY // 2
LANES = 64
"""How many streams are seeded side by side."""

# Scratch room, which takes as many words as a full stream: the seed that it holds the stream of (or `NONE`), how many
# words of the first state have been made, and how often the state has been turned over.
HELD, MADE, TURNS = range(3)

MASK32 = 0xFFFFFFFF


@compiled
def seed_stream(b, u, s, seed):
    """Seed a full stream as `RandomState(seed)` does."""
    _seed_words(u, 2 * (s + WORD), seed, 0, STATE)
    b[s + POSITION] = STATE
    b[s + HAS_GAUSS] = 0


@entry_point
def seed_streams(b, u, starts, seeds):
    """Seed several full streams."""
    values = np.zeros(LANES, dtype=np.uint32)
    for first in range(0, len(starts), LANES):
        count = min(LANES, len(starts) - first)
        _begin(values, seeds, first, count)
        for i in range(STATE):
            for lane in range(count):
                u[2 * (starts[first + lane] + WORD) + i] = values[lane]
            _go_on(values, i)
        for lane in range(count):
            b[starts[first + lane] + POSITION] = STATE
            b[starts[first + lane] + HAS_GAUSS] = 0


@entry_point
def seed_young_streams(b, u, starts, seeds):
    """Seed several young streams."""
    values = np.zeros(LANES, dtype=np.uint32)
    needed = np.zeros((LANES, 2 * EARLY + 1), dtype=np.uint32)  # the first words of a state, and those in their reach
    states = needed.reshape(-1)
    for first in range(0, len(starts), LANES):
        count = min(LANES, len(starts) - first)
        _begin(values, seeds, first, count)
        for i in range(REACH + EARLY):
            if i <= EARLY:
                needed[:, i] = values
            elif i >= REACH:
                needed[:, EARLY + 1 + i - REACH] = values
            _go_on(values, i)
        for lane in range(count):
            s = starts[first + lane]
            b[s + POSITION] = -1
            b[s + HAS_GAUSS] = 0
            b[s + SEED] = seeds[first + lane]
            for k in range(EARLY):
                turned = _turned(states, lane * (2 * EARLY + 1), k, k + 1, EARLY + 1 + k)
                u[2 * (s + EARLY_WORD) + k] = _temper(turned)


@compiled
def _begin(values, seeds, first, count):
    for lane in range(count):
        values[lane] = seeds[first + lane]


@compiled
def _go_on(values, i):
    """Make of word i of several fresh states the next one."""
    for lane in range(len(values)):  # not unrolled, this becomes a loop over vectors
        value = values[lane]
        mixed = np.uint32(value ^ np.uint32(value >> np.uint32(30)))
        values[lane] = np.uint32(np.uint32(np.uint32(1812433253) * mixed) + np.uint32(i + 1))


@compiled
def _seed_words(u, base, seed, start, end):
    """Make the words of a fresh state from one to another."""
    value = seed & MASK32 if start == 0 else _next_seed_word(np.int64(u[base + start - 1]), start - 1)
    for i in range(start, end):
        u[base + i] = value
        value = _next_seed_word(value, i)


@compiled
def _next_seed_word(value, i):
    return (1812433253 * (value ^ (value >> 30)) + i + 1) & MASK32


@compiled
def _twist(u, base):
    for i in range(STATE):
        j = i + 1 if i + 1 < STATE else 0
        k = i + REACH if i + REACH < STATE else i + REACH - STATE
        u[base + i] = _turned(u, base, i, j, k)


@compiled
def _turned(u, base, i, j, k):
    y = (np.int64(u[base + i]) & 0x80000000) | (np.int64(u[base + j]) & 0x7FFFFFFF)
    value = np.int64(u[base + k]) ^ (y >> 1)
    if y & 1:
        value ^= 0x9908B0DF
    return value


@compiled
def _temper(y):
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C5680
    y ^= (y << 15) & 0xEFC60000
    return y ^ (y >> 18)


@compiled
def word_of_seed(b, u, scratch, seed, k):
    """Return word k of the stream of a seed; cheap for the first of them, and for what the scratch room holds."""
    base = 2 * (scratch + WORD)
    early = k < STATE - REACH
    turns = 0 if early else k // STATE + 1
    if b[scratch + HELD] != seed or b[scratch + TURNS] > turns:
        b[scratch + HELD] = seed
        b[scratch + MADE] = 0
        b[scratch + TURNS] = 0
    needed = k + REACH + 1 if early else STATE
    if b[scratch + MADE] < needed:
        _seed_words(u, base, seed, b[scratch + MADE], needed)
        b[scratch + MADE] = needed
    if early:  # depends on words of the fresh state alone
        return _temper(_turned(u, base, k, k + 1, k + REACH))
    while b[scratch + TURNS] < turns:
        _twist(u, base)
        b[scratch + TURNS] += 1
    return _temper(np.int64(u[base + k % STATE]))


@compiled
def next_word(b, u, s):
    """Return the next 32 random bits."""
    position = b[s + POSITION]
    if position < 0:
        b[s + POSITION] = position - 1
        drawn = -1 - position
        if drawn < EARLY:
            return np.int64(u[2 * (s + EARLY_WORD) + drawn])
        return word_of_seed(b, u, b[YOUNG_SCRATCH], b[s + SEED], drawn)
    if position == STATE:
        _twist(u, 2 * (s + WORD))
        position = 0
    b[s + POSITION] = position + 1
    return _temper(np.int64(u[2 * (s + WORD) + position]))


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
def first_gauss(b, u, scratch, seed):
    """Return the first normal value of a fresh stream with a seed."""
    k = 0
    while True:
        x = 2.0 * _sample_of_seed(b, u, scratch, seed, k) - 1.0
        y = 2.0 * _sample_of_seed(b, u, scratch, seed, k + 2) - 1.0
        r = x * x + y * y
        k += 4
        if 0.0 < r < 1.0:
            return math.sqrt(-2.0 * math.log(r) / r) * y


@compiled
def _sample_of_seed(b, u, scratch, seed, k):
    high = word_of_seed(b, u, scratch, seed, k) >> 5
    low = word_of_seed(b, u, scratch, seed, k + 1) >> 6
    return (high * 67108864.0 + low) / 9007199254740992.0


def load_stream(buffer: Any, s: int, random_state: np.random.RandomState) -> None:
    """Put the state of a `RandomState` into a buffer, as a full stream at word `s`."""
    _, words, position, has_gauss, cached = random_state.get_state()
    first = 2 * (s + WORD)
    buffer.view(np.uint32)[first : first + STATE] = words
    buffer[s + POSITION] = position
    buffer[s + HAS_GAUSS] = has_gauss
    buffer.view(np.float64)[s + GAUSS] = cached


def store_stream(buffer: Any, s: int, random_state: np.random.RandomState) -> None:
    """Put the stream at word `s` of a buffer, full or young, into a `RandomState`."""
    position = int(buffer[s + POSITION])
    state: Any
    if position < 0:
        random_state.seed(int(buffer[s + SEED]))
        random_state.randint(0, 2**32, size=-1 - position, dtype=np.uint32)
        state = random_state.get_state(legacy=False)
    else:
        first = 2 * (s + WORD)
        words = buffer.view(np.uint32)[first : first + STATE].copy()
        state = {"bit_generator": "MT19937", "state": {"key": words, "pos": position}}
    state["has_gauss"] = int(buffer[s + HAS_GAUSS])
    state["gauss"] = float(buffer.view(np.float64)[s + GAUSS])
    random_state.set_state(state)
