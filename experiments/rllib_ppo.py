"""RLlib's PPO (new API stack): its learner, update and loss as they are, rollouts from `OptimalExecVectorEnv`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.rllib.algorithms.ppo import PPO
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.utils.metrics import LEARNER_RESULTS
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME

from configs import Experiment
from experiments.env_runner import ExecutionEnvRunner
from experiments.rllib_algorithm import ExecutionAlgorithm
from experiments.rllib_algorithm import configure

LOSS = "total_loss"


class RolloutRunner(ExecutionEnvRunner):
    """Runner whose samples are RLlib's episodes, made of arrays at the end of a rollout."""

    def sample(  # type: ignore[override]
        self, steps: int = 0, rollout: int = 1, weights: Mapping[str, NDArray[Any]] | None = None
    ) -> tuple[list[SingleAgentEpisode], list[Any]]:
        """Step every environment `rollout` times with actions drawn from the policy.

        Args:
            steps: Not used: nothing here depends on how far the training is.
            rollout: Steps of each environment.
            weights: Weights of the network to act with, by name; by default those that it has.

        Returns:
            Pieces of episodes, and the results of the episodes that ended.
        """
        if weights is not None:
            self.module.set_state(weights)
        envs = range(self.num_envs)
        observations = [self._obs]
        lasts, ended = [], []
        columns: list[tuple[NDArray[Any], ...]] = []
        for _ in range(rollout):
            logits = self.policy.q_values(self._obs)
            logits = logits - logits.max(axis=1, keepdims=True)
            log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            drawn = self._random.random((self.num_envs, 1))
            actions = np.minimum((np.exp(log_p).cumsum(axis=1) < drawn).sum(axis=1), log_p.shape[1] - 1)
            rewards, last, terminated, results = self._step(actions)
            ended += results
            lasts.append(last)
            columns.append((actions, rewards, terminated, logits, log_p[envs, actions]))
            observations.append(self._obs)
        pieces = [piece for index in envs for piece in _pieces(index, np.stack(observations), np.stack(lasts), columns)]
        self._count(rollout * self.num_envs, ended)
        return pieces, ended


def _pieces(
    index: int, observations: NDArray[Any], lasts: NDArray[Any], columns: list[tuple[NDArray[Any], ...]]
) -> list[SingleAgentEpisode]:
    """Cut what one environment went through where its episodes end."""
    actions, rewards, terminated, logits, log_p = (
        np.stack([step[kind][index] for step in columns]) for kind in range(len(columns[0]))
    )
    ends = [*(np.flatnonzero(terminated) + 1).tolist()]
    if not ends or ends[-1] < len(actions):
        ends.append(len(actions))
    pieces = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        seen = np.concatenate([observations[start:end, index], lasts[end - 1 : end, index]])
        piece = SingleAgentEpisode(
            observations=list(seen),
            actions=list(actions[start:end]),
            rewards=list(rewards[start:end]),
            terminated=bool(terminated[end - 1]),
            extra_model_outputs={
                "action_dist_inputs": list(logits[start:end]),
                "action_logp": list(log_p[start:end].astype(np.float32)),
            },
            len_lookback_buffer=0,
        )
        pieces.append(piece.to_numpy())
    return pieces


class ExecutionPPO(ExecutionAlgorithm, PPO):
    """PPO whose `training_step` samples a rollout and hands it to RLlib's learner."""

    def training_step(self) -> None:
        """Sample a rollout and update on it; repeat up to the goal."""
        training = self.experiment.training
        each = rollout_length(self.experiment)
        runners = max(1, self.config.num_env_runners)
        while True:
            pieces = []
            for found, ended in self._sample(rollout=each):
                pieces += found
                self.episodes.extend(ended)
            self.steps += each * training.envs * runners
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate()
            # RLlib shuffles minibatches with NumPy's global generator: a resumed training must find it the same.
            np.random.seed([training.seed % 2**32, self.updates])
            results = self.learner_group.update(
                episodes=pieces,
                timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: self.steps},
                num_epochs=training.ppo.epochs,
                minibatch_size=training.batch_size,
                shuffle_batch_per_epoch=True,
            )
            self.metrics.aggregate(results, key=LEARNER_RESULTS)
            self.losses.append(float(self.metrics.peek((LEARNER_RESULTS, DEFAULT_MODULE_ID, LOSS))))
            self.updates += -(-each * training.envs * runners * training.ppo.epochs // training.batch_size)
            if self.steps >= self._goal:
                break
        self._gather_metrics()


def rollout_length(experiment: Experiment) -> int:
    """Steps of each environment between updates."""
    return -(-experiment.training.ppo.rollout // experiment.training.envs)


def build_config(experiment: Experiment, market: str) -> PPOConfig:
    """RLlib's configuration of an experiment; see `experiments.rllib_dqn.build_config`."""
    config = configure(PPOConfig(algo_class=ExecutionPPO), experiment, market, RolloutRunner)
    return config.training(**update_settings(experiment))


def update_settings(experiment: Experiment) -> dict[str, Any]:
    """How PPO learns, as RLlib's `PPOConfig.training` takes it."""
    training = experiment.training
    return {
        "lr": training.learning_rate[0][1],
        "gamma": training.gamma,
        "grad_clip": training.grad_clip,
        "grad_clip_by": "global_norm",
        "train_batch_size_per_learner": rollout_length(experiment) * training.envs,
        "minibatch_size": training.batch_size,
        "num_epochs": training.ppo.epochs,
        "lambda_": training.ppo.gae_lambda,
        "clip_param": training.ppo.clip,
        "entropy_coeff": training.ppo.entropy,
        # The value's loss is not cut off, for returns of tens of cents are far from what RLlib's default expects.
        "vf_clip_param": float("inf"),
        "use_kl_loss": False,
    }
