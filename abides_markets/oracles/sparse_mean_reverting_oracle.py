"""A mean-reverting fundamental value with rare shocks, evaluated only when asked.

An Ornstein–Uhlenbeck process observed at the times of the questions, with "megashocks" added at the times of a Poisson
process; after Byrd, Explaining Agent-Based Financial Market Simulation (arXiv 1909.11650).
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np

from abides_core.streams import random_state as new_random_state
from abides_core.utils import NanosecondTime
from abides_markets.oracles.mean_reverting_oracle import MeanRevertingOracle
from abides_markets.oracles.mean_reverting_oracle import with_streams
from abides_markets.oracles.oracle import observation
from abides_markets.oracles.oracle import unknown_symbol


class SparseMeanRevertingOracle(MeanRevertingOracle):
    """The fundamental value of each symbol.

    The path depends on when it is asked for, because it is drawn at those times.

    Args:
        mkt_open: Open, ns since the epoch.
        mkt_close: Close, ns since the epoch; later questions are answered with the value just before it.
        symbols: For each symbol `r_bar` (mean, cents), `kappa` (mean reversion, per ns), `fund_vol` (volatility, cents
            per √ns), `megashock_lambda_a` (rate, per ns), `megashock_mean` (cents), `megashock_var` (cents²) and, if
            wanted, `drift` (cents per ns) and `random_state` (stream of the values).
        random_state: Stream of the times of shocks, and of the seeds of symbols without a stream.
        f_log_maxlen: Evaluations kept of each symbol, the newest; by default all.
        whole_cents: Whether the value is rounded at every evaluation, as in the reference market, whose tape depends on
            it: asked for often, a slow fundamental then stands still. If not, only what is observed is rounded.

    Attributes:
        r: Last `(time, value)` by symbol.
        f_log: All evaluations by symbol, dicts of `FundamentalTime` and `FundamentalValue`.
        megashocks: Shocks by symbol, the last being the next one due.
    """

    f_log: dict[str, Any]  # type: ignore[misc]

    def __init__(
        self,
        mkt_open: NanosecondTime,
        mkt_close: NanosecondTime,
        symbols: dict[str, dict[str, Any]],
        random_state: np.random.RandomState | None = None,
        f_log_maxlen: int | None = None,
        whole_cents: bool = True,
    ) -> None:
        self.mkt_open = mkt_open
        self.mkt_close = mkt_close
        self.random_state = random_state if random_state is not None else new_random_state(0)
        self.whole_cents = whole_cents
        self.symbols = with_streams(symbols, self.random_state)
        self.r: dict[str, tuple[NanosecondTime, float]] = {}
        self.f_log = {}
        self.megashocks: dict[str, list[dict[str, Any]]] = {}
        for symbol, parameters in self.symbols.items():
            parameters.setdefault("drift", 0.0)
            self.r[symbol] = (mkt_open, parameters["r_bar"])
            first = {"FundamentalTime": mkt_open, "FundamentalValue": parameters["r_bar"]}
            self.f_log[symbol] = [first] if f_log_maxlen is None else deque([first], maxlen=f_log_maxlen)
            self.megashocks[symbol] = [self._next_shock(symbol, mkt_open)]

    def _next_shock(self, symbol: str, after: NanosecondTime) -> dict[str, Any]:
        parameters = self.symbols[symbol]
        rate = parameters["megashock_lambda_a"]
        if rate == 0:
            return {"MegashockTime": math.inf, "MegashockValue": 0.0}
        time = after + max(1, int(self.random_state.exponential(scale=1.0 / rate)))
        stream = parameters["random_state"]
        value = stream.normal(loc=parameters["megashock_mean"], scale=math.sqrt(parameters["megashock_var"]))
        if stream.randint(2) != 0:
            value = -value
        return {"MegashockTime": time, "MegashockValue": value}

    def compute_fundamental_at_timestamp(
        self, ts: NanosecondTime, v_adj: float, symbol: str, pt: NanosecondTime, pv: float
    ) -> float:
        """Draw the value at `ts` given the value `pv` at `pt`, add `v_adj`, and note it.

        Over d ns the value is normal with mean μ + (pv − μ)·e^(−κd) and variance θ²/(2κ)·(1 − e^(−2κd)), or, without
        mean reversion, pv and θ²·d. A drift adds its rate times d.
        """
        parameters = self.symbols[symbol]
        mean, reversion, volatility = parameters["r_bar"], parameters["kappa"], parameters["fund_vol"]
        elapsed = ts - pt
        if reversion == 0:
            center, variance = pv, volatility**2 * elapsed
        else:
            center = mean + (pv - mean) * math.exp(-reversion * elapsed)
            variance = volatility**2 / (2 * reversion) * (1 - math.exp(-2 * reversion * elapsed))
        center += parameters["drift"] * elapsed
        value = parameters["random_state"].normal(loc=center, scale=math.sqrt(variance)) + v_adj
        value = max(0.0, value)
        if self.whole_cents:
            value = round(value)
        self.r[symbol] = (ts, value)
        self.f_log[symbol].append({"FundamentalTime": ts, "FundamentalValue": value})
        return value

    def advance_fundamental_value_series(self, current_time: NanosecondTime, symbol: str) -> float:
        """Return the value at `current_time`, drawing it and any shocks on the way there.

        Raises:
            ValueError: If the symbol is unknown.
        """
        if symbol not in self.r:
            raise unknown_symbol(symbol, self.r)
        time, value = self.r[symbol]
        if current_time <= time:
            return value
        shocks = self.megashocks[symbol]
        while shocks[-1]["MegashockTime"] <= current_time:
            shock = shocks[-1]
            value = self.compute_fundamental_at_timestamp(
                shock["MegashockTime"], shock["MegashockValue"], symbol, time, value
            )
            time = shock["MegashockTime"]
            shocks.append(self._next_shock(symbol, time))
        if time == current_time:
            return value
        return self.compute_fundamental_at_timestamp(current_time, 0, symbol, time, value)

    def get_daily_open_price(self, symbol: str, mkt_open: NanosecondTime, cents: bool = True) -> int:
        """Return the mean of the fundamental, which is its value at the open, cents; the time is not looked at.

        Raises:
            ValueError: If the symbol is unknown.
        """
        if symbol not in self.symbols:
            raise unknown_symbol(symbol, self.symbols)
        return int(self.symbols[symbol]["r_bar"])

    def observe_price(
        self,
        symbol: str,
        current_time: NanosecondTime,
        random_state: np.random.RandomState | None = None,
        sigma_n: float = 1000,
    ) -> int:
        """Return an observation of the value.

        Args:
            symbol: Traded symbol.
            current_time: When, ns since the epoch.
            random_state: Stream of the observation's noise; not used if there is none.
            sigma_n: Variance of the noise, cents².

        Returns:
            Whole cents.
        """
        value = self.advance_fundamental_value_series(min(current_time, self.mkt_close - 1), symbol)
        return observation(value, random_state, sigma_n)
