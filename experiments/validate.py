"""Judge trainings on the same markets: `python -m experiments.validate RUN …`, or `make validate`.

The greedy policy of each run buys and sells its parent order in the same validation markets, and so does TWAP, every
second and at the policies' own intervals: natively, without records, a tenth of the time of `compare`, whose agents
give the same tapes. The unit is the mean of the two sides in a market. Differences from the better TWAP are taken
market by market, with what a policy leaves charged as a sweep charges it. Markets that fail the gate are named, and the
tables stand there without them and with them. `experiments.degeneracy` says whether a policy has collapsed.

Each run keeps its result in its `validation/`, which is not measured again while policy and commit are the same. The
run in the middle is named: that one is released or tested, not the best.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agents.numpy_policy import NumpyPolicy
from analysis.files import read_json
from analysis.files import write_json
from analysis.stats import estimate
from analysis.tables import with_interval
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
from experiments.policy_check import seed_warnings
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
WIDTH = 180

Floats = NDArray[np.float64]


@dataclass
class Args:
    """Options of `experiments.validate`."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of finished trainings, of one configuration or several that trade the same order in the same market."""
    seeds: str | None = None
    """Seeds of the markets, A:B with B excluded; by default the first 400 validation seeds of configs/seeds.yaml."""
    json: Path | None = None
    """File to write all numbers to as well."""


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
    warnings = {
        f"{run.path}: {warning}"
        for run in runs
        for warning in seed_warnings(NumpyPolicy.load(run.path / "policy.npz"), seeds)
    }
    for warning in sorted(warnings):
        print(f"warning: {warning}", flush=True)
    first, validity = runs[0], None
    if first.market == "abides":
        commit = str(git_state()["commit"])[:12]
        validity = judge_each(first.experiment, seeds, first.path / "validation" / commit, progress=True)
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
    place = f"{seeds[0]}:{seeds[-1] + 1}"
    every = summarise(results) if invalid else None
    if every is not None:
        print("With the markets that failed the gate:", flush=True)
        show(every, place)
        print("Without them:", flush=True)
        passed = np.array([str(seed) not in invalid for seed in seeds])
        results = {title: [result.within(passed) for result in group] for title, group in results.items()}
    summary = summarise(results)
    show(summary, place)
    for title, group in groups.items():
        for result in results[title]:
            for verdict in result.degenerate:
                print(f"{trader(title, result)}: degenerate: {verdict}")
        print(f"median of {title}: {group[median_of(results[title])].path}", flush=True)
    if args.json is not None:
        content = {
            **git_state(),
            "warnings": sorted(warnings),
            "seeds": place,
            **summary,
            "validity": validity,
            "with_invalid_seeds": every,
        }
        print(f"numbers: {write_json(args.json, content)}", flush=True)


def validate(run: TrainedRun, seeds: Sequence[int]) -> Result:
    """Return what the policy of a run comes to in the markets of some seeds, from its folder if it is there."""
    path = run.path / "validation" / f"{seeds[0]}-{seeds[-1] + 1}.json"
    policy, experiment = NumpyPolicy.load(run.path / "policy.npz"), run.experiment
    name = f"seed {run.seed}"
    found = read_json(path) if path.exists() else {}
    state = git_state()
    if any(found.get(key) != value for key, value in {"policy_digest": policy.digest(), **state}.items()):
        result = _play(name, experiment, run.market, greedy(policy), seeds)
        episodes = [(seed, side) for seed in seeds[:EXAMINED] for side in SIDES]
        verdicts = examine(experiment, run.market, policy, episodes).verdicts
        measures = {key: getattr(result, key).tolist() for key in MEASURES}
        found = {"policy_digest": policy.digest(), **state, "sides": SIDES, **measures, "degenerate": verdicts}
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


def median_of(results: Sequence[Result]) -> int:
    """Which result has the median mean score; of an even number the better of the two in the middle."""
    order = np.argsort([result.score.mean() for result in results], kind="stable")
    return int(order[len(order) // 2])


def trader(title: str, result: Result) -> str:
    """Return the name of a result among those of several configurations; TWAP's title is empty."""
    return ", ".join(part for part in (title, result.name) if part)


def summarise(results: Mapping[str, Sequence[Result]]) -> dict[str, Any]:
    """Summarise what each came to, and by how much it differs from the better TWAP in the same markets.

    Args:
        results: Those of TWAP under the empty title, and of the policies under their configuration's, all in the same
            markets.

    Returns:
        JSON values: `n`, `left_cents` (what a share that is left is charged with), `reference` (name of the better
        TWAP), `medians` (name of the median training by configuration) and `traders` by name: `configuration`,
        `degenerate`, and `of_both` and, in `sides`, buy and sell. Each of these three has `shortfall_cents` (an
        estimate over markets), `completion` and `used` (means), and `against` each TWAP by name `charged_cents` and
        `shortfall_cents`: estimates of paired differences, with and without what is left charged.
    """
    reference = max(results[""], key=lambda result: float(result.score.mean()))
    traders = {
        trader(title, result): {
            "configuration": title,
            "of_both": _described(result, results[""], slice(None)),
            "sides": {side: _described(result, results[""], slice(at, at + 1)) for at, side in enumerate(SIDES)},
            "degenerate": list(result.degenerate),
        }
        for title, group in results.items()
        for result in group
    }
    return {
        "n": len(reference.score),
        "left_cents": LEFT_CENTS,
        "reference": reference.name,
        "medians": {title: trader(title, group[median_of(group)]) for title, group in results.items() if title},
        "traders": traders,
    }


def _described(result: Result, twaps: Sequence[Result], sides: slice) -> dict[str, Any]:
    """Describe a result on some of the sides; a market is the mean of them."""

    def estimated(values: Floats) -> dict[str, Any]:
        return estimate(values[:, sides].mean(axis=1)).as_dict()

    return {
        "shortfall_cents": estimated(result.shortfall),
        "completion": float(result.completion[:, sides].mean()),
        "used": float(result.used[:, sides].mean()),
        "against": {
            other.name: {
                "charged_cents": estimated(result.score - other.score),
                "shortfall_cents": estimated(result.shortfall - other.shortfall),
            }
            for other in twaps
        },
    }


def show(summary: Mapping[str, Any], seeds: str) -> None:
    """Print two tables: what each came to, and by how much it differs from the better TWAP in the same markets.

    Args:
        summary: As `summarise` returns it.
        seeds: Where the markets come from.
    """
    reference, n = summary["reference"], f"{summary['n']} markets of {seeds}, cents a share, 95 % intervals"
    levels = Table(title=f"Shortfall (positive is better), {n}")
    for column in ("", "mean of both sides", "sd", "buy", "sd", "sell", "sd", "completed", "window used"):
        levels.add_column(column, justify="right", no_wrap=True)
    charged = f"what is left charged at {summary['left_cents']:g} cents"
    differences = Table(title=f"Against {reference} in the same markets, {charged}, {n}")
    for column in ("", "mean of both sides", "buy", "sell", "both, left at the mid"):
        differences.add_column(column, justify="right", no_wrap=True)
    title = ""
    for name, one in summary["traders"].items():
        if one["configuration"] != title:
            title = one["configuration"]
            levels.add_section()
            differences.add_section()
        both, sides = one["of_both"], [one["sides"][side] for side in SIDES]
        numbers = [f"{side['shortfall_cents'][key]:.2f}" for side in sides for key in ("mean", "sd")]
        shortfall = both["shortfall_cents"]
        cells = (with_interval(shortfall), f"{shortfall['sd']:.2f}", *numbers)
        levels.add_row(name, *cells, f"{both['completion']:.1%}", f"{both['used']:.3f}")
        if name != reference:
            apart = [part["against"][reference] for part in (both, *sides)]
            charges = [with_interval(one["charged_cents"]) for one in apart]
            differences.add_row(name, *charges, with_interval(apart[0]["shortfall_cents"]))
    console = Console()
    console.width = max(console.width, WIDTH)
    console.print(levels, differences)


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
        if run.market != runs[0].market:
            markets = f"{run.path} was trained on the {run.market} market, {runs[0].path} on {runs[0].market}"
            raise ConfigError(f"{markets}: judge them apart")
        for key in ("market", "order"):
            one, other = (each.manifest["experiment"][key] for each in (run, runs[0]))
            for name in one.keys() - {"side", "end_rule"}:
                if one[name] != other[name]:
                    values = f"{run.path} has {key}.{name} {one[name]!r}, {runs[0].path} {other[name]!r}"
                    raise ConfigError(f"{values}: judge them apart")


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.validate", "Judge trainings against TWAP in the same markets.")
