"""Episodes of N execution markets: which market each runs in, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abides_markets.compiled.layout import VIEW_ARRIVAL2
from abides_markets.compiled.layout import VIEW_FILLED
from abides_markets.compiled.layout import VIEW_LEFT
from abides_markets.compiled.layout import VIEW_MID2
from abides_markets.compiled.layout import VIEW_PARENT
from abides_markets.compiled.layout import VIEW_SIDE
from agents.views import words_of
from configs import Experiment
from configs import experiment_from
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from configs.models import Side
from envs.markets import ExecutionMarkets

DRAWS = 20
"""Markets that an unseeded `reset` tries before it gives up: one that never has both sides in the window is skipped."""


def as_experiment(experiment: Experiment | Mapping[str, Any] | str | Path) -> Experiment:
    """Return an experiment, read from the mapping of one, or from the name or path of its YAML file."""
    if isinstance(experiment, Mapping):
        return experiment_from(dict(experiment))
    if isinstance(experiment, str | Path):
        return load_experiment(experiment)
    return experiment


class Episodes:
    """The episodes in progress in N markets.

    Args:
        experiment: The experiment.
        markets: The markets.
        seeds: Range `A:B` from which markets are drawn; by default the training range.

    Attributes:
        market_seeds: Seed of each market, `(N,)`.
        sides: Side of each parent order.
        gains: Σ q·s·(arrival − price) over the fills of each episode so far, cents, `(N,)`.
    """

    def __init__(self, experiment: Experiment, markets: ExecutionMarkets, seeds: str | None) -> None:
        self._side = experiment.order.side
        self._markets = markets
        self._seeds = parse_seeds(seeds if seeds is not None else load_seed_ranges().train)
        count = len(markets.rows)
        self.market_seeds = np.full(count, -1, dtype=np.int64)
        self.sides: list[Side] = ["buy"] * count
        self.gains = np.zeros(count)

    def begin(
        self, index: int, np_random: np.random.Generator, seed: int | None, options: dict[str, Any] | None
    ) -> None:
        """Begin an episode.

        Args:
            index: In which of the N markets.
            np_random: Random numbers of the episode: the market without a seed, the side if it may be both.
            seed: Seed of the market; without it one is drawn.
            options: `market_seed` (takes precedence) and `side` (`buy` or `sell`), both optional.

        Raises:
            ValueError: If an option is unknown, a seed no whole number, or a side neither of the two.
            RuntimeError: If the market given, or every one drawn, never has both sides in the window.
        """
        chosen = dict(options or {})
        market_seed = chosen.pop("market_seed", seed)
        side = chosen.pop("side", self._side)
        if chosen:
            raise ValueError(f"unknown option {next(iter(chosen))!r}; allowed: market_seed, side")
        drawn = market_seed is None
        if drawn:
            market_seed = self._draw_seed(np_random)
        elif isinstance(market_seed, bool) or not isinstance(market_seed, int | np.integer):
            raise ValueError(f"the seed of a market must be a whole number, got {market_seed!r}")
        if side == "both":
            side = ("buy", "sell")[int(np_random.integers(2))]
        if side not in ("buy", "sell"):
            raise ValueError(f"side must be 'buy' or 'sell', got {side!r}")
        self._markets.start(index, market_seed, side)
        attempts = 1
        while self._markets.finished[index]:  # without an arrival price there is nothing to decide
            if not drawn or attempts == DRAWS:
                raise RuntimeError(f"the market of seed {market_seed} never had both sides in the window")
            market_seed = self._draw_seed(np_random)
            self._markets.start(index, market_seed, side)
            attempts += 1
        self.market_seeds[index] = market_seed
        self.sides[index] = side
        self.gains[index] = 0.0

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return the episodes in progress, without their markets, as copies of plain arrays."""
        return {"market_seeds": self.market_seeds.copy(), "sides": np.array(self.sides), "gains": self.gains.copy()}

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on with the episodes of a state of as many markets."""
        self.market_seeds[:] = state["market_seeds"]
        self.sides[:] = state["sides"].tolist()
        self.gains[:] = state["gains"]

    def _draw_seed(self, np_random: np.random.Generator) -> int:
        return self._seeds[int(np_random.integers(len(self._seeds)))]

    def info(self, index: int) -> dict[str, Any]:
        """Return what is known of an episode besides its observation.

        Returns:
            `market_seed`, `side`, `time` (ns), `filled` and `left` (shares), and at the end `completion` (fraction of
            the parent order) and `shortfall_cents` (per share of the parent order, positive is better).
        """
        view = words_of(self._markets.rows)[index]  # words: a structured row is slower to read
        left = int(view[VIEW_LEFT])
        info: dict[str, Any] = {
            "market_seed": int(self.market_seeds[index]),
            "side": self.sides[index],
            "time": int(self._markets.times[index]),
            "filled": int(view[VIEW_FILLED]),
            "left": left,
        }
        if self._markets.finished[index]:
            parent = int(view[VIEW_PARENT])
            opportunity = left * int(view[VIEW_SIDE]) * int(view[VIEW_ARRIVAL2] - view[VIEW_MID2]) / 2
            info["completion"] = info["filled"] / parent
            info["shortfall_cents"] = float(self.gains[index] + opportunity) / parent
        return info
