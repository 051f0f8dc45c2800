"""RLlib's DQN (new API stack) with sampling, replay memory, update and checkpoints of plain arrays.

RLlib configures the algorithm, builds the network and the optimiser, runs the training loop, under Tune too, and
reports. What stands between the environments and the gradient is ours, for there RLlib's Python takes thirty times as
long as torch: `experiments.env_runner`, `experiments.replay` and `experiments.dqn_learner`. `docs/training.md` has the
numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.rllib.algorithms.dqn import DQN
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import LEARNER_RESULTS

from configs import Experiment
from experiments.dqn_learner import ExecutionLearner
from experiments.env_runner import ExecutionEnvRunner
from experiments.replay import ReplayBuffer
from experiments.rllib_algorithm import ExecutionAlgorithm
from experiments.rllib_algorithm import configure

FIRST_BETA = 0.4
"""Exponent of the importance weights at the first step; it grows to 1 at the last (Schaul et al. 2016, section 3.4)."""


class ExecutionDQN(ExecutionAlgorithm, DQN):
    """DQN whose `training_step` samples the environments, then makes the gradient updates that are due.

    Attributes:
        buffer: The replay memory.
    """

    def setup(self, config: Any) -> None:
        """Build the algorithm and an empty replay memory; called by the base class."""
        super().setup(config)
        training = self.experiment.training
        self._target_updated = 0
        observation_space, _ = self.spaces[DEFAULT_MODULE_ID]
        observation_size = int(np.prod(observation_space.shape))
        self.buffer = ReplayBuffer(
            training.buffer, observation_size, prioritised=training.prioritised, seed=training.seed
        )

    def training_step(self) -> None:
        """Sample every environment, remember the steps, make the updates that are due; repeat up to the goal."""
        while True:
            for sample in self._sample():
                self.buffer.add(sample.transitions)
                self.episodes.extend(sample.episodes)
                self.steps += sample.steps
            while self._update_due():
                self._update()
            if self.steps >= self._goal:
                break
        self._gather_metrics()
        if self.losses:
            self.metrics.log_value((LEARNER_RESULTS, DEFAULT_MODULE_ID, "qf_loss"), self.losses[-1], window=1)

    def epsilon(self) -> float:
        """Probability of a random action now."""
        return float(np.interp(self.steps, *np.array(self.experiment.training.epsilon).T))

    def beta(self) -> float:
        """Exponent of the importance weights now."""
        return FIRST_BETA + (1 - FIRST_BETA) * min(1.0, self.steps / self.experiment.training.steps)

    def _update_due(self) -> bool:
        training = self.experiment.training
        due = (self.steps - training.learning_starts) * training.updates_per_step
        return self.updates + 1 <= due and self.buffer.size >= training.batch_size

    def _update(self) -> None:
        """Make one gradient update on a batch of the replay memory."""
        training = self.experiment.training
        batch = self.buffer.sample(training.batch_size, self.beta())
        errors, loss = self.learner.learn(batch, self.learning_rate())
        self.buffer.update_priorities(batch.rows, errors.cpu().numpy())
        self.losses.append(loss.item())
        self.updates += 1
        if self.steps - self._target_updated >= training.target_update:
            self.learner.update_target()
            self._target_updated = self.steps

    def memory(self) -> dict[str, NDArray[Any]]:
        """The replay memory, and when the target network was last updated."""
        return {**self.buffer.state(), "target_updated": np.array(self._target_updated)}

    def restore_memory(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Go on from what `memory` returned."""
        self._target_updated = int(arrays.pop("target_updated"))
        self.buffer.restore(arrays)


def build_config(experiment: Experiment, market: str) -> DQNConfig:
    """RLlib's configuration of an experiment.

    Args:
        experiment: The experiment.
        market: `abides` or `stand-in`.

    Returns:
        The configuration; `build_algo` makes the algorithm, `env_runners(num_env_runners=…)` lets other processes
        sample.
    """
    training = experiment.training
    return configure(DQNConfig(algo_class=ExecutionDQN), experiment, market, ExecutionEnvRunner).training(
        learner_class=ExecutionLearner,
        lr=_schedule(training.learning_rate),
        epsilon=_schedule(training.epsilon),
        train_batch_size_per_learner=training.batch_size,
        double_q=training.double,
        dueling=training.dueling,
        td_error_loss_fn="huber",
        target_network_update_freq=training.target_update,
    )


def _schedule(points: tuple[tuple[int, float], ...]) -> float | list[list[float]]:
    """A schedule as RLlib takes it: a number, or `[[step, value], …]` with at least two points from step 0."""
    if len(points) == 1:
        return points[0][1]
    return [list(point) for point in points]
