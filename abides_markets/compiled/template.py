"""What the markets of one configuration have in common, to make those of other seeds from it.

To build a thousand agents in Python takes longer than to run their market. Once one market has been built, those of
other seeds are made from its buffer (`build.reseed`), where the configuration draws its seeds as that does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from abides_core.engines import UnsupportedError
from abides_markets.compiled import layout as at
from abides_markets.compiled.buffer import GROWING
from abides_markets.compiled.buffer import Buffer
from abides_markets.compiled.buffer import copied
from abides_markets.compiled.buffer import first_rows
from abides_markets.compiled.buffer import resized
from abides_markets.compiled.build import reseed
from abides_markets.compiled.translate import first_fault
from abides_markets.compiled.translate import is_built_in
from abides_markets.compiled.translate import to_buffer
from abides_markets.utils import config_append_agents

PROBES = (0, 1)
"""Seeds of the two markets that show whether others can be made from the first."""
ROWS_OF_AN_HOUR = {at.HISTORY: 16_384, at.QUOTES: 16_384, at.FILLS: 4_096}
"""Rows that an hour of trading fills: to make tables larger takes longer than to have them larger than needed."""


class MarketTemplate:
    """Makes the buffers of a configuration's markets, each with one agent more than the configuration has.

    Args:
        build: Returns the background of the market of a seed, as a `build_config` does, with latencies that do not
            depend on the seed.
        last: Returns the agent that comes last, given its id; its own stream is not made anew.

    Attributes:
        last: Id of the agent that comes last.

    Raises:
        UnsupportedError: If the compiled engine does not run the background.
    """

    def __init__(self, build: Callable[[int], dict[str, Any]], last: Callable[[int], Any]) -> None:
        self._build = build
        self._new_last = last
        self._background = build(PROBES[0])
        self.last = len(self._background["agents"])
        fault = first_fault(self._background) or _python_fault(self._background)
        if fault is not None:
            raise UnsupportedError(f"the compiled engine does not support {fault}: use engine='reference'")

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration of one of the markets."""
        return self._with_last(self._background)

    @cached_property
    def words(self) -> Buffer:
        """The buffer of one of the markets, before its first event."""
        rows = first_rows(len(self.config["agents"]))
        for table, hour in ROWS_OF_AN_HOUR.items():
            rows[table] = max(rows[table], hour)
        return to_buffer(self.config, rows)

    @cached_property
    def _is_reseedable(self) -> bool:
        return all(self._reseeds_to(seed) for seed in PROBES)

    def market(self, seed: int) -> Buffer:
        """Return the market of a seed, before its first event; raises as `write` does."""
        _check(seed)
        if not self._is_reseedable:
            return self._built(seed)
        words = copied(self.words)
        reseed(words, seed)
        return words

    def write(self, words: Buffer, seed: int) -> None:
        """Write the market of a seed, before its first event, into as many words as the template has.

        Raises:
            ValueError: If the seed is less than 0, or 2**32 or more.
        """
        _check(seed)
        if self._is_reseedable:
            words[:] = self.words
            reseed(words, seed)
        else:
            words[:] = self._built(seed)

    def resize(self, rows: dict[int, int]) -> None:
        """Give the tables of markets written from now on so many rows."""
        self.words = resized(self.words, rows)

    def rows(self) -> dict[int, int]:
        """Return the rows of each growing table, by the name of its offset."""
        return {offset: int(self.words[total]) for offset, total, *_ in GROWING}

    def _built(self, seed: int) -> Buffer:
        return to_buffer(self._with_last(self._build(seed)), self.rows())

    def _with_last(self, background: dict[str, Any]) -> dict[str, Any]:
        return config_append_agents(background, [self._new_last(self.last)])

    def _reseeds_to(self, seed: int) -> bool:
        market = self.words.copy()
        reseed(market, seed)
        return np.array_equal(market, self._built(seed))


def _check(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise ValueError(f"the seed of a market must be at least 0 and less than 2**32, got {seed}")


def _python_fault(background: dict[str, Any]) -> str | None:
    for agent in background["agents"]:
        if not is_built_in(agent):
            return f"agent {agent.id}, of type {type(agent).__name__}, in the background of a template"
    return None
