"""Action sets: from the number of an action to child orders, one row a market."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.views import Rows
from configs.models import ActionConfig
from configs.models import LotActions
from configs.models import ParticipationActions
from configs.models import PlacementActions

DECISION = np.dtype([("market", np.int64), ("limit", np.int64), ("limit_price", np.int64), ("cancel", np.bool_)])
"""Child orders of one market: shares of a market order, shares and price (cents) of a limit order, whether resting
orders are cancelled first."""

Ints = NDArray[np.int64]


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


def _even_target(rows: Rows, intervals: float) -> NDArray[np.float64]:
    """Cumulative shares of an even schedule, some intervals from now."""
    target = rows["parent"] * (rows["elapsed"] + intervals * rows["interval"]) / rows["window"]
    return np.minimum(target, rows["parent"])


def _market_orders(quantity: NDArray[Any], rows: Rows) -> NDArray[Any]:
    orders = np.zeros(len(rows), dtype=DECISION)
    orders["market"] = np.clip(quantity, 0, rows["left"])
    orders["limit_price"] = -1
    return orders


def _others_best(rows: Rows, of: str) -> Ints:
    """Best price of one side of the book without the own resting order, cents; −1 where there is none."""
    price, size = rows[f"{of}_price"], rows[f"{of}_size"]
    alone = (rows["resting"] > 0) & (price[:, 0] == rows["resting_price"]) & (size[:, 0] <= rows["resting"])
    return np.where(alone, price[:, 1], price[:, 0])


class Lots(ActionSet):
    """Market orders of 0, 1, …, k lots (arXiv 2411.06389, section IV)."""

    def __init__(self, config: LotActions) -> None:
        self.n = config.largest + 1
        self.idle_action = 0
        self.fastest_action = config.largest
        self._lot = config.lot

    def decode(self, actions: Ints, rows: Rows) -> NDArray[Any]:
        """Return market orders of `action` lots."""
        return _market_orders(actions * self._lot, rows)

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
        self._corridor = config.corridor
        self.n = len(self._multipliers)
        self.idle_action = int(self._multipliers.argmin())
        self.fastest_action = int(self._multipliers.argmax())

    def decode(self, actions: Ints, rows: Rows) -> NDArray[Any]:
        """Return market orders of the chosen multiple.

        With a corridor c the executed fraction after the order lies between t − min(c, 1 − t) and min(1, t + c), t
        being the elapsed fraction at the end of the interval: at the end of the window it is 1.
        """
        slice_shares = rows["parent"] * rows["interval"] / rows["window"]
        quantity = np.rint(self._multipliers[actions] * slice_shares)
        if self._corridor is not None:
            elapsed = np.minimum(1.0, (rows["elapsed"] + rows["interval"]) / rows["window"])
            low = elapsed - np.minimum(self._corridor, 1 - elapsed)
            high = np.minimum(1.0, elapsed + self._corridor)
            floor = np.ceil(low * rows["parent"] - 1e-9) - rows["filled"]
            ceiling = np.floor(high * rows["parent"] + 1e-9) - rows["filled"]
            quantity = np.clip(quantity, floor, np.maximum(floor, ceiling))
        return _market_orders(quantity, rows)

    def twap_action(self, rows: Rows) -> Ints:
        """Return the multiple closest to 1."""
        return np.full(len(rows), np.abs(self._multipliers - 1).argmin(), dtype=np.int64)

    def labels(self) -> list[str]:
        """Return the multiple of each action."""
        return [f"{multiplier:g}× even rate" for multiplier in self._multipliers]


class Placement(ActionSet):
    """One limit order at, inside or behind the touch, or a market order, for what the even schedule has due."""

    def __init__(self, config: PlacementActions) -> None:
        self._placements = np.array(config.placements)
        self._slices = config.slices
        self.n = len(self._placements)
        rank = {"hold": 0, "behind": 1, "at": 2, "inside": 3, "cross": 4}
        ranks = [rank[name] for name in config.placements]
        self.idle_action = int(np.argmin(ranks))
        self.fastest_action = int(np.argmax(ranks))

    def decode(self, actions: Ints, rows: Rows) -> NDArray[Any]:
        """Return the child orders of the chosen placements.

        The quantity brings the filled shares to the even schedule `slices` intervals from now. A resting order that
        is already at the wanted price keeps its place in the queue and is only added to. The touch is that of others:
        a resting order that is alone at the best price is left out, lest it be placed inside or behind itself.
        """
        placement = self._placements[actions]
        side, bid, ask = rows["side"], _others_best(rows, "bid"), _others_best(rows, "ask")
        due = np.clip(np.rint(_even_target(rows, self._slices)) - rows["filled"], 0, rows["left"]).astype(np.int64)
        own, opposite = np.where(side > 0, bid, ask), np.where(side > 0, ask, bid)
        touch = np.where(own >= 0, own, opposite - side)  # an empty own side: one tick from the opposite best
        inside = touch + side
        crosses = (opposite >= 0) & (side * (inside - opposite) >= 0)
        price = np.select(
            [placement == "behind", placement == "inside"],
            [touch - side, np.where(crosses, touch, inside)],
            default=touch,
        )
        quotes = np.isin(placement, ("behind", "at", "inside")) & ((own >= 0) | (opposite >= 0)) & (price > 0)
        crossing = placement == "cross"
        keeps = quotes & (rows["resting"] > 0) & (rows["resting_price"] == price)
        orders = np.zeros(len(rows), dtype=DECISION)
        orders["market"] = np.where(crossing, due, 0)
        orders["limit"] = np.where(quotes, np.where(keeps, np.maximum(due - rows["resting"], 0), due), 0)
        orders["limit_price"] = np.where(orders["limit"] > 0, price, -1)
        orders["cancel"] = ((quotes & ~keeps) | crossing) & (rows["resting"] > 0)
        return orders

    def twap_action(self, rows: Rows) -> Ints:
        """Return the most aggressive placement, which trades what is due."""
        return np.full(len(rows), self.fastest_action, dtype=np.int64)

    def labels(self) -> list[str]:
        """Return the placement of each action."""
        return [str(name) for name in self._placements]
