"""Explain what a policy does and why it wins: `python -m experiments.explain CONFIG`, or `make explain`.

1. *Watch*: the policy trades some training markets; its decisions give the maps, the slices, and the rules below.
2. *Distil*: a small tree and a line in a few features are fitted to the decisions (`experiments.distil`).
3. *Measure*, on validation seeds, in the market: the policy, TWAP, the two rules, and the policy's mean path followed
   blindly; and the policy when it is shown the features of other decisions, one by one and in groups (permutation
   importance: Breiman 2001, section 10; here in closed loop, where the policy lives with what it does).

What is computed from it is in `analysis/explain.py`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.actions import make_actions
from agents.features import Observer
from agents.numpy_policy import NumpyPolicy
from agents.views import Rows
from analysis import explain as found_by
from analysis.files import write_bytes
from analysis.files import write_json
from analysis.plots import save_both
from analysis.tables import markdown
from configs import Experiment
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from configs.models import SECOND
from experiments.comparison_table import validity_lines
from experiments.console import Progress
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.degeneracy import BOOK_FEATURES
from experiments.distil import Tree
from experiments.distil import linear_rule
from experiments.gate import judge_each
from experiments.gate import passed
from experiments.gate import summarise_passed
from experiments.gate import with_and_without
from experiments.per_seed import Options
from experiments.per_seed import check_workers
from experiments.per_seed import measure_each
from experiments.per_seed import validation_seeds
from experiments.policy_check import check_policy
from experiments.policy_check import policy_file
from experiments.policy_check import policy_warnings
from experiments.policy_check import seed_warnings
from experiments.run_folder import RunFolder
from experiments.side_by_side import ActorRule
from experiments.side_by_side import Rule
from experiments.side_by_side import ScheduleRule
from experiments.side_by_side import ShuffledRule
from experiments.side_by_side import WatchedRule
from experiments.side_by_side import observation_names
from experiments.side_by_side import path_times
from experiments.side_by_side import play
from experiments.side_by_side import schedule_of

WATCHED, QUICK_WATCHED = 60, 6
"""Training markets in which the policy is watched."""
SHUFFLED = 400
"""Seeds on which features are shuffled, the first of those asked for: each feature and group is one more run."""
DEPTH = 4
"""Most questions of the tree on the way to a decision."""
LINE_FEATURES = 4
"""Features in the line, and slices drawn."""
SLICE_POINTS = 41
GROUPS = {
    "book": BOOK_FEATURES,
    "prices": ("return", "direction", "own_best", "opposite_best"),
    "schedule": ("time", "schedule_deviation", "inventory"),
}
"""How the names of features begin that are shuffled together too."""


@dataclass
class Args(Options):
    """Options of `experiments.explain`."""

    policy: Path | None = None
    """Exported policy (policy.npz); by default the released one that the configuration names."""


@dataclass(frozen=True)
class Watched:
    """Decisions that a policy took.

    Attributes:
        observations: What it saw, `(M, F)`.
        rows: The raw views of it, `(M,)`.
        actions: What it did, `(M,)`.
        executed: Share of the order filled at the end of each decision interval, the mean of all episodes.
    """

    observations: NDArray[np.float32]
    rows: Rows
    actions: NDArray[np.int64]
    executed: NDArray[np.float64]


def main(args: Args) -> None:
    """Measure what is not measured yet, and write numbers, rules and figures."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    seeds = validation_seeds(args.seeds, quick=args.quick)
    check_workers(args.workers)
    policy = check_policy(experiment, policy_file(experiment, args.policy))
    watched_seeds = parse_seeds(load_seed_ranges().train)[: QUICK_WATCHED if args.quick else WATCHED]
    arguments = {
        "policy": policy.digest(),
        "seeds": f"{seeds.start}:{seeds.stop}",
        "watched": f"{watched_seeds.start}:{watched_seeds.stop}",
    }
    with RunFolder.open(args.out, "explain", experiment, run_id=args.run_id, arguments=arguments) as run:
        verb = "resuming" if run.resumed else "explaining"
        print(f"{verb} policy {policy.digest()} on {len(seeds)} markets in {run.path}", flush=True)
        summary = explain(experiment, policy, seeds, watched_seeds, run.path, args.workers, progress=True)
        origin = run.origin([*policy_warnings(policy), *seed_warnings(policy, seeds)]) | arguments
        write_json(run.file("explain.json"), {**origin, **summary})
        text = write_pages(experiment, summary, run.path)
        run.point_latest()
        run.finish()
    print("", *validity_lines(summary["validity"]), sep="\n")
    print(f"\n{text}\nfigures and numbers: {run.path}", flush=True)


def explain(
    experiment: Experiment,
    policy: NumpyPolicy,
    seeds: Sequence[int],
    watched_seeds: Sequence[int],
    folder: Path,
    workers: int = 1,
    *,
    progress: bool = False,
) -> dict[str, Any]:
    """Watch a policy, distil rules from it and measure them, and find out which features it needs.

    Args:
        experiment: The experiment that the policy fits.
        policy: The policy.
        seeds: Seeds of the markets of the measurements.
        watched_seeds: Seeds of the markets in which the policy is watched: others.
        folder: Measurements are kept in its `rules/` and `shuffled/`; what is there is not measured again.
        workers: Number of processes.
        progress: Whether to show how far it is.

    Returns:
        The content of `explain.json`, but for where it comes from.
    """
    validity = judge_each(experiment, seeds, folder, workers, progress=progress)
    names, labels = observation_names(experiment), make_actions(experiment.actions).labels()
    watched = watch(experiment, policy, watched_seeds, progress=progress)
    tree = Tree.fit(watched.observations, watched.actions, DEPTH)
    line, chosen = linear_rule(watched.observations, watched.actions, policy.action_count, LINE_FEATURES)
    line.save(folder / "linear.npz")
    rules: dict[str, Rule] = {
        "twap": schedule_of(experiment, "twap"),
        "policy": ActorRule(experiment, policy),
        "tree": ActorRule(experiment, tree),
        "linear": ActorRule(experiment, line),
        # Its mean path, whatever the market does: what being early is worth by itself.
        "mean_path": ScheduleRule(watched.executed),
    }
    traded = measure_each(partial(measure, experiment, rules), seeds, folder / "rules", workers, progress=progress)
    groups = feature_groups(names)
    shuffled: dict[str, Rule] = {"policy": rules["policy"]} | {
        name: ShuffledRule(experiment, policy, columns, watched.observations) for name, columns in groups.items()
    }
    without = measure_each(
        partial(measure, experiment, shuffled), seeds[:SHUFFLED], folder / "shuffled", workers, progress=progress
    )
    without = passed(without, seeds[:SHUFFLED], validity)
    importance = found_by.summarise_importance(without)
    for name, columns in groups.items():
        importance[name] |= change_of_action(experiment, policy, watched, columns)
    return {
        **summarise_passed(found_by.summarise_rules, traded, seeds, validity),
        "tree": tree.text(names, labels),
        "linear": {"features": [names[column] for column in chosen], "policy": "linear.npz"},
        "same_action": {
            name: float((rule.act(watched.observations) == watched.actions).mean())
            for name, rule in (("tree", tree), ("linear", line))
        },
        "watched_decisions": len(watched.actions),
        "shuffled_n": len(without),
        "importance": importance,
        "trajectories": found_by.summarise_trajectories(passed(traded, seeds, validity), path_times(experiment)),
        "maps": action_maps(experiment, watched),
        "slices": [value_slice(policy, watched.observations, column, names[column]) for column in chosen],
    }


def watch(experiment: Experiment, policy: NumpyPolicy, seeds: Sequence[int], *, progress: bool = False) -> Watched:
    """Let a policy trade some markets, and return its decisions."""
    rule = WatchedRule(experiment, policy)
    paths: list[list[float]] = []
    with Progress("watching", len(seeds), unit="markets") if progress else nullcontext() as line:
        for done, seed in enumerate(seeds, 1):
            paths += play(experiment, {"policy": rule}, seed)["policy"]["left"]
            if line is not None:
                line.update(done)
    observations = np.concatenate(rule.observations)
    ends = np.arange(1, experiment.decisions + 1) / experiment.decisions
    executed = 1 - np.interp(ends, path_times(experiment), np.mean(paths, axis=0))
    return Watched(observations, np.concatenate(rule.rows), policy.act(observations), executed)


def measure(experiment: Experiment, rules: dict[str, Rule], seed: int) -> dict[str, Any]:
    """Measure every rule in the market of a seed; of the paths those that are drawn are kept."""
    found = play(experiment, rules, seed)
    for name, own in found.items():
        left, moved = own.pop("left"), own.pop("moved_cents")
        if name == found_by.POLICY:
            own["left"] = [[round(value, 5) for value in path] for path in left]
        if name == found_by.TWAP:
            own["moved_cents"] = moved
    return found


def feature_groups(names: Sequence[str]) -> dict[str, list[int]]:
    """Elements of the observation that are shuffled together: groups of features, then each one with its history."""
    columns: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        columns.setdefault(name.partition("@")[0], []).append(column)
    groups = {
        f"all of the {group}": [column for name, own in columns.items() if name.startswith(begins) for column in own]
        for group, begins in GROUPS.items()
    }
    return {name: own for name, own in groups.items() if own} | columns


def change_of_action(
    experiment: Experiment, policy: NumpyPolicy, watched: Watched, columns: Sequence[int]
) -> dict[str, float]:
    """Return what shuffling some columns among the watched decisions changes, without consequences.

    Returns:
        `changed`, the share of decisions with another action, and `rate_change`, the mean absolute change of the shares
        ordered, in multiples of the even rate.
    """
    shuffled = watched.observations.copy()
    order = np.random.default_rng(0).permutation(len(shuffled))
    shuffled[:, columns] = watched.observations[order][:, columns]
    actions = policy.act(shuffled)
    rates = (ordered(experiment, one, watched.rows) for one in (actions, watched.actions))
    return {
        "changed": float((actions != watched.actions).mean()),
        "rate_change": float(np.abs(next(rates) - next(rates)).mean()),
    }


def ordered(experiment: Experiment, actions: NDArray[np.int64], rows: Rows) -> NDArray[np.float64]:
    """Return the shares of market and limit orders of actions in views `(M,)`, in multiples of the even rate."""
    orders = make_actions(experiment.actions).decode(actions, rows)
    even: NDArray[np.float64] = rows["parent"] * rows["interval"] / rows["window"]
    return (orders["market"] + orders["limit"]) / even


def action_maps(experiment: Experiment, watched: Watched) -> list[dict[str, Any]]:
    """Average what was ordered over (time, deviation from the schedule) and over (imbalance, spread)."""
    rates = ordered(experiment, watched.actions, watched.rows)
    features = ("time", "schedule_deviation", "imbalance_5", "spread")
    time, ahead, imbalance, spread = Observer(features, markets=len(rates)).observe(watched.rows).T
    minutes = time * experiment.order.window / (60 * SECOND)
    return [
        {
            **found_by.binned_mean(minutes, 100 * ahead, rates),
            "labels": ("minutes since arrival", "ahead of TWAP, % of the order"),
        },
        {
            **found_by.binned_mean(imbalance, np.rint(10 * spread), rates),
            "labels": ("imbalance of five levels, + with the order", "spread, cents"),
        },
    ]


def value_slice(policy: NumpyPolicy, observations: NDArray[np.float32], column: int, name: str) -> dict[str, Any]:
    """Return the values of the actions along one element of the observation, the others at their medians."""
    low, high = np.quantile(observations[:, column], [0.01, 0.99]).tolist()
    points = np.linspace(low, high, SLICE_POINTS)
    x = np.tile(np.median(observations, axis=0), (SLICE_POINTS, 1))
    x[:, column] = points
    return {"feature": name, "x": points.tolist(), "values": policy.q_values(x).tolist()}


def write_pages(experiment: Experiment, summary: dict[str, Any], folder: Path) -> str:
    """Write tables, tree and figures into a folder, and return the text of them."""
    labels = make_actions(experiment.actions).labels()
    rules = with_and_without(lambda one: markdown(found_by.rules_table(one)), summary)
    text = f"{rules}\n\n{markdown(found_by.importance_table(summary['importance']))}"
    write_bytes(folder / "explain.md", f"{text}\n\n```\n{summary['tree']}\n```\n".encode())
    write_bytes(folder / "importance.csv", _as_csv(summary["importance"]).encode())
    window = experiment.order.window / (60 * SECOND)
    for name, figure in (
        ("maps", found_by.maps_figure(summary["maps"])),
        ("importance", found_by.importance_figure(summary["importance"])),
        ("slices", found_by.slices_figure(summary["slices"], labels)),
        ("trajectories", found_by.trajectories_figure(summary["trajectories"], window)),
    ):
        save_both(figure, folder / name)
    return text


def _as_csv(importance: dict[str, Any]) -> str:
    """A row a group of features: decisions changed, and by measure what is lost with its interval."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    measured = [f"{measure}_{part}" for measure in found_by.MEASURES for part in ("lost", "low", "high")]
    writer.writerow(["features", "changed", "rate_change", *measured])
    for name, own in importance.items():
        lost = [(own[measure]["mean"], *(own[measure]["ci95"] or (None, None))) for measure in found_by.MEASURES]
        writer.writerow([name, own["changed"], own["rate_change"], *(value for three in lost for value in three)])
    return file.getvalue()


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.explain", "Explain what a policy does and why it wins.")
