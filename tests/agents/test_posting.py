from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import InsideSpreadAgent
from agents import PostThenCrossAgent
from agents import TWAPLimitAgent
from agents.execution_agent import Decision
from tests.agents.worlds import SECOND
from tests.agents.worlds import parent
from tests.agents.worlds import view

# The view of `worlds.view`: 300 of 1 000 shares filled, 30 of 90 s gone, so 444 are due at the next decision and 333
# were due by now; 100 004 bid, 100 006 asked.


def decide(kind: Any, *, named: Any = None, **fields: Any) -> Decision:
    decision = kind(2, "ABM", parent(), 10 * SECOND, **(named or {})).decide(view(**fields))
    assert isinstance(decision, Decision)
    return decision


def test_twap_by_limit_orders_joins_the_best_quote_for_what_is_due() -> None:
    assert decide(TWAPLimitAgent) == Decision(limit=144, limit_price=100_004)
    assert decide(TWAPLimitAgent, side=-1) == Decision(limit=144, limit_price=100_006)
    assert decide(TWAPLimitAgent, filled=500) == Decision()
    kept = decide(TWAPLimitAgent, resting=33, resting_price=100_004, bids=[(100_004, 43)])
    assert kept == Decision(limit=111, limit_price=100_004)
    moved = decide(TWAPLimitAgent, resting=33, resting_price=100_002)
    assert moved == Decision(limit=144, limit_price=100_004, cancel=True)


def test_inside_spread_improves_by_a_tick_where_there_is_room() -> None:
    assert decide(InsideSpreadAgent) == Decision(limit=144, limit_price=100_005)
    assert decide(InsideSpreadAgent, side=-1) == Decision(limit=144, limit_price=100_005)
    assert decide(InsideSpreadAgent, asks=[(100_005, 9)]) == Decision(limit=144, limit_price=100_004)
    # Alone inside the spread, it stays there rather than outbid itself.
    alone = decide(InsideSpreadAgent, resting=144, resting_price=100_005, bids=[(100_005, 144), (100_004, 10)])
    assert alone == Decision()


def test_post_then_cross_posts_while_it_lags_little() -> None:
    assert decide(PostThenCrossAgent) == Decision(limit=144, limit_price=100_004)
    assert decide(PostThenCrossAgent, filled=112) == Decision(limit=332, limit_price=100_004)


def test_post_then_cross_crosses_what_lags_beyond_its_patience() -> None:
    # 333 due, 100 filled: 233 lag, 222 (two slices) are borne.
    assert decide(PostThenCrossAgent, filled=100) == Decision(market=10, limit=334, limit_price=100_004)
    patient = decide(PostThenCrossAgent, named={"patience": 3}, filled=100)
    assert patient == Decision(limit=344, limit_price=100_004)
    hasty = decide(PostThenCrossAgent, named={"patience": 0}, filled=100)
    assert hasty == Decision(market=233, limit=111, limit_price=100_004)


def test_post_then_cross_keeps_its_place_in_the_queue_while_it_crosses() -> None:
    at_touch = {"filled": 100, "resting_price": 100_004, "bids": [(100_004, 500)]}
    assert decide(PostThenCrossAgent, resting=334, **at_touch) == Decision(market=10, limit=0, limit_price=100_004)
    assert decide(PostThenCrossAgent, resting=300, **at_touch) == Decision(market=10, limit=34, limit_price=100_004)
    # More at rest than is to be posted: it makes way.
    made_way = decide(PostThenCrossAgent, resting=340, **at_touch)
    assert made_way == Decision(market=10, limit=334, limit_price=100_004, cancel=True)


def test_post_then_cross_with_nothing_to_join_only_crosses() -> None:
    assert decide(PostThenCrossAgent, filled=100, bids=[], asks=[]) == Decision(market=10)


@pytest.mark.parametrize("patience", [-1, "two", float("nan"), None])
def test_patience_is_a_number(patience: Any) -> None:
    with pytest.raises(ValueError, match="patience must be a number at least 0, got "):
        decide(PostThenCrossAgent, named={"patience": patience})


@given(
    kind=st.sampled_from((TWAPLimitAgent, InsideSpreadAgent, PostThenCrossAgent)),
    side=st.sampled_from((-1, 1)),
    decision=st.integers(0, 8),
    filled=st.integers(0, 1_000),
    resting=st.integers(0, 1_000),
    resting_price=st.integers(99_995, 100_010),
    bids=st.lists(st.integers(1, 500), max_size=3),
    asks=st.lists(st.integers(1, 500), max_size=3),
)
def test_no_more_than_the_schedule_has_due_is_sent_and_posts_never_cross(
    kind: Any,
    side: int,
    decision: int,
    filled: int,
    resting: int,
    resting_price: int,
    bids: list[int],
    asks: list[int],
) -> None:
    resting = min(resting, 1_000 - filled)
    seen = {
        "side": side,
        "decision": decision,
        "elapsed": decision * 10 * SECOND,
        "filled": filled,
        "resting": resting,
        "resting_price": resting_price if resting else -1,
        "bids": [(100_004 - k, size) for k, size in enumerate(bids)],
        "asks": [(100_006 + k, size) for k, size in enumerate(asks)],
    }
    sent = decide(kind, **seen)
    due = max(0, view(**seen).target() - filled)
    assert min(sent.market, sent.limit) >= 0
    assert sent.market + sent.limit <= due
    assert sent.market == 0 or kind is PostThenCrossAgent
    if sent.limit and bids and asks:
        assert 100_004 <= sent.limit_price <= 100_006
        assert sent.limit_price != (100_006 if side > 0 else 100_004)
    if kind is PostThenCrossAgent and sent.market:
        left_behind = view(**seen).target(0) - filled - sent.market
        assert left_behind <= 2 * view(**seen).slice + 1
