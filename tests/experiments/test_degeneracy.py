from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import load_experiment
from configs.models import released_policy
from experiments.degeneracy import examine

EPISODES: Sequence[Any] = [(0, "buy"), (1, "sell")]


def small(**settings: Any) -> Experiment:
    return load_experiment("quick", {"decision_interval": "20s", "order.window": "10min", **settings})


def constant(experiment: Experiment, action: int, actions: int) -> NumpyPolicy:
    """Always the same action."""
    bias = np.zeros(actions, dtype=np.float32)
    bias[action] = 1
    size = len(experiment.observation.features)
    return NumpyPolicy([], Layer(np.zeros((size, actions), dtype=np.float32), bias))


def by(experiment: Experiment, feature: str, actions: int, scale: float) -> NumpyPolicy:
    """The last action where a feature is positive, else the first."""
    weight = np.zeros((len(experiment.observation.features), actions), dtype=np.float32)
    weight[experiment.observation.features.index(feature), -1] = scale
    return NumpyPolicy([], Layer(weight, np.zeros(actions, dtype=np.float32)))


def test_a_constant_policy_is_one_action_and_blind() -> None:
    experiment = small()
    found = examine(experiment, "abides", constant(experiment, 2, 5), EPISODES)
    assert (found.most_taken, found.most_taken_share, found.book_share) == (2, 1.0, 0.0)
    assert [verdict.split(":")[0] for verdict in found.verdicts] == ["one action", "blind to the book"]


def test_idling_never_completes() -> None:
    experiment = small(actions={"kind": "lots"}, **{"order.end_rule": "leave"})
    found = examine(experiment, "stand-in", constant(experiment, 0, 5), EPISODES)
    assert any(verdict.startswith("never completes") for verdict in found.verdicts)


def test_trading_as_fast_as_possible_is_all_at_once() -> None:
    # Three decisions fall into the first tenth of the window; the third sees what the first two filled.
    experiment = small(actions={"kind": "lots", "lot": 500, "largest": 1}, **{"order.quantity": 1_000})
    found = examine(experiment, "abides", constant(experiment, 1, 2), EPISODES)
    assert any(verdict.startswith("all at once") for verdict in found.verdicts)


def test_a_placement_policy_without_limit_orders_is_named() -> None:
    experiment = small(actions={"kind": "placement", "placements": ["hold", "at", "cross"]})
    crossing = examine(experiment, "stand-in", constant(experiment, 2, 3), EPISODES)
    posting = examine(experiment, "stand-in", constant(experiment, 1, 3), EPISODES)
    assert any(verdict.startswith("never a limit order") for verdict in crossing.verdicts)
    assert not any(verdict.startswith("never a limit order") for verdict in posting.verdicts)


@pytest.mark.parametrize(("feature", "blind"), [("imbalance_5", False), ("return_1", True)])
def test_who_looks_at_prices_only_is_blind_to_the_book(feature: str, blind: bool) -> None:
    experiment = small()
    found = examine(experiment, "abides", by(experiment, feature, 5, 1.0), EPISODES)
    assert any(verdict.startswith("blind") for verdict in found.verdicts) == blind


@pytest.mark.parametrize("name", ["tactical", "tactical_dqn"])
def test_the_released_policies_are_not_degenerate(name: str) -> None:
    experiment = load_experiment(name)
    found = examine(experiment, "abides", NumpyPolicy.load(released_policy(name)), [(1_000_000, "buy")])
    assert found.verdicts == ()
    assert found.book_share is not None
    assert found.book_share > 0.5
    assert found.rollouts[0].completion == 1.0
