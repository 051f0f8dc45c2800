from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.replay import IMPORTANCE_EXPONENT
from experiments.replay import PRIORITY_EXPONENT
from experiments.replay import NStepCutter
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


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    n_step=st.integers(1, 5),
    terminated=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_every_state_of_an_episode_gets_its_n_step_return(
    lengths: list[int], n_step: int, terminated: bool, seed: int
) -> None:
    gamma = 0.9
    total = sum(lengths)
    rng = np.random.default_rng(seed)
    obs = np.arange(total + 1, dtype=np.float64)[:, None]
    actions, rewards = rng.integers(5, size=total), rng.normal(size=total)
    cutter = NStepCutter(n_step, gamma)
    got = []
    at = 0
    for index, length in enumerate(lengths):
        last = index == len(lengths) - 1
        got.append(
            cutter.add(
                "episode",
                obs[at : at + length + 1],
                actions[at : at + length],
                rewards[at : at + length],
                terminated=last and terminated,
                truncated=last and not terminated,
            )
        )
        cutter.add("another", obs[:1], actions[:0], rewards[:0])
        at += length
    rows = [
        (row.obs[i, 0], row.actions[i], row.rewards[i], row.next_obs[i, 0], row.terminated[i], row.n_step[i])
        for row in got
        for i in range(len(row))
    ]
    assert [row[0] for row in rows] == list(range(total))
    for i, (_, action, reward, following, ended, steps) in enumerate(rows):
        end = min(i + n_step, total)
        assert action == actions[i]
        assert reward == pytest.approx(sum(gamma ** (k - i) * rewards[k] for k in range(i, end)), abs=1e-5)
        assert following == end
        assert steps == end - i
        assert ended == (terminated and end == total)


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
    batch = buffer.sample(200_000)
    drawn = np.bincount(batch.rows, minlength=4) / len(batch.rows)
    expected = errors**PRIORITY_EXPONENT / (errors**PRIORITY_EXPONENT).sum()
    np.testing.assert_allclose(drawn, expected, atol=0.01)
    ratio = batch.weights[batch.rows == 1][0] / batch.weights[batch.rows == 3][0]
    assert ratio == pytest.approx((expected[1] / expected[3]) ** -IMPORTANCE_EXPONENT, rel=1e-4)
    assert batch.weights.max() == 1


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


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


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
