"""Execution markets on the compiled engine: the execution agents too live in the markets' buffers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abides_markets.compiled.slot import ExecutionSlot
from abides_markets.compiled.stack import MarketStack
from abides_markets.orders import Side as BookSide
from agents.market import SYMBOL
from agents.market import build_market
from agents.views import VIEW
from agents.views import words_of
from configs.models import Experiment
from configs.models import Side


class NativeMarkets:
    """N execution markets of an experiment in one `MarketStack`, as `envs.markets.ExecutionMarkets`.

    Args:
        experiment: The experiment.
        count: Number of markets N.

    Raises:
        UnsupportedError: If the compiled engine does not run the experiment's market.

    Attributes:
        rows: What is seen in each market, `(N,)` of `agents.views.VIEW`.
        times: When it was seen, ns since the epoch, `(N,)`.
        finished: Whether each parent order has come to its end, `(N,)`.
        stack: The markets.
    """

    def __init__(self, experiment: Experiment, count: int) -> None:
        order = experiment.order
        self._experiment = experiment

        def slot(agent_id: int) -> ExecutionSlot:
            return ExecutionSlot(
                agent_id,
                SYMBOL,
                side=BookSide.BID,
                quantity=order.quantity,
                start=order.start,
                window=order.window,
                interval=experiment.decision_interval,
                sweep=order.end_rule == "sweep",
                settlement=order.settlement,
            )

        self.stack = MarketStack(lambda seed: build_market(experiment.market, seed), slot, count)
        self.rows = self.stack.views.view(VIEW)[:, 0]
        self.times = self.stack.times
        self.finished = self.stack.finished

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by state: rows, times and what has finished are views of the stack, which must stay so."""
        return _restored, (self._experiment, len(self.finished), self.get_state())

    @property
    def fills(self) -> NDArray[np.int64]:
        """Executions since the rows before, `(F, 3)`: row of the market, price in cents, shares."""
        return self.stack.fills

    def start(self, index: int, seed: int, side: Side) -> None:
        """Begin the market of a seed and run it to the first decision or its end."""
        self.stack.start(index, seed, BookSide.BID if side == "buy" else BookSide.ASK)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return the markets as plain arrays: the words of the stack are the whole of them."""
        return self.stack.get_state()

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of as many markets."""
        self.stack.set_state(state)

    def step(self, decisions: NDArray[Any], active: NDArray[np.bool_]) -> None:
        """Carry out the decisions in the active markets, and run each to the next one or its end."""
        self.stack.step(words_of(decisions), active)


def _restored(experiment: Experiment, count: int, state: Mapping[str, NDArray[Any]]) -> NativeMarkets:
    """Return markets that go on from a state."""
    markets = NativeMarkets(experiment, count)
    markets.set_state(state)
    return markets
