from __future__ import annotations

import pytest

from abides_gym.envs import SubGymMarketsDailyInvestorEnv_v0
from configs import ConfigError
from experiments.gym_environments import make_environment


def test_environments_are_made_by_id_with_their_parameters() -> None:
    env = make_environment("markets-daily_investor-v0", {"order_fixed_size": 3})
    assert isinstance(env, SubGymMarketsDailyInvestorEnv_v0)
    assert env.order_fixed_size == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"speed": 3}, "has no parameter 'speed'; allowed: background_config, mkt_close, "),
        ({"direction": "UP"}, "direction must be one of BUY, SELL, got 'UP'"),
        (
            {"background_config_extra_kvargs": {"noise": 1}},
            "extra_kvargs must be a mapping of seed, ",
        ),
    ],
)
def test_wrong_parameters_are_one_line(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        make_environment("markets-execution-v0", parameters)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
