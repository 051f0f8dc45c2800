"""Do the two DQNs learn the same? `python -m benchmarks.cross_check [CONFIG] [--seeds 0:5] [--set KEY=VALUE …]`.

Trains `experiments.train`'s DQN and the plain-torch one of `experiments.dqn_torch` with the same configuration on the
same training seeds, runs each greedy policy on the same validation episodes, and reports the mean shortfall of every
policy and the difference of the two methods, with Welch's 95 % interval over the training seeds. The mean return, which
is what both maximise, is compared likewise. TWAP and networks before any training are run on the same episodes: a check
that could not tell these from the trained ones would say nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from statistics import stdev
from typing import Any

from scipy.stats import ttest_ind

from agents.numpy_policy import NumpyPolicy
from benchmarks.machine import OneLineParser
from benchmarks.machine import count
from benchmarks.machine import describe
from benchmarks.machine import seed_range
from benchmarks.machine import write_json
from configs import Experiment
from configs import load_experiment
from experiments import dqn_torch
from experiments.console import parse_overrides
from experiments.ray_session import local_ray
from experiments.rollouts import Rule
from experiments.rollouts import greedy
from experiments.rollouts import reference_rules
from experiments.rollouts import run_rule
from experiments.rollouts import validation_episodes
from experiments.trainer import train_policy

MEASURES = ("shortfall", "return")
Means = dict[str, float]


def train_rllib(experiment: Experiment) -> NumpyPolicy:
    """Train with `experiments.trainer`."""
    with tempfile.TemporaryDirectory() as folder:
        return train_policy(experiment, "abides", Path(folder))


def train_torch(experiment: Experiment) -> NumpyPolicy:
    """Train with `experiments.dqn_torch`."""
    return dqn_torch.train(experiment, "abides")


def untrained(experiment: Experiment) -> NumpyPolicy:
    """The network before any update."""
    training = experiment.training.model_copy(update={"steps": 1})
    return train_torch(experiment.model_copy(update={"training": training}))


METHODS: dict[str, Callable[[Experiment], NumpyPolicy]] = {
    "rllib": train_rllib,
    "torch": train_torch,
    "untrained": untrained,
}


def judge(experiment: Experiment, rule: Rule, episodes: int) -> Means:
    """Return a rule's mean shortfall (cents a share) and mean return on the first validation episodes."""
    rollouts = run_rule(experiment, "abides", rule, validation_episodes(experiment, episodes))
    means = fmean(rollout.shortfall_cents for rollout in rollouts), fmean(rollout.reward for rollout in rollouts)
    return dict(zip(MEASURES, means, strict=True))


def compare(found: dict[str, list[Means]]) -> dict[str, Any]:
    """Return for each measure the difference rllib − torch with Welch's 95 % interval."""
    result = {}
    for measure in MEASURES:
        rllib, torch = ([one[measure] for one in found[name]] for name in ("rllib", "torch"))
        low, high = ttest_ind(rllib, torch, equal_var=False).confidence_interval()
        result[measure] = {"difference": fmean(rllib) - fmean(torch), "interval": [float(low), float(high)]}
    return result


def main(arguments: list[str] | None = None) -> None:
    """Train, evaluate, print and, if asked, write the numbers."""
    parser = OneLineParser(prog="benchmarks.cross_check", description="Compare the two DQNs on validation markets.")
    parser.add_argument("config", nargs="?", default="cross_check", help="configuration (default: cross_check)")
    parser.add_argument("--seeds", type=seed_range, default=range(5), metavar="A:B", help="of training (default: 0:5)")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="values of the configuration")
    parser.add_argument("--episodes", type=count, default=800, metavar="N", help="of validation (default: 800)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    args = parser.parse_args(arguments)
    if len(args.seeds) < 2:
        parser.error(f"an interval needs two seeds or more, got {args.seeds.start}:{args.seeds.stop}")
    if args.json is not None and not args.json.parent.is_dir():
        parser.error(f"no folder {str(args.json.parent)!r} for --json")

    settings = parse_overrides(args.set)
    experiment = load_experiment(args.config, settings)
    print(f"{experiment.name}, {experiment.training.steps:,} steps, {args.episodes} validation episodes", flush=True)
    twap = judge(experiment, reference_rules()["twap"], args.episodes)
    print(_row("twap", twap), flush=True)
    found: dict[str, list[Means]] = {name: [] for name in METHODS}
    with local_ray(cpus=1):
        for training_seed in args.seeds:
            one = load_experiment(args.config, settings | {"training.seed": training_seed})
            for name, train in METHODS.items():
                found[name].append(judge(one, greedy(train(one)), args.episodes))
                print(f"{_row(name, found[name][-1])}, training seed {training_seed}", flush=True)
    for name, values in found.items():
        for measure in MEASURES:
            own = [one[measure] for one in values]
            print(f"{name:<10}{measure:<10}{fmean(own):8.2f}, sd between training seeds {stdev(own):.2f}")
    compared = compare(found)
    for measure, one in compared.items():
        low, high = one["interval"]
        print(f"rllib − torch, {measure}: {one['difference']:+.2f}, 95 % interval [{low:+.2f}, {high:+.2f}]")
    if args.json is not None:
        numbers = {"settings": args.set, "seeds": list(args.seeds), "episodes": args.episodes}
        write_json(args.json, "cross_check", {"machine": describe(), **numbers, "twap": twap, **compared, **found})


def _row(name: str, means: Means) -> str:
    return f"{name:<10}shortfall {means['shortfall']:8.2f} c/share, return {means['return']:8.3f}"


if __name__ == "__main__":
    main()
