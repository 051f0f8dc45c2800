from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.replay import PRIORITY_EXPONENT
from experiments.replay import NStepReturns
from experiments.replay import ReplayBuffer
from experiments.replay import Transitions

FEATURES = 3


def transitions(first: int, count: int) -> Transitions:
    """Rows that carry their own number in every column."""
    number = np.arange(first, first + count)
    return Transitions(
        obs=np.repeat(number[:, None], FEATURES, axis=1).astype(np.float32),
        actions=number,
        rewards=number.astype(np.float32),
        next_obs=np.repeat(number[:, None] + 1, FEATURES, axis=1).astype(np.float32),
        terminated=number % 2 == 0,
        n_step=np.ones(count, dtype=np.int64),
    )


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


@given(
    lengths=st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=5), min_size=1, max_size=3),
    n_step=st.integers(1, 5),
    seed=st.integers(0, 2**16),
)
def test_every_state_of_an_episode_gets_its_n_step_return(lengths: list[list[int]], n_step: int, seed: int) -> None:
    gamma, envs = 0.9, len(lengths)
    rng = np.random.default_rng(seed)
    steps = min(sum(episodes) for episodes in lengths)
    ends = np.array([[t + 1 in np.cumsum(episodes) for episodes in lengths] for t in range(steps)])
    obs = (np.arange(steps + 1)[:, None] + 1000 * np.arange(envs)).astype(np.float32)[:, :, None]
    actions, rewards = rng.integers(5, size=(steps, envs)), rng.normal(size=(steps, envs))
    returns = NStepReturns(n_step, gamma, envs, 1)
    got: dict[float, tuple[Any, ...]] = {}
    for t in range(steps):
        if t == steps // 2:  # nothing is lost on the way through a file
            state = through_a_file(returns.get_state())
            returns = NStepReturns(n_step, gamma, envs, 1)
            returns.set_state(state)
        new = returns.add(obs[t], actions[t], rewards[t], obs[t + 1], ends[t])
        for i in range(len(new)):
            row = (new.actions[i], new.rewards[i], new.next_obs[i, 0], new.terminated[i], new.n_step[i])
            assert got.setdefault(float(new.obs[i, 0]), row) is row
    for env in range(envs):
        for t in range(steps):
            until = next((k + 1 for k in range(t, min(t + n_step, steps)) if ends[k, env]), t + n_step)
            if until > steps:
                assert obs[t, env, 0] not in got
                continue
            action, reward, following, ended, count = got.pop(float(obs[t, env, 0]))
            assert action == actions[t, env]
            assert reward == pytest.approx(sum(gamma ** (k - t) * rewards[k, env] for k in range(t, until)), abs=1e-5)
            assert following == obs[until, env, 0]
            assert count == until - t
            assert ended == ends[until - 1, env]
    assert not got


def test_the_oldest_rows_give_way() -> None:
    buffer = ReplayBuffer(5, FEATURES, prioritised=False, seed=0)
    buffer.add(transitions(0, 3))
    assert buffer.size == 3
    buffer.add(transitions(3, 4))
    assert buffer.size == 5
    assert set(buffer.sample(500).transitions.actions) == {2, 3, 4, 5, 6}
    buffer.add(transitions(10, 8))
    batch = buffer.sample(500).transitions
    assert set(batch.actions) == {13, 14, 15, 16, 17}
    np.testing.assert_array_equal(batch.obs[:, 0], batch.actions)
    np.testing.assert_array_equal(batch.next_obs[:, 2], batch.actions + 1)
    np.testing.assert_array_equal(batch.terminated, batch.actions % 2 == 0)


def test_nothing_to_add_changes_nothing() -> None:
    buffer = ReplayBuffer(5, FEATURES, prioritised=True, seed=0)
    buffer.add(transitions(0, 0))
    assert buffer.size == 0


def test_rows_are_drawn_in_proportion_to_their_priority() -> None:
    buffer = ReplayBuffer(8, FEATURES, prioritised=True, seed=1)
    buffer.add(transitions(0, 4))
    errors = np.array([0.0, 1.0, 2.0, 8.0])
    buffer.update_priorities(np.arange(4), -errors)
    batch = buffer.sample(200_000, 0.4)
    drawn = np.bincount(batch.rows, minlength=4) / len(batch.rows)
    expected = errors**PRIORITY_EXPONENT / (errors**PRIORITY_EXPONENT).sum()
    np.testing.assert_allclose(drawn, expected, atol=0.01)
    ratio = batch.weights[batch.rows == 1][0] / batch.weights[batch.rows == 3][0]
    assert ratio == pytest.approx((expected[1] / expected[3]) ** -0.4, rel=1e-4)
    assert batch.weights.max() == 1
    assert (buffer.sample(100, 0.0).weights == 1).all()


def test_new_rows_get_the_largest_priority() -> None:
    buffer = ReplayBuffer(8, FEATURES, prioritised=True, seed=1)
    buffer.add(transitions(0, 2))
    buffer.update_priorities(np.arange(2), np.array([4.0, 4.0]))
    buffer.add(transitions(2, 1))
    drawn = np.bincount(buffer.sample(30_000).rows, minlength=3) / 30_000
    np.testing.assert_allclose(drawn, 1 / 3, atol=0.02)


def test_uniform_rows_all_weigh_one() -> None:
    buffer = ReplayBuffer(8, FEATURES, prioritised=False, seed=1)
    buffer.add(transitions(0, 4))
    buffer.update_priorities(np.arange(4), np.array([1.0, 2.0, 3.0, 100.0]))
    batch = buffer.sample(40_000)
    np.testing.assert_allclose(np.bincount(batch.rows) / 40_000, 0.25, atol=0.02)
    assert (batch.weights == 1).all()


@pytest.mark.parametrize("count", [0, 3, 6, 9])
@pytest.mark.parametrize("prioritised", [True, False])
def test_a_restored_buffer_continues_as_the_old_one(count: int, prioritised: bool) -> None:
    old = ReplayBuffer(6, FEATURES, prioritised=prioritised, seed=3)
    for number in range(count):
        old.add(transitions(number, 1))
    if count:
        old.update_priorities(old.sample(2).rows, np.array([3.0, 5.0]))
    new = ReplayBuffer(6, FEATURES, prioritised=prioritised, seed=99)
    new.restore(through_a_file(old.state()))
    for buffer in (old, new):
        buffer.add(transitions(20, 2))
    for _ in range(3):
        mine, theirs = new.sample(16), old.sample(16)
        np.testing.assert_array_equal(mine.rows, theirs.rows)
        np.testing.assert_array_equal(mine.weights, theirs.weights)
        np.testing.assert_array_equal(mine.transitions.obs, theirs.transitions.obs)
        np.testing.assert_array_equal(mine.transitions.rewards, theirs.transitions.rewards)


def test_a_state_of_another_buffer_is_refused() -> None:
    buffer = ReplayBuffer(6, FEATURES, prioritised=True, seed=0)
    for _ in range(2):
        buffer.add(transitions(0, 4))
    with pytest.raises(ValueError, match="buffer of 5"):
        ReplayBuffer(5, FEATURES, prioritised=True, seed=0).restore(buffer.state())
    with pytest.raises(ValueError, match="obs has the shape"):
        ReplayBuffer(6, FEATURES + 1, prioritised=True, seed=0).restore(buffer.state())
