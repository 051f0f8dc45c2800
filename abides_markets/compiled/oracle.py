"""The sparse mean-reverting oracle."""

from __future__ import annotations

import math

import numpy as np

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.jit import entry_point
from abides_markets.compiled.layout import *
from abides_markets.compiled.streams import exponential
from abides_markets.compiled.streams import gauss
from abides_markets.compiled.streams import randint


@compiled
def _evaluate(b, f, u, q, time, added):
    elapsed = time - b[q + Q_TIME]
    kappa = f[q + Q_KAPPA]
    value = b[q + Q_VALUE]
    if kappa == 0.0:
        center = value * 1.0
        variance = f[q + Q_VOLATILITY] * elapsed
    else:
        center = f[q + Q_MEAN] + (value - f[q + Q_MEAN]) * math.exp(-kappa * elapsed)
        variance = f[q + Q_VOLATILITY] / (2 * kappa) * (1 - math.exp(-2 * kappa * elapsed))
    center += f[q + Q_DRIFT] * elapsed
    drawn = center + math.sqrt(variance) * gauss(b, f, u, b[q + Q_STREAM]) + added
    b[q + Q_TIME] = time
    b[q + Q_VALUE] = np.int64(np.rint(max(0.0, drawn)))


@compiled
def next_shock(b, f, u, q, after):
    """Draw the time and the size of the next shock."""
    rate = f[q + Q_SHOCK_RATE]
    if rate == 0.0:
        b[q + Q_SHOCK_TIME] = NEVER
        f[q + Q_SHOCK_VALUE] = 0.0
        return
    gap = exponential(b, u, b[MASTER], 1.0 / rate)
    b[q + Q_SHOCK_TIME] = NEVER if gap > 4e18 else min(NEVER, after + max(1, np.int64(gap)))
    value = f[q + Q_SHOCK_MEAN] + f[q + Q_SHOCK_SD] * gauss(b, f, u, b[q + Q_STREAM])
    if randint(b, u, b[q + Q_STREAM], 0, 2) != 0:
        value = -value
    f[q + Q_SHOCK_VALUE] = value


@entry_point
def advance(b, f, u, now):
    """Return the fundamental at a time, drawing it and any shocks on the way there."""
    q = b[ORACLE]
    time = min(now, b[q + Q_CLOSE] - 1)
    if time > b[q + Q_TIME]:
        while b[q + Q_SHOCK_TIME] <= time:
            at = b[q + Q_SHOCK_TIME]
            _evaluate(b, f, u, q, at, f[q + Q_SHOCK_VALUE])
            next_shock(b, f, u, q, at)
        if time > b[q + Q_TIME]:
            _evaluate(b, f, u, q, time, 0.0)
    return b[q + Q_VALUE]


@compiled
def observe(b, f, u, stream, sigma_n):
    """Return an observation of the fundamental now, with noise of variance `sigma_n` from the observer's stream."""
    value = advance(b, f, u, b[NOW])
    if sigma_n == 0.0:
        return value
    return np.int64(np.rint(value + math.sqrt(sigma_n) * gauss(b, f, u, stream)))
