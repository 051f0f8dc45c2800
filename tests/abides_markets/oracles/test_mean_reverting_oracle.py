from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from abides_markets.oracles import MeanRevertingOracle
from abides_markets.oracles import Oracle

pytestmark = pytest.mark.filterwarnings("ignore:MeanRevertingOracle is deprecated")
OPEN = 1_612_517_400_000_000_000


def oracle(seed: int = 0, steps: int = 1000, **changes: Any) -> MeanRevertingOracle:
    symbols = {"X": {"r_bar": 100_000, "kappa": 0.05, "sigma_s": 100, **changes}}
    return MeanRevertingOracle(OPEN, OPEN + steps, symbols, np.random.RandomState(seed))


def test_one_whole_cent_for_every_nanosecond() -> None:
    series = oracle().r["X"]
    assert len(series) == 1000
    assert series.dtype == np.int64
    assert isinstance(series.index, pd.DatetimeIndex)
    assert [series.index[0].value, series.index[-1].value] == [OPEN, OPEN + 999]
    assert series.iloc[0] == 100_000
    assert (oracle(r_bar=10).r["X"] >= 0).all()


def test_the_path_follows_the_recursion() -> None:
    stream = np.random.RandomState(4)
    shocks = stream.normal(scale=100, size=6)
    value, expected = 100_000.0, [100_000]
    for shock in shocks[1:]:
        value = 0.05 * 100_000 + 0.95 * value + shock
        expected.append(round(value))
    assert oracle(steps=6, random_state=np.random.RandomState(4)).r["X"].tolist() == expected


def test_it_reverts_to_the_mean() -> None:
    series = oracle(steps=50_000).r["X"]
    assert series.mean() == pytest.approx(100_000, abs=60)
    assert series.std() == pytest.approx(100 / np.sqrt(1 - 0.95**2), rel=0.05)


def test_observations() -> None:
    source = oracle()
    values = source.r["X"].tolist()
    assert isinstance(source, Oracle)
    assert source.get_daily_open_price("X", OPEN) == 100_000
    assert source.get_daily_open_price("X", OPEN + 7) == values[7]
    seen = [source.observe_price("X", OPEN + offset, sigma_n=0) for offset in (0, 500, 999, 1000, 10**9)]
    assert seen == [values[0], values[500], values[999], values[999], values[999]]
    noisy = [source.observe_price("X", OPEN, np.random.RandomState(seed), sigma_n=10_000) for seed in range(300)]
    assert np.std(noisy) == pytest.approx(100, rel=0.15)


def test_the_seed_decides() -> None:
    assert oracle(1).r["X"].equals(oracle(1).r["X"])
    assert not oracle(1).r["X"].equals(oracle(2).r["X"])


def test_the_callers_parameters_are_left_alone() -> None:
    symbols: dict[str, Any] = {"X": {"r_bar": 1000, "kappa": 0.05, "sigma_s": 1}}
    MeanRevertingOracle(OPEN, OPEN + 5, symbols)
    assert symbols == {"X": {"r_bar": 1000, "kappa": 0.05, "sigma_s": 1}}


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="2000000 ns exceeds the maximum of 1000000"):
        oracle(steps=2_000_000)
    with pytest.raises(ValueError, match="empty"):
        oracle(steps=0)
    with pytest.raises(ValueError, match="unknown symbol 'Y'; the oracle has: X"):
        oracle().observe_price("Y", OPEN, sigma_n=0)
    with pytest.raises(ValueError, match="before the open"):
        oracle().observe_price("X", OPEN - 1, sigma_n=0)
    with pytest.raises(ValueError, match="random_state"):
        oracle().observe_price("X", OPEN)


def test_a_better_one_is_named() -> None:
    with pytest.warns(DeprecationWarning, match="deprecated.*SparseMeanRevertingOracle"):
        oracle()
