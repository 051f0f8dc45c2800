from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from abides_gym.envs.market_features import LARGEST
from abides_gym.envs.market_features import MarketFeatures
from abides_gym.envs.market_features import box
from abides_gym.envs.market_features import observation
from abides_markets.agents.utils import get_mid_price
from abides_markets.agents.utils import list_dict_flip
from tests.abides_gym.markets import books

prices = st.integers(1, 10**6)
sides = st.lists(st.tuples(prices, st.integers(1, 10**6)), max_size=3)
histories = st.lists(st.tuples(sides, sides, st.none() | prices), min_size=1, max_size=6)


@given(histories)
def test_the_returns_add_up_to_the_change_of_the_mid(history: list[tuple[list, list, int | None]]) -> None:
    market = MarketFeatures.of(list_dict_flip(books(*history)), len(history))
    known = [mid for book in history if (mid := get_mid_price(*book)) is not None]
    assert len(market.returns) == len(history) - 1
    assert sum(market.returns) == (known[-1] - known[0] if known else 0)
    assert market.mid is None or market.mid == get_mid_price(*history[-1])


@given(histories)
def test_the_spread_counts_the_mid_for_a_missing_side(history: list[tuple[list, list, int | None]]) -> None:
    bids, asks, last = history[-1]
    market = MarketFeatures.of(list_dict_flip(books(*history)), len(history))
    assert market.spread == (asks[0][0] - bids[0][0] if bids and asks else 0)
    assert market.direction == (0 if market.mid is None or last is None else market.mid - last)


@given(st.lists(st.floats(allow_nan=False), min_size=4, max_size=4))
def test_an_observation_is_within_its_bounds(values: list[float]) -> None:
    space = box((-2, 1), (0, 1), unbounded=2)
    column = observation(values, space)
    assert space.shape == column.shape == (4, 1)
    assert space.low.ravel().tolist() == [-2, 0, -LARGEST, -LARGEST]
    assert space.high.ravel().tolist() == [1, 1, LARGEST, LARGEST]
    assert space.contains(column)
    assert np.isfinite(column).all()
    assert [c for c, v in zip(column.ravel(), values, strict=True) if abs(v) <= 1 and v >= 0] == [
        np.float32(v) for v in values if abs(v) <= 1 and v >= 0
    ]
