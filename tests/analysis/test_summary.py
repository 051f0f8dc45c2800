"""The summary: its shape, its numbers against a plain recomputation, and everything a reader must be told."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from analysis.sample import sample_tables
from analysis.sample import sample_validity
from analysis.summary import excluded_seeds
from analysis.summary import summarise

STRATEGIES = ["twap", "passive", "aggressive"]
MEASURES = ("shortfall_cents", "execution_cents", "drift_cents", "opportunity_cents")


@pytest.fixture(scope="module")
def episodes() -> pd.DataFrame:
    frame: pd.DataFrame = sample_tables(STRATEGIES, range(8), window_s=60)["episodes"].to_pandas()
    return frame


@pytest.fixture(scope="module")
def summary(episodes: pd.DataFrame) -> dict[str, Any]:
    meta = {"experiment": "quick", "strategies": STRATEGIES, "seeds": "0:8", "commit": "abc", "headline": "passive"}
    return summarise(episodes, sample_validity(range(8)), meta)


def test_shape(summary: dict[str, Any]) -> None:
    assert list(summary["strategies"]) == STRATEGIES
    assert list(summary["paired"]) == ["passive-twap", "aggressive-twap"]
    for entry in [*summary["strategies"].values(), *summary["paired"].values()]:
        assert entry["n"] == 8
        assert set(entry["sides"]) == {"buy", "sell"}
        for measure in MEASURES:
            low, high = entry[measure]["ci95"]
            assert low <= entry[measure]["mean"] <= high
            assert entry[measure]["sd"] >= 0
    for entry in summary["strategies"].values():
        assert entry["completion"]["mean"] == 1.0
        assert 0 < entry["finish_fraction"]["mean"] <= 1.0
        assert entry["left_shares"]["mean"] == 0.0
    expected = {"schema_version", "experiment", "seeds", "sides", "commit", "validity", "power", "method", "warnings"}
    assert expected <= set(summary)
    assert summary["warnings"] == []


def test_strict_json(summary: dict[str, Any]) -> None:
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_pairs_are_the_paired_t_test_on_means_of_sides(episodes: pd.DataFrame, summary: dict[str, Any]) -> None:
    wide = episodes.groupby(["strategy", "seed"])["shortfall_cents"].mean().unstack("strategy")
    reference = scipy_stats.ttest_rel(wide["passive"], wide["twap"])
    interval = reference.confidence_interval(0.95)
    found = summary["paired"]["passive-twap"]["shortfall_cents"]
    assert found["mean"] == pytest.approx((wide["passive"] - wide["twap"]).mean())
    assert found["ci95"] == pytest.approx([interval.low, interval.high])
    assert found["p"] == pytest.approx(reference.pvalue)
    assert found["p"] <= found["p_holm"] <= min(1.0, 2 * found["p"])
    assert found["n_for_1_cent"] >= 2
    assert summary["power"]["pairs"]["passive-twap"]["n_for_1_cent"] == found["n_for_1_cent"]
    strategies, ratio = summary["strategies"], summary["paired"]["passive-twap"]["sd_ratio"]
    spreads = [strategies[name]["shortfall_cents"]["sd"] for name in ("passive", "twap")]
    assert ratio["mean"] == pytest.approx(spreads[0] / spreads[1])


def test_parts_add_up(summary: dict[str, Any]) -> None:
    for entry in [*summary["strategies"].values(), *summary["paired"].values()]:
        parts = sum(entry[part]["mean"] for part in MEASURES[1:])
        assert entry["shortfall_cents"]["mean"] == pytest.approx(parts)


def test_a_strategy_against_itself_gains_nothing(episodes: pd.DataFrame) -> None:
    twin = episodes[episodes["strategy"] == "twap"].assign(strategy="twin")
    both = pd.concat([episodes[episodes["strategy"] == "twap"], twin])
    found = summarise(both, None, {"strategies": ["twap", "twin"]})["paired"]["twin-twap"]["shortfall_cents"]
    assert (found["mean"], found["sd"], found["ci95"], found["p"], found["n_for_1_cent"]) == (0, 0, [0, 0], None, None)
    assert "same value" in found["reason"]


def test_gated_seeds_are_left_out_shown_and_counted(episodes: pd.DataFrame) -> None:
    found = summarise(episodes, sample_validity(range(7), invalid=[2]), {"strategies": STRATEGIES})
    assert found["validity"]["valid"] == 6
    assert found["validity"]["invalid"] == {"2": "two_sided 0.41 < 0.95", "7": "not judged"}
    assert excluded_seeds(found) == {2, 7}
    assert found["strategies"]["twap"]["n"] == 6
    assert found["with_invalid_seeds"]["strategies"]["twap"]["n"] == 8
    assert found["seeds"] == {"asked": "0:8", "run": 8, "used": 6}
    assert found["warnings"][0].startswith("2 of 8 seeds have an invalid do-nothing market")
    kept = episodes[(episodes["strategy"] == "twap") & ~episodes["seed"].isin([2, 7])]
    assert found["strategies"]["twap"]["shortfall_cents"]["mean"] == pytest.approx(kept["shortfall_cents"].mean())


def test_all_seeds_gated_gives_nulls_with_reasons(episodes: pd.DataFrame) -> None:
    found = summarise(episodes, sample_validity(range(8), invalid=range(8)), {"strategies": STRATEGIES})
    json.dumps(found, allow_nan=False)
    entry = found["paired"]["passive-twap"]
    assert entry["n"] == 0
    assert entry["shortfall_cents"]["mean"] is None
    assert entry["shortfall_cents"]["reason"]


def test_missing_sides_and_strategies_are_excluded_and_counted(episodes: pd.DataFrame) -> None:
    gone = (episodes["strategy"] == "passive") & (episodes["seed"] == 3) & (episodes["side"] == "sell")
    gone |= (episodes["strategy"] == "twap") & (episodes["seed"] == 5)
    found = summarise(episodes[~gone], sample_validity(range(8)), {"strategies": STRATEGIES})
    assert (found["strategies"]["passive"]["n"], found["strategies"]["passive"]["excluded"]) == (7, 1)
    assert (found["paired"]["passive-twap"]["n"], found["paired"]["passive-twap"]["excluded"]) == (6, 2)
    assert found["paired"]["passive-twap"]["sides"]["buy"]["n"] == 7
    assert any(text.startswith("passive: 1 seeds are left out") for text in found["warnings"])


def test_one_seed_gives_no_interval(episodes: pd.DataFrame) -> None:
    found = summarise(episodes[episodes["seed"] == 0], None, {"strategies": STRATEGIES})
    entry = found["paired"]["passive-twap"]["shortfall_cents"]
    assert entry["n"] == 1
    assert entry["mean"] is not None
    assert entry["sd"] is entry["ci95"] is entry["p"] is entry["n_for_1_cent"] is None
    assert entry["reason"].startswith("one seed")
    assert found["strategies"]["twap"]["shortfall_cents"]["reason"].startswith("one seed")


def test_values_that_are_not_finite_are_left_out_and_said(episodes: pd.DataFrame) -> None:
    broken = episodes.copy()
    broken.loc[(broken["strategy"] == "passive") & (broken["seed"] == 1), "shortfall_cents"] = np.nan
    found = summarise(broken, sample_validity(range(8)), {"strategies": STRATEGIES})
    assert found["strategies"]["passive"]["n"] == 8
    assert found["strategies"]["passive"]["shortfall_cents"]["n"] == 7
    assert found["paired"]["passive-twap"]["shortfall_cents"]["n"] == 7
    assert any("not a finite number" in text for text in found["warnings"])


def test_unequal_completion_and_training_seeds_are_named() -> None:
    rows = sample_tables(STRATEGIES, range(4), window_s=60, left=400)["episodes"].to_pandas()
    meta = {"strategies": STRATEGIES, "training_seeds": {"passive": [(0, 3)]}, "warnings": ["first"]}
    found = summarise(rows, sample_validity(range(4)), meta)
    assert found["warnings"][0] == "first"
    unequal = [text for text in found["warnings"] if text.startswith("Unequal completion")]
    assert [text.split()[2] for text in unequal] == ["passive", "aggressive"]
    assert "98.0% of its orders, twap 100.0%" in unequal[0]
    assert any(text.startswith("passive: 3 of 4 seeds overlap") for text in found["warnings"])


def test_orders_that_were_not_filled_to_the_last_share_are_counted(episodes: pd.DataFrame) -> None:
    rows = episodes.assign(completion=1.0)
    rows.loc[(rows["strategy"] == "passive") & (rows["seed"] < 3), "completion"] = 0.9999
    found = summarise(rows, sample_validity(range(8)), {"strategies": STRATEGIES})["strategies"]
    assert [entry["incomplete"] for entry in found.values()] == [0, 6, 0]
    assert found["passive"]["sides"]["sell"]["incomplete"] == 3


def test_orders_whose_market_ran_away_are_counted_and_named(episodes: pd.DataFrame) -> None:
    rows = episodes.copy()
    own = rows["strategy"] == "passive"
    price = rows["arrival_mid2"] / 2
    rows.loc[own & (rows["seed"] == 1), "shortfall_cents"] = -0.11 * price
    rows.loc[own & (rows["seed"] == 2), "shortfall_cents"] = 0.09 * price
    found = summarise(rows, sample_validity(range(8)), {"strategies": STRATEGIES})
    assert {name: entry["runaways"] for name, entry in found["strategies"].items()} == {
        "twap": 0, "passive": 2, "aggressive": 0,
    }  # fmt: skip
    assert found["strategies"]["passive"]["sides"]["buy"]["runaways"] == 1
    assert next(text for text in found["warnings"] if "ran away" in text).startswith("passive: 2 orders")


def test_a_broken_identity_is_said(episodes: pd.DataFrame) -> None:
    broken = episodes.assign(drift_cents=episodes["drift_cents"] + 0.01)
    found = summarise(broken, sample_validity(range(8)), {"strategies": STRATEGIES})
    assert any("not the sum of its parts" in text for text in found["warnings"])


def test_one_side_alone(episodes: pd.DataFrame) -> None:
    buys = episodes[episodes["side"] == "buy"]
    found = summarise(buys, None, {"strategies": STRATEGIES})
    assert found["sides"] == ["buy"]
    assert "sides" not in found["strategies"]["twap"]
    assert found["strategies"]["twap"]["n"] == 8


def test_bad_input_is_refused(episodes: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="appears more than once"):
        summarise(pd.concat([episodes, episodes.iloc[:1]]))
    with pytest.raises(ValueError, match="headline 'dqn' is not listed; allowed: twap, passive, aggressive"):
        summarise(episodes, None, {"strategies": STRATEGIES, "headline": "dqn"})
    with pytest.raises(ValueError, match="nothing to summarise"):
        summarise(episodes.iloc[:0])
