"""Draw the learning curves of trainings: `python -m experiments.curves RUN …`, or `make curves`.

Runs that differ in nothing but the seed of training share a panel: each is a thin line, their median is bold, and the
band holds their middle half. What is drawn is in the runs' event files: the mean over the last hundred episodes of
training (of a policy search: over an iteration's), exploration and all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from numpy.typing import NDArray

from analysis.plots import learning_curves
from analysis.plots import save
from configs import ConfigError
from experiments.console import run_command
from experiments.trained_runs import TrainedRun
from experiments.trained_runs import read_runs

TAGS = {"return": "train/reward", "shortfall": "train/shortfall_cents"}

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass
class Args:
    """Options of `experiments.curves`."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of trainings, finished or not, of one configuration or several."""
    measure: Literal["return", "shortfall"] = "return"
    """What is drawn: the undiscounted return, in the units of the reward, or the shortfall in cents a share."""
    figure: Path = Path("results/learning-curves.svg")
    """Where the figure is written, as .svg or .png."""


def main(args: Args) -> None:
    """Draw the figure."""
    if not args.runs:
        raise ConfigError("give the folders of one or more trainings, as results/quick-*")
    if args.figure.suffix not in (".svg", ".png"):
        raise ConfigError(f"--figure {str(args.figure)!r}: figures are written as .svg or .png")
    groups = read_runs(args.runs)
    curves = {title: [read_curve(run, TAGS[args.measure]) for run in runs] for title, runs in groups.items()}
    labels = {title: _label(args.measure, runs[0]) for title, runs in groups.items()}
    args.figure.parent.mkdir(parents=True, exist_ok=True)
    save(learning_curves(curves, labels), args.figure)
    for title, runs in groups.items():
        print(f"{title}: {len(runs)} trainings, seeds {', '.join(str(run.seed) for run in runs)}")
    print(f"figure: {args.figure}", flush=True)


def read_curve(run: TrainedRun, tag: str) -> Curve:
    """Read a scalar from the event files of a run.

    Returns:
        Environment steps and the values there, both `(K,)`.

    Raises:
        ConfigError: If the run has written none.
    """
    # Imported late: it takes a second, and a wrong option should be told at once.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.path / "tensorboard"), size_guidance={"scalars": 0})
    if (run.path / "tensorboard").is_dir():
        events.Reload()
    if tag not in events.Tags()["scalars"]:
        raise ConfigError(f"{str(run.path)!r} has no {tag} in its event files yet: train on, or leave it out")
    scalars = events.Scalars(tag)
    return np.array([scalar.step for scalar in scalars], float), np.array([scalar.value for scalar in scalars], float)


def _label(measure: str, run: TrainedRun) -> str:
    unit = run.experiment.reward.price_unit if measure == "return" else "cents"
    return f"mean {measure}, {unit} a share\n(higher is better)"


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.curves", "Draw the learning curves of trainings.")
