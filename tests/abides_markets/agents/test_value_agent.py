from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from abides_markets.agents import ValueAgent
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.orders import Side

OPEN, CLOSE = 1_000, 10**13


class Oracle:
    """Always sees the same value."""

    def __init__(self, value: int) -> None:
        self.value = value

    def observe_price(self, symbol: str, current_time: int, random_state: Any, sigma_n: float = 1000) -> int:
        return self.value


class Kernel:
    def __init__(self, value: int) -> None:
        self.oracle = Oracle(value)
        self.sent: list[Any] = []
        self.wakeups: list[int] = []

    def send_message(self, sender_id: int, recipient_id: int, message: Any, **_: Any) -> None:
        self.sent.append(message)

    def set_wakeup(self, sender_id: int, requested_time: int) -> None:
        self.wakeups.append(requested_time)


def value_agent(observed: int = 100_000, seed: int = 0, **parameters: Any) -> tuple[ValueAgent, Kernel]:
    kernel = Kernel(observed)
    agent = ValueAgent(
        4,
        symbol="X",
        random_state=np.random.RandomState(seed),
        **{"r_bar": 100_000, "kappa": 1.67e-15, "lambda_a": 5.7e-12, **parameters},
    )
    agent.kernel, agent.oracle, agent.exchange_id = kernel, kernel.oracle, 0  # type: ignore[assignment]
    agent.mkt_open, agent.mkt_close, agent.first_wake = OPEN, CLOSE, False
    return agent, kernel


def test_a_wake_schedules_the_next_withdraws_old_orders_and_asks() -> None:
    agent, kernel = value_agent()
    agent.place_limit_order("X", 5, Side.BID, 99)
    agent.wakeup(2_000)
    assert [m.type() for m in kernel.sent[1:]] == ["CancelOrderMsg", "QuerySpreadMsg"]
    assert len(kernel.wakeups) == 1
    agent.mkt_closed = True
    agent.daily_close_price["X"] = 100
    agent.wakeup(3_000)
    assert len(kernel.sent) == 3
    assert len(kernel.wakeups) == 1


def test_arrivals_are_a_poisson_process() -> None:
    agent, _ = value_agent()
    gaps = [agent.get_wake_frequency() for _ in range(5000)]
    assert all(type(gap) is int and gap >= 0 for gap in gaps)
    assert np.mean(gaps) == pytest.approx(1 / 5.7e-12, rel=0.05)


def test_the_belief_moves_between_mean_and_observation_by_their_precision() -> None:
    agent, _ = value_agent(observed=100_400, kappa=0, sigma_s=2.0, sigma_n=300.0)
    agent.current_time = OPEN + 50
    expected = agent.update_estimates()
    # Variance 100 of the belief against 300 of the observation.
    assert agent.r_t == pytest.approx(100_000 + 100 / 400 * 400)
    assert agent.sigma_t == pytest.approx(300 * 100 / 400)
    assert expected == round(agent.r_t)
    agent.current_time += 0
    agent.updateEstimates()
    assert agent.sigma_t == pytest.approx(300 * 75 / 375)


def test_mean_reversion_pulls_the_belief_and_the_expectation() -> None:
    kappa = 1e-13
    agent, _ = value_agent(observed=100_400, kappa=kappa, sigma_s=0.0, sigma_n=300.0)
    agent.r_t = 101_000
    agent.current_time = OPEN + 10**12
    expected = agent.update_estimates()
    rho = math.exp(10**12 * math.log1p(-kappa))
    assert agent.r_t == pytest.approx((1 - rho) * 100_000 + rho * 101_000)
    decay = math.exp((CLOSE - agent.current_time) * math.log1p(-kappa))
    assert expected == round((1 - decay) * 100_000 + decay * agent.r_t)


@pytest.mark.parametrize("kappa", [1e-30, 1.67e-16, 0.0])
def test_tiny_mean_reversion_is_no_division_by_zero(kappa: float) -> None:
    agent, _ = value_agent(kappa=kappa, sigma_s=1.0, sigma_n=1000.0)
    variances = []
    for step in range(1, 30):
        agent.current_time = OPEN + step * 100
        agent.update_estimates()
        variances.append(agent.sigma_t)
    assert variances == sorted(variances)
    assert variances[-1] == pytest.approx(variances[-2], rel=1e-3)  # converges below the variance of an observation
    assert variances[-1] < 1000


def test_without_any_variance_the_belief_stays() -> None:
    agent, _ = value_agent(observed=5, sigma_s=0.0, sigma_n=0.0)
    agent.current_time = OPEN + 1
    assert agent.update_estimates() == 100_000


@pytest.mark.parametrize(("observed", "side"), [(101_000, Side.BID), (99_000, Side.ASK)])
def test_it_buys_below_and_sells_above_what_it_expects(observed: int, side: Side) -> None:
    prices = set()
    for seed in range(60):
        agent, kernel = value_agent(observed=observed, seed=seed)
        agent.wakeup(OPEN + 1)
        agent.receive_message(OPEN + 2, 0, QuerySpreadResponseMsg("X", False, 1, [(99_990, 5)], [(100_010, 5)], 1))
        order = kernel.sent[-1].order
        assert order.side is side
        # From the opposite touch (crossing) to one spread behind the own touch.
        low, high = (100_010 - 39, 100_010) if side is Side.BID else (99_990, 99_990 + 39)
        assert low <= order.limit_price <= high
        prices.add(order.limit_price)
    assert len(prices) > 10


def test_a_locked_book_and_an_empty_side() -> None:
    agent, kernel = value_agent(observed=100_500, kappa=0.0)
    agent.current_time = OPEN + 1
    agent.known_bids["X"] = agent.known_asks["X"] = [(100_000, 5)]
    agent.place_order()
    assert kernel.sent[-1].order.limit_price == 100_000
    agent.known_bids["X"] = []
    agent.placeOrder()
    assert kernel.sent[-1].order.limit_price == round(agent.r_t)  # without a mid, what it expects


def test_prices_are_at_least_one_cent() -> None:
    agent, kernel = value_agent(observed=0, kappa=0.0, r_bar=0)
    agent.current_time = OPEN + 1
    agent.place_order()
    assert kernel.sent[-1].order.limit_price == 1
