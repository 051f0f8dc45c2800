"""Write a simulated market as a LOBSTER day: `python -m experiments.lobster CONFIG --seed 7 --out DIR`.

Message file and order book file (`abides_markets/lobster.py` says what is in them), of the market of one seed with
nobody trading a parent order, or with a strategy that does. `abides lobster --message_file FILE` replays such a day, or
one from LOBSTER, as a market of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from abides_core import abides
from abides_core.utils import fmt_ts
from abides_core.utils import str_to_ns
from abides_markets.lobster import messages_of_book
from abides_markets.lobster import write_lobster
from agents.market import SYMBOL
from agents.market import add_execution_agent
from agents.market import build_market
from agents.market import exchange_of
from configs import ConfigError
from configs import Experiment
from configs import Side
from configs import load_experiment
from experiments.console import Settings
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.episode import check_seeds
from experiments.episode import check_strategies
from experiments.episode import make_agent

OPEN = str_to_ns("09:30:00")


@dataclass
class Args:
    """Options of `experiments.lobster`."""

    config: tyro.conf.Positional[str]
    """Configuration that names market and order: a YAML file, or the name of one in configs/."""
    seed: int
    """Seed of the market."""
    strategy: str = "idle"
    """Strategy that works the parent order; by default nobody does."""
    side: Side = "buy"
    """Side of the parent order."""
    policy: Path | None = None
    """Exported policy (policy.npz) that `dqn` trades with."""
    levels: int = 10
    """Levels a side of the order book file."""
    out: Path = Path("results/lobster")
    """Folder to write into; files of the same name are replaced."""
    settings: Settings = ()
    """Values that replace the configuration's, as market.regime=thin."""


def main(args: Args) -> None:
    """Run the market and write it."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    if args.levels < 1:
        raise ConfigError(f"levels must be at least 1, got {args.levels}")
    check_seeds([args.seed])
    check_strategies(experiment, [args.strategy], args.policy)
    for path in export(experiment, args.seed, args.strategy, args.side, args.policy, args.levels, args.out):
        print(path)


def export(
    experiment: Experiment,
    seed: int,
    strategy: str,
    side: Side,
    policy: Path | None,
    levels: int,
    folder: Path,
) -> tuple[Path, Path]:
    """Run the market of a seed with a strategy in it to its close, and write it; return the two files."""
    config = build_market(experiment.market, seed)
    add_execution_agent(config, make_agent(experiment, strategy, seed, side, len(config["agents"]), policy))
    abides.run(config, engine="auto")
    midnight = config["start_time"]
    messages = messages_of_book(exchange_of(config).order_books[SYMBOL], midnight)
    date = fmt_ts(midnight)[:10]
    return write_lobster(folder, SYMBOL, date, OPEN, experiment.market.end_time, messages, levels)


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.lobster", "Write a simulated market as a LOBSTER day.")
