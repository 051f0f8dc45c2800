"""A mean-reverting fundamental value with one step a nanosecond, all of it computed beforehand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from abides_core.streams import random_state as new_random_state
from abides_core.utils import NanosecondTime
from abides_markets.oracles.oracle import Oracle
from abides_markets.oracles.oracle import observation
from abides_markets.oracles.oracle import unknown_symbol

MAX_STEPS = 1_000_000


class MeanRevertingOracle(Oracle):
    """The discrete process r[t] = max(0, κ·r̄ + (1 − κ)·r[t−1] + ε[t]), r[0] = r̄, ε normal with deviation `sigma_s`.

    It holds a value for every nanosecond of the session, so it is for sessions of up to a millisecond: deprecated in
    favour of `SparseMeanRevertingOracle`, which draws values when they are asked for.

    Args:
        mkt_open: Open, ns since the epoch.
        mkt_close: Close, ns since the epoch, not included.
        symbols: For each symbol `r_bar` (mean, cents), `kappa` (mean reversion a step), `sigma_s` (deviation of a step,
            cents) and, if wanted, `random_state` (stream of the steps).
        random_state: Stream of the seeds of symbols without a stream.

    Attributes:
        r: For each symbol the values, a series of whole cents indexed by time.

    Raises:
        ValueError: If the session is empty or longer than a million steps.
    """

    r: dict[str, Any]

    def __init__(
        self,
        mkt_open: NanosecondTime,
        mkt_close: NanosecondTime,
        symbols: dict[str, dict[str, Any]],
        random_state: np.random.RandomState | None = None,
    ) -> None:
        warnings.warn(
            "MeanRevertingOracle is deprecated: it holds a value for every nanosecond; use SparseMeanRevertingOracle",
            DeprecationWarning,
            stacklevel=2,
        )
        steps = mkt_close - mkt_open
        if steps < 1:
            raise ValueError(f"the session is empty: mkt_open={mkt_open}, mkt_close={mkt_close}")
        if steps > MAX_STEPS:
            raise ValueError(f"a session of {steps} ns exceeds the maximum of {MAX_STEPS} steps")
        self.mkt_open = mkt_open
        self.mkt_close = mkt_close
        self.symbols = with_streams(symbols, random_state)
        index = pd.DatetimeIndex(np.arange(mkt_open, mkt_close, dtype=np.int64).view("datetime64[ns]"))
        self.r = {name: pd.Series(_path(steps, **p), index=index) for name, p in self.symbols.items()}

    def get_daily_open_price(self, symbol: str, mkt_open: NanosecondTime, cents: bool = True) -> int:
        """Return the value at `mkt_open` (ns since the epoch), cents.

        Raises:
            ValueError: If the symbol is unknown.
        """
        return self._value(symbol, mkt_open)

    def observe_price(
        self,
        symbol: str,
        current_time: NanosecondTime,
        random_state: np.random.RandomState | None = None,
        sigma_n: float = 1000,
    ) -> int:
        """Return an observation of the value; from the close on, of the last one.

        Args:
            symbol: Traded symbol.
            current_time: When, ns since the epoch.
            random_state: Stream of the observation's noise; not used if there is none.
            sigma_n: Variance of the noise, cents².

        Returns:
            Whole cents.

        Raises:
            ValueError: If the symbol is unknown, or the time lies before the open.
        """
        return observation(self._value(symbol, current_time), random_state, sigma_n)

    def _value(self, symbol: str, time: NanosecondTime) -> int:
        if symbol not in self.r:
            raise unknown_symbol(symbol, self.r)
        if time < self.mkt_open:
            raise ValueError(f"no value before the open: time {time}, open {self.mkt_open}")
        return int(self.r[symbol].iloc[min(time, self.mkt_close - 1) - self.mkt_open])


def with_streams(
    symbols: dict[str, dict[str, Any]], random_state: np.random.RandomState | None
) -> dict[str, dict[str, Any]]:
    """Return a copy of symbols' parameters in which every symbol has a stream.

    Args:
        symbols: Parameters by symbol; a symbol may bring its stream as `random_state`.
        random_state: Stream of the seeds of the others, by default one seeded with 0.
    """
    seeds = random_state if random_state is not None else new_random_state(0)
    copied = {name: dict(parameters) for name, parameters in symbols.items()}
    for parameters in copied.values():
        if parameters.get("random_state") is None:
            parameters["random_state"] = new_random_state(int(seeds.randint(0, 2**32, dtype=np.uint64)))
    return copied


def _path(steps: int, r_bar: float, kappa: float, sigma_s: float, random_state: np.random.RandomState) -> Any:
    shocks = random_state.normal(scale=sigma_s, size=steps).tolist()
    values = np.empty(steps)
    value = values[0] = r_bar
    for step in range(1, steps):
        value = values[step] = max(0.0, kappa * r_bar + (1 - kappa) * value + shocks[step])
    return np.rint(values).astype(np.int64)
