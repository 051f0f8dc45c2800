"""The commands as a user types them: real processes, real markets, though short ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments.run_folder import REPOSITORY

# Two minutes of a market, one minute of trading: a unit takes about a second.
SHORT = ("market.end_time=09:33:00", "order.start=09:31:00", "order.window=60s", "order.quantity=600")
LENIENT = ("comparison.validity.volume=0", "comparison.validity.two_sided=0", "comparison.validity.makers_alive=0")
TABLES = ("episodes", "decisions", "orders", "fills", "market", "validity")


def command(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"experiments.{module}", *words]


def run(module: str, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(module, *words), cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout, check=False
    )


def short_comparison(out: Path, *words: str, seeds: str = "1000000:1000002") -> list[str]:
    return [
        "quick",
        "--strategies",
        "twap,random",
        "--seeds",
        seeds,
        "--out",
        str(out),
        "--set",
        *SHORT,
        *LENIENT,
        *words,
    ]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a short comparison in one process."""
    out = tmp_path_factory.mktemp("results")
    done = run("compare", *short_comparison(out, "--workers", "1"))
    assert done.returncode == 0, done.stderr
    report = (out / "latest").resolve() / "report.html"
    assert f"report: {report}" in done.stdout
    assert "Difference from twap" in done.stdout
    return out


def test_comparison_leaves_tables_summary_and_report(compared: Path) -> None:
    folder = compared / "latest"
    names = {path.name for path in folder.iterdir()}
    assert names >= {f"{name}.parquet" for name in TABLES} | {"manifest.json", "summary.json", "report.html", "figures"}
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["strategies"]["random"]["n"] == 2
    assert summary["strategies"]["twap"]["completion"]["mean"] == 1.0
    assert summary["failures"] == []
    assert list(folder.glob("*.tmp")) == []


def test_records_do_not_depend_on_the_number_of_processes(compared: Path, tmp_path: Path) -> None:
    done = run("compare", *short_comparison(tmp_path, "--workers", "2"))
    assert done.returncode == 0, done.stderr
    for name in TABLES:
        one = (compared / "latest" / f"{name}.parquet").read_bytes()
        assert one == (tmp_path / "latest" / f"{name}.parquet").read_bytes(), name


def finished_parts(out: Path) -> dict[str, int]:
    """Finished units by their path, with the time when they were finished."""
    return {
        str(path.relative_to(out)): path.stat().st_mtime_ns
        for path in out.glob("*/parts/*/*")
        if not path.name.startswith(".") and "latest" not in path.parts
    }


def wait_for_parts(process: subprocess.Popen[str], out: Path, number: int) -> None:
    for _ in range(6_000):
        if len(finished_parts(out)) >= number:
            return
        assert process.poll() is None, "the command ended too early"
        time.sleep(0.01)
    raise AssertionError("no unit was finished")


@pytest.fixture
def process_group() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes started by a test, ended with it."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(words: Sequence[str], group: list[subprocess.Popen[str]], log: Path) -> subprocess.Popen[str]:
    with log.open("w") as file:
        # A shell starts what it runs in the background deaf to interrupts, and everything below it inherits that.
        process = subprocess.Popen(
            words, cwd=REPOSITORY, stdout=file, stderr=subprocess.STDOUT, text=True, preexec_fn=_hear_interrupts
        )
    group.append(process)
    return process


def test_killed_comparison_resumes_without_repeating_a_unit(
    tmp_path: Path, process_group: list[subprocess.Popen[str]]
) -> None:
    out = tmp_path / "results"
    words = command("compare", *short_comparison(out, "--workers", "2", seeds="1000000:1000004"))
    process = start(words, process_group, tmp_path / "first.log")
    wait_for_parts(process, out, 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = finished_parts(out)
    (folder,) = {out / Path(name).parts[0] for name in before}
    assert not (folder / "summary.json").exists()
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert f"resuming {folder}" in done.stdout
    after = finished_parts(out)
    assert 3 <= len(before) < len(after) == 12
    assert {name: after[name] for name in before} == before
    assert (out / "latest").resolve() == folder.resolve()
    assert list(folder.glob("parts/*/.*.tmp")) == []


def test_interrupt_leaves_one_line_and_status_130(tmp_path: Path, process_group: list[subprocess.Popen[str]]) -> None:
    out = tmp_path / "results"
    words = command("compare", *short_comparison(out, "--workers", "2", seeds="1000000:1000010"))
    process = start(words, process_group, tmp_path / "first.log")
    wait_for_parts(process, out, 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    last = (tmp_path / "first.log").read_text().splitlines()[-1]
    assert last == "interrupted; the same command resumes"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--strategies", "twap,twep"), ("'twep'", "twap", "passive")),
        (("--strategies", "twap,twap"), ("'twap'", "once")),
        (("--strategies", "twap,dqn"), ("dqn", "--policy")),
        (("--strategies", "twap,dqn", "--policy", "nowhere.npz"), ("'nowhere.npz'",)),
        (("--seeds", "7:7"), ("'7:7'", "A < B")),
        (("--seeds", "seven"), ("'seven'", "A:B")),
        (("--workers", "0"), ("workers", "at least 1", "0")),
        (("--set", "order.quantity=-5"), ("order.quantity", "-5", "greater than 0")),
        (("--set", "order.quantty=5"), ("'order.quantty'", "quantity")),
        (("--set", "order.window=2h"), ("order.window", "10:20:00")),
    ],
)
def test_wrong_input_is_one_line_and_status_2(tmp_path: Path, words: tuple[str, ...], named: tuple[str, ...]) -> None:
    given = {"--strategies": "twap", "--seeds": "1000000:1000001"} | dict(zip(words[::2], words[1::2], strict=True))
    done = run(
        "compare", "quick", "--out", str(tmp_path / "results"), *(word for pair in given.items() for word in pair)
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    for text in named:
        assert text in line
    assert done.stdout == ""
    assert not (tmp_path / "results").exists()


def test_unknown_configuration_is_named_with_those_there_are(tmp_path: Path) -> None:
    done = run("compare", "quik", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "quick" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--set", "comparison.strategies=[twap,twep,dqn]"), ("'twep'", "twap")),
        (("--seeds", "7:7"), ("'7:7'",)),
        (("--workers", "0"), ("workers",)),
    ],
)
def test_experiment_refuses_before_it_trains(tmp_path: Path, words: tuple[str, ...], named: tuple[str, ...]) -> None:
    done = run("experiment", "quick", "--out", str(tmp_path / "results"), *words)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    for text in named:
        assert text in line
    assert not (tmp_path / "results").exists()


TINY = ("training.steps=400", "training.envs=2", "training.learning_starts=100", "training.checkpoint_every=200")


@pytest.mark.slow
def test_experiment_trains_compares_and_resumes_after_a_kill(
    tmp_path: Path, process_group: list[subprocess.Popen[str]]
) -> None:
    out = tmp_path / "results"
    chosen = ("comparison.strategies=[twap,dqn]", "comparison.seeds=1000000:1000003", *SHORT, *LENIENT, *TINY)
    words = command("experiment", "quick", "--out", str(out), "--set", *chosen)
    process = start(words, process_group, tmp_path / "first.log")
    wait_for_parts(process, out, 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = finished_parts(out)
    (folder,) = {out / Path(name).parts[0] for name in before}
    policy = (folder / "policy.npz").stat().st_mtime_ns
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert f"report: {folder / 'report.html'}" in done.stdout
    assert "training quick" not in done.stdout
    assert (folder / "policy.npz").stat().st_mtime_ns == policy
    after = finished_parts(out)
    assert len(after) == 9
    assert {name: after[name] for name in before} == before
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["policy"]["steps"] >= 400
    assert json.loads((folder / "manifest.json").read_text())["status"] == "finished"


def test_a_quick_comparison_says_what_it_does_and_leaves_out_what_needs_a_policy(tmp_path: Path) -> None:
    done = run("compare", "quick", "--quick", "--workers", "1", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "  twap, aggressive, passive, random on 4 markets: 20 units to do on 1 processes, about 0:" in done.stdout
    summary = json.loads((tmp_path / "latest" / "summary.json").read_text())
    assert set(summary["strategies"]) == {"twap", "aggressive", "passive", "random"}
    assert summary["strategies"]["twap"]["n"] == 4


@pytest.mark.parametrize("module", ["train", "compare", "sweep"])
def test_a_cluster_that_is_not_there_is_one_line_and_status_2(module: str, tmp_path: Path) -> None:
    done = run(module, "quick", "--quick", "--address", "127.0.0.1:1", "--out", str(tmp_path / "results"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: --address '127.0.0.1:1': no Ray cluster there: ")
    assert not (tmp_path / "results").exists()
