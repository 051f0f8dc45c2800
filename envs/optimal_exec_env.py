"""The execution problem as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Literal
from typing import Protocol

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from abides_core.engines import AUTO
from agents.actions import make_actions
from agents.execution_agent import Decision
from agents.features import Observer
from agents.policy import decision_of
from agents.reward import Reward
from agents.reward import fill_rows
from agents.views import Rows
from agents.views import View
from configs import ConfigError
from configs import Experiment
from configs import experiment_from
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from configs.models import Side
from envs.kernel_market import KernelMarket
from envs.stand_in_market import StandInMarket

Observation = NDArray[np.float32]
DRAWS = 20
"""Markets that an unseeded `reset` tries before it gives up: one that never has both sides in the window is skipped."""


class ExecutionMarket(Protocol):
    """A market that a parent order is worked in, from decision to decision."""

    finished: bool

    def start(self, seed: int, side: Side) -> View:
        """Begin the market of a seed and return the first view."""

    def step(self, decision: Decision) -> View:
        """Carry out a decision and return the view at the next one or at the end."""


MARKETS = ("abides", "stand-in")


class OptimalExecEnv(gymnasium.Env[Observation, np.int64]):
    """Work one parent order in a market that reacts to it.

    An episode is one parent order. It terminates when the order is filled or its window ends: the horizon is part of
    the task, so the end of the window is a termination, not a truncation, and nothing follows it that a value could be
    bootstrapped from. An episode is never truncated.

    The observation is a float32 vector of the configured features (`agents.features.FEATURES` gives each one's formula
    and range), `history` decisions stacked, oldest first. An action is a number of the configured action set
    (`agents.actions`).

    Args:
        experiment: An experiment, the mapping of one, or the name or path of its YAML file.
        market: `abides` (the simulated market of the experiment) or `stand-in` (`MarketSimulator`).
        seeds: Range `A:B` from which an unseeded `reset` draws its market; by default the training range.
        engine: Engine of the simulated market, as for `abides.run`; all give the same tape.

    Attributes:
        experiment: The experiment.
        action_set: What the actions mean.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  declared so by Gymnasium

    def __init__(
        self,
        experiment: Experiment | Mapping[str, Any] | str | Path = "quick",
        *,
        market: Literal["abides", "stand-in"] = "abides",
        seeds: str | None = None,
        engine: str = AUTO,
    ) -> None:
        if isinstance(experiment, Mapping):
            experiment = experiment_from(dict(experiment))
        elif isinstance(experiment, str | Path):
            experiment = load_experiment(experiment)
        if market not in MARKETS:
            raise ConfigError(f"unknown market {market!r}; allowed: {', '.join(MARKETS)}")
        self.experiment = experiment
        self._market: ExecutionMarket = (
            KernelMarket(experiment, engine) if market == "abides" else StandInMarket(experiment)
        )
        self._seeds = parse_seeds(seeds if seeds is not None else load_seed_ranges().train)
        self._reward = Reward(experiment.reward)

        # State space: the configured features; action space: the configured child orders.
        self._observer = Observer(experiment.observation.features, experiment.observation.history)
        self.observation_space = spaces.Box(self._observer.low, self._observer.high, dtype=np.float32)
        self.action_set = make_actions(experiment.actions)
        self.action_space = spaces.Discrete(self.action_set.n)

        self._rows: Rows | None = None
        self._market_seed = -1
        self._side: Side = "buy"
        self._gain = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: Seed of the environment's random numbers and of the market; without it the market's is drawn.
            options: `market_seed` (takes precedence for the market) and `side` (`buy` or `sell`), both optional.

        Raises:
            ValueError: If an option is unknown or a side is neither of the two.
            RuntimeError: If the market given, or every one drawn, never has both sides in the window.
        """
        super().reset(seed=seed, options=options)
        chosen = dict(options or {})
        market_seed = chosen.pop("market_seed", seed)
        side = chosen.pop("side", self.experiment.order.side)
        if chosen:
            raise ValueError(f"unknown option {next(iter(chosen))!r}; allowed: market_seed, side")
        drawn = market_seed is None
        if drawn:
            market_seed = self._draw_seed()
        if side == "both":
            side = ("buy", "sell")[int(self.np_random.integers(2))]
        if side not in ("buy", "sell"):
            raise ValueError(f"side must be 'buy' or 'sell', got {side!r}")
        view = self._market.start(market_seed, side)
        attempts = 1
        while self._market.finished:  # without an arrival price there is nothing to decide
            if not drawn or attempts == DRAWS:
                raise RuntimeError(f"the market of seed {market_seed} never had both sides in the window")
            market_seed = self._draw_seed()
            view = self._market.start(market_seed, side)
            attempts += 1
        self._market_seed, self._side = market_seed, side
        self._gain = 0.0
        self._observer.reset()
        return self._observe(view), self._info(view)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out an action and run to the next decision, or to the end of the parent order."""
        if not self.action_space.contains(action):
            raise ValueError(f"action {action!r} is not a whole number from 0 to {self.action_set.n - 1}")
        rows = self.rows
        view = self._market.step(decision_of(self.action_set, int(action), rows))
        fills = fill_rows(view.fills)
        implementation_shortfall = self._reward.implementation_shortfall(fills, rows)[0]
        impact_penalty = self._reward.impact_penalty(fills, rows)[0]
        reward = implementation_shortfall - impact_penalty
        self._gain += sum(f.quantity * view.side * (view.arrival2 / 2 - f.price) for f in view.fills)
        terminated = self._market.finished
        if terminated:
            reward -= self._reward.completion_penalty(np.array([view.left]), rows)[0]
        observation = self._observe(view)
        if terminated:
            self._rows = None
        return observation, float(reward), terminated, False, self._info(view)

    def _draw_seed(self) -> int:
        return self._seeds[int(self.np_random.integers(len(self._seeds)))]

    @property
    def rows(self) -> Rows:
        """The raw view that the next action answers, one row of `agents.views.VIEW`."""
        if self._rows is None:
            raise RuntimeError("no episode in progress: call reset before step")
        return self._rows

    def _observe(self, view: View) -> Observation:
        self._rows = view.rows()
        return self._observer.observe(self._rows)[0]

    def _info(self, view: View) -> dict[str, Any]:
        info: dict[str, Any] = {
            "market_seed": self._market_seed,
            "side": self._side,
            "time": view.time,
            "filled": view.filled,
            "left": view.left,
        }
        if self._market.finished:
            opportunity = view.left * view.side * (view.arrival2 - view.mid2) / 2
            info["completion"] = view.filled / view.parent
            info["shortfall_cents"] = (self._gain + opportunity) / view.parent
        return info
