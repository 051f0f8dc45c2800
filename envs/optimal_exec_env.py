"""The execution problem as a Gymnasium environment."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from abides_core.engines import AUTO
from agents.actions import make_actions
from agents.features import Observer
from agents.reward import Reward
from agents.views import Rows
from agents.views import copy_of
from agents.views import words_of
from configs import Experiment
from envs.episodes import Episodes
from envs.episodes import as_experiment
from envs.markets import MarketKind
from envs.markets import make_markets

Observation = NDArray[np.float32]


class OptimalExecEnv(gymnasium.Env[Observation, np.int64]):
    """Work one parent order in a market that reacts to it.

    An episode is one parent order. It terminates when the order is filled or its window ends: the horizon is part of
    the task, so the end of the window is a termination, not a truncation, and nothing follows it that a value could be
    bootstrapped from. An episode is never truncated.

    The observation is a float32 vector of the configured features (`agents.features.FEATURES` gives each one's formula
    and range), `history` decisions stacked, oldest first. An action is a number of the configured action set
    (`agents.actions`). `OptimalExecVectorEnv` steps many of these side by side.

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
        market: MarketKind = "abides",
        seeds: str | None = None,
        engine: str = AUTO,
    ) -> None:
        self.experiment = as_experiment(experiment)
        self._markets = make_markets(self.experiment, market, engine, 1)
        self._episodes = Episodes(self.experiment, self._markets, seeds)
        self._reward = Reward(self.experiment.reward)

        # State space: the configured features; action space: the configured child orders.
        self._observer = Observer(self.experiment.observation.features, self.experiment.observation.history)
        self.observation_space = spaces.Box(self._observer.low, self._observer.high, dtype=np.float32)
        self.action_set = make_actions(self.experiment.actions)
        self.action_space = spaces.Discrete(self.action_set.n)
        self._action = np.zeros(1, dtype=np.int64)
        self._active = np.ones(1, dtype=np.bool_)
        self._before = copy_of(self._markets.rows)  # the view that the last action answered
        self._in_progress = False

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
        self._episodes.begin(0, self.np_random, seed, options)
        self._in_progress = True
        self._observer.reset()
        return self._observer.observe(self._markets.rows)[0], self._episodes.info(0)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out an action and run to the next decision, or to the end of the parent order."""
        try:
            number = operator.index(action)  # Gymnasium's `contains` takes a twentieth of the whole step
        except TypeError:
            number = -1
        if not 0 <= number < self.action_set.n:
            raise ValueError(f"action {action!r} is not a whole number from 0 to {self.action_set.n - 1}")
        self._check_in_progress()
        rows = self._before
        words_of(rows)[:] = words_of(self._markets.rows)
        self._action[0] = number
        self._markets.step(self.action_set.decode(self._action, rows), self._active)
        fills = self._markets.fills
        # implementation_shortfall - impact_penalty: the formula of all environments, in agents/reward.py.
        terms = self._reward.terms(fills, rows, self._markets.rows)
        reward = self._reward.of_step(terms)
        self._episodes.gains += terms.gain
        terminated = bool(self._markets.finished[0])
        if terminated:
            reward -= self._reward.completion_penalty(self._markets.rows["left"], rows)
            self._in_progress = False
        observation = self._observer.observe(self._markets.rows)[0]
        return observation, float(reward[0]), terminated, False, self._episodes.info(0)

    @property
    def rows(self) -> Rows:
        """The raw view that the next action answers, one row of `agents.views.VIEW`."""
        self._check_in_progress()
        return copy_of(self._markets.rows)

    def _check_in_progress(self) -> None:
        if not self._in_progress:
            raise RuntimeError("no episode in progress: call reset before step")
