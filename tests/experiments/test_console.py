from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import pytest
from rich.console import Console

from configs import ConfigError
from experiments.console import Progress
from experiments.console import fail
from experiments.console import format_duration
from experiments.console import parse_overrides
from experiments.console import run_command


@dataclass
class Options:
    kind: Literal["one", "two"] = "one"


def test_fail_is_one_line_on_stderr_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        fail("no such\n  thing")
    assert exit_.value.code == 2
    assert capsys.readouterr().err == "error: no such thing\n"


def test_a_configuration_error_becomes_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def main(_: Options) -> None:
        raise ConfigError("unknown key 'x'")

    monkeypatch.setattr("sys.argv", ["thing"])
    with pytest.raises(SystemExit) as exit_:
        run_command(main, Options, "thing", "Does a thing.")
    assert exit_.value.code == 2
    assert capsys.readouterr().err == "error: unknown key 'x'\n"


def test_a_wrong_option_shows_the_allowed_values_and_exits_with_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["thing", "--kind", "three"])
    with pytest.raises(SystemExit) as exit_:
        run_command(lambda _: None, Options, "thing", "Does a thing.")
    assert exit_.value.code == 2
    text = capsys.readouterr()
    assert "three" in text.out + text.err
    assert "two" in text.out + text.err


def test_overrides_are_read_as_yaml() -> None:
    assert parse_overrides(["training.steps=1000", "actions.multipliers=[0, 1]", "name=a=b"]) == {
        "training.steps": 1000,
        "actions.multipliers": [0, 1],
        "name": "a=b",
    }


@pytest.mark.parametrize("text", ["training.steps", "=3", "training.=3", "a=[1"])
def test_overrides_that_cannot_be_read_are_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        parse_overrides([text])


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0:00"), (61, "1:01"), (3_725, "1:02:05"), (-3, "0:00")])
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_progress_prints_plain_lines_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with Progress("train", 10, interval=0.0, console=Console(file=stream, soft_wrap=True)) as progress:
        progress.update(4, loss="0.5", mean_return="-3")
        progress.update(10)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("train 4/10 steps  40%")
    assert "loss 0.5" in lines[0]
    assert "mean return -3" in lines[0]
    assert "left" in lines[0]
    assert lines[-1].startswith("train 10/10 steps 100%")
    assert "\x1b" not in stream.getvalue()


def test_progress_draws_on_a_terminal() -> None:
    stream = io.StringIO()
    with Progress("train", 10, console=Console(file=stream, force_terminal=True, width=100)) as progress:
        progress.update(10)
    assert "10/10 steps" in stream.getvalue()
    assert "\x1b" in stream.getvalue()
