"""Measure how far what a policy sees foretells the mid: `python -m experiments.signals CONFIG`, or `make signals`.

Nobody trades the parent order. At every decision the observation of the configuration is taken, as a buyer's, and the
change of the mid from there on is fitted by it in half of the markets, for several horizons; the fit is tried on the
other half (`analysis.signals`). So a set of features can be judged before anything is trained on it: what they cannot
foretell together no policy can time by. What stands against using it, the order's own impact, is `make impact`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from pydantic import ValidationError

from agents.actions import DECISION
from agents.features import Observer
from agents.views import Rows
from analysis.files import write_bytes
from analysis.files import write_json
from analysis.plots import save_both
from analysis.signals import features_table
from analysis.signals import moments
from analysis.signals import signals_figure
from analysis.signals import signals_table
from analysis.signals import summarise_signals
from analysis.tables import markdown
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from configs.models import SECOND
from configs.models import Duration
from experiments.comparison_table import validity_lines
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.gate import judge_each
from experiments.gate import summarise_passed
from experiments.gate import with_and_without
from experiments.per_seed import Options
from experiments.per_seed import check_workers
from experiments.per_seed import measure_each
from experiments.per_seed import validation_seeds
from experiments.run_folder import RunFolder
from experiments.side_by_side import Decisions
from experiments.side_by_side import Observations
from experiments.side_by_side import observation_names
from experiments.side_by_side import play


@dataclass
class Args(Options):
    """Options of `experiments.signals`."""

    horizons: str = "10s,1min,5min,10min"
    """How far ahead, separated by commas: whole numbers of decision intervals, shorter than the order's window."""


class Watching:
    """A rule that trades nothing and keeps what is seen.

    Args:
        experiment: Names the observation.

    Attributes:
        observations: The observation at each decision, of every market.
        mids: The mid at each, cents.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._observation = experiment.observation

    def begin(self, seed: int, count: int) -> None:
        """Forget everything."""
        self._observer = Observer(self._observation.features, self._observation.history, count)
        self.observations: list[Observations] = []
        self.mids: list[Any] = []

    def decide(self, rows: Rows) -> Decisions:
        """Look, and send nothing."""
        self.observations.append(self._observer.observe(rows))
        self.mids.append(rows["mid2"] / 2)
        orders = np.zeros(len(rows), dtype=DECISION)
        orders["limit_price"] = -1
        return orders


def main(args: Args) -> None:
    """Measure what is not measured yet, and write summary, tables and figure."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    seeds = validation_seeds(args.seeds, quick=args.quick)
    check_workers(args.workers)
    horizons = parse_horizons(args.horizons, experiment)
    observation_names(experiment)  # refuses an unknown feature before anything is written
    arguments = {"seeds": f"{seeds.start}:{seeds.stop}", "horizons": list(horizons)}
    with RunFolder.open(args.out, "signals", experiment, run_id=args.run_id, arguments=arguments) as run:
        verb = "resuming" if run.resumed else "measuring"
        print(f"{verb} {len(seeds)} markets in {run.path}", flush=True)
        found = measure_signals(experiment, horizons, seeds, run.path, args.workers, progress=True)
        summary = {**run.origin(), **found}
        tables = with_and_without(_tables, summary)
        write_json(run.file("summary.json"), summary)
        write_bytes(run.file("signals.md"), f"{tables}\n".encode())
        save_both(signals_figure(summary), run.file("signals"))
        run.point_latest()
        run.finish()
    print(f"\n{experiment.name}, seeds {arguments['seeds']}, n = {summary['n']}, intervals at 95 %.", flush=True)
    print(*validity_lines(summary["validity"]), sep="\n")
    print(f"\n{tables}\n\nfigure: {run.file('signals.png')}", flush=True)


def parse_horizons(text: str, experiment: Experiment) -> dict[str, int]:
    """Return the horizons by name, in decision intervals, the shortest first.

    Raises:
        ConfigError: If one is no duration, no multiple of the decision interval, or not shorter than the window.
    """
    interval, window = experiment.decision_interval, experiment.order.window
    found = {}
    for name in map(str.strip, text.split(",")):
        try:
            horizon = TypeAdapter(Duration).validate_python(name)
        except ValidationError as error:
            raise ConfigError(f"--horizons {name!r}: {error.errors()[0]['msg']}") from error
        if horizon % interval or not horizon < window:
            allowed = (
                f"multiples of {interval / SECOND:g}s (decision_interval) below {window / SECOND:g}s (order.window)"
            )
            raise ConfigError(f"--horizons {name!r}; allowed: {allowed}")
        found[name] = horizon // interval
    return dict(sorted(found.items(), key=lambda item: item[1]))


def measure_signals(
    experiment: Experiment,
    horizons: dict[str, int],
    seeds: Sequence[int],
    folder: Path,
    workers: int = 1,
    *,
    progress: bool = False,
) -> dict[str, Any]:
    """Measure how far the experiment's observation foretells the mid.

    Args:
        experiment: Names market, window, decision interval and observation.
        horizons: Decision intervals by name.
        seeds: Seeds of the markets.
        folder: Each seed's measurements are kept in its `seeds/`; what is there is not measured again.
        workers: Number of processes.
        progress: Whether to show how far it is.

    Returns:
        The content of `summary.json`: what `analysis.signals.summarise_signals` returns, with what was measured and
        which markets passed the gate.

    Raises:
        ConfigError: If fewer than two markets passed the gate.
        RuntimeError: If a seed could not be measured.
    """
    names = observation_names(experiment)
    validity = judge_each(experiment, seeds, folder, workers, progress=progress)
    measuring = partial(measure, experiment, tuple(horizons.values()))
    found = measure_each(measuring, seeds, folder, workers, progress=progress)
    summarise = partial(summarise_signals, features=names, horizons=list(horizons))
    return {
        "experiment": experiment.name,
        "seeds": f"{min(seeds)}:{max(seeds) + 1}",
        "features": names,
        "seconds": [ahead * experiment.decision_interval / SECOND for ahead in horizons.values()],
        **summarise_passed(summarise, found, seeds, validity),
    }


def measure(experiment: Experiment, horizons: Sequence[int], seed: int) -> dict[str, Any]:
    """Watch the market of one seed, and return the `moments` of each horizon."""
    order = experiment.order.model_copy(update={"side": "buy", "end_rule": "leave"})
    idle = experiment.model_copy(update={"order": order})
    watching = Watching(idle)
    play(idle, {"watching": watching}, seed)
    seen, mids = np.concatenate(watching.observations), np.concatenate(watching.mids)
    return {"moments": [moments(seen, mids, ahead).tolist() for ahead in horizons]}


def _tables(summary: Any) -> str:
    return f"{markdown(signals_table(summary))}\n\n{markdown(features_table(summary))}"


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.signals", "Measure how far what a policy sees foretells the mid.")
