"""One trial of a sweep: what Ray Tune runs in a worker process."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean
from statistics import stdev
from typing import Any

from analysis.files import write_json
from configs import Experiment
from experiments.rollouts import MarketKind
from experiments.rollouts import greedy
from experiments.rollouts import run_rule
from experiments.rollouts import validation_episodes

RESULT = "result.json"
VALIDATION_EPISODES = 8


@dataclass(frozen=True)
class Trial:
    """One combination of values.

    Attributes:
        name: Made of the values; the name of the trial's folder.
        values: Values of fields of `training`.
        experiment: The experiment of the trial, shortened.
    """

    name: str
    values: dict[str, Any]
    experiment: Experiment


def train_trial(folder: Path, market: MarketKind, trials: dict[str, Trial], config: dict[str, Any]) -> None:
    """Train a trial, from its last checkpoint, and write its result.

    Args:
        folder: Where the folders of the trials lie.
        market: Which market the environments run on.
        trials: The trials by name.
        config: Ray Tune's: the name of the trial under `trial`.
    """
    # Only the worker needs Ray and torch.
    from ray import tune

    from experiments.trainer import Report
    from experiments.trainer import train_policy

    trial = trials[config["trial"]]

    def tell(report: Report) -> None:
        tune.report({"steps": report.steps})

    policy = train_policy(trial.experiment, market, folder / trial.name, tell)
    episodes = validation_episodes(trial.experiment, VALIDATION_EPISODES)
    rollouts = run_rule(trial.experiment, market, greedy(policy), episodes)
    returns = [rollout.reward for rollout in rollouts]
    result = {
        "trial": trial.name,
        "values": trial.values,
        "steps": policy.metadata["steps"],
        "updates": policy.metadata["updates"],
        "episodes": len(rollouts),
        "return": fmean(returns),
        "return_se": stdev(returns) / sqrt(len(returns)),
        "completion": fmean(rollout.completion for rollout in rollouts),
        "shortfall_cents": fmean(rollout.shortfall_cents for rollout in rollouts),
    }
    write_json(folder / trial.name / RESULT, result)
