from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis import explain
from analysis.plots import svg
from analysis.tables import markdown

TIMES = np.linspace(0, 1, 5)


def measured(n: int = 40) -> list[dict[str, Any]]:
    """TWAP, a policy that gains 2 cents on it, and a rule that gains half of that, with noise that all share."""
    random = np.random.default_rng(0)
    found = []
    for market, own in zip(random.normal(0, 20, n), random.normal(0, 0.1, n), strict=True):
        costs = {"twap": (0.0, 0.0), "policy": (2.0, 2.0 + own), "tree": (1.0, 1.0 - own)}
        found.append(
            {
                name: {
                    "shortfall_cents": [-10 + market + buy, -10 - market + sell],
                    "reward": [buy, sell],
                    "completion": [1.0, 1.0],
                    "moved_cents": [market, -market],
                    "left": [(1 - TIMES - 0.1 * np.sign(market) * (TIMES == 0.5)).tolist()] * 2,
                }
                for name, (buy, sell) in costs.items()
            }
        )
    return found


def test_half_of_the_gain_is_kept_whatever_the_market_does() -> None:
    summary = explain.summarise_rules(measured())
    assert summary["paired"]["policy-twap"]["shortfall_cents"]["mean"] == pytest.approx(2, abs=0.05)
    assert summary["paired"]["tree-policy"]["reward"]["mean"] == pytest.approx(-1, abs=0.05)
    kept = summary["kept"]["tree"]["shortfall_cents"]
    low, high = kept["ci95"]
    assert low < kept["mean"] < high
    assert kept["mean"] == pytest.approx(0.5, abs=0.03)
    table = markdown(explain.rules_table(summary))
    assert "| tree |" in table
    assert "| 49 % [48, 50] |" in table


def test_what_is_lost_without_a_feature_is_positive() -> None:
    found = [{"policy": seed["policy"], "spread": seed["tree"], "time": seed["policy"]} for seed in measured()]
    importance = explain.summarise_importance(found)
    assert importance["spread"]["reward"]["mean"] == pytest.approx(1, abs=0.05)
    assert importance["time"]["shortfall_cents"]["mean"] == 0


def test_trajectories_are_told_apart_by_what_the_price_did() -> None:
    found = explain.summarise_trajectories(measured(60), TIMES)
    assert found["left"]["mean"][0] == 1
    assert [own["move"] for own in found["by_move"]] == list(explain.MOVES)
    moves = [own["moved_cents"] for own in found["by_move"]]
    assert moves == sorted(moves)
    assert sum(own["n"] for own in found["by_move"]) == 120
    np.testing.assert_allclose(found["ahead"]["mean"], 1 - np.array(found["left"]["mean"]) - TIMES)
    assert found["lead"] == pytest.approx(np.mean(found["ahead"]["mean"]))
    leads, sizes = ([own[key] for own in found["by_move"]] for key in ("lead", "n"))
    assert found["lead"] == pytest.approx(np.average(leads, weights=sizes))


def test_a_map_is_the_mean_of_what_fell_into_each_cell() -> None:
    random = np.random.default_rng(0)
    x, y = random.uniform(0, 1, 20_000), random.integers(1, 4, 20_000)
    found = explain.binned_mean(x, y, 10 * y + x)
    np.testing.assert_allclose(found["y"], [0.5, 1.5, 2.5, 3.5])
    assert len(found["x"]) == explain.BINS + 1
    middles = (np.array(found["x"])[1:] + np.array(found["x"])[:-1]) / 2
    for row, level in zip(found["mean"], (1, 2, 3), strict=True):
        np.testing.assert_allclose(row, 10 * level + middles, atol=0.01)


def test_a_cell_with_few_values_stays_empty() -> None:
    few = explain.LEAST_IN_CELL - 1
    found = explain.binned_mean([0.0] * 1_000 + [1.0] * few, [0.0, 1.0] * 500 + [1.0] * few, [2.0] * (1_000 + few))
    assert found["mean"] == [[2.0, None], [2.0, None]]


def test_figures_are_drawn_alike_each_time() -> None:
    importance = {
        "spread": {
            "changed": 0.4,
            "rate_change": 0.2,
            "reward": {"mean": 1.0, "ci95": [0.5, 1.5]},
            "shortfall_cents": {"mean": 0.7, "ci95": None},
        }
    }
    maps = [explain.binned_mean(np.arange(3_000) % 30, np.arange(3_000) % 7, np.ones(3_000)) | {"labels": ("x", "y")}]
    values = -((np.linspace(0, 2, 9)[:, np.newaxis] - np.arange(3)) ** 2)
    slices = [{"feature": "spread", "x": list(range(9)), "values": values.tolist()}] * 3

    def draw() -> list[str]:
        figures = (
            explain.maps_figure(maps),
            explain.importance_figure(importance),
            explain.slices_figure(slices, ["none", "half", "all"]),
            explain.trajectories_figure(explain.summarise_trajectories(measured(), TIMES), 30.0),
        )
        return [svg(figure) for figure in figures]

    assert draw() == draw()
    assert "spread" in markdown(explain.importance_table(importance))
