from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from abides_markets.orders import Side
from agents import STRATEGIES
from agents import TWAPAgent
from agents import check_parameters
from agents import strategy_class
from agents.execution_agent import ExecutionAgent
from agents.registry import POLICY_KINDS
from agents.registry import check_importable
from agents.registry import parameters_of
from agents.registry import source_digest
from configs import ConfigError
from experiments.episode import Episode
from tests.agents.worlds import SECOND
from tests.agents.worlds import THIN
from tests.agents.worlds import Quote
from tests.agents.worlds import deep_book
from tests.agents.worlds import experiment
from tests.agents.worlds import mirrored
from tests.agents.worlds import parent
from tests.agents.worlds import run_world

BENCHMARKS = sorted(set(STRATEGIES) - {*POLICY_KINDS, "idle"})
COMPLETES = sorted(set(BENCHMARKS) - {"aggressive", "passive", "random"})


class OwnAgent(TWAPAgent):
    """With a parameter of its own and those of its base."""

    def __init__(self, *arguments: Any, patience: int = 3, **named: Any) -> None:
        super().__init__(*arguments, **named)


def test_strategies_of_ones_own_are_found_by_module_and_class() -> None:
    assert strategy_class("agents.strategies:TWAPAgent") is TWAPAgent
    assert strategy_class("twap") is TWAPAgent
    allowed = ", ".join(sorted(STRATEGIES))
    for kind, message in (
        ("twpa", f"unknown strategy 'twpa'; allowed: {allowed}, or module:Class"),
        ("agents.nothing:TWAPAgent", "cannot be imported"),
        ("agents.strategies:Twap", "cannot be imported"),
        ("agents.views:View", "not a subclass"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            strategy_class(kind)
        assert "\n" not in str(error.value)


def test_another_process_must_find_the_same_class(monkeypatch: pytest.MonkeyPatch) -> None:
    check_importable("twap")
    check_importable(f"{__name__}:OwnAgent")
    for kind in ("twap", "mine"):
        monkeypatch.setitem(STRATEGIES, kind, OwnAgent)
        with pytest.raises(ConfigError, match=f"strategy '{kind}' is registered in this process alone: .*:OwnAgent"):
            check_importable(kind)


def test_the_code_of_ones_own_strategy_has_a_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    # What a class uses of its module counts too.
    for number, (name, share) in enumerate((("own_a", 1), ("own_b", 1), ("own_c", 2))):
        code = f"from agents import TWAPAgent\n\nSHARE = {share}\n\n\nclass Mine(TWAPAgent):\n    share = SHARE\n"
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
        found.append(source_digest(f"{name}:Mine"))
        assert found[number] is not None
    assert found[0] == found[1] != found[2]
    assert source_digest("twap") is None
    monkeypatch.setitem(STRATEGIES, "interactive", type("Nowhere", (TWAPAgent,), {"__module__": "__nowhere__"}))
    assert source_digest("interactive") is None


def test_parameters_are_those_that_a_class_adds() -> None:
    assert parameters_of(ExecutionAgent) == parameters_of(TWAPAgent) == []
    assert parameters_of(OwnAgent) == ["patience"]
    assert parameters_of(STRATEGIES["almgren_chriss"]) == ["calibration", "risk_aversion"]
    assert parameters_of(STRATEGIES["inside_spread"]) == []
    check_parameters("pov", ["rate"])
    for kind, name, allowed in (
        ("twap", "rate", "none"),
        ("pov", "rat", "rate"),
        ("pov", "interval", "rate"),
        ("dqn", "policy", "none"),
        ("cartea_jaimungal", "phi", "calibration, running_penalty, terminal_penalty"),
    ):
        with pytest.raises(ConfigError) as error:
            check_parameters(kind, [name])
        assert str(error.value) == f"unknown parameter {name!r} of {kind}; allowed: {allowed}"


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("params", [{}, THIN], ids=["market", "gaps"])
@pytest.mark.parametrize("name", BENCHMARKS)
def test_both_engines_give_the_same_tape(name: str, params: dict[str, int], side: Any) -> None:
    market = {"end_time": "09:33:02", "params": params}
    of = experiment(market=market, order={"quantity": 500, "window": "80s"}, decision_interval="4s")
    runs = [Episode(of, name, 7, side, engine=engine) for engine in ("reference", "compiled")]
    first, second = ((run.tape.trades, run.tape.quotes, run.agent.fills, run.agent.decisions) for run in runs)
    assert first == second
    assert runs[0].agent.fills


@pytest.mark.parametrize("quantity", [1, 997, 2_000])
@pytest.mark.parametrize("name", COMPLETES)
def test_with_a_sweep_all_is_filled_and_never_more(name: str, quantity: int) -> None:
    """But for what the book did not hold: then the opposite side was empty at the end of the sweep."""
    of = experiment(order={"quantity": quantity}, decision_interval="5s")
    for side in ("buy", "sell"):
        episode = Episode(of, name, 3, side)
        agent = episode.agent
        assert agent.filled == sum(fill.quantity for fill in agent.fills) <= quantity
        if agent.filled < quantity:
            assert name == "pov"  # whatever its volume leaves is swept at once
            swept = [quote for quote in episode.tape.quotes if episode.end - SECOND < quote.time <= episode.end]
            assert any((quote.ask if side == "buy" else quote.bid) < 0 for quote in swept)
        filled = [record.view.filled for record in agent.decisions]
        assert filled == sorted(filled)
        for record in agent.decisions:
            assert record.view.filled + record.view.resting <= quantity


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_sell_in_the_mirrored_market_does_what_a_buy_does(name: str) -> None:
    """Quotes that move, orders of others that hit what rests: the same decisions, prices reflected."""
    script = [
        *deep_book(size=400, spread=4),
        *[Quote(k * 5 * SECOND, Side.ASK, 200, 99_998) for k in range(1, 12)],
        *[Quote(k * 5 * SECOND + 1, Side.ASK, 300, 100_002 + k % 3) for k in range(1, 19)],
        *[Quote(k * 7 * SECOND, Side.BID, 50, 99_999) for k in range(1, 9)],
    ]
    buy = run_world(STRATEGIES[name], script, order=parent(800), name=name)
    sell = run_world(STRATEGIES[name], mirrored(script), order=parent(800, Side.ASK), name=name)
    assert buy.agent.fills
    assert [(f.quantity, 200_000 - f.price) for f in buy.agent.fills] == [
        (f.quantity, f.price) for f in sell.agent.fills
    ]
    for bought, sold in zip(buy.agent.decisions, sell.agent.decisions, strict=True):
        price = bought.decision.limit_price
        assert sold.decision == bought.decision._replace(limit_price=price if price < 0 else 200_000 - price)
