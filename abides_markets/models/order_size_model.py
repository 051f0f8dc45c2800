"""Sizes of background orders: a mixture of round lots and a log-normal."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from abides_core.streams import random_state as new_random_state

LOGNORMAL_WEIGHT, LOGNORMAL_MEAN, LOGNORMAL_SD = 0.2, 2.9, 1.2
LOT, LOT_SD = 100, 0.15
LOT_WEIGHTS = (0.7, 0.06, 0.004, 0.0329, 0.001, 0.0006, 0.0004, 0.0005, 0.0003, 0.0003)
"""Weights of the components around 100, 200, …, 1000 shares."""


class OrderSizeModel:
    """Draws order sizes, mean about 106 shares.

    Args:
        least: Least size, shares. With 0, as in the reference market, a size may be 0 (probability 3·10⁻⁴), which means
            no order.
        most: Greatest size, shares; by default there is none.

    Raises:
        ValueError: Unless 0 ≤ least ≤ most.
    """

    def __init__(self, least: int = 0, most: int | None = None) -> None:
        if least < 0 or (most is not None and most < least):
            raise ValueError(f"sizes go from least to most, at least 0, got least={least}, most={most}")
        self.least = least
        self.most = most
        cumulative = np.cumsum([LOGNORMAL_WEIGHT, *LOT_WEIGHTS])
        self.cumulative: list[float] = (cumulative / cumulative[-1]).tolist()
        self._scratch = new_random_state(0)

    def sample(self, random_state: np.random.RandomState) -> int:
        """Draw a size, shares.

        Two draws are taken from the caller's stream: a seed for the component's value, and the component. The value
        itself comes from a stream with that seed, which is one scratch stream seeded anew.
        """
        self._scratch.seed(random_state.randint(1_000_000))
        component = bisect_right(self.cumulative, random_state.random_sample())
        if component == 0:
            size = round(self._scratch.lognormal(LOGNORMAL_MEAN, LOGNORMAL_SD))
        else:
            size = round(self._scratch.normal(LOT * component, LOT_SD))
        if size < self.least:
            return self.least
        return size if self.most is None or size <= self.most else self.most
