"""Record one episode and write a page that plays it: `python -m experiments.watch CONFIG --seed 7 --strategy twap`.

The page is one file and needs no server and no network: book, trades, the order's progress, and at every decision what
was seen and done. Any strategy, a released or trained policy too.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path

import tyro

from agents.actions import make_actions
from agents.features import Observer
from agents.numpy_policy import NumpyPolicy
from analysis.tables import count
from analysis.watch import Look
from analysis.watch import recording
from analysis.watch import write_page
from configs import ConfigError
from configs import Experiment
from configs import Side
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from experiments.console import Settings
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.episode import Episode
from experiments.episode import check_seeds
from experiments.episode import check_strategies
from experiments.policy_check import check_policy
from experiments.policy_check import chosen_policy
from experiments.policy_check import trades_with_policy
from experiments.run_folder import git_state


@dataclass
class Args:
    """Options of `experiments.watch`."""

    config: tyro.conf.Positional[str]
    """Configuration that names market and order: a YAML file, or the name of one in configs/."""
    seed: int | None = None
    """Seed of the market; by default the first validation seed of configs/seeds.yaml."""
    strategy: str = "twap"
    """Strategy that works the parent order."""
    side: Side = "buy"
    """Side of the parent order."""
    policy: Path | None = None
    """Exported policy (policy.npz) that strategies of kind `dqn` or `policy` trade with."""
    out: Path | None = None
    """File to write; by default results/watch/STRATEGY-SEED-SIDE.html."""
    open: bool = True
    """Whether to open the page in the browser, where there is one."""
    settings: Settings = ()
    """Values that replace the configuration's, as market.regime=thin."""


def main(args: Args) -> None:
    """Run the episode, write the page and open it."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    seed = args.seed if args.seed is not None else parse_seeds(load_seed_ranges().validation).start
    check_seeds([seed])
    policy = chosen_policy(experiment, [args.strategy], args.policy)
    path = args.out or Path("results") / "watch" / f"{args.strategy}-{seed}-{args.side}.html"
    print(record(experiment, args.strategy, seed, args.side, policy, path), flush=True)
    if args.open and _has_browser():
        webbrowser.open(path.resolve().as_uri())


def record(experiment: Experiment, strategy: str, seed: int, side: Side, policy: Path | None, path: Path) -> Path:
    """Run one episode and write the page that plays it.

    Args:
        experiment: The experiment.
        strategy: Name of the strategy.
        seed: Seed of the market.
        side: Side of the parent order.
        policy: Exported policy, for a strategy that trades with one.
        path: The page; one that is there is replaced.

    Returns:
        The page.

    Raises:
        ConfigError: If the strategy or the policy cannot be used, or the market had no price in the whole window.
    """
    check_strategies(experiment, [strategy], policy)
    trained = None
    if policy is not None and trades_with_policy(experiment, strategy):
        trained = check_policy(experiment, policy)
    episode = Episode(experiment, strategy, seed, side, policy)
    if not episode.agent.decisions:
        raise ConfigError(f"seed {seed}: no two-sided book in the whole window, so nothing was decided")
    labels = make_actions(experiment.actions).labels() if trained is not None else []
    found = recording(episode.tables(), _looks(episode, trained), experiment.observation.features, labels)
    commit = git_state()["commit"]
    source = (
        f"configuration {experiment.name} · {count(found['quantity'])} shares from {found['start']}"
        f" in {found['window'] // 60_000} minutes" + (f" · commit {commit[:12]}" if commit else "")
    )
    return write_page(path, found, source)


def _looks(episode: Episode, policy: NumpyPolicy | None) -> list[Look]:
    """Return what was seen at every decision, the features also where the strategy does not use them."""
    observation = episode.experiment.observation
    observer = Observer(observation.features, observation.history)
    looks = []
    for view, _ in episode.agent.decisions:
        observed = observer.observe(view.rows())
        values = policy.q_values(observed)[0].tolist() if policy is not None else None
        features = observed[0, -len(observation.features) :].tolist()
        looks.append(Look(view.bids, view.asks, view.resting_price, features, values))
    return looks


def _has_browser() -> bool:
    """Whether there is a browser with a window: one in a terminal would keep the command."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.watch", "Write a page that plays one episode, and open it.")
