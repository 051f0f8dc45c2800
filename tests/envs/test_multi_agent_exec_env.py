"""Several learners in one market."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from configs import ConfigError
from configs import Experiment
from configs import load_seed_ranges
from configs import parse_seeds
from envs import OptimalExecEnv
from envs.multi_agent_exec_env import MultiAgentExecEnv
from tests.agents.worlds import experiment

LOTS = {"kind": "lots", "lot": 60}
SIDES = {"a": {"side": "buy"}, "b": {"side": "sell"}}


def small(**changes: Any) -> Experiment:
    return experiment(actions=LOTS, **changes)


def play(env: MultiAgentExecEnv, choose: Any, seed: int, **options: Any) -> list[Any]:
    """Every step of an episode: who acted, and what came back."""
    observations, infos = env.reset(seed=seed, options=options or None)
    steps: list[Any] = [(None, observations, {}, {"__all__": False}, infos)]
    while not steps[-1][3]["__all__"]:
        (turn,) = (name for name in steps[-1][1] if name in env.agents)
        observations, rewards, terminateds, truncateds, infos = env.step({turn: choose(turn, env)})
        assert not any(truncateds.values())
        steps.append((turn, observations, rewards, terminateds, infos))
    return steps


def test_it_is_an_environment_as_rllib_wants_it() -> None:
    env = MultiAgentExecEnv({"experiment": small(), "orders": SIDES})
    assert env.possible_agents == ["a", "b"]
    rng = np.random.default_rng(1)
    steps = play(env, lambda *_: int(rng.integers(5)), 3)
    totals = dict.fromkeys(SIDES, 0)
    for turn, observations, rewards, terminateds, infos in steps:
        assert observations.keys() == infos.keys() <= {"a", "b"}
        for name, observation in observations.items():
            assert env.observation_spaces[name].contains(observation)
        assert rewards.keys() | {"__all__"} == terminateds.keys() or turn is None
        totals = {name: totals[name] + (name == turn) for name in totals}
    ends = {name: [step[4][name] for step in steps if step[3].get(name)] for name in SIDES}
    assert {name: len(found) for name, found in ends.items()} == {"a": 1, "b": 1}
    assert (ends["a"][0]["side"], ends["b"][0]["side"]) == ("buy", "sell")
    assert all({"completion", "shortfall_cents"} <= found[0].keys() for found in ends.values())
    assert steps[-1][3] == {"__all__": True, **dict.fromkeys(steps[-1][1], True)}
    assert env.agents == []
    decisions = small().decisions
    assert all(0 < total <= decisions for total in totals.values())


def test_the_same_seed_gives_the_same_episode_on_both_engines() -> None:
    episodes = []
    for engine in ("reference", "compiled", "compiled"):
        env = MultiAgentExecEnv({"experiment": small(), "orders": SIDES, "engine": engine})
        rng = np.random.default_rng(2)
        episodes.append(play(env, lambda *_, rng=rng: int(rng.integers(5)), 5))
    for other in episodes[1:]:
        assert len(other) == len(episodes[0])
        for one, two in zip(episodes[0], other, strict=True):
            assert one[0] == two[0]
            assert (one[2], one[3], one[4]) == (two[2], two[3], two[4])
            for name, observation in one[1].items():
                np.testing.assert_array_equal(observation, two[1][name])


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_beside_an_idle_learner_it_is_the_environment_of_one(side: Any) -> None:
    # Idle agents come last and leave the market as it is; what is left is not swept.
    alone = small(order={"end_rule": "leave"})
    env = OptimalExecEnv(alone)
    observation, _ = env.reset(seed=4, options={"side": side})
    rng = np.random.default_rng(3)
    expected, actions, done = [(observation, 0.0)], [], False
    while not done:
        actions.append(int(rng.integers(5)))
        observation, reward, done, _, info = env.step(actions[-1])
        expected.append((observation, reward))
    orders = {"one": {"side": side}, "idle": {"side": "buy"}}
    both = MultiAgentExecEnv({"experiment": alone, "orders": orders})
    queue = list(actions)
    steps = play(both, lambda name, _: queue.pop(0) if name == "one" else 0, 4)
    seen = [(step[1]["one"], step[2].get("one", 0.0)) for step in steps if "one" in step[1]]
    assert len(seen) == len(expected)
    for (mine, got), (theirs, due) in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert got == pytest.approx(due, abs=1e-9)
    last = next(step[4]["one"] for step in steps if step[3].get("one"))
    assert last["shortfall_cents"] == pytest.approx(info["shortfall_cents"])
    assert (last["completion"], last["time"]) == (info["completion"], info["time"])


def test_learners_meet_in_the_market() -> None:
    """A buyer pays more beside another buyer than beside a seller."""
    costs: dict[str, list[float]] = {}
    for other in ("buy", "sell"):
        env = MultiAgentExecEnv({"experiment": small(), "orders": {"a": {"side": "buy"}, "b": {"side": other}}})

        def even(name: str, env: MultiAgentExecEnv) -> int:
            return int(env.action_set.twap_action(env.rows(name))[0])

        costs[other] = []
        for seed in range(8):
            steps = play(env, even, seed)
            costs[other].append(next(step[4]["a"]["shortfall_cents"] for step in steps if step[3].get("a")))
    assert np.mean(costs["buy"]) < np.mean(costs["sell"])


def test_a_side_may_be_drawn_and_a_quantity_ones_own() -> None:
    orders = {"a": {"side": "both", "quantity": 120}, "b": {"side": "sell"}}
    env = MultiAgentExecEnv({"experiment": small(), "orders": orders})
    sides = set()
    for seed in range(12):
        env.reset(seed=seed)
        sides.add(int(env._seats["a"].agent.order.sign))  # type: ignore[union-attr]
        assert env._seats["a"].agent.order.quantity == 120  # type: ignore[union-attr]
    assert sides == {1, -1}


def test_an_unseeded_market_is_a_training_market() -> None:
    env = MultiAgentExecEnv({"experiment": small(), "orders": SIDES})
    _, infos = env.reset()
    assert next(iter(infos.values()))["market_seed"] in parse_seeds(load_seed_ranges().train)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"orders": {"a": {"side": "buy"}}}, "two learners or more"),
        ({"orders": {"a": {"side": "up"}, "b": {}}}, "orders.a: .*'buy', 'sell' or 'both'"),
        ({"orders": SIDES, "engin": "x"}, "unknown key 'engin'"),
    ],
)
def test_what_cannot_be_used_is_named(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        MultiAgentExecEnv({"experiment": small(), **config})


def test_only_the_one_whose_turn_it_is_acts() -> None:
    env = MultiAgentExecEnv({"experiment": small(), "orders": SIDES})
    with pytest.raises(RuntimeError, match="call reset"):
        env.step({"a": 0})
    observations, _ = env.reset(seed=1)
    (turn,) = observations
    other = ({"a", "b"} - {turn}).pop()
    with pytest.raises(ValueError, match=f"turn of '{turn}'"):
        env.step({other: 0})
    with pytest.raises(ValueError, match="action 9"):
        env.step({turn: 9})
