from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.backtest import headline
from analysis.backtest import summarise_backtest
from analysis.plots import svg
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from experiments import backtest as command
from experiments.backtest import Record
from experiments.backtest import measure
from experiments.backtest import shortfall_cents
from experiments.episode import Episode
from experiments.episode import make_agent
from tests.agents.worlds import experiment

SEED = 1_000_000


@pytest.fixture(scope="module")
def full() -> Experiment:
    return load_experiment("quick")


@pytest.fixture(scope="module")
def record(full: Experiment) -> Record:
    return Record(full, SEED)


def test_who_only_looks_sees_in_the_record_what_it_sees_in_the_market(full: Experiment, record: Record) -> None:
    live = Episode(full, "idle", SEED, "buy").agent
    tried = record.work(make_agent(full, "idle", SEED, "buy", 1))
    assert len(live.decisions) == 180
    for one, other in zip(live.decisions, tried.decisions, strict=True):
        assert one.view == other.view
    assert tried.arrival2 == live.arrival2


@pytest.mark.parametrize("strategy", ["twap", "post_then_cross"])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_until_its_first_fill_a_backtest_is_the_market(
    full: Experiment, record: Record, strategy: str, side: Any
) -> None:
    live = Episode(full, strategy, SEED, side)
    tried = record.work(make_agent(full, strategy, SEED, side, 1))
    assert tried.decisions[0].view == live.agent.decisions[0].view
    assert tried.decisions[0].decision == live.agent.decisions[0].decision
    if strategy == "twap":  # nobody has reacted yet: the first child order gets what it gets in the market
        first = tried.fills[0].order_id
        own = live.agent.fills[0].order_id
        assert [(f.price, f.quantity) for f in tried.fills if f.order_id == first] == [
            (f.price, f.quantity) for f in live.agent.fills if f.order_id == own
        ]
    assert tried.filled == tried.order.quantity


def test_the_order_leaves_no_trace_in_the_record(full: Experiment, record: Record) -> None:
    idle = record.work(make_agent(full, "idle", SEED, "buy", 1))
    agent = record.work(make_agent(full, "immediate", SEED, "buy", 1))
    for one, other in zip(agent.decisions, idle.decisions, strict=False):
        assert (one.view.bids, one.view.asks) == (other.view.bids, other.view.asks)


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("strategy", ["twap", "post_then_cross", "immediate"])
def test_the_shortfall_is_that_of_the_records(strategy: str, side: Any) -> None:
    short = experiment(order={"quantity": 40_000, "end_rule": "leave"})  # more than there is, so that some is left
    episode = Episode(short, strategy, SEED, side)
    row = episode.tables()["episodes"].to_pylist()[0]
    assert shortfall_cents(episode.agent, row["end_mid2"]) == pytest.approx(row["shortfall_cents"])


def test_a_market_without_an_arrival_price_has_no_shortfall() -> None:
    agent = make_agent(experiment(), "twap", SEED, "buy", 1)
    assert shortfall_cents(agent, 200_000) is None
    costs = {"shortfall_cents": [None, -2.0], "completion": [0.0, 1.0]}
    known = {"shortfall_cents": [-1.0, -2.0], "completion": [1.0, 1.0]}
    summary = summarise_backtest([{"strategies": {"twap": {"market": costs, "backtest": known}}}])
    assert summary["strategies"]["twap"]["market"]["mean"] is None
    assert summary["strategies"]["twap"]["flattery"]["n"] == 0


def test_a_summary_pairs_the_two_on_each_seed() -> None:
    short = experiment(order={"quantity": 1_200})
    found = [measure(short, ("twap", "idle"), SEED + i) for i in range(3)]
    summary = {"n": 3, **summarise_backtest(found)}
    twap = summary["strategies"]["twap"]
    each = [
        np.mean(one["strategies"]["twap"]["backtest"]["shortfall_cents"])
        - np.mean(one["strategies"]["twap"]["market"]["shortfall_cents"])
        for one in found
    ]
    assert twap["flattery"]["mean"] == pytest.approx(np.mean(each))
    assert twap["flattery"]["n"] == 3
    assert twap["completion"] == {"backtest": 1.0, "market": 1.0}
    idle = summary["strategies"]["idle"]
    assert idle["flattery"]["mean"] == 0, "who does nothing is not flattered"
    assert f"flatters twap by {twap['flattery']['mean']:+.1f}" in headline(summary)


def test_the_command_writes_summary_table_and_figure_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = (
        (
            "market.end_time=09:34:00",
            "order.start=09:31:00",
            "order.window=2min",
            "order.quantity=1200",
            "comparison.validity.volume=0",
        ),
    )
    args = command.Args("quick", strategies="twap,immediate", seeds="1000000:1000003", workers=1, out=tmp_path,
                        settings=settings)  # fmt: skip
    real, begun = measure, []

    def interrupted(of: Experiment, strategies: Any, seed: int) -> Any:
        if seed == 1_000_002 and begun.count(seed) == 0:
            begun.append(seed)
            raise KeyboardInterrupt
        begun.append(seed)
        return real(of, strategies, seed)

    monkeypatch.setattr(command, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.main(args)
    command.main(args)
    assert begun == [1_000_000, 1_000_001, 1_000_002, 1_000_002]
    folder = (tmp_path / "latest").resolve()
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["n"] == 3
    assert (folder / "backtest.md").read_text(encoding="utf-8").startswith("A backtest on the recorded market flatters")
    assert svg(command.backtest_figure(summary)) == (folder / "backtest.svg").read_text(encoding="utf-8")
    assert "resuming 3 markets, 2 strategies in each" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"strategies": "twap,dqn"}, "strategy 'dqn' trades with a policy"),
        ({"strategies": "twap,twap"}, "strategy 'twap' is listed twice"),
        ({"strategies": ","}, "no strategies"),
        ({"seeds": "1000000:1000001"}, "an interval needs at least two"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
    ],
)
def test_the_command_says_what_it_refuses_before_anything_runs(
    named: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        command.main(command.Args("quick", out=tmp_path / "results", **named))
    assert not (tmp_path / "results").exists()
