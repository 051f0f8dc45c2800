from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import cross_check
from benchmarks import guard
from benchmarks import reference
from benchmarks import switches
from benchmarks import training
from benchmarks.machine import write_json


@pytest.mark.parametrize(
    ("main", "arguments", "part"),
    [
        (reference.main, ["--seeds", "-1"], "--seeds"),
        (reference.main, ["--seeds", "4294967296"], "a seed is a whole number from 0 to 4294967295, got '4294967296'"),
        (reference.main, ["--seeds"], "--seeds"),
        (reference.main, ["--sed", "1"], "--sed"),
        (reference.main, ["--json", "/no/such/folder/file.json"], "no folder '/no/such/folder'"),
        (cross_check.main, ["--seeds", "3:4"], "an interval needs two seeds or more, got 3:4"),
        (training.main, ["--steps", "5"], "give a whole number of at least 10, got '5'"),
        (training.main, ["--json", "/no/such/folder/file.json"], "no folder '/no/such/folder'"),
        (switches.main, ["--seeds", "5:5"], "seeds are A:B with A < B (B is left out), got '5:5'"),
        (switches.main, ["--seeds", "3"], "got '3'"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(
    main: Callable[[list[str]], None], arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert part in captured.err
    assert captured.err.count("\n") == 1


def test_the_numbers_of_a_seed_hang_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference.main(["--seeds", "1", "--json", str(tmp_path / "out.json")])
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("1 ")]
    assert rows[0][3] == "42,462"  # entries taken from the queue of rmsc04, as recorded
    assert len(rows) == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "out.json"]
    numbers = json.loads((tmp_path / "out.json").read_text())["reference"]
    assert numbers["seeds"]["1"]["pops"] == 42462
    assert numbers["rmsc03"]["mean"]["messages"] == numbers["rmsc03"]["seeds"]["1"]["messages"] > 0


def test_results_of_several_benchmarks_stand_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    write_json(file, "one", {"a": 1})
    write_json(file, "two", {"b": 2})
    write_json(file, "one", {"a": 3})
    assert json.loads(file.read_text()) == {"one": {"a": 3}, "two": {"b": 2}}
    file.write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"out\.json holds no results of benchmarks: \[1, 2\]"):
        write_json(file, "one", {})
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("ratio", "status"), [(2.9, 0), (3.1, 1)])
def test_the_guard_fails_when_a_run_takes_half_as_long_again(
    ratio: float, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "STORED", tmp_path / "guard.json")
    monkeypatch.setattr(guard, "measure", lambda: 2.0)
    assert guard.main(["--store"]) == 0
    monkeypatch.setattr(guard, "measure", lambda: ratio)
    assert guard.main([]) == status
    assert "at most 3.00" in capsys.readouterr().out


def test_what_the_guard_holds_is_stored() -> None:
    stored = json.loads(guard.STORED.read_text())
    assert stored["ratio"] > 0
    assert {"cpu", "date"} <= stored["machine"].keys()
