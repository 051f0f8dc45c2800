"""Metrics of transaction costs: one order worked by hand, its mirror image, and what does not exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.episode_records import EpisodeRecords
from analysis.metrics import METRICS
from analysis.metrics import compute_metrics
from analysis.metrics import describe_metrics
from analysis.metrics import metric
from analysis.records import RecordsError
from analysis.records import write_table
from analysis.sample import sample_tables
from analysis.tca import episode_metrics
from analysis.tca import summarise_metrics

SECOND = 10**9
DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def frames(side: str = "buy", seed: int = 0, until: int = 400) -> dict[str, pd.DataFrame]:
    """An order of 400 shares, arrival at 1000 cents, window of 100 s, as a buy or as its mirror image at 1000.

    At 10 s it takes 100 shares at 1001 and 100 at 1003 with the mid at 1000.5; at 50 s a limit order of 200 that rested
    at 20 s behind 300 shares fills 100 at 998 with the mid at 1000. The mid: 1000; from 10 s 1002; from 50 s 1000; from
    90 s 1002; from 300 s 1001. Others trade 300 at 1002 at 30 s, 400 at 1000 at 60 s and, after the window, 1000 at
    1004.
    """
    key = {"strategy": "twap", "seed": seed, "side": side}
    sign = 1 if side == "buy" else -1

    def mirrored(price: float) -> int:
        return round(1000 + sign * (price - 1000))

    def mid2(price: float) -> int:
        return round(2000 + sign * (2 * price - 2000))

    fills = pd.DataFrame(
        {
            **key,
            "order_id": [1, 1, 2],
            "time_ns": np.array([10, 10, 50]) * SECOND,
            "price_cents": [mirrored(1001), mirrored(1003), mirrored(998)],
            "quantity": 100,
            "passive": [False, False, True],
            "mid2_before": [mid2(1000.5), mid2(1000.5), mid2(1000)],
            "mid2_decision": [mid2(1000), mid2(1000), mid2(1001)],
            "arrival_mid2": 2000,
        }
    )
    orders = pd.DataFrame(
        {
            **key,
            "order_id": [1, 2],
            "kind": ["market", "limit"],
            "quantity": 200,
            "filled": [200, 100],
            "accepted_ns": [-1, 20 * SECOND],
            "queue_ahead": [-1, 300],
        }
    )
    episodes = pd.DataFrame(
        {
            **key,
            "quantity": 400,
            "filled": 300,
            "arrival_ns": 0,
            "arrival_mid2": 2000,
            "end_ns": 100 * SECOND,
            "end_mid2": mid2(1002),
        },
        index=[0],
    )
    seconds = np.arange(until + 1)
    steps = np.array([mid2(price) for price in (1000, 1002, 1000, 1002, 1001)])
    half = 1
    grid2 = steps[np.searchsorted([10, 50, 90, 300], seconds, side="right")]
    trades = [(10, 1001, 100), (10, 1003, 100), (30, 1002, 300), (50, 998, 100), (60, 1000, 400), (200, 1004, 1000)]
    trades = [(at, mirrored(price), shares) for at, price, shares in trades if at <= until]
    when = np.array([at for at, _, _ in trades])
    # A trade is shown with the book that it met, so with that of the second before.
    met2 = steps[np.searchsorted([10, 50, 90, 300], when, side="left")]
    sizes = np.array([shares for _, _, shares in trades])
    cash = sizes * np.array([price for _, price, _ in trades])
    done = np.searchsorted(when, seconds, side="right")
    market = pd.DataFrame(
        {
            **key,
            "time_ns": np.concatenate([seconds, when]) * SECOND,
            "event": ["grid"] * len(seconds) + ["trade"] * len(when),
            "bid": np.concatenate([grid2, met2]) // 2 - half,
            "ask": np.concatenate([grid2, met2]) // 2 + half,
            "volume": np.concatenate([np.append(0, sizes.cumsum())[done], sizes.cumsum()]),
            "notional_cents": np.concatenate([np.append(0, cash.cumsum())[done], cash.cumsum()]),
        }
    )
    return {"episodes": episodes, "orders": orders, "fills": fills, "market": market}


def joined(*parts: dict[str, pd.DataFrame]) -> EpisodeRecords:
    return EpisodeRecords(**{name: pd.concat([part[name] for part in parts]) for name in parts[0]})


BY_HAND = {
    "shortfall_cents": -1.0,
    "execution_cents": (-50 - 250 + 200) / 400,
    "spread_cents": (-50 - 50 + 200) / 400,
    "depth_cents": -200 / 400,
    "delay_cents": (-100 + 100) / 400,
    "drift_cents": -100 / 400,
    "opportunity_cents": -200 / 400,
    "vwap_slippage_cents": 1000.8 - 3002 / 3,
    "twap_slippage_cents": 1000 + 2 * 51 / 101 - 3002 / 3,
    "close_slippage_cents": 1002 - 3002 / 3,
    "peak_impact_cents": 0.0,
    "permanent_impact_cents": 1.0,
    "temporary_impact_cents": 3002 / 3 - 1000 - 0.5,
    "reversal_cents": -1.0,
    "markout_1s_cents": (100 - 100 + 200) / 300,
    "markout_10s_cents": (100 - 100 + 200) / 300,
    "markout_60s_cents": (-100 - 300 + 400) / 300,
    "markout_300s_cents": (0 - 200 + 300) / 300,
    "completion": 0.75,
    "participation": 300 / 600,
    "resting_share": 1 / 3,
    "limit_fill_ratio": 100 / 200,
    "queue_time_s": 30.0,
    "queue_ahead_shares": 300.0,
}


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_an_order_worked_by_hand_and_its_mirror_image(side: str) -> None:
    found = compute_metrics(joined(frames(side))).iloc[0]
    assert {name: found[name] for name in METRICS} == pytest.approx(BY_HAND, abs=1e-9)


def test_episodes_do_not_see_each_other() -> None:
    """Each of many episodes has the values that it has alone, whatever the order of the rows."""
    parts = [frames("buy", 2), frames("sell", 1, until=150), frames("buy", 0)]
    parts[2] |= {"market": parts[2]["market"].sample(frac=1, random_state=0)}
    together = compute_metrics(joined(*parts))
    for place, part in enumerate(parts):
        alone = compute_metrics(joined(part))
        pd.testing.assert_frame_equal(together.iloc[[place]].reset_index(drop=True), alone)


def test_a_record_that_ends_with_the_window_has_no_price_after_it() -> None:
    found = compute_metrics(joined(frames(until=100))).iloc[0]
    unknown = {"permanent_impact_cents", "temporary_impact_cents", "reversal_cents", "markout_300s_cents"}
    assert set(found.index[found.isna()]) == unknown
    # Of the fills only those count whose minute is on record.
    assert found["markout_60s_cents"] == (-100 - 300) / 200


def test_without_a_fill_only_what_was_left_costs_and_the_rest_has_no_value() -> None:
    part = frames()
    part["fills"] = part["fills"].iloc[:0]
    part["orders"] = part["orders"].iloc[:0]
    part["episodes"]["filled"] = 0
    found = compute_metrics(joined(part)).iloc[0]
    assert found["shortfall_cents"] == found["opportunity_cents"] == -2.0
    assert found["completion"] == found["execution_cents"] == found["spread_cents"] == 0
    rates = ["vwap_slippage_cents", "peak_impact_cents", "markout_1s_cents", "participation", "queue_time_s"]
    assert found[[*rates, "limit_fill_ratio", "queue_ahead_shares"]].isna().all()


def test_without_an_arrival_price_there_is_no_shortfall() -> None:
    part = frames()
    part["fills"], part["orders"] = part["fills"].iloc[:0], part["orders"].iloc[:0]
    part["episodes"] = part["episodes"].assign(filled=0, arrival_mid2=-1, end_mid2=-1)
    found = compute_metrics(joined(part)).iloc[0]
    assert found[["shortfall_cents", "opportunity_cents", "close_slippage_cents"]].isna().all()


def test_an_empty_side_keeps_the_last_two_sided_mid() -> None:
    part = frames()
    part["market"].loc[part["market"]["time_ns"].between(40 * SECOND, 60 * SECOND), "bid"] = -1
    found = compute_metrics(joined(part)).iloc[0]
    # The mid is that of 39 s, 1002, a second after the last fill at 50 s.
    assert found["peak_impact_cents"] == 2.0


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("fills", {"quantity": 99}, r"fills.parquet: column 'quantity': twap, seed 0, buy adds up to 297 shares"),
        ("fills", {"order_id": 7}, r"fills.parquet: column 'order_id': 7 is no row of orders.parquet"),
        ("orders", {"seed": 5}, r"orders.parquet: column 'strategy': twap, seed 5, buy is no row of episodes.parquet"),
    ],
)
def test_tables_that_contradict_each_other_are_named(table: str, change: dict[str, int], message: str) -> None:
    part = frames()
    part[table] = part[table].assign(**change)
    with pytest.raises(RecordsError, match=message) as caught:
        joined(part)
    assert "\n" not in str(caught.value)


def test_an_episode_without_a_market_is_named() -> None:
    part, other = frames(), frames(seed=3)
    other["market"] = other["market"].iloc[:0]
    with pytest.raises(RecordsError, match=r"market.parquet: column 'time_ns': no row of twap, seed 3, buy"):
        joined(part, other)


def test_the_page_is_made_of_the_docstrings() -> None:
    assert describe_metrics() in DOCS.read_text(encoding="utf-8")
    assert set(BY_HAND) == set(METRICS)


def test_a_metric_without_unit_is_refused() -> None:
    def nameless(records: EpisodeRecords) -> np.ndarray:
        """Something.

        Formula: 1
        """
        return np.ones(len(records))

    with pytest.raises(ValueError, match=r"metric nameless: its docstring must have the lines"):
        metric(nameless)
    assert "nameless" not in METRICS


def test_a_run_is_summarised_by_seed_and_by_pair(tmp_path: Path) -> None:
    strategies = ("twap", "passive")
    tables = sample_tables(strategies, range(5), window_s=120)
    for name, table in tables.items():
        write_table(tmp_path, name, table)
    metrics = episode_metrics(tmp_path, strategies)
    episodes = tables["episodes"].to_pandas().set_index(["strategy", "seed", "side"])
    again = metrics.set_index(["strategy", "seed", "side"]).loc[episodes.index]
    for cost in ("shortfall_cents", "execution_cents", "drift_cents", "opportunity_cents", "delay_cents", "completion"):
        np.testing.assert_allclose(again[cost], episodes[cost], atol=1e-9)
    found = summarise_metrics(metrics, strategies, ("buy", "sell"))
    means = metrics.groupby(["strategy", "seed"])["spread_cents"].mean().unstack("strategy")
    spread = found["strategies"]["passive"]["spread_cents"]
    assert (spread["n"], spread["mean"]) == (5, pytest.approx(means["passive"].mean()))
    pair = found["paired"]["passive-twap"]["spread_cents"]
    assert pair["mean"] == pytest.approx((means["passive"] - means["twap"]).mean())
    assert pair["sd"] == pytest.approx((means["passive"] - means["twap"]).std())
    # No order of the first strategy rests: a pair needs both.
    assert found["strategies"]["twap"]["queue_time_s"]["mean"] is None
    assert found["paired"]["passive-twap"]["queue_time_s"]["n"] == 0
