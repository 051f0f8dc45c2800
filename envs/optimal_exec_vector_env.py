"""The execution problem in many markets at once, as a Gymnasium vector environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from abides_core.engines import AUTO
from agents.actions import make_actions
from agents.features import Observer
from agents.reward import Reward
from agents.views import Rows
from agents.views import copy_of
from configs import Experiment
from envs.episodes import Episodes
from envs.episodes import as_experiment
from envs.markets import MarketKind
from envs.markets import make_markets

Observations = NDArray[np.float32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Step = tuple[Observations, Floats, Bools, Bools, dict[str, Any]]


class OptimalExecVectorEnv(VectorEnv[Observations, NDArray[np.int64], NDArray[Any]]):
    """Work one parent order in each of N markets: `OptimalExecEnv` N times, number for number.

    On the compiled engine one call steps all markets. Which of them begins anew, and when, is as `autoreset_mode` says
    and as Gymnasium's `SyncVectorEnv` does it.

    Args:
        num_envs: Number of markets N.
        experiment: An experiment, the mapping of one, or the name or path of its YAML file.
        market: `abides` (the simulated market of the experiment) or `stand-in` (`MarketSimulator`).
        seeds: Range `A:B` from which an unseeded reset draws a market; by default the training range.
        engine: Engine of the simulated market, as for `abides.run`; all give the same tape.
        autoreset_mode: `NEXT_STEP` (the step after the end of an episode begins the next one, whatever the action, with
            a reward of 0), `SAME_STEP` (the step that ends an episode returns the first observation of the next one,
            and the last one as `final_obs` and `final_info` in the infos), or `DISABLED` (whoever steps it resets the
            finished markets, by `reset(options={"reset_mask": mask})`).

    Attributes:
        experiment: The experiment.
        action_set: What the actions mean.
    """

    def __init__(
        self,
        num_envs: int,
        experiment: Experiment | Mapping[str, Any] | str | Path = "quick",
        *,
        market: MarketKind = "abides",
        seeds: str | None = None,
        engine: str = AUTO,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        self.num_envs = num_envs
        self.experiment = as_experiment(experiment)
        self.autoreset_mode = _mode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self._markets = make_markets(self.experiment, market, engine, num_envs)
        self._episodes = Episodes(self.experiment, self._markets, seeds)
        self._reward = Reward(self.experiment.reward)
        observation = self.experiment.observation
        self._observer = Observer(observation.features, observation.history, num_envs)
        self.action_set = make_actions(self.experiment.actions)
        self.single_observation_space = spaces.Box(self._observer.low, self._observer.high, dtype=np.float32)
        self.single_action_space = spaces.Discrete(self.action_set.n)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._randoms: list[np.random.Generator | None] = [None] * num_envs
        self._everywhere = np.ones(num_envs, dtype=np.bool_)
        self._in_progress = np.zeros(num_envs, dtype=np.bool_)
        self._ended = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin an episode in every market.

        Args:
            seed: Seeds of the environments' random numbers and of their markets: one each, or the first of N in a row;
                without it the markets are drawn.
            options: `market_seed` and `side`, for all, as for `OptimalExecEnv.reset`; and `reset_mask`, bool `(N,)`:
                only the marked markets begin anew.

        Raises:
            ValueError: If there are not N seeds, the mask is none of N markets, or an option is unknown.
            RuntimeError: If a market given, or every one drawn, never has both sides in the window.
        """
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int | np.integer) else seed
        if seeds is not None and len(seeds) != self.num_envs:
            raise ValueError(f"there must be {self.num_envs} seeds, one for each market, got {len(seeds)}")
        chosen = dict(options or {})
        mask = np.asarray(chosen.pop("reset_mask", self._everywhere))
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(f"reset_mask must mark some of {self.num_envs} markets, got {mask!r}")
        for index in np.flatnonzero(mask).tolist():
            own = seeds[index] if seeds is not None else None
            if own is not None and not isinstance(own, int | np.integer):
                raise ValueError(f"seeds must be whole numbers, got {own!r}")
            own = None if own is None else int(own)
            if own is not None:
                self._randoms[index] = seeding.np_random(own)[0]
            self._begin(index, own, chosen)
        return self._observer.observe(self._markets.rows, mask), self._infos(mask)

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Carry out an action in each market and run it to the next decision, or to the end of its parent order."""
        given = np.asarray(actions)
        whole = given.dtype.kind in "iu" and given.shape == (self.num_envs,)
        if not whole or not ((given >= 0) & (given < self.action_set.n)).all():
            raise ValueError(
                f"actions must be {self.num_envs} whole numbers from 0 to {self.action_set.n - 1}, got {given.tolist()}"
            )
        actions = np.ascontiguousarray(given, dtype=np.int64)
        active = self._in_progress.copy()
        begins = self._ended
        if not (active | begins).all() or (begins.any() and self.autoreset_mode is AutoresetMode.DISABLED):
            waiting = np.flatnonzero(~active).tolist()
            raise RuntimeError(f"no episode in progress in markets {waiting}: call reset before step")
        rows = self.rows
        self._markets.step(self.action_set.decode(actions, rows), active)
        fills = self._markets.fills
        terms = self._reward.terms(fills, rows, self._markets.rows)
        rewards = np.where(active, self._reward.of_step(terms), 0.0)
        self._episodes.gains += terms.gain
        terminated = active & self._markets.finished
        if terminated.any():
            rewards -= terminated * self._reward.completion_penalty(self._markets.rows["left"], rows)
        for index in np.flatnonzero(begins).tolist():
            self._begin(index)
        observations = self._observer.observe(self._markets.rows)
        self._in_progress[terminated] = False
        self._ended = terminated.copy()
        infos = self._infos(self._everywhere)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and terminated.any():
            observations, infos = self._begin_at_once(terminated, observations)
        return observations, rewards, terminated, np.zeros(self.num_envs, dtype=np.bool_), infos

    @property
    def rows(self) -> Rows:
        """The raw views that the next actions answer, `(N,)` of `agents.views.VIEW`."""
        return copy_of(self._markets.rows)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return everything that decides how the episodes go on, running markets included.

        Returns:
            Plain arrays by name, copies all, for `numpy.savez` and `numpy.load(…, allow_pickle=False)`.
        """
        parts = {
            "markets": self._markets.get_state(),
            "episodes": self._episodes.get_state(),
            "observer": self._observer.get_state(),
        }
        state = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}
        states = [json.dumps(r.bit_generator.state) if r is not None else "" for r in self._randoms]
        state["randoms"] = np.array(states)
        state["in_progress"] = self._in_progress.copy()
        state["ended"] = self._ended.copy()
        return state

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> Observations:
        """Go on from a state of an environment of the same experiment, market, engine and number of markets.

        Returns:
            The observations `(N, F · history)` that the next actions answer.

        Raises:
            ValueError: If the state is of another number of markets, other features or another version of the engine.
        """
        self._markets.set_state(_part(state, "markets"))
        self._episodes.set_state(_part(state, "episodes"))
        self._randoms = [_generator(text) for text in state["randoms"].tolist()]
        self._in_progress[:] = state["in_progress"]
        self._ended[:] = state["ended"]
        return self._observer.set_state(_part(state, "observer"))

    def _begin(self, index: int, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        np_random = self._randoms[index]
        if np_random is None:
            np_random = self._randoms[index] = seeding.np_random()[0]
        self._episodes.begin(index, np_random, seed, options)
        self._in_progress[index] = True
        self._ended[index] = False
        self._observer.reset(np.arange(self.num_envs) == index)

    def _begin_at_once(self, terminated: Bools, observations: Observations) -> tuple[Observations, dict[str, Any]]:
        """Begin the next episode where one has ended; keep its last observation and info in the infos."""
        final = np.full(self.num_envs, None, dtype=object)
        for index in np.flatnonzero(terminated).tolist():
            final[index] = observations[index]
        final_info = self._infos(terminated)
        for index in np.flatnonzero(terminated).tolist():
            self._begin(index)
        observations = self._observer.observe(self._markets.rows, terminated)
        infos = {
            "final_obs": final,
            "_final_obs": terminated,
            "final_info": final_info,
            "_final_info": terminated,
            **self._infos(self._everywhere),
        }
        return observations, infos

    def _infos(self, mask: Bools) -> dict[str, Any]:
        """Return the infos of the marked markets as Gymnasium lays them out: an array a key, and where it holds."""
        rows = self._markets.rows
        sides = np.full(self.num_envs, None, dtype=object)
        sides[mask] = np.array(self._episodes.sides, dtype=object)[mask]
        infos: dict[str, Any] = {
            "market_seed": self._episodes.market_seeds * mask,
            "side": sides,
            "time": self._markets.times * mask,
            "filled": rows["filled"] * mask,
            "left": rows["left"] * mask,
        }
        infos.update({f"_{key}": mask.copy() for key in infos})
        ended = mask & self._markets.finished
        for index in np.flatnonzero(ended).tolist():
            for key in ("completion", "shortfall_cents"):
                infos.setdefault(key, np.zeros(self.num_envs))[index] = self._episodes.info(index)[key]
                infos[f"_{key}"] = ended
        return infos


def _part(state: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _generator(text: str) -> np.random.Generator | None:
    """Return a generator in a state written as JSON; None for an empty text."""
    if not text:
        return None
    generator = np.random.Generator(np.random.PCG64())
    generator.bit_generator.state = json.loads(text)
    return generator


def _mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return mode if isinstance(mode, AutoresetMode) else AutoresetMode(mode)
    except ValueError as error:
        allowed = ", ".join(m.value for m in AutoresetMode)
        raise ValueError(f"unknown autoreset_mode {mode!r}; allowed: {allowed}") from error
