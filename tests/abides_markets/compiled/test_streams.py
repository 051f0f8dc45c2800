"""Compiled streams draw what `numpy.random.RandomState` draws."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abides_markets.compiled import jit
from abides_markets.compiled import layout as at
from abides_markets.compiled import random_states
from abides_markets.compiled import streams as native
from abides_markets.compiled.random_states import Stored
from abides_markets.compiled.random_states import load
from abides_markets.compiled.random_states import store
from abides_markets.compiled.streams import EARLY
from abides_markets.compiled.streams import HAS_GAUSS
from abides_markets.compiled.streams import HELD
from abides_markets.compiled.streams import LANES
from abides_markets.compiled.streams import POSITION
from abides_markets.compiled.streams import STATE
from abides_markets.compiled.streams import WORDS
from abides_markets.compiled.streams import YOUNG_WORDS
from abides_markets.compiled.streams import seed_streams
from abides_markets.compiled.streams import seed_young_streams

exponential, first_gauss, gauss, next_word, randint, random_sample, seed_stream = (
    numba.njit(part, **jit.OPTIONS)
    for part in (
        native.exponential,
        native.first_gauss,
        native.gauss,
        native.next_word,
        native.randint,
        native.random_sample,
        native.seed_stream,
    )
)
FULL, OTHER_FULL, SCRATCH = (at.HEADER + WORDS * index for index in range(3))
YOUNG, OTHER_YOUNG = (SCRATCH + WORDS + YOUNG_WORDS * index for index in range(2))
BUFFER = np.zeros(OTHER_YOUNG + YOUNG_WORDS, dtype=np.int64)
BUFFER[at.YOUNG_SCRATCH] = SCRATCH
BUFFER[SCRATCH + HELD] = at.NONE
FLOATS, HALVES = BUFFER.view(np.float64), BUFFER.view(np.uint32)


def seed_young(s: int, seed: int, drawn: int = 0) -> None:
    seed_young_streams(BUFFER, HALVES, np.array([s]), np.array([seed]))
    BUFFER[s + POSITION] -= drawn


def assert_draws_are_those_of_numpy(s: int, stream: np.random.RandomState, kinds: list[int]) -> None:
    for kind in kinds:
        if kind == 0:
            assert random_sample(BUFFER, HALVES, s) == stream.random_sample()
        elif kind == 1:
            assert randint(BUFFER, HALVES, s, 0, 100) == stream.randint(0, 100)
        elif kind == 2:
            assert exponential(BUFFER, HALVES, s, 3.7e11) == stream.exponential(3.7e11)
        elif kind == 3:
            assert 5 + 2.5 * gauss(BUFFER, FLOATS, HALVES, s) == stream.normal(5, 2.5)
        elif kind == 4:
            assert randint(BUFFER, HALVES, s, 0, 2**32) == stream.randint(0, 2**32, dtype=np.uint64)
        else:
            assert randint(BUFFER, HALVES, s, -3, 2**40) == stream.randint(-3, 2**40)


SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.lists(st.integers(0, 5), max_size=60)


@given(seed=SEEDS, kinds=KINDS, turns=st.integers(0, 40))
def test_draws_are_those_of_numpy(seed: int, kinds: list[int], turns: int) -> None:
    stream = np.random.RandomState(seed)
    seed_stream(BUFFER, HALVES, FULL, seed)
    for _ in range(turns * 20):  # beyond the first 624 words
        assert random_sample(BUFFER, HALVES, FULL) == stream.random_sample()
    assert_draws_are_those_of_numpy(FULL, stream, kinds)


@given(seeds=st.tuples(SEEDS, SEEDS), drawn=st.integers(0, 2000), kinds=st.lists(KINDS, max_size=4))
def test_young_streams_draw_what_numpy_draws_in_turn_and_are_left_as_numpy_leaves_them(
    seeds: tuple[int, int], drawn: int, kinds: list[list[int]]
) -> None:
    streams = {YOUNG: np.random.RandomState(seeds[0]), OTHER_YOUNG: np.random.RandomState(seeds[1])}
    for s, seed in zip(streams, seeds, strict=True):
        seed_young(s, seed, drawn)
        streams[s].randint(0, 2**32, size=drawn, dtype=np.uint32)
    for kind in kinds:
        for s, stream in streams.items():
            assert_draws_are_those_of_numpy(s, stream, kind)
    for s, stream in streams.items():
        expected = stream.get_state(legacy=False)
        left = Stored(BUFFER, s, draws_normals=True).make().get_state(legacy=False)
        assert (left["state"]["key"] == expected["state"]["key"]).all()
        assert left["state"]["pos"] == expected["state"]["pos"]
        assert left["has_gauss"] == expected["has_gauss"]
        assert left["gauss"] == expected["gauss"] or not left["has_gauss"]


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_every_word_of_a_young_stream(seed: int) -> None:
    """Those made without turning the state over, those of the first state beyond, and those of later ones."""
    expected = np.random.RandomState(seed)
    seed_young(YOUNG, seed)
    words = [next_word(BUFFER, HALVES, YOUNG) for _ in range(3 * STATE)]
    assert words == expected.randint(0, 2**32, size=3 * STATE, dtype=np.uint32).tolist()
    seed_young(YOUNG, seed)  # back at the first words, of which the scratch room holds a later state
    assert next_word(BUFFER, HALVES, YOUNG) == words[0]


@pytest.mark.parametrize("count", [0, 1, LANES - 1, LANES, LANES + 1])
def test_streams_seeded_side_by_side_are_those_seeded_alone(count: int) -> None:
    buffer = np.zeros(count * (WORDS + YOUNG_WORDS) + WORDS, dtype=np.int64)
    floats, halves = buffer.view(np.float64), buffer.view(np.uint32)
    full, young = np.arange(count) * WORDS, count * WORDS + np.arange(count) * YOUNG_WORDS
    seeds = np.random.default_rng(count).integers(2**32, size=count)
    buffer[full + HAS_GAUSS] = 1  # a stream may be in use, with a normal value waiting
    seed_streams(buffer, halves, full, seeds)
    seed_young_streams(buffer, halves, young, seeds)
    for s, other, seed in zip(full, young, seeds, strict=True):
        expected = np.random.RandomState(seed)
        words = [next_word(buffer, halves, s) for _ in range(EARLY)]
        assert words == [next_word(buffer, halves, other) for _ in range(EARLY)]
        assert words == expected.randint(0, 2**32, size=EARLY, dtype=np.uint32).tolist()
        assert gauss(buffer, floats, halves, s) == expected.normal()


def test_a_range_of_one_draws_nothing() -> None:
    seed_stream(BUFFER, HALVES, FULL, 3)
    assert randint(BUFFER, HALVES, FULL, 5, 6) == 5
    assert random_sample(BUFFER, HALVES, FULL) == np.random.RandomState(3).random_sample()


@given(seed=st.integers(0, 999_999))
def test_the_first_normal_value_of_a_fresh_stream(seed: int) -> None:
    first = first_gauss(BUFFER, HALVES, SCRATCH, seed)
    assert first == np.random.RandomState(seed).normal()
    assert math.exp(2.9 + 1.2 * first) == np.random.RandomState(seed).lognormal(2.9, 1.2)


@pytest.mark.parametrize("in_memory", [True, False])
def test_states_go_in_and_out(in_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_states, "IN_MEMORY", in_memory)
    for draws_normals in (True, False):
        given_stream, expected, target = (np.random.RandomState(seed) for seed in (11, 11, 12))
        for stream in (given_stream, expected):
            stream.random_sample(400)
        load(BUFFER, OTHER_FULL, given_stream, draws_normals)
        assert random_sample(BUFFER, HALVES, OTHER_FULL) == expected.random_sample()
        store(BUFFER, OTHER_FULL, target, draws_normals)
        made = Stored(BUFFER, OTHER_FULL, draws_normals).make()
        draws = expected.random_sample(1000).tolist()
        assert target.random_sample(1000).tolist() == made.random_sample(1000).tolist() == draws


def test_the_second_normal_value_goes_along() -> None:
    given_stream, expected, target = (np.random.RandomState(seed) for seed in (11, 11, 12))
    assert given_stream.normal() == expected.normal()
    load(BUFFER, FULL, given_stream, draws_normals=True)
    store(BUFFER, FULL, target, draws_normals=True)
    assert target.normal(size=3).tolist() == expected.normal(size=3).tolist()


def test_numpy_keeps_its_words_where_they_are_looked_for() -> None:
    assert random_states.IN_MEMORY
