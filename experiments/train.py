"""Train a policy: `python -m experiments.train CONFIG`. The same command resumes a run that was interrupted."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any

import tyro

from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import load_experiment
from experiments.checkpoints import list_checkpoints
from experiments.console import Progress
from experiments.console import Settings
from experiments.console import check_address
from experiments.console import format_duration
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.degeneracy import examine
from experiments.rollouts import MarketKind
from experiments.rollouts import check_environment
from experiments.rollouts import reference_rules
from experiments.rollouts import run_rule
from experiments.rollouts import seconds_to_train
from experiments.rollouts import validation_episodes
from experiments.run_folder import RunFolder
from experiments.run_folder import git_state

POLICY = "policy.npz"
REFERENCE_EPISODES = 2
QUICK_STEPS = 4_000


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
    """Values that replace the configuration's, as training.steps=1000."""
    market: MarketKind = "abides"
    """The agent-based market, or the fast statistical stand-in (for tests and teaching)."""
    checkpoint_every: int | None = None
    """Environment steps between checkpoints; by default the configuration's."""
    quick: bool = False
    """Train for 4 000 steps only (under a minute): a trial run, which learns nothing of use."""
    address: str | None = None
    """Ray cluster to train on, host:port or auto; its nodes must see the results folder. By default this machine."""


def main(args: Args) -> None:
    """Train as the options say."""
    overrides = parse_settings(args.settings)
    if args.checkpoint_every is not None:
        overrides["training.checkpoint_every"] = args.checkpoint_every
    experiment = load_experiment(args.config, overrides)
    if args.quick:
        experiment = experiment.shortened(QUICK_STEPS)
    check_address(args.address)
    check_environment(experiment, args.market)
    out = args.out if args.address is None else args.out.resolve()
    with RunFolder.open(out, "train", experiment, run_id=args.run_id, arguments={"market": args.market}) as run:
        path = train(experiment, run, args.market, args.address)
        run.finish()
    print(f"policy: {path}", flush=True)


def train(experiment: Experiment, run: RunFolder, market: MarketKind = "abides", address: str | None = None) -> Path:
    """Train a policy in a run folder, from its last checkpoint, with progress on the terminal.

    Args:
        experiment: The experiment.
        run: Its run folder; the manifest gets the policy's digest and returns, and is not marked finished.
        market: Which market the environments run on.
        address: Ray cluster to train on; by default this machine.

    Returns:
        The exported policy, `policy.npz` in the run folder.
    """
    verb = "resuming" if run.resumed else "training"
    print(f"{verb} {experiment.name} on the {market} market in {run.path}", flush=True)
    references = show_references(experiment, market)
    # Imported late: RLlib takes seconds, and a wrong option should be told at once.
    from experiments.cluster import gpus_for
    from experiments.cluster import train_on_cluster
    from experiments.ray_session import ray_at
    from experiments.rllib_algorithm import device_of
    from experiments.trainer import Report
    from experiments.trainer import train_policy

    steps = experiment.training.steps
    done = list_checkpoints(run.file("checkpoints"))
    start = done[-1][0] if done else 0
    left = max(0, steps - start)
    about = format_duration(seconds_to_train(experiment, market, left))
    where = f"the Ray cluster at {address}" if address is not None else device_of(experiment)
    print(
        f"  {experiment.training.algorithm} on {where}, {left:,} decisions to train on: about {about} on an idle core",
        flush=True,
    )
    # A search runs in this process, without Ray.
    alone = address is None and experiment.training.algorithm == "search"
    with nullcontext() if alone else ray_at(address, cpus=1), Progress("train", steps, start=start) as progress:

        def show(report: Report) -> None:
            progress.update(
                report.steps,
                loss=_number(report.loss, ".4g"),
                mean_return=_number(report.reward, ".2f"),
                epsilon=_number(report.epsilon, ".2f"),
            )

        if address is None:
            policy = train_policy(experiment, market, run.path, show)
        else:
            gpus = gpus_for(experiment)
            policy = train_on_cluster(experiment, market, run.path, show, git_state(), gpus)
    path = run.file(POLICY)
    run.update(
        policy=POLICY,
        policy_digest=policy.digest(),
        device=policy.metadata["device"],
        reference_returns=references,
        validation=show_policy(experiment, market, policy),
    )
    return path


def show_references(experiment: Experiment, market: MarketKind) -> dict[str, float]:
    """Print the mean returns of idling, TWAP and immediate execution under the experiment's reward.

    Returns:
        The mean returns by name, in the units of the reward.
    """
    episodes = validation_episodes(experiment, REFERENCE_EPISODES)
    means, completions = {}, {}
    for name, rule in reference_rules().items():
        rollouts = run_rule(experiment, market, rule, episodes)
        means[name] = fmean(rollout.reward for rollout in rollouts)
        completions[name] = fmean(rollout.completion for rollout in rollouts)
        print(f"  {name:9} mean return {means[name]:10.2f}  completion {completions[name]:4.0%}", flush=True)
    # Within a corridor even the least trading completes: then it is one more way to trade, not a way out.
    if completions["idle"] < completions["twap"] and means["idle"] >= means["twap"]:
        print("  warning: idling beats TWAP under this reward: raise reward.beta", flush=True)
    return means


def show_policy(experiment: Experiment, market: MarketKind, policy: NumpyPolicy) -> dict[str, Any]:
    """Print what the greedy policy comes to on a few validation markets, and in what it is degenerate.

    Returns:
        What `Examination.as_dict` returns.
    """
    examined = examine(experiment, market, policy)
    found = examined.as_dict()
    print(
        f"  greedy on {found['episodes']} validation episodes: mean return {found['return']:.2f}"
        f"  completion {found['completion']:.0%}  most taken action {examined.most_taken}"
        f" ({examined.most_taken_share:.0%})",
        flush=True,
    )
    for verdict in examined.verdicts:
        print(f"  warning: the policy is degenerate: {verdict}", flush=True)
    return found


def _number(value: float, form: str) -> str:
    return format(value, form) if isfinite(value) else "–"


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.train", "Train a policy; the same command resumes.")
