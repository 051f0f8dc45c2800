from __future__ import annotations

import numpy as np
import pytest

from abides_core.generators import ConstantTimeGenerator
from abides_core.generators import InterArrivalTimeGenerator
from abides_core.generators import PoissonTimeGenerator


def test_constant_gaps() -> None:
    generator = ConstantTimeGenerator(10)
    assert generator.next() == generator.mean() == generator.mean_ns() == 10
    assert isinstance(generator, InterArrivalTimeGenerator)


@pytest.mark.parametrize(
    ("rate", "mean", "tolerance"), [({"lambda_freq": 10}, 0.1, 0.001), ({"lambda_time": 10}, 10, 0.1)]
)
def test_poisson_gaps(rate: dict[str, float], mean: float, tolerance: float) -> None:
    generator = PoissonTimeGenerator(np.random.RandomState(42), **rate)
    assert generator.mean() == pytest.approx(mean)
    assert generator.mean_ns() == round(mean * 10**9)
    sample = sum(generator.next() for _ in range(100_000)) / 100_000
    assert sample / 10**9 == pytest.approx(mean, abs=tolerance)


def test_the_stream_may_be_replaced() -> None:
    generator = PoissonTimeGenerator(random_generator=np.random.RandomState(1), lambda_time=2)
    first = [generator.next() for _ in range(3)]
    generator.random_generator = np.random.RandomState(1)
    assert [generator.next() for _ in range(3)] == first


@pytest.mark.parametrize("rates", [{}, {"lambda_freq": 1, "lambda_time": 1}])
def test_exactly_one_rate(rates: dict[str, float]) -> None:
    with pytest.raises(AssertionError, match="exactly one"):
        PoissonTimeGenerator(np.random.RandomState(0), **rates)
