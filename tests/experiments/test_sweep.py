from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.numpy_policy import NumpyPolicy
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from experiments.run_folder import REPOSITORY
from experiments.run_folder import read_manifest
from experiments.sweep import choose
from experiments.sweep import show
from experiments.trial import LEFT_CENTS
from experiments.trial import RESULT
from experiments.trial import Space
from experiments.trial import judge
from experiments.trial import rank

SMALL = {
    "decision_interval": "20s",
    "order.window": "10min",
    "training.hidden": [8],
    "training.envs": 2,
    "training.steps": 24_000,
    "sweep.steps": 200,
    "sweep.episodes": 8,
}


def experiment(parameters: dict[str, Any], **sweep: Any) -> Experiment:
    more = {f"sweep.{name}": value for name, value in sweep.items()}
    return load_experiment("quick", {**SMALL, "sweep.parameters": parameters, **more})


def trials(parameters: dict[str, Any], **sweep: Any) -> list[Experiment]:
    space = Space(experiment(parameters, **sweep), "stand-in")
    return [space.experiment_of(space.values(choice)) for choice in choose(space)]


def test_every_combination_is_a_trial() -> None:
    made = trials({"training.gamma": [0.9, 0.95], "training.learning_rate": [1e-3, [[0, 1e-3], [12_000, 1e-4]]]})
    assert [one.training.gamma for one in made] == [0.9, 0.9, 0.95, 0.95]
    # A short trial goes through the whole of the schedules.
    assert [one.training.learning_rate for one in made[:2]] == [((0, 1e-3),), ((0, 1e-3), (100, 1e-4))]
    assert {one.training.steps for one in made} == {200}
    share = 200 / 24_000
    assert {one.training.learning_starts for one in made} == {round(1000 * share)}


def test_any_field_of_the_problem_can_be_swept() -> None:
    made = trials(
        {
            "training": {"hidden": [[8], [16, 16]], "n_step": [1, 5]},  # nested names are dotted ones
            "reward.alpha": [0, 2.5],
            "actions": [{"kind": "placement"}, {"kind": "participation", "corridor": 0.1}],
            "decision_interval": ["10s", "60s"],
        }
    )
    assert len(made) == 32
    last = made[-1]
    assert (last.training.hidden, last.training.n_step, last.reward.alpha) == ((16, 16), 5, 2.5)
    assert (last.actions.kind, last.decisions) == ("participation", 10)
    assert {one.actions.kind for one in made} == {"placement", "participation"}
    # The markets that trials are judged on are the same.
    assert len({one.market.model_dump_json() + one.order.model_dump_json() for one in made}) == 1


def test_a_few_combinations_are_drawn_without_repetition() -> None:
    parameters = {"training.gamma": [0.9, 0.95, 0.99], "training.n_step": [1, 2, 3]}
    made = choose(Space(experiment(parameters, trials=5), "stand-in"))
    assert len({tuple(choice.values()) for choice in made}) == 5
    assert made == choose(Space(experiment(parameters, trials=5), "stand-in"))
    assert len(choose(Space(experiment(parameters, trials=50), "stand-in"))) == 9


@pytest.mark.parametrize(
    ("parameters", "sweep", "words"),
    [
        ({"training.gama": [0.9]}, {}, r"unknown key 'training\.gama'; allowed: .*gamma"),
        ({"training.steps": [10]}, {}, "'training.steps' cannot be swept"),
        ({"order.quantity": [10]}, {}, "'order.quantity' cannot be swept; allowed: fields of training, reward"),
        ({"training.gamma": []}, {}, "training.gamma has no values"),
        ({"training.gamma": [0.9, 1.5]}, {}, r"training\.gamma.*1\.5"),
        ({"training.hidden": [[0]]}, {}, r"training\.hidden"),
        ({"decision_interval": ["7s"]}, {}, "must divide order.window"),
        ({"training.hidden": [[8]]}, {"scheduler": "pbt"}, "'training.hidden' cannot change .* training.batch_size"),
        ({}, {"scheduler": "bohb"}, r"sweep\.scheduler"),
        ({}, {"episodes": 2}, r"sweep\.episodes"),
    ],
)
def test_what_cannot_be_swept_is_named(parameters: dict[str, Any], sweep: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        trials(parameters, **sweep)


def row(name: str, rung: int, by_market: list[float]) -> dict[str, Any]:
    found = {"score": float(np.mean(by_market)), "ci95": [-9.0, 9.0], "n": len(by_market), "completion": 1.0}
    return {"trial": name, "values": {"training.gamma": 0.9}, "rung": rung, "by_market": by_market} | found


def test_a_trial_that_was_stopped_ranks_below_one_that_was_not(capsys: pytest.CaptureFixture[str]) -> None:
    low, high, alike = [1.0, 2.0, 3.0, 4.0], [5.0, 9.0, 6.0, 8.0], [4.9, 9.1, 6.1, 7.5]
    ordered = rank([row("a", 4, low), row("b", 2, [90.0] * 4), row("c", 4, high), row("d", 4, alike)])
    assert [one["trial"] for one in ordered] == ["c", "d", "a", "b"]
    assert ordered[0]["difference"]["mean"] == 0
    assert ordered[2]["difference"]["mean"] == pytest.approx(-4.5)
    # On the same markets a small difference is small, whatever the spread between markets.
    assert ordered[1]["difference"]["ci95"][0] > -1
    show(ordered, 4)
    assert "2 of the other 3 trials cannot be told from it" in capsys.readouterr().out


def test_shares_that_are_left_cost_more_than_trading_them() -> None:
    from agents.numpy_policy import Layer

    idle = load_experiment("quick", {**SMALL, "actions": {"kind": "lots"}, "order.end_rule": "leave"})
    inputs = len(idle.observation.features)
    bias = np.array([1, 0, 0, 0, 0], dtype=np.float32)
    policy = NumpyPolicy([], Layer(np.zeros((inputs, 5), dtype=np.float32), bias))
    judged = judge(idle, "stand-in", policy, 8)
    assert judged["completion"] == 0
    assert judged["score"] == pytest.approx(judged["shortfall_cents"] - LEFT_CENTS)
    assert judged["score"] < -100
    assert (judged["n"], len(judged["by_market"])) == (4, 4)


def command(out: Path, *settings: str) -> list[str]:
    small = [f"{name}={json.dumps(value)}" for name, value in SMALL.items()]
    words = [sys.executable, "-m", "experiments.sweep", "quick", "--market=stand-in", "--out", str(out), "--set"]
    swept = ("sweep.steps=3000", "sweep.concurrent=1", "sweep.parameters.training.gamma=[0.9,0.95]")
    return [*words, *small, *swept, *settings]


def scalars(folder: Path) -> list[int]:
    """Steps of the reports in TensorBoard's event files of a trial, in its own order."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return [event.step for event in events.Scalars("train/updates")]


@pytest.mark.slow
@pytest.mark.parametrize(("scheduler", "killed_after"), [("none", 6), ("asha", 2), ("pbt", 4)])
def test_a_killed_sweep_resumes(scheduler: str, killed_after: int, tmp_path: Path) -> None:
    words = command(tmp_path, f"sweep.scheduler={scheduler}")
    process = subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    results: list[Path] = []
    while sum(json.loads(path.read_text())["rung"] for path in results) < killed_after:
        assert process.poll() is None
        results = list(tmp_path.glob(f"*/trials/*/{RESULT}"))
        time.sleep(0.02)
    time.sleep(1)  # for Tune to take note
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (folder,) = tmp_path.glob("quick-*")
    assert not (folder / "sweep.json").exists()
    before = {path: path.stat().st_mtime_ns for path in results if json.loads(path.read_text())["rung"] == 4}

    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert f"resuming quick on the stand-in market in {folder}: 2 trials of 3,000 steps" in done.stdout
    if scheduler != "pbt":  # which may let one that has just reached its end go on from another's state
        assert {path: path.stat().st_mtime_ns for path in before} == before, "a finished trial is not run again"
    swept = json.loads((folder / "sweep.json").read_text())
    assert {one["trial"] for one in swept["trials"]} == {"trial-0", "trial-1"}
    assert swept["best"]["rung"] == 4
    if scheduler != "asha":
        assert all(one["rung"] == 4 for one in swept["trials"])
    for name in ("trial-0", "trial-1"):
        steps = scalars(folder / "trials" / name / "tensorboard")
        assert steps == sorted(set(steps)), "no step is shown twice"
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest["status"] == "finished"
    assert len(manifest["sessions"]) == 2


def test_a_quick_sweep_leaves_a_table_a_figure_and_policies(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "experiments.sweep", "quick", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("quick-*")
    assert f"sweeping quick on the abides market in {folder}: 2 trials of 1,000 steps" in done.stdout
    assert re.search(r"^  2 at a time: about \d:\d\d on idle cores$", done.stdout, re.M)
    assert re.search(r"sweep 2,000/2,000 steps 100%.*trials 2 of 2 over", done.stdout)
    swept = json.loads((folder / "sweep.json").read_text())
    rows = swept["trials"]
    assert swept["best"] == rows[0]
    assert rows[0]["score"] >= rows[1]["score"]
    assert [one["rung"] for one in rows] == [2, 2]
    best = " ".join(f"{name}={json.dumps(value)}" for name, value in rows[0]["values"].items())
    assert f"best: {best}" in done.stdout
    with (folder / "sweep.csv").open() as file:
        assert [one["trial"] for one in csv.DictReader(file)] == [one["trial"] for one in rows]
    assert (folder / "sweep.svg").read_text().startswith("<?xml")
    for one in rows:
        own = folder / "trials" / one["trial"]
        policy = NumpyPolicy.load(own / "policy.npz")
        assert policy.metadata["steps"] == one["steps"] >= 1000
        assert policy.metadata["experiment"]["training"]["gamma"] == one["values"]["training.gamma"]
        assert scalars(own / "tensorboard")
        assert not list(own.glob("checkpoint*"))


def test_an_unknown_parameter_has_status_2(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "experiments.sweep", "quick", "--set", "sweep.parameters.training.gama=[0.9]"]
    done = subprocess.run([*words, "--out", str(tmp_path / "r")], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: sweep.parameters: unknown key 'training.gama'; allowed: ")
    assert not (tmp_path / "r").exists()
