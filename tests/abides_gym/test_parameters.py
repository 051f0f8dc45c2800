from __future__ import annotations

import numpy as np
import pytest

from abides_core.utils import str_to_ns
from abides_gym.envs import parameters
from abides_markets.configs import rmsc04


def test_durations_are_text_or_nanoseconds() -> None:
    assert parameters.duration("d", "90s", "0s", "1h") == str_to_ns("90s")
    assert parameters.duration("d", np.int64(5), "0s", "1h") == 5
    assert parameters.duration("d", "1h", "0s", "01:00:00") == str_to_ns("1h")
    for value in ("1h1s", "-1s", "soon", None, []):
        with pytest.raises(AssertionError, match=r"^d must be a time from 0s to 1h, got "):
            parameters.duration("d", value, "0s", "1h")
    assert parameters.duration("d", 0, "0s", "1h") == 0
    with pytest.raises(AssertionError, match=r"^d must be a time above 0s, at most 1h, got 0"):
        parameters.duration("d", 0, "0s", "1h", least_allowed=False)


def test_numbers_of_numpy_are_numbers() -> None:
    assert parameters.whole("n", np.int32(3), 1) == 3
    assert parameters.number("x", np.float32(0.5)) == 0.5
    assert parameters.fraction("x", 0) == 0
    assert type(parameters.action(np.int64(1), ("a", "b"))) is int


def test_a_background_is_a_market_configuration_by_name() -> None:
    assert parameters.background("rmsc04") is rmsc04.build_config
    with pytest.raises(AssertionError, match=r"^background_config must be one of .*rmsc04.*, got 'os'$"):
        parameters.background("os")


def test_arguments_are_those_that_a_function_takes() -> None:
    def function(a: int, b: int = 2) -> None:
        """Takes two."""

    assert parameters.arguments("extra", None, function) == {}
    given = {"b": 3}
    assert parameters.arguments("extra", given, function) == given
    assert parameters.arguments("extra", given, function) is not given
    with pytest.raises(AssertionError, match=r"^extra must be a mapping of a, b, got 'c'$"):
        parameters.arguments("extra", {"c": 1}, function)
    with pytest.raises(AssertionError, match=r"^extra must be a mapping of names to values, got \['b'\]$"):
        parameters.arguments("extra", ["b"], function)
