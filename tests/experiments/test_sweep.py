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

import pytest

from analysis.files import write_json
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from experiments.run_folder import REPOSITORY
from experiments.run_folder import RunFolder
from experiments.run_folder import read_manifest
from experiments.sweep import make_trials
from experiments.sweep import show
from experiments.sweep import sweep
from experiments.trial import RESULT

SMALL = {
    "decision_interval": "20s",
    "order.window": "10min",
    "training.hidden": [8],
    "training.envs": 2,
    "training.steps": 24_000,
    "sweep.steps": 200,
}


def experiment(**parameters: list[Any]) -> Experiment:
    return load_experiment("quick", {**SMALL, "sweep.parameters": parameters})


def test_the_default_sweep_is_four_short_trials() -> None:
    trials = make_trials(load_experiment("quick"))
    assert len({trial.name for trial in trials}) == 4
    assert [trial.values for trial in trials] == [
        {"learning_rate": [[0, rate]], "gamma": gamma} for rate in (1e-3, 3e-4) for gamma in (0.99, 0.999)
    ]
    assert {trial.experiment.training.steps for trial in trials} == {2000}
    assert [trial.experiment.training.gamma for trial in trials] == [0.99, 0.999, 0.99, 0.999]


def test_a_trial_goes_through_the_whole_of_the_schedules() -> None:
    full = experiment(learning_rate=[[[0, 1e-3], [12_000, 1e-4]], [[0, 1e-3], [1, 1e-4]]])
    trial, squeezed = make_trials(full)
    training = trial.experiment.training
    share = 200 / full.training.steps
    assert training.learning_rate == ((0, 1e-3), (100, 1e-4))
    assert training.epsilon == tuple((round(step * share), value) for step, value in full.training.epsilon)
    assert training.learning_starts == round(full.training.learning_starts * share)
    assert training.target_update == full.training.target_update
    assert squeezed.experiment.training.learning_rate == ((0, 1e-4),)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"gama": [0.9]}, "unknown parameter 'gama'; allowed: batch_size"),
        ({"steps": [10]}, "unknown parameter 'steps'"),
        ({"gamma": []}, "gamma: no values"),
        ({"gamma": [0.9, 1.5]}, r"training\.gamma.*1\.5"),
        ({"hidden": [[0]]}, r"training\.hidden"),
    ],
)
def test_what_cannot_be_swept_is_named(parameters: dict[str, list[Any]], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_trials(experiment(**parameters))


def test_a_sweep_trains_what_has_no_result_yet_and_ranks_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swept = experiment(gamma=[0.9, 0.95])
    trials = make_trials(swept)
    finished = {
        "trial": trials[0].name,
        "values": trials[0].values,
        "steps": 200,
        "updates": 7,
        "episodes": 8,
        "return": 1e6,
        "return_se": 0.5,
        "completion": 1.0,
        "shortfall_cents": 1.5,
    }
    with RunFolder.open(tmp_path, "sweep", swept) as run:
        write_json(run.file("trials") / trials[0].name / RESULT, finished)
        rows = sweep(swept, trials, run, "stand-in")
    assert rows[0] == finished
    assert rows[1]["values"] == {"gamma": 0.95}
    assert rows[1].keys() == finished.keys()
    assert rows[1]["steps"] >= 200
    assert not (run.file("trials") / trials[0].name / "policy.npz").exists()
    own = run.file("trials") / trials[1].name
    assert (own / "policy.npz").exists()
    assert list((own / "tensorboard").iterdir())
    assert json.loads(run.file("sweep.json").read_text()) == {"trials": rows, "best": rows[0]}
    with run.file("sweep.csv").open() as file:
        assert [row["gamma"] for row in csv.DictReader(file)] == ["0.9", "0.95"]
    show(rows)
    out = capsys.readouterr().out
    assert "2 trials of 200 steps, 1 to do" in out
    assert re.search(r"^  2 at a time: about 0:\d\d on idle cores$", out, re.M)
    assert "sweep 200/200 steps 100%" in out
    assert "best: training.gamma=0.9" in out


@pytest.mark.slow
def test_a_killed_sweep_resumes(tmp_path: Path) -> None:
    settings = [f"{name}={json.dumps(value)}" for name, value in SMALL.items()]
    words = [
        *(sys.executable, "-m", "experiments.sweep", "quick", "--market=stand-in", "--out", str(tmp_path)),
        *("--set", *settings, "sweep.steps=2000", "sweep.concurrent=1", 'sweep.parameters={"gamma": [0.9, 0.95]}'),
        "training.checkpoint_every=200",
    ]
    process = subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob("*/trials/trial-1-*/checkpoints/step-*")):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (folder,) = tmp_path.glob("quick-*")
    first = next(folder.glob("trials/trial-0-*")) / RESULT
    result = first.read_bytes()
    modified = first.stat().st_mtime_ns

    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert f"in {folder}: 2 trials of 2,000 steps, 1 to do" in done.stdout
    assert (first.read_bytes(), first.stat().st_mtime_ns) == (result, modified)
    assert len(json.loads((folder / "sweep.json").read_text())["trials"]) == 2
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest["status"] == "finished"


def test_an_unknown_parameter_has_status_2(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "experiments.sweep", "quick", "--set", "sweep.parameters.gama=[0.9]"]
    done = subprocess.run([*words, "--out", str(tmp_path / "r")], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: sweep.parameters: unknown parameter 'gama'; allowed: ")
    assert not (tmp_path / "r").exists()
