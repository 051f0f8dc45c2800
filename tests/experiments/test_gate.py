"""What is measured market by market is measured with and without the markets that fail the gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from configs import ConfigError
from configs import load_experiment
from experiments import backtest
from experiments import calibrate
from experiments import impact
from experiments.comparison_table import validity_lines
from experiments.episode import run_do_nothing
from experiments.gate import judge_each
from experiments.gate import passed
from experiments.gate import summarise_passed
from experiments.gate import with_and_without

SHORT = {
    "market.end_time": "09:42:00",
    "market.params": {"num_noise_agents": 200, "num_value_agents": 15},
    "order.start": "09:35:00",
    "order.window": "2min",
    "order.quantity": 400,
}
SEEDS = range(1_100_000, 1_100_004)


def gate_between(settings: dict[str, Any]) -> tuple[Any, list[int]]:
    """An experiment whose volume threshold some of `SEEDS` fail and others pass, and the seeds that fail."""
    of = load_experiment("quick", settings)
    volumes = {seed: run_do_nothing(of, seed)["volume"] for seed in SEEDS}
    ordered = sorted(volumes.values())
    threshold = (ordered[0] + ordered[1]) // 2 + 1
    failing = [seed for seed, volume in volumes.items() if volume < threshold]
    assert 0 < len(failing) < len(SEEDS) - 1
    return load_experiment("quick", {**settings, "comparison.validity.volume": threshold}), failing


def test_the_verdicts_are_those_of_a_comparison_and_are_kept(tmp_path: Path) -> None:
    of, failing = gate_between(SHORT)
    validity = judge_each(of, SEEDS, tmp_path)
    assert validity["gate"] == of.comparison.validity.model_dump()
    assert (validity["judged"], validity["valid"]) == (len(SEEDS), len(SEEDS) - len(failing))
    assert validity["invalid"] == {str(seed): run_do_nothing(of, seed)["reason"] for seed in failing}
    kept = tmp_path / "validity" / "seeds" / f"{failing[0]}.json"
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "reason": "as kept"}))
    assert judge_each(of, SEEDS, tmp_path)["invalid"][str(failing[0])] == "as kept"
    assert any(f"seed {failing[0]}: volume" in line for line in validity_lines(validity))


def test_tables_come_with_and_without_the_markets_that_fail() -> None:
    validity = {"judged": 4, "valid": 3, "invalid": {"8": "volume 0 below 1"}, "gate": {"volume": 1}}
    found: list[dict[str, Any]] = [{"x": 1.0}, {"x": 100.0}, {"x": 2.0}, {"x": 3.0}]

    def summarise(kept: list[dict[str, Any]]) -> dict[str, Any]:
        return {"mean": sum(one["x"] for one in kept) / len(kept)}

    summary = summarise_passed(summarise, found, [7, 8, 9, 10], validity)
    assert (summary["n"], summary["mean"]) == (3, 2.0)
    assert summary["with_invalid_seeds"] == {"n": 4, "mean": 26.5}
    text = with_and_without(lambda one: f"n = {one['n']}, mean {one['mean']}", summary)
    assert text.splitlines()[0] == "n = 3, mean 2.0"
    assert text.splitlines()[-1] == "n = 4, mean 26.5"
    everyone = summarise_passed(summarise, found, [7, 8, 9, 10], {**validity, "invalid": {}})
    assert (everyone["n"], everyone["with_invalid_seeds"]) == (4, None)
    assert passed(found[:2], [7, 8], validity) == found[:1]


def test_where_hardly_a_market_passes_nothing_more_is_measured(tmp_path: Path) -> None:
    of = load_experiment("quick", {**SHORT, "comparison.validity.volume": 10**9})
    with pytest.raises(ConfigError, match=r"0 of 4 markets passed the gate.*\(seed 1100000: volume \d+ below 1e\+09\)"):
        impact.measure_impact(of, "twap", SEEDS, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["validity"]


def test_impact_backtest_and_calibration_leave_them_out(tmp_path: Path) -> None:
    of, failing = gate_between(SHORT)
    left = [seed for seed in SEEDS if seed not in failing]
    alone = load_experiment("quick", SHORT)

    summary = impact.measure_impact(of, "twap", SEEDS, tmp_path / "impact")
    expected = [impact.measure(alone, "twap", seed) for seed in left]
    grid = (impact.path_times(of) // impact.SECOND).tolist()
    for key, value in impact.summarise_impact(expected, grid, of.order.window // impact.SECOND).items():
        assert json.dumps(summary[key]) == json.dumps(value)
    assert summary["with_invalid_seeds"]["n"] == len(SEEDS)
    assert summary["n"] == len(left)

    flattered = backtest.measure_backtest(of, ["twap"], SEEDS, tmp_path / "backtest")
    assert flattered["n"] == len(left)
    assert list(flattered["validity"]["invalid"]) == [str(seed) for seed in failing]
    assert flattered["with_invalid_seeds"]["n"] == len(SEEDS)

    calibration = calibrate.calibrate(of, SEEDS, tmp_path / "calibration")
    assert list(calibration.invalid) == [str(seed) for seed in failing]
    assert calibration.half_spread.n == len(left)
