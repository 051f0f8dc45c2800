"""Policy search: a linear policy, improved by trying out changes of its weights in whole episodes.

An action's effect on its own reward drowns in what the price does anyway; the effect of a changed policy on a whole
episode does not, measured against the even schedule of the same market (`reward.benchmark: twap`). So the gradient is
taken over policies instead of actions: parameter-exploring policy gradients with symmetric samples (Sehnke et al. 2010,
Neural Networks 23, section 3.2).
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import load_seed_ranges
from configs import parse_seeds
from configs.models import ParticipationActions
from envs import OptimalExecVectorEnv
from experiments.env_runner import EpisodeResult
from experiments.rollouts import MarketKind

Floats = NDArray[np.float64]
Rule = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.int64]]
"""Actions of all environments, from their observations and which of them matter."""
DRAWS = 100
"""Markets tried before the search gives up: one that never has both sides in the window is skipped."""
GRADIENT_MEMORY, SQUARE_MEMORY = 0.5, 0.9
"""β₁ and β₂ of Adam (Kingma and Ba 2015), short: there are tens of iterations, not thousands."""


def iteration_length(experiment: Experiment) -> int:
    """Most environment steps of an iteration: four episodes a market, in whole sets of environments."""
    lanes = experiment.training.envs // 2
    return 4 * lanes * -(-experiment.training.search.markets // lanes) * experiment.decisions


class PolicySearch:
    """A search in progress, with the face of `experiments.rllib_algorithm.ExecutionAlgorithm`.

    The policy trades `1 + w₀ + Σ wᵢ·zᵢ` times the even rate, by the nearest of the action set's multipliers; zᵢ is a
    feature less its mean, in its standard deviations, both as random actions meet them in the first iteration. In every
    further iteration each of `training.search.markets` markets runs four episodes: buy and sell, with the weights moved
    by σ·ε and by −σ·ε, ε standard normal. A step of Adam follows.

    Args:
        experiment: The experiment, with `training.algorithm: search`.
        market: Which market the episodes run on.

    Attributes:
        steps: Environment steps in all, over resumed processes too.
        updates: Steps of the weights in all.
        episodes: Results of the last iteration's episodes, with their changed weights.
        losses: Always empty: nothing is fitted.
        device: `cpu`.
    """

    device = "cpu"

    def __init__(self, experiment: Experiment, market: MarketKind) -> None:
        actions, training = experiment.actions, experiment.training
        assert isinstance(actions, ParticipationActions)  # `Experiment` makes sure of it where it reads the algorithm
        self._multipliers = np.array(actions.multipliers)
        self._training = training
        self._lanes = training.envs // 2  # markets at a time; each is bought in one environment and sold in another
        self._env = OptimalExecVectorEnv(2 * self._lanes, experiment, market=market)
        self._seeds = parse_seeds(load_seed_ranges().train)
        self._random = np.random.default_rng(training.seed)
        self._size = size = len(experiment.observation.features) * experiment.observation.history
        self._mean, self._sd = np.zeros(size), np.ones(size)
        self._weights = np.zeros(1 + size)
        self._gradient, self._square = np.zeros(1 + size), np.zeros(1 + size)
        self.steps = 0
        self.updates = 0
        sets = -(-training.search.markets // self._lanes)
        self.episodes: deque[EpisodeResult] = deque(maxlen=4 * self._lanes * sets)
        self.losses: deque[float] = deque()

    def stop(self) -> None:
        """Let the environments go."""
        self._env.close()

    def advance(self, steps: int) -> None:
        """Search for `steps` environment steps, rounded up to whole iterations."""
        goal = self.steps + steps
        while self.steps < goal:
            if self.steps == 0:
                self._measure_features()
            else:
                self._improve()

    def epsilon(self) -> float:
        """NaN: whole policies are tried, not actions."""
        return math.nan

    def learning_rate(self) -> float:
        """Length of a weight's next step."""
        return self._training.search.step * max(0.0, 1 - self.steps / self._training.steps)

    def numpy_policy(self, metadata: dict[str, Any]) -> NumpyPolicy:
        """The policy as it is now: the value of a multiplier m is −(m − rate)² up to what all have in common.

        Args:
            metadata: JSON values stored with it.
        """
        slope = self._weights[1:] / self._sd
        rate = 1 + self._weights[0] - slope @ self._mean
        weight = 2 * np.outer(slope, self._multipliers)
        bias = 2 * rate * self._multipliers - self._multipliers**2
        return NumpyPolicy([], Layer(weight.astype(np.float32), bias.astype(np.float32)), metadata=metadata)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write everything that the search needs to go on as if it had not stopped, in files without pickle."""
        folder = Path(checkpoint_dir)
        np.savez(
            folder / "weights.npz",
            weights=self._weights,
            gradient=self._gradient,
            square=self._square,
            mean=self._mean,
            sd=self._sd,
        )
        state = {
            "algorithm": "search",
            "steps": self.steps,
            "updates": self.updates,
            "random": self._random.bit_generator.state,
            "episodes": [vars(episode) for episode in self.episodes],
        }
        (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Go on from a folder written by `save_checkpoint`.

        Raises:
            ValueError: If the folder does not fit this experiment.
        """
        folder = Path(checkpoint_dir)
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if state["algorithm"] != "search":
            raise ValueError(f"{folder} is of {state['algorithm']}, this is a search")
        with np.load(folder / "weights.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if arrays["weights"].shape != self._weights.shape:
            raise ValueError(f"{folder} has {len(arrays['weights'])} weights, this search {len(self._weights)}")
        self._weights, self._gradient, self._square = arrays["weights"], arrays["gradient"], arrays["square"]
        self._mean, self._sd = arrays["mean"], arrays["sd"]
        self.steps, self.updates = state["steps"], state["updates"]
        self._random.bit_generator.state = state["random"]
        self.episodes.extend(EpisodeResult(**episode) for episode in state["episodes"])

    def _measure_features(self) -> None:
        """Keep the features' means and standard deviations, as random actions meet them."""
        features = []

        def act(observations: NDArray[np.float32], running: NDArray[np.bool_]) -> NDArray[np.int64]:
            features.append(observations[running])
            return self._random.integers(len(self._multipliers), size=len(observations))

        self._run(act)
        seen = np.concatenate(features)
        self._mean = seen.mean(axis=0, dtype=np.float64)
        sd = seen.std(axis=0, dtype=np.float64)
        self._sd = np.where(sd > 0, sd, 1.0)  # a feature that never changes has no scale of its own

    def _improve(self) -> None:
        """Estimate the gradient, and take a step of Adam along it."""
        search = self._training.search
        rate = self.learning_rate()
        gain, sets = np.zeros(len(self._weights)), -(-search.markets // self._lanes)
        for _ in range(sets):
            changes = self._random.standard_normal((self._lanes, len(self._weights)))
            state = self._random.bit_generator.state
            up = self._run(self._by_weights(self._weights + search.spread * changes))
            self._random.bit_generator.state = state  # the same markets again
            down = self._run(self._by_weights(self._weights - search.spread * changes))
            gain += (up - down) / 2 @ changes / self._lanes / sets
        self.updates += 1
        self._gradient = GRADIENT_MEMORY * self._gradient + (1 - GRADIENT_MEMORY) * gain
        self._square = SQUARE_MEMORY * self._square + (1 - SQUARE_MEMORY) * gain**2
        direction = self._gradient / (1 - GRADIENT_MEMORY**self.updates)
        scale = np.sqrt(self._square / (1 - SQUARE_MEMORY**self.updates))
        self._weights = self._weights + rate * direction / np.maximum(scale, 1e-12)

    def _by_weights(self, weights: Floats) -> Rule:
        """The rule that trades in lane i by row i of weights `(lanes, 1 + F)`."""
        mine = np.tile(weights, (2, 1))

        def act(observations: NDArray[np.float32], _: NDArray[np.bool_]) -> NDArray[np.int64]:
            rates = 1 + mine[:, 0] + (mine[:, 1:] * ((observations - self._mean) / self._sd)).sum(axis=1)
            return np.abs(rates[:, np.newaxis] - self._multipliers).argmin(axis=1)

        return act

    def _run(self, act: Rule) -> Floats:
        """Run a drawn market a lane, bought and sold, and return the mean return of the two in each."""
        observations = self._begin()
        running = np.ones(2 * self._lanes, dtype=np.bool_)
        returns, lengths = np.zeros(len(running)), np.zeros(len(running), dtype=np.int64)
        while running.any():
            observations, rewards, ended, _, infos = self._env.step(act(observations, running))
            returns += rewards * running
            lengths += running
            for index in np.flatnonzero(running & ended).tolist():
                result = float(infos["completion"][index]), float(infos["shortfall_cents"][index])
                self.episodes.append(EpisodeResult(float(returns[index]), int(lengths[index]), *result))
            running &= ~ended  # what has ended begins another episode, which nobody looks at
        self.steps += int(lengths.sum())
        return returns.reshape(2, self._lanes).mean(axis=0)

    def _begin(self) -> NDArray[np.float32]:
        """Begin a drawn market a lane, to buy in the first half of the environments and to sell in the second."""
        lanes = self._lanes
        observations = np.zeros((2 * lanes, self._size), dtype=np.float32)
        for lane in range(lanes):
            for _ in range(DRAWS):
                seed = self._seeds[int(self._random.integers(len(self._seeds)))]
                try:
                    for index, side in ((lane, "buy"), (lanes + lane, "sell")):
                        mask = np.arange(2 * lanes) == index
                        options = {"side": side, "reset_mask": mask, "market_seed": seed}
                        observations[index] = self._env.reset(options=options)[0][index]
                    break
                except RuntimeError:
                    continue
            else:
                raise RuntimeError(f"none of {DRAWS} markets ever had both sides in the window")
        return observations
