from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from agents.features import FEATURES
from agents.views import View
from configs import ConfigError
from configs import Experiment
from configs import experiment_from
from configs import parse_seeds
from envs import OptimalExecEnv
from envs import OptimalExecVectorEnv
from tests.agents.worlds import SECOND
from tests.agents.worlds import THIN
from tests.agents.worlds import experiment

MARKETS: tuple[Any, Any] = ("abides", "stand-in")
EMPTY = {"num_noise_agents": 0, "num_value_agents": 0, "num_momentum_agents": 0}


def play(env: OptimalExecEnv, seed: int, actions: Any, **options: Any) -> tuple[list[Any], dict[str, Any]]:
    """Step an episode to its end; return (observation, reward, info) of each step, and the last info."""
    observation, info = env.reset(seed=seed, options=options)
    assert env.observation_space.contains(observation)
    steps: list[Any] = []
    terminated = False
    while not terminated:
        observation, reward, terminated, truncated, info = env.step(actions(len(steps)))
        assert not truncated
        assert env.observation_space.contains(observation)
        assert isinstance(reward, float)
        steps.append((observation, reward, info))
    return steps, info


def same(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a[0], b[0]) and a[1:] == b[1:] for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("kind", ["participation", "lots", "placement"])
def test_gymnasiums_checker_is_content(market: Any, kind: str) -> None:
    env = OptimalExecEnv(experiment(actions={"kind": kind}), market=market)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_env(env, skip_render_check=True)


@pytest.mark.parametrize("market", MARKETS)
def test_the_same_seed_is_the_same_episode_and_another_is_another(market: Any) -> None:
    of = experiment(decision_interval="5s", observation={"history": 3})
    first, second = OptimalExecEnv(of, market=market), OptimalExecEnv(of, market=market)
    runs = [
        play(env, seed, lambda step: step % 5)[0] for env, seed in ((first, 3), (second, 3), (first, 4), (first, 3))
    ]
    assert same(runs[0], runs[1])
    assert same(runs[0], runs[3])
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize("market", MARKETS)
def test_the_side_is_the_experiments_or_chosen_or_drawn(market: Any) -> None:
    selling = OptimalExecEnv(experiment(order={"side": "sell"}), market=market)
    assert selling.reset(seed=1)[1]["side"] == "sell"
    assert selling.reset(seed=1, options={"side": "buy"})[1]["side"] == "buy"
    both = OptimalExecEnv(experiment(market={"end_time": "09:34:00", "params": THIN}), market="stand-in")
    drawn = [both.reset(seed=seed)[1]["side"] for seed in range(40)]
    assert set(drawn) == {"buy", "sell"}
    assert drawn == [both.reset(seed=seed)[1]["side"] for seed in range(40)]


def test_the_market_is_the_seeds_unless_chosen() -> None:
    env = OptimalExecEnv(experiment(), market="stand-in")
    assert env.reset(seed=5)[1]["market_seed"] == 5
    chosen, info = env.reset(seed=5, options={"market_seed": 9, "side": "buy"})
    assert info["market_seed"] == 9
    np.testing.assert_array_equal(chosen, env.reset(seed=9, options={"side": "buy"})[0])


def test_unseeded_resets_draw_from_the_training_seeds_or_the_given_ones() -> None:
    of = experiment()
    env = OptimalExecEnv(of, market="stand-in")
    env.reset(seed=1)
    drawn = [env.reset()[1]["market_seed"] for _ in range(200)]
    assert all(seed in parse_seeds("0:1000000") for seed in drawn)
    assert len(set(drawn)) > 190
    env.reset(seed=1)
    assert drawn[:5] == [env.reset()[1]["market_seed"] for _ in range(5)]
    few = OptimalExecEnv(of, market="stand-in", seeds="1000003:1000006")
    assert {few.reset()[1]["market_seed"] for _ in range(60)} == {1_000_003, 1_000_004, 1_000_005}


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("end_rule", ["leave", "sweep"])
def test_an_episode_terminates_at_completion_or_at_the_end_of_the_window(market: Any, end_rule: str) -> None:
    of = experiment(order={"end_rule": end_rule, "quantity": 600}, actions={"kind": "lots", "lot": 20})
    env = OptimalExecEnv(of, market=market)
    idle, info = play(env, 1, lambda step: 0, side="buy")
    assert len(idle) == of.decisions == 12
    assert info["completion"] == (1.0 if end_rule == "sweep" else 0.0)
    assert info["left"] == (0 if end_rule == "sweep" else 600)
    fast, info = play(env, 1, lambda step: 4, side="buy")
    assert len(fast) == 8  # 600 shares in lots of 80
    assert info["completion"] == 1
    for _, _, earlier in fast[:-1]:
        assert set(earlier) == {"market_seed", "side", "time", "filled", "left"}
        assert earlier["filled"] + earlier["left"] == 600
    assert set(info) == {*fast[0][2], "completion", "shortfall_cents"}
    times = [step[2]["time"] for step in fast]
    assert times == sorted(set(times))


def by_hand(of: Experiment, row: Any, fills: Any) -> float:
    """A step's reward without completion penalty, in scalars from the fills and the row of the decision."""
    unit = 1.0 if of.reward.price_unit == "cents" else 0.01
    side, best = int(row["side"]), int(row["ask_price" if row["side"] > 0 else "bid_price"][0])
    shortfall = depth = 0.0
    for _, price, quantity in fills:
        shortfall += quantity * side * (row["arrival2"] / 2 - price)
        ticks = max(0, side * (price - best)) if best >= 0 else 0
        if of.reward.depth == "ticks_walked":
            depth += ticks
        elif of.reward.depth == "shares" or ticks > 0:
            depth += quantity
    return (unit * shortfall - of.reward.alpha * depth) / int(row["parent"])


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("depth", ["ticks_walked", "shares_beyond_touch", "shares"])
@pytest.mark.parametrize(("price_unit", "end_rule"), [("cents", "leave"), ("dollars", "sweep")])
def test_the_reward_is_equation_4_of_the_fills(
    market: Any, side: Any, depth: str, price_unit: str, end_rule: str
) -> None:
    of = experiment(
        order={"end_rule": end_rule, "quantity": 3_000},
        actions={"kind": "participation", "multipliers": [0.0, 0.5, 2.0]},
        reward={"alpha": 2.0, "beta": 7.0, "depth": depth, "price_unit": price_unit},
    )
    env = OptimalExecEnv(of, market=market)
    seen: list[Any] = []

    def noting(method: Any) -> Any:
        def noted(*arguments: Any) -> None:
            method(*arguments)
            seen.append((env._markets.rows.copy()[0], env._markets.fills.tolist()))

        return noted

    env._markets.start = noting(env._markets.start)  # type: ignore[method-assign]
    env._markets.step = noting(env._markets.step)  # type: ignore[method-assign]
    steps, info = play(env, 2, lambda step: (2, 0, 1)[step % 3], side=side)
    expected = [by_hand(of, seen[k][0], seen[k + 1][1]) for k in range(len(steps))]
    expected[-1] -= 7.0 * info["left"] / 3_000
    assert [reward for _, reward, _ in steps] == pytest.approx(expected, abs=1e-9)
    if market == "abides":  # the stand-in has too little depth to sweep at once
        assert (info["left"] == 0) == (end_rule == "sweep")
    fills = [fill for _, fills in seen for fill in fills]
    sign, arrival2 = (1 if side == "buy" else -1), int(seen[0][0]["arrival2"])
    plain = sum(quantity * sign * (arrival2 / 2 - price) for _, price, quantity in fills)
    plain += info["left"] * sign * (arrival2 - int(seen[-1][0]["mid2"])) / 2
    assert info["shortfall_cents"] == pytest.approx(plain / 3_000)


actions = st.one_of(
    st.builds(
        lambda lot, largest: {"kind": "lots", "lot": lot, "largest": largest}, st.integers(1, 500), st.integers(1, 6)
    ),
    st.builds(
        lambda multipliers, corridor: {"kind": "participation", "multipliers": multipliers, "corridor": corridor},
        st.lists(st.floats(0, 20), min_size=2, max_size=6),
        st.one_of(st.none(), st.floats(0.001, 1)),
    ),
    st.builds(
        lambda placements, slices: {"kind": "placement", "placements": placements, "slices": slices},
        st.lists(st.sampled_from(["hold", "behind", "at", "inside", "cross"]), min_size=2, unique=True),
        st.floats(0.1, 10),
    ),
)


@settings(max_examples=80)
@given(
    action=actions,
    features=st.lists(st.sampled_from(list(FEATURES)), min_size=1, unique=True),
    history=st.integers(1, 4),
    depth=st.sampled_from(["ticks_walked", "shares_beyond_touch", "shares"]),
    unit=st.sampled_from(["cents", "dollars"]),
    end_rule=st.sampled_from(["leave", "sweep"]),
    quantity=st.integers(1, 50_000),
    interval=st.sampled_from(["1s", "10s", "60s"]),
    seed=st.integers(0, 1_000_000),
    side=st.sampled_from(["buy", "sell"]),
)
def test_any_configuration_on_the_stand_in_keeps_to_its_spaces(
    action: dict[str, Any],
    features: list[str],
    history: int,
    depth: str,
    unit: str,
    end_rule: str,
    quantity: int,
    interval: str,
    seed: int,
    side: str,
) -> None:
    of = experiment(
        actions=action,
        observation={"features": features, "history": history},
        reward={"depth": depth, "price_unit": unit},
        order={"end_rule": end_rule, "quantity": quantity},
        decision_interval=interval,
    )
    env = OptimalExecEnv(of, market="stand-in")
    rng = np.random.default_rng(seed)
    assert env.observation_space.shape == (len(features) * history,)
    steps, info = play(env, seed, lambda step: rng.integers(env.action_set.n), side=side)
    assert len(steps) <= of.decisions
    filled = [step[2]["filled"] for step in steps]
    assert filled == sorted(filled)
    assert filled[-1] + info["left"] == quantity
    assert info["left"] >= 0
    assert info["completion"] == filled[-1] / quantity
    assert np.isfinite(info["shortfall_cents"])
    assert all(np.isfinite(step[1]) for step in steps)


@pytest.mark.parametrize("params", [{}, THIN], ids=["full", "thin"])
@pytest.mark.parametrize("kind", ["participation", "lots", "placement"])
def test_random_policies_keep_to_the_spaces_in_the_simulated_market(kind: str, params: dict[str, int]) -> None:
    of = experiment(
        market={"end_time": "09:34:00", "params": params},
        actions={"kind": kind},
        observation={"history": 2},
        decision_interval="5s",
    )
    env = OptimalExecEnv(of)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        _, info = play(env, seed, lambda step: rng.integers(env.action_set.n))  # noqa: B023  played at once
        assert 0 <= info["filled"] <= 2_000


@pytest.mark.parametrize("market", MARKETS)
def test_a_corridor_completes_whatever_is_chosen(market: Any) -> None:
    of = experiment(
        order={"end_rule": "leave", "quantity": 900},
        actions={"kind": "participation", "multipliers": [0, 1, 3], "corridor": 0.1},
        decision_interval="5s",
    )
    env = OptimalExecEnv(of, market=market)
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        _, info = play(env, seed, lambda step: rng.integers(3))  # noqa: B023  played at once
        assert info["completion"] == 1


def test_the_time_feature_is_that_of_the_decision() -> None:
    of = experiment(observation={"features": ["time", "inventory"]}, actions={"kind": "lots", "lot": 20})
    steps, _ = play(OptimalExecEnv(of), 1, lambda step: 1, side="buy")
    times = [step[0][0] for step in steps]
    assert times == pytest.approx([(k + 1) / 12 for k in range(12)])
    left = [1 - 20 * (k + 1) / 2_000 for k in range(11)]
    assert [step[0][1] for step in steps][:-1] == pytest.approx(left)


def test_what_is_wrong_is_named_with_what_is_allowed() -> None:
    of = experiment()
    env = OptimalExecEnv(of, market="stand-in")
    with pytest.raises(RuntimeError, match="call reset before step"):
        env.step(0)
    with pytest.raises(ValueError, match="unknown option 'sid'; allowed: market_seed, side"):
        env.reset(options={"sid": "buy"})
    with pytest.raises(ValueError, match="side must be 'buy' or 'sell', got 'hold'"):
        env.reset(options={"side": "hold"})
    env.reset(seed=1)
    for wrong in (5, -1, 2.0, "1", None, np.array([1])):
        with pytest.raises(ValueError, match="is not a whole number from 0 to 4"):
            env.step(wrong)
    env.step(np.int64(4))
    with pytest.raises(ConfigError, match=r"unknown market 'abydes'; allowed: abides, stand-in"):
        OptimalExecEnv(of, market="abydes")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="unknown feature 'speed'; allowed: inventory"):
        OptimalExecEnv(experiment(observation={"features": ["time", "speed"]}), market="stand-in")
    with pytest.raises(ConfigError, match=r"no configuration '.*qick.yaml': give"):
        OptimalExecEnv("qick")
    with pytest.raises(ConfigError, match="is empty"):
        OptimalExecEnv(of, seeds="5:5")


def test_after_its_end_an_episode_is_over() -> None:
    env = OptimalExecEnv(experiment(), market="stand-in")
    play(env, 1, lambda step: 0)
    with pytest.raises(RuntimeError, match="call reset before step"):
        env.step(0)
    env.reset(seed=1)
    env.step(0)


def test_a_market_without_both_sides_cannot_be_traded_and_is_named() -> None:
    env = OptimalExecEnv(experiment(market={"end_time": "09:34:00", "params": EMPTY}))
    with pytest.raises(RuntimeError, match="the market of seed 3 never had both sides"):
        env.reset(seed=3)


def test_an_experiment_is_taken_as_a_name_a_path_a_mapping_or_itself(tmp_path: Path) -> None:
    of = experiment()
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\ndecision_interval: 60s\n", encoding="utf-8")
    assert OptimalExecEnv(of).experiment == of
    assert OptimalExecEnv(of.model_dump()).experiment == of
    assert OptimalExecEnv(of.model_dump(mode="json")).experiment == of
    assert OptimalExecEnv("quick").experiment.name == "quick"
    assert OptimalExecEnv(file).experiment == OptimalExecEnv(str(file)).experiment
    assert OptimalExecEnv(file).experiment.decision_interval == 60 * SECOND
    assert OptimalExecEnv().experiment.name == "quick"
    assert experiment_from({"name": "plain"}).order.quantity == 20_000


def test_the_spaces_are_those_of_the_configuration() -> None:
    env = OptimalExecEnv(experiment(observation={"features": ["spread", "time"], "history": 2}), market="stand-in")
    np.testing.assert_array_equal(env.observation_space.low, [0, 0, 0, 0])
    np.testing.assert_array_equal(env.observation_space.high, [10, 1, 10, 1])
    assert env.observation_space.dtype == np.float32
    assert env.action_space.n == env.action_set.n == 5


def test_an_unseeded_reset_skips_markets_that_cannot_be_traded(monkeypatch: pytest.MonkeyPatch) -> None:
    env = OptimalExecEnv(experiment(), market="stand-in")
    market, started = env._markets.markets[0], []  # type: ignore[attr-defined]
    start = market.start

    def first_two_are_empty(seed: int, side: str) -> View:
        started.append(seed)
        view = start(seed, side)
        market.finished = len(started) < 3
        return view

    monkeypatch.setattr(market, "start", first_two_are_empty)
    _, info = env.reset()
    assert len(set(started)) == 3
    assert info["market_seed"] == started[-1]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_as_its_original(duplicate: Any) -> None:
    env = OptimalExecEnv("quick")
    assert duplicate(env).reset(seed=5)[1] == env.reset(seed=5)[1]
    env.step(2)
    other = duplicate(env)
    for action in (2, 4, 0):
        (observation, *result), (same, *again) = env.step(action), other.step(action)
        np.testing.assert_array_equal(same, observation)
        assert again == result
    # Each has a market of its own.
    assert env.step(4)[4]["filled"] != other.step(0)[4]["filled"]
    envs = OptimalExecVectorEnv(2, "quick")
    envs.reset(seed=3)
    many = duplicate(envs)
    np.testing.assert_array_equal(many.step(np.array([2, 3]))[1], envs.step(np.array([2, 3]))[1])


def test_what_is_no_whole_number_is_refused() -> None:
    envs = OptimalExecVectorEnv(2, "quick")
    envs.reset(seed=3)
    wrong: tuple[Any, ...] = (np.full(2, 1.7), ["a", "b"], None, [np.nan, 1])
    seeds: Any = [1, 1.5]
    for actions in wrong:
        with pytest.raises(ValueError, match="actions must be 2 whole numbers from 0 to 4"):
            envs.step(actions)
    with pytest.raises(ValueError, match=r"seeds must be whole numbers, got 1\.5"):
        envs.reset(seed=seeds)
    with pytest.raises(ValueError, match=r"the seed of a market must be a whole number, got 1\.5"):
        OptimalExecEnv("quick").reset(options={"market_seed": 1.5})
