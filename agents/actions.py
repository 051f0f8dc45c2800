"""Action sets: from the number of an action to child orders, one row a market."""

from __future__ import annotations

import math
from abc import ABC
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abides_markets.compiled import jit
from abides_markets.compiled import layout
from abides_markets.compiled.layout import VIEW_ASK_PRICE
from abides_markets.compiled.layout import VIEW_ASK_SIZE
from abides_markets.compiled.layout import VIEW_BID_PRICE
from abides_markets.compiled.layout import VIEW_BID_SIZE
from abides_markets.compiled.layout import VIEW_ELAPSED
from abides_markets.compiled.layout import VIEW_FILLED
from abides_markets.compiled.layout import VIEW_INTERVAL
from abides_markets.compiled.layout import VIEW_LEFT
from abides_markets.compiled.layout import VIEW_PARENT
from abides_markets.compiled.layout import VIEW_RESTING
from abides_markets.compiled.layout import VIEW_RESTING_PRICE
from abides_markets.compiled.layout import VIEW_SIDE
from abides_markets.compiled.layout import VIEW_WINDOW
from agents.views import Rows
from agents.views import words_of
from configs.models import ActionConfig
from configs.models import LotActions
from configs.models import ParticipationActions
from configs.models import PlacementActions

entry_point = jit.beside(__file__, layout.__file__)

DECISION = np.dtype([("market", np.int64), ("limit", np.int64), ("limit_price", np.int64), ("cancel", np.int64)])
"""Child orders of one market: shares of a market order, shares and price (cents) of a limit order, whether resting
orders are cancelled first (1 or 0)."""

Ints = NDArray[np.int64]
PLACEMENTS = ("hold", "behind", "at", "inside", "cross")
"""Placements, from the one that trades least to the one that trades most."""
_HOLD, _BEHIND, _, _INSIDE, _CROSS = range(5)


class ActionSet(ABC):
    """A discrete set of actions.

    Attributes:
        n: Number of actions.
        idle_action: The action that trades least.
        fastest_action: The action that trades most.
    """

    n: int
    idle_action: int
    fastest_action: int

    @abstractmethod
    def decode(self, actions: Ints, rows: Rows) -> NDArray[Any]:
        """Return the child orders `(N,)` of `DECISION` for actions `(N,)` and views `(N,)`."""

    @abstractmethod
    def twap_action(self, rows: Rows) -> Ints:
        """Return for each view `(N,)` the action that keeps closest to an even schedule."""

    @abstractmethod
    def labels(self) -> list[str]:
        """Return a short name of each action."""


def make_actions(config: ActionConfig) -> ActionSet:
    """Return the action set that a configuration names."""
    match config:
        case LotActions():
            return Lots(config)
        case ParticipationActions():
            return Participation(config)
        case PlacementActions():
            return Placement(config)


def _room(count: int) -> Ints:
    """Return words `(N, 4)` for child orders."""
    return np.empty((count, DECISION.itemsize // 8), dtype=np.int64)


def _decisions(orders: Ints) -> NDArray[Any]:
    """Return words `(N, 4)` as child orders `(N,)` of `DECISION`; the memory is shared."""
    return orders.view(DECISION)[:, 0]


def _even_target(rows: Rows, intervals: float) -> NDArray[np.float64]:
    """Cumulative shares of an even schedule, some intervals from now."""
    target = rows["parent"] * (rows["elapsed"] + intervals * rows["interval"]) / rows["window"]
    return np.minimum(target, rows["parent"])


@jit.compiled
def _send_market_order(quantity: int, v: Ints, order: Ints) -> None:
    """Write a market order, as far as it is left, into words `(4,)` of `DECISION`."""
    order[0] = min(max(quantity, 0), v[VIEW_LEFT])
    order[1] = 0
    order[2] = -1
    order[3] = 0


@entry_point
def _send_lots(actions: Ints, words: Ints, lot: int, orders: Ints) -> None:
    """Write market orders `(N, 4)` of `action` lots."""
    for i in range(len(actions)):
        _send_market_order(actions[i] * lot, words[i], orders[i])


@entry_point
def _participate(actions: Ints, words: Ints, multipliers: NDArray[np.float64], corridor: float, orders: Ints) -> None:
    """Write market orders `(N, 4)` of a multiple of the even rate, within the corridor if it is not negative."""
    for i in range(len(actions)):
        v = words[i]
        parent = v[VIEW_PARENT]
        quantity = np.rint(multipliers[actions[i]] * (parent * v[VIEW_INTERVAL] / v[VIEW_WINDOW]))
        if corridor >= 0:
            elapsed = min(1.0, (v[VIEW_ELAPSED] + v[VIEW_INTERVAL]) / v[VIEW_WINDOW])
            low = elapsed - min(corridor, 1 - elapsed)
            high = min(1.0, elapsed + corridor)
            floor = math.ceil(low * parent - 1e-9) - v[VIEW_FILLED]
            ceiling = math.floor(high * parent + 1e-9) - v[VIEW_FILLED]
            quantity = min(max(quantity, floor), max(floor, ceiling))
        _send_market_order(np.int64(quantity), v, orders[i])


@jit.compiled
def _others_best(v: Ints, price: int, size: int) -> int:
    """Return the best price of one side of the book without the own resting order, cents; −1 where there is none."""
    alone = v[VIEW_RESTING] > 0 and v[price] == v[VIEW_RESTING_PRICE] and v[size] <= v[VIEW_RESTING]
    return v[price + 1] if alone else v[price]


@entry_point
def _place(actions: Ints, words: Ints, placements: Ints, slices: float, orders: Ints) -> None:
    """Write the child orders `(N, 4)` of each placement."""
    for i in range(len(actions)):
        v = words[i]
        placement = placements[actions[i]]
        side = v[VIEW_SIDE]
        bid = _others_best(v, VIEW_BID_PRICE, VIEW_BID_SIZE)
        ask = _others_best(v, VIEW_ASK_PRICE, VIEW_ASK_SIZE)
        target = v[VIEW_PARENT] * (v[VIEW_ELAPSED] + slices * v[VIEW_INTERVAL]) / v[VIEW_WINDOW]
        due = np.int64(np.rint(min(target, v[VIEW_PARENT]))) - v[VIEW_FILLED]
        due = min(max(due, 0), v[VIEW_LEFT])
        own, opposite = (bid, ask) if side > 0 else (ask, bid)
        price = own if own >= 0 else opposite - side  # an empty own side: one tick from the opposite best
        if placement == _BEHIND:
            price -= side
        elif placement == _INSIDE and (opposite < 0 or side * (price + side - opposite) < 0):
            price += side
        quotes = placement not in (_HOLD, _CROSS) and (own >= 0 or opposite >= 0) and price > 0
        keeps = quotes and v[VIEW_RESTING] > 0 and v[VIEW_RESTING_PRICE] == price
        limit = 0
        if quotes:
            limit = max(due - v[VIEW_RESTING], 0) if keeps else due
        orders[i, 0] = due if placement == _CROSS else 0
        orders[i, 1] = limit
        orders[i, 2] = price if limit > 0 else -1
        orders[i, 3] = ((quotes and not keeps) or placement == _CROSS) and v[VIEW_RESTING] > 0


class Lots(ActionSet):
    """Market orders of 0, 1, …, k lots (arXiv 2411.06389, section IV)."""

    def __init__(self, config: LotActions) -> None:
        self.n = config.largest + 1
        self.idle_action = 0
        self.fastest_action = config.largest
        self._lot = config.lot

    def decode(self, actions: Ints, rows: Rows) -> NDArray[Any]:
        """Return market orders of `action` lots."""
        orders = _room(len(rows))
        _send_lots(actions, words_of(rows), self._lot, orders)
        return _decisions(orders)

    def twap_action(self, rows: Rows) -> Ints:
        """Return the lots that bring the filled quantity closest to the even schedule."""
        due = _even_target(rows, 1) - rows["filled"]
        return np.clip(np.rint(due / self._lot), 0, self.n - 1).astype(np.int64)

    def labels(self) -> list[str]:
        """Return the shares of each action."""
        return [f"{index * self._lot} shares" for index in range(self.n)]


class Participation(ActionSet):
    """Market orders of a multiple of the even schedule's rate, within a corridor around it."""

    def __init__(self, config: ParticipationActions) -> None:
        self._multipliers = np.array(config.multipliers, dtype=np.float64)
        self._corridor = config.corridor if config.corridor is not None else -1.0
        self.n = len(self._multipliers)
        self.idle_action = int(self._multipliers.argmin())
        self.fastest_action = int(self._multipliers.argmax())

    def decode(self, actions: Ints, rows: Rows) -> NDArray[Any]:
        """Return market orders of the chosen multiple.

        With a corridor c the executed fraction after the order lies between t − min(c, 1 − t) and min(1, t + c), t
        being the elapsed fraction at the end of the interval: at the end of the window it is 1.
        """
        orders = _room(len(rows))
        _participate(actions, words_of(rows), self._multipliers, self._corridor, orders)
        return _decisions(orders)

    def twap_action(self, rows: Rows) -> Ints:
        """Return the multiple closest to 1."""
        return np.full(len(rows), np.abs(self._multipliers - 1).argmin(), dtype=np.int64)

    def labels(self) -> list[str]:
        """Return the multiple of each action."""
        return [f"{multiplier:g}× even rate" for multiplier in self._multipliers]


class Placement(ActionSet):
    """One limit order at, inside or behind the touch, or a market order, for what the even schedule has due."""

    def __init__(self, config: PlacementActions) -> None:
        self._placements = np.array([PLACEMENTS.index(name) for name in config.placements])
        self._slices = float(config.slices)
        self.n = len(self._placements)
        self.idle_action = int(self._placements.argmin())
        self.fastest_action = int(self._placements.argmax())

    def decode(self, actions: Ints, rows: Rows) -> NDArray[Any]:
        """Return the child orders of the chosen placements.

        The quantity brings the filled shares to the even schedule `slices` intervals from now. A resting order that
        is already at the wanted price keeps its place in the queue and is only added to. The touch is that of others:
        a resting order that is alone at the best price is left out, lest it be placed inside or behind itself.
        """
        orders = _room(len(rows))
        _place(actions, words_of(rows), self._placements, self._slices, orders)
        return _decisions(orders)

    def twap_action(self, rows: Rows) -> Ints:
        """Return the most aggressive placement, which trades what is due."""
        return np.full(len(rows), self.fastest_action, dtype=np.int64)

    def labels(self) -> list[str]:
        """Return the placement of each action."""
        return [PLACEMENTS[placement] for placement in self._placements]
