"""Checks of the parameters of environments: one line that names the parameter, the value and what is allowed."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from numbers import Integral
from numbers import Real
from typing import Any

import abides_markets.configs
from abides_core.utils import str_to_ns

OPEN = str_to_ns("09:30:00")
SESSION = str_to_ns("16:00:00") - OPEN


def require(holds: bool, name: str, value: Any, allowed: str) -> None:
    """Refuse a value.

    Raises:
        AssertionError: Unless the condition holds.
    """
    if not holds:
        raise AssertionError(f"{name} must be {allowed}, got {value!r}")


def one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return a value that is one of those allowed."""
    require(value in allowed, name, value, f"one of {', '.join(allowed)}")
    return str(value)


def whole(name: str, value: Any, least: int) -> int:
    """Return a whole number, not below `least`."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    require(is_whole and value >= least, name, value, f"a whole number, {least} or more")
    return int(value)


def number(name: str, value: Any) -> float:
    """Return a finite number."""
    require(is_number(value), name, value, "a finite number")
    return float(value)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def boolean(name: str, value: Any) -> bool:
    """Return `True` or `False`."""
    require(isinstance(value, bool), name, value, "True or False")
    return bool(value)


def duration(name: str, value: Any, least: str, most: str, least_allowed: bool = True) -> int:
    """Return a duration (or a time of day) in ns.

    Args:
        name: Name of the parameter.
        value: Text such as `60s` or `00:01:00`, or ns.
        least: The shortest allowed.
        most: The longest allowed.
        least_allowed: Whether the shortest itself is allowed.
    """
    allowed = f"a time from {least} to {most}" if least_allowed else f"a time above {least}, at most {most}"
    try:
        ns = str_to_ns(value)
    except (TypeError, ValueError):
        ns = -1
    low = str_to_ns(least)
    require((ns >= low if least_allowed else ns > low) and ns <= str_to_ns(most), name, value, allowed)
    return ns


def fraction(name: str, value: Any) -> float:
    """Return a number from 0 to below 1."""
    require(is_number(value) and 0 <= value < 1, name, value, "a number, 0 or more and below 1")
    return float(value)


def first_interval(value: Any, mkt_close: int) -> int:
    """Return the time from the open to the first decision, ns, which comes before the close (ns since midnight)."""
    ns = duration("first_interval", value, "00:00:00", "16:00:00")
    require(OPEN + ns < mkt_close, "first_interval", value, "shorter than the time from the open to mkt_close")
    return ns


def background(name: Any) -> Callable[..., dict[str, Any]]:
    """Return the `build_config` of a market configuration of `abides_markets.configs`, given by name."""
    found: dict[str, Callable[..., dict[str, Any]]] = {}
    for module in pkgutil.iter_modules(abides_markets.configs.__path__):
        build = getattr(importlib.import_module(f"abides_markets.configs.{module.name}"), "build_config", None)
        if build is not None:
            found[module.name] = build
    return found[one_of("background_config", name, list(found))]


def arguments(name: str, values: Any, function: Callable[..., Any]) -> dict[str, Any]:
    """Return keyword arguments (`None` for none) that a function takes."""
    given = {} if values is None else values
    require(isinstance(given, Mapping), name, values, "a mapping of names to values")
    known = inspect.signature(function).parameters
    for argument in given:
        require(argument in known, name, argument, f"a mapping of {', '.join(known)}")
    return dict(given)


def action(value: Any, names: Sequence[str]) -> int:
    """Return an action of a discrete space as an `int`.

    Args:
        value: The action.
        names: What each action does.

    Raises:
        ValueError: If there is no such action.
    """
    if value not in range(len(names)):
        allowed = ", ".join(f"{index} ({name})" for index, name in enumerate(names))
        raise ValueError(f"unknown action {value!r}; allowed: {allowed}")
    return int(value)
