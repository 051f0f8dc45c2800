"""Schedules against closed forms, and against the optimum of the problem that each is said to solve."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import AlmgrenChrissAgent
from agents import CarteaJaimungalAgent
from agents import TWAPAgent
from agents import VWAPAgent
from agents.schedules import ScheduleAgent
from configs import ConfigError
from configs.calibration import CALIBRATION
from configs.calibration import load_calibration
from tests.agents.worlds import SECOND
from tests.agents.worlds import parent
from tests.agents.worlds import view

WINDOW = 1_800
KINDS: list[type[ScheduleAgent]] = [VWAPAgent, AlmgrenChrissAgent, CarteaJaimungalAgent]


def schedule(kind: type[Any], interval: int = 10, **named: Any) -> Any:
    return kind(2, "ABM", parent(20_000, seconds=WINDOW), interval * SECOND, **named)


def left_by(agent: ScheduleAgent, interval: int = 10) -> np.ndarray[Any, Any]:
    """Share left at each decision time and at the end."""
    return np.array([1 - agent.executed(t * SECOND) for t in range(0, WINDOW + 1, interval)])


def orders_of(agent: Any, parent_shares: int, interval: int = 10, fill: float = 1.0) -> tuple[list[int], int]:
    """Market orders of a whole window, and the shares filled when the part `fill` of each is."""
    filled, sent = 0, []
    for k in range(WINDOW // interval):
        seen = view(
            decision=k,
            elapsed=k * interval * SECOND,
            window=WINDOW * SECOND,
            interval=interval * SECOND,
            parent=parent_shares,
            filled=filled,
        )
        sent.append(agent.decide(seen).market)
        filled += int(fill * sent[-1])
    return sent, filled


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_runs_from_nothing_to_everything_and_never_back(kind: type[ScheduleAgent]) -> None:
    left = left_by(schedule(kind))
    assert left[0] == pytest.approx(1)
    assert left[-1] == pytest.approx(0, abs=0.01 if kind is CarteaJaimungalAgent else 1e-12)
    assert (np.diff(left) <= 0).all()


@pytest.mark.parametrize("kind", [*KINDS, TWAPAgent])
@given(quantity=st.integers(1, 100_000), fill=st.sampled_from((1.0, 0.6)))
def test_orders_follow_it_in_whole_shares_and_never_exceed_the_parent(kind: Any, quantity: int, fill: float) -> None:
    agent = schedule(kind)
    sent, filled = orders_of(agent, quantity, fill=fill)
    assert min(sent) >= 0
    assert filled <= quantity
    if fill == 1.0 and kind is not CarteaJaimungalAgent:
        assert filled == quantity
    if fill == 1.0 and kind is not TWAPAgent:
        due = [round(quantity * agent.executed(10 * SECOND * (k + 1))) for k in range(WINDOW // 10)]
        assert np.cumsum(sent).tolist() == due


@pytest.mark.parametrize("interval", [1, 10, 60])
def test_almgren_chriss_without_risk_aversion_is_twap(interval: int) -> None:
    agent = schedule(AlmgrenChrissAgent, interval, risk_aversion=0)
    assert orders_of(agent, 20_000, interval) == orders_of(schedule(TWAPAgent, interval), 20_000, interval)
    nearly = left_by(schedule(AlmgrenChrissAgent, interval, risk_aversion=1e-12), interval)
    assert nearly == pytest.approx(left_by(agent, interval), abs=1e-5)


@pytest.mark.parametrize("risk_aversion", [1e-7, 5e-6, 1e-4, 1e-2])
@pytest.mark.parametrize("interval", [10, 60])
def test_almgren_chriss_minimises_mean_plus_variance(risk_aversion: float, interval: int) -> None:
    """Solve the problem by linear algebra: the gradient of Σ η̃ n²/τ + λ σ² τ x² is zero at the interior x."""
    found = load_calibration()
    sigma, eta, gamma = (getattr(found, name).value for name in ("volatility", "temporary_impact", "permanent_impact"))
    steps, tau = WINDOW // interval, float(interval)
    squared = risk_aversion / 100 * sigma**2 / (eta - gamma * tau / 2)
    matrix = (2 + squared * tau**2) * np.eye(steps - 1) - np.eye(steps - 1, k=1) - np.eye(steps - 1, k=-1)
    first = np.zeros(steps - 1)
    first[0] = 1.0
    best = np.concatenate([[1.0], np.linalg.solve(matrix, first), [0.0]])
    agent = schedule(AlmgrenChrissAgent, interval, risk_aversion=risk_aversion)
    assert left_by(agent, interval) == pytest.approx(best, abs=1e-9)


def test_almgren_chriss_in_numbers() -> None:
    agent = schedule(AlmgrenChrissAgent)
    for t in (0, 450, 900, 1_790):
        expected = math.sinh(agent.kappa * (WINDOW - t)) / math.sinh(agent.kappa * WINDOW)
        assert 1 - agent.executed(t * SECOND) == pytest.approx(expected)
    assert 2 < agent.kappa * WINDOW < 3
    assert left_by(agent)[45] == pytest.approx(0.5, abs=0.05)  # half in a quarter of the window


def test_more_risk_aversion_is_faster_until_everything_goes_at_once() -> None:
    runs = [left_by(schedule(AlmgrenChrissAgent, risk_aversion=r)) for r in (0, 1e-6, 1e-5, 1e-3, 1e5)]
    for slower, faster in itertools.pairwise(runs):
        assert (faster[1:-1] < slower[1:-1]).all()
    assert runs[-1][1] < 1e-3


@pytest.mark.parametrize("phi", [0.0, 1e-12, 1e-7, 1e-5])
@pytest.mark.parametrize("alpha", [0.0005, 0.01, 10.0])
def test_cartea_jaimungal_solves_its_problem(phi: float, alpha: float) -> None:
    """Minimise k ∫ν² + φ ∫Q² + (α − b/2) Q_T² on a fine grid by linear algebra; Q_0 = 1 and Q_T is free."""
    found = load_calibration()
    k, b = found.temporary_impact.value, found.permanent_impact.value
    steps = 1_800
    dt = WINDOW / steps
    matrix = np.zeros((steps, steps))
    for i in range(steps):  # Q_{i+1}
        matrix[i, i] = 2 * k / dt + phi * dt if i < steps - 1 else k / dt + phi * dt / 2 + alpha - b / 2
        if i + 1 < steps:
            matrix[i, i + 1] = matrix[i + 1, i] = -k / dt
    first = np.zeros(steps)
    first[0] = k / dt
    best = np.concatenate([[1.0], np.linalg.solve(matrix, first)])
    agent = schedule(CarteaJaimungalAgent, 1, running_penalty=phi, terminal_penalty=alpha)
    assert left_by(agent, 1) == pytest.approx(best, abs=2e-5)


def test_cartea_jaimungal_in_its_own_terms_and_its_limits() -> None:
    found = load_calibration()
    k, b, phi, alpha = found.temporary_impact.value, found.permanent_impact.value, 1e-7, 0.01
    gamma, root = math.sqrt(phi / k), math.sqrt(k * phi)
    zeta = (alpha - b / 2 + root) / (alpha - b / 2 - root)
    agent = schedule(CarteaJaimungalAgent, running_penalty=phi, terminal_penalty=alpha)
    for t in (0, 100, 900, 1_800):
        now, then = (zeta * math.exp(gamma * x) - math.exp(-gamma * x) for x in (WINDOW - t, WINDOW))
        assert 1 - agent.executed(t * SECOND) == pytest.approx(now / then)
    # As α grows and without a running penalty: TWAP. With φ = λσ²: Almgren and Chriss, up to their discrete time.
    even = left_by(schedule(CarteaJaimungalAgent, running_penalty=0, terminal_penalty=1e5))
    assert even == pytest.approx(np.linspace(1, 0, 181), abs=1e-6)
    risk_aversion = 5e-6
    phi = risk_aversion / 100 * found.volatility.value**2
    limit = left_by(schedule(CarteaJaimungalAgent, 1, running_penalty=phi, terminal_penalty=1e5), 1)
    assert limit == pytest.approx(left_by(schedule(AlmgrenChrissAgent, 1, risk_aversion=risk_aversion), 1), abs=1e-3)


def test_vwap_trades_each_minutes_part_of_the_volume() -> None:
    profile = load_calibration().volume
    sent, _ = orders_of(schedule(VWAPAgent, 60), 10**6, 60)
    assert profile.first == 34_200 * SECOND
    minutes = np.array(profile.shares[1:31])  # 09:31 to 10:01, the window of these tests
    assert sent == pytest.approx((10**6 * minutes / minutes.sum()).tolist(), abs=1.01)


@pytest.mark.parametrize(
    ("kind", "named", "message"),
    [
        (AlmgrenChrissAgent, {"risk_aversion": -1e-6}, "risk_aversion must be a number at least 0 and less than 1e+06"),
        (AlmgrenChrissAgent, {"risk_aversion": "much"}, "got 'much'"),
        (AlmgrenChrissAgent, {"risk_aversion": math.inf}, "got inf"),
        (CarteaJaimungalAgent, {"running_penalty": -1}, "running_penalty must be a number at least 0"),
        (CarteaJaimungalAgent, {"terminal_penalty": 0}, "terminal_penalty must be a number greater than 0"),
        (CarteaJaimungalAgent, {"terminal_penalty": 1e-9}, "must exceed half the permanent impact"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(kind: type[Any], named: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:
        schedule(kind, **named)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_intervals_too_long_for_the_model_are_refused() -> None:
    with pytest.raises(ValueError, match="decisions every 900 s are too far apart"):
        schedule(AlmgrenChrissAgent, 900)


def test_another_calibration_can_be_given(tmp_path: Path) -> None:
    content = json.loads(CALIBRATION.read_text(encoding="utf-8"))
    content["temporary_impact"]["value"] *= 4
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    usual, other = (schedule(AlmgrenChrissAgent, **named) for named in ({}, {"calibration": str(path)}))
    assert other.kappa == pytest.approx(usual.kappa / 2, rel=0.02)
    with pytest.raises(ConfigError, match=r"no calibration '.*none\.json': run python -m experiments.calibrate"):
        schedule(VWAPAgent, calibration=str(tmp_path / "none.json"))
