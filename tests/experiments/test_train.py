"""The command as a user runs it, on the stand-in market."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agents.numpy_policy import NumpyPolicy
from experiments.checkpoints import list_checkpoints
from experiments.console import run_command
from experiments.run_folder import REPOSITORY
from experiments.run_folder import read_manifest
from experiments.train import Args
from experiments.train import main

SMALL = (
    "quick",
    "--set",
    "decision_interval=20s",
    "order.window=10min",
    "training.steps=1500",
    "training.envs=4",
    "training.hidden=[16]",
    "training.learning_starts=100",
    "training.checkpoint_every=200",
)


def command(out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "experiments.train", *options, "--out", str(out)]


def run(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(out, *options), cwd=REPOSITORY, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    ("market", "algorithm"),
    [
        ("stand-in", "dqn"),
        ("stand-in", "search"),
        pytest.param("abides", "dqn", marks=pytest.mark.slow),
        pytest.param("abides", "ppo", marks=pytest.mark.slow),
    ],
)
def test_a_killed_training_goes_on_as_if_it_had_not_been(market: str, algorithm: str, tmp_path: Path) -> None:
    chosen = (f"training.algorithm={algorithm}", "training.ppo.rollout=200", "training.search.markets=2")
    small = (*SMALL, *chosen, "--market", market)
    process = subprocess.Popen(
        command(tmp_path, *small), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    checkpoints = Path("none")
    while process.poll() is None and not list_checkpoints(checkpoints):
        checkpoints = next(tmp_path.glob("quick-*/checkpoints"), checkpoints)
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    folder = checkpoints.parent
    last = list_checkpoints(checkpoints)[-1][0]
    assert last < 1500
    # What a kill in the middle of a write leaves behind is not read.
    half = checkpoints / ".step-00001400.1.tmp"
    half.mkdir()
    (half / "state.json").write_text("{")

    done = run(tmp_path, *small)
    assert done.returncode == 0, done.stderr
    assert f"resuming quick on the {market} market in {folder}" in done.stdout
    assert f"train {last:,}/1,500 steps" in done.stdout
    assert re.search(r"train 1,[5-9]\d\d/1,500 steps 100%", done.stdout)
    told = rf"^  {algorithm} on cpu, {1500 - last:,} decisions to train on: about \d+:\d\d on an idle core$"
    assert re.search(told, done.stdout, re.M)
    for name in ("idle", "twap", "immediate"):
        assert f"  {name:9} mean return" in done.stdout
    assert done.stdout.splitlines()[-1] == f"policy: {folder / 'policy.npz'}"
    assert done.stderr == ""
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest["status"] == "finished"
    assert len(manifest["sessions"]) == 2
    policy = NumpyPolicy.load(folder / "policy.npz")
    assert policy.metadata["steps"] >= 1500
    assert manifest["policy_digest"] == policy.digest()
    assert set(manifest["reference_returns"]) == {"idle", "twap", "immediate"}
    assert manifest["validation"]["episodes"] == 4
    assert 0 < manifest["validation"]["most_taken_share"] <= 1
    # Updates go on where they were: none is lost, none repeated.
    if algorithm == "dqn":
        assert policy.metadata["updates"] == int((policy.metadata["steps"] - 100) * 0.125)
    assert manifest["device"] == policy.metadata["device"] == "cpu"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("quick")] == [folder.name]
    # The same training that nothing interrupts gives the same policy, bit for bit.
    assert run(tmp_path / "again", *small).returncode == 0
    (whole,) = (tmp_path / "again").glob("quick-*/policy.npz")
    assert whole.read_bytes() == (folder / "policy.npz").read_bytes()


@pytest.mark.parametrize("algorithm", ["dqn", "ppo"])
def test_a_quick_policy_trades_in_a_quick_comparison(algorithm: str, tmp_path: Path) -> None:
    chosen = ("--set", f"training.algorithm={algorithm}", "training.ppo.rollout=512")
    done = run(tmp_path, "quick", "--quick", *chosen)
    assert done.returncode == 0, done.stderr
    assert f"  {algorithm} on cpu, 4,000 decisions to train on: about 0:" in done.stdout
    assert "train 4,000/4,000 steps 100%" in done.stdout
    (policy,) = tmp_path.glob("quick-*/policy.npz")
    words = [sys.executable, "-m", "experiments.compare", "quick", "--quick", "--policy", str(policy), *chosen]
    done = subprocess.run(
        [*words, "--strategies", "twap,dqn", "--workers", "1", "--out", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "twap, dqn on 4 markets: 12 units to do on 1 processes, about 0:" in done.stdout
    (summary,) = tmp_path.glob("quick-*/summary.json")
    assert json.loads(summary.read_text())["paired"]["dqn-twap"]["n"] == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nowhere"], ["nowhere", "quick", "paper"]),
        (["quick", "--set", "training.stepz=3"], ["training.stepz", "steps"]),
        (["quick", "--set", "training.steps"], ["training.steps", "key=value"]),
        (["quick", "--set", "training.steps=-5"], ["training.steps", "-5"]),
        (["quick", "--set", "training.epsilon=[[5, 1.0]]"], ["epsilon", "(5, 1.0)"]),
        (["quick", "--set", "training.hidden=[]"], ["hidden"]),
        (["quick", "--set", "training.buffer=10"], ["buffer", "10"]),
        (["quick", "--set", "observation.features=[nonsense]"], ["nonsense", "inventory"]),
        (["quick", "--set", "order.window=5h"], ["order.window", "market.end_time"]),
        (["quick", "--run-id", "a/b"], ["--run-id", "a/b"]),
        (["quick", "--set", "training.algorithm=sac"], ["training.algorithm", "sac", "ppo"]),
        (["quick", "--checkpoint-every", "0"], ["checkpoint_every", "0"]),
    ],
)
def test_what_cannot_be_used_is_one_line_and_status_2(
    tmp_path: Path,
    options: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["train", *options, "--out", str(tmp_path / "results")])
    with pytest.raises(SystemExit) as exit_:
        run_command(main, Args, "train", "")
    assert exit_.value.code == 2
    text = capsys.readouterr()
    assert text.out == ""
    assert len(text.err.splitlines()) == 1
    assert text.err.startswith("error: ")
    for word in words:
        assert word in text.err
    assert not (tmp_path / "results").exists()


def test_a_wrong_option_has_status_2_and_shows_what_is_allowed(tmp_path: Path) -> None:
    done = run(tmp_path / "results", "quick", "--market", "moon")
    assert done.returncode == 2
    assert "moon" in done.stderr + done.stdout
    assert "stand-in" in done.stderr + done.stdout
    assert not (tmp_path / "results").exists()
