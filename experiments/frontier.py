"""Risk against return: `python -m experiments.frontier CONFIG`, or `make frontier`.

For each of several risk aversions λ the configuration's learner trains a policy whose reward charges what is left
(`reward.running_penalty` = λQσ²T, σ from the calibration), and Almgren and Chriss's schedule is made for such λ too.
All of them, and the benchmarks, then trade the same validation markets. What is computed from it is in
`analysis/frontier.py`.

The weight α of the reward is no aversion to risk: it charges shares taken beyond the touch, whenever they are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from agents.numpy_policy import NumpyPolicy
from agents.schedules import CENTS
from analysis.files import write_bytes
from analysis.files import write_json
from analysis.frontier import frontier_figure
from analysis.frontier import frontier_table
from analysis.frontier import model_point
from analysis.frontier import summarise_frontier
from analysis.plots import save_both
from analysis.tables import markdown
from configs import Experiment
from configs import load_experiment
from configs.calibration import load_calibration
from configs.models import SECOND
from configs.models import ParticipationActions
from configs.models import released_policy
from experiments.comparison_table import validity_lines
from experiments.console import Progress
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.gate import judge_each
from experiments.gate import summarise_passed
from experiments.gate import with_and_without
from experiments.per_seed import Options
from experiments.per_seed import check_workers
from experiments.per_seed import measure_each
from experiments.per_seed import validation_seeds
from experiments.policy_check import check_policy
from experiments.run_folder import RunFolder
from experiments.side_by_side import ActorRule
from experiments.side_by_side import Rule
from experiments.side_by_side import almgren_chriss
from experiments.side_by_side import measure_costs
from experiments.side_by_side import schedule_of

AVERSIONS, QUICK_AVERSIONS = (0, 1, 3, 10), (0, 10)
"""Risk aversions λ of the learned policies, per million dollars."""
SCHEDULE_AVERSIONS = (1, 3, 10, 30)
"""Those of Almgren and Chriss's schedules, which without any are TWAP."""
QUICK_STEPS = 30_000
CORRIDOR = 0.3
"""Least corridor around the even schedule: Almgren and Chriss's schedule for λ = 5 leaves it by 0.27 at most."""
BENCHMARKS = ("twap", "vwap", "immediate")
MODEL_POINTS = 40
COEFFICIENTS = ("volatility", "half_spread", "temporary_impact", "permanent_impact")


@dataclass
class Args(Options):
    """Options of `experiments.frontier`."""


def main(args: Args) -> None:
    """Train and measure what is missing, and write numbers, table and figure."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    seeds = validation_seeds(args.seeds, quick=args.quick)
    check_workers(args.workers)
    if args.quick:
        experiment = experiment.shortened(QUICK_STEPS)
    aversions = QUICK_AVERSIONS if args.quick else AVERSIONS
    rules_of(experiment, {})  # refuses a released policy that was made for another problem before anything is trained
    arguments = {"seeds": f"{seeds.start}:{seeds.stop}", "aversions": list(aversions)}
    with RunFolder.open(args.out, "frontier", experiment, run_id=args.run_id, arguments=arguments) as run:
        print(f"{'resuming' if run.resumed else 'frontier in'} {run.path}", flush=True)
        validity = judge_each(experiment, seeds, run.path, args.workers, progress=True)
        policies = {n: policy_of(averse(experiment, n), run.path / f"learned_{n}") for n in aversions}
        rules = rules_of(experiment, policies)
        found = measure_each(partial(measure_costs, experiment, rules), seeds, run.path, args.workers, progress=True)
        summary = {
            **run.origin(),
            "seeds": arguments["seeds"],
            **summarise_passed(lambda kept: {"strategies": summarise_frontier(kept)}, found, seeds, validity),
            "families": {
                "learned, by risk aversion per million dollars": [f"learned_{n}" for n in aversions],
                "Almgren–Chriss, likewise": ["twap", *(f"almgren_chriss_{n}" for n in SCHEDULE_AVERSIONS)],
            },
            "policies": {f"learned_{n}": policy.digest() for n, policy in policies.items()},
            "model": model_curve(experiment),
        }
        write_json(run.file("frontier.json"), summary)
        table = with_and_without(lambda one: markdown(frontier_table(one)), summary)
        write_bytes(run.file("frontier.md"), f"{table}\n".encode())
        save_both(frontier_figure(summary), run.file("frontier"))
        run.point_latest()
        run.finish()
    print("", *validity_lines(validity), sep="\n")
    print(f"\n{table}\n\nfigure: {run.file('frontier.png')}", flush=True)


def averse(experiment: Experiment, aversion: float) -> Experiment:
    """Return the experiment with a risk aversion in its reward, per million dollars, and a corridor that gives room."""
    order = experiment.order
    sigma = load_calibration().volatility.value
    cents = aversion * 1e-6 / CENTS * order.quantity * sigma**2 * order.window / SECOND
    penalty = cents if experiment.reward.price_unit == "cents" else cents / CENTS
    changed: dict[str, Any] = {"reward": experiment.reward.model_copy(update={"running_penalty": penalty})}
    actions = experiment.actions
    if isinstance(actions, ParticipationActions) and actions.corridor is not None:
        changed["actions"] = actions.model_copy(update={"corridor": max(CORRIDOR, actions.corridor)})
    return experiment.model_copy(update=changed)


def policy_of(experiment: Experiment, folder: Path) -> NumpyPolicy:
    """Return the policy in a folder; train it if it is not there yet, from its last checkpoint."""
    path = folder / "policy.npz"
    if path.exists():
        return NumpyPolicy.load(path)
    # Imported late: RLlib takes seconds.
    from experiments.ray_session import ray_at
    from experiments.trainer import Report
    from experiments.trainer import train_policy

    penalty, steps = experiment.reward.running_penalty, experiment.training.steps
    print(f"{folder.name}: running penalty {penalty:.3g}, {steps:,} decisions to train on", flush=True)
    with ray_at(None, cpus=1), Progress("train", steps) as progress:

        def show(report: Report) -> None:
            progress.update(report.steps, mean_return=f"{report.reward:.2f}" if isfinite(report.reward) else "–")

        return train_policy(experiment, "abides", folder, show)


def rules_of(experiment: Experiment, policies: dict[int, NumpyPolicy]) -> dict[str, Rule]:
    """Return all that trade: the benchmarks, Almgren and Chriss's schedules, the released policy, the learned ones."""
    rules: dict[str, Rule] = {name: schedule_of(experiment, name) for name in BENCHMARKS}
    for n in SCHEDULE_AVERSIONS:
        rules[f"almgren_chriss_{n}"] = almgren_chriss(experiment, n)
    released = experiment.comparison.policy
    if released is not None:
        rules[released] = ActorRule(experiment, check_policy(experiment, released_policy(released)))
    learned = {f"learned_{n}": ActorRule(averse(experiment, n), policy) for n, policy in policies.items()}
    return rules | learned


def model_curve(experiment: Experiment) -> dict[str, list[float]]:
    """Return what the calibrated model says of Almgren and Chriss's schedules, up to the largest risk aversion."""
    calibration = load_calibration()
    coefficients = {name: getattr(calibration, name).value for name in COEFFICIENTS}
    interval, shares = experiment.decision_interval / SECOND, experiment.order.quantity
    points = [
        model_point(almgren_chriss(experiment, n).executed, interval, shares, coefficients)
        for n in (0.0, *np.geomspace(0.1, SCHEDULE_AVERSIONS[-1], MODEL_POINTS).tolist())
    ]
    return {"mean": [mean for mean, _ in points], "sd": [sd for _, sd in points]}


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.frontier", "Measure risk against return of learned policies.")
