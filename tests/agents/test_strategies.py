from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from abides_markets.orders import Side
from agents import STRATEGIES
from agents import AggressiveAgent
from agents import IdleAgent
from agents import PassiveAgent
from agents import RandomAgent
from agents import TWAPAgent
from agents import strategy_class
from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from configs import ConfigError
from tests.agents.worlds import SECOND
from tests.agents.worlds import parent
from tests.agents.worlds import view

DRAWS = 20_000


def agent(kind: type[ExecutionAgent], seed: int = 0, **named: Any) -> ExecutionAgent:
    return kind(2, "ABM", parent(), 10 * SECOND, random_state=np.random.RandomState(seed), **named)


def shares_drawn(kind: type[ExecutionAgent], **named: Any) -> Counter[int]:
    strategy, seen = agent(kind, **named), view()
    decisions = [strategy.decide(seen) for _ in range(DRAWS)]
    assert all(decision == Decision(market=decision.market) for decision in decisions)
    return Counter(decision.market for decision in decisions)


@pytest.mark.parametrize(
    ("kind", "probabilities"),
    [
        (PassiveAgent, {0: 0.6, 20: 0.1, 40: 0.1, 60: 0.1, 80: 0.1}),
        (RandomAgent, {0: 0.5 + 0.125, 20: 0.125, 40: 0.125, 60: 0.125}),
    ],
)
def test_the_papers_baselines_draw_as_the_paper_says(
    kind: type[ExecutionAgent], probabilities: dict[int, float]
) -> None:
    drawn = shares_drawn(kind)
    assert set(drawn) == set(probabilities)
    observed = [drawn[shares] for shares in probabilities]
    assert chisquare(observed, [DRAWS * p for p in probabilities.values()]).pvalue > 0.001
    scaled = shares_drawn(kind, lot=3)
    assert {shares * 3 // 20: count for shares, count in drawn.items()} == dict(scaled)


def test_their_draws_come_from_their_own_stream() -> None:
    first, second, other = agent(PassiveAgent, 1), agent(PassiveAgent, 1), agent(PassiveAgent, 2)
    runs = [[one.decide(view()).market for _ in range(50)] for one in (first, second, other)]
    assert runs[0] == runs[1] != runs[2]


def test_aggressive_always_sends_two_lots() -> None:
    assert shares_drawn(AggressiveAgent) == {40: DRAWS}
    assert agent(AggressiveAgent, lot=7).decide(view()) == Decision(market=14)


def test_idle_sends_nothing() -> None:
    assert shares_drawn(IdleAgent) == {0: DRAWS}


@pytest.mark.parametrize("kind", [AggressiveAgent, PassiveAgent, RandomAgent])
def test_a_lot_is_positive(kind: type[ExecutionAgent]) -> None:
    with pytest.raises(ValueError, match="a lot must be positive, got 0"):
        agent(kind, lot=0)


@given(
    quantity=st.integers(1, 30_000),
    decisions=st.integers(1, 400),
    interval=st.sampled_from((SECOND, 10 * SECOND, 7 * SECOND)),
    side=st.sampled_from((-1, 1)),
    data=st.data(),
)
def test_twap_is_on_schedule_after_every_full_fill_and_makes_up_for_partial_ones(
    quantity: int, decisions: int, interval: int, side: int, data: st.DataObject
) -> None:
    strategy = agent(TWAPAgent)
    filled = 0
    short = data.draw(st.sets(st.integers(0, decisions - 1), max_size=3))
    for index in range(decisions):
        seen = view(
            side=side,
            parent=quantity,
            filled=filled,
            elapsed=index * interval,
            window=decisions * interval,
            interval=interval,
        )
        decision = strategy.decide(seen)
        due = round(quantity * (index + 1) / decisions)
        assert decision == Decision(market=due - filled)
        filled += decision.market // 2 if index in short else decision.market
    if decisions - 1 not in short:
        assert filled == quantity


def test_twap_waits_when_it_is_ahead() -> None:
    assert agent(TWAPAgent).decide(view(filled=900)).market == 0


@pytest.mark.parametrize("name", ["twap", "aggressive", "passive", "random", "idle"])
def test_a_sell_decides_as_a_buy(name: str) -> None:
    runs = []
    for side, sign in ((Side.BID, 1), (Side.ASK, -1)):
        strategy = STRATEGIES[name](2, "ABM", parent(side=side), 10 * SECOND, random_state=np.random.RandomState(3))
        runs.append([strategy.decide(view(side=sign, filled=30 * k)) for k in range(20)])
    assert runs[0] == runs[1]


def test_strategies_of_ones_own_are_found_by_module_and_class() -> None:
    assert strategy_class("agents.strategies:TWAPAgent") is TWAPAgent
    assert strategy_class("twap") is TWAPAgent
    for kind, message in (
        ("twpa", "unknown strategy 'twpa'; allowed: aggressive, dqn, idle, passive, random, twap, or module:Class"),
        ("agents.nothing:TWAPAgent", "cannot be imported"),
        ("agents.strategies:Twap", "cannot be imported"),
        ("agents.views:View", "not a subclass"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            strategy_class(kind)
        assert "\n" not in str(error.value)
