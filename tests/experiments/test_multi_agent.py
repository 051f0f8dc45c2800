"""Several learners of one market under RLlib, and the command that trains them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from agents.numpy_policy import NumpyPolicy
from configs import ConfigError
from configs import load_seed_ranges
from configs import parse_seeds
from experiments.multi_agent import build_config
from experiments.multi_agent import orders_of
from experiments.ray_session import local_ray
from experiments.run_folder import REPOSITORY
from tests.agents.worlds import experiment

TRAINING = {"hidden": [8], "batch_size": 16, "envs": 1, "seed": 2_000_001, "ppo": {"rollout": 24, "epochs": 2}}


@pytest.mark.parametrize(("sides", "shared"), [("buy,sell", True), ("buy,buy,sell", False)])
def test_shared_and_separate_policies_train(sides: str, shared: bool) -> None:
    orders = orders_of(sides)
    with local_ray(cpus=1):
        algorithm = build_config(experiment(training=TRAINING), orders, shared).build_algo()
        names = ["shared"] if shared else list(orders)
        before = {name: weights(algorithm.get_module(name)) for name in names}
        results = [algorithm.train()["env_runners"] for _ in range(3)]
        for name in names:
            assert not torch.equal(weights(algorithm.get_module(name)), before[name]), name
        env = algorithm.env_runner.env.envs[0].unwrapped
        assert env._seed in parse_seeds(load_seed_ranges().train)
        algorithm.stop()
    assert set(results[-1]["module_episode_returns_mean"]) == set(names)
    assert set(results[-1]["agent_episode_returns_mean"]) == set(orders)


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()]).clone()


@pytest.mark.parametrize(
    ("sides", "words"), [("buy", "two or more"), ("buy,up", "'up': must be one of buy, sell, both")]
)
def test_sides_that_cannot_be_used_are_named(sides: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        orders_of(sides)


@pytest.mark.slow
def test_a_quick_run_judges_every_learner_on_the_same_markets(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "experiments.multi_agent", "quick", "--quick", "--sides", "buy,buy"]
    done = subprocess.run(
        [*words, "--policies", "separate", "--out", str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("quick-*")
    found = json.loads((folder / "multi_agent.json").read_text())["learners"]
    assert set(found) == {"buy_0", "buy_1", "mean"}
    for values in found.values():
        learned, twap, difference = values["learned"], values["twap"], values["difference"]
        assert difference["n"] == 4
        assert difference["mean"] == pytest.approx(learned["mean"] - twap["mean"])
    policies = [NumpyPolicy.load(folder / f"policy-{name}.npz") for name in ("buy_0", "buy_1")]
    assert policies[0].digest() != policies[1].digest()
