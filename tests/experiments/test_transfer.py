"""A policy in other regimes: what is chosen, compared, refused and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.plots import svg
from analysis.stats import estimate
from analysis.transfer import choose_best
from analysis.transfer import correct
from analysis.transfer import summarise_transfer
from analysis.transfer import transfer_figure
from analysis.transfer import transfer_table
from analysis.transfer import with_invalid_seeds
from configs import ConfigError
from configs import load_experiment
from experiments import transfer as command
from experiments.compare import evaluate_all_strategies
from experiments.episode import run_do_nothing
from experiments.in_regimes import in_regimes
from experiments.side_by_side import play
from tests.agents.worlds import SHORT

SEEDS = range(1_000_000, 1_000_003)
SETTINGS = dict(setting.split("=") for setting in SHORT)


def args(out: Path, **named: Any) -> command.Args:
    given: dict[str, Any] = {
        "seeds": "1000000:1000003",
        "choose_on": "1000010:1000012",
        "regimes": "calm,thin",
        **named,
    }
    return command.Args("tactical", out=out, workers=1, settings=(SHORT,), **given)


def traded(policy: float, twap: float, best: float) -> dict[str, Any]:
    costs = {"policy": policy, "twap": twap, "best": best}
    return {
        name: {"shortfall_cents": [cost - 1, cost + 1], "completion": [1.0, 1.0 if name != "best" else 0.9]}
        for name, cost in costs.items()
    }


def test_the_schedule_with_the_best_mean_of_both_sides_is_chosen() -> None:
    found = [
        {"twap": {"shortfall_cents": [-9.0, -1.0]}, "vwap": {"shortfall_cents": [0.0, -8.0]}},
        {"twap": {"shortfall_cents": [-2.0, -4.0]}, "vwap": {"shortfall_cents": [-5.0, -5.0]}},
    ]
    chosen = choose_best(found)
    assert chosen["best"] == "twap"
    assert chosen["chosen_from"]["vwap"]["mean"] == -4.5


def test_differences_are_paired_and_all_of_them_one_family() -> None:
    random = np.random.default_rng(0)
    markets = random.normal(0, 30, 40)
    gains = random.normal(1, 1, 40)
    found = [traded(m + gain, m, m + 0.5) for m, gain in zip(markets, gains, strict=True)]
    calm = summarise_transfer(["buy", "sell"], found)
    expected = estimate(gains)
    pair = calm["paired"]["policy-twap"]["shortfall_cents"]
    assert (pair["mean"], pair["ci95"]) == (pytest.approx(expected.mean), pytest.approx(list(expected.ci95 or ())))
    assert calm["strategies"]["best"]["incomplete"] == 40
    assert calm["strategies"]["twap"]["incomplete"] == 0
    buy = calm["strategies"]["policy"]["sides"]["buy"]["mean"]
    assert buy == pytest.approx(calm["strategies"]["policy"]["shortfall_cents"]["mean"] - 1)
    regimes = {"calm": calm, "thin": summarise_transfer(["buy", "sell"], found)}
    correct(regimes)
    tests = [pair["shortfall_cents"] for regime in regimes.values() for pair in regime["paired"].values()]
    least = min(test["p"] for test in tests)
    assert min(test["p_holm"] for test in tests) == pytest.approx(min(1.0, 4 * least))
    assert svg(transfer_figure(regimes)) == svg(transfer_figure(regimes))


def test_with_the_markets_that_failed_is_a_family_of_its_own() -> None:
    random = np.random.default_rng(1)
    found = [traded(m + gain, m, m + 0.5) for m, gain in zip(*random.normal([[0], [1]], 1, (2, 30)), strict=True)]
    kept, every = (summarise_transfer(["buy", "sell"], some) for some in (found[:20], found))
    calm = {"n": 30, **summarise_transfer(["buy", "sell"], found), "with_invalid_seeds": None, "best": "vwap"}
    regimes = {"calm": calm, "thin": {"n": 20, **kept, "with_invalid_seeds": {"n": 30, **every}, "best": "twap"}}
    correct(regimes)
    before = json.dumps([regime["paired"] for regime in regimes.values()])
    all_seeds = with_invalid_seeds(regimes)
    correct(all_seeds)
    assert json.dumps([regime["paired"] for regime in regimes.values()]) == before
    assert [row[:2] for row in transfer_table(regimes).rows] == [("calm", "30"), ("thin", "20")]
    assert [row[:2] for row in transfer_table(all_seeds).rows] == [("calm", "30"), ("thin", "30")]
    # What is written to summary.json of those markets is corrected too.
    assert "p_holm" in regimes["thin"]["with_invalid_seeds"]["paired"]["policy-best"]["shortfall_cents"]


def test_the_command_compares_in_every_regime_as_a_comparison_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main(args(tmp_path))
    folder = (tmp_path / "latest").resolve()
    assert {path.name for path in folder.iterdir()} >= {"summary.json", "transfer.md", "transfer.svg", "transfer.png"}
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert list(summary["regimes"]) == ["calm", "thin"]
    assert (folder / "transfer.md").read_text(encoding="utf-8").strip() in capsys.readouterr().out
    thin = load_experiment("tactical", {**SETTINGS, "market.regime": "thin"})
    found = summary["regimes"]["thin"]
    candidates = command.schedules(thin)
    tried = [play(thin, candidates, seed) for seed in range(1_000_010, 1_000_012)]
    means = {name: np.mean([one[name]["shortfall_cents"] for one in tried]) for name in candidates}
    assert found["best"] == max(means, key=lambda name: means[name])
    compared = evaluate_all_strategies(thin, ["twap", "tactical"], SEEDS, policy=command.policy_file(thin, None))
    for ours, theirs in (("twap", "twap"), ("policy", "tactical")):
        expected = compared["strategies"][theirs]["shortfall_cents"]["mean"]
        assert found["strategies"][ours]["shortfall_cents"]["mean"] == pytest.approx(expected, abs=1e-9)


def test_markets_that_fail_the_gate_are_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    thin = load_experiment("tactical", {**SETTINGS, "market.regime": "thin"})
    volumes = {seed: run_do_nothing(thin, seed)["volume"] for seed in (*SEEDS, 1_000_010, 1_000_011, 1_000_012)}
    failing = min(SEEDS, key=lambda seed: volumes[seed])
    given = args(tmp_path, choose_on="1000010:1000013", regimes="thin")
    given.settings = (*given.settings, (f"comparison.validity.volume={volumes[failing] + 1}",))
    command.main(given)
    shown = capsys.readouterr().out
    without, every = shown.split("With the markets that failed the gate:")
    assert "| thin | 2 |" in without
    assert "| thin | 3 |" in every
    assert "thin, comparing" in without
    assert f"invalid: seed {failing}: volume" in without
    summary = json.loads((tmp_path / "latest" / "summary.json").read_text(encoding="utf-8"))
    weak = {str(seed) for seed in range(1_000_010, 1_000_013) if volumes[seed] <= volumes[failing]}
    assert set(summary["regimes"]["thin"]["choosing_validity"]["invalid"]) == weak


def test_what_is_measured_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thin = load_experiment("tactical", {**SETTINGS, "market.regime": "thin"})
    policy = command.check_policy(thin, command.policy_file(thin, None))
    once = command.transfer(thin, policy, SEEDS, range(1_000_010, 1_000_012), tmp_path)

    def never(*_: object) -> dict[str, Any]:
        raise AssertionError("measured again")

    monkeypatch.setattr(command, "measure_costs", never)
    assert command.transfer(thin, policy, SEEDS, range(1_000_010, 1_000_012), tmp_path) == once


def test_a_choice_is_not_judged_on_its_own_seeds(tmp_path: Path) -> None:
    assert command.choosing_seeds(range(2_000_000, 2_000_200), None, 100) == range(1_000_000, 1_000_100)
    assert command.choosing_seeds(range(1_000_000, 1_000_200), None, 100) == range(1_000_200, 1_000_300)
    with pytest.raises(ConfigError, match="seed 1000002 is to choose on and to compare on"):
        command.main(args(tmp_path, choose_on="1000002:1000009"))
    with pytest.raises(ConfigError, match="unknown regime 'windy'; allowed: calm"):
        command.main(args(tmp_path, regimes="windy"))
    assert not list(tmp_path.iterdir())


def test_all_schedules_trade_at_the_experiments_interval() -> None:
    for of in in_regimes("tactical", {}, "calm,thin").values():
        assert list(command.schedules(of)) == [
            "twap",
            "vwap",
            "cartea_jaimungal",
            "almgren_chriss_1",
            "almgren_chriss_5",
        ]


def test_seeds_that_the_policy_was_trained_on_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(args(tmp_path, seeds="0:3", regimes="calm"))
    warning = "3 of 5 seeds overlap those that the policy was trained on."
    assert f"warning: {warning}" in capsys.readouterr().out
    summary = json.loads((tmp_path / "latest" / "summary.json").read_text(encoding="utf-8"))
    assert warning in summary["warnings"]
