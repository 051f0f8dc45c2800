"""Rows of views, and the words that compiled code sees of them."""

from __future__ import annotations

import numpy as np
import pytest

from agents.views import VIEW
from agents.views import copy_of
from agents.views import words_of


def test_words_are_the_memory_of_their_rows_whatever_those_are_part_of() -> None:
    count = VIEW.itemsize // 8
    numbers = np.arange(6 * count, dtype=np.int64).reshape(6, count)
    rows = numbers.view(VIEW)[:, 0]
    for some in (rows, rows[2:5], rows[:1], rows[[4, 1]], copy_of(rows), rows.copy()):
        words = words_of(some)
        assert words.shape == (len(some), count)
        assert np.shares_memory(words, some)
        assert words[:, 0].tolist() == some["elapsed"].tolist()
        assert words[:, -1].tolist() == some["mid2_past"][:, -1].tolist()
    assert not np.shares_memory(copy_of(rows), rows)
    wide = np.zeros((6, 2 * count), dtype=np.int64).view(VIEW)
    for apart in (rows[::-1], rows[::2], wide[:, 1]):
        with pytest.raises(ValueError, match="contiguous"):
            words_of(apart)
