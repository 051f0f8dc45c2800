from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from agents.execution_agent import Decision
from agents.views import View
from configs import Side
from envs.stand_in_market import PRE_ROLL
from envs.stand_in_market import StandInMarket
from tests.agents.worlds import SECOND
from tests.agents.worlds import experiment

decisions = st.builds(
    Decision,
    market=st.one_of(st.just(0), st.integers(0, 2_000)),
    limit=st.one_of(st.just(0), st.integers(0, 2_000)),
    limit_price=st.integers(99_990, 100_010),
    cancel=st.booleans(),
)


@settings(max_examples=60)
@given(
    taken=st.lists(decisions, min_size=12, max_size=12),
    quantity=st.integers(1, 3_000),
    side=st.sampled_from(("buy", "sell")),
    end_rule=st.sampled_from(("leave", "sweep")),
    seed=st.integers(0, 100),
)
def test_whatever_is_decided_the_parent_is_never_exceeded(
    taken: list[Decision], quantity: int, side: Side, end_rule: str, seed: int
) -> None:
    market = StandInMarket(experiment(order={"quantity": quantity, "end_rule": end_rule}))
    views = [market.start(seed, side)]
    for decision in taken:
        if market.finished:
            break
        views.append(market.step(decision))
        assert views[-1].filled + views[-1].resting <= quantity
    assert market.finished
    assert sum(fill.quantity for view in views for fill in view.fills) == views[-1].filled
    for before, after in itertools.pairwise(views):
        assert after.filled == before.filled + sum(fill.quantity for fill in after.fills)
        assert after.volume >= sum(fill.quantity for fill in after.fills)
        assert after.elapsed - before.elapsed == 10 * SECOND
    assert market.simulator.resting is None
    if end_rule == "sweep" and views[-1].left:
        assert not (views[-1].asks if side == "buy" else views[-1].bids)


def test_the_view_is_the_simulators_book() -> None:
    market = StandInMarket(experiment())
    view = market.start(3, "buy")
    simulator = market.simulator
    assert simulator.time == PRE_ROLL
    assert (view.bids, view.asks, view.mid2, view.arrival2) == (
        simulator.bids,
        simulator.asks,
        simulator.mid2,
        simulator.mid2,
    )
    views = [view] + [market.step(Decision(limit=100, limit_price=view.bids[0][0] - 50)) for _ in range(4)]
    assert [v.mid2_past[0] for v in views[1:]] == [v.mid2 for v in views[:-1]]
    assert views[4].mid2_past == (views[3].mid2, views[2].mid2, views[1].mid2)
    assert (views[4].resting, views[4].resting_price) == (400, view.bids[0][0] - 50)
    assert view.arrival2 == views[4].arrival2


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_market_order_takes_the_best_opposite_price_first(side: Side) -> None:
    market = StandInMarket(experiment())
    before: View = market.start(3, side)
    after = market.step(Decision(market=10))
    opposite = before.asks if side == "buy" else before.bids
    assert [(fill.price, fill.quantity) for fill in after.fills] == [(opposite[0][0], 10)]
