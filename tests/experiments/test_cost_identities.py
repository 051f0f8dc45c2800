"""What must hold of the costs of real runs, whatever the strategy."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from analysis.episode_records import EpisodeRecords
from analysis.metrics import compute_metrics
from analysis.metrics import vwap_slippage_cents
from experiments.episode import RECORDED_AFTER
from experiments.episode import Episode
from tests.agents.worlds import THIN
from tests.agents.worlds import experiment

STRATEGIES = ("twap", "pov", "immediate", "twap_limit", "post_then_cross", "passive")


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    """Every kind of strategy, buying and selling, in a market with gaps; some leave a part of the order."""
    of = experiment(market={"end_time": "09:38:30", "params": THIN}, order={"quantity": 3_000, "end_rule": "leave"})
    return [
        Episode(of, name, seed, side, after=RECORDED_AFTER)
        for name in STRATEGIES
        for seed in (1, 2)
        for side in ("buy", "sell")
    ]


@pytest.fixture(scope="module")
def records(episodes: list[Episode]) -> EpisodeRecords:
    tables = [episode.tables() for episode in episodes]
    frames = {
        name: pd.concat([one[name].to_pandas() for one in tables]) for name in ("episodes", "orders", "fills", "market")
    }
    return EpisodeRecords(**frames)


def test_shortfall_is_execution_drift_and_opportunity_to_the_cent(
    episodes: list[Episode], records: EpisodeRecords
) -> None:
    found = compute_metrics(records)
    parts = found["execution_cents"] + found["drift_cents"] + found["opportunity_cents"]
    # Cents of the whole order, from integers: cash against the value of all shares at arrival.
    for place, episode in enumerate(episodes):
        row = records.episodes.iloc[place]
        sign, quantity = (1 if row["side"] == "buy" else -1), row["quantity"]
        cash2 = 2 * episode.agent.holdings["CASH"]
        value2 = sign * (row["filled"] * row["arrival_mid2"] + row["left"] * (row["arrival_mid2"] - row["end_mid2"]))
        assert round(2 * quantity * found["shortfall_cents"][place]) == round(2 * quantity * parts[place])
        assert 2 * quantity * parts[place] == pytest.approx(cash2 + value2, abs=1e-3)
    assert (records.episodes["left"] > 0).any()


def test_spread_and_depth_are_all_of_execution(records: EpisodeRecords) -> None:
    found = compute_metrics(records)
    np.testing.assert_allclose(found["spread_cents"] + found["depth_cents"], found["execution_cents"], atol=1e-9)
    assert (found["depth_cents"] <= 0).all()
    assert (found["depth_cents"] < 0).any()


def test_peak_impact_is_what_stays_and_what_comes_back(records: EpisodeRecords) -> None:
    found = compute_metrics(records)
    known = found["reversal_cents"].notna()
    assert known.sum() >= len(records) // 2
    total = found["permanent_impact_cents"] + found["reversal_cents"]
    np.testing.assert_allclose(total[known], found["peak_impact_cents"][known], atol=1e-9)


def test_cash_moved_is_the_sum_of_the_fills(episodes: list[Episode], records: EpisodeRecords) -> None:
    fills = records.fills
    moved = records.sum(-fills.sign * fills.quantity * fills.price)
    assert moved.tolist() == [episode.agent.holdings["CASH"] for episode in episodes]


def test_shares_of_one_are_shares_of_one(records: EpisodeRecords) -> None:
    found = compute_metrics(records)
    for name in ("completion", "participation", "resting_share", "limit_fill_ratio"):
        assert found[name].dropna().between(0, 1).all(), name
    resting = found["strategy"].isin(["twap_limit", "post_then_cross"])
    assert (found["resting_share"][resting] > 0).any()
    assert (found["queue_time_s"].dropna() > 0).all()
    assert found["queue_time_s"].notna().equals(found["resting_share"] > 0)
    assert found["resting_share"][~resting].fillna(0).eq(0).all()


def test_vwap_slippage_weighted_by_volume_over_all_agents_is_zero() -> None:
    episode = Episode(experiment(), "twap", 4, "buy", after=RECORDED_AFTER)
    tables = {name: table.to_pandas() for name, table in episode.tables().items()}
    trades = [trade for trade in episode.tape.trades if episode.start <= trade.time <= episode.end]
    shares: dict[tuple[str, str], int] = defaultdict(int)
    rows = []
    for trade in trades:
        buyer, seller = trade.aggressor_agent, trade.passive_agent
        if trade.aggressor_sign < 0:
            buyer, seller = seller, buyer
        for agent, side in ((buyer, "buy"), (seller, "sell")):
            key = (f"agent_{agent}", side)
            shares[key] += trade.quantity
            rows.append((*key, len(rows), trade.time, trade.price, trade.quantity))
    fills = pd.DataFrame(rows, columns=["strategy", "side", "order_id", "time_ns", "price_cents", "quantity"])
    fills = fills.assign(seed=4, passive=False, mid2_before=2, mid2_decision=2, arrival_mid2=2)
    orders = fills[["strategy", "seed", "side", "order_id"]].assign(kind="market", accepted_ns=-1, queue_ahead=-1)
    keys = pd.DataFrame(shares.keys(), columns=["strategy", "side"]).assign(seed=4)
    sums = np.array(list(shares.values()))
    one = tables["episodes"].iloc[0][["arrival_ns", "arrival_mid2", "end_ns", "end_mid2"]].to_dict()
    parents = keys.assign(quantity=sums, filled=sums, **one)
    market = tables["market"].drop(columns=["strategy", "seed", "side"]).merge(keys, how="cross")
    records = EpisodeRecords(parents, orders, fills, market)
    assert len(records) > 20
    slippage = vwap_slippage_cents(records)
    assert np.abs(slippage).max() > 1
    for side in ("buy", "sell"):
        of_side = (parents["side"] == side).to_numpy()
        assert sums[of_side].sum() == tables["episodes"]["volume"][0]
        assert (sums * slippage)[of_side].sum() == pytest.approx(0, abs=1e-6 * sums.sum())
    assert (sums * slippage).sum() == pytest.approx(0, abs=1e-6 * sums.sum())
