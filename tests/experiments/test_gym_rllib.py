from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from ray.tune.registry import ENV_CREATOR
from ray.tune.registry import _global_registry

from abides_gym import ENVIRONMENTS
from experiments.gym_environments import make_environment
from experiments.gym_rllib import FEATURES
from experiments.gym_rllib import MyCallbacks
from experiments.gym_rllib import episode_metrics
from experiments.gym_rllib import register_environments


class Episode:
    """As much of RLlib's single-agent episode as the callbacks use."""

    def __init__(self) -> None:
        self.custom_data: dict[str, Any] = {}
        self.infos: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self.infos)

    def get_infos(self, index: int) -> dict[str, Any]:
        return self.infos[index]


class Logger:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.values: dict[Any, float] = {}

    def log_value(self, key: Any, value: float, reduce: str, window: int) -> None:
        assert reduce == "mean"
        self.values[key] = value


def recorded(steps: int, most: float = 8) -> dict[str, list[Any]]:
    """Infos of so many steps, whose values are the number of the step; every second action is 0, the others are 2."""
    infos: dict[str, list[Any]] = defaultdict(list)
    for step in range(1, steps + 1):
        counts = {"action_0": (step + 1) // 2, "action_1": 0, "action_2": step // 2}
        names = (*FEATURES, "slippage_reward", "late_penalty_reward", "executed_quantity", "remaining_quantity")
        values = {**dict.fromkeys(names, step), "action_counter": counts, "num_max_steps_per_episode": most}
        for name, value in values.items():
            infos[name].append(value)
    return infos


def test_metrics_are_sums_ends_and_milestones() -> None:
    metrics = episode_metrics(recorded(7))
    assert metrics["slippage_reward"] == metrics["late_penalty_reward"] == sum(range(1, 8))
    assert metrics["executed_quantity"] == metrics["remaining_quantity"] == 7
    assert [metrics[f"time_pct_{label}"] for label in ("0", "1", "2", "3", "None")] == [1, 3, 5, 7, 7]
    assert "time_pct_4" not in metrics  # the episode ended before
    assert metrics["pct_action_counter_action_0_0"] == 1
    assert metrics["pct_action_counter_action_0_1"] == 2 / 3
    assert metrics["pct_action_counter_action_1_None"] == 0
    assert metrics["pct_action_counter_action_2_None"] == 3 / 7
    assert len(metrics) == 4 + 5 * (3 + len(FEATURES))


def test_metrics_of_another_environment_are_refused() -> None:
    with pytest.raises(ValueError, match="debug_mode=False"):
        episode_metrics({"holdings": [1]})


def test_the_callbacks_follow_a_real_episode() -> None:
    env = make_environment("markets-execution-v0", {"parent_order_size": 30})
    callbacks, episode, logger = MyCallbacks(), Episode(), Logger()
    callbacks.on_episode_start(episode=episode)
    env.reset(seed=3)
    total, terminated = 0.0, False
    while not terminated:
        _, reward, terminated, _, info = env.step(0)
        total += reward
        episode.infos.append(info)
        callbacks.on_episode_step(episode=episode)
    callbacks.on_episode_end(episode=episode, metrics_logger=logger)
    values = logger.values
    assert values["custom_metrics", "slippage_reward"] == pytest.approx(total)
    assert values["custom_metrics", "late_penalty_reward"] == 0
    assert values["custom_metrics", "executed_quantity"] == 30
    assert values["custom_metrics", "holdings_pct_None"] == 1
    assert values["custom_metrics", "pct_action_counter_action_0_0"] == 1
    callbacks.on_episode_start(episode=Episode())
    with pytest.raises(AssertionError, match="begins with"):
        callbacks.on_episode_start(episode=episode)
    with pytest.raises(AssertionError, match="without steps"):
        callbacks.on_episode_step(episode=Episode())


def test_rllib_makes_the_environments_by_id() -> None:
    register_environments()
    for id in ENVIRONMENTS:
        made = _global_registry.get(ENV_CREATOR, id)({"order_fixed_size": 4})
        assert type(made) is type(make_environment(id, {}))
        assert made.order_fixed_size == 4
