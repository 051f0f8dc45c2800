"""One trial of a sweep: what Ray Tune runs in a worker process, on this machine or another."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from agents.numpy_policy import NumpyPolicy
from analysis.files import write_json
from analysis.stats import estimate
from configs import Experiment
from configs import experiment_from
from experiments.rollouts import MarketKind
from experiments.rollouts import greedy
from experiments.rollouts import run_rule
from experiments.rollouts import validation_episodes

RESULT = "result.json"
POLICY = "policy.npz"
LEFT_CENTS = 200.0
"""What a share that is left at the end costs a trial, cents: more than the worst completion, as `reward.beta` does."""


@dataclass(frozen=True)
class Space:
    """What is tried.

    Attributes:
        experiment: The experiment; `experiment.sweep` holds the values by dotted name and the length of a trial.
        market: Which market the environments run on.
    """

    experiment: Experiment
    market: MarketKind

    def values(self, choice: Mapping[str, int]) -> dict[str, Any]:
        """Values of a choice, which is the place of each in its list."""
        return {name: values[choice[name]] for name, values in self.experiment.sweep.parameters.items()}

    def choices(self) -> list[dict[str, int]]:
        """Every combination, as places in the lists."""
        parameters = self.experiment.sweep.parameters
        places = itertools.product(*(range(len(values)) for values in parameters.values()))
        return [dict(zip(parameters, combination, strict=True)) for combination in places]

    def experiment_of(self, values: Mapping[str, Any]) -> Experiment:
        """The experiment of a trial, shortened to `sweep.steps`.

        Raises:
            ConfigError: If a value is not allowed.
        """
        data = self.experiment.model_dump(mode="json")
        for name, value in values.items():
            *parents, last = name.split(".")
            target = data
            for parent in parents:
                target = target[parent]
            target[last] = value
        return experiment_from(data, "sweep.parameters").shortened(self.experiment.sweep.steps)

    def goals(self) -> list[int]:
        """Environment steps at which a trial is judged."""
        sweep = self.experiment.sweep
        return [-(-sweep.steps * (rung + 1) // sweep.rungs) for rung in range(sweep.rungs)]


def judge(experiment: Experiment, market: MarketKind, policy: NumpyPolicy, episodes: int) -> dict[str, Any]:
    """Run the greedy policy on validation episodes.

    Returns:
        `score` (mean shortfall, cents per share, with what is left charged at `LEFT_CENTS`: positive is better, and
        comparable whatever the reward, the actions and the decision interval), its `ci95` over the `n` markets,
        `by_market` (the score of each), `shortfall_cents` and `completion`.
    """
    rollouts = run_rule(experiment, market, greedy(policy), validation_episodes(experiment, episodes))
    scores: dict[int, list[float]] = {}
    for rollout in rollouts:
        score = rollout.shortfall_cents - LEFT_CENTS * (1 - rollout.completion)
        scores.setdefault(rollout.seed, []).append(score)
    by_market = [fmean(values) for values in scores.values()]
    found = estimate(by_market)
    return {
        "score": found.mean,
        "ci95": found.ci95,
        "n": found.n,
        "by_market": by_market,
        "shortfall_cents": fmean(rollout.shortfall_cents for rollout in rollouts),
        "completion": fmean(rollout.completion for rollout in rollouts),
    }


def train_trial(space: Space, folder: Path, code: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Train a trial from Tune's checkpoint of it; judge, write, save and report it at every rung.

    Args:
        space: What is tried.
        folder: Where the folders of the trials lie; every machine must see it under this path.
        code: Commit of the code, for the policies.
        config: Ray Tune's: what `experiments.sweep` says of the trial under `trial`.
    """
    # Only the worker needs Ray and torch.
    from ray import tune

    from experiments.cluster import check_sees
    from experiments.trainer import Training

    check_sees(folder.parent)
    values = space.values(config["trial"]["choice"])
    experiment = space.experiment_of(values)
    goals = space.goals()
    own = folder / tune.get_context().get_trial_name()
    found = tune.get_checkpoint()
    with ExitStack() as stack:
        start = Path(stack.enter_context(found.as_directory())) if found is not None else None
        training = stack.enter_context(Training(experiment, space.market, own, start, code))
        algorithm = training.algorithm
        reached = sum(goal <= algorithm.steps for goal in goals)
        # Schedulers look at the score when a rung is reached, not before.
        told = {"rung": reached, "score": -math.inf}
        for rung, goal in enumerate(goals[reached:], reached + 1):
            for report in training.advance(goal):
                if report.steps < goal:
                    tune.report({"steps": report.steps, **told})
            policy = training.policy()
            policy.save(own / POLICY)
            judged = judge(experiment, space.market, policy, experiment.sweep.episodes)
            row = {"trial": own.name, "values": values, "rung": rung}
            row |= {"steps": algorithm.steps, "updates": algorithm.updates, **judged}
            write_json(own / RESULT, row)
            told = {"rung": rung, "score": judged["score"]}
            with tempfile.TemporaryDirectory() as name:
                algorithm.save_checkpoint(name)
                tune.report({"steps": algorithm.steps, **told}, checkpoint=tune.Checkpoint.from_directory(name))


def rank(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order trials, the best first: those that came furthest, then by score.

    Each gets `difference`, its score minus the best trial's on the same markets, with interval: where it contains 0 the
    two cannot be told apart.
    """
    ordered = sorted(rows, key=lambda row: (-row["rung"], -row["score"]))
    best = ordered[0]["by_market"]
    for row in ordered:
        found = estimate([own - other for own, other in zip(row["by_market"], best, strict=True)])
        row["difference"] = {"mean": found.mean, "ci95": found.ci95, "n": found.n}
    return ordered
