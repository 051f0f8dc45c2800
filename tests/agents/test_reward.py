from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.reward import Reward
from agents.reward import fill_rows
from agents.views import Fill
from configs.models import RewardConfig
from tests.agents.worlds import mirror_rows
from tests.agents.worlds import raw_rows
from tests.agents.worlds import view

DEPTHS = ("ticks_walked", "shares_beyond_touch", "shares")


def executions(rows: np.ndarray, data: st.DataObject) -> np.ndarray:
    count = data.draw(st.integers(0, 6))
    drawn = [
        (
            data.draw(st.integers(0, len(rows) - 1)),
            data.draw(st.integers(98_000, 102_000)),
            data.draw(st.integers(1, 500)),
        )
        for _ in range(count)
    ]
    return np.array(drawn, dtype=np.int64).reshape(-1, 3)


def depth_by_hand(kind: str, row: Any, price: int, quantity: int) -> int:
    best = int(row["ask_price"][0] if row["side"] > 0 else row["bid_price"][0])
    ticks = max(int(row["side"]) * (price - best), 0) if best >= 0 else 0
    return {"ticks_walked": ticks, "shares_beyond_touch": quantity if ticks else 0, "shares": quantity}[kind]


@given(raw_rows(), st.sampled_from(DEPTHS), st.sampled_from(("cents", "dollars")), st.data())
def test_the_terms_are_those_of_equation_4(rows: np.ndarray, kind: Any, unit: Any, data: st.DataObject) -> None:
    reward = Reward(RewardConfig(alpha=2.0, beta=5.0, depth=kind, price_unit=unit))
    fills = executions(rows, data)
    terms = reward.terms(fills, rows, rows)
    shortfall, impact = terms.implementation_shortfall, terms.impact_penalty
    completion = reward.completion_penalty(rows["left"], rows)
    scale = 1.0 if unit == "cents" else 0.01
    for market, row in enumerate(rows):
        own = [(int(p), int(q)) for m, p, q in fills.tolist() if m == market]
        parent, side, arrival = int(row["parent"]), int(row["side"]), row["arrival2"] / 2
        expected = scale * sum(q * side * (arrival - p) for p, q in own) / parent
        assert shortfall[market] == pytest.approx(expected, abs=1e-9)
        depth = sum(depth_by_hand(kind, row, p, q) for p, q in own)
        assert impact[market] == pytest.approx(2.0 * depth / parent)
        assert completion[market] == pytest.approx(5.0 * row["left"] / parent)


@given(raw_rows(), st.sampled_from(DEPTHS), st.data())
def test_a_sell_is_rewarded_in_the_mirrored_market_as_a_buy(rows: np.ndarray, kind: Any, data: st.DataObject) -> None:
    reward = Reward(RewardConfig(depth=kind))
    fills = executions(rows, data)
    reflected = fills.copy()
    market, price, _ = fills.T
    reflected[:, 1] = rows["arrival2"][market] - price
    seen = mirror_rows(rows)
    sold, bought = reward.terms(reflected, seen, seen), reward.terms(fills, rows, rows)
    np.testing.assert_allclose(sold.implementation_shortfall, bought.implementation_shortfall, atol=1e-9)
    np.testing.assert_allclose(sold.impact_penalty, bought.impact_penalty)


def test_a_fill_at_rest_walks_no_depth() -> None:
    # Own bid filled at 100 004 while the ask stands at 100 006; and one share that walked to 100 008.
    row = view().rows()
    fills = fill_rows((0, fill) for fill in (Fill(1, 100_004, 50), Fill(2, 100_006, 10), Fill(3, 100_008, 1)))
    found = {kind: Reward(RewardConfig(depth=kind)).terms(fills, row, row).depth_consumed.tolist() for kind in DEPTHS}
    assert found == {"ticks_walked": [2.0], "shares_beyond_touch": [1.0], "shares": [61.0]}


def test_no_fills_are_no_reward() -> None:
    row = view().rows()
    reward = Reward(RewardConfig())
    terms = reward.terms(fill_rows([]), row, row)
    assert [term.tolist() for term in terms] == 5 * [[0.0]]
    assert reward.of_step(terms).tolist() == [0.0]


@given(raw_rows(), st.data())
def test_against_an_even_schedule_only_being_ahead_and_the_fills_cost_are_left(
    rows: np.ndarray, data: st.DataObject
) -> None:
    """A step's reward is lead·s·Δmid plus the fills against the mid: the definition, computed the long way."""
    fills = executions(rows, data)
    bought = np.bincount(fills[:, 0], fills[:, 2], len(rows)).astype(np.int64)
    after = rows.copy()
    after["filled"] = rows["filled"] + bought
    after["mid2"] = rows["mid2"] + data.draw(st.integers(-40, 40))
    after["elapsed"] = np.minimum(rows["elapsed"] + rows["interval"], rows["window"])
    reward = Reward(RewardConfig(benchmark="twap", alpha=0.0))
    found = reward.of_step(reward.terms(fills, rows, after))
    for i, (row, then) in enumerate(zip(rows, after, strict=True)):
        own = [(int(p), int(q)) for m, p, q in fills.tolist() if m == i]
        side, mid, parent = int(row["side"]), row["mid2"] / 2, int(row["parent"])
        lead = then["filled"] / parent - min(then["elapsed"] / then["window"], 1)
        expected = sum(q * side * (mid - p) for p, q in own) / parent + lead * side * (then["mid2"] - row["mid2"]) / 2
        assert found[i] == pytest.approx(expected, abs=1e-6)


@given(raw_rows(), st.floats(0, 1))
def test_what_is_left_is_charged_by_its_square_for_the_time_that_it_is_held(rows: np.ndarray, part: float) -> None:
    after = rows.copy()
    after["left"] = np.rint(part * rows["left"])
    after["elapsed"] = np.minimum(rows["elapsed"] + rows["interval"], rows["window"])
    rewards = (Reward(RewardConfig(running_penalty=phi)) for phi in (0.0, 6.0))
    plain, averse = (reward.of_step(reward.terms(fill_rows([]), rows, after)) for reward in rewards)
    for i, (row, then) in enumerate(zip(rows, after, strict=True)):
        held = (then["elapsed"] - row["elapsed"]) / row["window"]
        assert plain[i] - averse[i] == pytest.approx(6.0 * held * (then["left"] / then["parent"]) ** 2)


def test_an_even_schedule_pays_a_third_of_the_running_penalty() -> None:
    reward, decisions = Reward(RewardConfig(running_penalty=6.0)), 1_000
    rows = np.repeat(view().rows(), decisions + 1)
    rows["parent"], rows["window"], rows["interval"] = decisions, decisions, 1
    rows["elapsed"] = np.arange(decisions + 1)
    rows["left"] = decisions - rows["elapsed"]
    assert reward.terms(fill_rows([]), rows[:-1], rows[1:]).running_penalty.sum() == pytest.approx(2.0, rel=2e-3)
