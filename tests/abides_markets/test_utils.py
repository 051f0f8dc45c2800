from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abides_markets.agents import TradingAgent
from abides_markets.configs import rmsc04
from abides_markets.utils import config_add_agents
from abides_markets.utils import delist
from abides_markets.utils import dollarize
from abides_markets.utils import generate_latency_model
from abides_markets.utils import generate_uniform_random_pairwise_dist_on_line
from abides_markets.utils import get_value_from_timestamp
from abides_markets.utils import ignored
from abides_markets.utils import meters_to_light_ns
from abides_markets.utils import numeric
from abides_markets.utils import sigmoid
from abides_markets.utils import validate_window_size


def test_small_helpers() -> None:
    assert delist([[1, 2], [], [3]]) == [1, 2, 3]
    assert [numeric(text) for text in ("1,", "1.5", "x,,")] == [1, 1.5, "x"]
    assert meters_to_light_ns([0, 1, 3_866_660]).tolist() == [0, 3, 12_897_789]
    assert dollarize([123, -5, np.int64(100)]) == ["$1.23", "$-0.05", "$1.00"]
    for wrong in (1.5, "1", None):
        with pytest.raises(ValueError, match="whole cents"):
            dollarize(wrong)


def test_window_sizes() -> None:
    assert [validate_window_size(size) for size in (5, "5", "Adaptive")] == [5, 5, "adaptive"]
    for wrong in ("wide", None, [1]):
        with pytest.raises(ValueError, match="whole number or 'adaptive'"):
            validate_window_size(wrong)


@given(st.floats(-1e300, 1e300), st.floats(-1e3, 1e3))
def test_sigmoid_never_overflows(x: float, beta: float) -> None:
    assert 0 <= sigmoid(x, beta) <= 1
    assert sigmoid(x, beta) + sigmoid(-x, beta) == pytest.approx(1)


def test_value_at_a_time() -> None:
    index = pd.to_datetime(["2021-02-05 09:30:00", "2021-02-05 09:30:10", "2021-02-05 09:30:10"])
    series = pd.Series([1, 2, 3], index=index)
    for text, value in (("09:30:00.9", 1), ("09:30:04", 1), ("09:30:06", 3), ("09:30:10", 3), ("10:00:00", 3)):
        assert get_value_from_timestamp(series, f"2021-02-05 {text}") == value
    assert get_value_from_timestamp(series[:1], "2021-02-05 12:00:00") == 1


def test_ignored_errors_become_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(UserWarning, match="odd"), ignored("odd", KeyError):
        raise KeyError("x")
    assert capsys.readouterr().out == "odd\n"
    with pytest.raises(ValueError), ignored("odd", KeyError):
        raise ValueError


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_latencies_are_distances_on_a_line(seed: int, count: int) -> None:
    model = generate_latency_model(count, random_state=np.random.RandomState(seed))
    matrix = model.min_latency
    assert matrix.dtype == np.int64
    assert (matrix == matrix.T).all()
    assert (matrix.diagonal() == 0).all()
    assert (matrix >= 0).all()
    assert matrix.max() <= 12_897_790
    farthest = matrix.max()
    a, b = np.unravel_index(matrix.argmax(), matrix.shape)
    assert np.abs(matrix[a] + matrix[b] - farthest).max() <= 2  # all lie between the two outermost
    # The first agents' latencies do not depend on how many follow.
    longer = generate_latency_model(count + 3, random_state=np.random.RandomState(seed)).min_latency
    assert (longer[:count, :count] == matrix).all()
    distances = generate_uniform_random_pairwise_dist_on_line(0, 10, count, np.random.RandomState(seed))
    assert distances.shape == (count, count)


def test_latencies_with_one_agent_are_the_same_with_and_without_the_matrix() -> None:
    model = generate_latency_model(20, random_state=np.random.RandomState(3))
    at_once = model.to_and_from(4, 18)
    with pytest.raises(IndexError):
        model.to_and_from(4, 21)
    assert at_once.tolist() == [[model.get_latency(other, 4) for other in range(18)]] * 2
    assert at_once[0].tolist() == model.min_latency[:18, 4].tolist()
    model.min_latency[7, 4] = 1  # set by hand: what the matrix says is what counts
    assert model.to_and_from(4, 18)[:, 7].tolist() == [1, at_once[1, 7]]


def test_kinds_of_latency() -> None:
    none = generate_latency_model(3, latency_type="no_latency")
    assert none.get_latency(0, 2) == 0
    with pytest.raises(AssertionError, match="got 'slow'"):
        generate_latency_model(3, latency_type="slow")


def test_adding_agents_redraws_the_latencies_from_the_configurations_stream() -> None:
    def extended(random_state: Any = None) -> tuple[dict[str, Any], Any]:
        config = rmsc04.build_config(seed=2, num_noise_agents=5)
        before = config["agent_latency_model"].min_latency
        agents = [TradingAgent(len(config["agents"]))]
        assert config_add_agents(config, agents, random_state) is config
        return config, before

    config, before = extended()
    count = len(before)
    matrix = config["agent_latency_model"].min_latency
    assert matrix.shape == (count + 1, count + 1)
    assert (matrix[:count, :count] != before).any()
    assert (extended()[0]["agent_latency_model"].min_latency == matrix).all()
    given_stream = extended(np.random.RandomState(5))[0]["agent_latency_model"].min_latency
    assert (given_stream == generate_latency_model(count + 1, random_state=np.random.RandomState(5)).min_latency).all()
