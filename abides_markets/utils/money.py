"""Text of amounts of money."""

from __future__ import annotations

from typing import Any

import numpy as np


def dollarize(cents: Any) -> Any:
    """Return whole cents as text in dollars (`"$1.23"`), a list element by element.

    Raises:
        ValueError: If the value is not a whole number of cents.
    """
    if isinstance(cents, list):
        return [dollarize(item) for item in cents]
    if isinstance(cents, int | np.integer):
        return f"${cents / 100:.2f}"
    raise ValueError(f"dollarize takes whole cents or a list of them, got {cents!r}")
