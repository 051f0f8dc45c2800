"""Episodes of a fixed rule in the training environment: reference returns, and the greedy policy on validation."""

from __future__ import annotations

from collections import Counter
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

SECONDS_AN_UPDATE = 1.2e-3
"""A gradient update of a small network on one core, measured in 2026."""
SECONDS_A_PPO_UPDATE = 4e-3
"""RLlib's update of PPO on a minibatch, likewise."""
SECONDS_AN_ACTION = 2e-5
"""A greedy action of a small network, likewise."""

TIMED_ROUNDS = 50
"""Steps of every environment that an estimate is made of."""

MarketKind = Literal["abides", "stand-in"]
Rule = Callable[[OptimalExecEnv, NDArray[np.float32]], int]


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
        "idle": lambda env, _: env.action_set.idle_action,
        "twap": lambda env, _: int(env.action_set.twap_action(env.rows)[0]),
        "immediate": lambda env, _: env.action_set.fastest_action,
    }


def greedy(policy: NumpyPolicy) -> Rule:
    """The rule that takes the policy's best action."""
    return lambda _, observation: int(policy.act(observation[np.newaxis])[0])


def check_environment(experiment: Experiment, market: MarketKind) -> None:
    """Make sure that the environment can be made: known features, actions, market.

    Raises:
        ConfigError: One line that names the value and the allowed ones.
    """
    OptimalExecEnv(experiment, market=market).close()


def run_rule(
    experiment: Experiment, market: MarketKind, rule: Rule, episodes: Iterable[tuple[int, Side]]
) -> list[Rollout]:
    """Run a rule in the environment.

    Args:
        experiment: The experiment.
        market: Which market the environment runs on.
        rule: Chooses the action from the environment and its observation.
        episodes: Seed of the market and side of the parent order of each episode.

    Returns:
        One result an episode, in order.
    """
    env = OptimalExecEnv(experiment, market=market)
    results = []
    for seed, side in episodes:
        observation, _ = env.reset(seed=seed, options={"side": side})
        actions: Counter[int] = Counter()
        total, done = 0.0, False
        while not done:
            action = rule(env, observation)
            actions[action] += 1
            observation, reward, terminated, truncated, info = env.step(action)
            total += float(reward)
            done = terminated or truncated
        results.append(Rollout(seed, side, total, float(info["completion"]), float(info["shortfall_cents"]), actions))
    env.close()
    return results


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
    return steps * (_seconds_a_sampled_step(experiment, market) + updates)


def _seconds_a_sampled_step(experiment: Experiment, market: MarketKind) -> float:
    """Time a step of one of the environments that training steps side by side, its part of the resets included."""
    env = OptimalExecVectorEnv(experiment.training.envs, experiment, market=market)
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


def seconds_to_judge(experiment: Experiment, market: MarketKind, episodes: int) -> float:
    """Estimate how long so many episodes of a policy take on one idle core, from an episode run now."""
    seconds, steps = _seconds_a_step(experiment, market)
    return episodes * steps * (seconds + SECONDS_AN_ACTION)


def _seconds_a_step(experiment: Experiment, market: MarketKind) -> tuple[float, int]:
    """Time a step of TWAP in a validation market; return it and the steps of the episode."""
    (first,) = validation_episodes(experiment, 1)
    twap = reference_rules()["twap"]
    run_rule(experiment, market, twap, [first])  # loads what is compiled
    begin = perf_counter()
    (rollout,) = run_rule(experiment, market, twap, [first])
    steps = rollout.actions.total()
    return (perf_counter() - begin) / steps, steps


def validation_episodes(experiment: Experiment, count: int) -> list[tuple[int, Side]]:
    """The first `count` episodes of the validation markets, every side that the experiment trades on each market."""
    sides = experiment.order.sides
    seeds = parse_seeds(load_seed_ranges().validation)
    return [(seed, one) for seed in seeds[: -(-count // len(sides))] for one in sides][:count]
