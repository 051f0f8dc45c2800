from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.frontier import frontier_figure
from analysis.frontier import frontier_table
from analysis.frontier import model_point
from analysis.frontier import summarise_frontier
from analysis.plots import svg
from analysis.tables import markdown

COEFFICIENTS = {"volatility": 2.0, "half_spread": 0.5, "temporary_impact": 0.1, "permanent_impact": 0.001}


def measured(n: int = 200) -> list[dict[str, dict[str, list[float]]]]:
    """A strategy with half of the risk of TWAP, and one cent worse; buying gains what selling loses."""
    market = np.random.default_rng(0).normal(0, 20, n)
    return [
        {
            "twap": {"shortfall_cents": [-10 + move, -10 - move], "completion": [1.0, 1.0]},
            "calm": {"shortfall_cents": [-11 + move / 2, -11 - move / 2], "completion": [1.0, 0.5]},
            "awful": {"shortfall_cents": [-90 + move, -90 - move], "completion": [1.0, 1.0]},
        }
        for move in market
    ]


def test_the_risk_is_that_of_an_order_not_of_a_pair_of_them() -> None:
    found = summarise_frontier(measured())
    assert found["twap"]["mean"]["sd"] == pytest.approx(0, abs=1e-9), "the two sides cancel"
    assert found["twap"]["sd"]["mean"] == pytest.approx(20, rel=0.15)
    low, high = found["twap"]["sd"]["ci95"]
    assert low < found["twap"]["sd"]["mean"] < high
    assert found["calm"]["sd_ratio"]["mean"] == pytest.approx(0.5)
    assert found["calm"]["against_twap"]["mean"] == pytest.approx(-1)
    assert found["calm"]["completion"] == 0.75


def test_the_interval_of_the_sd_covers_it() -> None:
    random, covered = np.random.default_rng(1), 0
    for _ in range(200):
        moves = random.normal(0, 20, 60)
        found = summarise_frontier([{"twap": {"shortfall_cents": [m, -m], "completion": [1, 1]}} for m in moves])
        low, high = found["twap"]["sd"]["ci95"]
        covered += low <= 20 <= high
    assert 0.88 <= covered / 200 <= 0.98, "percentiles of so few seeds are a little narrow"


@pytest.mark.parametrize("interval", [1.0, 10.0])
def test_the_model_of_an_even_schedule_in_closed_form(interval: float) -> None:
    window, shares = 1_800.0, 20_000.0
    executed = np.arange(interval, window + 1, interval) / window
    mean, sd = model_point(executed, interval, shares, COEFFICIENTS)
    eta, gamma = COEFFICIENTS["temporary_impact"], COEFFICIENTS["permanent_impact"]
    assert mean == pytest.approx(-(0.5 + gamma * shares / 2 + (eta - gamma * interval / 2) * shares / window))
    assert sd == pytest.approx(2.0 * math.sqrt(window / 3), rel=2 * interval / window)


def test_everything_at_once_has_no_risk_in_the_model() -> None:
    assert model_point(np.ones(180), 10.0, 20_000.0, COEFFICIENTS)[1] == 0


def test_the_figure_names_what_lies_off_it() -> None:
    summary = {
        "n": 200,
        "strategies": summarise_frontier(measured()),
        "families": {"learned": ["calm"]},
        "model": {"mean": [-9.0, -12.0], "sd": [20.0, 8.0]},
    }
    figure = frontier_figure(summary)
    assert figure.axes[0].get_title(loc="left") == "Off the figure: awful (−90, sd 19)"
    assert svg(figure) == svg(frontier_figure(summary))
    assert "| calm |" in markdown(frontier_table(summary))


def test_nothing_is_off_the_figure_for_being_good() -> None:
    found = [
        {name: {"shortfall_cents": [cost], "completion": [1.0]} for name, cost in seed.items()}
        for seed in ({"twap": 5.0, "calm": 9.0, "awful": -60.0}, {"twap": 7.0, "calm": 12.0, "awful": -70.0})
    ]
    summary = {
        "n": 2,
        "strategies": summarise_frontier(found),
        "families": {"learned": ["calm"]},
        "model": {"mean": [5.0, 4.0], "sd": [20.0, 8.0]},
    }
    # Two seeds drawn alike have no spread to divide by.
    assert summary["strategies"]["calm"]["sd_ratio"]["ci95"] is None
    assert frontier_figure(summary).axes[0].get_title(loc="left").startswith("Off the figure: awful (−65")
    assert markdown(frontier_table(summary))
