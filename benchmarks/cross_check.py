"""Do the two DQNs learn the same? `python -m benchmarks.cross_check [CONFIG] [--seeds 0 1 2 3 4] [--json FILE]`.

Trains `experiments.train`'s DQN and the plain-torch one of `experiments.dqn_torch` with the same configuration on the
same training seeds, runs each greedy policy on the same validation episodes, and reports the mean shortfall of every
policy and the difference of the two methods, with Welch's 95 % interval over the training seeds.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import fmean
from statistics import stdev
from typing import Any

import numpy as np
from scipy.stats import ttest_ind

from agents.numpy_policy import NumpyPolicy
from benchmarks.machine import OneLineParser
from benchmarks.machine import count
from benchmarks.machine import describe
from benchmarks.machine import seed
from benchmarks.machine import write_json
from configs import Experiment
from configs import load_experiment
from experiments import dqn_torch
from experiments.ray_session import local_ray
from experiments.rollouts import greedy
from experiments.rollouts import reference_rules
from experiments.rollouts import run_rule
from experiments.rollouts import validation_episodes
from experiments.trainer import train_policy


def train_rllib(experiment: Experiment) -> NumpyPolicy:
    """Train with `experiments.trainer`."""
    with tempfile.TemporaryDirectory() as folder:
        return train_policy(experiment, "abides", Path(folder))


def train_torch(experiment: Experiment) -> NumpyPolicy:
    """Train with `experiments.dqn_torch`."""
    return dqn_torch.train(experiment, "abides")


def shortfall(experiment: Experiment, rule: Any, episodes: int) -> float:
    """Return the mean shortfall of a rule on the first validation episodes, cents per share, positive is better."""
    rollouts = run_rule(experiment, "abides", rule, validation_episodes(experiment, episodes))
    return fmean(rollout.shortfall_cents for rollout in rollouts)


def main(arguments: list[str] | None = None) -> None:
    """Train, evaluate, print and, if asked, write the numbers."""
    parser = OneLineParser(prog="benchmarks.cross_check", description="Compare the two DQNs on validation markets.")
    parser.add_argument("config", nargs="?", default="quick", help="configuration (default: quick)")
    parser.add_argument("--seeds", type=seed, nargs="+", default=[0, 1, 2, 3, 4], metavar="SEED", help="of training")
    parser.add_argument("--steps", type=count, metavar="N", help="environment steps (default: the configuration's)")
    parser.add_argument("--episodes", type=count, default=400, metavar="N", help="of validation (default: 400)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    args = parser.parse_args(arguments)
    if len(args.seeds) < 2:
        parser.error(f"an interval needs two seeds or more, got {args.seeds}")
    if args.json is not None and not args.json.parent.is_dir():
        parser.error(f"no folder {str(args.json.parent)!r} for --json")

    base = {} if args.steps is None else {"training.steps": args.steps}
    found: dict[str, list[float]] = {"rllib": [], "torch": []}
    experiment = load_experiment(args.config, base)
    twap = shortfall(experiment, reference_rules()["twap"], args.episodes)
    print(f"{experiment.name}, {experiment.training.steps:,} steps, {args.episodes} validation episodes", flush=True)
    print(f"twap   {twap:8.2f} c/share")
    with local_ray(cpus=1):
        for training_seed in args.seeds:
            one = load_experiment(args.config, base | {"training.seed": training_seed})
            for name, train in (("rllib", train_rllib), ("torch", train_torch)):
                found[name].append(shortfall(one, greedy(train(one)), args.episodes))
                print(f"{name}  {found[name][-1]:8.2f} c/share, training seed {training_seed}", flush=True)
    for name, values in found.items():
        print(f"{name}  {fmean(values):8.2f} ± {stdev(values) / np.sqrt(len(values)):.2f} (standard error)")
    low, high = ttest_ind(found["rllib"], found["torch"], equal_var=False).confidence_interval()
    difference = fmean(found["rllib"]) - fmean(found["torch"])
    print(f"rllib − torch: {difference:+.2f} c/share, 95 % interval [{low:+.2f}, {high:+.2f}]")
    if args.json is not None:
        result = {"difference": difference, "interval": [low, high], "twap": twap, **found}
        write_json(args.json, "cross_check", {"machine": describe(), "seeds": args.seeds, **result})


if __name__ == "__main__":
    main()
