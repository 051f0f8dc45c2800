"""Features: what a policy sees, computed from raw views, one row a market.

Prices, returns and imbalances are signed by the side of the parent order, so that one policy can buy and sell: a value
has the same meaning for both when the market is mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abides_markets.compiled import jit
from abides_markets.compiled import layout
from abides_markets.compiled.layout import VIEW_ARRIVAL2
from abides_markets.compiled.layout import VIEW_ASK_PRICE
from abides_markets.compiled.layout import VIEW_ASK_SIZE
from abides_markets.compiled.layout import VIEW_ASK_TOTAL
from abides_markets.compiled.layout import VIEW_BID_PRICE
from abides_markets.compiled.layout import VIEW_BID_SIZE
from abides_markets.compiled.layout import VIEW_BID_TOTAL
from abides_markets.compiled.layout import VIEW_ELAPSED
from abides_markets.compiled.layout import VIEW_FILLED
from abides_markets.compiled.layout import VIEW_INTERVAL
from abides_markets.compiled.layout import VIEW_LAST_TRADE
from abides_markets.compiled.layout import VIEW_LEFT
from abides_markets.compiled.layout import VIEW_MID2
from abides_markets.compiled.layout import VIEW_MID2_PAST
from abides_markets.compiled.layout import VIEW_PARENT
from abides_markets.compiled.layout import VIEW_RESTING
from abides_markets.compiled.layout import VIEW_RESTING_PRICE
from abides_markets.compiled.layout import VIEW_SIDE
from abides_markets.compiled.layout import VIEW_WINDOW
from agents.views import LEVELS
from agents.views import PAST_MIDS
from agents.views import Rows
from agents.views import words_of
from configs import ConfigError

entry_point = jit.beside(__file__, layout.__file__)
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
DEPTH_SCALE = 5.0
"""Depths are log10(1 + shares) / 5: 100 shares are 0.4, 100 000 shares 1."""


(
    _INVENTORY,
    _TIME,
    _SCHEDULE_DEVIATION,
    _IMBALANCE,
    _DEPTH,
    _SPREAD,
    _BEST,
    _RETURN,
    _DIRECTION,
    _RESTING,
    _RESTING_DISTANCE,
    _IMBALANCE_TOTAL,
    _OWN_FORMULA,
) = range(13)
_OWN, _OPPOSITE, _ALL = 0, 10, 9
"""Added to make one number of a side and a count of levels."""


@jit.compiled
def _shares(v: Ints, sizes: int, levels: int) -> int:
    total = 0
    for level in range(levels):
        total += v[sizes + level]
    return total


@jit.compiled
def _value(kind: int, which: int, v: Ints) -> float:
    """Return a feature of one raw view `v`, words of `VIEW`."""
    side = v[VIEW_SIDE]
    own_is_bid = (side > 0) == (which < _OPPOSITE)
    bid, ask = v[VIEW_BID_PRICE], v[VIEW_ASK_PRICE]
    if kind == _INVENTORY:
        return v[VIEW_LEFT] / v[VIEW_PARENT]
    if kind == _TIME:
        return v[VIEW_ELAPSED] / v[VIEW_WINDOW]
    if kind == _SCHEDULE_DEVIATION:
        return v[VIEW_FILLED] / v[VIEW_PARENT] - v[VIEW_ELAPSED] / v[VIEW_WINDOW]
    if kind == _IMBALANCE:
        bids, asks = _shares(v, VIEW_BID_SIZE, which), _shares(v, VIEW_ASK_SIZE, which)
        return side * (bids - asks) / max(bids + asks, 1)
    if kind == _IMBALANCE_TOTAL:
        return side * (v[VIEW_BID_TOTAL] - v[VIEW_ASK_TOTAL]) / max(v[VIEW_BID_TOTAL] + v[VIEW_ASK_TOTAL], 1)
    if kind == _DEPTH:
        levels = which % _OPPOSITE
        if levels == _ALL:
            shares = v[VIEW_BID_TOTAL] if own_is_bid else v[VIEW_ASK_TOTAL]
        else:
            shares = _shares(v, VIEW_BID_SIZE if own_is_bid else VIEW_ASK_SIZE, levels)
        return math.log10(1 + shares) / DEPTH_SCALE
    if kind == _SPREAD:
        return 10.0 if bid < 0 or ask < 0 else (ask - bid) / 10
    if kind == _BEST:
        price = bid if own_is_bid else ask
        return 0.0 if price < 0 else side * (2 * price - v[VIEW_ARRIVAL2]) / v[VIEW_ARRIVAL2] * 1e4
    if kind == _RETURN:
        return side * (v[VIEW_MID2] - v[VIEW_MID2_PAST + which - 1]) / v[VIEW_ARRIVAL2] * 1e4
    if kind == _DIRECTION:
        return side * (v[VIEW_MID2] / 2 - v[VIEW_LAST_TRADE])
    if kind == _RESTING:
        return v[VIEW_RESTING] / (v[VIEW_PARENT] * v[VIEW_INTERVAL] / v[VIEW_WINDOW])
    # _RESTING_DISTANCE
    own_best = bid if side > 0 else ask
    if v[VIEW_RESTING_PRICE] < 0 or own_best < 0:
        return 0.0
    return float(side * (own_best - v[VIEW_RESTING_PRICE]))


@entry_point
def _observe(
    words: Ints,
    kinds: Ints,
    which: Ints,
    own: NDArray[np.float64],
    low: Floats,
    high: Floats,
    memory: Floats,
    fresh: Bools,
    marked: Bools,
    observations: Floats,
) -> None:
    """Put the features of raw views `(N, VIEW_WORDS)` at the end of the memory, and write what is remembered.

    Only the marked markets' views are looked at. Features of somebody's own formula are in their columns of `own`
    `(N, F)`. Values are cut to their ranges. `memory` and `observations` are `(N, history, F)`, oldest first.
    """
    history = memory.shape[1]
    for i in range(words.shape[0]):
        if marked[i]:
            for j in range(len(kinds)):
                value = own[i, j] if kinds[j] == _OWN_FORMULA else _value(kinds[j], which[j], words[i])
                now = min(max(np.float32(value), low[j]), high[j])
                for age in range(history - 1):
                    memory[i, age, j] = now if fresh[i] else memory[i, age + 1, j]
                memory[i, history - 1, j] = now
            fresh[i] = False
        observations[i] = memory[i]


@dataclass(frozen=True)
class Feature:
    """One number of the observation.

    Attributes:
        formula: How it is computed, with its unit.
        low: Least value; smaller ones are cut.
        high: Largest value; larger ones are cut.
        kind: Which formula of `_value`; a feature of your own has `compute` instead.
        which: What it is about: levels, decisions, a side.
        compute: From rows `(N,)` of `VIEW` to values `(N,)`.
    """

    formula: str
    low: float
    high: float
    kind: int = _OWN_FORMULA
    which: int = 0
    compute: Callable[[Rows], NDArray[Any]] | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low must be less than high, got {self.low} and {self.high}")
        if (self.compute is not None) != (self.kind == _OWN_FORMULA) or not isinstance(self.kind, int):
            raise ValueError(f"a feature of your own needs its formula as compute=…, got {self.formula!r} without")


FEATURES: dict[str, Feature] = {
    "inventory": Feature("left / parent", 0, 1, _INVENTORY),
    "time": Feature("elapsed / window", 0, 1, _TIME),
    "schedule_deviation": Feature("filled / parent − elapsed / window", -1, 1, _SCHEDULE_DEVIATION),
    **{
        f"imbalance_{n}": Feature(
            f"side · (bid − ask) / (bid + ask) shares of the {n} best levels; 0 if there are none",
            -1,
            1,
            _IMBALANCE,
            n,
        )
        for n in range(1, LEVELS + 1)
    },
    "imbalance_total": Feature(
        "side · (bid − ask) / (bid + ask) shares of all visible levels; 0 if there are none", -1, 1, _IMBALANCE_TOTAL
    ),
    **{
        f"{whose}_depth_{name}": Feature(
            f"log10(1 + shares of {what} on the {whose} side of the parent order) / 5", 0, 2, _DEPTH, side + levels
        )
        for whose, side in (("own", _OWN), ("opposite", _OPPOSITE))
        for name, what, levels in (
            ("1", "the best level", 1),
            ("5", "the five best levels", 5),
            ("total", "all visible levels", _ALL),
        )
    },
    "spread": Feature("(best ask − best bid) / 10 cents; 10 if a side is empty", 0, 10, _SPREAD),
    **{
        f"{whose}_best": Feature(
            f"side · (best price of the {whose} side − arrival) / arrival, basis points; 0 if there is none",
            -50,
            50,
            _BEST,
            side,
        )
        for whose, side in (("own", _OWN), ("opposite", _OPPOSITE))
    },
    **{
        f"return_{n}": Feature(
            f"side · (mid − mid {n} decision{'s' if n > 1 else ''} ago) / arrival, basis points", -50, 50, _RETURN, n
        )
        for n in range(1, PAST_MIDS + 1)
    },
    "direction": Feature("side · (mid − last trade), cents", -20, 20, _DIRECTION),
    "resting": Feature("own resting shares / shares of an even schedule in one interval", 0, 10, _RESTING),
    "resting_distance": Feature(
        "side · (own side's best − own resting price), cents; 0 without a resting order", -20, 20, _RESTING_DISTANCE
    ),
}
"""Every feature by name; add your own, with a `compute`."""


class Observer:
    """Makes observations of raw views and remembers the last ones of each market.

    Args:
        features: Names of `FEATURES`, in the order of the observation.
        history: Number of decisions stacked, oldest first; before the first, it is repeated.
        markets: Number of markets N.

    Raises:
        ConfigError: If a name is not a feature.

    Attributes:
        low: Least observation, float32, shape `(F · history,)`.
        high: Largest observation.
        names: Name of each element; earlier decisions carry a suffix `@-k`.
    """

    def __init__(self, features: Sequence[str], history: int = 1, markets: int = 1) -> None:
        for name in features:
            if name not in FEATURES:
                raise ConfigError(f"unknown feature {name!r}; allowed: {', '.join(FEATURES)}")
        self._features = [FEATURES[name] for name in features]
        self._kinds = np.array([feature.kind for feature in self._features])
        self._which = np.array([feature.which for feature in self._features])
        self._own = [(column, f.compute) for column, f in enumerate(self._features) if f.compute is not None]
        self._own_values = np.zeros((markets, len(features)))
        self._low = np.array([feature.low for feature in self._features], dtype=np.float32)
        self._high = np.array([feature.high for feature in self._features], dtype=np.float32)
        self._memory = np.zeros((markets, history, len(features)), dtype=np.float32)
        self._fresh = np.ones(markets, dtype=bool)
        self._all = np.ones(markets, dtype=bool)
        self.low = np.tile(self._low, history)
        self.high = np.tile(self._high, history)
        self.names = [name + (f"@-{age}" if age else "") for age in reversed(range(history)) for name in features]

    def reset(self, markets: NDArray[np.bool_] | None = None) -> None:
        """Forget the past of the marked markets, by default of all."""
        self._fresh[... if markets is None else markets] = True

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return what is remembered, as copies of plain arrays."""
        return {"memory": self._memory.copy(), "fresh": self._fresh.copy()}

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> Floats:
        """Remember what a state of as many markets holds, and return the last observations `(N, F · history)`.

        Raises:
            ValueError: If the state is of other features or another number of markets.
        """
        if state["memory"].shape != self._memory.shape:
            raise ValueError(f"the state is of observations {state['memory'].shape}, not {self._memory.shape}")
        self._memory[:] = state["memory"]
        self._fresh[:] = state["fresh"]
        return self._memory.reshape(len(self._memory), -1).copy()

    def observe(self, rows: Rows, markets: NDArray[np.bool_] | None = None) -> Floats:
        """Return the observations `(N, F · history)` of rows `(N,)`, cut to their ranges, and remember them.

        With `markets` `(N,)`, only the rows of the marked ones are looked at; the others' last observation is returned.
        """
        seen = rows
        if self._own:
            # A formula of somebody's own must not write into the market.
            seen = rows.view()
            seen.flags.writeable = False
        for column, compute in self._own:
            self._own_values[:, column] = compute(seen)
        observations = np.empty_like(self._memory)
        _observe(
            words_of(rows),
            self._kinds,
            self._which,
            self._own_values,
            self._low,
            self._high,
            self._memory,
            self._fresh,
            self._all if markets is None else markets,
            observations,
        )
        return observations.reshape(len(rows), -1)
