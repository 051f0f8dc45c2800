from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

import abides_gym
from abides_gym.envs import SubGymMarketsDailyInvestorEnv_v0
from abides_gym.envs import SubGymMarketsExecutionEnv_v0
from tests.abides_gym.markets import IDS
from tests.abides_gym.markets import SMALL

ROOT = Path(__file__).resolve().parents[2]
PLAY = """
import gymnasium
import abides_gym

for id in abides_gym.ENVIRONMENTS:
    env = gymnasium.make(id, background_config_extra_kvargs={small})
    print(env.reset(seed=7)[0].tolist())
    for action in (0, 1, 2, 0):
        state, reward, *_ = env.step(action)
        print(state.tolist(), reward)
"""


def test_both_environments_are_made_by_their_ids() -> None:
    classes = [type(gymnasium.make(id).unwrapped) for id in IDS]
    assert classes == [SubGymMarketsDailyInvestorEnv_v0, SubGymMarketsExecutionEnv_v0]
    assert list(IDS) == ["markets-daily_investor-v0", "markets-execution-v0"]
    assert set(abides_gym.ENVIRONMENTS) <= set(gymnasium.registry)


@pytest.mark.parametrize("id", IDS)
def test_an_environment_plays_every_action_and_begins_anew(id: str) -> None:
    env = gymnasium.make(id, background_config="rmsc04", background_config_extra_kvargs=SMALL)
    state, _ = env.reset(seed=0)
    for action in (0, 1, 2):
        for _ in range(2):
            assert env.observation_space.contains(state)
            state, reward, terminated, truncated, _ = env.step(action)
            assert isinstance(reward, float)
            assert not terminated
            assert not truncated
    env.reset()
    env.close()
    env.close()


def test_the_seed_decides_in_every_process() -> None:
    def output(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", PLAY.format(small=SMALL)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert output("1") == output("2") != ""
