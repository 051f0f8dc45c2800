"""Policy search: a linear policy, improved by trying out changes of its weights in whole episodes.

An action's effect on its own reward drowns in what the price does anyway; the effect of a changed policy on a whole
episode does not, measured against the even schedule of the same market (`reward.benchmark: twap`). So the gradient is
taken over policies instead of actions: parameter-exploring policy gradients with symmetric samples (Sehnke et al. 2010,
Neural Networks 23, section 3.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from configs import ConfigError
from configs import Experiment
from configs import load_seed_ranges
from configs import parse_seeds
from configs.models import ParticipationActions
from configs.models import SearchConfig
from envs import OptimalExecVectorEnv
from experiments.rollouts import MarketKind

Floats = NDArray[np.float64]
DRAWS = 100
"""Markets tried before the search gives up: one that never has both sides in the window is skipped."""
GRADIENT_MEMORY, SQUARE_MEMORY = 0.5, 0.9
"""β₁ and β₂ of Adam (Kingma and Ba 2015), short: there are tens of iterations, not thousands."""


class PolicySearch:
    """A search in progress.

    The policy trades `1 + w₀ + Σ wᵢ·zᵢ` times the even rate, by the nearest of the action set's multipliers; zᵢ is a
    feature less its mean, in its standard deviations, both as TWAP meets them in the first iteration. In each
    iteration every one of `markets` markets runs four episodes: buy and sell, with the weights moved by σ·ε and by
    −σ·ε, ε standard normal.

    Args:
        experiment: The experiment; its actions must be of kind `participation`.
        market: Which market the episodes run on.

    Raises:
        ConfigError: If the actions are of another kind.

    Attributes:
        iterations: Iterations done; the first one only measures the features.
        steps: Environment steps done.
        mean_return: Mean return of the last iteration's episodes, with their changed weights.
        mean_shortfall: Their mean shortfall, cents per share.
    """

    def __init__(self, experiment: Experiment, market: MarketKind) -> None:
        actions = experiment.actions
        if not isinstance(actions, ParticipationActions):
            raise ConfigError(f"a policy search needs actions of kind 'participation', got {actions.kind!r}")
        self._multipliers = np.array(actions.multipliers)
        if (np.diff(self._multipliers) <= 0).any():
            raise ConfigError(f"a policy search needs increasing multipliers, got {list(actions.multipliers)}")
        self._config: SearchConfig = experiment.training.search
        self._lanes = experiment.training.envs // 2  # markets at a time; each takes a lane to buy and one to sell
        if self._lanes < 1:
            raise ConfigError(f"a policy search needs at least 2 envs, got {experiment.training.envs}")
        self._env = OptimalExecVectorEnv(2 * self._lanes, experiment, market=market)
        self._seeds = parse_seeds(load_seed_ranges().train)
        self._random = np.random.default_rng(experiment.training.seed)
        size = self._env.single_observation_space.shape[0]
        self._mean, self._sd = np.zeros(size), np.ones(size)
        self._weights = np.zeros(1 + size)
        self._gradient, self._square = np.zeros(1 + size), np.zeros(1 + size)
        self.iterations = 0
        self.steps = 0
        self.mean_return = float("nan")
        self.mean_shortfall = float("nan")

    def close(self) -> None:
        """Let the environments go."""
        self._env.close()

    def iterate(self) -> None:
        """Do one iteration: measure the features if it is the first one, else move the weights."""
        if self.iterations == 0:
            self._measure_features()
        else:
            self._improve()
        self.iterations += 1

    def policy(self, metadata: Mapping[str, Any]) -> NumpyPolicy:
        """The policy as it is now: the value of a multiplier m is −(m − rate)² up to what all have in common."""
        slope = self._weights[1:] / self._sd
        rate = 1 + self._weights[0] - slope @ self._mean
        weight = 2 * np.outer(slope, self._multipliers)
        bias = 2 * rate * self._multipliers - self._multipliers**2
        return NumpyPolicy([], Layer(weight.astype(np.float32), bias.astype(np.float32)), metadata=metadata)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return everything that decides how the search goes on, as plain arrays."""
        return {
            "weights": self._weights.copy(),
            "gradient": self._gradient.copy(),
            "square": self._square.copy(),
            "mean": self._mean.copy(),
            "sd": self._sd.copy(),
            "counts": np.array([self.iterations, self.steps]),
            "results": np.array([self.mean_return, self.mean_shortfall]),
            "random": _words(self._random),
        }

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of a search of the same experiment.

        Raises:
            ValueError: If the state is of other features.
        """
        if state["weights"].shape != self._weights.shape:
            raise ValueError(f"the state has {len(state['weights'])} weights, not {len(self._weights)}")
        self._weights, self._gradient, self._square = (state[k].copy() for k in ("weights", "gradient", "square"))
        self._mean, self._sd = state["mean"].copy(), state["sd"].copy()
        self.iterations, self.steps = (int(value) for value in state["counts"])
        self.mean_return, self.mean_shortfall = (float(value) for value in state["results"])
        _set_words(self._random, state["random"])

    def _measure_features(self) -> None:
        """Run TWAP in as many markets as fit side by side, and keep the features' means and standard deviations."""
        seen: list[NDArray[np.float32]] = []
        self._run(np.zeros((self._lanes, len(self._weights))), seen)
        features = np.concatenate(seen)
        self._mean = features.mean(axis=0, dtype=np.float64)
        sd = features.std(axis=0, dtype=np.float64)
        self._sd = np.where(sd > 0, sd, 1.0)  # a feature that TWAP never sees change has no scale of its own

    def _improve(self) -> None:
        """Estimate the gradient in `markets` markets, and take a step of Adam along it."""
        config = self._config
        changes = config.spread * self._random.standard_normal((config.markets, len(self._weights)))
        results = []
        for at in range(0, config.markets, self._lanes):
            part = changes[at : at + self._lanes]
            state = _words(self._random)
            up = self._run(self._weights + part)
            _set_words(self._random, state)  # the same markets again
            results.append((up, self._run(self._weights - part)))
        ups, downs = (np.concatenate(side) for side in zip(*results, strict=True))
        both = np.concatenate([ups, downs])
        self.mean_return, self.mean_shortfall = both[:, 0].mean(), both[:, 1].mean()
        gain = changes.T @ (ups[:, 0] - downs[:, 0]) / 2 / config.spread / config.markets
        self._gradient = GRADIENT_MEMORY * self._gradient + (1 - GRADIENT_MEMORY) * gain
        self._square = SQUARE_MEMORY * self._square + (1 - SQUARE_MEMORY) * gain**2
        step = self._gradient / (1 - GRADIENT_MEMORY**self.iterations)
        scale = np.sqrt(self._square / (1 - SQUARE_MEMORY**self.iterations))
        rate = config.step * (1 - (self.iterations - 1) / config.iterations)
        self._weights = self._weights + rate * step / np.maximum(scale, 1e-12)

    def _run(self, weights: Floats, seen: list[NDArray[np.float32]] | None = None) -> Floats:
        """Run one market for each row of weights `(M, 1 + F)`, bought and sold; return `(M, 2)`: return, shortfall."""
        count, lanes = len(weights), self._lanes
        observations = self._begin(count)
        running = np.tile(np.arange(lanes) < count, 2)
        mine = np.zeros((2 * lanes, weights.shape[1]))
        mine[running] = np.tile(weights, (2, 1))
        returns, shortfalls = np.zeros(2 * lanes), np.zeros(2 * lanes)
        while running.any():
            if seen is not None:
                seen.append(observations[running])
            z = (observations - self._mean) / self._sd
            rates = 1 + mine[:, 0] + (mine[:, 1:] * z).sum(axis=1)
            actions = np.abs(rates[:, np.newaxis] - self._multipliers).argmin(axis=1)
            observations, rewards, ended, _, infos = self._env.step(actions)
            self.steps += int(running.sum())
            returns += rewards * running
            if ended.any():
                over = running & ended
                shortfalls[over] = infos["shortfall_cents"][over]
                running &= ~ended  # the lane goes on with another episode, which nobody looks at
        mean = np.stack([returns, shortfalls], axis=1).reshape(2, lanes, 2).mean(axis=0)
        return mean[:count]

    def _begin(self, count: int) -> NDArray[np.float32]:
        """Begin `count` drawn markets, to buy in the first half of the lanes and to sell in the second."""
        lanes = self._lanes
        observations = np.zeros((2 * lanes, self._env.single_observation_space.shape[0]), dtype=np.float32)
        for lane in range(lanes):
            for _ in range(DRAWS):
                seed = self._seeds[int(self._random.integers(len(self._seeds)))]
                try:
                    for half, side in enumerate(("buy", "sell")):
                        mask = np.arange(2 * lanes) == half * lanes + lane
                        options = {"side": side, "reset_mask": mask, "market_seed": seed}
                        observations[mask] = self._env.reset(options=options)[0][mask]
                    break
                except RuntimeError:
                    continue
            else:
                raise RuntimeError(f"none of {DRAWS} markets ever had both sides in the window")
        return observations


def _words(random: np.random.Generator) -> NDArray[np.uint64]:
    """The state of a PCG64 generator as words."""
    state: Any = random.bit_generator.state
    values = state["state"]["state"], state["state"]["inc"]
    halves = [part for value in values for part in (value >> 64, value & (2**64 - 1))]
    return np.array([*halves, state["has_uint32"], state["uinteger"]], dtype=np.uint64)


def _set_words(random: np.random.Generator, words: NDArray[np.uint64]) -> None:
    high, low, inc_high, inc_low, has, left = (int(word) for word in words)
    random.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has,
        "uinteger": left,
    }
