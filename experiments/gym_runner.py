"""Play a Gymnasium environment with a simple policy: `python -m experiments.gym_runner [ID] [--policy twap]`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Any
from typing import Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from abides_gym.envs import AbidesGymMarketsEnv
from configs import ConfigError
from experiments.console import Progress
from experiments.console import Settings
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.gym_environments import EnvironmentId
from experiments.gym_environments import make_environment

PolicyName = Literal["random", "hold", "twap"]
Policy = Callable[[NDArray[np.float32]], int]
HOLD = {"markets-execution-v0": 2, "markets-daily_investor-v0": 1}
MARKET_ORDER = 0


@dataclass
class Args:
    """Options of the command."""

    env: tyro.conf.Positional[EnvironmentId] = "markets-execution-v0"
    """Id of the environment."""
    policy: PolicyName = "random"
    """Random actions; no orders; or, to execute, a market order whenever an even schedule has got as far."""
    episodes: int = 1
    """Episodes to play."""
    seed: int = 0
    """Seed of the first episode; the others have the numbers after it."""
    settings: Settings = ()
    """Parameters of the environment, as timestep_duration=10s direction=SELL."""


@dataclass(frozen=True)
class Episode:
    """What an episode came to.

    Attributes:
        seed: Its seed.
        steps: Decisions taken.
        reward: Sum of the rewards.
        end: `terminated` or `truncated`.
        shares: Shares held at the end.
        cash: Cash at the end, cents.
        actions: How often each action was taken.
    """

    seed: int
    steps: int
    reward: float
    end: str
    shares: int
    cash: int
    actions: Counter[int]


def main(args: Args) -> None:
    """Play as the options say, and print a table."""
    if args.episodes < 1:
        raise ConfigError(f"--episodes {args.episodes}: at least 1")
    if args.seed < 0:
        raise ConfigError(f"--seed {args.seed}: a whole number from 0 up")
    if args.policy == "twap" and args.env != "markets-execution-v0":
        raise ConfigError(f"--policy twap: {args.env} has no order to schedule; allowed: random, hold")
    env = make_environment(args.env, parse_settings(args.settings))
    episodes: list[Episode] = []
    with Progress(f"{args.env}, {args.policy}", args.episodes, unit="episodes") as progress:
        for seed in range(args.seed, args.seed + args.episodes):
            episodes.append(play(env, policy(args.policy, args.env, seed), seed))
            progress.update(len(episodes), reward=f"{episodes[-1].reward:.3f}")
    env.close()
    print_episodes(episodes)


def policy(name: PolicyName, id: str, seed: int) -> Policy:
    """Return a policy: from observation to action.

    Args:
        name: Which policy.
        id: Id of the environment.
        seed: Seed of random actions.
    """
    if name == "random":
        draws = np.random.default_rng(seed)
        return lambda _: int(draws.integers(3))
    if name == "hold":
        return lambda _: HOLD[id]
    # The first two features of the execution environment: shares of the parent order and of the time.
    return lambda observation: MARKET_ORDER if observation[0, 0] <= observation[1, 0] else HOLD[id]


def play(env: AbidesGymMarketsEnv, act: Policy, seed: int) -> Episode:
    """Play an episode."""
    observation, _ = env.reset(seed=seed)
    actions: Counter[int] = Counter()
    total, over = 0.0, False
    while not over:
        action = act(observation)
        actions[action] += 1
        observation, reward, terminated, truncated, _ = env.step(action)
        total += reward
        over = terminated or truncated
    agent = env.gym_agent
    end = "terminated" if terminated else "truncated"
    return Episode(
        seed, actions.total(), total, end, agent.get_holdings(agent.symbol), agent.get_holdings("CASH"), actions
    )


def print_episodes(episodes: list[Episode]) -> None:
    """Print a table with a row an episode and, of several, their mean."""
    table = Table()
    for column in ("seed", "steps", "reward", "end", "shares", "cash", "actions 0 / 1 / 2"):
        table.add_column(column, justify="left" if column == "end" else "right")
    for episode in episodes:
        counts: Any = " / ".join(str(episode.actions[action]) for action in range(3))
        cells = (f"{episode.seed}", f"{episode.steps}", f"{episode.reward:.4f}", episode.end)
        table.add_row(*cells, f"{episode.shares:,}", f"{episode.cash:,}", counts)
    if len(episodes) > 1:
        steps, reward = fmean(e.steps for e in episodes), fmean(e.reward for e in episodes)
        shares, cash = fmean(e.shares for e in episodes), fmean(e.cash for e in episodes)
        table.add_section()
        table.add_row("mean", f"{steps:.1f}", f"{reward:.4f}", "", f"{shares:,.1f}", f"{cash:,.1f}", "")
    Console(highlight=False, width=100).print(table)


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.gym_runner", "Play a Gymnasium environment with a simple policy.")
