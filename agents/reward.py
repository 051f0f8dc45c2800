"""The reward, equation 4 of arXiv 2411.06389, term by term, one row a market.

All terms are per share of the parent order, in the configured unit of price; positive is better for the agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.views import Fill
from agents.views import Rows
from configs.models import RewardConfig

FILL = np.dtype([("market", np.int64), ("price", np.int64), ("quantity", np.int64)])
"""An execution: index of its market (row), price in cents, shares."""

Floats = NDArray[np.float64]


def fill_rows(fills: Sequence[Fill], market: int = 0) -> NDArray[Any]:
    """Return executions of one market as rows of `FILL`."""
    return np.array([(market, fill.price, fill.quantity) for fill in fills], dtype=FILL)


class Reward:
    """The terms of the reward under one configuration."""

    def __init__(self, config: RewardConfig) -> None:
        self._config = config
        self._unit = 1.0 if config.price_unit == "cents" else 0.01

    def implementation_shortfall(self, fills: NDArray[Any], rows: Rows) -> Floats:
        """Return Σ q·s·(arrival − price) / Q over the fills of each market `(N,)`, s being +1 to buy, −1 to sell."""
        of = fills["market"]
        gain = fills["quantity"] * rows["side"][of] * (rows["arrival2"][of] / 2 - fills["price"])
        return self._unit * self._per_market(of, gain, rows) / rows["parent"]

    def depth_consumed(self, fills: NDArray[Any], rows: Rows) -> Floats:
        """Return d_t of each market `(N,)`, measured against the best opposite price of the decision's view.

        `ticks_walked`: Σ over fills of the ticks beyond that price. `shares_beyond_touch`: shares taken at prices
        beyond it. `shares`: all shares filled.
        """
        of = fills["market"]
        if self._config.depth == "shares":
            return self._per_market(of, fills["quantity"], rows)
        side = rows["side"][of]
        best = np.where(side > 0, rows["ask_price"][of, 0], rows["bid_price"][of, 0])
        beyond = np.where(best >= 0, np.maximum(side * (fills["price"] - best), 0), 0)
        weight = beyond if self._config.depth == "ticks_walked" else np.where(beyond > 0, fills["quantity"], 0)
        return self._per_market(of, weight, rows)

    def impact_penalty(self, fills: NDArray[Any], rows: Rows) -> Floats:
        """Return α·d_t / Q of each market `(N,)`."""
        return self._config.alpha * self.depth_consumed(fills, rows) / rows["parent"]

    def completion_penalty(self, left: NDArray[Any], rows: Rows) -> Floats:
        """Return β·left / Q of each market `(N,)`, for shares left at the end of the window."""
        return self._config.beta * left / rows["parent"]

    @staticmethod
    def _per_market(of: NDArray[Any], values: NDArray[Any], rows: Rows) -> Floats:
        """Sum values `(F,)` of fills over the markets `(N,)` that they belong to."""
        sums = np.zeros(len(rows))
        np.add.at(sums, of, values)
        return sums
