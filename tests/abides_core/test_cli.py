"""The `abides` command, as a process."""

from __future__ import annotations

import os
import pkgutil
import pty
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from abides_core.cli import main
from abides_core.utils import parse_logs_df

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--num_noise_agents", "20", "--num_value_agents", "2", "--num_momentum_agents", "0"]
SMALL += ["--end_time", "09:31:00", "--seed", "3", "--stdout_log_level", "ERROR"]

PLAIN = """
from abides_core import Agent

def build_config(count=1, seed=0, fail=False, log_level="ERROR"):
    class Waking(Agent):
        def wakeup(self, current_time):
            super().wakeup(current_time)
            if fail:
                raise RuntimeError("in an agent")
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    return {"agents": [Waking(id, name=f"A{id}") for id in range(count)], "start_time": 0, "stop_time": 10,
            "stdout_log_level": log_level}
"""


def abides(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    path = os.pathsep.join([environment.pop("PYTHONPATH", str(ROOT)), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", "abides_core", *arguments],
        cwd=cwd,
        env={**os.environ, **environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


def error_of(done: subprocess.CompletedProcess[str], status: int = 2) -> str:
    """The one line that a failed command says."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("abides: error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("abides: error: ").rstrip()


@pytest.fixture
def plain(tmp_path: Path) -> str:
    (tmp_path / "plain.py").write_text(PLAIN)
    return "plain.py"


@pytest.mark.parametrize("config", ["abides_markets.configs.rmsc04", str(ROOT / "abides_markets/configs/rmsc04.py")])
def test_a_market_with_changed_parameters_runs(tmp_path: Path, config: str) -> None:
    done = abides(config, *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"rmsc04: 2021-02-05 00:00:00 to 2021-02-05 09:31:01 simulated in [\d.]+ s, reference engine, [\d,]+ events\n",
        done.stdout,
    )
    assert list(tmp_path.iterdir()) == []


def test_the_same_events_on_the_engine_that_is_asked_for(tmp_path: Path) -> None:
    ends = [
        abides("abides_markets.configs.rmsc04", *SMALL, "--engine", engine, cwd=tmp_path).stdout.split(" s, ")[1]
        for engine in ("reference", "compiled")
    ]
    assert ends[0].replace("reference", "compiled") == ends[1]


def test_logs_where_asked(tmp_path: Path) -> None:
    done = abides("abides_markets.configs.rmsc04", *SMALL, "--log_dir", "mine", cwd=tmp_path)
    assert done.stdout.endswith("logs: log/mine\n"), done.stderr
    logs = parse_logs_df(tmp_path / "log" / "mine")
    assert sorted(logs["agent_id"].unique()) == list(range(25))
    summary = pd.read_pickle(tmp_path / "log" / "mine" / "summary_log.bz2")
    assert set(summary["EventType"]) >= {"STARTING_CASH", "ENDING_CASH"}


def test_a_configuration_is_found_by_its_name(tmp_path: Path, plain: str) -> None:
    """Packages name their configurations by entry points; here one that lies beside the file."""
    info = tmp_path / "lib" / "named-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: named\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[abides.configs]\nshort = plain\n")
    done = abides("short", "--count", "3", cwd=tmp_path, PYTHONPATH=str(tmp_path / "lib"))
    assert re.search(r"^short: .* 3 events$", done.stdout), done.stderr
    assert "short" in abides("nothing", cwd=tmp_path, PYTHONPATH=str(tmp_path / "lib")).stderr


def test_what_the_package_names_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert pkgutil.resolve_name(project["scripts"]["abides"]) is main
    configs = project["entry-points"]["abides.configs"]
    assert set(configs) == {"lobster", "rmsc03", "rmsc04"}
    assert all(callable(pkgutil.resolve_name(f"{module}:build_config")) for module in configs.values())


def test_logging_is_as_the_configuration_says(tmp_path: Path, plain: str) -> None:
    assert abides(plain, cwd=tmp_path).stderr == ""
    assert re.search(
        r"^\[\d+\] INFO abides simulation start: .*, reference engine$",
        abides(plain, "--log_level", "INFO", cwd=tmp_path).stderr,
        flags=re.MULTILINE,
    )


def test_help(tmp_path: Path) -> None:
    assert "usage: abides CONFIG" in abides("--help", cwd=tmp_path).stdout
    done = abides("abides_markets.configs.rmsc04", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(r"^  --end_time +Market close, .*\['10:00:00'\]$", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^  --log_dir ", done.stdout, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "no configuration given"),
        (["--seed", "3"], "no configuration given"),
        (["missing.py"], "no file 'missing.py'"),
        (["no.such.module"], "no configuration 'no.such.module'; give "),
        (["abides_core.utils"], "abides_core.utils has no build_config"),
        (["broken.py"], "cannot load 'broken.py': SyntaxError"),
        (["old.py"], "cannot load 'old.py': ModuleNotFoundError: No module named 'pomegranate'"),
        (["number.py"], "number has a build_config that is not a function"),
        (["empty.py"], "build_config of empty must return a dict with agents, start_time, stop_time"),
        (["needs.py"], "needs needs --ticker"),
        (["plain.py", "--sed", "3"], "plain has no option --sed (do you mean --seed?); allowed: count, seed, fail"),
        (["plain.py", "--seed", "x"], "--seed must be a whole number or a number, got 'x'"),
        (["plain.py", "--seed", "-1"], "plain: seed must not be negative, got -1"),
        (["plain.py", "3"], "'3' belongs to no option"),
        (["plain.py", "--engine", "fast"], "unknown engine 'fast'; allowed: auto, reference"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, plain: str, arguments: list[str], error: str) -> None:
    (tmp_path / "broken.py").write_text("def build_config(:\n")
    (tmp_path / "old.py").write_text("import pomegranate\n")
    (tmp_path / "number.py").write_text("build_config = 3\n")
    (tmp_path / "empty.py").write_text("def build_config(): return {}\n")
    (tmp_path / "needs.py").write_text("def build_config(ticker): return {}\n")
    assert error_of(abides(*arguments, cwd=tmp_path)).startswith(error)


def test_an_engine_that_cannot_run_it_says_why(tmp_path: Path) -> None:
    done = abides("abides_markets.configs.rmsc04", *SMALL, "--engine", "compiled", "--log_dir", "x", cwd=tmp_path)
    assert "does not support logs on disk: use engine='reference'" in error_of(done)


def test_an_error_in_an_agent_is_one_line_and_on_request_its_origin(tmp_path: Path, plain: str) -> None:
    text = error_of(abides(plain, "--fail", cwd=tmp_path), status=1)
    assert re.match(r"RuntimeError: in an agent \(plain\.py:9 in wakeup; --traceback shows the way there\)", text)
    traced = abides(plain, "--fail", "--traceback", cwd=tmp_path)
    assert traced.returncode == 1
    assert "Traceback (most recent call last)" in traced.stderr
    assert traced.stderr.splitlines()[-1].startswith("abides: error: RuntimeError")


def test_arguments_of_any_name_are_passed_on(tmp_path: Path) -> None:
    (tmp_path / "any.py").write_text(
        "def build_config(**given):\n    print(given)\n"
        "    return {'agents': [], 'start_time': 0, 'stop_time': 1, 'stdout_log_level': 'ERROR'}\n"
    )
    done = abides("any.py", "--a", "1", "--b", "10:00:00", "--c", cwd=tmp_path)
    assert done.stdout.splitlines()[0] == "{'a': 1, 'b': '10:00:00', 'c': True}", done.stderr


def slow_config(folder: Path) -> list[str]:
    """A configuration whose only agent takes its time."""
    (folder / "slow.py").write_text(
        "import time\nfrom pathlib import Path\nfrom abides_core import Agent\n"
        "class Slow(Agent):\n    def wakeup(self, now):\n        Path('started').touch()\n"
        "        time.sleep(0.05)\n        self.set_wakeup(now + 10**9)\n"
        "def build_config(seconds=20):\n"
        "    return {'agents': [Slow(0)], 'start_time': 0, 'stop_time': seconds * 10**9, 'stdout_log_level': 'ERROR'}\n"
    )
    return [sys.executable, "-m", "abides_core", "slow.py"]


def test_progress_is_shown_on_a_terminal_and_nowhere_else(tmp_path: Path) -> None:
    command = slow_config(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=follower, stdout=subprocess.PIPE)
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 4096):
            shown += chunk
    except OSError:  # how a terminal says that nobody is left on its other side
        pass
    os.close(leader)
    assert process.wait() == 0
    assert re.search(rb"simulated 1970-01-01 00:00:\d\d of 1970-01-01 00:00:20, \d+ events", shown)
    assert shown.endswith(b"\r\x1b[K"), "the line goes away"


def test_an_interrupt_ends_it_with_its_status(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*slow_config(tmp_path), "--seconds", "2000"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "abides: error: interrupted\n"
