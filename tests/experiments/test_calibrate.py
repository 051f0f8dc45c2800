from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from configs import ConfigError
from configs import Experiment
from configs.calibration import CALIBRATION
from configs.calibration import Calibration
from experiments import calibrate as command
from experiments.calibrate import calibrate
from experiments.calibrate import choose_seeds
from experiments.calibrate import lines
from experiments.calibrate import market_digest
from experiments.calibrate import measure
from experiments.calibrate import order_sizes
from experiments.episode import Episode
from experiments.run_folder import REPOSITORY
from tests.agents.worlds import experiment

SHORT = (
    "market.end_time=09:33:02",
    "order.start=09:31:00",
    "order.window=2min",
    "order.quantity=1200",
    "comparison.validity.volume=0",
)
SEEDS = range(1_100_000, 1_100_003)


@pytest.fixture(scope="module")
def short() -> Experiment:
    return experiment(
        market={"end_time": "09:34:00"}, order={"quantity": 1_200}, comparison={"validity": {"volume": 0}}
    )


@pytest.fixture(scope="module")
def found(short: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    return calibrate(short, SEEDS, tmp_path_factory.mktemp("run"))


def test_lines_are_those_of_least_squares() -> None:
    draw = np.random.default_rng(0)
    x, y = np.array([1.0, 2.0, 4.0, 8.0]), draw.normal(size=(5, 4))
    slopes, intercepts = lines(x, y)
    for row, slope, intercept in zip(y, slopes, intercepts, strict=True):
        assert (slope, intercept) == pytest.approx(np.polyfit(x, row, 1))
    # The mean of the seeds' slopes is the slope of all points together.
    assert slopes.mean() == pytest.approx(np.polyfit(np.tile(x, 5), y.ravel(), 1)[0])


def test_a_seeds_measurements_are_those_of_its_episodes(short: Experiment) -> None:
    seed = SEEDS[0]
    measured = measure(short, seed)
    idle = Episode(short, "idle", seed, "buy")
    assert sum(measured["volume"][1:3]) == pytest.approx(idle.volume(), abs=60)  # the window, to its last nanosecond
    mids = [idle._mid2_at(time) / 2 for time in (idle.start, idle.end)]
    assert sum(measured["changes"]) == pytest.approx(mids[1] - mids[0])
    assert len(measured["volume"]) == 4
    for index, size in enumerate(order_sizes(short)):
        order = short.order.model_copy(update={"quantity": size})
        runs = {
            side: Episode(short.model_copy(update={"order": order}), "twap", seed, side)
            .tables()["episodes"]
            .to_pylist()[0]
            for side in ("buy", "sell")
        }
        costs = [-run["execution_cents"] for run in runs.values()]
        assert all(run["completion"] == 1 for run in runs.values())
        assert measured["cost"][index] == pytest.approx(np.mean(costs))
        assert measured["move"][index] == (runs["buy"]["end_mid2"] - runs["sell"]["end_mid2"]) / 4


def test_coefficients_are_means_over_seeds_of_the_stated_regressions(short: Experiment, found: Calibration) -> None:
    measured = [measure(short, seed) for seed in SEEDS]
    rates = np.array(order_sizes(short)) / 120
    fits = np.array([np.polyfit(rates, one["cost"], 1) for one in measured])
    assert found.temporary_impact.value == pytest.approx(fits[:, 0].mean())
    assert found.half_spread.value == pytest.approx(fits[:, 1].mean())
    sizes = np.array(order_sizes(short), dtype=float)
    slopes = [np.linalg.lstsq(sizes[:, None], np.array(one["move"]), rcond=None)[0][0] for one in measured]
    assert found.permanent_impact.value == pytest.approx(np.mean(slopes))
    squares = [sum(one["changes"]) ** 2 / 120 for one in measured]
    assert found.volatility.value == pytest.approx(np.sqrt(np.mean(squares)))
    assert found.volume.shares == pytest.approx(np.mean([one["volume"] for one in measured], axis=0), abs=0.01)
    for coefficient in (found.volatility, found.temporary_impact, found.permanent_impact):
        assert coefficient.n == 3
        assert coefficient.ci95[0] <= coefficient.value <= coefficient.ci95[1]
    assert found.seeds == "1100000:1100003"
    assert [effect.shares for effect in found.sizes] == [300, 600, 1_200, 1_800]


def test_processes_and_interruptions_change_nothing(
    short: Experiment, found: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrate(short, SEEDS[:2], tmp_path, workers=2)
    begun: list[int] = []
    monkeypatch.setattr(command, "measure", lambda of, seed: begun.append(seed) or measure(of, seed))
    assert calibrate(short, SEEDS, tmp_path) == found
    assert begun == [SEEDS[2]]


def test_a_market_that_cannot_be_measured_is_named(
    short: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "measure", lambda of, seed: 1 / 0)
    with pytest.raises(RuntimeError, match=r"(?s)seed 1100000 could not be measured: .*ZeroDivisionError"):
        calibrate(short, SEEDS, tmp_path)


def test_the_digest_is_of_what_is_measured(short: Experiment) -> None:
    same = short.model_copy(update={"name": "other", "training": short.training.model_copy(update={"seed": 9})})
    assert market_digest(same) == market_digest(short)
    assert market_digest(experiment(market={"regime": "noise_10", "end_time": "09:34:00"})) != market_digest(short)


def test_only_calibration_seeds_are_used() -> None:
    assert choose_seeds(None) == range(1_100_000, 1_100_200)
    assert choose_seeds(None, quick=True) == range(1_100_000, 1_100_020)
    assert choose_seeds("1100005:1100007") == range(1_100_005, 1_100_007)
    for text, message in (
        ("1000000:1000010", "not calibration seeds: take them from 1100000:1200000"),
        ("1199999:1200001", "not calibration seeds"),
        ("1100000:1100001", "an interval needs at least two"),
    ):
        with pytest.raises(ConfigError, match=message):
            choose_seeds(text)


def test_the_command_measures_and_leaves_the_strategies_calibration_alone_when_quick(tmp_path: Path) -> None:
    before = CALIBRATION.read_bytes()
    words = [
        "quick",
        "--quick",
        "--seeds",
        "1100000:1100002",
        "--out",
        str(tmp_path),
        "--workers",
        "1",
        "--set",
        *SHORT,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "experiments.calibrate", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*/calibration.json")
    calibration = Calibration.model_validate(json.loads(path.read_text(encoding="utf-8")))
    assert calibration.seeds == "1100000:1100002"
    assert f"calibration: {path}" in done.stdout
    assert "temporary impact: " in done.stdout
    assert CALIBRATION.read_bytes() == before
