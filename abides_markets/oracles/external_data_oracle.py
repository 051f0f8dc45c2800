"""A fundamental value from data: a series in memory, a file, or whatever answers questions about it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any
from typing import Protocol
from typing import runtime_checkable

import numpy as np
import pandas as pd

from abides_core.utils import NanosecondTime
from abides_markets.oracles.oracle import Oracle
from abides_markets.oracles.oracle import observation
from abides_markets.oracles.oracle import unknown_symbol


class InterpolationStrategy(Enum):
    """What the value is between two points: the earlier point's, the nearer one's, or on the line between them."""

    FORWARD_FILL = "ffill"
    NEAREST = "nearest"
    LINEAR = "linear"


@runtime_checkable
class BatchDataProvider(Protocol):
    """A source that hands out a whole series."""

    def get_fundamental_series(self, symbol: str, start: NanosecondTime, end: NanosecondTime) -> pd.Series:
        """Return the values from `start` to `end` (ns since the epoch, both included), cents, indexed by time."""


@runtime_checkable
class PointDataProvider(Protocol):
    """A source that is asked for one value at a time."""

    def get_fundamental_at(self, symbol: str, timestamp: NanosecondTime) -> int:
        """Return the value at a time (ns since the epoch), cents."""


class DataFrameProvider:
    """Series in memory.

    Args:
        data: For each symbol a series of values in cents, indexed by time (UTC), in any order.

    Raises:
        ValueError: If a series has no time index.
    """

    def __init__(self, data: Mapping[str, pd.Series]) -> None:
        self.data = {symbol: _ordered(symbol, series) for symbol, series in data.items()}

    def get_fundamental_series(self, symbol: str, start: NanosecondTime, end: NanosecondTime) -> pd.Series:
        """Return the values from `start` to `end` (ns since the epoch, both included).

        Raises:
            ValueError: If the symbol is unknown.
        """
        if symbol not in self.data:
            raise unknown_symbol(symbol, self.data)
        return self.data[symbol].loc[pd.Timestamp(start) : pd.Timestamp(end)]


class ExternalDataOracle(Oracle):
    """The fundamental value that data says.

    Args:
        mkt_open: Open, ns since the epoch.
        mkt_close: Close, ns since the epoch; later questions are answered with the value just before it.
        symbols: Traded symbols.
        provider: A source with `get_fundamental_series`, which is asked once a symbol for the session's values, or with
            `get_fundamental_at`, which is asked whenever a value is wanted.
        data: Instead of a provider: for each symbol a series of values in cents, indexed by time (UTC).
        interpolation: What the value is between the points of a series.
        cache_size: Answers of a provider of single values that are kept, for each symbol.

    Raises:
        ValueError: If not exactly one of provider and data is given, if a symbol has no values in the session, or if
            the cache has no room.
        TypeError: If the provider is neither kind.
    """

    def __init__(
        self,
        mkt_open: NanosecondTime,
        mkt_close: NanosecondTime,
        symbols: list[str],
        provider: BatchDataProvider | PointDataProvider | None = None,
        data: Mapping[str, pd.Series] | None = None,
        interpolation: InterpolationStrategy = InterpolationStrategy.FORWARD_FILL,
        cache_size: int = 10_000,
    ) -> None:
        if provider is not None and data is not None:
            raise ValueError("give a provider or data, not both")
        if provider is None:
            if data is None:
                raise ValueError("a provider or data must be given")
            provider = DataFrameProvider(data)
        if cache_size < 1:
            raise ValueError(f"cache_size must be at least 1, got {cache_size}")
        self.mkt_open = mkt_open
        self.mkt_close = mkt_close
        self.symbols = list(symbols)
        self.interpolation = InterpolationStrategy(interpolation)
        self.cache_size = cache_size
        self._provider: Any = provider
        self._series: dict[str, tuple[Any, Any]] = {}
        self._caches: dict[str, OrderedDict[NanosecondTime, int]] = {}
        if isinstance(provider, BatchDataProvider):
            self._mode = "batch"
            self._series = {symbol: self._points(provider, symbol) for symbol in self.symbols}
        elif isinstance(provider, PointDataProvider):
            self._mode = "point"
            self._caches = {symbol: OrderedDict() for symbol in self.symbols}
        else:
            raise TypeError(
                f"a provider has get_fundamental_series or get_fundamental_at; {type(provider).__name__} has neither"
            )

    @classmethod
    def from_csv(
        cls, mkt_open: NanosecondTime, mkt_close: NanosecondTime, files: Mapping[str, str | Path], **parameters: Any
    ) -> ExternalDataOracle:
        """Return an oracle over files.

        Args:
            mkt_open: Open, ns since the epoch.
            mkt_close: Close, ns since the epoch.
            files: For each symbol a CSV file with a header: a time in the first column (ISO 8601, UTC, or whole ns
                since the epoch), cents in the second.
            parameters: `interpolation`.

        Raises:
            ValueError: If a file cannot be read so; the text names it.
        """
        return cls(
            mkt_open,
            mkt_close,
            list(files),
            data={symbol: _read_csv(Path(file)) for symbol, file in files.items()},
            **parameters,
        )

    def get_daily_open_price(self, symbol: str, mkt_open: NanosecondTime, cents: bool = True) -> int:
        """Return the value at `mkt_open` (ns since the epoch), whole cents.

        Raises:
            ValueError: If the symbol is unknown, or there is no value yet at that time.
        """
        return round(self._value(symbol, mkt_open))

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

        Raises:
            ValueError: If the symbol is unknown, or there is no value yet at that time.
        """
        return observation(self._value(symbol, min(current_time, self.mkt_close - 1)), random_state, sigma_n)

    def _points(self, provider: BatchDataProvider, symbol: str) -> tuple[Any, Any]:
        """Return the times (ns since the epoch) and the values of a symbol, in order of time."""
        series = _ordered(symbol, provider.get_fundamental_series(symbol, self.mkt_open, self.mkt_close))
        if series.empty:
            raise ValueError(f"empty series for {symbol!r} from {self.mkt_open} to {self.mkt_close}")
        values = series.to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"the series for {symbol!r} has a value that is not finite at {_first_not_finite(series)}")
        return _times(series), values

    def _value(self, symbol: str, time: NanosecondTime) -> float:
        if symbol not in self.symbols:
            raise unknown_symbol(symbol, self.symbols)
        if self._mode == "point":
            return self._asked(symbol, time)
        times, values = self._series[symbol]
        if self.interpolation is InterpolationStrategy.LINEAR:
            # Offsets from the first point are exact in float64; times since the epoch are not.
            return float(np.interp(time - int(times[0]), times - times[0], values))
        after = int(np.searchsorted(times, time, side="right"))
        if self.interpolation is InterpolationStrategy.FORWARD_FILL:
            if after == 0:
                raise ValueError(f"No data available for {symbol!r} at {time}: the first point is at {times[0]}")
            return float(values[after - 1])
        before = max(after - 1, 0)
        after = min(after, len(times) - 1)
        nearer = before if time - times[before] <= times[after] - time or before == after else after
        return float(values[nearer])

    def _asked(self, symbol: str, time: NanosecondTime) -> int:
        cache = self._caches[symbol]
        if time in cache:
            cache.move_to_end(time)
            return cache[time]
        value = cache[time] = self._provider.get_fundamental_at(symbol, time)
        if len(cache) > self.cache_size:
            cache.popitem(last=False)
        return value


def _ordered(symbol: str, series: pd.Series) -> pd.Series:
    """Return a series in order of time, with the last of the values of one time."""
    index = series.index
    if not isinstance(index, pd.DatetimeIndex):
        raise ValueError(f"the series for {symbol!r} needs a time index, got {type(index).__name__}")
    if index.tz is not None:
        series = series.set_axis(index.tz_convert(None))
    series = series.sort_index(kind="stable")
    return series.loc[~series.index.duplicated(keep="last")]


def _times(series: pd.Series) -> Any:
    index: Any = series.index
    return index.as_unit("ns").asi8


def _first_not_finite(series: pd.Series) -> Any:
    return series.index[~np.isfinite(series.to_numpy(dtype=np.float64))][0]


def _read_csv(file: Path) -> pd.Series:
    try:
        frame = pd.read_csv(file, usecols=[0, 1])
        first = frame.iloc[:, 0]
        whole = pd.api.types.is_integer_dtype(first)
        times = (
            pd.to_datetime(first, unit="ns", utc=True) if whole else pd.to_datetime(first, format="ISO8601", utc=True)
        )
        values = pd.to_numeric(frame.iloc[:, 1])
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"cannot read times and values from {str(file)!r}: {reason}") from error
    return pd.Series(values.to_numpy(), index=pd.DatetimeIndex(times))
