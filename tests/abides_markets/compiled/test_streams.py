"""Compiled streams draw what `numpy.random.RandomState` draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abides_markets.compiled import random_states
from abides_markets.compiled.random_states import Stored
from abides_markets.compiled.random_states import load
from abides_markets.compiled.random_states import store
from abides_markets.compiled.streams import WORDS
from abides_markets.compiled.streams import exponential
from abides_markets.compiled.streams import first_gauss
from abides_markets.compiled.streams import gauss
from abides_markets.compiled.streams import randint
from abides_markets.compiled.streams import random_sample
from abides_markets.compiled.streams import seed_stream

BUFFER = np.zeros(2 * WORDS, dtype=np.int64)
FLOATS, HALVES = BUFFER.view(np.float64), BUFFER.view(np.uint32)


@given(seed=st.integers(0, 2**32 - 1), kinds=st.lists(st.integers(0, 5), max_size=60), turns=st.integers(0, 40))
def test_draws_are_those_of_numpy(seed: int, kinds: list[int], turns: int) -> None:
    stream = np.random.RandomState(seed)
    seed_stream(BUFFER, HALVES, 0, seed)
    for _ in range(turns * 20):  # beyond the first 624 words
        assert random_sample(BUFFER, HALVES, 0) == stream.random_sample()
    for kind in kinds:
        if kind == 0:
            assert random_sample(BUFFER, HALVES, 0) == stream.random_sample()
        elif kind == 1:
            assert randint(BUFFER, HALVES, 0, 0, 100) == stream.randint(0, 100)
        elif kind == 2:
            assert exponential(BUFFER, HALVES, 0, 3.7e11) == stream.exponential(3.7e11)
        elif kind == 3:
            assert 5 + 2.5 * gauss(BUFFER, FLOATS, HALVES, 0) == stream.normal(5, 2.5)
        elif kind == 4:
            assert randint(BUFFER, HALVES, 0, 0, 2**32) == stream.randint(0, 2**32, dtype=np.uint64)
        else:
            assert randint(BUFFER, HALVES, 0, -3, 2**40) == stream.randint(-3, 2**40)


def test_a_range_of_one_draws_nothing() -> None:
    seed_stream(BUFFER, HALVES, 0, 3)
    assert randint(BUFFER, HALVES, 0, 5, 6) == 5
    assert random_sample(BUFFER, HALVES, 0) == np.random.RandomState(3).random_sample()


@given(seed=st.integers(0, 999_999))
def test_the_first_normal_value_of_a_fresh_stream(seed: int) -> None:
    first = first_gauss(HALVES, WORDS, seed)
    assert first == np.random.RandomState(seed).normal()
    assert math.exp(2.9 + 1.2 * first) == np.random.RandomState(seed).lognormal(2.9, 1.2)


@pytest.mark.parametrize("in_memory", [True, False])
def test_states_go_in_and_out(in_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_states, "IN_MEMORY", in_memory)
    for draws_normals in (True, False):
        given_stream, expected, target = (np.random.RandomState(seed) for seed in (11, 11, 12))
        for stream in (given_stream, expected):
            stream.random_sample(400)
        load(BUFFER, WORDS, given_stream, draws_normals)
        assert random_sample(BUFFER, HALVES, WORDS) == expected.random_sample()
        store(BUFFER, WORDS, target, draws_normals)
        made = Stored(BUFFER, WORDS, draws_normals).make()
        draws = expected.random_sample(1000).tolist()
        assert target.random_sample(1000).tolist() == made.random_sample(1000).tolist() == draws


def test_the_second_normal_value_goes_along() -> None:
    given_stream, expected, target = (np.random.RandomState(seed) for seed in (11, 11, 12))
    assert given_stream.normal() == expected.normal()
    load(BUFFER, 0, given_stream, draws_normals=True)
    store(BUFFER, 0, target, draws_normals=True)
    assert target.normal(size=3).tolist() == expected.normal(size=3).tolist()


def test_numpy_keeps_its_words_where_they_are_looked_for() -> None:
    assert random_states.IN_MEMORY
