"""Tasks over processes: order, failures, deaths, orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import pytest

from experiments.parallel import run_tasks
from experiments.run_folder import REPOSITORY

HELPERS = """
import os, signal, time
from pathlib import Path

def write(folder, task):
    if task == 3:
        raise LookupError("task three is wrong")
    if task == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    Path(folder, str(task)).write_text(str(os.getpid()))

def leave(folder, task):
    if task == 2:
        raise SystemExit(3)

def linger(folder, task):
    Path(folder, f"begun-{task}").write_text(str(os.getpid()))
    time.sleep(20)
    Path(folder, f"ended-{task}").write_text("")
"""


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A module that processes started afresh can import."""
    (tmp_path / "parallel_helpers.py").write_text(HELPERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import parallel_helpers

    yield parallel_helpers
    sys.modules.pop("parallel_helpers")


def wait_for(condition, what: str) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"gave up waiting for {what}")


def runs(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_task_is_reported_and_the_others_go_on(helpers, tmp_path: Path, workers: int) -> None:
    outcomes = {o.task: o.error for o in run_tasks(partial(helpers.write, str(tmp_path)), [1, 2, 3, 4], workers)}
    assert set(outcomes) == {1, 2, 3, 4}
    assert [task for task, error in outcomes.items() if error is not None] == [3]
    assert outcomes[3] is not None
    assert "LookupError: task three is wrong" in outcomes[3]
    assert {p.name for p in tmp_path.iterdir()} >= {"1", "2", "4"}


def test_a_task_that_kills_its_process_is_found_and_the_others_go_on(helpers, tmp_path: Path) -> None:
    outcomes = {o.task: o.error for o in run_tasks(partial(helpers.write, str(tmp_path)), [4, 5, 6, 7, 8], 2)}
    assert set(outcomes) == {4, 5, 6, 7, 8}
    assert [task for task, error in outcomes.items() if error is not None] == [5]
    assert "its process died" in str(outcomes[5])
    assert {p.name for p in tmp_path.iterdir()} >= {"4", "6", "7", "8"}


def test_one_worker_is_this_process(helpers, tmp_path: Path) -> None:
    assert [o.task for o in run_tasks(partial(helpers.write, str(tmp_path)), [1, 2], 1)] == [1, 2]
    assert (tmp_path / "1").read_text() == str(os.getpid())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_ends_the_program_fails_and_the_others_go_on(helpers, tmp_path: Path, workers: int) -> None:
    outcomes = list(run_tasks(partial(helpers.leave, str(tmp_path)), [1, 2, 4], workers))
    assert {outcome.task for outcome in outcomes if outcome.error is not None} == {2}
    assert {outcome.task for outcome in outcomes} == {1, 2, 4}


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        run_tasks(print, [1], 0)


def test_processes_end_with_the_one_that_started_them(helpers, tmp_path: Path) -> None:
    program = """
        import sys
        from functools import partial
        from parallel_helpers import linger
        from experiments.parallel import run_tasks

        if __name__ == "__main__":
            list(run_tasks(partial(linger, sys.argv[1]), [1, 2], 2))
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(program))
    path = os.pathsep.join([str(REPOSITORY), str(tmp_path)])
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env={**os.environ, "PYTHONPATH": path})
    try:
        begun = [tmp_path / "begun-1", tmp_path / "begun-2"]
        wait_for(lambda: all(p.is_file() and p.read_text() for p in begun), "both tasks")
        children = [int(p.read_text()) for p in begun]
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_for(lambda: not any(runs(pid) for pid in children), "the processes to end")
        assert not list(tmp_path.glob("ended-*"))
    finally:
        parent.kill()
        parent.wait()
