"""Costs recomputed from fills: the identity, worked examples, orders without fills."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from analysis.costs import costs_by_role
from analysis.costs import costs_of_fills
from analysis.costs import cumulative_on_grid
from analysis.costs import fill_contributions
from analysis.sample import sample_tables

PRICE = st.integers(9_000, 11_000)
FILL = st.tuples(PRICE, st.integers(1, 500), st.integers(18_000, 22_000), st.integers(18_000, 22_000))


def frames(fills: list[tuple[int, int, int, int]], side: str, left: int, arrival: int, end: int) -> tuple:
    key = {"strategy": "twap", "seed": 0, "side": side}
    quantity = sum(f[1] for f in fills) + left
    episodes = pd.DataFrame(
        {**key, "quantity": quantity, "arrival_ns": 100, "arrival_mid2": arrival, "end_mid2": end}, index=[0]
    )
    table = pd.DataFrame(fills, columns=["price_cents", "quantity", "mid2_before", "mid2_decision"], dtype="int64")
    table = table.assign(**key, time_ns=np.arange(len(fills)) + 100, arrival_mid2=arrival)
    return table.astype({"strategy": "str", "side": "str"}), episodes


def test_a_worked_buy() -> None:
    """100 of 200 shares bought at 1003 with the mid at 1002, arrival 1000, mid at the end 1010."""
    row = costs_of_fills(*frames([(1003, 100, 2004, 2003)], "buy", 100, 2000, 2020)).iloc[0]
    assert row.execution_cents == -0.5
    assert row.drift_cents == -1.0
    assert row.opportunity_cents == -5.0
    assert row.shortfall_cents == -6.5
    assert row.delay_cents == -0.25
    assert (row.filled, row.left) == (100, 100)


def test_a_sell_has_the_opposite_sign() -> None:
    buy = costs_of_fills(*frames([(1003, 100, 2004, 2003)], "buy", 100, 2000, 2020))
    sell = costs_of_fills(*frames([(1003, 100, 2004, 2003)], "sell", 100, 2000, 2020))
    for name in ("shortfall_cents", "execution_cents", "drift_cents", "opportunity_cents", "delay_cents"):
        assert (buy[name] == -sell[name]).all()


@settings(max_examples=200, deadline=None)
@given(
    fills=st.lists(FILL, max_size=12),
    side=st.sampled_from(["buy", "sell"]),
    left=st.integers(1, 1_000),
    arrival=st.integers(18_000, 22_000),
    end=st.integers(18_000, 22_000),
)
def test_shortfall_is_the_sum_of_its_parts(fills: list, side: str, left: int, arrival: int, end: int) -> None:
    row = costs_of_fills(*frames(fills, side, left, arrival, end)).iloc[0]
    total = row.execution_cents + row.drift_cents + row.opportunity_cents
    assert row.shortfall_cents == pytest.approx(total, abs=1e-9)
    cash = sum(q * p for p, q, _, _ in fills)
    shares = sum(q for _, q, _, _ in fills)
    sign = 1 if side == "buy" else -1
    paper = sign * ((shares * arrival / 2 - cash) + left * (arrival - end) / 2) / (shares + left)
    assert row.shortfall_cents == pytest.approx(paper, abs=1e-9)


def test_no_fill_at_all_is_all_opportunity() -> None:
    row = costs_of_fills(*frames([], "buy", 50, 2000, 1990)).iloc[0]
    assert row.shortfall_cents == row.opportunity_cents == 5.0
    assert row.execution_cents == row.drift_cents == 0.0


def test_fills_of_an_unknown_episode_are_refused() -> None:
    fills, episodes = frames([(1003, 100, 2004, 2003)], "buy", 0, 2000, 2020)
    with pytest.raises(ValueError, match="fills of twap, seed 0, buy belong to no row of episodes"):
        costs_of_fills(fills, episodes.assign(seed=1))


def test_the_sample_tables_agree_with_their_fills() -> None:
    tables = sample_tables(left=500)
    episodes = tables["episodes"].to_pandas()
    again = costs_of_fills(tables["fills"].to_pandas(), episodes)
    assert len(again) == len(episodes)
    for name in again.columns[3:]:
        np.testing.assert_allclose(again[name], episodes[name], atol=1e-9)


def test_cumulative_counts_a_fill_from_its_own_time_on() -> None:
    fills, episodes = frames([(1003, 30, 2004, 2003), (1003, 70, 2004, 2003)], "buy", 0, 2000, 2020)
    rows = fill_contributions(fills, episodes)
    assert rows["elapsed_ns"].tolist() == [0, 1]
    grid = cumulative_on_grid(rows, episodes, "quantity", np.array([-1, 0, 1, 5]))
    assert grid.tolist() == [[0, 30, 100, 100]]


def test_roles_split_the_shares_and_the_costs() -> None:
    """100 shares taken at +1 against the mid and 300 rested at −1 of it, mid at arrival: by hand."""
    fills, episodes = frames([(1001, 100, 2000, 2000), (999, 300, 2000, 2000)], "buy", 0, 1998, 2000)
    fills["passive"] = [False, True]
    roles = costs_by_role(fills, episodes)
    assert roles.loc[("twap", "taking")].tolist() == pytest.approx([0.25, -1.0, -2.0])
    assert roles.loc[("twap", "resting")].tolist() == pytest.approx([0.75, 1.0, 0.0])
