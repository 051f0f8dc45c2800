"""The commands on a Ray cluster of two nodes, one of which is lost half-way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from agents.numpy_policy import NumpyPolicy
from experiments.run_folder import REPOSITORY

MARKET = ("decision_interval=20s", "order.window=10min", "training.hidden=[8]", "training.envs=2")
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
# A lost node is noticed soon, and work is not kept back: a node's processes are nice otherwise.
SOON = {
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 4,
    "health_check_initial_delay_ms": 500,
    "worker_niceness": 0,
}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head that runs no tasks of its own; a test adds nodes of one processor."""
    made = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0, "_system_config": SOON})
    yield made
    made.shutdown()


def start(cluster: Cluster, module: str, out: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            f"experiments.{module}",
            "quick",
            "--address",
            cluster.address,
            "--out",
            str(out),
            *words,
        ],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(process: subprocess.Popen[str], happened: Callable[[], Any]) -> Any:
    while not (found := happened()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return found


def finish(process: subprocess.Popen[str], out: Path) -> tuple[Path, str]:
    """The run folder and what the command said."""
    stdout, stderr = process.communicate(timeout=400)
    assert process.returncode == 0, stderr
    (folder,) = out.glob("quick-*")
    assert json.loads((folder / "manifest.json").read_text())["status"] == "finished"
    return folder, stdout


@pytest.mark.slow
def test_a_comparison_outlives_a_node(cluster: Cluster, tmp_path: Path) -> None:
    lost = cluster.add_node(**NODE)
    words = ("--strategies", "twap,random", "--seeds", "1000000:1000024")
    process = start(cluster, "compare", tmp_path / "there", *words)
    wait_for(process, lambda: list((tmp_path / "there").glob("*/parts/*/[0-9]*")))
    cluster.add_node(**NODE)
    cluster.remove_node(lost, allow_graceful=False)
    folder, said = finish(process, tmp_path / "there")
    assert "72 units to do on the Ray cluster at" in said
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["failures"] == []
    assert summary["strategies"]["twap"]["n"] == 24
    here = [sys.executable, "-m", "experiments.compare", "quick", *words, "--out", str(tmp_path / "here")]
    subprocess.run(here, cwd=REPOSITORY, check=True, capture_output=True)
    (same,) = (tmp_path / "here").glob("quick-*/episodes.parquet")
    assert (folder / "episodes.parquet").read_bytes() == same.read_bytes()


@pytest.mark.slow
def test_a_training_outlives_its_node(cluster: Cluster, tmp_path: Path) -> None:
    lost = cluster.add_node(**NODE)
    steps = ("training.steps=3000", "training.checkpoint_every=300")
    process = start(cluster, "train", tmp_path, "--market", "stand-in", "--set", *MARKET, *steps)
    wait_for(process, lambda: list(tmp_path.glob("*/checkpoints/step-*")))
    cluster.add_node(**NODE)
    cluster.remove_node(lost, allow_graceful=False)
    folder, said = finish(process, tmp_path)
    assert "dqn on the Ray cluster at" in said
    policy = NumpyPolicy.load(folder / "policy.npz")
    assert policy.metadata["steps"] >= 3000
    assert policy.metadata["commit"] == json.loads((folder / "manifest.json").read_text())["commit"]
    assert len(list((folder / "tensorboard").iterdir())) == 2, "one file from each node"


@pytest.mark.slow
def test_a_sweep_outlives_a_node(cluster: Cluster, tmp_path: Path) -> None:
    lost = cluster.add_node(**NODE)
    cluster.add_node(**NODE)
    swept = ("sweep.steps=2000", "sweep.episodes=8", "sweep.parameters.training.gamma=[0.9,0.95]", "sweep.rungs=5")
    process = start(cluster, "sweep", tmp_path, "--market", "stand-in", "--set", *MARKET, *swept)
    wait_for(process, lambda: len(list(tmp_path.glob("*/trials/*/checkpoint_*"))) >= 2)
    cluster.remove_node(lost, allow_graceful=False)
    folder, said = finish(process, tmp_path)
    assert "trials 2 of 2 over" in said
    rows = json.loads((folder / "sweep.json").read_text())["trials"]
    assert [row["rung"] for row in rows] == [5, 5]
