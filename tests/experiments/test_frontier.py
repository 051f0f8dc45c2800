from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.numpy_policy import NumpyPolicy
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from configs.calibration import load_calibration
from configs.models import ParticipationActions
from configs.models import released_policy
from experiments import frontier as command
from experiments.frontier import averse
from experiments.frontier import model_curve
from experiments.frontier import policy_of
from experiments.frontier import rules_of
from experiments.side_by_side import almgren_chriss
from tests.agents.worlds import SHORT


@pytest.fixture(scope="module")
def released() -> NumpyPolicy:
    return NumpyPolicy.load(released_policy("tactical"))


def test_the_running_penalty_is_the_models_weight_of_the_variance() -> None:
    """λ var(cost) of an even schedule, in cents a share, is what the reward charges it: φ/3."""
    experiment = load_experiment("tactical")
    sigma, aversion = load_calibration().volatility.value, 5.0
    variance_of_the_order = (20_000 * sigma) ** 2 * 1_800 / 3  # cents², of an even schedule in continuous time
    expected = aversion * 1e-6 / 100 * variance_of_the_order / 20_000
    assert averse(experiment, aversion).reward.running_penalty / 3 == pytest.approx(expected)
    assert averse(experiment, 0).reward == experiment.reward


def test_a_narrow_corridor_is_widened_and_nothing_else_changes() -> None:
    experiment = load_experiment("tactical")
    actions = averse(experiment, 1).actions
    assert isinstance(actions, ParticipationActions)
    assert actions.corridor == command.CORRIDOR
    wide = load_experiment("tactical", {"actions.corridor": 0.5})
    assert averse(wide, 1).actions == wide.actions
    lots = load_experiment("paper")
    assert averse(lots, 1).actions == lots.actions


def test_more_risk_aversion_is_less_risk_and_a_higher_cost_in_the_model() -> None:
    curve = model_curve(load_experiment("tactical"))
    assert (np.diff(curve["sd"]) < 0).all()
    assert curve["mean"][-1] < curve["mean"][0]


def test_without_risk_aversion_the_schedule_is_even() -> None:
    experiment = load_experiment("tactical")
    even = np.arange(1, experiment.decisions + 1) / experiment.decisions
    np.testing.assert_allclose(almgren_chriss(experiment, 0).executed, even)
    assert (almgren_chriss(experiment, 10).executed[:-1] > even[:-1]).all()


def test_all_that_trade_have_a_name(released: NumpyPolicy) -> None:
    names = list(rules_of(load_experiment("tactical"), {0: released, 10: released}))
    assert names == [
        *("twap", "vwap", "immediate", "almgren_chriss_1", "almgren_chriss_3", "almgren_chriss_10"),
        *("almgren_chriss_30", "tactical", "learned_0", "learned_10"),
    ]


def test_the_command_writes_numbers_table_and_figure(
    tmp_path: Path, released: NumpyPolicy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, float] = {}

    def trained(experiment: Experiment, folder: Path) -> NumpyPolicy:
        asked[folder.name] = experiment.reward.running_penalty
        return released

    monkeypatch.setattr(command, "policy_of", trained)
    args = command.Args("tactical", out=tmp_path, seeds="1000000:1000003", workers=1, settings=(SHORT,))
    command.main(args)
    assert list(asked) == ["learned_0", "learned_1", "learned_3", "learned_10"]
    assert list(asked.values()) == sorted(asked.values())
    folder = (tmp_path / "latest").resolve()
    assert {path.name for path in folder.iterdir()} >= {"frontier.json", "frontier.md", "frontier.svg", "frontier.png"}
    found = json.loads((folder / "frontier.json").read_text(encoding="utf-8"))
    assert (found["seeds"], found["n"]) == ("1000000:1000003", 3)
    assert found["strategies"]["learned_0"]["completion"] == 1.0
    assert found["strategies"]["learned_0"] == found["strategies"]["learned_10"], "the same policy, in the same markets"
    assert "| almgren_chriss_30 |" in capsys.readouterr().out


@pytest.mark.slow
def test_a_policy_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from experiments import trainer

    settings: dict[str, Any] = dict(setting.split("=") for setting in SHORT)
    settings |= {"training.steps": 200, "training.envs": 2, "training.search.markets": 1}
    experiment = load_experiment("tactical", settings)
    first = policy_of(averse(experiment, 3), tmp_path / "learned_3")
    assert first.metadata["experiment"]["reward"]["running_penalty"] > 0
    monkeypatch.setattr(trainer, "train_policy", None)
    assert policy_of(averse(experiment, 3), tmp_path / "learned_3").digest() == first.digest()


def test_a_released_policy_made_for_another_problem_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="was made for other"):
        command.main(command.Args("tactical", out=tmp_path, quick=True, settings=(("actions.corridor=0.5",),)))
    assert not list(tmp_path.iterdir())
