"""Try a few training settings side by side: `python -m experiments.sweep CONFIG`, with Ray Tune.

Each trial is a short training with one combination of `sweep.parameters`. It keeps its checkpoints and its result in
the run folder, under a name made of its values, so that the same command resumes the trials that a kill interrupted and
does not repeat those that were finished.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from analysis.files import write_bytes
from analysis.files import write_json
from configs import ConfigError
from configs import Experiment
from configs import experiment_from
from configs import load_experiment
from configs.models import TrainingConfig
from experiments.console import Progress
from experiments.console import Settings
from experiments.console import format_duration
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.rollouts import MarketKind
from experiments.rollouts import check_environment
from experiments.rollouts import seconds_to_train
from experiments.run_folder import RunFolder
from experiments.trial import RESULT
from experiments.trial import Trial
from experiments.trial import train_trial

SCHEDULES = ("learning_rate", "epsilon")
SECONDS_TO_START = 15
"""Loading Ray and RLlib in a trial's process, and running its policy on the validation markets."""
RESERVED = ("steps", "checkpoint_every")


@dataclass
class Args:
    """Options of the command."""

    config: tyro.conf.Positional[str]
    """An experiment: a YAML file, or the name of one in configs/."""
    run_id: str | None = None
    """Name to find the run by; by default a digest of the resolved configuration."""
    out: Path = Path("results")
    """Folder of all results."""
    settings: Settings = ()
    """Values that replace the configuration's, as sweep.steps=1000."""
    market: MarketKind = "abides"
    """The agent-based market, or the fast statistical stand-in (for tests and teaching)."""


def main(args: Args) -> None:
    """Sweep as the options say."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    trials = make_trials(experiment)
    check_environment(experiment, args.market)
    with RunFolder.open(args.out, "sweep", experiment, run_id=args.run_id, arguments={"market": args.market}) as run:
        results = sweep(experiment, trials, run, args.market)
        run.finish(best=results[0]["trial"])
    show(results)
    print(f"sweep: {run.path}", flush=True)


def make_trials(experiment: Experiment) -> list[Trial]:
    """Every combination of `sweep.parameters`, as a short experiment.

    The step counts of schedules and of `learning_starts` are multiplied by `sweep.steps / training.steps`, so that a
    short trial goes through the whole of them.

    Raises:
        ConfigError: If a parameter is no field of `training`, has no values, or a value is not allowed.
    """
    parameters = experiment.sweep.parameters
    allowed = sorted(set(TrainingConfig.model_fields) - set(RESERVED))
    for name, values in parameters.items():
        if name not in allowed:
            raise ConfigError(f"sweep.parameters: unknown parameter {name!r}; allowed: {', '.join(allowed)}")
        if not values:
            raise ConfigError(f"sweep.parameters.{name}: no values; give a list of at least one")
    trials: list[Trial] = []
    for combination in itertools.product(*parameters.values()):
        chosen = dict(zip(parameters, combination, strict=True))
        data = experiment.model_dump(mode="json")
        data["training"] |= chosen
        full = experiment_from(data, "sweep.parameters")
        short = experiment_from({**data, "training": _shorten(full)}, "sweep.parameters")
        digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:8]
        trials.append(Trial(f"trial-{len(trials)}-{digest}", chosen, short))
    return trials


def _shorten(experiment: Experiment) -> dict[str, Any]:
    training = experiment.training.model_dump(mode="json")
    steps = experiment.sweep.steps
    share = steps / training["steps"]
    for name in SCHEDULES:
        # Points that fall on one step become the last of them: a schedule's steps increase.
        training[name] = list({round(step * share): value for step, value in training[name]}.items())
    training["learning_starts"] = round(training["learning_starts"] * share)
    training["steps"] = steps
    return training


def sweep(
    experiment: Experiment, trials: list[Trial], run: RunFolder, market: MarketKind = "abides"
) -> list[dict[str, Any]]:
    """Run the trials that have no result yet, several at a time, and write `sweep.json` and `sweep.csv`.

    Args:
        experiment: The experiment; `experiment.sweep` says how long and how many at a time.
        trials: From `make_trials`.
        run: The run folder.
        market: Which market the environments run on.

    Returns:
        One row a trial, the best first: by mean return of the greedy policy on validation markets.
    """
    folders = {trial.name: run.file("trials") / trial.name for trial in trials}
    open_trials = [trial for trial in trials if not (folders[trial.name] / RESULT).exists()]
    verb = "resuming" if run.resumed else "sweeping"
    print(
        f"{verb} {experiment.name} on the {market} market in {run.path}:"
        f" {len(trials)} trials of {experiment.sweep.steps:,} steps, {len(open_trials)} to do",
        flush=True,
    )
    if open_trials:
        seconds = sum(
            SECONDS_TO_START + seconds_to_train(trial.experiment, market, trial.experiment.training.steps)
            for trial in open_trials
        )
        concurrent = experiment.sweep.concurrent
        about = format_duration(seconds / min(concurrent, len(open_trials)))
        print(f"  {concurrent} at a time: about {about} on idle cores", flush=True)
        _run_trials(open_trials, run, market, experiment.sweep.concurrent)
    rows = [json.loads((folder / RESULT).read_text(encoding="utf-8")) for folder in folders.values()]
    rows.sort(key=lambda row: -row["return"])
    write_json(run.file("sweep.json"), {"trials": rows, "best": rows[0]})
    write_bytes(run.file("sweep.csv"), _csv(rows).encode())
    return rows


def _run_trials(trials: list[Trial], run: RunFolder, market: MarketKind, concurrent: int) -> None:
    # Imported late: Ray takes seconds, and a wrong option should be told at once.
    from ray import tune

    from experiments.ray_session import local_ray
    from experiments.tune_progress import ProgressCallback

    # Tune's own state is of no use to a resumed sweep: results and checkpoints lie in the folders of the trials.
    storage = run.file("tune")
    shutil.rmtree(storage, ignore_errors=True)
    total = sum(trial.experiment.training.steps for trial in trials)
    with local_ray(cpus=concurrent), Progress("sweep", total) as progress:
        tuner = tune.Tuner(
            tune.with_resources(
                partial(train_trial, run.file("trials").resolve(), market, {trial.name: trial for trial in trials}),
                {"cpu": 1},
            ),
            param_space={"trial": tune.grid_search([trial.name for trial in trials])},
            tune_config=tune.TuneConfig(max_concurrent_trials=concurrent),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(run.path.resolve()),
                verbose=0,
                callbacks=[ProgressCallback(progress, len(trials))],
            ),
        )
        results = tuner.fit()
    if results.errors:
        raise RuntimeError(f"{len(results.errors)} of {len(trials)} trials failed: {results.errors[0]}")


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    flat = [{**{k: v for k, v in row.items() if k != "values"}, **row["values"]} for row in rows]
    writer = csv.DictWriter(text, fieldnames=list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table of trials, the best first."""
    episodes = rows[0]["episodes"]
    table = Table(title=f"greedy policy on the same {episodes} validation episodes: mean return ± standard error")
    names = list(rows[0]["values"])
    for name in (*names, "return", "completion", "shortfall, c/share", "updates"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            *(json.dumps(row["values"][name]) for name in names),
            f"{row['return']:.2f} ± {row['return_se']:.2f}",
            f"{row['completion']:.0%}",
            f"{row['shortfall_cents']:.2f}",
            str(row["updates"]),
        )
    Console().print(table)
    best = " ".join(f"training.{name}={json.dumps(value)}" for name, value in rows[0]["values"].items())
    print(f"best: {best}", flush=True)


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.sweep", "Try a few training settings; the same command resumes.")
