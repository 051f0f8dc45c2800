"""Search for training settings with Ray Tune: `python -m experiments.sweep CONFIG`, or `make sweep`.

A trial is a short training with one combination of `sweep.parameters`, judged several times on the same validation
markets. What `sweep.scheduler` does with that verdict is described in `configs/models.py`. A kill loses at most what
the running trials did since they were last judged: the same command resumes.
"""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from analysis.files import write_bytes
from analysis.files import write_json
from analysis.plots import save
from analysis.plots import sweep_figure
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from experiments.console import Progress
from experiments.console import Settings
from experiments.console import check_address
from experiments.console import format_duration
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.rollouts import MarketKind
from experiments.rollouts import check_environment
from experiments.rollouts import seconds_to_judge
from experiments.rollouts import seconds_to_train
from experiments.run_folder import RunFolder
from experiments.run_folder import git_state
from experiments.trial import RESULT
from experiments.trial import Space
from experiments.trial import rank
from experiments.trial import train_trial

TRIALS = "trials"
SECONDS_TO_START = 15
"""Loading Ray and RLlib in a trial's process."""
SWEPT = ("training", "reward", "actions", "observation", "decision_interval")
"""What may differ between trials: everything but the markets and the parent order that they are judged on."""
RESERVED = ("training.steps", "training.checkpoint_every")
MUTABLE = tuple(f"training.{name}" for name in ("batch_size", "epsilon", "gamma", "grad_clip", "learning_rate"))
"""What `pbt` may change while a training runs."""
WIDTH = 140
"""Columns of the table where there is no terminal to ask."""
QUICK = {"sweep.steps": 1_000, "sweep.rungs": 2, "sweep.episodes": 8, "sweep.trials": 2}


@dataclass
class Args:
    """Options of the command."""

    config: tyro.conf.Positional[str]
    """An experiment: a YAML file, or the name of one in configs/."""
    quick: bool = False
    """Two trials of 1 000 steps (under a minute): a trial run of the command, not of the settings."""
    run_id: str | None = None
    """Name to find the run by; by default a digest of the resolved configuration."""
    out: Path = Path("results")
    """Folder of all results."""
    settings: Settings = ()
    """Values that replace the configuration's, as sweep.steps=1000."""
    market: MarketKind = "abides"
    """The agent-based market, or the fast statistical stand-in (for tests and teaching)."""
    address: str | None = None
    """Ray cluster to run on, host:port or auto; its nodes must see the results folder. By default this machine."""


def main(args: Args) -> None:
    """Sweep as the options say."""
    experiment = load_experiment(args.config, (QUICK if args.quick else {}) | parse_settings(args.settings))
    space = Space(experiment, args.market)
    choices = choose(space)
    check_address(args.address)
    check_environment(experiment, args.market)
    out = args.out.resolve()  # trials write there from processes of their own
    with RunFolder.open(out, "sweep", experiment, run_id=args.run_id, arguments={"market": args.market}) as run:
        rows = sweep(space, choices, run, args.address)
        run.finish(best=rows[0]["trial"])
    show(rows, experiment.sweep.rungs)
    print(f"sweep: {run.path}", flush=True)


def choose(space: Space) -> list[dict[str, int]]:
    """Check what is swept, and choose the combinations that become trials.

    Returns:
        Choices as of `Space.values`: all, or `sweep.trials` of them, the same for the same `training.seed`.

    Raises:
        ConfigError: If a parameter cannot be swept, or not with this scheduler, or a value is not allowed.
    """
    settings = space.experiment.sweep
    for name in settings.parameters:
        if name.partition(".")[0] not in SWEPT or name in RESERVED:
            reserved = ", ".join(RESERVED)
            raise ConfigError(
                f"sweep.parameters: {name!r} cannot be swept; allowed: fields of {', '.join(SWEPT)}, but {reserved}"
            )
        if settings.scheduler == "pbt" and name not in MUTABLE:
            raise ConfigError(
                f"sweep.parameters: {name!r} cannot change while a training runs, as pbt asks;"
                f" allowed: {', '.join(MUTABLE)}"
            )
    choices = space.choices()
    for choice in choices:
        space.experiment_of(space.values(choice))
    if settings.trials is None or settings.trials >= len(choices):
        return choices
    drawn = random.Random(space.experiment.training.seed).sample(range(len(choices)), settings.trials)
    return [choices[place] for place in sorted(drawn)]


def sweep(
    space: Space, choices: list[dict[str, int]], run: RunFolder, address: str | None = None
) -> list[dict[str, Any]]:
    """Run the trials that are not over, several at a time, and write `sweep.json`, `sweep.csv` and `sweep.svg`.

    Args:
        space: What is tried.
        choices: From `choose`.
        run: The run folder.
        address: Ray cluster to run on; by default this machine.

    Returns:
        One row a trial, the best first; see `experiments.trial.rank`.

    Raises:
        RuntimeError: If a trial failed; the same command tries it again.
    """
    settings = space.experiment.sweep
    before = {row["trial"]: row for row in read_results(run)}
    left = len(choices) - sum(row["rung"] == settings.rungs for row in before.values())
    verb = "resuming" if run.resumed else "sweeping"
    print(
        f"{verb} {space.experiment.name} on the {space.market} market in {run.path}: {len(choices)} trials of"
        f" {settings.steps:,} steps, scheduler {settings.scheduler}, {left} to do",
        flush=True,
    )
    for name, values in settings.parameters.items():
        print(f"  {name}: {' | '.join(json.dumps(value) for value in values)}", flush=True)
    experiments = [space.experiment_of(space.values(choice)) for choice in choices]
    # Trials differ in cost mostly by the decision interval; one of each interval is timed.
    seconds = {one.decision_interval: _seconds(one, space.market) for one in experiments}
    total = sum(seconds[one.decision_interval] for one in experiments) * left / len(choices)
    most = "at most " if settings.scheduler == "asha" else ""
    duration = format_duration(total / min(settings.concurrent, max(1, left)))
    print(f"  {settings.concurrent} at a time: {most}about {duration} on idle cores", flush=True)
    _run_trials(space, choices, run, {name: row["steps"] for name, row in before.items()}, address)
    rows = rank(read_results(run))
    write_json(run.file("sweep.json"), {"scheduler": settings.scheduler, "trials": rows, "best": rows[0]})
    write_bytes(run.file("sweep.csv"), _csv(rows).encode())
    save(sweep_figure(rows, settings.rungs), run.file("sweep.svg"))
    for checkpoint in run.file(TRIALS).glob("*/checkpoint_*"):  # of no further use, and large
        shutil.rmtree(checkpoint)
    return rows


def _seconds(experiment: Experiment, market: MarketKind) -> float:
    """Estimate how long one trial takes on one core."""
    judged = experiment.sweep.rungs * experiment.sweep.episodes
    training = seconds_to_train(experiment, market, experiment.training.steps)
    return SECONDS_TO_START + training + seconds_to_judge(experiment, market, judged)


def read_results(run: RunFolder) -> list[dict[str, Any]]:
    """What each trial came to when it was last judged."""
    paths = sorted(run.file(TRIALS).glob(f"*/{RESULT}"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def _run_trials(
    space: Space, choices: list[dict[str, int]], run: RunFolder, done: dict[str, int], address: str | None
) -> None:
    # Imported late: Ray takes seconds, and a wrong option should be told at once.
    from ray import tune

    from experiments.cluster import RETRIES
    from experiments.cluster import gpus_for
    from experiments.ray_session import ray_at
    from experiments.rllib_algorithm import device_of
    from experiments.tune_progress import ProgressCallback

    settings = space.experiment.sweep
    folder = run.file(TRIALS)
    total = settings.steps * len(choices)
    here = int(address is None and device_of(space.experiment) == "cuda")
    with ray_at(address, settings.concurrent, here), Progress("sweep", total, start=sum(done.values())) as progress:
        # Trials share a GPU: networks this small leave most of it idle.
        gpus = gpus_for(space.experiment) / settings.concurrent
        analysis = tune.run(
            partial(train_trial, space, folder, git_state()),
            name=TRIALS,
            storage_path=str(folder.parent),
            config={"trial": tune.grid_search([{"number": n, "choice": c} for n, c in enumerate(choices)])},
            scheduler=_scheduler(space),
            resources_per_trial={"cpu": 1, "gpu": gpus},
            # A trial whose node is lost goes on from its last rung on another.
            max_failures=RETRIES if address is not None else 0,
            max_concurrent_trials=settings.concurrent,
            # A trial of `pbt` goes on from another's checkpoint, which may no longer be among that one's last two.
            checkpoint_config=tune.CheckpointConfig(num_to_keep=None if settings.scheduler == "pbt" else 2),
            trial_name_creator=_name,
            trial_dirname_creator=_name,
            callbacks=[ProgressCallback(progress, settings.steps, len(choices), done)],
            resume="AUTO+ERRORED" if any(folder.glob("experiment_state-*.json")) else None,
            raise_on_failed_trial=False,
            verbose=0,
        )
    failed = [trial for trial in analysis.trials if trial.status == "ERROR"]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(choices)} trials failed; see {failed[0].path}/error.txt")


def _name(trial: Any) -> str:
    """Name of a trial and of its folder, given once: `pbt` may later change all else about it."""
    return f"trial-{trial.config['trial']['number']}"


def _scheduler(space: Space) -> Any:
    """Tune's scheduler; time is counted in rungs."""
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.schedulers import FIFOScheduler
    from ray.tune.schedulers import PopulationBasedTraining

    settings = space.experiment.sweep
    goal = {"time_attr": "rung", "metric": "score", "mode": "max"}
    if settings.scheduler == "asha":
        return ASHAScheduler(**goal, max_t=settings.rungs, grace_period=1, reduction_factor=2)
    if settings.scheduler == "pbt":
        # It may take long to start a trial's process again, but a process of RLlib's cannot be used twice.
        warnings.filterwarnings("ignore", "Consider boosting PBT")
        places = {name: list(range(len(values))) for name, values in settings.parameters.items()}
        return PopulationBasedTraining(
            **goal, perturbation_interval=1, hyperparam_mutations={"trial": {"choice": places}}
        )
    return FIFOScheduler()


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    flat = [_flat(row) for row in rows]
    writer = csv.DictWriter(text, fieldnames=list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat = {key: row[key] for key in ("trial", "rung", "steps", "updates", "n", "score")}
    flat["ci95_low"], flat["ci95_high"] = row["ci95"]
    flat |= {key: row[key] for key in ("shortfall_cents", "completion")}
    flat["difference"] = row["difference"]["mean"]
    flat["difference_ci95_low"], flat["difference_ci95_high"] = row["difference"]["ci95"]
    return flat | {name: json.dumps(value) for name, value in row["values"].items()}


def show(rows: list[dict[str, Any]], rungs: int) -> None:
    """Print the table of trials, the best first, and how many cannot be told from it.

    Args:
        rows: From `experiments.trial.rank`.
        rungs: Rungs of a trial that was not stopped.
    """
    markets = rows[0]["n"]
    table = Table(title=f"greedy policies on the same {markets} validation markets: cents a share, higher is better")
    names = list(rows[0]["values"])
    for name in ("trial", *names, "rungs", "score [95 %]", "completion", "minus the best [95 %]"):
        table.add_column(name.rpartition(".")[2], justify="right", no_wrap=True)
    for row in rows:
        difference = row["difference"]
        table.add_row(
            row["trial"],
            *(json.dumps(row["values"][name]) for name in names),
            f"{row['rung']} of {rungs}",
            _interval(row["score"], row["ci95"]),
            f"{row['completion']:.0%}",
            _interval(difference["mean"], difference["ci95"]) if row is not rows[0] else "",
        )
    console = Console()
    console.width = max(console.width, WIDTH)
    console.print(table)
    best = " ".join(f"{name}={json.dumps(value)}" for name, value in rows[0]["values"].items())
    print(f"best: {best}", flush=True)
    alike = sum(row["difference"]["ci95"][1] >= 0 for row in rows[1:])
    if alike:
        print(f"  {alike} of the other {len(rows) - 1} trials cannot be told from it on these markets", flush=True)


def _interval(mean: float, ci95: list[float]) -> str:
    return f"{mean:.2f} [{ci95[0]:.2f}, {ci95[1]:.2f}]"


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.sweep", "Search for training settings; the same command resumes.")
