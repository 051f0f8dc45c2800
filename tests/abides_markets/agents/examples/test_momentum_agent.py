from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from abides_markets.agents import MomentumAgent
from abides_markets.messages.marketdata import L2DataMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.orders import Side


class Kernel:
    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.wakeups: list[int] = []

    def send_message(self, sender_id: int, recipient_id: int, message: Any, **_: Any) -> None:
        self.sent.append(message)

    def set_wakeup(self, sender_id: int, requested_time: int) -> None:
        self.wakeups.append(requested_time)


def momentum(**parameters: Any) -> tuple[MomentumAgent, Kernel]:
    kernel = Kernel()
    agent = MomentumAgent(4, "X", 10_000, random_state=np.random.RandomState(0), **parameters)
    agent.kernel, agent.exchange_id = kernel, 0  # type: ignore[assignment]
    agent.mkt_open, agent.mkt_close, agent.first_wake = 0, 10**15, False
    return agent, kernel


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_moving_averages(n: int) -> None:
    values = np.random.RandomState(1).rand(20)
    expected = [values[i : i + n].mean() for i in range(len(values) - n + 1)]
    assert MomentumAgent.ma(values, n) == pytest.approx(expected)
    assert len(MomentumAgent.ma(values, n)) == len(values) - n + 1


@pytest.mark.parametrize(("step", "side", "price"), [(2, Side.BID, 0), (0, Side.BID, 0), (-2, Side.ASK, -2)])
def test_it_follows_the_trend_from_the_51st_observation(step: int, side: Side, price: int) -> None:
    agent, kernel = momentum(min_size=5, max_size=6)
    for count in range(1, 61):
        bid = 10_000 + step * count
        agent.place_orders(bid, bid + 2)
        assert len(kernel.sent) == max(0, count - 50)
    for count, message in enumerate(kernel.sent, start=51):
        order = message.order
        touch = 10_000 + step * count
        assert (order.side, order.limit_price, order.quantity) == (side, touch + 2 if side is Side.BID else touch, 5)


def test_averages_are_of_the_last_mids_to_two_decimals() -> None:
    agent, _ = momentum()
    mids = []
    draws = np.random.RandomState(3)
    for _ in range(70):
        bid, ask = (int(x) for x in np.sort(draws.randint(1, 1000, 2)))
        agent.place_orders(bid, ask)
        mids.append((bid + ask) / 2)
    assert agent.avg_20_list[-1] == round(sum(mids[-20:]) / 20, 2)
    assert agent.avg_50_list[-1] == round(sum(mids[-50:]) / 50, 2)
    assert (len(agent.avg_20_list), len(agent.avg_50_list)) == (50, 20)


def test_an_unknown_quote_is_no_observation() -> None:
    agent, _ = momentum()
    for bid, ask in ((None, 10), (10, None), (None, None)):
        agent.place_orders(bid, ask)
    assert list(agent.mid_list) == []


def test_polling() -> None:
    agent, kernel = momentum(wake_up_freq="10s", poisson_arrival=False)
    agent.wakeup(5)
    assert [m.type() for m in kernel.sent] == ["QuerySpreadMsg"]
    agent.receive_message(6, 0, QuerySpreadResponseMsg("X", False, 1, [], [(5, 5)], 1))
    assert kernel.wakeups == [6 + 10 * 10**9]  # whether or not there was a mid
    agent.receive_message(7, 0, QuerySpreadResponseMsg("X", False, 1, [(4, 4)], [(6, 6)], 1))
    assert list(agent.mid_list) == []  # it had not asked


def test_subscription() -> None:
    agent, kernel = momentum(subscribe=True)
    agent.wakeup(5)
    agent.wakeup(6)
    assert [m.type() for m in kernel.sent] == ["L2SubReqMsg"]
    agent.receive_message(7, 0, L2DataMsg("X", 5, 7, [(4, 4)], [(7, 6)]))
    agent.receive_message(8, 0, L2DataMsg("X", 5, 7, [(4, 4)], []))
    assert list(agent.mid_list) == [5.5]


def test_poisson_observations() -> None:
    agent, _ = momentum(wake_up_freq="37s")
    gaps = [agent.get_wake_frequency() for _ in range(5000)]
    assert np.mean(gaps) == pytest.approx(37e9, rel=0.05)


def test_full_windows_are_enough_if_asked_for() -> None:
    agent, kernel = momentum(min_size=5, max_size=6, full_windows=True)
    for count in range(1, 61):
        agent.place_orders(10_000, 10_002)
        assert len(agent.avg_20_list) == max(0, count - 19)
        assert len(kernel.sent) == max(0, count - 49)


def test_subscribed_quotes_count_only_while_the_market_is_open() -> None:
    agent, _ = momentum(subscribe=True)
    agent.mkt_open = 100
    agent.wakeup(5)
    quotes = L2DataMsg("X", 5, 7, [(4, 4)], [(7, 6)])
    agent.receive_message(99, 0, quotes)
    assert list(agent.mid_list) == []
    agent.receive_message(100, 0, quotes)
    assert list(agent.mid_list) == [5.5]
    agent.mkt_closed = True
    agent.receive_message(101, 0, quotes)
    assert list(agent.mid_list) == [5.5]
