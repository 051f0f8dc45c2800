"""Compare every benchmark in every market regime: `python -m experiments.benchmarks`, or `make benchmarks`.

Each regime of `configs/regimes/` is one comparison (`experiments.compare`) on the same seeds, in a folder of its own; a
run that was interrupted resumes after its last finished unit. One table and one figure join them. With the 200 seeds of
`configs/benchmarks.yaml` it takes one to two hours on two cores and 5 GB of disk; `--quick` takes two seeds: minutes.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from analysis import plots
from analysis.benchmark_table import as_markdown
from analysis.benchmark_table import as_text
from analysis.benchmark_table import collect
from analysis.files import read_json
from analysis.files import write_bytes
from analysis.files import write_json
from analysis.records import RecordsError
from analysis.schema import SCHEMA_VERSION
from configs import ConfigError
from configs import load_experiment
from experiments.compare import choose_seeds
from experiments.compare import evaluate_all_strategies
from experiments.compare import make_plan
from experiments.compare import print_failures
from experiments.compare import seeds_text
from experiments.console import Settings
from experiments.console import format_duration
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.evaluation import PARTS
from experiments.evaluation import Plan
from experiments.evaluation import claim_folder
from experiments.evaluation import count_finished
from experiments.in_regimes import in_regimes
from experiments.run_folder import RunFolder

QUICK_SEEDS = 2
SECONDS_PER_UNIT = 0.2
"""CPU seconds of a unit (a strategy, a seed, both sides, with records), the mean over the benchmarks; a first guess."""


@dataclass
class Args:
    """Options of `experiments.benchmarks`; strategies, seeds and the gate come from the configuration."""

    config: tyro.conf.Positional[str] = "benchmarks"
    """Configuration: a YAML file, or the name of one in configs/."""
    regimes: str | None = None
    """Names separated by commas; by default every one in configs/regimes/."""
    seeds: str | None = None
    """Seeds of the markets, A:B with B excluded; the same in every regime."""
    quick: bool = False
    """Use the first two seeds only: to see it work, not to conclude anything."""
    workers: int | None = None
    """Number of processes."""
    out: Path = Path("results")
    """Folder of all results."""
    run_id: str | None = None
    """Name to find the run by: unfinished, it resumes. By default a digest of all that decides its result."""
    settings: Settings = ()
    """Values that replace the configuration's, as order.quantity=5000."""


def main(args: Args) -> None:
    """Evaluate what is not finished yet, and write table and figure."""
    settings = parse_settings(args.settings)
    experiment = load_experiment(args.config, settings)
    seeds = choose_seeds(experiment, args.seeds)
    if args.quick:
        seeds = seeds[:QUICK_SEEDS]
    workers = args.workers if args.workers is not None else experiment.comparison.workers
    strategies = experiment.comparison.strategies
    if len(strategies) < 2:
        raise ConfigError(f"comparison.strategies must be at least two to compare, got {list(strategies)}")
    plans = {
        name: make_plan(of, strategies, seeds, workers=workers)
        for name, of in in_regimes(args.config, settings, args.regimes).items()
    }
    arguments = {"seeds": seeds_text(seeds), "regimes": list(plans)}
    with RunFolder.open(args.out, "benchmarks", experiment, run_id=args.run_id, arguments=arguments) as run:
        print(f"{'resuming' if run.resumed else 'benchmarks in'} {run.path}", flush=True)
        summaries = compare_in_regimes(run, plans, workers)
        found = collect(summaries)
        write_json(run.file("benchmarks.json"), found)
        write_bytes(run.file("benchmarks.md"), as_markdown(found).encode())
        plots.save_both(plots.benchmark_matrix(found), run.file("benchmarks"))
        run.point_latest()
        print(f"\n{as_text(found)}")
        print(f"table: {run.file('benchmarks.md')}\nfigure: {run.file('benchmarks.svg')}", flush=True)
        failures = [(name, summary) for name, summary in summaries.items() if summary["failures"]]
        for name, summary in failures:
            print_failures(summary["failures"], run.file(name))
        if failures:
            raise SystemExit(1)
        run.finish()


def compare_in_regimes(run: RunFolder, plans: dict[str, Plan], workers: int) -> dict[str, dict[str, Any]]:
    """Compare in each regime, in a folder of the run, and return the summaries by regime.

    A regime that is finished keeps its tables and its summary, not the parts that they were joined from.
    """
    left = {name: _units_left(plan, run.file(name)) for name, plan in plans.items()}
    pace = SECONDS_PER_UNIT / workers
    summaries = {}
    for number, (name, plan) in enumerate(plans.items(), 1):
        folder = run.file(name)
        if left[name] == 0:
            summaries[name] = _read_summary(folder / "summary.json")
            continue
        duration = format_duration(pace * sum(left.values()))
        print(f"[{number}/{len(plans)}] {name}; {sum(left.values())} units to go in all, about {duration}", flush=True)
        began = time.monotonic()
        summaries[name] = evaluate_all_strategies(
            plan.experiment,
            plan.strategies,
            plan.seeds,
            workers=workers,
            folder=folder,
            sides=plan.sides,
            progress=True,
            warnings=run.code_warnings(),
        )
        pace = (time.monotonic() - began) / left[name]
        # What the report of a regime's folder needs: make report ARGS=…
        write_json(folder / "manifest.json", {**run.manifest, "experiment": plan.experiment.model_dump(mode="json")})
        if not summaries[name]["failures"]:
            shutil.rmtree(folder / PARTS)
        left[name] = 0
    return summaries


def _read_summary(path: Path) -> dict[str, Any]:
    try:
        summary = read_json(path)
    except ValueError as error:
        raise RecordsError(str(error)) from error
    if summary.get("schema_version") != SCHEMA_VERSION:
        raise RecordsError(f"{path}: schema version: expected {SCHEMA_VERSION}, found {summary.get('schema_version')}")
    return summary


def _units_left(plan: Plan, folder: Path) -> int:
    """Number of units to evaluate; none where a regime was finished."""
    if (folder / "summary.json").exists() and not (folder / PARTS).exists():
        claim_folder(plan, folder)
        return 0
    return len(plan.units()) - count_finished(plan, folder)


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.benchmarks", "Compare every benchmark in every market regime.")
