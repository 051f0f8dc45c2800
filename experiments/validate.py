"""Judge trainings on the same markets: `python -m experiments.validate RUN …`, or `make validate`.

The greedy policy of each run buys and sells its parent order in the same validation markets, and so does TWAP, every
second and at the policies' own intervals: natively, without records, a tenth of the time of `compare`, whose agents
give the same tapes. The unit is the mean of the two sides in a market. Differences from the better TWAP are taken
market by market, with what a policy leaves charged as a sweep charges it. Markets that fail the gate are named, and the
tables stand there without them and with them. `experiments.degeneracy` says whether a policy has collapsed.

Each run keeps its result in its `validation/`, which is not measured again while the policy is the same. The run in the
middle is named: that one is released or tested, not the best.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agents.numpy_policy import NumpyPolicy
from analysis.files import write_json
from analysis.stats import Estimate
from analysis.stats import estimate
from configs import ConfigError
from configs import Experiment
from configs import Side
from configs import load_seed_ranges
from configs import parse_seeds
from configs.models import SECOND
from configs.models import LotActions
from experiments.comparison_table import validity_lines
from experiments.console import Progress
from experiments.console import format_duration
from experiments.console import run_command
from experiments.degeneracy import examine
from experiments.gate import judge_each
from experiments.rollouts import MarketKind
from experiments.rollouts import Rule
from experiments.rollouts import greedy
from experiments.rollouts import reference_rules
from experiments.rollouts import run_rule
from experiments.rollouts import seconds_to_judge
from experiments.run_folder import git_state
from experiments.trained_runs import TrainedRun
from experiments.trained_runs import read_runs
from experiments.trial import LEFT_CENTS

SEEDS = 400
SIDES: tuple[Side, ...] = ("buy", "sell")
MEASURES = ("shortfall", "completion", "used")
EXAMINED = 4
"""Markets in which a policy is examined for degeneracy."""
WIDTH = 150

Floats = NDArray[np.float64]


@dataclass
class Args:
    """Options of `experiments.validate`."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of finished trainings, of one configuration or several that trade the same order in the same market."""
    seeds: str | None = None
    """Seeds of the markets, A:B with B excluded; by default the first 400 validation seeds of configs/seeds.yaml."""


@dataclass(frozen=True)
class Result:
    """What a policy or TWAP came to in S markets, bought and sold.

    Attributes:
        name: Who traded.
        shortfall: Cents a share of the parent order, positive is better, `(S, 2)`.
        completion: Share of the order that was filled, `(S, 2)`.
        used: Share of the window until the order was filled, `(S, 2)`.
        degenerate: In what a policy is degenerate (`experiments.degeneracy`).
    """

    name: str
    shortfall: Floats
    completion: Floats
    used: Floats
    degenerate: tuple[str, ...] = ()

    def within(self, markets: NDArray[np.bool_]) -> Result:
        """Return the result in the marked markets, `(S,)`."""
        return replace(self, **{name: getattr(self, name)[markets] for name in MEASURES})

    @property
    def score(self) -> Floats:
        """The shortfall with what is left charged at `LEFT_CENTS`, `(S, 2)`.

        The shortfall itself takes what is left at the mid, as if it could be had there: doing nothing would beat TWAP.
        """
        return self.shortfall - LEFT_CENTS * (1 - self.completion)


def main(args: Args) -> None:
    """Measure what is not measured yet, and print the tables."""
    groups = read_runs(args.runs)
    if not groups:
        raise ConfigError("give the folders of one or more finished trainings, as results/quick-*")
    runs = [run for group in groups.values() for run in group]
    _check(runs)
    seeds = parse_seeds(load_seed_ranges().validation)[:SEEDS] if args.seeds is None else parse_seeds(args.seeds)
    if len(seeds) < 2:
        raise ConfigError(f"--seeds {args.seeds}: an interval needs at least two")
    intervals = sorted({SECOND, *(run.experiment.decision_interval for run in runs)})
    seconds = [seconds_to_judge(run.experiment, run.market, len(SIDES) * len(seeds)) for run in runs]
    duration = format_duration(sum(seconds) + len(intervals) * max(seconds))
    print(f"{len(runs)} policies and TWAP in {len(seeds)} markets: about {duration} on an idle core", flush=True)
    first, validity = runs[0], None
    if first.market == "abides":
        validity = judge_each(first.experiment, seeds, first.path / "validation", progress=True)
    print("\n".join(validity_lines(validity)), flush=True)
    invalid = validity["invalid"] if validity is not None else {}
    results: dict[str, list[Result]] = {title: [] for title in ("", *groups)}
    with Progress("validate", len(intervals) + len(runs), unit="traders") as progress:
        for interval in intervals:
            results[""].append(twap(runs[0], interval, seeds))
            progress.update(progress.done + 1)
        for title, group in groups.items():
            for run in group:
                results[title].append(validate(run, seeds))
                progress.update(progress.done + 1)
    if invalid:
        print("With the markets that failed the gate:", flush=True)
        show(results, seeds)
        print("Without them:", flush=True)
        passed = np.array([str(seed) not in invalid for seed in seeds])
        results = {title: [result.within(passed) for result in group] for title, group in results.items()}
    show(results, seeds)
    for title, group in groups.items():
        for result in results[title]:
            for verdict in result.degenerate:
                print(f"{title}, {result.name}: degenerate: {verdict}")
        print(f"median of {title}: {median_run(group, results[title]).path}", flush=True)


def validate(run: TrainedRun, seeds: Sequence[int]) -> Result:
    """Return what the policy of a run comes to in the markets of some seeds, from its folder if it is there."""
    path = run.path / "validation" / f"{seeds[0]}-{seeds[-1] + 1}.json"
    policy, experiment = NumpyPolicy.load(run.path / "policy.npz"), run.experiment
    name = f"seed {run.seed}"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if found.get("policy_digest") != policy.digest():
        result = _play(name, experiment, run.market, greedy(policy), seeds)
        episodes = [(seed, side) for seed in seeds[:EXAMINED] for side in SIDES]
        verdicts = examine(experiment, run.market, policy, episodes).verdicts
        measures = {key: getattr(result, key).tolist() for key in MEASURES}
        found = {"policy_digest": policy.digest(), **git_state(), "sides": SIDES, **measures, "degenerate": verdicts}
        path.parent.mkdir(exist_ok=True)
        write_json(path, found)
    shortfall, completion, used = (np.array(found[key]) for key in MEASURES)
    return Result(name, shortfall, completion, used, tuple(found["degenerate"]))


def twap(run: TrainedRun, interval: int, seeds: Sequence[int]) -> Result:
    """Run TWAP on the order of a run, a decision every `interval` ns.

    As actions it has orders of any number of shares: then the action that keeps closest to the even schedule is TWAP's.
    """
    order = run.experiment.order
    experiment = run.experiment.model_copy(
        update={
            "order": order.model_copy(update={"end_rule": "sweep"}),
            "decision_interval": interval,
            "actions": LotActions(lot=1, largest=order.quantity),
        }
    )
    return _play(f"twap at {interval / SECOND:g} s", experiment, run.market, reference_rules()["twap"], seeds)


def median_run(runs: Sequence[TrainedRun], results: Sequence[Result]) -> TrainedRun:
    """The run with the median mean score; of an even number the better of the two in the middle."""
    order = np.argsort([result.score.mean() for result in results], kind="stable")
    return runs[int(order[len(order) // 2])]


def show(results: dict[str, list[Result]], seeds: Sequence[int]) -> None:
    """Print two tables: what each came to, and by how much it differs from the better TWAP in the same markets.

    Args:
        results: Those of TWAP under the empty title, and of the policies, all in the same markets.
        seeds: The seeds from which those markets are.
    """
    reference = max(results[""], key=lambda result: float(result.score.mean()))
    n = f"{len(reference.score)} markets of {seeds[0]}:{seeds[-1] + 1}, cents a share, 95 % intervals"
    levels = Table(title=f"Shortfall (positive is better), {n}")
    for column in ("", "mean of both sides", "sd", "buy", "sd", "sell", "sd", "completed", "window used"):
        levels.add_column(column, justify="right", no_wrap=True)
    charged = f"what is left charged at {LEFT_CENTS:g} cents"
    differences = Table(title=f"Against {reference.name} in the same markets, {charged}, {n}")
    for column in ("", "mean of both sides", "buy", "sell", "both, left at the mid"):
        differences.add_column(column, justify="right", no_wrap=True)
    for title, group in results.items():
        for result in group:
            name = ", ".join(part for part in (title, result.name) if part)
            sides = [f"{value:.2f}" for one in result.shortfall.T for value in (one.mean(), one.std(ddof=1))]
            both = estimate(result.shortfall.mean(axis=1))
            numbers = [_interval(both), f"{both.sd:.2f}", *sides]
            levels.add_row(name, *numbers, f"{result.completion.mean():.1%}", f"{result.used.mean():.3f}")
            if result is not reference:
                differences.add_row(name, *map(_interval, against(result, reference)))
        levels.add_section()
        differences.add_section()
    console = Console()
    console.width = max(console.width, WIDTH)
    console.print(levels, differences)


def against(result: Result, reference: Result) -> tuple[Estimate, ...]:
    """The paired difference from a reference: the score of both sides, buying, selling; the shortfall of both."""
    difference = result.score - reference.score
    buy, sell = difference.T
    shortfall = result.shortfall - reference.shortfall
    return estimate(difference.mean(axis=1)), estimate(buy), estimate(sell), estimate(shortfall.mean(axis=1))


def _play(name: str, experiment: Experiment, market: MarketKind, rule: Rule, seeds: Sequence[int]) -> Result:
    """Run a rule in the markets of the seeds, buying and selling."""
    rollouts = run_rule(experiment, market, rule, [(seed, side) for seed in seeds for side in SIDES])
    rows = [(one.shortfall_cents, one.completion, one.actions.total() / experiment.decisions) for one in rollouts]
    shortfall, completion, used = np.array(rows).reshape(-1, len(SIDES), len(MEASURES)).transpose(2, 0, 1)
    return Result(name, shortfall, completion, used)


def _check(runs: Sequence[TrainedRun]) -> None:
    """Make sure that the runs are finished and trade the same order in the same market.

    Raises:
        ConfigError: If not.
    """
    for run in runs:
        if run.manifest["status"] != "finished":
            raise ConfigError(f"{run.path} is not finished: the command that began it resumes it")
        for key in ("market", "order"):
            one, other = (each.manifest["experiment"][key] for each in (run, runs[0]))
            for name in one.keys() - {"side", "end_rule"}:
                if one[name] != other[name]:
                    values = f"{run.path} has {key}.{name} {one[name]!r}, {runs[0].path} {other[name]!r}"
                    raise ConfigError(f"{values}: judge them apart")


def _interval(found: Estimate) -> str:
    assert found.mean is not None  # there are two markets or more
    assert found.ci95 is not None
    return f"{found.mean:+.2f} ({found.ci95[0]:+.2f} to {found.ci95[1]:+.2f})"


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.validate", "Judge trainings against TWAP in the same markets.")
