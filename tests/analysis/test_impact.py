from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.impact import impact_figure
from analysis.impact import impact_table
from analysis.impact import power_law
from analysis.impact import summarise_impact
from analysis.plots import svg

SIZES = np.array([1.0, 2.0, 4.0, 8.0, 16.0])


def drawn(rng: np.random.Generator, n: int, exponent: float = 0.5, noise: float = 4.0) -> np.ndarray[Any, Any]:
    """Impacts of five sizes on n seeds: a power law, a shock that all sizes of a seed share, and heavy-tailed noise."""
    shared = rng.standard_t(4, size=(n, 1))
    own = rng.standard_t(4, size=(n, len(SIZES))) * np.linspace(1, 2, len(SIZES))
    return 8 * (SIZES / 8) ** exponent + noise * (shared + own)


def test_a_power_law_is_found_again() -> None:
    rng = np.random.default_rng(0)
    for exponent in (0.3, 1.0, 1.7):
        found = power_law(SIZES, drawn(rng, 400, exponent, noise=0.01), reference=8)
        assert found["exponent"]["value"] == pytest.approx(exponent, abs=0.01)
        assert found["at_reference"]["value"] == pytest.approx(8, abs=0.01)
        low, high = found["exponent"]["ci95"]
        assert low < exponent < high
        assert high - low < 0.01
        assert found["n"] == 400


def test_another_unit_changes_neither_the_exponent_nor_its_interval() -> None:
    values = drawn(np.random.default_rng(1), 300, noise=1.0)
    one = power_law(SIZES, values, reference=8)
    other = power_law(1_000 * SIZES, 100 * values, reference=8_000)
    assert other["exponent"] == one["exponent"]
    assert other["at_reference"]["value"] == pytest.approx(100 * one["at_reference"]["value"])


def test_what_is_no_power_law_does_not_fit() -> None:
    rng = np.random.default_rng(2)
    bent = drawn(rng, 300, noise=0.5) + np.array([0, 6, 0, 0, 0])
    assert power_law(SIZES, bent, 8)["misfit_p"] < 1e-6
    assert power_law(SIZES, drawn(rng, 300, noise=0.5), 8)["misfit_p"] > 1e-3


def test_data_that_say_nothing_have_no_bounds() -> None:
    noise = np.random.default_rng(3).normal(size=(100, 5)) * 50
    found = power_law(SIZES, noise, 8)
    assert None in found["exponent"]["ci95"]
    assert "do not bound" in found["reason"]
    low, high = found["at_reference"]["ci95"]
    assert low < 0 < high
    few = power_law(SIZES, noise[:6], 8)
    assert few["exponent"]["value"] is None
    assert few["reason"] == "needs more seeds than sizes"


def coverage(replications: int, n: int) -> tuple[float, float]:
    rng = np.random.default_rng(4)
    exponents = scales = 0
    for _ in range(replications):
        found = power_law(SIZES, drawn(rng, n), 8)
        low, high = found["exponent"]["ci95"]
        exponents += (low is None or low <= 0.5) and (high is None or high >= 0.5)
        scales += found["at_reference"]["ci95"][0] <= 8 <= found["at_reference"]["ci95"][1]
    return exponents / replications, scales / replications


def test_intervals_cover_the_truth() -> None:
    for share in coverage(300, 60):
        assert 0.91 <= share <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 200])
def test_intervals_cover_the_truth_as_often_as_they_say(n: int) -> None:
    for share in coverage(2_000, n):
        assert 0.93 <= share <= 0.97


def measured(seeds: int = 12) -> list[dict[str, Any]]:
    """Measurements as `experiments.impact` makes them, made by hand: three sizes, a window of 60 s, 120 s in all."""
    rng = np.random.default_rng(5)
    return [
        {
            "seed": seed,
            "reference": 1,
            "orders": [
                {
                    "shares": shares,
                    "path2": rng.integers(-5, 20, size=(2, 13)).tolist(),
                    "participation": [0.1, 0.2],
                    "completion": [1.0, 1.0],
                    "drift_cents": rng.normal(-3, 1, size=2).tolist(),
                    "execution_cents": rng.normal(-1, 0.1, size=2).tolist(),
                }
                for shares in (100, 200, 400)
            ],
        }
        for seed in range(seeds)
    ]


def test_a_summary_holds_the_means_of_both_sides() -> None:
    found = measured()
    summary = summarise_impact(found, list(range(0, 130, 10)), 60)
    assert summary["parent"] == 200
    entry = summary["sizes"][2]
    paths = np.array([one["orders"][2]["path2"] for one in found]) / 2
    assert entry["end_cents"]["mean"] == pytest.approx(paths[:, :, 6].mean())
    assert entry["end_sell_cents"]["mean"] == pytest.approx(paths[:, 1, 6].mean())
    assert entry["after"]["60"]["mean"] == pytest.approx(paths[:, :, 12].mean())
    assert entry["faded"]["60"]["mean"] == pytest.approx((paths[:, :, 6] - paths[:, :, 12]).mean())
    assert entry["paid_cents"]["mean"] == pytest.approx(-np.mean([one["orders"][2]["drift_cents"] for one in found]))
    assert summary["paths"]["400"]["mean"] == pytest.approx(paths.mean(axis=(0, 1)).tolist())
    assert list(entry["after"]) == ["0", "60"], "horizons beyond the path are left out"


def test_table_and_figure_show_every_size_and_are_the_same_each_time() -> None:
    summary = summarise_impact(measured(), list(range(0, 130, 10)), 60)
    table = impact_table(summary)
    for text in ("| 100 |", "| 200 |", "| 400 |", "exponent", "after 1 min |"):
        assert text in table
    widths = {line.count("|") for line in table.splitlines() if line}
    assert widths == {6, 8, 5}, "heads and rows of each table have as many columns"
    assert svg(impact_figure(summary)) == svg(impact_figure(summary))
    for seeds in (2, 3):  # too few for a law: still a figure and a table
        few = summarise_impact(measured(seeds), list(range(0, 130, 10)), 60)
        assert "not known" in impact_table(few)
        assert "<svg" in svg(impact_figure(few))


def test_sizes_that_trade_nothing_have_no_power_law() -> None:
    random = np.random.default_rng(0)
    for x, values in (
        ([0.0, 1.0, 2.0], random.normal(0, 1, (40, 3))),
        ([1.0, 2.0, 4.0], np.zeros((40, 3))),
    ):
        found = power_law(x, values, 1.0)
        assert found["exponent"]["value"] is None
        assert found["reason"] == "a size trades nothing, or its impact is the same on every seed"
