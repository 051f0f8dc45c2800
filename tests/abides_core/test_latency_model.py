from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abides_core import LatencyModel

MATRIX = np.array([[1, 20], [300, 4000]])


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (7, [7, 7, 7, 7]),
        (np.array([7, 8]), [7, 7, 8, 8]),
        (MATRIX, [1, 20, 300, 4000]),
        (MATRIX.tolist(), [1, 20, 300, 4000]),
    ],
)
def test_deterministic_latency_is_the_least(least: Any, expected: list[int]) -> None:
    model = LatencyModel(np.random.RandomState(0), least, latency_model="Deterministic")
    assert [model.get_latency(s, r) for s in (0, 1) for r in (0, 1)] == expected


@pytest.mark.parametrize("least", [7, np.array([7.5, 8]), MATRIX])
def test_latencies_with_one_agent_are_those_of_each_message(least: Any) -> None:
    model = LatencyModel(np.random.RandomState(0), least, latency_model="deterministic")
    for agent in (0, 1):
        to, sent = model.to_and_from(agent, 2).tolist()
        assert to == [int(model.get_latency(other, agent)) for other in (0, 1)]
        assert sent == [int(model.get_latency(agent, other)) for other in (0, 1)]
    with pytest.raises(IndexError):
        LatencyModel(np.random.RandomState(0), MATRIX, latency_model="deterministic").to_and_from(0, 3)


@given(st.integers(0, 2**32 - 1))
def test_cubic_latency_takes_one_draw(seed: int) -> None:
    model = LatencyModel(np.random.RandomState(seed), MATRIX, jitter=0.5, jitter_clip=0.1, jitter_unit=10.0)
    draws = np.random.RandomState(seed)
    for sender, recipient in ((0, 1), (1, 0), (1, 1)):
        least = MATRIX[sender, recipient]
        x = draws.uniform(low=0.1, high=1.0)
        latency = model.get_latency(sender_id=sender, recipient_id=recipient)
        assert latency == pytest.approx(least + (0.5 / x**3) * (least / 10.0))
        assert least < latency <= least + 0.5 / 0.1**3 * least / 10.0


def test_no_connection() -> None:
    connected = np.array([[True, False], [True, True]])
    model = LatencyModel(np.random.RandomState(0), MATRIX, connected=connected)
    assert model.get_latency(0, 1) == -1
    assert model.get_latency(1, 0) > 0


def test_wrong_parameters() -> None:
    with pytest.raises(ValueError, match="'cubic' or 'deterministic', got 'square'"):
        LatencyModel(np.random.RandomState(0), 1, latency_model="square")
    with pytest.raises(ValueError, match="at most two dimensions, got 3"):
        LatencyModel(np.random.RandomState(0), np.zeros((1, 1, 1))).get_latency(0, 0)
