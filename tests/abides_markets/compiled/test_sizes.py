from __future__ import annotations

import numba
import numpy as np
import pytest

from abides_markets.compiled import jit
from abides_markets.compiled import streams
from abides_markets.compiled.layout import NONE
from abides_markets.compiled.layout import YOUNG_SCRATCH
from abides_markets.compiled.sizes import draw_sizes
from abides_markets.compiled.streams import HELD
from abides_markets.compiled.streams import POSITION
from abides_markets.compiled.streams import WORDS
from abides_markets.compiled.streams import seed_streams
from abides_markets.compiled.streams import seed_young_streams

random_sample = numba.njit(streams.random_sample, **jit.OPTIONS)


@pytest.mark.parametrize("young", [False, True])
def test_first_draws_are_those_of_numpy_and_leave_what_is_set(young: bool) -> None:
    laws = [(seed, low, high) for seed in (0, 5, 2**32 - 1) for low, high in ((20, 50), (1, 10), (3, 4))]
    targets = YOUNG_SCRATCH + 1
    scratch = targets + len(laws)
    starts = scratch + WORDS + WORDS * np.arange(len(laws))
    buffer = np.zeros(starts[-1] + WORDS, dtype=np.int64)
    buffer[YOUNG_SCRATCH], buffer[scratch + HELD] = scratch, NONE
    buffer[targets : targets + len(laws)] = NONE
    buffer[targets + 1] = 77
    seed = seed_young_streams if young else seed_streams
    seed(buffer, buffer.view(np.uint32), starts, np.array([law[0] for law in laws]))
    rows = np.array([(targets + i, starts[i], *law[1:]) for i, law in enumerate(laws)])
    draw_sizes(buffer, buffer.view(np.uint32), rows)
    for index, (of_stream, low, high) in enumerate(laws):
        stream = np.random.RandomState(of_stream)
        size = stream.randint(low, high)
        assert buffer[targets + index] == (77 if index == 1 else size)
        assert random_sample(buffer, buffer.view(np.uint32), starts[index]) == stream.random_sample()
        assert (buffer[starts[index] + POSITION] < 0) == young
