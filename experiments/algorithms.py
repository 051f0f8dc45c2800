"""The algorithms that `training.algorithm` names. Ray must be running, but for a search."""

from __future__ import annotations

import logging
from types import ModuleType

from configs import Experiment
from experiments import rllib_dqn
from experiments import rllib_ppo
from experiments.policy_search import PolicySearch
from experiments.policy_search import iteration_length
from experiments.rllib_algorithm import ExecutionAlgorithm
from experiments.rollouts import MarketKind

ON_RLLIB: dict[str, ModuleType] = {"dqn": rllib_dqn, "ppo": rllib_ppo}
Learner = ExecutionAlgorithm | PolicySearch
"""What trains: both have the same face towards `experiments.trainer`."""


def build_algorithm(experiment: Experiment, market: MarketKind) -> Learner:
    """Make the algorithm of an experiment; see `experiments.rllib_dqn.build_config`."""
    if experiment.training.algorithm == "search":
        return PolicySearch(experiment, market)
    # Importing RLlib sets its own level, at which it warns about its API stacks each time.
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    algorithm: ExecutionAlgorithm = (
        ON_RLLIB[experiment.training.algorithm].build_config(experiment, market).build_algo()
    )
    return algorithm


def round_size(experiment: Experiment) -> int:
    """Environment steps between two looks at whether updates are due."""
    training = experiment.training
    match training.algorithm:
        case "dqn":
            return training.envs
        case "ppo":
            return rllib_ppo.rollout_length(experiment) * training.envs
        case "search":
            return iteration_length(experiment)
