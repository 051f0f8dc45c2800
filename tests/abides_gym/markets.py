"""Small markets and made-up raw states, for tests of the market environments."""

from __future__ import annotations

import warnings
from collections import deque
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env

import abides_gym
from abides_core.utils import str_to_ns

OPEN = str_to_ns("09:30:00")
CLOSE = str_to_ns("16:00:00")
SMALL: dict[str, Any] = {"num_noise_agents": 800}
IDS = tuple(abides_gym.ENVIRONMENTS)

Step = tuple[list[float], float, bool, bool, dict[str, Any]]


def make(id: str, **parameters: Any) -> Any:
    """An environment on a small market, without Gymnasium's wrappers."""
    extra = {**SMALL, **parameters.pop("background_config_extra_kvargs", {})}
    return gymnasium.make(id, background_config_extra_kvargs=extra, **parameters).unwrapped


def play(env: Any, actions: Any, seed: int | None = 0) -> list[Step]:
    """Reset, then take the actions, again and again if they do not last; return what was seen, up to the end."""
    state, info = env.reset(seed=seed)
    seen: list[Step] = [(state.ravel().tolist(), 0.0, False, False, info)]
    while not (seen[-1][2] or seen[-1][3]):
        state, reward, terminated, truncated, info = env.step(actions[(len(seen) - 1) % len(actions)])
        seen.append((state.ravel().tolist(), reward, terminated, truncated, info))
    return seen


def books(*levels: tuple[Any, Any, Any]) -> list[dict[str, Any]]:
    """Market data of so many decisions, given as `(bids, asks, last transaction)`."""
    return [{"bids": bids, "asks": asks, "last_transaction": last, "exchange_ts": 0} for bids, asks, last in levels]


def raw_state(market: list[dict[str, Any]], after: str = "0s", **internal: Any) -> deque[dict[str, Any]]:
    """A raw state with the given market data, `after` the open; an empty book stands for no data."""
    return deque(
        {
            "parsed_mkt_data": deque([data] if data else []),
            "parsed_volume_data": deque(),
            "internal_data": {
                "holdings": 0,
                "cash": 1_000_000,
                "parsed_inter_wakeup_executed_orders": [],
                "current_time": OPEN + str_to_ns(after),
                "order_status": {},
                "mkt_open": OPEN,
                "mkt_close": CLOSE,
                **internal,
            },
        }
        for data in market
    )


def features(env: Any, state: Any) -> list[float]:
    """The observation of a raw state."""
    observation = env.raw_state_to_state(state)
    assert env.observation_space.contains(observation)
    assert observation.dtype == np.float32
    column: list[float] = observation.ravel().tolist()
    return column


def check(id: str, **parameters: Any) -> None:
    """Let Gymnasium check an environment; a warning is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make(id, **parameters))
