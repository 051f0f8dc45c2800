"""Measure the impact of a parent order against its do-nothing twin: `python -m experiments.impact CONFIG`.

Each seed's market is run once with nobody trading the parent order: the do-nothing twin. Then one strategy works orders
of several sizes in it, buying and selling, and the market goes on to its close, so that what is left of the impact is
seen too. The twin is run anew from its seed, which any strategy and either engine can do; forked at arrival it would be
the same market, byte for byte (`tests/experiments/test_impact.py`).

What is computed from it, and how its intervals come about, is in `analysis/impact.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.files import write_bytes
from analysis.files import write_json
from analysis.impact import impact_figure
from analysis.impact import impact_table
from analysis.impact import summarise_impact
from analysis.plots import save_both
from configs import Experiment
from configs import load_experiment
from configs.models import SECOND
from experiments.comparison_table import validity_lines
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.episode import Episode
from experiments.episode import check_strategies
from experiments.gate import judge_each
from experiments.gate import summarise_passed
from experiments.gate import with_and_without
from experiments.per_seed import Options
from experiments.per_seed import check_workers
from experiments.per_seed import measure_each
from experiments.per_seed import validation_seeds
from experiments.run_folder import RunFolder

FRACTIONS = (0.125, 0.25, 0.5, 1.0, 2.0)
"""Sizes of the orders, in sizes of the experiment's parent order."""
PARENT = FRACTIONS.index(1.0)
GRID = 10 * SECOND
"""Time between the points of a path, ns."""


@dataclass
class Args(Options):
    """Options of `experiments.impact`."""

    strategy: str = "twap"
    """Strategy that works the orders; one that needs no policy."""


def main(args: Args) -> None:
    """Measure what is not measured yet, and write summary, table and figure."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    seeds = validation_seeds(args.seeds, quick=args.quick)
    check_workers(args.workers)
    check_strategies(experiment, [args.strategy], None)
    arguments = {"strategy": args.strategy, "seeds": f"{seeds.start}:{seeds.stop}"}
    with RunFolder.open(args.out, "impact", experiment, run_id=args.run_id, arguments=arguments) as run:
        verb = "resuming" if run.resumed else "measuring"
        print(f"{verb} {len(seeds)} markets, {2 * len(FRACTIONS)} orders in each, in {run.path}", flush=True)
        found = measure_impact(experiment, args.strategy, seeds, run.path, args.workers, progress=True)
        summary = {**run.origin(), **found}
        write_json(run.file("summary.json"), summary)
        table = with_and_without(impact_table, summary)
        write_bytes(run.file("impact.md"), f"{table}\n".encode())
        save_both(impact_figure(summary), run.file("impact"))
        run.point_latest()
        run.finish()
    print(f"\n{args.strategy}, seeds {arguments['seeds']}, n = {summary['n']}, intervals at 95 %.", flush=True)
    print(*validity_lines(summary["validity"]), sep="\n")
    print(f"\n{table}\n")
    print(f"figure: {run.file('impact.png')}", flush=True)


def measure_impact(
    experiment: Experiment,
    strategy: str,
    seeds: Sequence[int],
    folder: Path,
    workers: int = 1,
    *,
    progress: bool = False,
) -> dict[str, Any]:
    """Measure the impact of a strategy's orders.

    Args:
        experiment: Names market, parent order and decision interval.
        strategy: Who works the orders.
        seeds: Seeds of the markets.
        folder: Each seed's measurements are kept in its `seeds/`; what is there is not measured again.
        workers: Number of processes.
        progress: Whether to show how far it is.

    Returns:
        The content of `summary.json`: what `analysis.impact.summarise_impact` returns, with what was run and which
        markets passed the gate.

    Raises:
        RuntimeError: If a seed could not be measured.
    """
    validity = judge_each(experiment, seeds, folder, workers, progress=progress)
    found = measure_each(partial(measure, experiment, strategy), seeds, folder, workers, progress=progress)
    grid_s: list[int] = (path_times(experiment) // SECOND).tolist()
    summarise = partial(summarise_impact, grid_s=grid_s, window_s=experiment.order.window // SECOND)
    return {
        "experiment": experiment.name,
        "strategy": strategy,
        "seeds": f"{min(seeds)}:{max(seeds) + 1}",
        **summarise_passed(summarise, found, seeds, validity),
    }


def path_times(experiment: Experiment) -> NDArray[np.int64]:
    """Times of a path from arrival to the close, ns since arrival."""
    return np.arange(0, experiment.market.end_time - experiment.order.start + 1, GRID, dtype=np.int64)


def do_nothing_twin(experiment: Experiment, seed: int) -> Episode:
    """Run the market of a seed to its close with nobody trading the parent order."""
    return Episode(experiment, "idle", seed, "buy", after=experiment.market.end_time)


def measure(experiment: Experiment, strategy: str, seed: int) -> dict[str, Any]:
    """Measure the impact of orders of several sizes in the market of one seed.

    Returns:
        `reference` (which of the sizes is the parent order's) and `orders`, one a size: `shares`, and for buy and sell
        `path2` (s · (mid − the twin's mid) on `path_times`, half cents), `participation` (filled / volume in the
        window), `completion`, `drift_cents` and `execution_cents`.
    """
    times = path_times(experiment)
    twin = do_nothing_twin(experiment, seed)
    base = twin.tape.mid2_at(twin.start + times)
    orders = []
    for fraction in FRACTIONS:
        size = max(1, round(fraction * experiment.order.quantity))
        sized = experiment.model_copy(
            update={"order": experiment.order.model_copy(update={"quantity": size})},
        )
        entry: dict[str, Any] = {"shares": size}
        for side in ("buy", "sell"):
            run = Episode(sized, strategy, seed, side, after=experiment.market.end_time)
            row = run.tables()["episodes"].to_pylist()[0]
            moved = run.agent.order.sign * (run.tape.mid2_at(run.start + times) - base)
            for name, value in (
                ("path2", moved.tolist()),
                ("participation", row["filled"] / row["volume"] if row["volume"] else 0.0),
                ("completion", row["completion"]),
                ("drift_cents", row["drift_cents"]),
                ("execution_cents", row["execution_cents"]),
            ):
                entry.setdefault(name, []).append(value)
        orders.append(entry)
    return {"seed": seed, "reference": PARENT, "orders": orders}


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.impact", "Measure the impact of an order against its absence.")
