from __future__ import annotations

import pytest

from benchmarks import gym


def test_an_episode_of_half_an_hour_has_a_decision_every_ten_seconds() -> None:
    row = gym.measure("10s", "hold", [1], "reference")
    assert tuple(row) == gym.COLUMNS
    assert row["steps"] == 180
    assert row["steps_per_s"] == pytest.approx(180 / row["steps_s"])  # type: ignore[operator]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--seeds", "1.5"], "a seed is a whole number from 0 to 4294967295, got '1.5'"),
        (["--engine", "fast"], "invalid choice: 'fast' (choose from"),
        (["--json", "/no/such/folder/file.json"], "no folder '/no/such/folder'"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        gym.main(arguments)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert part in captured.err
    assert captured.err.count("\n") == 1
