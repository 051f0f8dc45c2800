from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.views import Rows
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from envs import OptimalExecEnv
from experiments import rollouts
from experiments.rollouts import SECONDS_AN_UPDATE
from experiments.rollouts import MarketKind
from experiments.rollouts import Rollout
from experiments.rollouts import check_environment
from experiments.rollouts import reference_rules
from experiments.rollouts import run_rule
from experiments.rollouts import seconds_to_train
from experiments.rollouts import validation_episodes


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return load_experiment(
        "quick",
        {"actions": {"kind": "participation", "multipliers": [0.0, 1.0, 4.0]}, "order.end_rule": "leave"},
    )


def test_references_do_what_they_are_called(experiment: Experiment) -> None:
    rules = reference_rules()
    assert list(rules) == ["idle", "twap", "immediate"]
    episodes = validation_episodes(experiment, 2)
    idle = run_rule(experiment, "stand-in", rules["idle"], episodes)
    twap = run_rule(experiment, "stand-in", rules["twap"], episodes)
    immediate = run_rule(experiment, "stand-in", rules["immediate"], episodes)
    assert [rollout.completion for rollout in idle] == [0, 0]
    # 111 whole shares in each of 180 intervals leave a few of the 20 000.
    assert [rollout.completion for rollout in twap] == pytest.approx([1, 1], abs=0.002)
    assert all(b.actions.total() < a.actions.total() for a, b in zip(twap, immediate, strict=True))
    # The default completion penalty makes doing nothing the worst of all.
    assert max(r.reward for r in idle) < min(r.reward for r in (*twap, *immediate))
    assert {action for rollout in idle for action in rollout.actions} == {0}


def test_more_steps_and_more_updates_take_longer(experiment: Experiment) -> None:
    seconds = seconds_to_train(experiment, "stand-in", 10_000)
    assert 0.125 * 10_000 * SECONDS_AN_UPDATE < seconds < 3600
    assert seconds_to_train(experiment, "stand-in", 0) == 0


def test_episodes_repeat(experiment: Experiment) -> None:
    episodes = validation_episodes(experiment, 2)
    rule = reference_rules()["twap"]
    assert run_rule(experiment, "stand-in", rule, episodes) == run_rule(experiment, "stand-in", rule, episodes)


def test_validation_episodes_are_paired_and_of_the_validation_range(experiment: Experiment) -> None:
    seeds = parse_seeds(load_seed_ranges().validation)
    # The unit is the mean of both sides: a market is never left half.
    for count in (3, 4):
        assert validation_episodes(experiment, count) == [
            (seeds[0], "buy"),
            (seeds[0], "sell"),
            (seeds[1], "buy"),
            (seeds[1], "sell"),
        ]
    buy = experiment.model_copy(update={"order": experiment.order.model_copy(update={"side": "buy"})})
    assert validation_episodes(buy, 2) == [(seeds[0], "buy"), (seeds[1], "buy")]


def test_an_unknown_feature_is_told_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        check_environment(load_experiment("quick", {"observation.features": ["nonsense"]}), "stand-in")


@pytest.mark.parametrize("market", ["abides", "stand-in"])
def test_side_by_side_as_one_by_one(market: MarketKind, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = load_experiment(
        "quick",
        {
            "decision_interval": "60s",
            "order": {"window": "10min", "quantity": 800},
            "actions": {"kind": "lots", "lot": 50},
        },
    )
    episodes = [(1_000_000, "sell"), (1_000_001, "buy"), (1_000_000, "buy"), (1_000_002, "sell"), (1_000_003, "buy")]

    def action(rows: Rows) -> NDArray[np.int64]:
        return np.where(rows["side"] > 0, 4, 2)

    one_by_one = []
    env = OptimalExecEnv(experiment, market=market)
    for seed, side in episodes:
        env.reset(seed=seed, options={"side": side})
        rewards, actions, done = [], [], False
        while not done:
            actions.append(int(action(env.rows)[0]))
            _, reward, done, _, info = env.step(actions[-1])
            rewards.append(float(reward))
        result = info["completion"], info["shortfall_cents"]
        one_by_one.append(Rollout(seed, side, pytest.approx(sum(rewards)), *result, Counter(actions)))
    assert len({rollout.actions.total() for rollout in one_by_one}) > 1
    for lanes in (1, 2, 32):
        monkeypatch.setattr(rollouts, "LANES", lanes)
        assert run_rule(experiment, market, lambda env, _: action(env.rows), episodes) == one_by_one
    assert run_rule(experiment, market, reference_rules()["idle"], []) == []
