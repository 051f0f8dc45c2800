"""The base of oracles."""

from __future__ import annotations

from typing import Any
from typing import ClassVar

import numpy as np

from abides_core.utils import NanosecondTime


class Oracle:
    """A source of fundamental values that agents may observe."""

    f_log: ClassVar[dict[str, Any]] = {}

    def get_daily_open_price(self, symbol: str, mkt_open: NanosecondTime, cents: bool = True) -> int:
        """Return the price at the open, cents."""
        raise NotImplementedError

    def observe_price(
        self, symbol: str, current_time: NanosecondTime, random_state: np.random.RandomState, sigma_n: float = 1000
    ) -> int:
        """Return an observation of the value, cents, with noise of variance `sigma_n`."""
        raise NotImplementedError
