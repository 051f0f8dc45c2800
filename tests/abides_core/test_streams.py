from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abides_core.streams import random_state


@given(st.integers(0, 2**32 - 1))
def test_a_cheap_stream_is_numpys(seed: int) -> None:
    cheap, numpys = random_state(seed), np.random.RandomState(seed)
    for draw in ("rand", "randn", "standard_exponential"):
        assert (
            getattr(cheap, draw)(5) if draw != "standard_exponential" else cheap.standard_exponential(5)
        ).tolist() == (getattr(numpys, draw)(5).tolist())
    assert cheap.randint(0, 2**32, dtype=np.uint64) == numpys.randint(0, 2**32, dtype=np.uint64)
    assert cheap.normal(3, 2) == numpys.normal(3, 2)
    assert cheap.lognormal(2.9, 1.2) == numpys.lognormal(2.9, 1.2)


def test_streams_do_not_share_state() -> None:
    first, second = random_state(1), random_state(1)
    first.rand(700)
    assert second.rand() == np.random.RandomState(1).rand()


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range(seed: int) -> None:
    with pytest.raises(ValueError):
        random_state(seed)
