"""The algorithms that `training.algorithm` names. Ray must be running."""

from __future__ import annotations

import logging
from types import ModuleType

from configs import Experiment
from experiments import rllib_dqn
from experiments import rllib_ppo
from experiments.rllib_algorithm import ExecutionAlgorithm

BY_NAME: dict[str, ModuleType] = {"dqn": rllib_dqn, "ppo": rllib_ppo}


def build_algorithm(experiment: Experiment, market: str) -> ExecutionAlgorithm:
    """Make the algorithm of an experiment; see `experiments.rllib_dqn.build_config`."""
    # Importing RLlib sets its own level, at which it warns about its API stacks each time.
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    algorithm: ExecutionAlgorithm = BY_NAME[experiment.training.algorithm].build_config(experiment, market).build_algo()
    return algorithm


def round_size(experiment: Experiment) -> int:
    """Environment steps between two looks at whether updates are due."""
    training = experiment.training
    return training.envs if training.algorithm == "dqn" else rllib_ppo.rollout_length(experiment) * training.envs
