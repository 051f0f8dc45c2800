from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from abides_markets.generators import ConstantDepthGenerator
from abides_markets.generators import ConstantOrderSizeGenerator
from abides_markets.generators import OrderDepthGenerator
from abides_markets.generators import OrderSizeGenerator
from abides_markets.generators import UniformDepthGenerator
from abides_markets.generators import UniformOrderSizeGenerator

UNIFORM = [(UniformOrderSizeGenerator, "order_size"), (UniformDepthGenerator, "order_depth")]


def test_constants() -> None:
    size, depth = ConstantOrderSizeGenerator(10), ConstantDepthGenerator(10)
    assert size.next() == size.mean() == depth.next() == depth.mean() == 10
    assert isinstance(size, OrderSizeGenerator)
    assert isinstance(depth, OrderDepthGenerator)


@pytest.mark.parametrize(("kind", "name"), UNIFORM)
def test_both_ends_are_drawn_and_the_mean_lies_between(kind: Any, name: str) -> None:
    generator = kind(3, 6, np.random.RandomState(1))
    draws = [generator.next() for _ in range(4000)]
    assert set(draws) == {3, 4, 5, 6}
    assert generator.mean() == 4.5
    assert np.mean(draws) == pytest.approx(4.5, abs=0.1)
    assert kind(0, 10, np.random.RandomState(1)).mean() == 5
    assert getattr(generator, f"{name}_max") == 7
    with pytest.raises(ValueError, match=f"{name}_max must not be less than {name}_min, got 6 to 3"):
        kind(6, 3, np.random.RandomState(1))


@pytest.mark.parametrize(("kind", "name"), UNIFORM)
def test_the_stream_may_be_replaced(kind: Any, name: str) -> None:
    generator = kind(**{f"{name}_min": 0, f"{name}_max": 99, "random_generator": np.random.RandomState(1)})
    first = [generator.next() for _ in range(5)]
    generator.random_generator = np.random.RandomState(1)
    assert [generator.next() for _ in range(5)] == first
