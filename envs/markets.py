"""N execution markets behind one interface, whatever they run on."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Literal
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from abides_core.engines import AUTO
from abides_core.engines import COMPILED
from abides_core.engines import REFERENCE
from abides_core.engines import UnsupportedError
from agents.actions import DECISION
from agents.execution_agent import Decision
from agents.reward import fill_rows
from agents.views import VIEW
from agents.views import Fill
from agents.views import Rows
from agents.views import View
from configs import ConfigError
from configs import Experiment
from configs.models import Side
from envs.kernel_market import KernelMarket
from envs.native_markets import NativeMarkets
from envs.stand_in_market import StandInMarket

MarketKind = Literal["abides", "stand-in"]
MARKETS = ("abides", "stand-in")


class ExecutionMarkets(Protocol):
    """N markets, a parent order in each.

    Attributes:
        rows: What is seen in each market, `(N,)` of `agents.views.VIEW`.
        times: When it was seen, ns, `(N,)`.
        finished: Whether each parent order has come to its end, `(N,)`.
        fills: Executions since the rows before, in the markets last stepped, `(F, 3)`: row of the market, price in
            cents, shares.
    """

    rows: Rows
    times: NDArray[np.int64]
    finished: NDArray[np.bool_]

    @property
    def fills(self) -> NDArray[np.int64]:
        """Executions since the rows before."""

    def start(self, index: int, seed: int, side: Side) -> None:
        """Begin the market of a seed in the place of market `index` and run it to the first decision or its end."""

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return everything that decides how the markets go on, as plain arrays."""

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of as many markets of the same experiment."""

    def step(self, decisions: NDArray[Any], active: NDArray[np.bool_]) -> None:
        """Carry out decisions `(N,)` of `agents.actions.DECISION` in the active markets, and run each to the next."""


class Market(Protocol):
    """A market that a parent order is worked in, from decision to decision."""

    finished: bool

    def start(self, seed: int, side: Side) -> View:
        """Begin the market of a seed and return the first view."""

    def step(self, decision: Decision) -> View:
        """Carry out a decision and return the view at the next one or at the end."""


class SeparateMarkets:
    """N markets that know nothing of each other, as `ExecutionMarkets`.

    They are Python objects, but every one follows from its seed, its side and the decisions taken: that is their state,
    and a market is brought back by taking the decisions again.
    """

    def __init__(self, markets: Sequence[Market]) -> None:
        self.markets = markets
        self.rows: Rows = np.zeros(len(markets), dtype=VIEW)
        self.times = np.zeros(len(markets), dtype=np.int64)
        self.finished = np.zeros(len(markets), dtype=np.bool_)
        self._fills: list[tuple[int, Fill]] = []
        self._begun: list[tuple[int, Side] | None] = [None] * len(markets)
        self._taken: list[list[tuple[int, ...]]] = [[] for _ in markets]

    @property
    def fills(self) -> NDArray[np.int64]:
        """Executions since the rows before."""
        return fill_rows(self._fills)

    def start(self, index: int, seed: int, side: Side) -> None:
        """Begin the market of a seed."""
        self._fills.clear()
        self._begun[index] = (seed, side)
        self._taken[index] = []
        self._take(index, self.markets[index].start(seed, side))

    def step(self, decisions: NDArray[Any], active: NDArray[np.bool_]) -> None:
        """Step the active markets, one after the other."""
        self._fills.clear()
        for index in np.flatnonzero(active).tolist():
            self._carry_out(index, decisions[index].item())

    def _carry_out(self, index: int, words: tuple[int, ...]) -> None:
        market, limit, limit_price, cancel = words
        self._taken[index].append(words)
        self._take(index, self.markets[index].step(Decision(market, limit, limit_price, bool(cancel))))

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return seed and side of each market and the decisions taken in it, market by market."""
        begun = [one if one is not None else (-1, "") for one in self._begun]
        taken = [words for decisions in self._taken for words in decisions]
        return {
            "seeds": np.array([seed for seed, _ in begun], dtype=np.int64),
            "sides": np.array([side for _, side in begun]),
            "counts": np.array([len(decisions) for decisions in self._taken], dtype=np.int64),
            "decisions": np.array(taken, dtype=np.int64).reshape(-1, len(DECISION.names or ())),
        }

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state, by taking its decisions again.

        Raises:
            ValueError: If the state is of another number of markets.
        """
        if len(state["seeds"]) != len(self.markets):
            raise ValueError(f"the state is of {len(state['seeds'])} markets, these are {len(self.markets)}")
        ends = np.cumsum(state["counts"]).tolist()
        for index, (seed, side) in enumerate(zip(state["seeds"].tolist(), state["sides"].tolist(), strict=True)):
            if seed < 0:
                continue
            self.start(index, seed, side)
            for words in state["decisions"][ends[index] - state["counts"][index] : ends[index]].tolist():
                self._carry_out(index, tuple(words))
        self._fills.clear()

    def _take(self, index: int, view: View) -> None:
        self.rows[index] = view.rows()[0]
        self.times[index] = view.time
        self.finished[index] = self.markets[index].finished
        self._fills += [(index, fill) for fill in view.fills]


def make_markets(experiment: Experiment, market: str, engine: str, count: int) -> ExecutionMarkets:
    """Return the markets of an experiment.

    Args:
        experiment: The experiment.
        market: `abides` (the simulated market of the experiment) or `stand-in` (`MarketSimulator`).
        engine: Engine of the simulated market, as for `abides.run`; all give the same tape.
        count: Number of markets N.

    Raises:
        ConfigError: If there is no such market or engine.
        UnsupportedError: If the compiled engine is asked for and does not run the market.
    """
    if market not in MARKETS:
        raise ConfigError(f"unknown market {market!r}; allowed: {', '.join(MARKETS)}")
    if engine not in (AUTO, COMPILED, REFERENCE):
        raise ConfigError(f"unknown engine {engine!r}; allowed: {AUTO}, {COMPILED}, {REFERENCE}")
    if market == "abides" and engine != REFERENCE:
        try:
            return NativeMarkets(experiment, count)
        except UnsupportedError:
            if engine == COMPILED:
                raise
    make: Callable[[], Market] = (
        (lambda: KernelMarket(experiment)) if market == "abides" else (lambda: StandInMarket(experiment))
    )
    return SeparateMarkets([make() for _ in range(count)])
