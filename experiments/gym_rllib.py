"""The Gymnasium environments under RLlib (new API stack): their registration, and metrics of the execution environment.

Importing `abides_gym` needs no Ray; this module does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.tune.registry import register_env

from abides_gym import ENVIRONMENTS
from experiments.gym_environments import make_environment

CUSTOM_METRICS = "custom_metrics"
"""Where the metrics are among those of the environment runners."""
EPISODES_AVERAGED = 100
MILESTONES = 5
SUMS = ("slippage_reward", "late_penalty_reward")
LAST = ("executed_quantity", "remaining_quantity")
FEATURES = (
    "holdings_pct",
    "time_pct",
    "diff_pct",
    "imbalance_all",
    "imbalance_5",
    "price_impact",
    "spread",
    "direction_feature",
)


def register_environments() -> None:
    """Make the environments known to RLlib by their ids; `env_config` holds the parameters."""
    for id in ENVIRONMENTS:
        register_env(id, lambda config, id=id: make_environment(id, config))


class MyCallbacks(RLlibCallback):
    """Logs what the tracker of `markets-execution-v0` (not in debug mode) has of every finished episode.

    Metrics are means over the episodes of an iteration, under `env_runners/custom_metrics`; see `episode_metrics`.
    """

    def on_episode_start(self, *, episode: Any, **kwargs: Any) -> None:
        """Begin an empty record."""
        assert len(episode) == 0, f"an episode begins with {len(episode)} steps"
        episode.custom_data["infos"] = defaultdict(list)

    def on_episode_step(self, *, episode: Any, **kwargs: Any) -> None:
        """Add the info of the step."""
        assert len(episode) > 0, "a step of an episode without steps"
        for name, value in episode.get_infos(-1).items():
            episode.custom_data["infos"][name].append(value)

    def on_episode_end(self, *, episode: Any, metrics_logger: Any, **kwargs: Any) -> None:
        """Log the metrics of the episode."""
        for name, value in episode_metrics(episode.custom_data["infos"]).items():
            metrics_logger.log_value((CUSTOM_METRICS, name), value, reduce="mean", window=EPISODES_AVERAGED)


def episode_metrics(infos: Mapping[str, list[Any]]) -> dict[str, float]:
    """Return the metrics of an episode of the execution environment.

    Args:
        infos: Every item of the infos, by name, a value a step.

    Returns:
        `slippage_reward` and `late_penalty_reward`, summed; `executed_quantity` and `remaining_quantity` at the end;
        and
        `{feature}_{i}` and `pct_action_counter_{action}_{i}` (the share of each action so far), at the last step with
        i = `None`, and, as far as the episode got, at the milestones i = 0 … 4, which cut the most steps of an episode
        into quarters.

    Raises:
        ValueError: If the infos are not those of the tracker.
    """
    if "action_counter" not in infos:
        raise ValueError("no tracker in the infos: the metrics need markets-execution-v0 with debug_mode=False")
    steps = len(infos["action_counter"])
    most = infos["num_max_steps_per_episode"][-1]
    milestones = {str(i): int(i * most / (MILESTONES - 1)) for i in range(MILESTONES)}
    metrics = {name: float(sum(infos[name])) for name in SUMS}
    metrics |= {name: float(infos[name][-1]) for name in LAST}
    for label, index in {"None": steps - 1, **milestones}.items():
        if index >= steps:
            continue
        counts = infos["action_counter"][index]
        for action, count in counts.items():
            metrics[f"pct_action_counter_{action}_{label}"] = count / sum(counts.values())
        metrics |= {f"{name}_{label}": float(infos[name][index]) for name in FEATURES}
    return metrics
