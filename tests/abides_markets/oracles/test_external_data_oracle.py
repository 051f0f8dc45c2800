from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from abides_core import abides
from abides_core.utils import datetime_str_to_ns
from abides_markets.configs import rmsc04
from abides_markets.oracles import BatchDataProvider
from abides_markets.oracles import DataFrameProvider
from abides_markets.oracles import ExternalDataOracle
from abides_markets.oracles import InterpolationStrategy
from abides_markets.oracles import Oracle
from abides_markets.oracles import PointDataProvider

OPEN = datetime_str_to_ns("2021-02-05 09:30:00")
SECOND = 1_000_000_000
CLOSE = OPEN + 100 * SECOND


def series(points: dict[int, float]) -> pd.Series:
    """A series of values by seconds after the open."""
    return pd.Series(list(points.values()), index=pd.to_datetime([OPEN + s * SECOND for s in points]))


def oracle(points: dict[int, float], **parameters: Any) -> ExternalDataOracle:
    return ExternalDataOracle(OPEN, CLOSE, ["X"], data={"X": series(points)}, **parameters)


def at(source: ExternalDataOracle, seconds: float, symbol: str = "X") -> int:
    return source.observe_price(symbol, OPEN + round(seconds * SECOND), sigma_n=0)


class Points:
    """Answers with the second, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def get_fundamental_at(self, symbol: str, timestamp: int) -> int:
        self.asked.append(timestamp)
        return 1000 + (timestamp - OPEN) // SECOND


@pytest.mark.parametrize(
    ("interpolation", "expected"),
    [
        (InterpolationStrategy.FORWARD_FILL, [100, 100, 100, 200, 200]),
        (InterpolationStrategy.NEAREST, [100, 100, 200, 200, 200]),
        (InterpolationStrategy.LINEAR, [100, 140, 160, 200, 200]),
    ],
)
def test_between_the_points(interpolation: InterpolationStrategy, expected: list[int]) -> None:
    source = oracle({0: 100, 10: 200}, interpolation=interpolation)
    assert [at(source, seconds) for seconds in (0, 4, 6, 10, 50)] == expected
    assert source.get_daily_open_price("X", OPEN) == 100


def test_before_the_first_point() -> None:
    with pytest.raises(ValueError, match="No data available for 'X'"):
        at(oracle({5: 100, 10: 200}), 4)
    assert at(oracle({5: 100, 10: 200}, interpolation=InterpolationStrategy.LINEAR), 4) == 100
    assert at(oracle({5: 100, 10: 200}, interpolation=InterpolationStrategy.NEAREST), 4) == 100


def test_nanoseconds_count() -> None:
    source = oracle({0: 0, 1: 1_000_000_000}, interpolation=InterpolationStrategy.LINEAR)
    assert [source.observe_price("X", OPEN + offset, sigma_n=0) for offset in (1, 123_456_789)] == [1, 123_456_789]
    stepped = oracle({0: 1, 1: 2})
    assert [stepped.observe_price("X", OPEN + SECOND + offset, sigma_n=0) for offset in (-1, 0)] == [1, 2]


def test_after_the_close_the_last_value_before_it() -> None:
    source = oracle({0: 100, 99: 200, 100: 900})
    assert at(source, 1000) == at(source, 100) == 200


def test_noise_comes_from_the_observers_stream() -> None:
    source = oracle({0: 100_000})
    sample = [source.observe_price("X", OPEN, np.random.RandomState(seed), sigma_n=400) for seed in range(400)]
    assert np.std(sample) == pytest.approx(20, rel=0.15)
    with pytest.raises(ValueError, match="random_state"):
        source.observe_price("X", OPEN)


def test_any_order_any_zone_and_the_last_of_duplicates() -> None:
    ordered = series({0: 100, 10: 200, 20: 300})
    shuffled = pd.concat([ordered.iloc[[2, 0]], pd.Series([7], index=ordered.index[[1]]), ordered.iloc[[1]]])
    elsewhere = shuffled.set_axis(shuffled.index.tz_localize("UTC").tz_convert("America/New_York"))
    for data in (shuffled, elsewhere):
        source = ExternalDataOracle(OPEN, CLOSE, ["X"], data={"X": data})
        assert [at(source, seconds) for seconds in (0, 10, 20)] == [100, 200, 300]


def test_several_symbols() -> None:
    data = {"X": series({0: 100}), "Y": series({0: 900})}
    source = ExternalDataOracle(OPEN, CLOSE, ["X", "Y"], data=data)
    assert (at(source, 1, "X"), at(source, 1, "Y")) == (100, 900)
    with pytest.raises(ValueError, match="unknown symbol 'Z'; the oracle has: X, Y"):
        at(source, 1, "Z")


def test_a_provider_of_series_is_asked_for_the_session() -> None:
    provider = DataFrameProvider({"X": series({-5: 1, 0: 100, 100: 200, 105: 3})})
    assert isinstance(provider, BatchDataProvider)
    given = provider.get_fundamental_series("X", OPEN, CLOSE)
    assert given.tolist() == [100, 200]
    source = ExternalDataOracle(OPEN, CLOSE, ["X"], provider=provider)
    assert source._mode == "batch"
    assert at(source, 50) == 100


def test_a_provider_of_single_values_is_asked_when_a_value_is_wanted() -> None:
    provider = Points()
    assert isinstance(provider, PointDataProvider)
    source = ExternalDataOracle(OPEN, CLOSE, ["X"], provider=provider, cache_size=2)
    assert source._mode == "point"
    assert provider.asked == []
    assert [at(source, seconds) for seconds in (1, 2, 1)] == [1001, 1002, 1001]
    assert len(provider.asked) == 2
    assert at(source, 3) == 1003  # 2 was used longest ago, and goes
    assert len(source._caches["X"]) == 2
    assert [at(source, 1), at(source, 2)] == [1001, 1002]
    assert len(provider.asked) == 4


def test_what_cannot_be_is_refused() -> None:
    data = {"X": series({0: 1})}
    with pytest.raises(ValueError, match="not both"):
        ExternalDataOracle(OPEN, CLOSE, ["X"], provider=Points(), data=data)
    with pytest.raises(ValueError, match="must be given"):
        ExternalDataOracle(OPEN, CLOSE, ["X"])
    with pytest.raises(TypeError, match="int has neither"):
        ExternalDataOracle(OPEN, CLOSE, ["X"], provider=5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cache_size must be at least 1, got 0"):
        ExternalDataOracle(OPEN, CLOSE, ["X"], provider=Points(), cache_size=0)
    with pytest.raises(ValueError, match="unknown symbol 'Y'; the oracle has: X"):
        ExternalDataOracle(OPEN, CLOSE, ["Y"], data=data)
    with pytest.raises(ValueError, match="empty series for 'X'"):
        ExternalDataOracle(OPEN, CLOSE, ["X"], data={"X": series({-5: 1})})
    with pytest.raises(ValueError, match="'X' needs a time index, got RangeIndex"):
        ExternalDataOracle(OPEN, CLOSE, ["X"], data={"X": pd.Series([1, 2])})
    with pytest.raises(ValueError, match="not finite at 2021-02-05 09:30:01"):
        oracle({0: 1, 1: float("nan")})
    assert isinstance(oracle({0: 1}), Oracle)
    assert oracle({0: 1}).f_log == {}


def test_values_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "values.csv"
    file.write_text("time,cents\n2021-02-05 09:30:00,100\n2021-02-05 09:30:00.5,150\n2021-02-05T09:30:10+00:00,200\n")
    source = ExternalDataOracle.from_csv(OPEN, CLOSE, {"X": file}, interpolation=InterpolationStrategy.NEAREST)
    assert [at(source, seconds) for seconds in (0, 0.5, 9)] == [100, 150, 200]
    file.write_text(f"ns,cents\n{OPEN},100\n{OPEN + 1},150.6\n")
    whole = ExternalDataOracle.from_csv(OPEN, CLOSE, {"X": file})
    assert [whole.observe_price("X", OPEN + offset, sigma_n=0) for offset in (0, 1)] == [100, 151]


@pytest.mark.parametrize("text", [None, "", "time\n1\n", "time,cents\nyesterday,5\n", "time,cents\n2021-02-05,five\n"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "values.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match=r"cannot read times and values from '.*values\.csv'") as caught:
        ExternalDataOracle.from_csv(OPEN, CLOSE, {"X": file})
    assert "\n" not in str(caught.value)


def test_a_market_follows_the_data() -> None:
    config = rmsc04.build_config(seed=1, end_time="09:50:00", log_orders=False)
    rising = {0: 100_000, 600: 101_000, 1200: 101_000}
    data = {"ABM": series(rising)}
    exchange = config["agents"][0]
    config["custom_properties"]["oracle"] = ExternalDataOracle(
        OPEN, exchange.mkt_close, ["ABM"], data=data, interpolation=InterpolationStrategy.LINEAR
    )
    book = abides.run(config)["agents"][0].order_books["ABM"]
    assert 100_500 < book.last_trade < 101_500
