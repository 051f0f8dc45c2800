"""What a comparison must know of an exported policy: whether it fits the experiment, and what it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.numpy_policy import NumpyPolicy
from agents.registry import POLICY_KINDS
from configs import ConfigError
from configs import Experiment
from configs import parse_seeds
from configs.models import released_policy
from experiments.episode import strategy_config


def check_policy(experiment: Experiment, path: Path) -> NumpyPolicy:
    """Read a policy and make sure that it was trained to see and to do what the experiment says.

    Raises:
        ConfigError: If the file is missing or damaged, or its observation or actions are others.
    """
    policy = NumpyPolicy.load(path)
    trained = policy.metadata.get("experiment", {})
    now = experiment.model_dump(mode="json")
    for key in ("observation", "actions"):
        if trained.get(key) != now[key]:
            raise ConfigError(
                f"policy {str(path)!r} was made for other {key}: {_difference(trained.get(key), now[key])};"
                " compare with the configuration that it was trained with"
            )
    return policy


def trades_with_policy(experiment: Experiment, strategy: str) -> bool:
    """Whether a strategy trades with the exported policy.

    Raises:
        ConfigError: If the strategy is unknown.
    """
    return strategy_config(experiment, strategy).kind in POLICY_KINDS


def chosen_policy(experiment: Experiment, strategies: Sequence[str], given: Path | None) -> Path | None:
    """Return the policy to trade with: the one given, else the released one that the configuration names, if any.

    Raises:
        ConfigError: If a strategy is unknown.
    """
    trades = any(trades_with_policy(experiment, name) for name in strategies)
    if given is not None or not trades or experiment.comparison.policy is None:
        return given
    return released_policy(experiment.comparison.policy)


def policy_file(experiment: Experiment, given: Path | None) -> Path:
    """Return the policy of a command that is about one: the one given, else the released one of the configuration.

    Raises:
        ConfigError: If there is neither.
    """
    if given is not None:
        return given
    if experiment.comparison.policy is None:
        raise ConfigError("no policy: give --policy PATH (a policy.npz), or set comparison.policy in the configuration")
    return released_policy(experiment.comparison.policy)


def training_ranges(policy: NumpyPolicy) -> list[tuple[int, int]]:
    """Half-open ranges of the seeds of the markets that a policy was trained on; none if it does not say."""
    text = policy.metadata.get("training_markets")
    if text is None:
        return []
    seeds = parse_seeds(text)
    return [(seeds.start, seeds.stop)]


def seed_warnings(policy: NumpyPolicy, seeds: Sequence[int]) -> list[str]:
    """Say when seeds are those of markets that a policy was trained on."""
    ranges = training_ranges(policy)
    overlap = sum(any(first <= seed < end for first, end in ranges) for seed in seeds)
    return [f"{overlap} of {len(seeds)} seeds overlap those that the policy was trained on."] if overlap else []


def policy_warnings(policy: NumpyPolicy) -> list[str]:
    """What a reader must know of a policy before believing its result, a sentence each."""
    if policy.metadata.get("market") == "stand-in":
        return ["The policy was trained on the stand-in market, not on the market that it is compared on."]
    return []


def _difference(trained: Any, now: dict[str, Any]) -> str:
    """The first difference of two sections of a configuration."""
    if not isinstance(trained, dict):
        return "its file does not say which"
    for key in sorted(trained.keys() | now.keys()):
        there, here = trained.get(key), now.get(key)
        if there != here and isinstance(there, list) and isinstance(here, list):
            different = sorted(map(str, set(there) ^ set(here)))
            return f"{key} differ in {', '.join(different)}" if different else f"{key} are in another order"
        if there != here:
            return f"{key} {there!r} there, {here!r} here"
    return "the sections differ"
