"""A market whose book overflows ends there, on both engines and around an execution slot alike."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from abides_core import abides
from abides_markets.agents import exchange_agent
from abides_markets.compiled import layout as at
from abides_markets.compiled import translate
from abides_markets.halt import most_resting
from abides_markets.switches import Switches
from agents.actions import DECISION
from configs import load_experiment
from envs.native_markets import NativeMarkets
from experiments.episode import Episode
from experiments.episode import run_episode
from tests.abides_markets.compiled.worlds import build


def halt_at(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (exchange_agent, translate):
        monkeypatch.setattr(module, "most_resting", lambda agents: most)


@pytest.mark.parametrize("most", [0, 20, 45])
def test_both_engines_halt_after_the_same_event(
    most: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    halt_at(most, monkeypatch)
    left = []
    for engine in ("reference", "compiled"):
        config = build(3, switches=Switches(makers_requote=True))
        with caplog.at_level(logging.WARNING, logger="abides"):
            end_state = abides.run(config, engine=engine)
        exchange = end_state["agents"][0]
        assert exchange.kernel.halted
        assert exchange.kernel.current_time < config["stop_time"]
        book = exchange.order_books["ABM"]
        assert sum(len(level.visible_orders) for level in (*book.bids, *book.asks)) > most
        left.append((exchange.kernel.current_time, exchange.kernel.ttl_messages, book.history))
        assert f"more than {most} orders rest" in caplog.text
        caplog.clear()
    assert left[0] == left[1]


def test_ordinary_markets_are_far_from_it() -> None:
    config = build(3, end_time="10:00:00")
    end_state = abides.run(config, engine="compiled")
    exchange = end_state["agents"][0]
    assert not exchange.kernel.halted
    buffer = exchange.kernel.buffer
    assert 0 < buffer[at.ORDER_ROWS] - buffer[at.ORDER_FREE_COUNT] < most_resting(len(config["agents"])) / 20


def test_makers_that_answer_each_other_for_ever_halt_the_market() -> None:
    """In a thin book, forty shares a second on one side leave two makers alone with each other."""
    experiment = load_experiment("benchmarks", {"market.regime": "thin"})
    tables = run_episode(experiment, "aggressive", 1_000_003, "sell")
    (row,) = tables["episodes"].to_pylist()
    assert 0 < row["filled"] < row["quantity"]
    assert row["left"] == row["quantity"] - row["filled"]
    parts = ("execution_cents", "drift_cents", "opportunity_cents")
    assert row["shortfall_cents"] == pytest.approx(sum(row[name] for name in parts))
    assert sum(tables["fills"]["quantity"].to_pylist()) == row["filled"]


def test_an_execution_slot_ends_where_the_agent_in_python_does() -> None:
    experiment = load_experiment("benchmarks", {"market.regime": "thin", "decision_interval": "1s"})
    agent = Episode(experiment, "aggressive", 1_000_003, "sell").agent
    markets = NativeMarkets(experiment, 1)
    markets.start(0, 1_000_003, "sell")
    decisions, active = np.zeros(1, dtype=DECISION), np.ones(1, dtype=np.bool_)
    decisions["market"], decisions["limit_price"] = 40, -1
    taken = 0
    while not markets.finished[0]:
        markets.step(decisions, active)
        taken += 1
    assert taken == len(agent.decisions)
    assert markets.rows["filled"][0] == agent.filled
    assert markets.rows["left"][0] == experiment.order.quantity - agent.filled > 0
