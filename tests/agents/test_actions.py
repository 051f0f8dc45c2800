from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.actions import make_actions
from agents.policy import decision_of
from configs.models import ActionConfig
from configs.models import LotActions
from configs.models import ParticipationActions
from configs.models import PlacementActions
from tests.agents.worlds import SECOND
from tests.agents.worlds import mirror_rows
from tests.agents.worlds import raw_rows
from tests.agents.worlds import view

ALL_PLACEMENTS = ("hold", "behind", "at", "inside", "cross")
CONFIGS = (
    LotActions(),
    LotActions(lot=7, largest=1),
    ParticipationActions(),
    ParticipationActions(corridor=0.2),
    ParticipationActions(multipliers=(0.0, 3.0, 1.0), corridor=0.01),
    PlacementActions(placements=ALL_PLACEMENTS),
    PlacementActions(placements=("cross", "behind"), slices=2.5),
)


@given(st.sampled_from(CONFIGS), raw_rows(), st.randoms(use_true_random=False))
def test_many_markets_at_once_are_each_one_by_itself(config: ActionConfig, rows: np.ndarray, random: Any) -> None:
    actions = make_actions(config)
    numbers = np.array([random.randrange(actions.n) for _ in rows])
    together = actions.decode(numbers, rows)
    for index, number in enumerate(numbers):
        alone = decision_of(actions, int(number), rows[index : index + 1])
        assert tuple(together[index].item()) == alone[:4]
        assert alone.action == number


@given(st.sampled_from(CONFIGS), raw_rows(max_size=1), st.data())
def test_no_action_asks_for_more_than_is_left_or_for_an_order_that_cannot_be_sent(
    config: ActionConfig, rows: np.ndarray, data: st.DataObject
) -> None:
    actions = make_actions(config)
    decision = decision_of(actions, data.draw(st.integers(0, actions.n - 1)), rows)
    assert 0 <= decision.market <= rows["left"][0]
    assert 0 <= decision.limit <= rows["left"][0]
    assert decision.limit == 0 or decision.market == 0
    assert (decision.limit_price > 0) == (decision.limit > 0)


@given(st.sampled_from(CONFIGS), raw_rows(max_size=1), st.data())
def test_a_sell_does_in_the_mirrored_market_what_a_buy_does(
    config: ActionConfig, rows: np.ndarray, data: st.DataObject
) -> None:
    actions = make_actions(config)
    number = data.draw(st.integers(0, actions.n - 1))
    straight = decision_of(actions, number, rows)
    mirrored = decision_of(actions, number, mirror_rows(rows))
    assert mirrored[:2] == straight[:2]
    assert mirrored.cancel == straight.cancel
    if straight.limit:
        assert mirrored.limit_price == rows["arrival2"][0] - straight.limit_price


def test_lots_are_market_orders_of_whole_lots_up_to_what_is_left() -> None:
    actions = make_actions(LotActions())
    assert actions.n == 5
    rows = view(parent=1_000, filled=950).rows()
    assert [decision_of(actions, k, rows).market for k in range(5)] == [0, 20, 40, 50, 50]
    assert (actions.idle_action, actions.fastest_action) == (0, 4)
    assert actions.labels() == ["0 shares", "20 shares", "40 shares", "60 shares", "80 shares"]
    # An even schedule has 444 shares due at the end of this interval.
    assert actions.twap_action(view(filled=400).rows()).tolist() == [2]
    assert actions.twap_action(view(filled=900).rows()).tolist() == [0]


def test_participation_is_a_multiple_of_the_even_slice() -> None:
    actions = make_actions(ParticipationActions())
    rows = view(parent=900, window=90 * SECOND, interval=10 * SECOND, filled=0).rows()
    assert [decision_of(actions, k, rows).market for k in range(5)] == [0, 50, 100, 150, 200]
    assert actions.twap_action(rows).tolist() == [2]
    assert (actions.idle_action, actions.fastest_action) == (0, 4)


@given(
    parent=st.integers(1, 30_000),
    decisions=st.integers(1, 60),
    corridor=st.floats(0.001, 1.0),
    multipliers=st.lists(st.floats(0, 5), min_size=2, max_size=5),
    side=st.sampled_from((-1, 1)),
    data=st.data(),
)
def test_a_corridor_is_kept_and_closes_on_the_full_quantity_whatever_is_chosen(
    parent: int, decisions: int, corridor: float, multipliers: list[float], side: int, data: st.DataObject
) -> None:
    actions = make_actions(ParticipationActions(multipliers=tuple(multipliers), corridor=corridor))
    chosen = data.draw(st.lists(st.integers(0, actions.n - 1), min_size=decisions, max_size=decisions))
    filled = 0
    for index, action in enumerate(chosen):
        rows = view(
            side=side,
            parent=parent,
            filled=filled,
            elapsed=index * SECOND,
            window=decisions * SECOND,
            interval=SECOND,
        ).rows()
        filled += decision_of(actions, action, rows).market
        elapsed = Fraction(index + 1, decisions)
        # One share of rounding: the schedule is in whole shares.
        assert filled >= (elapsed - min(Fraction(corridor), 1 - elapsed)) * parent - 1
        assert filled <= (elapsed + Fraction(corridor)) * parent + 1
    assert filled == parent


def placed(name: str, **fields: Any) -> Any:
    actions = make_actions(PlacementActions(placements=ALL_PLACEMENTS))
    return decision_of(actions, ALL_PLACEMENTS.index(name), view(**fields).rows())


@pytest.mark.parametrize(
    ("side", "name", "price"),
    [
        (1, "behind", 100_003),
        (1, "at", 100_004),
        (1, "inside", 100_005),
        (-1, "behind", 100_007),
        (-1, "at", 100_006),
        (-1, "inside", 100_005),
    ],
)
def test_a_placement_stands_where_its_name_says(side: int, name: str, price: int) -> None:
    # The book of the view: 100 004 to buy, 100 006 to sell; an even schedule has 444 shares due, 300 are filled.
    decision = placed(name, side=side)
    assert decision[:4] == (0, 144, price, False)


def test_inside_never_crosses() -> None:
    assert placed("inside", bids=[(100_005, 10)], asks=[(100_006, 10)]).limit_price == 100_005
    assert placed("inside", side=-1, bids=[(100_005, 10)], asks=[(100_006, 10)]).limit_price == 100_006


def test_hold_leaves_everything_and_cross_withdraws_first() -> None:
    assert placed("hold", resting=50, resting_price=100_001)[:4] == (0, 0, -1, False)
    assert placed("cross", resting=50, resting_price=100_001)[:4] == (144, 0, -1, True)
    assert placed("cross")[:4] == (144, 0, -1, False)


def test_an_order_at_the_wanted_price_keeps_its_place_and_is_added_to() -> None:
    assert placed("at", resting=50, resting_price=100_004, bids=[(100_004, 60)])[:4] == (0, 94, 100_004, False)
    assert placed("at", resting=500, resting_price=100_004, bids=[(100_004, 510)])[:4] == (0, 0, -1, False)
    assert placed("at", resting=50, resting_price=100_003)[:4] == (0, 144, 100_004, True)


@pytest.mark.parametrize(("name", "others", "own"), [("behind", 100_003, 100_002), ("inside", 100_003, 100_004)])
def test_an_order_alone_at_the_best_price_is_not_placed_against_itself(name: str, others: int, own: int) -> None:
    # Fifty own shares are the best bid. "inside" them would be to outbid oneself, decision after decision, up to the
    # ask; "behind" them, to walk away from the market.
    for best in (100_004, 100_005):
        bids = [(best, 50), (others, 70)]
        decision = placed(name, resting=50, resting_price=best, bids=bids, asks=[(100_010, 10)])
        if best == own:
            assert decision[:4] == (0, 94, own, False)
        else:
            assert decision[:4] == (0, 144, own, True)


def test_a_placement_on_an_empty_side_stands_one_tick_from_the_other_and_nowhere_in_an_empty_book() -> None:
    assert placed("at", bids=[]).limit_price == 100_005
    assert placed("at", side=-1, asks=[]).limit_price == 100_005
    for name in ("behind", "at", "inside"):
        assert placed(name, bids=[], asks=[])[:4] == (0, 0, -1, False)
