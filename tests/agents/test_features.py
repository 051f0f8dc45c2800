from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.features import FEATURES
from agents.features import Feature
from agents.features import Observer
from agents.views import VIEW
from configs import ConfigError
from configs.models import ObservationConfig
from tests.agents.worlds import mirror_rows
from tests.agents.worlds import raw_rows
from tests.agents.worlds import view

NAMES = list(FEATURES)


def by_hand(name: str, row: Any) -> float:
    """A feature in scalar arithmetic, written from the documented formulas alone."""
    bids = [(int(p), int(q)) for p, q in zip(row["bid_price"], row["bid_size"], strict=True) if p >= 0]
    asks = [(int(p), int(q)) for p, q in zip(row["ask_price"], row["ask_size"], strict=True) if p >= 0]
    side, buys = int(row["side"]), row["side"] == 1
    own, opposite = (bids, asks) if buys else (asks, bids)
    totals = {"own": row["bid_total"] if buys else row["ask_total"], "opposite": row["ask_total"]}
    totals["opposite"] = row["ask_total"] if buys else row["bid_total"]
    parent, arrival = int(row["parent"]), row["arrival2"] / 2
    if name == "inventory":
        return (parent - row["filled"]) / parent
    if name == "time":
        return row["elapsed"] / row["window"]
    if name == "schedule_deviation":
        return row["filled"] / parent - row["elapsed"] / row["window"]
    if match := re.fullmatch(r"imbalance_(\d)", name):
        bid = sum(q for _, q in bids[: int(match[1])])
        ask = sum(q for _, q in asks[: int(match[1])])
        return side * (bid - ask) / (bid + ask) if bid + ask else 0.0
    if name == "imbalance_total":
        bid, ask = int(row["bid_total"]), int(row["ask_total"])
        return side * (bid - ask) / (bid + ask) if bid + ask else 0.0
    if match := re.fullmatch(r"(own|opposite)_depth_(\w+)", name):
        levels = own if match[1] == "own" else opposite
        shares = totals[match[1]] if match[2] == "total" else sum(q for _, q in levels[: int(match[2])])
        return math.log10(1 + shares) / 5
    if name == "spread":
        return (asks[0][0] - bids[0][0]) / 10 if bids and asks else 10.0
    if match := re.fullmatch(r"(own|opposite)_best", name):
        levels = own if match[1] == "own" else opposite
        return side * (levels[0][0] - arrival) / arrival * 10_000 if levels else 0.0
    if match := re.fullmatch(r"return_(\d)", name):
        return side * (row["mid2"] - row["mid2_past"][int(match[1]) - 1]) / 2 / arrival * 10_000
    if name == "direction":
        return side * (row["mid2"] / 2 - row["last_trade"])
    if name == "resting":
        return row["resting"] / (parent * row["interval"] / row["window"])
    assert name == "resting_distance"
    return float(side * (own[0][0] - row["resting_price"])) if row["resting_price"] >= 0 and own else 0.0


@given(raw_rows())
def test_every_feature_is_its_formula_cut_to_its_range(rows: np.ndarray) -> None:
    seen = Observer(NAMES, markets=len(rows)).observe(rows)
    assert seen.dtype == np.float32
    for market, row in enumerate(rows):
        for index, name in enumerate(NAMES):
            feature = FEATURES[name]
            expected = min(max(by_hand(name, row), feature.low), feature.high)
            assert seen[market, index] == pytest.approx(expected, rel=1e-6, abs=1e-6), name
            assert feature.low <= seen[market, index] <= feature.high


@given(raw_rows())
def test_a_sell_sees_in_the_mirrored_market_what_a_buy_sees(rows: np.ndarray) -> None:
    straight = Observer(NAMES, markets=len(rows)).observe(rows)
    mirrored = Observer(NAMES, markets=len(rows)).observe(mirror_rows(rows))
    np.testing.assert_allclose(mirrored, straight, rtol=1e-5, atol=1e-5)


@given(st.lists(raw_rows(3, 3), min_size=1, max_size=6), st.integers(1, 4), st.data())
def test_many_markets_at_once_are_each_one_by_itself(steps: list, history: int, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    together = Observer(names, history, markets=3)
    alone = [Observer(names, history) for _ in range(3)]
    for rows in steps:
        new_episode = np.array(data.draw(st.lists(st.booleans(), min_size=3, max_size=3)))
        together.reset(new_episode)
        for market in np.flatnonzero(new_episode):
            alone[market].reset()
        seen = together.observe(rows)
        for market in range(3):
            np.testing.assert_array_equal(seen[market], alone[market].observe(rows[market : market + 1])[0])


def test_history_stacks_the_last_decisions_oldest_first_and_repeats_the_first() -> None:
    observer = Observer(["inventory", "time"], history=3)
    views = [view(filled=100 * k, elapsed=10_000_000_000 * k) for k in range(4)]
    pairs = [[1 - k / 10, k / 9] for k in range(4)]
    expected = [
        [*pairs[0], *pairs[0], *pairs[0]],
        [*pairs[0], *pairs[0], *pairs[1]],
        [*pairs[0], *pairs[1], *pairs[2]],
        [*pairs[1], *pairs[2], *pairs[3]],
    ]
    for shown, want in zip(views, expected, strict=True):
        np.testing.assert_allclose(observer.observe(shown.rows())[0], want, rtol=1e-6)
    assert observer.names == ["inventory@-2", "time@-2", "inventory@-1", "time@-1", "inventory", "time"]
    assert observer.low.shape == observer.high.shape == (6,)
    observer.reset()
    np.testing.assert_allclose(observer.observe(views[3].rows())[0], pairs[3] * 3, rtol=1e-6)


def test_an_observation_is_a_copy_that_later_ones_leave_alone() -> None:
    observer = Observer(["inventory"], history=2)
    first = observer.observe(view(filled=100).rows())
    kept = first.copy()
    observer.observe(view(filled=900).rows())
    np.testing.assert_array_equal(first, kept)


def test_a_view_becomes_a_row_with_absent_levels_marked() -> None:
    row = view(bids=[], asks=[(100_000 + i, 10 + i) for i in range(7)]).rows()[0]
    assert row.dtype == VIEW
    assert row["bid_price"].tolist() == [-1] * 5
    assert row["bid_size"].tolist() == [0] * 5
    assert row["bid_total"] == 0
    assert row["ask_price"].tolist() == [100_000, 100_001, 100_002, 100_003, 100_004]
    assert row["ask_total"] == sum(range(10, 17))
    assert (row["filled"], row["left"]) == (300, 700)


def test_an_unknown_feature_is_named_with_the_allowed_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown feature 'inventry'; allowed: inventory, time") as error:
        Observer(["time", "inventry"])
    assert "\n" not in str(error.value)


def test_the_default_observation_is_every_feature() -> None:
    assert sorted(ObservationConfig().features) == sorted(FEATURES)


def test_the_documentation_states_every_feature_with_formula_and_range() -> None:
    text = (Path(__file__).parents[2] / "docs" / "environment.md").read_text(encoding="utf-8")
    rows = re.search(r"<!-- features.*?-->(.*?)<!-- end -->", text, re.DOTALL)
    assert rows is not None
    stated = [line for line in rows[1].splitlines() if line.startswith("| `")]
    assert stated == [f"| `{n}` | {f.formula} | [{f.low:g}, {f.high:g}] |" for n, f in FEATURES.items()]


def test_a_formula_of_ones_own_cannot_write_into_the_market(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(rows: Any) -> Any:
        rows["left"] -= rows["left"]
        return np.zeros(len(rows))

    monkeypatch.setitem(FEATURES, "greedy", Feature("left, taken away", -5, 5, compute=greedy))
    rows = np.zeros(3, dtype=VIEW)
    rows["left"] = 100
    before = rows["left"].copy()
    with pytest.raises(ValueError, match="read-only"):
        Observer(["greedy"], markets=3).observe(rows)
    np.testing.assert_array_equal(rows["left"], before)


def test_a_feature_that_cannot_be_computed_is_refused() -> None:
    with pytest.raises(ValueError, match="needs its formula as compute"):
        Feature("nothing", -5, 5)
    with pytest.raises(ValueError, match="low must be less than high"):
        Feature("nothing", 5, 5, compute=len)
