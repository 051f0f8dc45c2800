from __future__ import annotations

import numpy as np

from abides_markets.compiled.layout import NONE
from abides_markets.compiled.sizes import draw_sizes
from abides_markets.compiled.streams import WORDS
from abides_markets.compiled.streams import random_sample


def test_first_draws_are_those_of_numpy_and_leave_what_is_set() -> None:
    laws = np.array([[seed, low, high] for seed in (0, 5, 2**32 - 1) for low, high in ((20, 50), (1, 10), (3, 4))])
    count = len(laws)
    buffer = np.full(count + count * WORDS, NONE, dtype=np.int64)
    buffer[1] = 77
    starts = count + WORDS * np.arange(count)
    draw_sizes(buffer, buffer.view(np.uint32), np.arange(count), starts, laws)
    for index, (seed, low, high) in enumerate(laws.tolist()):
        stream = np.random.RandomState(seed)
        size = stream.randint(low, high)
        assert buffer[index] == (77 if index == 1 else size)
        assert random_sample(buffer, buffer.view(np.uint32), starts[index]) == stream.random_sample()
