from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from configs import ConfigError
from experiments.gym_rllib_runner import Args
from experiments.gym_rllib_runner import main
from experiments.run_folder import REPOSITORY

SHORT = ("background_config_extra_kvargs={num_noise_agents: 100}", "execution_window=00:05:00")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.gym_rllib_runner", *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)


def rows(output: str) -> list[list[str]]:
    """The cells of the printed table, without its head."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if "│" in line]


def test_it_trains_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    main(Args(algorithm="PPO", iterations=1, steps=10, settings=(SHORT,)))
    (row,) = rows(capsys.readouterr().out)
    assert row[:3] == ["1", "10", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["DQN", "PPO"])
def test_it_trains_and_saves(algorithm: str, tmp_path: Path) -> None:
    out = tmp_path / "checkpoint"
    options = ("--algorithm", algorithm, "--iterations", "2", "--steps", "20", "--out", str(out))
    done = run(*options, "--set", *SHORT)
    assert done.returncode == 0, done.stderr
    table = rows(done.stdout)
    assert [row[:3] for row in table] == [["1", "20", "4"], ["2", "20", "4"]]  # five decisions an episode
    for row in table:
        reward, slippage, penalty, executed = map(float, row[3:])
        assert reward == pytest.approx(slippage + penalty, abs=0.01)
        assert 0 <= executed <= 50
    assert re.search(rf"^checkpoint: {re.escape(str(out))}$", done.stdout, flags=re.MULTILINE)
    assert (out / "rllib_checkpoint.json").exists()
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.slow
def test_the_daily_investor_trains_too() -> None:
    words = ("markets-daily_investor-v0", "--algorithm", "PPO", "--iterations", "1", "--steps", "10")
    done = run(*words, "--set", SHORT[0], "mkt_close=09:40:00")
    assert done.returncode == 0, done.stderr
    assert rows(done.stdout)[0][:3] == ["1", "10", "2"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (Args(iterations=0), "--iterations 0: a whole number, 1 or more"),
        (Args(steps=-5), "--steps -5: a whole number, 1 or more"),
        (Args(seed=-1), "--seed -1: a whole number, 0 or more"),
        (Args(out=REPOSITORY), "exists already"),
        (Args(settings=(("direction=UP",),)), "direction must be one of BUY, SELL, got 'UP'"),
    ],
)
def test_wrong_options_are_refused_before_anything_runs(args: Args, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        main(args)
