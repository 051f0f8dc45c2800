"""Markets of other seeds, made from a market's buffer without building them in Python.

Of a market whose agents, parameters and latencies are given, the seed decides the random streams, the noise traders'
wake-ups and the first shock of the oracle. They are drawn here as the configurations of `abides_markets.configs` draw
them, one after the other from one stream; `abides_markets.compiled.stack` checks that a configuration does.
"""

from __future__ import annotations

import math

import numpy as np

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.jit import entry_point
from abides_markets.compiled.layout import *
from abides_markets.compiled.oracle import next_shock
from abides_markets.compiled.queue import agent_row
from abides_markets.compiled.streams import POSITION
from abides_markets.compiled.streams import randint
from abides_markets.compiled.streams import random_sample
from abides_markets.compiled.streams import seed_stream
from abides_markets.compiled.streams import seed_streams
from abides_markets.compiled.streams import seed_young_streams

SEEDS = 1 << 32
BEFORE_OPEN = 30 * 60 * 1_000_000_000
"""Noise traders wake between this time before the open and the oracle's close, ns."""


@compiled
def _draw_wake(b, u):
    """Draw a noise trader's wake-up: see `abides_core.utils.get_wake_time`."""
    earliest, latest = b[OPEN] - BEFORE_OPEN, b[b[ORACLE] + Q_CLOSE]
    cube = 3 * random_sample(b, u, b[MASTER]) / 12.0 - 0.125
    x = math.copysign(abs(cube) ** (1 / 3), cube) + 0.5
    return np.int64(np.rint(float(earliest) + x * (latest - earliest)))


@entry_point
def reseed(b, seed):
    """Make of a market before its first event that of another seed; the last agent's stream is none of it."""
    f = b.view(np.float64)
    u = b.view(np.uint32)
    master = b[MASTER]
    seed_stream(b, u, master, seed)
    q = b[ORACLE]
    seed_stream(b, u, b[q + Q_STREAM], randint(b, u, master, 0, SEEDS))
    next_shock(b, f, u, q, b[OPEN])
    full = np.empty((2, b[AGENT_COUNT]), dtype=np.int64)
    young = np.empty((2, b[AGENT_COUNT]), dtype=np.int64)
    full_count, young_count = 0, 0
    for agent in range(b[AGENT_COUNT] - 1):
        a = agent_row(b, agent)
        if b[a + A_KIND] == NOISE:
            b[b[a + A_BLOCK] + N_WAKE] = _draw_wake(b, u)
        drawn = randint(b, u, master, 0, SEEDS)
        if b[a + A_KIND] == EXCHANGE:
            continue
        stream = b[a + A_STREAM]
        if b[stream + POSITION] < 0:
            young[0, young_count], young[1, young_count] = stream, drawn
            young_count += 1
        else:
            full[0, full_count], full[1, full_count] = stream, drawn
            full_count += 1
    seed_young_streams(b, u, young[0, :young_count], young[1, :young_count])
    seed_streams(b, u, full[0, :full_count], full[1, :full_count])
    for _ in range(2):  # seeds of the kernel, which draws nothing, and of the latencies, which are given
        randint(b, u, master, 0, SEEDS)
