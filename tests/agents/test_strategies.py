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
from agents import ImmediateAgent
from agents import PassiveAgent
from agents import POVAgent
from agents import RandomAgent
from agents import TWAPAgent
from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.views import Fill
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


@pytest.mark.parametrize("filled", [0, 300, 999])
def test_immediate_sends_all_that_is_left(filled: int) -> None:
    assert agent(ImmediateAgent).decide(view(filled=filled)) == Decision(market=1_000 - filled)


@given(
    rate=st.floats(0.01, 0.9),
    others=st.lists(st.integers(0, 2_000), min_size=1, max_size=60),
    side=st.sampled_from((-1, 1)),
)
def test_pov_is_its_rate_of_all_volume_until_it_is_done(rate: float, others: list[int], side: int) -> None:
    """Every order is filled before the next decision, and is part of the volume that the next view shows."""
    parent_shares = 5_000
    strategy, filled, sent = agent(POVAgent, rate=rate), 0, 0
    seen = view(side=side, parent=parent_shares, filled=0, decision=0, volume=12_345)  # of before the order
    assert strategy.decide(seen).market == 0
    for decision, volume in enumerate(others, 1):
        filled += sent
        fills = (Fill(1, 100_000, sent),) if sent else ()
        seen = view(
            side=side, parent=parent_shares, filled=filled, decision=decision, volume=volume + sent, fills=fills
        )
        sent = strategy.decide(seen).market
        expected = min(parent_shares, rate / (1 - rate) * sum(others[:decision]))
        assert filled + sent == pytest.approx(expected, abs=0.51)
        total = filled + sent + sum(others[:decision])
        assert filled + sent <= rate * total + 1


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan"), "0.2", True, None])
def test_a_rate_lies_between_0_and_1(rate: Any) -> None:
    with pytest.raises(ValueError, match="rate must be a number greater than 0 and less than 1, got ") as error:
        agent(POVAgent, rate=rate)
    assert repr(rate) in str(error.value)
