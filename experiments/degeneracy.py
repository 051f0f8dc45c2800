"""Has a policy collapsed? What its greedy decisions say: a policy that looks learned may do one thing always."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.actions import make_actions
from agents.features import Observer
from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import Side
from envs import OptimalExecVectorEnv
from experiments.rollouts import MarketKind
from experiments.rollouts import Rollout
from experiments.rollouts import run_rule

CONSTANT_SHARE = 0.99
"""Share of decisions from which on one action is all that a policy does."""
COMPLETE = 0.99
"""Completion below which an episode left shares; whole lots may leave a few."""
AT_ONCE = 0.1
"""Part of the window in which a policy that trades all at once has filled nine tenths of the order."""
BLIND_SHARE = 0.01
"""Share of decisions below which a policy does not look at the book."""
BOOK_FEATURES = ("imbalance", "own_depth", "opposite_depth", "spread", "direction")
"""How the names of features of the book begin."""


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        rollouts: The episodes.
        most_taken: The action that was taken most often.
        most_taken_share: Its share of all decisions.
        book_share: Share of decisions that change when the features of the book are those of another decision; None if
            it sees none.
        verdicts: What is degenerate, a few words each; none is good.
    """

    rollouts: list[Rollout]
    most_taken: int
    most_taken_share: float
    book_share: float | None
    verdicts: tuple[str, ...]


def examine(
    experiment: Experiment, market: MarketKind, policy: NumpyPolicy, episodes: Iterable[tuple[int, Side]]
) -> Examination:
    """Run the greedy policy, and say in what it is degenerate.

    Args:
        experiment: The experiment.
        market: Which market the episodes run on.
        policy: The policy.
        episodes: Seed of the market and side of each episode.
    """
    observations: list[NDArray[np.float32]] = []
    rows = []

    def act(env: OptimalExecVectorEnv, seen: NDArray[np.float32]) -> NDArray[np.int64]:
        observations.append(seen.copy())
        rows.append(env.rows)
        return policy.act(seen)

    # One at a time: what was seen then lies in the order of the episodes.
    rollouts = [rollout for episode in episodes for rollout in run_rule(experiment, market, act, [episode])]
    seen, views = np.concatenate(observations), np.concatenate(rows)
    actions = policy.act(seen)
    counts = np.bincount(actions, minlength=policy.action_count)
    most, share = int(counts.argmax()), float(counts.max() / counts.sum())
    book_share = _share_that_reads_the_book(experiment, policy, seen, actions)
    early = views["elapsed"] <= AT_ONCE * views["window"]
    starts = np.flatnonzero(views["elapsed"] == 0)
    filled_early = np.maximum.reduceat(np.where(early, views["filled"] / views["parent"], 0), starts)
    # An episode without a decision after that part of the window ended in it.
    filled_early = np.where(np.logical_and.reduceat(early, starts), [r.completion for r in rollouts], filled_early)
    orders = make_actions(experiment.actions).decode(actions, views)
    verdicts = []
    if share >= CONSTANT_SHARE:
        verdicts.append(f"one action: {most} in {share:.0%} of decisions")
    if max(rollout.completion for rollout in rollouts) < COMPLETE:
        verdicts.append("it never completes the order")
    if np.median(filled_early) >= 1 - AT_ONCE:
        verdicts.append(f"all at once: nine tenths are filled in the first {AT_ONCE:.0%} of the window")
    if experiment.actions.kind == "placement" and not orders["limit"].any():
        verdicts.append("never a limit order")
    if book_share is not None and book_share < BLIND_SHARE:
        verdicts.append("blind to the book: with another decision's book it does the same")
    return Examination(rollouts, most, share, book_share, tuple(verdicts))


def _share_that_reads_the_book(
    experiment: Experiment, policy: NumpyPolicy, seen: NDArray[np.float32], actions: NDArray[np.int64]
) -> float | None:
    """Share of decisions that change when the features of the book are shuffled among decisions, together."""
    names = Observer(experiment.observation.features, experiment.observation.history).names
    book = [column for column, name in enumerate(names) if name.startswith(BOOK_FEATURES)]
    if not book:
        return None
    shuffled = seen.copy()
    shuffled[:, book] = seen[np.random.default_rng(0).permutation(len(seen))][:, book]
    return float((policy.act(shuffled) != actions).mean())
