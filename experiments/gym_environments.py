"""The Gymnasium environments as the commands make them: by id, with parameters from the command line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any
from typing import Literal
from typing import get_args

import gymnasium

from abides_gym import ENVIRONMENTS
from abides_gym.envs import AbidesGymMarketsEnv
from configs import ConfigError

EnvironmentId = Literal["markets-execution-v0", "markets-daily_investor-v0"]
assert set(get_args(EnvironmentId)) == set(ENVIRONMENTS)


def make_environment(id: str, parameters: Mapping[str, Any]) -> AbidesGymMarketsEnv:
    """Make an environment, without Gymnasium's wrappers.

    Args:
        id: Its id.
        parameters: Parameters of its constructor.

    Raises:
        ConfigError: If a parameter is unknown or not allowed; one line that names the allowed ones.
    """
    known = inspect.signature(gymnasium.envs.registration.load_env_creator(ENVIRONMENTS[id])).parameters
    for name in parameters:
        if name not in known:
            raise ConfigError(f"{id} has no parameter {name!r}; allowed: {', '.join(known)}")
    try:
        made = gymnasium.make(id, disable_env_checker=True, **parameters).unwrapped
    except (AssertionError, ValueError) as error:
        raise ConfigError(f"{id}: {error}") from error
    assert isinstance(made, AbidesGymMarketsEnv)
    return made
