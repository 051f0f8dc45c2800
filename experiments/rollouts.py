"""Episodes of a fixed rule in the training environment: reference returns, and the greedy policy on validation."""

from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import Side
from configs import load_seed_ranges
from configs import parse_seeds
from envs import OptimalExecEnv
from envs import OptimalExecVectorEnv

SECONDS_AN_UPDATE = 3.5e-3
"""A gradient update of a small network on one core with the acting, storing and drawing for it, measured in 2026."""
SECONDS_A_PPO_UPDATE = 4e-3
"""RLlib's update of PPO on a minibatch, likewise."""

LANES = 32
"""Episodes that are run side by side: more is hardly faster, and a market takes 4 MB."""
TIMED_ROUNDS = 50
"""Steps of every environment that an estimate is made of."""

MarketKind = Literal["abides", "stand-in"]
Rule = Callable[[OptimalExecVectorEnv, NDArray[np.float32]], NDArray[np.int64]]
"""Chooses the actions `[N]` of N markets from the environment and its observations `[N, F]`."""


@dataclass(frozen=True)
class Rollout:
    """What one episode came to.

    Attributes:
        seed: Seed of the market.
        side: Side of the parent order.
        reward: Undiscounted return, in the units of the reward.
        completion: Share of the parent order that was filled.
        shortfall_cents: Cents per share of the parent order; positive is better.
        actions: How often each action was taken.
    """

    seed: int
    side: Side
    reward: float
    completion: float
    shortfall_cents: float
    actions: Counter[int] = field(default_factory=Counter)


def reference_rules() -> dict[str, Rule]:
    """What any policy is measured against: trading nothing, trading evenly, trading at once."""
    return {
        "idle": lambda env, _: np.full(env.num_envs, env.action_set.idle_action),
        "twap": lambda env, _: env.action_set.twap_action(env.rows),
        "immediate": lambda env, _: np.full(env.num_envs, env.action_set.fastest_action),
    }


def greedy(policy: NumpyPolicy) -> Rule:
    """The rule that takes the policy's best action."""
    return lambda _, observations: policy.act(observations)


def check_environment(experiment: Experiment, market: MarketKind) -> None:
    """Make sure that the environment can be made: known features, actions, market.

    Raises:
        ConfigError: One line that names the value and the allowed ones.
    """
    OptimalExecEnv(experiment, market=market).close()


def run_rule(
    experiment: Experiment, market: MarketKind, rule: Rule, episodes: Iterable[tuple[int, Side]]
) -> list[Rollout]:
    """Run a rule in the environment, `LANES` episodes side by side.

    Args:
        experiment: The experiment.
        market: Which market the environment runs on.
        rule: Chooses the actions.
        episodes: Seed of the market and side of the parent order of each episode.

    Returns:
        One result an episode, in order.

    Raises:
        RuntimeError: If a market never has both sides in the window.
    """
    waiting = deque(enumerate(episodes))
    results: dict[int, Rollout] = {}
    lanes = min(LANES, len(waiting))
    if not lanes:
        return []
    env = OptimalExecVectorEnv(lanes, experiment, market=market)
    running: dict[int, tuple[int, int, Side]] = {}  # of each lane: place in the results, market, side
    rewards, actions = np.zeros(lanes), [Counter[int]() for _ in range(lanes)]

    def begin(lane: int) -> NDArray[np.float32]:
        place, (seed, side) = waiting.popleft()
        running[lane] = place, seed, side
        rewards[lane], actions[lane] = 0.0, Counter()
        options = {"market_seed": seed, "side": side, "reset_mask": np.arange(lanes) == lane}
        return env.reset(options=options)[0]

    for lane in range(lanes):
        observations = begin(lane)
    while running:
        chosen = rule(env, observations)
        for lane in running:
            actions[lane][int(chosen[lane])] += 1
        # A lane with nothing left to run goes on with markets of its own, which nobody looks at.
        observations, gained, ended, _, infos = env.step(chosen)
        rewards += gained
        for lane in [lane for lane in running if ended[lane]]:
            place, seed, side = running.pop(lane)
            completion, shortfall = float(infos["completion"][lane]), float(infos["shortfall_cents"][lane])
            results[place] = Rollout(seed, side, float(rewards[lane]), completion, shortfall, actions[lane])
            if waiting:
                observations = begin(lane)
    env.close()
    return [results[place] for place in sorted(results)]


def seconds_to_train(experiment: Experiment, market: MarketKind, steps: int) -> float:
    """Estimate how long so many environment steps of training take on one idle core, from some made now."""
    training = experiment.training
    match training.algorithm:
        case "dqn":
            updates = training.updates_per_step * SECONDS_AN_UPDATE
        case "ppo":
            updates = training.ppo.epochs / training.batch_size * SECONDS_A_PPO_UPDATE
        case "search":
            updates = 0.0  # one in a hundred thousand steps
    return steps * (_seconds_a_step(experiment, market, training.envs) + updates)


def seconds_to_judge(experiment: Experiment, market: MarketKind, episodes: int) -> float:
    """Estimate how long so many episodes of a policy take on one idle core, from some steps made now."""
    return episodes * experiment.decisions * _seconds_a_step(experiment, market, min(LANES, episodes))


def _seconds_a_step(experiment: Experiment, market: MarketKind, envs: int) -> float:
    """Time a step of one of so many environments side by side, its part of the resets included."""
    env = OptimalExecVectorEnv(envs, experiment, market=market)
    first = parse_seeds(load_seed_ranges().validation).start
    env.reset(seed=first)  # loads what is compiled
    begin = perf_counter()
    env.reset(seed=first)
    reset = perf_counter() - begin
    begin = perf_counter()
    rounds = min(TIMED_ROUNDS, experiment.decisions)
    for _ in range(rounds):
        env.step(env.action_set.twap_action(env.rows))
    seconds = (perf_counter() - begin) / rounds + reset / experiment.decisions
    env.close()
    return seconds / env.num_envs


def validation_episodes(experiment: Experiment, count: int) -> list[tuple[int, Side]]:
    """At least `count` episodes of the first validation markets, every side that the experiment trades on each."""
    sides = experiment.order.sides
    seeds = parse_seeds(load_seed_ranges().validation)
    return [(seed, one) for seed in seeds[: -(-count // len(sides))] for one in sides]
