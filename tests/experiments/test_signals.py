"""What features foretell of the mid: the fit, its trial on other markets, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.features import FEATURES
from analysis.plots import svg
from analysis.signals import fit
from analysis.signals import moments
from analysis.signals import ranked
from analysis.signals import signals_figure
from analysis.signals import signals_table
from analysis.signals import summarise_signals
from analysis.tables import MISSING
from configs import ConfigError
from configs import load_experiment
from experiments import signals as command
from experiments.episode import run_do_nothing
from experiments.episode import run_episode
from tests.agents.worlds import SHORT

SETTINGS = dict(setting.split("=") for setting in SHORT)
SEEDS = range(1_000_000, 1_000_004)
Floats = NDArray[np.float64]


def world(random: np.random.Generator, decisions: int = 60) -> tuple[Floats, Floats]:
    """Features (telling, noise, constant) and mids: half of the next step's variance is what the first says."""
    seen = np.column_stack([*random.normal(0, 3, (2, decisions)), np.full(decisions, 7.3)])
    steps = seen[:, 0] / 3 + random.normal(0, 1, decisions)
    return seen, 100 + np.concatenate([[0], np.cumsum(steps)[:-1]])


def markets(count: int, seed: int = 0) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    return [{"moments": [moments(*world(random), ahead).tolist() for ahead in (1, 4)]} for _ in range(count)]


def summary_of(count: int = 40, seed: int = 0) -> dict[str, Any]:
    found = summarise_signals(markets(count, seed), ["telling", "noise", "constant"], ["1s", "4s"])
    return {"seconds": [1.0, 4.0], **found}


def test_moments_and_fit_are_least_squares() -> None:
    seen, mids = world(np.random.default_rng(3))
    for ahead in (1, 5):
        rows = np.column_stack([np.ones(len(seen) - ahead), seen[:-ahead, :2]])
        expected, *_ = np.linalg.lstsq(rows, mids[ahead:] - mids[:-ahead])
        found = fit(moments(seen, mids, ahead))
        np.testing.assert_allclose(found, [*expected[1:], 0.0], rtol=1e-6, atol=1e-9)


def test_features_that_say_the_same_share_what_they_say() -> None:
    seen, mids = world(np.random.default_rng(4))
    twice = np.column_stack([seen[:, :2], -seen[:, 0] / 2 + 5])
    once, both = fit(moments(seen[:, :2], mids, 1)), fit(moments(twice, mids, 1))
    said, expected = twice @ both, seen[:, :2] @ once
    np.testing.assert_allclose(said - said.mean(), expected - expected.mean(), rtol=1e-6, atol=1e-8)
    assert np.abs(both).max() < 100


def test_what_is_foretold_is_found_and_noise_is_not() -> None:
    found = summary_of(count=200)["horizons"]
    near, far = found["1s"], found["4s"]
    assert near["views"] == 200 * 59
    # Of a step's variance of 2 the feature says 1; of four steps' 8 it says 1.
    assert near["all"]["correlation"]["mean"] == pytest.approx(np.sqrt(1 / 2), abs=0.02)
    assert far["all"]["correlation"]["mean"] == pytest.approx(np.sqrt(1 / 8), abs=0.03)
    assert near["moved_sd"]["mean"] == pytest.approx(np.sqrt(2), rel=0.03)
    assert near["all"]["foreseen_sd"]["mean"] == pytest.approx(1, rel=0.05)
    assert near["alone"]["telling"]["correlation"]["mean"] == pytest.approx(np.sqrt(1 / 2), abs=0.02)
    for horizon in (near, far):
        assert abs(horizon["alone"]["noise"]["correlation"]["mean"]) < 0.03
    assert near["alone"]["constant"]["correlation"] == {"mean": None, "ci95": None}
    assert ranked({"horizons": found})[0] == "telling"


def test_a_fit_is_never_tried_on_its_own_markets() -> None:
    # Thirty features of noise fitted to few views: within the markets of the fit they would say much.
    random = np.random.default_rng(5)
    found = []
    for _ in range(6):
        mids = 100 + np.cumsum(random.normal(0, 1, 30))
        found.append({"moments": [moments(random.normal(0, 1, (30, 30)), mids, 1).tolist()]})
    fitted = np.sum([one["moments"][0] for one in found[::2]], axis=0)
    slopes = fit(fitted)
    n, y, yy = fitted[0, 0], fitted[0, -1], fitted[-1, -1]
    explained = slopes @ (fitted[1:-1, -1] - fitted[0, 1:-1] * y / n)
    assert explained / (yy - y * y / n) > 0.15
    names = [f"noise_{place}" for place in range(30)]
    tried = summarise_signals(found, names, ["1s"])["horizons"]["1s"]
    assert abs(tried["all"]["correlation"]["mean"]) < 0.25


def test_the_interval_covers_what_is_true() -> None:
    covered = 0
    for seed in range(200):
        low, high = summary_of(60, seed)["horizons"]["1s"]["all"]["correlation"]["ci95"]
        covered += low <= np.sqrt(1 / 2) <= high
    assert 0.88 <= covered / 200 <= 0.99, "percentiles of so few markets are a little narrow"


def test_tables_and_figure_name_what_they_show() -> None:
    summary = summary_of()
    assert [row[0] for row in signals_table(summary).rows] == ["1s", "4s"]
    rows = {row[0]: row[1:] for row in command.features_table(summary).rows}
    assert rows["constant"] == (MISSING, MISSING)
    assert svg(signals_figure(summary)) == svg(signals_figure(summary))


def test_what_is_watched_is_what_an_agent_sees_and_the_market_is_left_alone() -> None:
    experiment = load_experiment("tactical", {**SETTINGS, "observation.features": ["imbalance_1", "return_1"]})
    watching = command.Watching(experiment)
    order = experiment.order.model_copy(update={"side": "buy"})
    command.play(experiment.model_copy(update={"order": order}), {"watching": watching}, SEEDS[0])
    records = run_episode(experiment, "idle", SEEDS[0], "buy")["decisions"].to_pandas()
    mids = np.concatenate(watching.mids)
    np.testing.assert_array_equal(mids, records["mid2"] / 2)
    returns = np.concatenate(watching.observations)[:, 1]
    expected = np.diff(mids, prepend=mids[0]) / mids[0] * 1e4
    bounds = FEATURES["return_1"].low, FEATURES["return_1"].high
    np.testing.assert_allclose(returns, np.clip(expected, *bounds), rtol=1e-5, atol=1e-6)


def run(out: Path, **named: Any) -> command.Args:
    given: dict[str, Any] = {"seeds": "1000000:1000004", "horizons": "10s,30s", "settings": (SHORT,), **named}
    return command.Args("tactical", out=out, workers=1, **given)


def test_the_command_writes_what_it_shows_and_measures_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main(run(tmp_path, horizons="30s, 10s"))
    folder = (tmp_path / "latest").resolve()
    assert {path.name for path in folder.iterdir()} >= {"summary.json", "signals.md", "signals.svg", "signals.png"}
    shown = capsys.readouterr().out
    assert (folder / "signals.md").read_text(encoding="utf-8").strip() in shown
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert list(summary["horizons"]) == ["10s", "30s"]
    experiment = load_experiment("tactical", SETTINGS)
    assert summary["horizons"]["10s"]["views"] == 4 * (experiment.decisions - 2)
    assert set(summary["horizons"]["30s"]["alone"]) == set(experiment.observation.features)

    def never(*_: object) -> dict[str, Any]:
        raise AssertionError("measured again")

    monkeypatch.setattr(command, "measure", never)
    found = command.measure_signals(experiment, {"10s": 2, "30s": 6}, SEEDS, folder)
    assert found["horizons"] == summary["horizons"]


def test_markets_that_fail_the_gate_are_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volumes = {seed: run_do_nothing(load_experiment("tactical", SETTINGS), seed)["volume"] for seed in SEEDS}
    failing = min(volumes, key=lambda seed: volumes[seed])
    settings = (*SHORT, f"comparison.validity.volume={volumes[failing] + 1}")
    command.main(run(tmp_path, settings=(settings,)))
    shown = capsys.readouterr().out
    assert f"invalid: seed {failing}: volume" in shown
    assert "With the markets that failed the gate, n = 4:" in shown


@pytest.mark.parametrize(
    ("horizons", "message"),
    [
        ("7s", r"--horizons '7s'; allowed: multiples of 5s \(decision_interval\) below 120s \(order.window\)"),
        ("2min", "'2min'; allowed: multiples of 5s"),
        ("10s,soon", "--horizons 'soon'"),
        ("", "--horizons ''"),
    ],
)
def test_a_horizon_that_cannot_be_is_refused_in_one_line(tmp_path: Path, horizons: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        command.main(run(tmp_path, horizons=horizons))
    with pytest.raises(ConfigError, match="unknown feature 'weather'; allowed: inventory"):
        command.main(run(tmp_path, settings=((*SHORT, "observation.features=[weather]"),)))
    assert not list(tmp_path.iterdir())
