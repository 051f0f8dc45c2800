from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from abides_markets.models import OrderSizeModel


def test_sizes_have_the_law_of_the_mixture() -> None:
    model, stream = OrderSizeModel(), np.random.RandomState(1)
    sizes = [model.sample(stream) for _ in range(20_000)]
    assert all(type(size) is int and size >= 0 for size in sizes)
    share = {size: count / len(sizes) for size, count in Counter(sizes).items()}
    assert share[100] == pytest.approx(0.7, abs=0.015)
    assert share[200] == pytest.approx(0.06, abs=0.006)
    assert share[400] == pytest.approx(0.0329, abs=0.005)
    assert np.mean(sizes) == pytest.approx(106, abs=2)
    odd = [size for size in sizes if size % 100]
    assert np.median(odd) == pytest.approx(np.exp(2.9), rel=0.06)


def test_a_size_is_a_function_of_the_callers_stream_alone() -> None:
    model = OrderSizeModel()
    first = [model.sample(np.random.RandomState(seed)) for seed in range(50)]
    model.sample(np.random.RandomState(99))
    assert [model.sample(np.random.RandomState(seed)) for seed in range(50)] == first
    assert [OrderSizeModel().sample(np.random.RandomState(seed)) for seed in range(50)] == first


def test_two_draws_are_taken_from_the_callers_stream() -> None:
    stream, expected = np.random.RandomState(3), np.random.RandomState(3)
    OrderSizeModel().sample(stream)
    expected.randint(1_000_000)
    expected.random_sample()
    assert stream.rand() == expected.rand()


def test_sizes_may_be_bounded_and_nothing_else_changes() -> None:
    seeds = range(3000)
    free = [OrderSizeModel().sample(np.random.RandomState(seed)) for seed in seeds]
    bounded = [OrderSizeModel(least=2, most=300).sample(np.random.RandomState(seed)) for seed in seeds]
    assert min(free) < 2
    assert max(free) > 300
    assert bounded == [min(max(size, 2), 300) for size in free]
    for least, most in ((-1, None), (5, 4)):
        with pytest.raises(ValueError, match=f"got least={least}, most={most}"):
            OrderSizeModel(least, most)
