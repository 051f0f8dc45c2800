"""Several markets side by side, each with an execution slot, stepped from decision to decision by one compiled call."""

from __future__ import annotations

import copy
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abides_markets.compiled import layout as at
from abides_markets.compiled import stepping
from abides_markets.compiled.buffer import GROWING
from abides_markets.compiled.buffer import grown_rows
from abides_markets.compiled.buffer import resized
from abides_markets.compiled.buffer import zeros
from abides_markets.compiled.queue import wake_at
from abides_markets.compiled.queue import wake_each
from abides_markets.compiled.results import fill_tape
from abides_markets.compiled.slot import ExecutionSlot
from abides_markets.compiled.state import layout_digest
from abides_markets.compiled.template import MarketTemplate
from abides_markets.orders import Side
from abides_markets.tape import MarketTape

Ints = NDArray[np.int64]


class MarketStack:
    """N markets of one configuration, each of its own seed and time, with an execution slot.

    Args:
        build: Returns the background of the market of a seed, as a `build_config` does, with latencies that do not
            depend on the seed.
        slot: Returns the slot, given its agent id.
        markets: Number of markets N.

    Raises:
        UnsupportedError: If the compiled engine does not run the background.

    Attributes:
        words: The markets, one a row.
        views: What each slot shows, int64, shape `(N, VIEW_WORDS)`; the words of `agents.views.VIEW`.
        times: When it was shown, ns since the epoch, shape `(N,)`.
        finished: Whether each slot has nothing more to do, shape `(N,)`.
    """

    def __init__(
        self, build: Callable[[int], dict[str, Any]], slot: Callable[[int], ExecutionSlot], markets: int = 1
    ) -> None:
        self._template = MarketTemplate(build, slot)
        self.words: NDArray[np.int64] = np.zeros((markets, 0), dtype=np.int64)
        self.views: Ints = np.zeros((markets, at.VIEW_WORDS), dtype=np.int64)
        self.times: Ints = np.zeros(markets, dtype=np.int64)
        self.finished: NDArray[np.bool_] = np.zeros(markets, dtype=np.bool_)
        self._fills: Ints = np.zeros((max(64, 8 * markets), 3), dtype=np.int64)
        self._fill_count = 0
        self._only: NDArray[np.bool_] = np.zeros(markets, dtype=np.bool_)

    @property
    def fills(self) -> Ints:
        """Executions since the views before, market by market, shape `(F, 3)`: market, price in cents, shares."""
        return self._fills[: self._fill_count]

    def start(self, index: int, seed: int, side: Side) -> None:
        """Begin the market of a seed and run it to the first decision, or to its end if there is none.

        Args:
            index: Which of the N markets.
            seed: Its seed, 0 ≤ seed < 2**32.
            side: Side of the parent order.
        """
        if not self.words.shape[1]:
            self.words = self._no_words()
        words = self.words[index]
        self._template.write(words, seed)
        wake_at(words, 0, words[at.CLOSE])
        wake_each(words, 0, words[at.AGENT_COUNT], words[at.NOW])
        words[words[at.SLOT_BLOCK] + at.E_SIDE] = at.BID if side is Side.BID else at.ASK
        self._only[:] = False
        self._only[index] = True
        self._run(self._only)

    def step(self, decisions: Ints, active: NDArray[np.bool_]) -> None:
        """Carry a decision out in each active market and run it to the next one, or to its end.

        Args:
            decisions: int64, shape `(N, 4)`: shares of a market order, shares and price (cents) of a limit order, and
                whether resting orders are cancelled first.
            active: Markets to step, shape `(N,)`; they have been started and are not finished.

        Raises:
            ValueError: If a decision has a negative number of shares or a limit order without a price.
        """
        wrong = stepping.hand_in(self.words, decisions, active)
        if wrong >= 0:
            raise ValueError(
                "shares of a decision must not be negative and a limit order needs a price, got "
                f"market={decisions[wrong, 0]}, limit={decisions[wrong, 1]}, limit_price={decisions[wrong, 2]}"
            )
        self._run(active)

    def fork(self, *, leave: bool = False) -> MarketStack:
        """Return independent markets in the same state.

        Args:
            leave: Whether the forks leave what is unfilled at the end of the window, instead of sweeping it: with that
                a fork that is stepped by decisions to do nothing is the market without the rest of the order.
        """
        other = copy.copy(self)
        for name in ("words", "views", "times", "finished", "_fills", "_only"):
            setattr(other, name, getattr(self, name).copy())
        other._template = copy.copy(self._template)  # they grow each on their own
        if leave:
            for words in other.words:
                if words[at.AGENT_COUNT]:
                    words[words[at.SLOT_BLOCK] + at.E_SWEEP] = 0
        return other

    def _run(self, active: NDArray[np.bool_]) -> None:
        first = 0
        while True:
            first, count = stepping.run_all(
                self.words, first, active, self.views, self.times, self.finished, self._fills
            )
            if first < len(self.words):
                self._grow(first)
            elif count > len(self._fills):
                self._fills = np.zeros((2 * count, 3), dtype=np.int64)
            else:
                self._fill_count = count
                return

    def _grow(self, full: int) -> None:
        """Give all markets the tables that the full one needs."""
        rows = grown_rows(self.words[full])
        self._template.resize(rows)
        words = self._no_words()
        for index, market in enumerate(self.words):
            if market[at.AGENT_COUNT]:  # it has been started
                words[index] = resized(market, rows)
        self.words = words

    def _no_words(self) -> NDArray[np.int64]:
        """Return room for the markets, none of them started."""
        count, words = len(self.words), len(self._template.words)
        return zeros(count * words).reshape(count, words)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return everything that decides how the markets go on, as copies of plain arrays."""
        return {
            "layout": np.array(layout_digest()),
            "words": self.words.copy(),
            "views": self.views.copy(),
            "times": self.times.copy(),
            "finished": self.finished.copy(),
        }

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of as many markets of the same configuration.

        Raises:
            ValueError: If the state is of another number of markets, or of another version of the engine.
        """
        if str(state["layout"]) != layout_digest():
            raise ValueError(
                f"the state is of another version of the engine: {state['layout']}, this is {layout_digest()}"
            )
        if state["views"].shape != self.views.shape:
            raise ValueError(f"the state is of {len(state['views'])} markets, these are {len(self.views)}")
        self.words = np.array(state["words"])
        for market in self.words:
            if len(market) and market[at.AGENT_COUNT]:  # it has been started, and its tables may have grown
                self._template.resize({offset: int(market[total]) for offset, total, *_ in GROWING})
                break
        self.views[:] = state["views"]
        self.times[:] = state["times"]
        self.finished[:] = state["finished"]
        self._fill_count = 0

    def tape(self, index: int) -> MarketTape:
        """Return what has happened in a market so far: trades, quotes, and the slot's places in the queue."""
        words = self.words[index]
        tape = MarketTape(int(words[at.AGENT_COUNT]) - 1)
        fill_tape(words, tape)
        return tape
