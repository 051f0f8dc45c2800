"""RLlib in this process, on the stand-in market."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from experiments.checkpoints import list_checkpoints
from experiments.ray_session import local_ray
from experiments.rllib_dqn import ExecutionDQN
from experiments.rllib_dqn import build_algorithm
from experiments.rllib_dqn import market_seed
from experiments.rllib_dqn import round_size
from experiments.trainer import Report
from experiments.trainer import train_policy


@pytest.fixture(scope="module", autouse=True)
def ray_running() -> Iterator[None]:
    with local_ray(cpus=1):
        yield


def small(**training: Any) -> Experiment:
    """Twenty-second decisions for ten minutes: episodes of 30 steps."""
    values = {
        "steps": 400,
        "envs": 4,
        "hidden": [16, 8],
        "learning_starts": 100,
        "batch_size": 16,
        "updates_per_step": 0.25,
        "target_update": 50,
        "n_step": 3,
        "buffer": 300,
        "epsilon": [[0, 1.0], [400, 0.1]],
        "learning_rate": [[0, 1e-2], [400, 1e-3]],
        **training,
    }
    overrides = {"decision_interval": "20s", "order.window": "10min"}
    return load_experiment("quick", overrides | {f"training.{name}": value for name, value in values.items()})


def made(experiment: Experiment, advance: int = 0) -> ExecutionDQN:
    algorithm = build_algorithm(experiment, "stand-in")
    if advance:
        algorithm.advance(advance)
    return algorithm


def weights(algorithm: ExecutionDQN) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in algorithm._module().state_dict().items()}


@pytest.mark.parametrize("dueling", [True, False])
def test_the_exported_policy_computes_what_rllib_computes(dueling: bool, tmp_path: Path) -> None:
    experiment = small(dueling=dueling)
    algorithm = made(experiment, 300)
    algorithm.numpy_policy({}).save(tmp_path / "policy.npz")
    policy = NumpyPolicy.load(tmp_path / "policy.npz")
    x = np.random.default_rng(0).normal(size=(200, policy.observation_size)).astype(np.float32)
    with torch.no_grad():
        theirs = algorithm._module().compute_q_values({"obs": torch.from_numpy(x)})["qf_preds"].numpy()
    np.testing.assert_allclose(policy.q_values(x), theirs, atol=1e-5)
    # The sampler acts with the same network once it is told to exploit.
    exploited = algorithm.env_runner.module.forward_inference({"obs": torch.from_numpy(x)})["actions"].numpy()
    np.testing.assert_array_equal(policy.act(x), exploited)
    algorithm.stop()


@pytest.mark.parametrize("updates_per_step", [0.1, 1.5])
def test_the_updates_are_as_many_as_asked_for(updates_per_step: float) -> None:
    experiment = small(updates_per_step=updates_per_step)
    algorithm = made(experiment, 300)
    assert algorithm.updates == int((algorithm.steps - 100) * updates_per_step)
    assert 300 <= algorithm.steps < 300 + round_size(experiment)
    optimizer = algorithm._optimizer()
    assert {int(state["step"]) for state in optimizer.state.values()} == {algorithm.updates}
    algorithm.stop()


def test_schedules_follow_the_environment_steps() -> None:
    experiment = small()
    algorithm = made(experiment)
    algorithm.advance(200)
    assert algorithm.epsilon() == pytest.approx(1 - 0.9 * algorithm.steps / 400)
    acted_with = float(algorithm.env_runner.module.epsilon_schedule.get_current_value())
    assert 0 <= acted_with - algorithm.epsilon() <= 0.9 * round_size(experiment) / 400
    assert algorithm.learning_rate() == pytest.approx(1e-2 - 9e-3 * algorithm.steps / 400, rel=1e-3)
    algorithm.stop()


def test_the_memory_holds_whole_episodes() -> None:
    experiment = small(buffer=1_000)
    algorithm = made(experiment, 200)
    state = algorithm.buffer.state()
    assert len(algorithm.episodes) >= 4
    # What is not in memory yet waits for its n-step return, in episodes under way.
    assert algorithm.steps - 2 * 4 <= algorithm.buffer.size <= algorithm.steps
    ends = state["terminated"]
    assert ends.sum() == 3 * len(algorithm.episodes)
    assert sorted(set(state["n_step"][ends])) == [1, 2, 3]
    assert set(state["n_step"][~ends]) == {3}
    total = sum(episode.reward for episode in algorithm.episodes)
    assert all(episode.steps <= 30 and 0 <= episode.completion <= 1 for episode in algorithm.episodes)
    assert np.isfinite(total)
    algorithm.stop()


def test_a_restored_algorithm_continues_as_the_old_one(tmp_path: Path) -> None:
    experiment = small()
    old = made(experiment, 300)
    old.save_arrays(tmp_path)
    random = torch.rand(3)
    new = build_algorithm(experiment, "stand-in", old.steps)
    new.restore_arrays(tmp_path)
    assert torch.equal(torch.rand(3), random)
    assert (new.steps, new.updates, list(new.episodes)) == (old.steps, old.updates, list(old.episodes))
    assert new.learning_rate() == old.learning_rate() < 1e-2
    assert new.epsilon() == old.epsilon() < 1
    acting = new.env_runner.module.state_dict()
    for name, value in weights(old).items():
        assert torch.equal(weights(new)[name], value)
        assert name not in acting or torch.equal(acting[name], value)
    for _ in range(20):
        old._update()
        new._update()
    for name, value in weights(old).items():
        torch.testing.assert_close(weights(new)[name], value, rtol=0, atol=0)
    np.testing.assert_array_equal(new.buffer.state()["scaled_priorities"], old.buffer.state()["scaled_priorities"])
    for algorithm in (old, new):
        algorithm.stop()


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    algorithm = made(small(), 20)
    algorithm.save_arrays(tmp_path)
    path = tmp_path / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "state_version": 99}))
    with pytest.raises(ValueError, match="version 99"):
        algorithm.restore_arrays(tmp_path)
    algorithm.stop()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train_policy(small(seed=seed, steps=300), "stand-in", tmp_path / name)
    first, again, other = ((tmp_path / name / "policy.npz").read_bytes() for name in "abc")
    assert first == again
    assert first != other


def test_training_leaves_logs_checkpoints_and_a_policy(tmp_path: Path) -> None:
    reports: list[Report] = []
    policy = train_policy(small(steps=330, checkpoint_every=100), "stand-in", tmp_path, reports.append)
    assert reports[0].steps == 0
    assert reports[-1].steps >= 330
    assert reports[-1].updates > 0
    assert all(a.steps < b.steps for a, b in pairwise(reports))
    saved = [step for step, _ in list_checkpoints(tmp_path / "checkpoints")]
    assert saved[-1] == reports[-1].steps
    assert 0 < saved[1] - saved[0] <= 100
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))
    assert NumpyPolicy.load(tmp_path / "policy.npz").digest() == policy.digest()
    assert policy.metadata["steps"] == reports[-1].steps
    assert policy.metadata["training_markets"] == load_seed_ranges().train
    assert policy.metadata["market"] == "stand-in"
    assert {"experiment", "training_seed", "versions", "commit", "dirty"} <= policy.metadata.keys()


def test_rllib_is_quiet() -> None:
    assert logging.getLogger("ray.rllib").getEffectiveLevel() >= logging.ERROR


@given(seed=st.integers(0, 2**40), steps=st.integers(0, 10**8), envs=st.integers(1, 64))
def test_no_process_begins_outside_the_training_markets(seed: int, steps: int, envs: int) -> None:
    train = parse_seeds(load_seed_ranges().train)
    first = market_seed(seed, steps, envs)
    assert first in train
    assert first + envs - 1 in train
