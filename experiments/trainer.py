"""Training proper: from the last checkpoint to the exported policy. Needs Ray running (`experiments.ray_session`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import SummaryWriter

from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import load_seed_ranges
from experiments.checkpoints import list_checkpoints
from experiments.checkpoints import save_checkpoint
from experiments.rllib_dqn import ExecutionDQN
from experiments.rllib_dqn import build_algorithm
from experiments.rllib_dqn import round_size
from experiments.rollouts import MarketKind
from experiments.run_folder import git_state
from experiments.run_folder import versions

REPORT_STEPS = 1_000


@dataclass(frozen=True)
class Report:
    """How training stands.

    Attributes:
        steps: Environment steps made.
        updates: Gradient updates made.
        episodes: Episodes in the means below.
        reward: Mean undiscounted return of the last episodes; NaN before the first ends.
        completion: Mean completion of the last episodes, 0 to 1.
        shortfall_cents: Mean shortfall of the last episodes, cents per share, positive is better.
        loss: Mean loss of the last updates; NaN before the first.
        epsilon: Probability of a random action.
        learning_rate: Step size of the optimiser.
    """

    steps: int
    updates: int
    episodes: int
    reward: float
    completion: float
    shortfall_cents: float
    loss: float
    epsilon: float
    learning_rate: float


def train_policy(
    experiment: Experiment,
    market: MarketKind,
    folder: Path,
    on_report: Callable[[Report], None] = lambda report: None,
) -> NumpyPolicy:
    """Train, from the last complete checkpoint in the folder if there is one.

    Writes `checkpoints/` and `tensorboard/` into the folder, and `policy.npz` at the end.

    Args:
        experiment: The experiment; `experiment.training` says for how long.
        market: Which market the environments run on.
        folder: Folder of the run.
        on_report: Called every thousand steps or so.

    Returns:
        The trained policy.
    """
    training = experiment.training
    checkpoints = folder / "checkpoints"
    done = list_checkpoints(checkpoints)
    algorithm = build_algorithm(experiment, market)
    writer = SummaryWriter(str(folder / "tensorboard"), purge_step=done[-1][0] if done else None)
    try:
        if done:
            algorithm.load_checkpoint(str(done[-1][1]))
        saved = algorithm.steps
        beyond = round_size(experiment)  # a call of `advance` ends up to one round after its goal
        stride = max(1, min(REPORT_STEPS, training.checkpoint_every - beyond))
        on_report(report_of(algorithm))
        while algorithm.steps < training.steps:
            algorithm.advance(min(stride, training.steps - algorithm.steps))
            report = report_of(algorithm)
            _log(writer, report)
            on_report(report)
            # Saved before the interval would be exceeded: a kill costs at most `checkpoint_every` steps.
            following = algorithm.steps + stride + beyond
            if following - saved > training.checkpoint_every or algorithm.steps >= training.steps:
                save_checkpoint(checkpoints, algorithm.steps, lambda path: algorithm.save_checkpoint(str(path)))
                saved = algorithm.steps
        policy = algorithm.numpy_policy(_metadata(experiment, market, algorithm))
        policy.save(folder / "policy.npz")
    finally:
        writer.close()
        algorithm.stop()
    return policy


def report_of(algorithm: ExecutionDQN) -> Report:
    """How the algorithm stands now."""
    episodes = algorithm.episodes
    return Report(
        steps=algorithm.steps,
        updates=algorithm.updates,
        episodes=len(episodes),
        reward=_mean([episode.reward for episode in episodes]),
        completion=_mean([episode.completion for episode in episodes]),
        shortfall_cents=_mean([episode.shortfall_cents for episode in episodes]),
        loss=_mean(list(algorithm.losses)),
        epsilon=algorithm.epsilon(),
        learning_rate=algorithm.learning_rate(),
    )


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _log(writer: SummaryWriter, report: Report) -> None:
    for name, value in vars(report).items():
        if name != "steps" and math.isfinite(value):
            writer.add_scalar(f"train/{name}", value, report.steps)


def _metadata(experiment: Experiment, market: MarketKind, algorithm: ExecutionDQN) -> dict[str, Any]:
    """What a policy says of its training. No times: the same training gives the same bytes."""
    return {
        "experiment": experiment.model_dump(mode="json"),
        "market": market,
        "training_seed": experiment.training.seed,
        "training_markets": load_seed_ranges().train,
        "steps": algorithm.steps,
        "updates": algorithm.updates,
        "versions": versions(),
        **git_state(),
    }
