"""Checks of the parameters that a configuration gives to a strategy."""

from __future__ import annotations

import math


def number(
    name: str, value: object, *, above: float | None = None, least: float | None = None, below: float = math.inf
) -> float:
    """Return a parameter as a number within its bounds.

    Args:
        name: Name of the parameter.
        value: What was given.
        above: What it must be greater than.
        least: What it must at least be.
        below: What it must be less than.

    Raises:
        ValueError: One line that names the parameter, what was given, and what is allowed.
    """
    bounds = [f"greater than {above:g}"] if above is not None else []
    bounds += [f"at least {least:g}"] if least is not None else []
    bounds += [f"less than {below:g}"] if below < math.inf else []
    allowed = f"{name} must be a number {' and '.join(bounds)}".rstrip()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{allowed}, got {value!r}")
    if (above is not None and value <= above) or (least is not None and value < least) or value >= below:
        raise ValueError(f"{allowed}, got {value!r}")
    return float(value)
