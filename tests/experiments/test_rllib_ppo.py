"""RLlib's PPO on our environments, in this process, on the stand-in market."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from experiments.algorithms import build_algorithm
from experiments.algorithms import round_size
from experiments.ray_session import local_ray
from experiments.rllib_algorithm import ExecutionAlgorithm
from experiments.rllib_algorithm import device_of


@pytest.fixture(scope="module", autouse=True)
def ray_running() -> Iterator[None]:
    with local_ray(cpus=2):
        yield


def small(**training: Any) -> Experiment:
    """Twenty-second decisions for ten minutes: episodes of 30 steps."""
    values = {"algorithm": "ppo", "envs": 4, "hidden": [16, 8], "batch_size": 32, "ppo.rollout": 100, "ppo.epochs": 2}
    overrides = {"decision_interval": "20s", "order.window": "10min", "actions": {"kind": "lots", "lot": 400}}
    values |= training
    return load_experiment("quick", overrides | {f"training.{name}": value for name, value in values.items()})


def made(experiment: Experiment) -> ExecutionAlgorithm:
    return build_algorithm(experiment, "stand-in")


def test_a_sample_is_rllibs_episodes_cut_where_they_end() -> None:
    algorithm = made(small())
    runner = algorithm.env_runner
    pieces, ended = runner.sample(rollout=75)
    assert sum(len(piece) for piece in pieces) == 300
    assert len(ended) == sum(piece.is_terminated for piece in pieces) > 4
    module = runner.module
    for piece in pieces:
        assert len(piece.get_observations()) == len(piece) + 1
        observations = torch.from_numpy(np.stack(piece.get_observations()[:-1]))
        with torch.no_grad():
            logits = module.forward_inference({"obs": observations})["action_dist_inputs"]
        log_p = torch.log_softmax(logits, dim=1).numpy()
        actions = np.array(piece.get_actions())
        said = np.array(piece.get_extra_model_outputs("action_logp"))
        np.testing.assert_allclose(said, log_p[np.arange(len(actions)), actions], atol=1e-5)
    # The time in the observation goes on within a piece, and begins anew after an end.
    times = [np.stack(piece.get_observations())[:, 1] for piece in pieces]
    assert all((np.diff(time) > 0).all() for time in times)
    after_an_end = [late for early, late in pairwise(pieces) if early.is_terminated]
    assert {float(piece.get_observations()[0][1]) for piece in after_an_end} == {0.0}
    algorithm.stop()


def test_the_actions_drawn_are_as_likely_as_the_policy_says() -> None:
    algorithm = made(small(envs=64))
    with torch.no_grad():
        algorithm.network.pi.net.mlp[0].bias.copy_(torch.tensor([1.0, 0.0, -1.0, 0.5, -9.0]))
        algorithm.network.pi.net.mlp[0].weight.zero_()
    pieces, _ = algorithm.env_runner.sample(rollout=60)
    actions = np.concatenate([piece.get_actions() for piece in pieces])
    expected = torch.softmax(torch.tensor([1.0, 0.0, -1.0, 0.5, -9.0]), dim=0).numpy()
    counts = np.bincount(actions, minlength=5) / len(actions)
    assert np.abs(counts - expected).max() < 5 * np.sqrt(0.25 / len(actions))
    algorithm.stop()


def test_the_exported_policy_takes_the_likeliest_action() -> None:
    algorithm = made(small())
    algorithm.advance(100)
    policy = algorithm.numpy_policy({})
    x = np.random.default_rng(0).normal(size=(100, policy.observation_size)).astype(np.float32)
    with torch.no_grad():
        logits = algorithm.network.forward_inference({"obs": torch.from_numpy(x)})["action_dist_inputs"].numpy()
    np.testing.assert_allclose(policy.q_values(x), logits, atol=1e-5)
    np.testing.assert_array_equal(policy.act(x), logits.argmax(axis=1))
    algorithm.stop()


def test_it_learns_to_trade_where_idling_is_punished() -> None:
    # An even schedule trades most of the largest lot: a policy that trades little pays for what is left.
    algorithm = made(small(**{"ppo.rollout": 480, "ppo.epochs": 6, "learning_rate": 3e-3, "envs": 8}))
    algorithm.advance(480)
    first = np.mean([episode.reward for episode in list(algorithm.episodes)[:16]])
    algorithm.advance(10_000)
    last = np.mean([episode.reward for episode in list(algorithm.episodes)[-16:]])
    assert last > first + 20
    algorithm.stop()


def test_a_restored_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = made(small())
    whole.advance(250)
    whole.save_checkpoint(str(tmp_path))
    resumed = made(small())
    resumed.load_checkpoint(str(tmp_path))
    for algorithm in (whole, resumed):
        algorithm.advance(250)
    assert (whole.steps, whole.updates) == (resumed.steps, resumed.updates)
    assert whole.steps % round_size(small()) == 0
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
    assert whole.episodes == resumed.episodes
    other = made(small(algorithm="dqn"))
    with pytest.raises(ValueError, match="is of ppo, this is dqn"):
        other.load_checkpoint(str(tmp_path))
    for algorithm in (whole, resumed, other):
        algorithm.stop()


@pytest.mark.parametrize("name", ["dqn", "ppo"])
def test_a_network_that_lies_elsewhere_is_sent_to_the_runner(name: str) -> None:
    """As a GPU's is: the runner acts with a copy, and the training is the same."""
    trained = []
    for shares in (True, False):
        algorithm = made(small(algorithm=name, learning_starts=50))
        if not shares:
            algorithm._shares_network = False
            algorithm.env_runner.act_with(algorithm.env_runner.module.__class__(**module_arguments(algorithm)))
        algorithm.advance(400)
        trained.append({key: value.clone() for key, value in algorithm.network.state_dict().items()})
        algorithm.stop()
    for key, value in trained[0].items():
        assert torch.equal(value, trained[1][key]), key


def module_arguments(algorithm: ExecutionAlgorithm) -> dict[str, Any]:
    network = algorithm.network
    return {
        "observation_space": network.observation_space,
        "action_space": network.action_space,
        "model_config": network.model_config,
        "catalog_class": type(network.catalog),
    }


def test_a_gpu_is_asked_for_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of(small()) == device_of(small(device="cpu")) == "cpu"
    with pytest.raises(ConfigError, match=r"training\.device: cuda, but torch finds no GPU; allowed here: auto, cpu"):
        device_of(small(device="cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of(small()) == device_of(small(device="cuda")) == "cuda"
    assert device_of(small(device="cpu")) == "cpu"
