"""RLlib in this process, on the stand-in market."""

from __future__ import annotations

import copy
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
from ray import tune
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.policy.sample_batch import MultiAgentBatch
from ray.rllib.policy.sample_batch import SampleBatch
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME

from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from experiments.algorithms import build_algorithm
from experiments.algorithms import round_size
from experiments.checkpoints import list_checkpoints
from experiments.dqn_torch import QNetwork
from experiments.dqn_torch import td_update
from experiments.env_runner import market_seed
from experiments.ray_session import local_ray
from experiments.replay import Batch
from experiments.replay import Transitions
from experiments.rllib_dqn import ExecutionDQN
from experiments.rllib_dqn import build_config
from experiments.trainer import Report
from experiments.trainer import train_policy


@pytest.fixture(scope="module", autouse=True)
def ray_running() -> Iterator[None]:
    with local_ray(cpus=4):
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
    assert isinstance(algorithm, ExecutionDQN)
    if advance:
        algorithm.advance(advance)
    return algorithm


def weights(algorithm: ExecutionDQN) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in algorithm.learner.network.state_dict().items()}


@pytest.mark.parametrize("dueling", [True, False])
def test_the_exported_policy_computes_what_rllib_computes(dueling: bool, tmp_path: Path) -> None:
    experiment = small(dueling=dueling)
    algorithm = made(experiment, 300)
    algorithm.numpy_policy({}).save(tmp_path / "policy.npz")
    policy = NumpyPolicy.load(tmp_path / "policy.npz")
    x = np.random.default_rng(0).normal(size=(200, policy.observation_size)).astype(np.float32)
    with torch.no_grad():
        theirs = algorithm.learner.network.compute_q_values({"obs": torch.from_numpy(x)})["qf_preds"].numpy()
        exploited = algorithm.get_module().forward_inference({"obs": torch.from_numpy(x)})["actions"].numpy()
    np.testing.assert_allclose(policy.q_values(x), theirs, atol=1e-5)
    np.testing.assert_array_equal(policy.act(x), exploited)
    # The runner acts with the network as the last update left it.
    np.testing.assert_allclose(algorithm.env_runner.policy.q_values(x), theirs, atol=1e-5)
    exported = policy.q_values(x)
    algorithm.advance(100)
    assert not np.allclose(algorithm.env_runner.policy.q_values(x), theirs, atol=1e-5)
    np.testing.assert_array_equal(policy.q_values(x), exported)
    algorithm.stop()


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("dueling", [True, False])
def test_an_update_is_that_of_plain_torch(dueling: bool, double: bool) -> None:
    experiment = small(dueling=dueling, double=double, grad_clip=0.5)
    training = experiment.training
    algorithm = made(experiment)
    ours = algorithm.network
    inputs, actions = len(experiment.observation.features), 5
    network = QNetwork(inputs, training.hidden, actions, dueling)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def as_theirs() -> dict[str, torch.Tensor]:
        """The weights of RLlib's network, by the names of the plain one."""
        layers = {"encoder.net.mlp.0": "hidden.0", "encoder.net.mlp.2": "hidden.1", "af.net.mlp.0": "advantage"}
        layers |= {"vf.net.mlp.0": "value"} if dueling else {}
        own = ours.state_dict()
        return {f"{new}.{part}": own[f"{old}.{part}"] for old, new in layers.items() for part in ("weight", "bias")}

    network.load_state_dict(as_theirs())
    target = copy.deepcopy(network)  # at first the target network is the network
    rng = np.random.default_rng(0)
    for step in range(40):
        obs, next_obs = (rng.normal(size=(16, inputs)).astype(np.float32) for _ in range(2))
        chosen, n_step = rng.integers(actions, size=16), rng.integers(1, 4, size=16)
        rewards, weight = (rng.normal(size=16).astype(np.float32), rng.random(16).astype(np.float32))
        ended = rng.random(16) < 0.2
        discounts = np.where(ended, 0, training.gamma**n_step).astype(np.float32)
        batch = Batch(np.arange(16), Transitions(obs, chosen, rewards, next_obs, ended, n_step), weight)
        plain = {"obs": obs, "actions": chosen, "returns": rewards, "next_obs": next_obs, "discounts": discounts}
        errors, loss = algorithm.learner.learn(batch, 0.01)
        others, other = td_update(network, target, optimizer, {**plain, "weights": weight}, training, 0.01)
        torch.testing.assert_close(errors, others, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(loss, other, atol=1e-4, rtol=1e-3)
        if step == 20:
            algorithm.learner.update_target()
            target.load_state_dict(network.state_dict())
    for name, value in as_theirs().items():
        torch.testing.assert_close(value, network.state_dict()[name], atol=1e-4, rtol=1e-3)
    algorithm.stop()


@pytest.mark.parametrize("updates_per_step", [0.1, 1.5])
def test_the_updates_are_as_many_as_asked_for(updates_per_step: float) -> None:
    experiment = small(updates_per_step=updates_per_step)
    algorithm = made(experiment, 300)
    assert algorithm.updates == int((algorithm.steps - 100) * updates_per_step)
    assert 300 <= algorithm.steps < 300 + round_size(experiment)
    optimizer = algorithm.learner.optimizer
    assert {int(state["step"]) for state in optimizer.state.values()} == {algorithm.updates}
    algorithm.stop()


def test_schedules_follow_the_environment_steps() -> None:
    experiment = small()
    algorithm = made(experiment)
    algorithm.advance(200)
    assert algorithm.epsilon() == pytest.approx(1 - 0.9 * algorithm.steps / 400)
    assert algorithm.env_runner.epsilon(algorithm.steps) == algorithm.epsilon()
    assert algorithm.learning_rate() == pytest.approx(1e-2 - 9e-3 * algorithm.steps / 400, rel=1e-3)
    assert algorithm.learner.optimizer.param_groups[0]["lr"] == algorithm.learning_rate()
    assert algorithm.beta() == pytest.approx(0.4 + 0.6 * algorithm.steps / 400)
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


@pytest.mark.parametrize("market", ["stand-in", "abides"])
def test_a_restored_algorithm_goes_on_as_the_old_one(market: str, tmp_path: Path) -> None:
    experiment = small()
    old = build_algorithm(experiment, market)
    old.advance(150)
    old.save_checkpoint(str(tmp_path))
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".npz", ".json")]
    new = build_algorithm(experiment, market)
    new.load_checkpoint(str(tmp_path))
    for algorithm in (old, new):
        algorithm.advance(150)
    assert old.updates > 20
    assert (new.steps, new.updates, list(new.episodes)) == (old.steps, old.updates, list(old.episodes))
    assert list(new.losses) == list(old.losses)
    for name, value in weights(old).items():
        torch.testing.assert_close(weights(new)[name], value, rtol=0, atol=0)
    for name, array in old.buffer.state().items():
        np.testing.assert_array_equal(new.buffer.state()[name], array)
    for algorithm in (old, new):
        algorithm.stop()


@pytest.mark.parametrize("double", [True, False])
def test_an_update_is_rllibs_own(double: bool) -> None:
    experiment = small(double=double, learning_rate=[[0, 1e-2]], target_update=150)
    ours, theirs = (made(experiment, 200) for _ in range(2))
    learner = theirs.learner
    learner.last_update_ts_by_mid[DEFAULT_MODULE_ID] = 200  # RLlib's count of target updates, which ours does not use
    for _ in range(5):
        batch = ours.buffer.sample(16, 0.5)
        rows = batch.transitions
        columns = {
            Columns.OBS: rows.obs,
            Columns.NEXT_OBS: rows.next_obs,
            Columns.ACTIONS: rows.actions,
            Columns.REWARDS: rows.rewards,
            Columns.TERMINATEDS: rows.terminated,
            "weights": batch.weights,
            "n_step": rows.n_step,
        }
        tensors = SampleBatch({name: torch.from_numpy(column) for name, column in columns.items()})
        results = learner.update(
            batch=MultiAgentBatch({DEFAULT_MODULE_ID: tensors}, env_steps=len(rows)),
            timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: 200},
        )[DEFAULT_MODULE_ID]
        errors, loss = ours.learner.learn(batch, 1e-2)
        assert loss.item() == pytest.approx(float(results["qf_loss"].peek()), rel=1e-5)
        (expected,) = results["td_error"].peek()
        np.testing.assert_allclose(np.abs(errors.numpy()), expected, rtol=1e-4, atol=1e-6)
    for name, value in weights(theirs).items():
        torch.testing.assert_close(weights(ours)[name], value, rtol=1e-4, atol=1e-5)
    for algorithm in (ours, theirs):
        algorithm.stop()


def test_rllibs_results_tell_of_the_episodes() -> None:
    algorithm = made(small())
    first = algorithm.train()["env_runners"]
    assert first["num_env_steps_sampled"] == 4  # one round
    result = algorithm.advance(300)["env_runners"]
    assert result["num_env_steps_sampled_lifetime"] == algorithm.steps == 304
    assert result["episode_return_mean"] == pytest.approx(np.mean([e.reward for e in algorithm.episodes]))
    assert result["shortfall_cents"] == pytest.approx(np.mean([e.shortfall_cents for e in algorithm.episodes]))
    algorithm.stop()


@pytest.mark.slow
def test_other_processes_can_sample(tmp_path: Path) -> None:
    config = build_config(small(), "stand-in").env_runners(num_env_runners=2, rollout_fragment_length=5)
    old, new = config.copy().build_algo(), config.copy().build_algo()
    old.advance(200)
    assert old.steps == 200  # five steps of four environments in two processes, five times
    old.save_checkpoint(str(tmp_path))
    new.load_checkpoint(str(tmp_path))
    for algorithm in (old, new):
        algorithm.advance(100)
    assert (new.updates, list(new.episodes)) == (old.updates, list(old.episodes))
    for name, value in weights(old).items():
        torch.testing.assert_close(weights(new)[name], value, rtol=0, atol=0)
    one = build_algorithm(small(), "stand-in")
    with pytest.raises(ValueError, match="is of 2 runners, this algorithm has 1"):
        one.load_checkpoint(str(tmp_path))
    for algorithm in (old, new, one):
        algorithm.stop()


@pytest.mark.slow
def test_tune_trains_and_keeps_the_algorithm(tmp_path: Path) -> None:
    tuner = tune.Tuner(
        ExecutionDQN,
        param_space=build_config(small(), "stand-in"),
        run_config=tune.RunConfig(
            name="tuned",
            storage_path=str(tmp_path),
            stop={"training_iteration": 30},
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True),
        ),
    )
    (result,) = tuner.fit()
    assert result.metrics["env_runners"]["num_env_steps_sampled_lifetime"] == 120
    algorithm = build_algorithm(small(), "stand-in")
    algorithm.load_checkpoint(result.checkpoint.path)
    assert (algorithm.steps, algorithm.updates) == (120, 5)
    algorithm.advance(20)
    algorithm.stop()


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    algorithm = made(small(), 20)
    algorithm.save_checkpoint(str(tmp_path))
    path = tmp_path / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "state_version": 99}))
    with pytest.raises(ValueError, match="version 99"):
        algorithm.load_checkpoint(str(tmp_path))
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


@given(seed=st.integers(0, 2**40), runner=st.integers(0, 1000), envs=st.integers(1, 64))
def test_no_process_begins_outside_the_training_markets(seed: int, runner: int, envs: int) -> None:
    train = parse_seeds(load_seed_ranges().train)
    first = market_seed(seed, runner, envs)
    assert first in train
    assert first + envs - 1 in train
