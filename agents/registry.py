"""Strategies by name, and the parameters that each takes."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Iterable

from agents.execution_agent import ExecutionAgent
from agents.policy import PolicyAgent
from agents.posting import InsideSpreadAgent
from agents.posting import PostThenCrossAgent
from agents.posting import TWAPLimitAgent
from agents.schedules import AlmgrenChrissAgent
from agents.schedules import CarteaJaimungalAgent
from agents.schedules import VWAPAgent
from agents.strategies import AggressiveAgent
from agents.strategies import IdleAgent
from agents.strategies import ImmediateAgent
from agents.strategies import PassiveAgent
from agents.strategies import POVAgent
from agents.strategies import RandomAgent
from agents.strategies import TWAPAgent
from configs import ConfigError

STRATEGIES: dict[str, type[ExecutionAgent]] = {
    "twap": TWAPAgent,
    "vwap": VWAPAgent,
    "pov": POVAgent,
    "almgren_chriss": AlmgrenChrissAgent,
    "cartea_jaimungal": CarteaJaimungalAgent,
    "immediate": ImmediateAgent,
    "twap_limit": TWAPLimitAgent,
    "post_then_cross": PostThenCrossAgent,
    "inside_spread": InsideSpreadAgent,
    "aggressive": AggressiveAgent,
    "passive": PassiveAgent,
    "random": RandomAgent,
    "idle": IdleAgent,
    "dqn": PolicyAgent,
    "policy": PolicyAgent,
}
"""Kinds of strategies by name; add your own, or name it in a configuration as `module:Class`."""

_SHIPPED = dict(STRATEGIES)

POLICY_KINDS = tuple(kind for kind, agent in STRATEGIES.items() if agent is PolicyAgent)
"""Kinds that trade with an exported policy, whatever trained it; in `paper` and `quick` that is a DQN."""

SET_BY_THE_HARNESS = {"placement", "policy", "observation", "actions", *inspect.signature(ExecutionAgent).parameters}
"""Parameters of constructors that are not for a configuration to set."""


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


def check_importable(kind: str) -> None:
    """Make sure that another process finds the same class of a kind.

    Raises:
        ConfigError: If the class was put into `STRATEGIES` by this process: another one, which begins afresh, would not
            know it, or would trade with the class that is shipped under its name.
    """
    found = STRATEGIES.get(kind)
    if found is not None and found is not _SHIPPED.get(kind):
        place = f"{found.__module__}:{found.__qualname__}"
        raise ConfigError(
            f"strategy {kind!r} is registered in this process alone: with several, name it in the configuration"
            f" by its module (kind: {place.replace('__main__', 'my_module')}), or use workers=1"
        )


def source_digest(kind: str) -> str | None:
    """Return a digest of the code of a strategy of somebody's own: of the modules of its class and of that one's bases.

    Returns:
        12 hexadecimal digits; None for what is shipped, or code that is nowhere to read, as of an interactive session.
    """
    found = strategy_class(kind)
    if found in _SHIPPED.values():
        return None
    shipped = {base.__module__ for one in _SHIPPED.values() for base in one.__mro__}
    own = dict.fromkeys(base.__module__ for base in found.__mro__ if base.__module__ not in shipped)
    try:
        text = "".join(inspect.getsource(sys.modules[module]) for module in own)
    except (KeyError, OSError, TypeError):
        return None
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_parameters(kind: str, names: Iterable[str]) -> None:
    """Make sure that a kind of strategy takes parameters of these names.

    Raises:
        ConfigError: If it does not; the message names those that it takes.
    """
    allowed = parameters_of(strategy_class(kind))
    for name in names:
        if name not in allowed:
            raise ConfigError(f"unknown parameter {name!r} of {kind}; allowed: {', '.join(allowed) or 'none'}")


def parameters_of(kind: type[ExecutionAgent]) -> list[str]:
    """Names of the parameters that a class and its bases add to those of `ExecutionAgent`, sorted."""
    named = {
        parameter.name
        for base in kind.__mro__
        if issubclass(base, ExecutionAgent) and "__init__" in vars(base)
        for parameter in list(inspect.signature(base.__init__).parameters.values())[1:]
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    return sorted(named - SET_BY_THE_HARNESS)
