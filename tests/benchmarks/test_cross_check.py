"""The cross-check of the two DQNs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import cross_check
from configs import load_experiment

SHORT = ("order.window=2min", "order.quantity=1000", "training.steps=400", "training.learning_starts=100")


def means(*values: float) -> list[cross_check.Means]:
    return [{"shortfall": value, "return": -value} for value in values]


def test_the_interval_is_welchs() -> None:
    found = {"rllib": means(1, 2, 3), "torch": means(0, 4, 8, 12)}
    compared = cross_check.compare(found)
    # Variances 1 and 80/3: standard error √(1/3 + 20/3), 3.30 degrees of freedom (Welch–Satterthwaite), t = 3.026.
    assert compared["shortfall"]["difference"] == pytest.approx(-4)
    assert compared["shortfall"]["interval"] == pytest.approx([-4 - 8.006, -4 + 8.006], abs=0.01)
    assert compared["return"]["interval"] == pytest.approx([4 - 8.006, 4 + 8.006], abs=0.01)


def test_an_untrained_network_is_the_one_that_training_begins_with() -> None:
    short = {"order.window": "2min", "training.learning_starts": 100}
    first, again, other = (
        cross_check.untrained(load_experiment("quick", short | {"training.seed": seed})) for seed in (0, 0, 1)
    )
    assert first.digest() == again.digest() != other.digest()
    assert first.metadata["updates"] == 0


@pytest.mark.slow
def test_both_are_trained_and_judged_on_the_same_episodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.json"
    cross_check.main(["quick", "--seeds", "3:5", "--set", *SHORT, "--episodes", "12", "--json", str(file)])
    found = json.loads(file.read_text())["cross_check"]
    assert found["seeds"] == [3, 4]
    for name in cross_check.METHODS:
        assert len({one["shortfall"] for one in found[name]}) == 2
    low, high = found["shortfall"]["interval"]
    assert low < found["shortfall"]["difference"] < high
    assert f"rllib − torch, return: {found['return']['difference']:+.2f}" in capsys.readouterr().out
