"""The reward, equation 4 of arXiv 2411.06389, term by term, one row a market.

All terms are per share of the parent order, in the configured unit of price; positive is better for the agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
compiled = jit.beside(__file__, layout.__file__)
DEPTHS = ("ticks_walked", "shares_beyond_touch", "shares")
_TICKS_WALKED, _, _SHARES = range(3)

FILL = np.dtype([("market", np.int64), ("price", np.int64), ("quantity", np.int64)])
"""An execution: index of its market (row), price in cents, shares."""


def fill_rows(fills: Sequence[Fill], market: int = 0) -> NDArray[Any]:
    """Return executions of one market as rows of `FILL`."""
    return np.array([(market, fill.price, fill.quantity) for fill in fills], dtype=FILL)


@compiled
def _add_gains(fills: Ints, words: Ints, gains: Floats) -> None:
    """Write q·s·(arrival − price), summed over the fills `(F, 3)` of each market, into `gains` `(N,)`."""
    gains[:] = 0.0
    for fill in range(len(fills)):
        v = words[fills[fill, 0]]
        gains[fills[fill, 0]] += fills[fill, 2] * v[VIEW_SIDE] * (v[VIEW_ARRIVAL2] / 2 - fills[fill, 1])


@compiled
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


@compiled
def _even(v: Ints) -> float:
    """Return the executed fraction of an even schedule."""
    return min(v[VIEW_ELAPSED] / v[VIEW_WINDOW], 1.0)


@compiled
def _lead(v: Ints) -> float:
    """Return what being ahead of an even schedule is worth at the mid, against arrival, cents a share of the parent."""
    ahead = v[VIEW_FILLED] / v[VIEW_PARENT] - _even(v)
    return ahead * v[VIEW_SIDE] * (v[VIEW_MID2] - v[VIEW_ARRIVAL2]) / 2


@compiled
def _benchmark_gains(before: Ints, after: Ints, gains: Floats) -> None:
    """Write what `benchmark: twap` gains between views `(N, VIEW)` into `gains` `(N,)`, cents."""
    for i in range(len(before)):
        v, w = before[i], after[i]
        scheduled = _even(w) - _even(v)
        gains[i] = scheduled * v[VIEW_SIDE] * (v[VIEW_ARRIVAL2] - v[VIEW_MID2]) / 2 - (_lead(w) - _lead(v))


@compiled
def _held(before: Ints, after: Ints, held: Floats) -> None:
    """Write ΔE·(left / Q)² between views `(N, VIEW)` into `held` `(N,)`."""
    for i in range(len(before)):
        v, w = before[i], after[i]
        held[i] = (_even(w) - _even(v)) * (w[VIEW_LEFT] / w[VIEW_PARENT]) ** 2


class Reward:
    """The terms of the reward under one configuration."""

    def __init__(self, config: RewardConfig) -> None:
        self._config = config
        self._unit = 1.0 if config.price_unit == "cents" else 0.01
        self._kind = DEPTHS.index(config.depth)

    def of_step(self, fills: NDArray[Any], rows: Rows, after: Rows) -> Floats:
        """Return the reward of a step, but for the completion penalty.

        Args:
            fills: Executions of the step, `(F,)` of `FILL`.
            rows: The views that the actions answered, `(N,)`.
            after: The views that came of them, `(N,)`.
        """
        implementation_shortfall = self.implementation_shortfall(fills, rows) - self.benchmark_gain(rows, after)
        impact_penalty = self.impact_penalty(fills, rows)
        return implementation_shortfall - impact_penalty - self.running_penalty(rows, after)

    def gain(self, fills: NDArray[Any], rows: Rows) -> Floats:
        """Return Σ q·s·(arrival − price) over the fills of each market `(N,)`, cents; s is +1 to buy, −1 to sell."""
        gains = np.empty(len(rows))
        _add_gains(words_of(fills), words_of(rows), gains)
        return gains

    def implementation_shortfall(self, fills: NDArray[Any], rows: Rows) -> Floats:
        """Return Σ q·s·(arrival − price) / Q over the fills of each market `(N,)`, in the unit of the reward."""
        return self._unit * self.gain(fills, rows) / rows["parent"]

    def benchmark_gain(self, rows: Rows, after: Rows) -> Floats:
        """Return what the benchmark gains in a step from views `rows` `(N,)` to views `after`, in the reward's unit.

        `arrival`: 0. `twap`: with E the elapsed and F the filled fraction of the window and the order, m the mid and s
        the side, ΔE·s·(arrival − m) of an even schedule at the mid, less the change of (F − E)·s·(m − arrival), what
        being ahead of it is worth at the mid. The second part is a potential (Ng, Harada and Russell 1999, theorem 1)
        that is 0 at both ends of a complete order: it changes no return, but with it a step shows only what being ahead
        or behind made of the step's own price move.
        """
        if self._config.benchmark == "arrival":
            return np.zeros(len(rows))
        gains = np.empty(len(rows))
        _benchmark_gains(words_of(rows), words_of(after), gains)
        return self._unit * gains

    def depth_consumed(self, fills: NDArray[Any], rows: Rows) -> Floats:
        """Return d_t of each market `(N,)`, measured against the best opposite price of the decision's view.

        `ticks_walked`: Σ over fills of the ticks beyond that price. `shares_beyond_touch`: shares taken at prices
        beyond it. `shares`: all shares filled.
        """
        depths = np.empty(len(rows))
        _add_depths(words_of(fills), words_of(rows), self._kind, depths)
        return depths

    def impact_penalty(self, fills: NDArray[Any], rows: Rows) -> Floats:
        """Return α·d_t / Q of each market `(N,)`."""
        return self._config.alpha * self.depth_consumed(fills, rows) / rows["parent"]

    def running_penalty(self, rows: Rows, after: Rows) -> Floats:
        """Return φ·ΔE·(left / Q)² of a step from views `rows` `(N,)` to views `after`.

        E is the elapsed share of the window. With φ = λQσ²T it is what λ times the variance of the cost adds in an
        interval (Almgren and Chriss 2001, section 1.3), a share; as a running penalty it is that of Cartea, Jaimungal
        and Penalva (2015), section 6.5.
        """
        if not self._config.running_penalty:
            return np.zeros(len(rows))
        held = np.empty(len(rows))
        _held(words_of(rows), words_of(after), held)
        return self._config.running_penalty * held

    def completion_penalty(self, left: NDArray[Any], rows: Rows) -> Floats:
        """Return β·left / Q of each market `(N,)`, for shares left at the end of the window."""
        return self._config.beta * left / rows["parent"]
