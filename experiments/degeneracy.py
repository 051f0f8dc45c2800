"""Has a policy collapsed? What its greedy decisions say: a policy that looks learned may do one thing always."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.actions import make_actions
from agents.features import Observer
from agents.numpy_policy import NumpyPolicy
from agents.views import Rows
from configs import Experiment
from configs import Side
from envs import OptimalExecVectorEnv
from experiments.rollouts import MarketKind
from experiments.rollouts import Rollout
from experiments.rollouts import run_rule
from experiments.rollouts import validation_episodes

EPISODES = 4
"""Validation episodes that a policy is examined on."""
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
class Check:
    """One way in which a policy may be degenerate.

    Attributes:
        name: The way, a few words.
        found: What was seen.
        degenerate: Whether the policy is; None if its observation or actions leave nothing to check.
    """

    name: str
    found: str
    degenerate: bool | None


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        rollouts: The episodes.
        most_taken: The action that was taken most often.
        most_taken_share: Its share of all decisions.
        book_share: Share of decisions that change when the features of the book are those of another decision; None if
            it sees none.
        checks: What was looked for.
    """

    rollouts: list[Rollout]
    most_taken: int
    most_taken_share: float
    book_share: float | None
    checks: tuple[Check, ...]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What is degenerate, a few words each; none is good."""
        return tuple(f"{check.name}: {check.found}" for check in self.checks if check.degenerate)

    def as_dict(self) -> dict[str, Any]:
        """Return what a manifest, a summary and a report say of it, as JSON values."""
        return {
            "episodes": len(self.rollouts),
            "seeds": sorted({rollout.seed for rollout in self.rollouts}),
            "return": fmean(rollout.reward for rollout in self.rollouts),
            "completion": fmean(rollout.completion for rollout in self.rollouts),
            "shortfall_cents": fmean(rollout.shortfall_cents for rollout in self.rollouts),
            "most_taken_action": self.most_taken,
            "most_taken_share": self.most_taken_share,
            "book_share": self.book_share,
            "checks": [vars(check) for check in self.checks],
            "degenerate": list(self.verdicts),
        }


def examine(
    experiment: Experiment,
    market: MarketKind,
    policy: NumpyPolicy,
    episodes: Iterable[tuple[int, Side]] | None = None,
) -> Examination:
    """Run the greedy policy, and say in what it is degenerate.

    Args:
        experiment: The experiment.
        market: Which market the episodes run on.
        policy: The policy.
        episodes: Seed of the market and side of each episode; by default the first validation episodes.
    """
    if episodes is None:
        episodes = validation_episodes(experiment, EPISODES)
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
    action_set = make_actions(experiment.actions)
    counts = np.bincount(actions, minlength=policy.action_count)
    most, share = int(counts.argmax()), float(counts.max() / counts.sum())
    completion = max(rollout.completion for rollout in rollouts)
    filled_early = float(np.median(_filled_early(views, rollouts)))
    book_share = _share_that_reads_the_book(experiment, policy, seen, actions)
    limits = float((action_set.decode(actions, views)["limit"] > 0).mean())
    places = experiment.actions.kind == "placement"
    checks = (
        Check("one action", f"{action_set.labels()[most]} in {share:.0%} of decisions", share >= CONSTANT_SHARE),
        Check("never completes", f"at best {completion:.0%} of the order is filled", completion < COMPLETE),
        Check(
            "all at once",
            f"{filled_early:.0%} is filled in the first {AT_ONCE:.0%} of the window",
            filled_early >= 1 - AT_ONCE,
        ),
        Check(
            "never a limit order",
            f"limit orders in {limits:.0%} of decisions" if places else "its actions are market orders",
            limits == 0 if places else None,
        ),
        Check(
            "blind to the book",
            "it sees none" if book_share is None else f"another book changes {book_share:.0%} of decisions",
            None if book_share is None else book_share < BLIND_SHARE,
        ),
    )
    return Examination(rollouts, most, share, book_share, checks)


def _filled_early(views: Rows, rollouts: list[Rollout]) -> NDArray[np.float64]:
    """Return what each episode had filled after the first tenth of its window, as a share of the order."""
    early = views["elapsed"] <= AT_ONCE * views["window"]
    starts = np.flatnonzero(views["elapsed"] == 0)
    filled = np.maximum.reduceat(np.where(early, views["filled"] / views["parent"], 0), starts)
    # An episode without a decision after that part of the window ended in it.
    return np.where(np.logical_and.reduceat(early, starts), [r.completion for r in rollouts], filled)


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
