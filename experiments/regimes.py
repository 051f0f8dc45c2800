"""Measure what the market of each regime is like: `python -m experiments.regimes`, or `make regimes`.

In each regime of `configs/regimes/`, on the same seeds, nobody trades the parent order; its window is described from
the one-second grid of the market's record (`analysis.regimes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tyro

from analysis.files import write_bytes
from analysis.files import write_json
from analysis.regimes import describe_market
from analysis.regimes import regimes_table
from analysis.regimes import summarise_market
from analysis.tables import markdown
from configs import Experiment
from configs import load_experiment
from experiments.comparison_table import validity_lines
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.episode import Episode
from experiments.gate import judge_each
from experiments.gate import summarise_passed
from experiments.in_regimes import in_regimes
from experiments.per_seed import Options
from experiments.per_seed import check_workers
from experiments.per_seed import measure_each
from experiments.per_seed import validation_seeds
from experiments.run_folder import RunFolder


@dataclass
class Args(Options):
    """Options of `experiments.regimes`."""

    config: tyro.conf.Positional[str] = "quick"
    """Configuration whose market the regimes change: a YAML file, or the name of one in configs/."""
    workers: int = 1
    """Number of processes: to start more takes longer than the default seeds of a regime."""


def main(args: Args) -> None:
    """Measure what is not measured yet, and write summary and table."""
    settings = parse_settings(args.settings)
    experiment = load_experiment(args.config, settings)
    experiments = in_regimes(args.config, settings)
    seeds = validation_seeds(args.seeds, quick=args.quick)
    check_workers(args.workers)
    arguments = {
        "seeds": f"{seeds.start}:{seeds.stop}",
        "regimes": {name: of.digest() for name, of in experiments.items()},
    }
    with RunFolder.open(args.out, "regimes", experiment, run_id=args.run_id, arguments=arguments) as run:
        summary: dict[str, Any] = {
            **run.origin(),
            "experiment": experiment.name,
            "seeds": arguments["seeds"],
            "regimes": {},
        }
        for number, (name, of) in enumerate(experiments.items(), 1):
            print(f"[{number}/{len(experiments)}] {name}: {len(seeds)} markets, in {run.path}", flush=True)
            summary["regimes"][name] = describe_regime(of, seeds, run.file(name), args.workers, progress=True)
        table = markdown(regimes_table(summary))
        if any(found["with_invalid_seeds"] for found in summary["regimes"].values()):
            every = markdown(regimes_table(summary, every_seed=True))
            table = f"{table}\n\nWith the markets that failed the gate:\n\n{every}"
        write_json(run.file("summary.json"), summary)
        write_bytes(run.file("regimes.md"), f"{table}\n".encode())
        run.point_latest()
        run.finish()
    for name, found in summary["regimes"].items():
        if found["validity"]["invalid"]:
            print(f"\n{name}", *validity_lines(found["validity"]), sep="\n")
    print(f"\nseeds {arguments['seeds']}, intervals at 95 %\n\n{table}\n\ntable: {run.file('regimes.md')}", flush=True)


def describe_regime(
    experiment: Experiment, seeds: Sequence[int], folder: Path, workers: int = 1, *, progress: bool = False
) -> dict[str, Any]:
    """Describe the markets of one regime.

    Args:
        experiment: Names market and window.
        seeds: Seeds of the markets.
        folder: Each seed's description is kept in its `seeds/`; what is there is not measured again.
        workers: Number of processes.
        progress: Whether to show how far it is.

    Returns:
        What `summarise_passed` makes of `summarise_market`.

    Raises:
        ConfigError: If fewer than two markets passed the gate.
        RuntimeError: If a seed could not be measured.
    """
    validity = judge_each(experiment, seeds, folder, workers, progress=progress)
    found = measure_each(partial(measure, experiment), seeds, folder, workers, progress=progress)
    return summarise_passed(summarise_market, found, seeds, validity)


def measure(experiment: Experiment, seed: int) -> dict[str, float | None]:
    """Describe the market of one seed."""
    episode = Episode(experiment, "idle", seed, "buy")
    return describe_market(episode.tables()["market"].to_pandas(), episode.end)


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.regimes", "Measure what the market of each regime is like.")
