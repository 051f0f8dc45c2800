from __future__ import annotations

import pytest

from abides_core.ids import Counter
from abides_core.ids import IdScope


def test_each_run_counts_on_its_own() -> None:
    counter = Counter(first=5)
    assert counter.next() == 5
    one, two = IdScope(), IdScope()
    with one.active():
        assert [counter.next(), counter.next()] == [5, 6]
    with two.active():
        assert counter.next() == 5
    with one.active(), one.active():
        assert counter.next() == 7
    assert counter.next() == 6


def test_runs_may_nest_and_fail() -> None:
    counter = Counter(first=0)
    outer, inner = IdScope(), IdScope()
    with outer.active():
        counter.next()
        with pytest.raises(RuntimeError):
            _take_one_and_fail(counter, inner)
        assert counter.next() == 1
    with inner.active():
        assert counter.next() == 1
    assert counter.next() == 0


def test_a_counter_made_during_a_run_starts_at_its_first_again() -> None:
    scope = IdScope()
    with scope.active():
        late = Counter(first=3)
        late.next()
    assert late.next() == 3
    with scope.active():
        assert late.next() == 4


def _take_one_and_fail(counter: Counter, scope: IdScope) -> None:
    with scope.active():
        counter.next()
        raise RuntimeError
