"""Compare strategies on the same markets: `python -m experiments.compare CONFIG --strategies twap,dqn --seeds A:B`.

Every strategy trades the parent order on every seed's market, buying and selling. Differences are taken seed by seed,
so that what a market does to everybody drops out. Each seed's market is also run with nobody trading, to judge whether
it was a market at all.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tyro

from agents.numpy_policy import NumpyPolicy
from analysis.files import write_bytes
from analysis.files import write_json
from analysis.records import read_frame
from analysis.report import build_report
from analysis.summary import Meta
from analysis.summary import summarise
from configs import ConfigError
from configs import Experiment
from configs import Side
from configs import load_experiment
from configs import parse_seeds
from experiments.comparison_table import print_comparison
from experiments.console import Progress
from experiments.console import Settings
from experiments.console import check_address
from experiments.console import format_duration
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.degeneracy import examine
from experiments.episode import check_seeds
from experiments.episode import check_strategies
from experiments.evaluation import Failure
from experiments.evaluation import Plan
from experiments.evaluation import claim_folder
from experiments.evaluation import count_finished
from experiments.evaluation import evaluate_units
from experiments.evaluation import merge_parts
from experiments.evaluation import seconds_a_unit
from experiments.policy_check import check_policy
from experiments.policy_check import chosen_policy
from experiments.policy_check import policy_warnings
from experiments.policy_check import seed_warnings
from experiments.policy_check import trades_with_policy
from experiments.policy_check import training_ranges
from experiments.run_folder import RunFolder
from experiments.run_folder import git_state

POLICY = "policy.npz"
QUICK_SEEDS = 4


@dataclass
class Args:
    """Options of `experiments.compare`; what is not given comes from the configuration's `comparison`."""

    config: tyro.conf.Positional[str]
    """Configuration: a YAML file, or the name of one in configs/."""
    strategies: str | None = None
    """Names separated by commas; the first is the reference of every pair."""
    policy: Path | None = None
    """Exported policy (policy.npz) that strategies of kind `dqn` or `policy` trade with."""
    seeds: str | None = None
    """Seeds of the markets, A:B with B excluded."""
    workers: int | None = None
    """Number of processes."""
    out: Path = Path("results")
    """Folder of all results."""
    run_id: str | None = None
    """Name to find the run by: unfinished, it resumes. By default a digest of all that decides its result."""
    settings: Settings = ()
    """Values that replace the configuration's, as order.quantity=5000."""
    quick: bool = False
    """Use the first 4 seeds only (under a minute), and of the configuration's strategies those that need no policy."""
    address: str | None = None
    """Ray cluster to run on, host:port or auto; its nodes must see the results folder. By default this machine."""


def evaluate_all_strategies(
    experiment: Experiment,
    strategies: Sequence[str],
    seeds: Sequence[int],
    *,
    policy: str | Path | None = None,
    workers: int = 1,
    folder: str | Path | None = None,
    sides: Sequence[Side] | None = None,
    progress: bool = False,
    warnings: Sequence[str] = (),
    address: str | None = None,
) -> dict[str, Any]:
    """Evaluate every strategy on every seed's market, and compare them pair by pair on the same seeds.

    Each strategy trades the same parent order in the same markets, buying and selling. The mean of the two sides is one
    observation for each (strategy, seed), and a pair's difference is taken on each seed before anything is averaged.
    Records, tables and summary are written into `folder`; what is already finished there is not evaluated again.

    Args:
        experiment: The experiment: market, parent order, decisions, validity gate.
        strategies: Names of strategies; the first is the reference that all others are compared with.
        seeds: Seeds of the markets.
        policy: Exported policy, for strategies that trade with one.
        workers: Number of processes; the records are the same whatever it is.
        folder: Folder to write into; by default a temporary one, removed at the end.
        sides: Sides of the parent order; by default those of `experiment.order.side`, where `both` is buy and sell.
        progress: Whether to show how far it is.
        warnings: Sentences to put first among the summary's warnings.
        address: Ray cluster to run on, whose nodes must see `folder`; its processors then take the place of `workers`.

    Returns:
        The content of `summary.json` (see `analysis.summary`), with `failures`, the units that could not be evaluated,
        and `policy`, what traded and whether it has collapsed.

    Raises:
        ConfigError: If a strategy, the seeds, the policy or the number of workers cannot be used; nothing has run then.
    """
    plan = make_plan(experiment, strategies, seeds, policy=policy, workers=workers, sides=sides)
    with _folder_or_temporary(folder) as path:
        claim_folder(plan, path)
        plan = _with_own_policy(plan, path)
        policy_facts = _describe_policy(plan)
        meta = _describe(plan, [*warnings, *_degeneracy_warnings(policy_facts)])

        # 1. Run: every strategy, and nobody, on every seed's market.
        failures = _evaluate(plan, path, workers, address, progress=progress)

        # 2. Record: one table of each kind, sorted.
        merge_parts(plan, path)

        # 3. Compare: per-seed means of the sides, paired differences against the first strategy.
        summary = summarise(read_frame(path, "episodes"), read_frame(path, "validity"), meta)
        summary["policy"] = policy_facts
        summary["failures"] = [_describe_failure(failure, path) for failure in failures]
        write_json(path / "summary.json", summary)
        return summary


def make_plan(
    experiment: Experiment,
    strategies: Sequence[str],
    seeds: Sequence[int],
    *,
    policy: str | Path | None = None,
    workers: int = 1,
    sides: Sequence[Side] | None = None,
) -> Plan:
    """Check everything that can be wrong before anything runs.

    Raises:
        ConfigError: One line that names the value and what is allowed.
    """
    check_request(strategies, seeds, workers)
    check_strategies(experiment, strategies, policy)
    if policy is not None:
        check_policy(experiment, Path(policy))
    return Plan(
        experiment,
        strategies=tuple(strategies),
        seeds=seeds,
        sides=tuple(sides) if sides is not None else experiment.order.sides,
        policy=Path(policy) if policy is not None else None,
    )


def check_request(strategies: Sequence[str], seeds: Sequence[int], workers: int) -> None:
    """Check what needs no experiment to be checked; see `make_plan`."""
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")
    if not strategies:
        raise ConfigError("no strategies: name at least one, as in twap,passive")
    for name in strategies:
        if strategies.count(name) > 1:
            raise ConfigError(f"strategy {name!r} is listed twice: list each strategy once")
    if not seeds:
        raise ConfigError("no seeds: give at least one")
    if not isinstance(seeds, range) and len(set(seeds)) < len(seeds):
        raise ConfigError(f"seeds must not repeat, got {list(seeds)}")
    check_seeds(seeds)


def main(args: Args) -> None:
    """Check the options, evaluate what is not finished yet, and write tables, figures and report."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    comparison = experiment.comparison
    strategies = _split(args.strategies) if args.strategies is not None else list(comparison.strategies)
    seeds = choose_seeds(experiment, args.seeds)
    policy = chosen_policy(experiment, strategies, args.policy)
    if args.quick:
        seeds = seeds[:QUICK_SEEDS]
        if policy is None and args.strategies is None:
            strategies = [name for name in strategies if not trades_with_policy(experiment, name)]
    workers = args.workers if args.workers is not None else comparison.workers
    check_address(args.address)
    plan = make_plan(experiment, strategies, seeds, policy=policy, workers=workers)
    arguments = {"strategies": strategies, "seeds": seeds_text(seeds), "policy": plan.policy_digest()}
    out = args.out if args.address is None else args.out.resolve()
    with RunFolder.open(out, "compare", experiment, run_id=args.run_id, arguments=arguments) as run:
        print(f"{'resuming' if run.resumed else 'comparing in'} {run.path}", flush=True)
        compare_in(run, plan, workers, args.address)


def choose_seeds(experiment: Experiment, text: str | None) -> range:
    """The seeds of the option, or else of the configuration.

    Raises:
        ConfigError: If neither says them, or they are not a range.
    """
    text = text if text is not None else experiment.comparison.seeds
    if text is None:
        raise ConfigError("no seeds: give --seeds A:B, or set comparison.seeds in the configuration")
    return parse_seeds(text)


def seeds_text(seeds: range) -> str:
    """A range of seeds as it is written, `A:B`."""
    return f"{seeds.start}:{seeds.stop}"


def compare_in(run: RunFolder, plan: Plan, workers: int, address: str | None = None) -> None:
    """Compare within a run folder, print the result and where the report lies, and mark the run finished.

    Args:
        run: The run folder.
        plan: What to compare.
        workers: Number of processes.
        address: Ray cluster to run on; by default this machine.

    Raises:
        SystemExit: Status 1 if a unit could not be evaluated; the run stays unfinished, to try those again.
    """
    warnings = run.code_warnings()
    for warning in (*warnings, *_overlap_warnings(plan)):
        print(f"warning: {warning}", flush=True)
    left = len(plan.units()) - count_finished(plan, run.path)
    where = f"the Ray cluster at {address}" if address is not None else f"{workers} processes"
    seconds = seconds_a_unit(plan) if left else 0.0
    about = "?" if seconds is None else format_duration(left * seconds / (workers if address is None else 1))
    print(
        f"  {', '.join(plan.strategies)} on {len(plan.seeds)} markets: {left} units to do on {where},"
        f" about {about} on {'idle cores' if address is None else 'one idle core'}",
        flush=True,
    )
    summary = evaluate_all_strategies(
        plan.experiment,
        plan.strategies,
        plan.seeds,
        policy=plan.policy,
        workers=workers,
        folder=run.path,
        sides=plan.sides,
        progress=True,
        warnings=warnings,
        address=address,
    )
    report = build_report(run.path)
    run.point_latest()
    print_comparison(summary)
    print(f"report: {report}", flush=True)
    if summary["failures"]:
        print_failures(summary["failures"], run.path)
        raise SystemExit(1)
    run.finish()


@contextmanager
def _folder_or_temporary(folder: str | Path | None) -> Iterator[Path]:
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        yield Path(folder)
    else:
        with tempfile.TemporaryDirectory(prefix="shortfall-") as name:
            yield Path(name)


def _with_own_policy(plan: Plan, folder: Path) -> Plan:
    """Keep a copy of the policy beside its results, and trade with the copy: the original may be trained further."""
    if plan.policy is None:
        return plan
    own = folder / POLICY
    if not own.exists() or not own.samefile(plan.policy):
        write_bytes(own, plan.policy.read_bytes())
    return Plan(plan.experiment, plan.strategies, plan.seeds, plan.sides, own)


def _evaluate(plan: Plan, folder: Path, workers: int, address: str | None, *, progress: bool) -> list[Failure]:
    if not progress:
        return evaluate_units(plan, folder, workers, address=address)
    finished = count_finished(plan, folder)
    with Progress("comparing", len(plan.units()), unit="units", start=finished) as line:
        return evaluate_units(plan, folder, workers, partial(_tell, line), address)


def _tell(line: Progress, finished: int, failed: int) -> None:
    line.update(finished, **({"failed": str(failed)} if failed else {}))


def _describe(plan: Plan, warnings: Sequence[str]) -> Meta:
    """What the summary says beside the numbers."""
    meta = Meta(
        experiment=plan.experiment.name,
        strategies=plan.strategies,
        sides=plan.sides,
        commit=git_state()["commit"] or "",
        gate=plan.experiment.comparison.validity.model_dump(),
    )
    if isinstance(plan.seeds, range) and plan.seeds.step == 1:
        meta["seeds"] = seeds_text(plan.seeds)
    traders = _traders(plan)
    if plan.policy is not None and traders:
        policy = NumpyPolicy.load(plan.policy)
        meta["training_seeds"] = {name: training_ranges(policy) for name in traders}
        warnings = [*warnings, *policy_warnings(policy)]
    meta["warnings"] = warnings
    return meta


def _traders(plan: Plan) -> list[str]:
    """Strategies that trade with the exported policy."""
    return [name for name in plan.strategies if trades_with_policy(plan.experiment, name)]


def _describe_policy(plan: Plan) -> dict[str, Any] | None:
    """What the policy is, who trades with it, and whether it has collapsed; None if nobody trades with one."""
    traders = _traders(plan)
    if plan.policy is None or not traders:
        return None
    policy = NumpyPolicy.load(plan.policy)
    known = {key: policy.metadata.get(key) for key in ("digest", "market", "training_markets", "steps", "commit")}
    return {
        **known,
        "strategies": traders,
        "examination": examine(plan.experiment, "abides", policy).as_dict(),
    }


def _degeneracy_warnings(policy: dict[str, Any] | None) -> list[str]:
    verdicts = policy["examination"]["degenerate"] if policy is not None else []
    return [f"The policy is degenerate: {verdict}." for verdict in verdicts]


def _describe_failure(failure: Failure, folder: Path) -> dict[str, Any]:
    return {
        "strategy": failure.unit.strategy,
        "seed": failure.unit.seed,
        "error": failure.error,
        "file": str(failure.file.relative_to(folder)),
    }


def print_failures(failures: Sequence[dict[str, Any]], folder: Path) -> None:
    """Name on standard error the units of a summary that could not be evaluated."""
    for failure in failures:
        where = folder / failure["file"]
        print(f"failed: {failure['strategy']}, seed {failure['seed']}: {failure['error']} ({where})", file=sys.stderr)
    print(f"error: {len(failures)} units failed; the same command tries them again", file=sys.stderr)


def _overlap_warnings(plan: Plan) -> list[str]:
    """Say before the run when seeds are those that a policy was trained on; the summary says it again."""
    if plan.policy is None or not _traders(plan):
        return []
    return seed_warnings(NumpyPolicy.load(plan.policy), plan.seeds)


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.compare", "Compare strategies on the same simulated markets.")
