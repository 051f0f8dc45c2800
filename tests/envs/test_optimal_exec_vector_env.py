"""The vector environment is N single ones, number for number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.vector import SyncVectorEnv

from configs import ConfigError
from envs import OptimalExecEnv
from envs import OptimalExecVectorEnv
from tests.agents.worlds import experiment

SHORT: dict[str, Any] = {"decision_interval": "5s", "observation": {"history": 2}}


def singles(count: int, mode: AutoresetMode, **arguments: Any) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: OptimalExecEnv(**arguments) for _ in range(count)], autoreset_mode=mode)


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Compare what two environments return: arrays with their types, dictionaries with their keys."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple) or (isinstance(one, np.ndarray) and one.dtype == object):
        assert len(one) == len(other), where
        for index in range(len(one)):
            assert_same(one[index], other[index], f"{where}[{index}]")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        np.testing.assert_array_equal(one, other, err_msg=where)
    else:
        assert one == other, where


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("kind", ["participation", "lots", "placement"])
@pytest.mark.parametrize(("market", "engine"), [("abides", "compiled"), ("abides", "reference"), ("stand-in", "auto")])
def test_it_is_single_environments_side_by_side(mode: AutoresetMode, kind: str, market: Any, engine: str) -> None:
    short = engine == "reference"
    of = experiment(
        **SHORT,
        # Fast actions fill some orders early: the markets end, and begin again, at different steps.
        order={"quantity": 600, "end_rule": "leave", "window": "30s" if short else "2min"},
        actions={"kind": kind},
        reward={"alpha": 2.0, "depth": "ticks_walked"},
    )
    arguments: dict[str, Any] = {"experiment": of, "market": market, "engine": engine, "seeds": "100:200"}
    together = OptimalExecVectorEnv(3, **arguments, autoreset_mode=mode)
    apart = singles(3, mode, **arguments)
    assert together.observation_space == apart.observation_space
    assert together.action_space == apart.action_space
    assert together.metadata["autoreset_mode"] == mode
    rng = np.random.default_rng(0)
    seeds = [4, None, 9] if market == "stand-in" else 4
    if seeds != 4:
        together.reset(seed=0)
        apart.reset(seed=0)
    assert_same(together.reset(seed=seeds), apart.reset(seed=seeds))
    episodes = 0
    for _ in range(25 if short else 70):
        actions = rng.integers(together.action_set.n, size=3)
        found, expected = together.step(actions), apart.step(actions)
        assert_same(list(found), list(expected))
        assert together.observation_space.contains(found[0])
        ended = found[2]
        episodes += int(ended.sum())
        if mode is AutoresetMode.DISABLED and ended.any():
            assert_same(
                together.reset(options={"reset_mask": ended.copy(), "side": "sell"}),
                apart.reset(options={"reset_mask": ended.copy(), "side": "sell"}),
            )
    assert episodes >= 3


def test_the_number_of_markets_changes_none_of_them() -> None:
    of = experiment(**SHORT)
    runs: list[list[Any]] = []
    for count in (1, 5):
        env = OptimalExecVectorEnv(count, of)
        env.reset(seed=7)
        runs.append([])
        for step in range(30):
            observations, rewards, ended, _, infos = env.step(np.full(count, step % 5))
            runs[-1].append((observations[0].tobytes(), rewards[0], ended[0], infos["left"][0]))
    assert runs[0] == runs[1]


def test_what_makes_no_sense_is_refused_by_name() -> None:
    of = experiment(**SHORT)
    with pytest.raises(ValueError, match="num_envs must be at least 1, got 0"):
        OptimalExecVectorEnv(0, of)
    with pytest.raises(ValueError, match=r"unknown autoreset_mode 'Later'; allowed: NextStep, SameStep, Disabled"):
        OptimalExecVectorEnv(2, of, autoreset_mode="Later")
    with pytest.raises(ConfigError, match=r"unknown engine 'fast'; allowed: auto, compiled, reference"):
        OptimalExecVectorEnv(2, of, engine="fast")
    env = OptimalExecVectorEnv(2, of, market="stand-in", autoreset_mode="Disabled")
    with pytest.raises(RuntimeError, match=r"no episode in progress in markets \[0, 1\]"):
        env.step(np.zeros(2, dtype=np.int64))
    with pytest.raises(ValueError, match="there must be 2 seeds, one for each market, got 3"):
        env.reset(seed=[1, 2, 3])
    with pytest.raises(ValueError, match="reset_mask must mark some of 2 markets"):
        env.reset(options={"reset_mask": np.array([False, False])})
    with pytest.raises(ValueError, match="unknown option 'sied'; allowed: market_seed, side"):
        env.reset(options={"sied": "buy"})
    env.reset(seed=1)
    for wrong in ([0], [0, 5], [0, -1]):
        with pytest.raises(ValueError, match="actions must be 2 whole numbers from 0 to 4"):
            env.step(np.array(wrong))
    env.step(np.array([0, 4]))  # nothing was lost


def test_a_market_that_the_compiled_engine_does_not_run_is_refused_or_left_to_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("abides_markets.compiled.template.first_fault", lambda config: "a market of this kind")
    of = experiment(**SHORT)
    with pytest.raises(ValueError, match="the compiled engine does not support a market of this kind"):
        OptimalExecVectorEnv(2, of, engine="compiled")
    left = OptimalExecVectorEnv(2, of, engine="auto")
    assert [type(market).__name__ for market in left._markets.markets] == ["KernelMarket"] * 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize(("market", "engine"), [("abides", "compiled"), ("abides", "reference"), ("stand-in", "auto")])
def test_a_restored_environment_goes_on_as_the_old_one(
    mode: AutoresetMode, market: Any, engine: str, tmp_path: Path
) -> None:
    of = experiment(**SHORT, order={"quantity": 600, "window": "30s"}, actions={"kind": "placement"})
    arguments: dict[str, Any] = {"experiment": of, "market": market, "engine": engine, "autoreset_mode": mode}
    old, new = (OptimalExecVectorEnv(3, **arguments) for _ in range(2))

    def step(env: OptimalExecVectorEnv, actions: Any) -> list[Any]:
        found = env.step(actions)
        if mode is AutoresetMode.DISABLED and found[2].any():
            return [found, env.reset(options={"reset_mask": found[2].copy()})]
        return [found]

    old.reset(seed=3)
    rng = np.random.default_rng(1)
    for _ in range(7):  # into second episodes: their markets were drawn
        last = step(old, rng.integers(4, size=3))
    np.savez(tmp_path / "state.npz", **old.get_state())  # type: ignore[arg-type]
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        np.testing.assert_array_equal(new.set_state(dict(state)), last[-1][0])
    for _ in range(12):
        actions = rng.integers(4, size=3)
        assert_same(step(new, actions), step(old, actions))


def test_a_state_of_other_markets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    of = experiment(**SHORT)
    for market in ("abides", "stand-in"):
        two = OptimalExecVectorEnv(2, of, market=market)  # type: ignore[arg-type]
        two.reset(seed=1)
        with pytest.raises(ValueError, match="the state is of 2 markets, these are 3"):
            OptimalExecVectorEnv(3, of, market=market).set_state(two.get_state())  # type: ignore[arg-type]
        other = experiment(**{**SHORT, "observation": {"history": 3}})
        with pytest.raises(ValueError, match=r"the state is of observations \(2, 2, 24\), not \(2, 3, 24\)"):
            OptimalExecVectorEnv(2, other, market=market).set_state(two.get_state())  # type: ignore[arg-type]
    native = OptimalExecVectorEnv(2, of)
    state = native.get_state() | {"markets.layout": np.array("older")}
    with pytest.raises(ValueError, match="the state is of another version of the engine: older, this is "):
        native.set_state(state)
