from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from abides_markets.agents import NoiseAgent
from abides_markets.messages.market import MarketHoursMsg
from abides_markets.messages.query import QuerySpreadMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.models import OrderSizeModel
from abides_markets.orders import Side

OPEN, CLOSE = 1000, 9000


class Kernel:
    oracle = None

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.wakeups: list[int] = []

    def send_message(self, sender_id: int, recipient_id: int, message: Any, **_: Any) -> None:
        self.sent.append(message)

    def set_wakeup(self, sender_id: int, requested_time: int) -> None:
        self.wakeups.append(requested_time)


def noise(wakeup_time: int | None = 5000, seed: int = 1, **parameters: Any) -> tuple[NoiseAgent, Kernel]:
    kernel = Kernel()
    agent = NoiseAgent(4, symbol="X", wakeup_time=wakeup_time, random_state=np.random.RandomState(seed), **parameters)
    agent.kernel = kernel  # type: ignore[assignment]
    agent.exchange_id = 0
    agent.receive_message(1, 0, MarketHoursMsg(OPEN, CLOSE))
    return agent, kernel


def spread(bids: Any, asks: Any, closed: bool = False) -> QuerySpreadResponseMsg:
    return QuerySpreadResponseMsg("X", closed, 1, bids, asks, 100)


def test_it_wakes_within_100_ns_of_the_open_and_then_at_its_time() -> None:
    agent, kernel = noise()
    [first] = kernel.wakeups
    assert OPEN <= first < OPEN + 100
    assert all(0 <= agent.get_wake_frequency() < 100 for _ in range(1000))
    agent.first_wake = False
    agent.wakeup(first)
    assert kernel.wakeups[1:] == [5000]
    assert kernel.sent == []
    agent.wakeup(5000)
    assert [m.__class__ for m in kernel.sent] == [QuerySpreadMsg]
    assert agent.state == "AWAITING_SPREAD"


@pytest.mark.parametrize("seed", range(8))
def test_it_sends_one_order_at_the_opposite_quote(seed: int) -> None:
    agent, kernel = noise(seed=seed)
    agent.first_wake = False
    agent.wakeup(5000)
    agent.receive_message(5010, 0, spread([(99, 5)], [(101, 5)]))
    [order] = (message.order for message in kernel.sent[1:])
    assert (order.side, order.limit_price) in ((Side.BID, 101), (Side.ASK, 99))
    assert 20 <= order.quantity < 50
    assert kernel.wakeups[1:] == []
    agent.receive_message(5020, 0, spread([(99, 5)], [(101, 5)]))
    assert len(kernel.sent) == 2


def test_both_sides_are_taken() -> None:
    sides = set()
    for seed in range(20):
        agent, kernel = noise(seed=seed)
        agent.known_bids["X"], agent.known_asks["X"] = [(99, 5)], [(101, 5)]
        agent.place_order()
        sides.add(kernel.sent[-1].order.side)
    assert sides == set(Side)


def test_nothing_is_sent_into_an_empty_side_or_after_the_close() -> None:
    for seed in range(10):
        agent, kernel = noise(seed=seed)
        agent.placeOrder()
        assert kernel.sent == []
    agent, kernel = noise()
    agent.first_wake = False
    agent.wakeup(5000)
    agent.receive_message(5010, 0, spread([(99, 5)], [(101, 5)], closed=True))
    assert len(kernel.sent) == 1
    agent.wakeup(6000)
    assert len(kernel.sent) == 1


def test_sizes_from_a_model_may_be_nothing() -> None:
    class Zero(OrderSizeModel):
        def sample(self, random_state: np.random.RandomState) -> int:
            return 0

    agent, kernel = noise(order_size_model=Zero())
    agent.known_bids["X"], agent.known_asks["X"] = [(99, 5)], [(101, 5)]
    agent.place_order()
    assert kernel.sent == []


def test_it_tries_again_if_asked_to_until_it_has_traded() -> None:
    agent, kernel = noise(retry_after=70)
    agent.first_wake = False
    hours = len(kernel.wakeups)
    agent.wakeup(5000)
    agent.receive_message(5010, 0, spread([], []))
    assert kernel.wakeups[hours:] == [5080]
    agent.wakeup(5080)
    agent.receive_message(5090, 0, spread([(99, 5)], [(101, 5)]))
    assert [m.type() for m in kernel.sent] == ["QuerySpreadMsg", "QuerySpreadMsg", "LimitOrderMsg"]
    assert kernel.wakeups[hours:] == [5080]
