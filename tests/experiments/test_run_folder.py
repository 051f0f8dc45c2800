from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis.files import atomic_file
from analysis.files import write_folder
from analysis.files import write_json
from configs import ConfigError
from configs import Experiment
from experiments import run_folder
from experiments.run_folder import REPOSITORY
from experiments.run_folder import RunFolder
from experiments.run_folder import default_run_id
from experiments.run_folder import find_runs
from experiments.run_folder import read_manifest

EXPERIMENT = Experiment(name="small")

HOLD = """
import sys, time
from configs import Experiment
from experiments.run_folder import RunFolder
run = RunFolder.open(sys.argv[1], "train", Experiment(name="small"))
print(run.path, flush=True)
time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_the_manifest_says_what_ran(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, "train", EXPERIMENT, arguments={"market": "abides"}) as run:
        manifest = json.loads(run.file("manifest.json").read_text())
    assert run.path.name.startswith("small-20")
    assert not run.resumed
    assert manifest["status"] == "running"
    assert manifest["command"] == "train"
    assert manifest["arguments"] == {"market": "abides"}
    assert manifest["experiment"] == EXPERIMENT.model_dump(mode="json")
    assert manifest["digest"] == EXPERIMENT.digest()
    assert manifest["versions"]["numpy"]
    assert manifest["machine"]["cores"] >= 1
    assert {"commit", "dirty", "seed_ranges", "run_id", "started", "finished", "sessions"} <= manifest.keys()


def test_an_unfinished_run_is_resumed_and_a_finished_one_is_not(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, "train", EXPERIMENT) as first:
        pass
    with RunFolder.open(tmp_path, "train", EXPERIMENT) as again:
        assert again.path == first.path
        assert again.resumed
        assert len(again.manifest["sessions"]) == 2
        again.finish(policy="policy.npz")
    manifest = read_manifest(first.path)
    assert manifest is not None
    assert (manifest["status"], manifest["policy"]) == ("finished", "policy.npz")
    assert manifest["finished"] is not None
    with RunFolder.open(tmp_path, "train", EXPERIMENT) as new:
        assert new.path != first.path
        assert not new.resumed
    assert find_runs(tmp_path, new.manifest["run_id"]) == [first.path, new.path]


def test_other_commands_arguments_and_configurations_are_other_runs(tmp_path: Path) -> None:
    ids = {
        default_run_id("train", EXPERIMENT, {}),
        default_run_id("compare", EXPERIMENT, {}),
        default_run_id("train", EXPERIMENT, {"market": "stand-in"}),
        default_run_id("train", Experiment(name="other"), {}),
    }
    assert len(ids) == 4
    with RunFolder.open(tmp_path, "train", EXPERIMENT) as one, RunFolder.open(tmp_path, "compare", EXPERIMENT) as two:
        assert one.path != two.path


def test_a_run_id_is_not_continued_under_another_configuration(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, "train", EXPERIMENT, run_id="mine"):
        pass
    other = EXPERIMENT.model_copy(update={"decision_interval": 20_000_000_000})
    with pytest.raises(ConfigError, match=r"experiment\.decision_interval = 10000000000, now 20000000000"):
        RunFolder.open(tmp_path, "train", other, run_id="mine")
    with pytest.raises(ConfigError, match="unfinished run of train, not of compare"):
        RunFolder.open(tmp_path, "compare", EXPERIMENT, run_id="mine")


@pytest.mark.parametrize("run_id", ["", "../up", "a b", ".hidden", "x" * 65])
def test_a_run_id_that_is_no_file_name_is_refused(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(ConfigError, match="--run-id"):
        RunFolder.open(tmp_path, "train", EXPERIMENT, run_id=run_id)
    assert names(tmp_path) == []


def test_an_out_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match="--out"):
        RunFolder.open(file, "train", EXPERIMENT)


def test_a_damaged_manifest_is_not_resumed(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, "train", EXPERIMENT) as first:
        first.file("manifest.json").write_text('{"run_id":')
    with RunFolder.open(tmp_path, "train", EXPERIMENT) as second:
        assert second.path != first.path
        assert not second.resumed


def test_one_process_at_a_time_and_a_dead_one_is_taken_over(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert holder.stdout is not None
        path = Path(holder.stdout.readline().strip())
        with pytest.raises(ConfigError, match=f"being worked on by process {holder.pid}"):
            RunFolder.open(tmp_path, "train", EXPERIMENT)
        with RunFolder.open(tmp_path, "train", EXPERIMENT, run_id="another"):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    with RunFolder.open(tmp_path, "train", EXPERIMENT) as taken:
        assert taken.resumed
        assert taken.path == path


def test_latest_points_to_the_last_run(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, "compare", EXPERIMENT) as run:
        run.point_latest()
        run.finish()
    with RunFolder.open(tmp_path, "compare", EXPERIMENT) as run:
        run.point_latest()
        assert (tmp_path / "latest").resolve() == run.path.resolve()
        assert not os.path.isabs(os.readlink(tmp_path / "latest"))
        assert find_runs(tmp_path, run.manifest["run_id"])[-1] == run.path


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})

    def write_half() -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["value.json"]


def test_a_folder_that_fails_half_way_does_not_appear(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "one").write_text("1")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_folder(tmp_path / "step", fill)
    assert list(tmp_path.iterdir()) == []
    write_folder(tmp_path / "step", lambda folder: (folder / "one").write_text("1") and None)
    write_folder(tmp_path / "step", lambda folder: (folder / "two").write_text("2") and None)
    assert names(tmp_path / "step") == ["two"]


def test_a_run_of_several_commits_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state: dict[str, Any] = {}
    monkeypatch.setattr(run_folder, "git_state", lambda: dict(state))
    for commit, dirty in (("a", False), ("b", True), ("a", False)):
        state |= {"commit": commit, "dirty": dirty}
        with RunFolder.open(tmp_path, "train", EXPERIMENT) as run:
            origin = run.origin()
    assert origin["commit"] == "a"
    assert origin["warnings"] == [
        "The run was begun at commit a and went on at b.",
        "Some of the code that ran differs from its commit: uncommitted changes.",
    ]
    assert "warning: The run was begun at commit a and went on at b." in capsys.readouterr().out


def test_a_folder_that_was_never_finished_being_made_is_not_resumed(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, "train", EXPERIMENT) as run:
        pass
    hidden = tmp_path / f".{run.path.name}.123.tmp"
    run.path.rename(hidden)
    with RunFolder.open(tmp_path, "train", EXPERIMENT) as again:
        assert not again.resumed
        assert not again.path.name.startswith(".")
