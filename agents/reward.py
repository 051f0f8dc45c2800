"""The reward, equation 4 of arXiv 2411.06389, term by term, one row a market.

All terms are per share of the parent order, in the configured unit of price; positive is better for the agent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from abides_markets.compiled import jit
from abides_markets.compiled import layout
from abides_markets.compiled.layout import VIEW_ARRIVAL2
from abides_markets.compiled.layout import VIEW_ASK_PRICE
from abides_markets.compiled.layout import VIEW_BID_PRICE
from abides_markets.compiled.layout import VIEW_ELAPSED
from abides_markets.compiled.layout import VIEW_FILLED
from abides_markets.compiled.layout import VIEW_LEFT
from abides_markets.compiled.layout import VIEW_MID2
from abides_markets.compiled.layout import VIEW_PARENT
from abides_markets.compiled.layout import VIEW_SIDE
from abides_markets.compiled.layout import VIEW_WINDOW
from agents.views import Fill
from agents.views import Rows
from agents.views import words_of
from configs.models import RewardConfig

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
entry_point = jit.beside(__file__, layout.__file__)
DEPTHS = ("ticks_walked", "shares_beyond_touch", "shares")
_TICKS_WALKED, _, _SHARES = range(3)


def fill_rows(fills: Iterable[tuple[int, Fill]]) -> Ints:
    """Return executions, each with the row of its market, as words `(F, 3)`: that row, price in cents, shares."""
    rows = [(market, fill.price, fill.quantity) for market, fill in fills]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


@jit.compiled
def _add_gains(fills: Ints, words: Ints, gains: Floats) -> None:
    """Write q·s·(arrival − price), summed over the fills `(F, 3)` of each market, into `gains` `(N,)`."""
    gains[:] = 0.0
    for fill in range(len(fills)):
        v = words[fills[fill, 0]]
        gains[fills[fill, 0]] += fills[fill, 2] * v[VIEW_SIDE] * (v[VIEW_ARRIVAL2] / 2 - fills[fill, 1])


@jit.compiled
def _add_depths(fills: Ints, words: Ints, kind: int, depths: Floats) -> None:
    """Write the depth that the fills `(F, 3)` of each market consumed into `depths` `(N,)`."""
    depths[:] = 0.0
    for fill in range(len(fills)):
        v = words[fills[fill, 0]]
        best = v[VIEW_ASK_PRICE] if v[VIEW_SIDE] > 0 else v[VIEW_BID_PRICE]
        beyond = max(v[VIEW_SIDE] * (fills[fill, 1] - best), 0) if best >= 0 else 0
        if kind == _TICKS_WALKED:
            depths[fills[fill, 0]] += beyond
        elif kind == _SHARES or beyond > 0:
            depths[fills[fill, 0]] += fills[fill, 2]


@jit.compiled
def _even(v: Ints) -> float:
    """Return the executed fraction of an even schedule."""
    return min(v[VIEW_ELAPSED] / v[VIEW_WINDOW], 1.0)


@jit.compiled
def _lead(v: Ints) -> float:
    """Return what being ahead of an even schedule is worth at the mid, against arrival, cents a share of the parent."""
    ahead = v[VIEW_FILLED] / v[VIEW_PARENT] - _even(v)
    return ahead * v[VIEW_SIDE] * (v[VIEW_MID2] - v[VIEW_ARRIVAL2]) / 2


@jit.compiled
def _benchmark_gain(v: Ints, w: Ints) -> float:
    """Return what `benchmark: twap` gains from view v to view w, cents a share of the parent."""
    scheduled = _even(w) - _even(v)
    return scheduled * v[VIEW_SIDE] * (v[VIEW_ARRIVAL2] - v[VIEW_MID2]) / 2 - (_lead(w) - _lead(v))


@jit.compiled
def _held(v: Ints, w: Ints) -> float:
    """Return ΔE·(left / Q)² from view v to view w."""
    return (_even(w) - _even(v)) * (w[VIEW_LEFT] / w[VIEW_PARENT]) ** 2


@entry_point
def _write_terms(
    fills: Ints,
    before: Ints,
    after: Ints,
    unit: float,
    against_twap: bool,
    kind: int,
    alpha: float,
    running: float,
    terms: Floats,
) -> None:
    """Write the terms of a step from views `before` `(N, VIEW)` to `after` into `terms` `(5, N)`, in `Terms`' order."""
    _add_gains(fills, before, terms[0])
    _add_depths(fills, before, kind, terms[2])
    for i in range(len(before)):
        v, w = before[i], after[i]
        terms[1, i] = unit * terms[0, i] / v[VIEW_PARENT]
        if against_twap:
            terms[1, i] -= unit * _benchmark_gain(v, w)
        terms[3, i] = alpha * terms[2, i] / v[VIEW_PARENT]
        terms[4, i] = running * _held(v, w) if running != 0.0 else 0.0


class Terms(NamedTuple):
    """The terms of the reward of a step, each `(N,)`, per share of the parent order of Q shares.

    Attributes:
        gain: Σ q·s·(arrival − price) over the fills, cents, of all shares; s is +1 to buy, −1 to sell.
        implementation_shortfall: `gain` / Q in the unit of the reward, less what the benchmark gains. That is 0 of
            `arrival`; of `twap`, with E the elapsed and F the filled fraction of the window and the order and m the
            mid, ΔE·s·(arrival − m) of an even schedule at the mid, less the change of (F − E)·s·(m − arrival), what
            being ahead of it is worth at the mid. The second part is a potential (Ng, Harada and Russell 1999, theorem
            1) that is 0 at both ends of a complete order: it changes no return, but with it a step shows only what
            being ahead or behind made of the step's own price move.
        depth_consumed: d_t, against the best opposite price of the decision's view. `ticks_walked`: Σ over fills of the
            ticks beyond that price. `shares_beyond_touch`: shares taken at prices beyond it. `shares`: all filled.
        impact_penalty: α·d_t / Q.
        running_penalty: φ·ΔE·(left / Q)². With φ = λQσ²T it is what λ times the variance of the cost adds in an
            interval (Almgren and Chriss 2001, section 1.3), a share; as a running penalty it is that of Cartea,
            Jaimungal and Penalva (2015), section 6.5.
    """

    gain: Floats
    implementation_shortfall: Floats
    depth_consumed: Floats
    impact_penalty: Floats
    running_penalty: Floats


class Reward:
    """The reward under one configuration."""

    def __init__(self, config: RewardConfig) -> None:
        self._config = config
        self._unit = 1.0 if config.price_unit == "cents" else 0.01
        self._against_twap = config.benchmark == "twap"
        self._kind = DEPTHS.index(config.depth)
        self._alpha, self._running = float(config.alpha), float(config.running_penalty)

    def terms(self, fills: Ints, rows: Rows, after: Rows) -> Terms:
        """Return the terms of a step.

        Args:
            fills: Executions of the step, `(F, 3)`: row of the market, price in cents, shares.
            rows: The views that the actions answered, `(N,)`.
            after: The views that came of them, `(N,)`.
        """
        terms = np.empty((5, len(rows)))
        _write_terms(
            fills,
            words_of(rows),
            words_of(after),
            self._unit,
            self._against_twap,
            self._kind,
            self._alpha,
            self._running,
            terms,
        )
        return Terms(*terms)

    @staticmethod
    def of_step(terms: Terms) -> Floats:
        """Return the reward of a step `(N,)` from its terms, but for the completion penalty."""
        _, implementation_shortfall, _, impact_penalty, running_penalty = terms
        return implementation_shortfall - impact_penalty - running_penalty

    def completion_penalty(self, left: NDArray[Any], rows: Rows) -> Floats:
        """Return β·left / Q of each market `(N,)`, for shares left at the end of the window."""
        return self._config.beta * left / rows["parent"]
