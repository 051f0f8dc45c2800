"""The base of oracles."""

from __future__ import annotations

import math
from typing import Any
from typing import ClassVar

import numpy as np

from abides_core.utils import NanosecondTime


class Oracle:
    """A source of fundamental values that agents may observe.

    Attributes:
        f_log: Evaluations by symbol, dicts of `FundamentalTime` and `FundamentalValue`; empty if none are kept.
    """

    f_log: ClassVar[dict[str, Any]] = {}

    def get_daily_open_price(self, symbol: str, mkt_open: NanosecondTime, cents: bool = True) -> int:
        """Return the price at the open, cents."""
        raise NotImplementedError

    def observe_price(
        self, symbol: str, current_time: NanosecondTime, random_state: np.random.RandomState, sigma_n: float = 1000
    ) -> int:
        """Return an observation of the value, cents, with noise of variance `sigma_n`."""
        raise NotImplementedError


def observation(value: float, random_state: np.random.RandomState | None, sigma_n: float) -> int:
    """Return a value with normal noise of variance `sigma_n` (cents²), in whole cents.

    Without noise nothing is drawn, and no stream is needed.

    Raises:
        ValueError: If there is noise to draw and no stream to draw it from.
    """
    if sigma_n == 0:
        return round(value)
    if random_state is None:
        raise ValueError(f"an observation with sigma_n={sigma_n} needs a random_state")
    return round(random_state.normal(loc=value, scale=math.sqrt(sigma_n)))


def unknown_symbol(symbol: str, known: Any) -> ValueError:
    """Return the error for a symbol that an oracle does not have."""
    return ValueError(f"unknown symbol {symbol!r}; the oracle has: {', '.join(sorted(known))}")
