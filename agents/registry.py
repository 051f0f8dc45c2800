"""Strategies by name."""

from __future__ import annotations

import importlib
import re

from agents.execution_agent import ExecutionAgent
from agents.policy import PolicyAgent
from agents.strategies import AggressiveAgent
from agents.strategies import IdleAgent
from agents.strategies import PassiveAgent
from agents.strategies import RandomAgent
from agents.strategies import TWAPAgent
from configs import ConfigError

STRATEGIES: dict[str, type[ExecutionAgent]] = {
    "twap": TWAPAgent,
    "aggressive": AggressiveAgent,
    "passive": PassiveAgent,
    "random": RandomAgent,
    "idle": IdleAgent,
    "dqn": PolicyAgent,
}
"""Kinds of strategies by name; add your own, or name it in a configuration as `module:Class`."""


def strategy_class(kind: str) -> type[ExecutionAgent]:
    """Return the class of a kind of strategy.

    Args:
        kind: A name of `STRATEGIES`, or `module:Class` for a class of your own, which is imported.

    Raises:
        ConfigError: If there is no such strategy.
    """
    if kind in STRATEGIES:
        return STRATEGIES[kind]
    if not re.fullmatch(r"[\w.]+:\w+", kind):
        raise ConfigError(f"unknown strategy {kind!r}; allowed: {', '.join(sorted(STRATEGIES))}, or module:Class")
    module_name, class_name = kind.split(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"strategy {kind!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, ExecutionAgent)):
        raise ConfigError(f"strategy {kind!r} is not a subclass of agents.ExecutionAgent")
    return found
