"""The plain-torch DQN as a user runs it, and its replay memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.numpy_policy import NumpyPolicy
from experiments.dqn_torch import Replay
from experiments.run_folder import REPOSITORY

SMALL = (
    "decision_interval=20s",
    "order.window=10min",
    "training.steps=400",
    "training.envs=4",
    "training.hidden=[16]",
    "training.learning_starts=100",
    "training.n_step=3",
)


def run(policy: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "experiments.dqn_torch", "quick", "--market=stand-in", "--policy", str(policy)]
    return subprocess.run([*words, "--set", *settings], cwd=REPOSITORY, capture_output=True, text=True, timeout=300)


def test_a_few_hundred_steps_give_a_policy_that_the_seed_decides(tmp_path: Path) -> None:
    for name, settings in (("a", SMALL), ("b", SMALL), ("c", (*SMALL, "training.seed=1"))):
        done = run(tmp_path / f"{name}.npz", *settings)
        assert done.returncode == 0, done.stderr
        assert "train 400/400 steps 100%" in done.stdout
        assert done.stdout.splitlines()[-1] == f"policy: {tmp_path / f'{name}.npz'}"
    first, again, other = ((tmp_path / f"{name}.npz").read_bytes() for name in "abc")
    assert first == again
    assert first != other
    policy = NumpyPolicy.load(tmp_path / "a.npz")
    assert policy.value is not None
    assert (policy.metadata["steps"], policy.metadata["updates"]) == (400, int(300 * 0.125))


def test_what_cannot_be_used_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = run(tmp_path / "a.npz", "training.stepz=3")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "training.stepz" in done.stderr


@given(n_step=st.integers(1, 4), length=st.integers(5, 9), steps=st.integers(4, 30), seed=st.integers(0, 2**16))
@pytest.mark.parametrize("prioritised", [True, False])
def test_what_is_sampled_is_n_steps_of_one_episode(
    prioritised: bool, n_step: int, length: int, steps: int, seed: int
) -> None:
    envs, gamma = 2, 0.9
    rng = np.random.default_rng(seed)
    replay = Replay(length * envs, envs, 1, n_step, gamma)
    rewards = rng.normal(size=(steps, envs))
    dones = rng.random((steps, envs)) < 0.2
    numbers = (np.arange(steps + 1)[:, None] + 1000 * np.arange(envs)).astype(np.float32)[:, :, None]
    for t in range(steps):
        replay.add(numbers[t], np.full(envs, t), rewards[t], numbers[t + 1], dones[t])
    batch: dict[str, Any] = replay.sample(rng, 50, prioritised, 0.4)
    assert batch["weights"].max() == 1
    for i, t in enumerate(batch["actions"]):
        env = int(batch["obs"][i, 0]) // 1000
        assert batch["obs"][i, 0] == numbers[t, env, 0]
        assert steps - length <= t <= steps - n_step
        until = next((k + 1 for k in range(t, t + n_step) if dones[k, env]), t + n_step)
        expected = sum(gamma ** (k - t) * rewards[k, env] for k in range(t, until))
        assert batch["returns"][i] == pytest.approx(expected, abs=1e-5)
        assert batch["next_obs"][i, 0] == numbers[until, env, 0]
        ended = dones[until - 1, env]
        assert batch["discounts"][i] == pytest.approx(0.0 if ended else gamma ** (until - t))


def test_priorities_follow_the_errors() -> None:
    replay = Replay(8, 1, 1, 1, 0.9)
    for t in range(4):
        replay.add(np.zeros((1, 1), dtype=np.float32), np.array([t]), np.zeros(1), np.zeros((1, 1), dtype=np.float32),
                   np.zeros(1, dtype=np.bool_))  # fmt: skip
    replay.update(np.arange(4), np.array([0.0, 1.0, 2.0, 8.0], dtype=np.float32))
    batch: dict[str, Any] = replay.sample(np.random.default_rng(0), 100_000, True, 0.4)
    expected = np.array([0.0, 1.0, 2.0, 8.0]) ** 0.6
    np.testing.assert_allclose(np.bincount(batch["rows"], minlength=4) / 100_000, expected / expected.sum(), atol=0.01)
