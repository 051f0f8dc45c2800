from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abides_core import MessageBatch
from abides_markets.agents import AdaptiveMarketMakerAgent
from abides_markets.messages.marketdata import BookImbalanceDataMsg
from abides_markets.messages.marketdata import L2DataMsg
from abides_markets.messages.marketdata import MarketDataEventMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.messages.query import QueryTransactedVolResponseMsg
from abides_markets.orders import Side


class Kernel:
    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.wakeups: list[int] = []
        self.delays: list[int] = []

    def send_message(self, sender_id: int, recipient_id: int, message: Any, **_: Any) -> None:
        self.sent.append(message)

    def set_wakeup(self, sender_id: int, requested_time: int) -> None:
        self.wakeups.append(requested_time)

    def delay_agent(self, sender_id: int, additional_delay: int) -> None:
        self.delays.append(additional_delay)


def maker(**parameters: Any) -> tuple[AdaptiveMarketMakerAgent, Kernel]:
    kernel = Kernel()
    agent = AdaptiveMarketMakerAgent(4, "X", 10_000, random_state=np.random.RandomState(0), **parameters)
    agent.kernel, agent.exchange_id = kernel, 0  # type: ignore[assignment]
    agent.mkt_open, agent.mkt_close, agent.first_wake = 0, 10**15, False
    return agent, kernel


def volume(bought: int, sold: int) -> QueryTransactedVolResponseMsg:
    return QueryTransactedVolResponseMsg("X", False, bought, sold)


def spread(bid: int | None, ask: int | None) -> QuerySpreadResponseMsg:
    return QuerySpreadResponseMsg("X", False, 1, [(bid, 9)] if bid else [], [(ask, 9)] if ask else [], 1)


def ladder(message: Any) -> list[tuple[Side, int, int]]:
    assert isinstance(message, MessageBatch)
    return [(m.order.side, m.order.limit_price, m.order.quantity) for m in message.messages]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("anchor", "bids", "asks"),
    [
        ("middle", [992, 995, 998], [1003, 1006, 1009]),
        ("bottom", [993, 996, 999], [1005, 1008, 1011]),
        ("top", [989, 992, 995], [1001, 1004, 1007]),
    ],
)
def test_prices_of_the_ladder(anchor: str, bids: list[int], asks: list[int]) -> None:
    agent, _ = maker(window_size=5, anchor=anchor, num_ticks=3, level_spacing=0.05)
    assert agent.tick_size == 3  # 0.05 of the initial spread of 50, upwards
    assert agent.compute_orders_to_place(1000) == (bids, asks)


def test_flow_skews_the_ladder() -> None:
    agent, _ = maker(window_size=4, num_ticks=1, price_skew_param=10)
    for bought, sold, shift in ((0, 0, 0), (10, 0, 10), (0, 10, -10), (10, 10, 0), (30, 10, 5)):
        agent.transacted_volume["X"] = (bought, sold)
        assert agent.compute_orders_to_place(1000) == ([998 + shift], [1002 + shift])


@given(st.integers(1, 5000), st.integers(0, 300), st.integers(1, 25))
def test_no_bid_below_one_cent(mid: int, window: int, ticks: int) -> None:
    agent, _ = maker(window_size=window, num_ticks=ticks, level_spacing=2)
    bids, asks = agent.compute_orders_to_place(mid)
    assert all(price >= 1 for price in bids)
    assert len(asks) == ticks
    assert (bids, asks) == (sorted(bids), sorted(asks))
    if bids:
        assert asks[0] - bids[-1] == window


def test_a_cycle() -> None:
    agent, kernel = maker(
        window_size="Adaptive",
        num_ticks=2,
        level_spacing=0.5,
        spread_alpha=0.75,
        pov=0.1,
        min_order_size=3,
        wake_up_freq="10s",
        poisson_arrival=False,
        cancel_limit_delay=50,
        min_imbalance=0.8,
    )
    agent.place_limit_order("X", 5, Side.BID, 7)
    agent.wakeup(100)
    assert [m.type() for m in kernel.sent[1:]] == [
        "BookImbalanceSubReqMsg",
        "CancelOrderMsg",
        "QuerySpreadMsg",
        "QueryTransactedVolMsg",
    ]
    assert kernel.sent[1].min_imbalance == 0.8
    assert kernel.sent[4].lookback_period == 10 * 10**9
    assert kernel.delays == [50]
    agent.receive_message(110, 0, spread(1000, 1010))
    assert agent.last_spread == 0.75 * 10 + 0.25 * 50
    assert len(kernel.sent) == 5  # nothing before the volume is known too
    agent.receive_message(111, 0, volume(70, 55))
    # Spread 20: window 20, levels 10 apart; the size is a tenth of 125 shares, half to even.
    assert ladder(kernel.sent[-1]) == [
        (Side.BID, 985, 12),
        (Side.BID, 995, 12),
        (Side.ASK, 1015, 12),
        (Side.ASK, 1025, 12),
    ]
    assert kernel.wakeups == [111 + 10 * 10**9]
    agent.wakeup(200)
    assert [m.type() for m in kernel.sent].count("BookImbalanceSubReqMsg") == 1


def test_a_missing_side_keeps_the_last_mid() -> None:
    agent, kernel = maker(num_ticks=1, window_size=2, wake_up_freq="10s", poisson_arrival=False)
    for time, quotes in ((1, spread(100, 110)), (2, spread(100, None))):
        agent.wakeup(time)
        agent.receive_message(time, 0, quotes)
        agent.receive_message(time, 0, volume(0, 0))
        assert agent.last_mid == 105
        assert ladder(kernel.sent[-1]) == [(Side.BID, 104, 20), (Side.ASK, 106, 20)]
    assert len(kernel.wakeups) == 2


@pytest.mark.parametrize(("holdings", "sell", "buy"), [(0, 50, 50), (1000, 100, 5), (-1000, 5, 100)])
def test_inventory_skews_the_sizes(holdings: int, sell: int, buy: int) -> None:
    agent, _ = maker(skew_beta=1, pov=1.0, min_order_size=5)
    agent.transacted_volume["X"] = (60, 40)
    agent.holdings["X"] = holdings
    agent.update_order_size()
    assert (agent.sell_order_size, agent.buy_order_size) == (sell, buy)


def test_backstops() -> None:
    agent, kernel = maker(window_size=2, num_ticks=2, level_spacing=0.1, backstop_quantity=500, min_order_size=7)
    agent.place_orders(1000)
    assert ladder(kernel.sent[-1]) == [
        (Side.BID, 994, 500),
        (Side.ASK, 1006, 500),
        (Side.BID, 999, 7),
        (Side.ASK, 1001, 7),
    ]
    agent.place_orders(1)  # no bid above nothing
    assert [side for side, _, _ in ladder(kernel.sent[-1])] == [Side.ASK, Side.ASK]


def test_an_imbalance_adds_quotes_only_when_it_begins_and_a_mid_is_known() -> None:
    agent, kernel = maker(window_size=2, num_ticks=1)

    def imbalance(stage: MarketDataEventMsg.Stage) -> BookImbalanceDataMsg:
        return BookImbalanceDataMsg("X", 100, 1, stage, 0.95, Side.BID)

    agent.receive_message(1, 0, imbalance(MarketDataEventMsg.Stage.START))
    assert kernel.sent == []
    agent.last_mid = 100
    agent.receive_message(2, 0, imbalance(MarketDataEventMsg.Stage.FINISH))
    assert kernel.sent == []
    agent.receive_message(3, 0, imbalance(MarketDataEventMsg.Stage.START))
    assert ladder(kernel.sent[0]) == [(Side.BID, 99, 20), (Side.ASK, 101, 20)]
    assert kernel.wakeups == []


@pytest.mark.parametrize("renews", [False, True])
def test_an_imbalance_withdraws_the_old_quotes_if_asked_to(renews: bool) -> None:
    agent, kernel = maker(window_size=2, num_ticks=1, renew_on_imbalance=renews)
    agent.last_mid = 100
    agent.place_orders(100)
    agent.receive_message(3, 0, BookImbalanceDataMsg("X", 100, 1, MarketDataEventMsg.Stage.START, 0.95, Side.BID))
    kinds = [message.type() for message in kernel.sent]
    assert kinds == ["MessageBatch", *(["CancelOrderMsg"] * 2 if renews else []), "MessageBatch"]


def test_subscription_renews_the_quotes_with_every_update() -> None:
    agent, kernel = maker(subscribe=True, window_size=2, num_ticks=1)
    assert agent.initialise_state() == {"AWAITING_MARKET_DATA": True, "AWAITING_TRANSACTED_VOLUME": True}
    agent.wakeup(1)
    agent.wakeup(2)
    assert [m.type() for m in kernel.sent] == ["BookImbalanceSubReqMsg", "L2SubReqMsg", "QueryTransactedVolMsg"]
    for time, mid in ((10, 100), (20, 200)):
        del kernel.sent[:]
        agent.receive_message(time, 0, volume(0, 0))
        agent.receive_message(time, 0, L2DataMsg("X", 1, time, [(mid - 1, 1)], [(mid + 1, 1)]))
        assert [m.type() for m in kernel.sent][-2:] == ["MessageBatch", "QueryTransactedVolMsg"]
        assert agent.last_mid == mid
    assert [m.type() for m in kernel.sent].count("CancelOrderMsg") == 2
    assert kernel.wakeups == []


def test_wrong_parameters() -> None:
    with pytest.raises(ValueError, match="anchor must be one of top, middle, bottom, got 'left'"):
        maker(anchor="left")
    with pytest.raises(ValueError, match="'adaptive', got 'wide'"):
        maker(window_size="wide")
    adaptive, _ = maker(window_size="adaptive", anchor="top")
    assert (adaptive.is_adaptive, adaptive.anchor, adaptive.window_size) == (True, "middle", None)
    assert maker(window_size="7")[0].window_size == 7
