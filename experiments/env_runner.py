"""Sampling for RLlib: one process's markets in one `OptimalExecVectorEnv`, and steps as arrays.

RLlib's own runner makes episode objects, a step at a time, and acts through connectors and distributions. This one
takes the greedy or random action of all its environments in one pass of the exported policy's own formula.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner
from ray.rllib.utils.metrics import EPISODE_LEN_MEAN
from ray.rllib.utils.metrics import EPISODE_RETURN_MEAN
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME
from ray.rllib.utils.metrics import NUM_EPISODES

from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from configs import load_seed_ranges
from configs import parse_seeds
from envs import OptimalExecVectorEnv
from experiments.replay import NStepReturns
from experiments.replay import Transitions
from experiments.replay import concatenate

EPISODES_SMOOTHED = 100


@dataclass(frozen=True)
class EpisodeResult:
    """What an episode came to.

    Attributes:
        reward: Undiscounted return, in the units of the reward.
        steps: Decisions taken.
        completion: Share of the parent order that was filled.
        shortfall_cents: Cost, cents per share of the parent order; positive is better.
    """

    reward: float
    steps: int
    completion: float
    shortfall_cents: float


@dataclass(frozen=True)
class Sample:
    """What one call of `ExecutionEnvRunner.sample` gives.

    Attributes:
        steps: Environment steps made.
        transitions: The n-step transitions that were completed.
        episodes: Results of the episodes that ended.
    """

    steps: int
    transitions: Transitions
    episodes: list[EpisodeResult]


class ExecutionEnvRunner(SingleAgentEnvRunner):
    """RLlib's environment runner on `OptimalExecVectorEnv`; `config.env_config` holds `experiment` and `market`.

    Attributes:
        policy: The network as arrays that share the memory of `module`'s weights.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.policy = policy_of(self.module)
        self._experiment = self.config.env_config["experiment"]
        training = self._experiment.training
        # Every runner explores, and meets markets, in its own way.
        self._random = np.random.default_rng([training.seed, self.worker_index or 0])
        self._schedule = np.array(training.epsilon).T
        self._fragment = self.config.get_rollout_fragment_length(self.worker_index)
        self._ended: list[EpisodeResult] = []
        self._sampled = 0
        if self.env is not None:
            first = market_seed(training.seed, self.worker_index or 0, self.num_envs)
            self._obs, _ = self.env.reset(seed=first)
            self._n_step = NStepReturns(training.n_step, training.gamma, *self._obs.shape)
            self._returns = np.zeros(self.num_envs)
            self._lengths = np.zeros(self.num_envs, dtype=np.int64)

    def make_env(self) -> None:
        """Make the environments; called by the base class."""
        settings = self.config.env_config
        self.num_envs = self.config.num_envs_per_env_runner
        self.env = OptimalExecVectorEnv(
            self.num_envs, settings["experiment"], market=settings["market"], autoreset_mode=AutoresetMode.SAME_STEP
        )

    def act_with(self, module: Any) -> None:
        """Act with the network of the learner in this process: its updates are seen at once, nothing is copied."""
        self.module = module
        self.policy = policy_of(module)

    def epsilon(self, steps: int) -> float:
        """Probability of a random action after so many environment steps."""
        return float(np.interp(steps, *self._schedule))

    def sample(self, steps: int = 0, weights: Mapping[str, NDArray[Any]] | None = None) -> Sample:
        """Step every environment `rollout_fragment_length` times.

        Args:
            steps: Environment steps of all runners before this call, for the exploration schedule.
            weights: Weights of the network to act with, by name; by default those that it has.
        """
        if weights is not None:
            self.module.set_state(weights)
        runners = max(1, self.config.num_env_runners)
        parts: list[Transitions] = []
        ended: list[EpisodeResult] = []
        for turn in range(self._fragment):
            epsilon = self.epsilon(steps + turn * self.num_envs * runners)
            drawn = self._random.integers(self.env.action_set.n, size=self.num_envs)
            explores = self._random.random(self.num_envs) < epsilon
            actions = np.where(explores, drawn, self.policy.act(self._obs))
            before = self._obs
            rewards, last, terminated, results = self._step(actions)
            ended += results
            parts.append(self._n_step.add(before, actions, rewards, last, terminated))
        count = self._fragment * self.num_envs
        self._count(count, ended)
        return Sample(count, concatenate(parts), ended)

    def _step(self, actions: NDArray[np.int64]) -> tuple[Any, Any, Any, list[EpisodeResult]]:
        """Step every environment.

        Returns:
            Rewards, the observations that the step led to, whether the episode ended there, and the results of those
            that did. `_obs` is then the first of the next episode.
        """
        obs, rewards, terminated, _, infos = self.env.step(actions)
        self._returns += rewards
        self._lengths += 1
        last = obs
        ended: list[EpisodeResult] = []
        if terminated.any():
            last = obs.copy()
            last[terminated] = np.stack(infos["final_obs"][terminated])
            ended = self._end(terminated, infos["final_info"])
        self._obs = obs
        return rewards, last, terminated, ended

    def _count(self, steps: int, ended: list[EpisodeResult]) -> None:
        """Note what was sampled for `get_metrics`."""
        self._sampled += steps
        self._ended += ended

    def _end(self, terminated: NDArray[np.bool_], infos: Mapping[str, NDArray[Any]]) -> list[EpisodeResult]:
        results = [
            EpisodeResult(
                float(self._returns[index]),
                int(self._lengths[index]),
                float(infos["completion"][index]),
                float(infos["shortfall_cents"][index]),
            )
            for index in np.flatnonzero(terminated)
        ]
        self._returns[terminated] = 0.0
        self._lengths[terminated] = 0
        return results

    def get_metrics(self) -> Any:
        """Return steps and episodes since the last call, as RLlib's metrics."""
        self.metrics.log_value(NUM_ENV_STEPS_SAMPLED, self._sampled, reduce="sum")
        self.metrics.log_value(NUM_ENV_STEPS_SAMPLED_LIFETIME, self._sampled, reduce="lifetime_sum")
        self.metrics.log_value(NUM_EPISODES, len(self._ended), reduce="sum")
        for episode in self._ended:
            values = {
                EPISODE_RETURN_MEAN: episode.reward,
                EPISODE_LEN_MEAN: episode.steps,
                "completion": episode.completion,
                "shortfall_cents": episode.shortfall_cents,
            }
            for name, value in values.items():
                self.metrics.log_value(name, value, window=EPISODES_SMOOTHED)
        self._sampled = 0
        self._ended = []
        return self.metrics.reduce()

    def get_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything but the network that decides how sampling goes on, running markets included."""
        return {
            **{f"env.{name}": value for name, value in self.env.get_state().items()},
            **{f"n_step.{name}": value for name, value in self._n_step.get_state().items()},
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "random": np.array(json.dumps(self._random.bit_generator.state)),
        }

    def set_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `get_arrays` of a runner of the same configuration returned."""
        parts: dict[str, dict[str, NDArray[Any]]] = {"env": {}, "n_step": {}}
        for name, value in arrays.items():
            part, _, key = name.partition(".")
            if key:
                parts[part][key] = value
        self._obs = self.env.set_state(parts["env"])
        self._n_step.set_state(parts["n_step"])
        self._returns[:] = arrays["returns"]
        self._lengths[:] = arrays["lengths"]
        self._random.bit_generator.state = json.loads(str(arrays["random"]))


def policy_of(module: Any, metadata: Mapping[str, Any] | None = None) -> NumpyPolicy:
    """Return RLlib's network as plain arrays, which share the memory of its weights where those lie on the CPU.

    Args:
        module: RLlib's `DefaultDQNTorchRLModule`, or `DefaultPPOTorchRLModule`, whose logits become the values: the
            greedy action is the likeliest.
        metadata: JSON values stored with it.
    """
    weights = {name: value.cpu().numpy() for name, value in module.state_dict().items()}

    def layer(name: str) -> Layer:
        return Layer(weights[f"{name}.weight"].T, weights[f"{name}.bias"])

    of_ppo = "pi.net.mlp.0.weight" in weights
    encoder = "encoder.actor_encoder.net.mlp" if of_ppo else "encoder.net.mlp"
    depth = sum(name.startswith(f"{encoder}.") for name in weights) // 2
    hidden = [layer(f"{encoder}.{2 * index}") for index in range(depth)]
    if of_ppo:
        return NumpyPolicy(hidden, layer("pi.net.mlp.0"), None, metadata)
    value = layer("vf.net.mlp.0") if "vf.net.mlp.0.weight" in weights else None
    return NumpyPolicy(hidden, layer("af.net.mlp.0"), value, metadata)


def market_seed(training_seed: int, runner: int, envs: int) -> int:
    """First market of a runner's environments: one of the train range.

    Environment i begins with the market of this seed + i and draws the later ones itself. The configuration's own seed
    could be one of the test range.
    """
    train = parse_seeds(load_seed_ranges().train)
    drawn = int(np.random.SeedSequence([training_seed, runner]).generate_state(1)[0])
    return train.start + drawn % (len(train) - envs)
