"""The main job, end to end: `python -m experiments.experiment CONFIG` trains a policy, then compares it.

Both lie in one run folder. The same command resumes what was interrupted: the training from its last checkpoint, the
comparison after its last finished unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from configs import Experiment
from configs import load_experiment
from experiments.compare import check_request
from experiments.compare import choose_seeds
from experiments.compare import compare_in
from experiments.compare import make_plan
from experiments.compare import seeds_text
from experiments.console import Settings
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.episode import check_strategies
from experiments.policy_check import trades_with_policy
from experiments.run_folder import RunFolder
from experiments.train import POLICY
from experiments.train import train


@dataclass
class Args:
    """Options of `experiments.experiment`; strategies and all else come from the configuration."""

    config: tyro.conf.Positional[str]
    """Configuration: a YAML file, or the name of one in configs/."""
    seeds: str | None = None
    """Seeds of the markets of the comparison, A:B with B excluded."""
    workers: int | None = None
    """Number of processes of the comparison."""
    out: Path = Path("results")
    """Folder of all results."""
    run_id: str | None = None
    """Name to find the run by: unfinished, it resumes. By default a digest of all that decides its result."""
    settings: Settings = ()
    """Values that replace the configuration's, as training.steps=1000."""


def main(args: Args) -> None:
    """Train if there is no policy yet, then compare."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    seeds = choose_seeds(experiment, args.seeds)
    workers = args.workers if args.workers is not None else experiment.comparison.workers
    check_before_training(experiment, seeds, workers)
    arguments = {"seeds": seeds_text(seeds)}
    with RunFolder.open(args.out, "experiment", experiment, run_id=args.run_id, arguments=arguments) as run:
        policy = run.file(POLICY)
        # The manifest names the policy once the training is over.
        if run.manifest.get("policy") is None:
            train(experiment, run)
        print(f"comparing in {run.path}", flush=True)
        compare_in(run, make_plan(experiment, experiment.comparison.strategies, seeds, policy=policy), workers)


def check_before_training(experiment: Experiment, seeds: range, workers: int) -> None:
    """Refuse now what the comparison would refuse after the training.

    Raises:
        ConfigError: See `experiments.compare.make_plan`.
    """
    strategies = experiment.comparison.strategies
    check_request(strategies, seeds, workers)
    check_strategies(experiment, [name for name in strategies if not trades_with_policy(experiment, name)], None)


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.experiment", "Train a policy and compare it on the same markets.")
