from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from experiments.gym_environments import make_environment
from experiments.gym_runner import play
from experiments.gym_runner import policy
from experiments.run_folder import REPOSITORY

FEW = "background_config_extra_kvargs={num_noise_agents: 800}"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.gym_runner", *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


def rows(output: str) -> list[list[str]]:
    """The cells of the printed table, without its head."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if "│" in line]


def test_it_plays_episodes_and_prints_them_with_their_mean() -> None:
    done = run("--policy", "twap", "--episodes", "2", "--seed", "5", "--set", FEW, "parent_order_size=50")
    assert done.returncode == 0, done.stderr
    assert re.search(r"markets-execution-v0, twap 2/2 episodes 100%", done.stdout)
    table = rows(done.stdout)
    assert [row[0] for row in table] == ["5", "6", "mean"]
    assert [row[4] for row in table[:2]] == ["50", "50"]
    assert [row[3] for row in table[:2]] == ["terminated", "terminated"]
    assert float(table[2][2]) == pytest.approx((float(table[0][2]) + float(table[1][2])) / 2, abs=1e-4)


def test_the_daily_investor_may_hold_or_act_at_random() -> None:
    words = ("markets-daily_investor-v0", "--set", FEW, "mkt_close=09:45:00")
    held = run(*words, "--policy", "hold")
    assert held.returncode == 0, held.stderr
    assert rows(held.stdout) == [["0", "10", "0.0000", "truncated", "0", "1,000,000", "0 / 10 / 0"]]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--episodes", "0"], "--episodes 0: at least 1"),
        (["--seed", "-1"], "--seed -1: a whole number from 0 up"),
        (["markets-daily_investor-v0", "--policy", "twap"], "allowed: random, hold"),
        (["--set", "order_fixed_size=0"], "order_fixed_size must be a whole number, 1 or more, got 0"),
    ],
)
def test_wrong_options_are_one_line_and_status_2(words: list[str], part: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_names_the_policies() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "{random,hold,twap}" in done.stdout


def test_twap_keeps_to_an_even_schedule() -> None:
    env = make_environment("markets-execution-v0", {"timestep_duration": "5s", "parent_order_size": 300})
    twap = policy("twap", "markets-execution-v0", 0)
    lags = []

    def watched(observation: np.ndarray) -> int:
        lags.append(float(observation[2, 0]))
        return twap(observation)

    episode = play(env, watched, seed=1)
    assert episode.shares == 300
    assert episode.end == "terminated"
    assert max(map(abs, lags)) < 10 / 300 + 5 / 600 + 1e-6  # a child order, and a decision


def test_random_actions_are_those_of_the_seed() -> None:
    def actions(seed: int) -> list[int]:
        act = policy("random", "markets-execution-v0", seed)
        return [act(np.zeros((11, 1), dtype=np.float32)) for _ in range(50)]

    assert actions(1) == actions(1) != actions(2)
    assert set(actions(1)) == {0, 1, 2}
