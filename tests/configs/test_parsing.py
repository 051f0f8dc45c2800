"""YAML as configurations are written in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from configs import ConfigError
from configs import load_experiment
from configs import parse_yaml


def test_numbers_are_numbers_and_times_of_day_are_text() -> None:
    found = parse_yaml("{a: 5e-5, b: 1E3, c: -2e+1, d: 5, e: 10:20:00, f: 0.5, g: e5, h: 1e}")
    assert found == {"a": 5e-5, "b": 1e3, "c": -20.0, "d": 5, "e": "10:20:00", "f": 0.5, "g": "e5", "h": "1e"}


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    text = "name: mine\norder:\n  quantity: 100\n  side: sell\n  quantity: 200\n"
    with pytest.raises(yaml.YAMLError, match="'quantity' is given twice, in line 3 too"):
        parse_yaml(text)
    with pytest.raises(yaml.YAMLError, match="'a' is given twice, in line 1 too"):
        parse_yaml("{a: 1, a: 2}")
    # To override what is merged in is not to give it twice.
    merged = "a: &a {x: 1}\nb: &b\n  <<: *a\n  x: 2\nc:\n  <<: *b\n  y: 3\n"
    assert parse_yaml(merged)["c"] == {"x": 2, "y": 3}
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine.yaml.*'quantity' is given twice, in line 3 too.*line 5"):
        load_experiment(path)


def test_the_interval_of_a_strategy_must_fit_the_window() -> None:
    for interval, message in (("1ms", "must be at least 0.1s"), ("7s", r"must divide order.window \(1800s\), got 7s")):
        with pytest.raises(ConfigError, match=rf"strategies\.mine\.interval {message}"):
            load_experiment("quick", {"strategies": {"mine": {"kind": "twap", "interval": interval}}})
