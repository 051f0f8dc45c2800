"""The benchmarks in every regime, with made-up episodes: what is run, resumed, joined and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents import STRATEGIES
from agents.registry import POLICY_KINDS
from analysis.report import build_report
from configs import ConfigError
from configs import load_experiment
from configs import regimes
from experiments import benchmarks
from experiments import compare
from experiments import evaluation
from experiments.console import format_duration
from experiments.episode import strategy_config
from experiments.in_regimes import in_regimes
from tests.experiments.test_compare import FakeMarkets

FEW = (("comparison.strategies=[twap,aggressive]",),)


@pytest.fixture
def markets(monkeypatch: pytest.MonkeyPatch) -> FakeMarkets:
    fake = FakeMarkets()
    monkeypatch.setattr(evaluation, "run_episode", fake.run_episode)
    monkeypatch.setattr(evaluation, "run_do_nothing", fake.run_do_nothing)
    monkeypatch.setattr(compare, "check_strategies", lambda *_: None)
    return fake


def args(out: Path, **options: object) -> benchmarks.Args:
    chosen = {"regimes": "calm,thin", "quick": True, "workers": 1, "out": out, "settings": FEW, **options}
    return benchmarks.Args("benchmarks", **chosen)  # type: ignore[arg-type]


def test_the_configuration_compares_every_hand_made_strategy() -> None:
    experiment = load_experiment("benchmarks")
    kinds = {strategy_config(experiment, name).kind for name in experiment.comparison.strategies}
    assert kinds == set(STRATEGIES) - {"idle", *POLICY_KINDS}
    assert experiment.comparison.strategies[0] == "twap"


def test_every_regime_is_compared_unless_some_are_named() -> None:
    assert list(in_regimes("benchmarks", {})) == regimes()
    chosen = in_regimes("benchmarks", {"order.quantity": 500}, "thin, calm")
    assert [(name, of.market.regime, of.order.quantity) for name, of in chosen.items()] == [
        ("thin", "thin", 500),
        ("calm", "calm", 500),
    ]


def test_a_regime_that_would_be_overridden_is_refused_and_so_is_none() -> None:
    with pytest.raises(ConfigError, match=r"market\.regime=thin: this command sets it itself"):
        in_regimes("benchmarks", {"market.regime": "thin"})
    with pytest.raises(ConfigError, match="no regime in ' ,'; allowed: calm"):
        in_regimes("benchmarks", {}, " ,")


def test_one_table_and_one_figure_of_all_regimes(
    markets: FakeMarkets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmarks.main(args(tmp_path))
    folder = (tmp_path / "latest").resolve()
    found = json.loads((folder / "benchmarks.json").read_text())
    assert list(found["regimes"]) == ["calm", "thin"]
    assert found["comparisons"] == 2
    for regime in found["regimes"].values():
        assert regime["strategies"]["aggressive"]["n"] == 2
        assert regime["seeds"]["asked"] == "1000000:1000002"
    assert (folder / "benchmarks.svg").read_text().startswith("<?xml")
    assert (folder / "benchmarks.png").read_bytes().startswith(b"\x89PNG")
    assert "## thin" in (folder / "benchmarks.md").read_text()
    shown = capsys.readouterr().out
    duration = format_duration(12 * benchmarks.SECONDS_PER_UNIT)
    assert f"[1/2] calm; 12 units to go in all, about {duration}" in shown
    assert f"table: {folder / 'benchmarks.md'}" in shown
    # A regime's folder keeps its joined tables, from which its report can be built.
    assert not (folder / "thin" / "parts").exists()
    assert build_report(folder / "thin").is_file()


def test_an_interrupted_run_goes_on_where_it_stopped(markets: FakeMarkets, tmp_path: Path) -> None:
    benchmarks.main(args(tmp_path / "whole"))
    whole = (tmp_path / "whole" / "latest" / "benchmarks.md").read_text()
    assert len(markets.ran) == 2 * 2 * (1 + 2 * 2)
    markets.ran.clear()
    # In the second regime: the first is finished, and its parts are gone.
    markets.interrupt_after = 13
    with pytest.raises(KeyboardInterrupt):
        benchmarks.main(args(tmp_path / "cut"))
    markets.ran.clear()
    markets.interrupt_after = None
    benchmarks.main(args(tmp_path / "cut"))
    assert 0 < len(markets.ran) < 10
    assert (tmp_path / "cut" / "latest" / "benchmarks.md").read_text() == whole


def test_a_failing_unit_ends_with_status_1_and_is_tried_again(markets: FakeMarkets, tmp_path: Path) -> None:
    markets.fails = {("aggressive", 1_000_001)}
    with pytest.raises(SystemExit) as stopped:
        benchmarks.main(args(tmp_path))
    assert stopped.value.code == 1
    markets.fails = set()
    markets.ran.clear()
    benchmarks.main(args(tmp_path))
    assert markets.ran == [("aggressive", 1_000_001, side) for _ in range(2) for side in ("buy", "sell")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regimes": "calm,thick"}, r"unknown regime 'thick'; allowed: calm, deep"),
        ({"seeds": "5:5"}, r"seeds '5:5' is empty"),
        ({"workers": 0}, r"workers must be at least 1, got 0"),
        ({"settings": (("comparison.strategies=[twap]",),)}, r"comparison.strategies must be at least two"),
    ],
)
def test_wrong_options_are_named_before_anything_runs(
    markets: FakeMarkets, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        benchmarks.main(args(tmp_path / "results", **options))
    assert markets.ran == []
    assert not (tmp_path / "results").exists()
