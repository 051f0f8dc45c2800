"""Training proper: from the last checkpoint to the exported policy. Needs Ray running, but for a search."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import SummaryWriter

from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import load_seed_ranges
from experiments.algorithms import Learner
from experiments.algorithms import build_algorithm
from experiments.algorithms import round_size
from experiments.checkpoints import list_checkpoints
from experiments.checkpoints import save_checkpoint
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


class Training:
    """A training in progress: the algorithm and the event files of its folder.

    Args:
        experiment: The experiment; `experiment.training` says for how long.
        market: Which market the environments run on.
        folder: Folder of the run; event files go into its `tensorboard/`.
        checkpoint: Checkpoint to go on from.
        code: Commit of the code, as `git_state` tells it, for the policy; by default that of this process's files.

    Attributes:
        algorithm: The algorithm.
    """

    def __init__(
        self,
        experiment: Experiment,
        market: MarketKind,
        folder: Path,
        checkpoint: Path | None = None,
        code: Mapping[str, Any] | None = None,
    ) -> None:
        self._experiment = experiment
        self._market = market
        self._code = code if code is not None else git_state()
        self.algorithm = build_algorithm(experiment, market)
        try:
            if checkpoint is not None:
                self.algorithm.load_checkpoint(str(checkpoint))
            purge = self.algorithm.steps if checkpoint is not None else None
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=purge)
        except BaseException:
            self.algorithm.stop()
            raise

    def __enter__(self) -> Training:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self.algorithm.stop()

    def advance(self, goal: int, stride: int = REPORT_STEPS) -> Iterator[Report]:
        """Train until `goal` environment steps are made in all, up to a round more.

        Args:
            goal: Environment steps.
            stride: Steps between reports, rounded up to whole rounds.

        Yields:
            A report every `stride` steps, which is in the event files too.
        """
        while self.algorithm.steps < goal:
            self.algorithm.advance(min(stride, goal - self.algorithm.steps))
            report = report_of(self.algorithm)
            _log(self._writer, report)
            yield report

    def policy(self) -> NumpyPolicy:
        """The greedy policy as it is now, with what it says of its training."""
        metadata = _metadata(self._experiment, self._market, self.algorithm, self._code)
        return self.algorithm.numpy_policy(metadata)


def train_policy(
    experiment: Experiment,
    market: MarketKind,
    folder: Path,
    on_report: Callable[[Report], None] = lambda report: None,
    code: Mapping[str, Any] | None = None,
) -> NumpyPolicy:
    """Train, from the last complete checkpoint in the folder if there is one.

    Writes `checkpoints/` and `tensorboard/` into the folder, and `policy.npz` at the end.

    Args:
        experiment: The experiment; `experiment.training` says for how long.
        market: Which market the environments run on.
        folder: Folder of the run.
        on_report: Called every thousand steps or so.
        code: As for `Training`.

    Returns:
        The trained policy.
    """
    every = experiment.training.checkpoint_every
    checkpoints = folder / "checkpoints"
    done = list_checkpoints(checkpoints)
    with Training(experiment, market, folder, done[-1][1] if done else None, code) as training:
        algorithm = training.algorithm
        saved = algorithm.steps
        beyond = round_size(experiment)  # the algorithm makes up to one round more than it is asked for
        stride = max(1, min(REPORT_STEPS, every - beyond))
        on_report(report_of(algorithm))
        for report in training.advance(experiment.training.steps, stride):
            on_report(report)
            # Saved before the interval would be exceeded: a kill costs at most `checkpoint_every` steps.
            if algorithm.steps + stride + beyond - saved > every or algorithm.steps >= experiment.training.steps:
                save_checkpoint(checkpoints, algorithm.steps, lambda path: algorithm.save_checkpoint(str(path)))
                saved = algorithm.steps
        policy = training.policy()
        policy.save(folder / "policy.npz")
    return policy


def report_of(algorithm: Learner) -> Report:
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


def _metadata(
    experiment: Experiment, market: MarketKind, algorithm: Learner, code: Mapping[str, Any]
) -> dict[str, Any]:
    """What a policy says of its training. No times: the same training gives the same bytes."""
    return {
        "experiment": experiment.model_dump(mode="json"),
        "market": market,
        "training_seed": experiment.training.seed,
        "training_markets": load_seed_ranges().train,
        "steps": algorithm.steps,
        "updates": algorithm.updates,
        "device": algorithm.device,
        "versions": versions(),
        **code,
    }
