"""Rules side by side trade as their agents do, each in its own market."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from experiments.episode import Episode
from experiments.rollouts import greedy
from experiments.rollouts import run_rule
from experiments.side_by_side import ActorRule
from experiments.side_by_side import Rule
from experiments.side_by_side import ShuffledRule
from experiments.side_by_side import WatchedRule
from experiments.side_by_side import path_times
from experiments.side_by_side import play
from experiments.side_by_side import schedule_of
from tests.agents.worlds import experiment

SEED = 1_000_001


@pytest.fixture(scope="module")
def short() -> Experiment:
    return experiment(
        order={"quantity": 1_200},
        observation={"features": ["time", "imbalance_5", "spread"], "history": 2},
        reward={"alpha": 0.5, "running_penalty": 3.0},
        strategies={"urgent": {"kind": "almgren_chriss", "params": {"risk_aversion": 1e-2}}},
    )


@pytest.fixture(scope="module")
def policy(short: Experiment) -> NumpyPolicy:
    random = np.random.default_rng(0)
    return NumpyPolicy([], Layer(random.normal(size=(6, 5)).astype(np.float32), np.zeros(5, dtype=np.float32)))


@pytest.mark.parametrize("strategy", ["twap", "vwap", "urgent", "immediate"])
def test_a_schedule_trades_as_its_agent_does(short: Experiment, strategy: str) -> None:
    found = play(short, {strategy: schedule_of(short, strategy)}, SEED)[strategy]
    for index, side in enumerate(short.order.sides):
        row = Episode(short, strategy, SEED, side).tables()["episodes"].to_pylist()[0]
        assert found["shortfall_cents"][index] == pytest.approx(row["shortfall_cents"])
        assert found["completion"][index] == row["completion"]


@pytest.mark.parametrize("market", ["abides", "stand-in"])
def test_a_policy_gets_what_it_gets_in_the_environment(short: Experiment, policy: NumpyPolicy, market: Any) -> None:
    rules: dict[str, Rule] = {"twap": schedule_of(short, "twap"), "policy": ActorRule(short, policy)}
    found = play(short, rules, SEED, market)["policy"]
    rollouts = run_rule(short, market, greedy(policy), [(SEED, side) for side in short.order.sides])
    assert found["reward"] == pytest.approx([rollout.reward for rollout in rollouts])
    assert found["shortfall_cents"] == pytest.approx([rollout.shortfall_cents for rollout in rollouts])
    assert found["completion"] == [rollout.completion for rollout in rollouts]


def test_who_trades_beside_it_changes_nothing_for_a_rule(short: Experiment, policy: NumpyPolicy) -> None:
    rules: dict[str, Rule] = {
        "immediate": schedule_of(short, "immediate"),
        "policy": ActorRule(short, policy),
        "twap": schedule_of(short, "twap"),
    }
    together = play(short, rules, SEED)
    for name, rule in rules.items():
        assert play(short, {name: rule}, SEED)[name] == together[name]
    assert together["policy"]["shortfall_cents"] != together["twap"]["shortfall_cents"]


def test_a_path_runs_from_the_whole_order_to_what_is_left(short: Experiment) -> None:
    rules: dict[str, Rule] = {name: schedule_of(short, name) for name in ("twap", "immediate")}
    found, times = play(short, rules, SEED), path_times(short)
    assert (times[0], times[-1]) == (0, 1)
    for name in rules:
        paths = np.array(found[name]["left"])
        assert (paths[:, 0] == 1).all()
        assert (np.diff(paths) <= 0).all()
        np.testing.assert_allclose(paths[:, -1], 1 - np.array(found[name]["completion"]))
    np.testing.assert_allclose(found["twap"]["left"], np.tile(1 - times, (2, 1)), atol=1e-3)


def test_what_others_saw_matters_only_where_the_policy_looks(short: Experiment, policy: NumpyPolicy) -> None:
    watched = WatchedRule(short, policy)
    for seed in (0, 1):
        play(short, {"policy": watched}, seed)
    seen, rows = np.concatenate(watched.observations), np.concatenate(watched.rows)
    assert seen.shape == (len(rows), 6)
    assert short.decisions < len(rows) <= 4 * short.decisions
    assert (rows["left"] > 0).all()
    weight = policy.advantage.weight.copy()
    weight[[0, 3]] = 0
    timeless = NumpyPolicy([], Layer(weight, policy.advantage.bias))
    rules: dict[str, Rule] = {
        "plain": ActorRule(short, timeless),
        "time": ShuffledRule(short, timeless, [0, 3], seen),
        "book": ShuffledRule(short, timeless, [1, 2, 4, 5], seen),
    }
    found = play(short, rules, SEED)
    assert found["time"] == found["plain"]
    assert found["book"]["shortfall_cents"] != found["plain"]["shortfall_cents"]
    assert play(short, rules, SEED) == found, "the same seed draws the same decisions"


@pytest.mark.parametrize(
    ("strategy", "message"), [("pov", "no schedule that is fixed beforehand"), ("passive", "decides every 1s")]
)
def test_what_is_no_schedule_of_the_experiments_interval_is_refused(
    short: Experiment, strategy: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        schedule_of(short, strategy)
