"""Each switch mends the situation that it is named for, and without it the reference behaviour stays."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from dataclasses import fields
from typing import Any

import pytest

from abides_markets.agents import AdaptiveMarketMakerAgent
from abides_markets.messages.marketdata import L1DataMsg
from abides_markets.messages.marketdata import L1SubReqMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.messages.orderbook import OrderRejectedMsg
from abides_markets.messages.query import QueryLastTradeResponseMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import Side
from abides_markets.switches import REFERENCE
from abides_markets.switches import REFERENCE_ENGINE_ONLY
from abides_markets.switches import Switches
from tests.abides_markets.small_market import OPENING_PRICE
from tests.abides_markets.small_market import SYMBOL
from tests.abides_markets.small_market import Planned
from tests.abides_markets.small_market import run_market


def one(name: str) -> Switches:
    return Switches(**{name: True})


def test_names_defaults_and_exceptions() -> None:
    names = [field.name for field in fields(Switches)]
    assert Switches() == REFERENCE
    assert not any(getattr(REFERENCE, name) for name in names)
    everything = Switches.all_on()
    assert {name for name in names if not getattr(everything, name)} == set(REFERENCE_ENGINE_ONLY)
    without = Switches.all_on(report_unfilled=False, **dict.fromkeys(REFERENCE_ENGINE_ONLY, True))
    assert [name for name in names if not getattr(without, name)] == ["report_unfilled"]


def test_an_unknown_name_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown switch 'makers_requot'; allowed: makers_requote, report_unfilled"):
        Switches.all_on(makers_requot=True)
    with pytest.raises(TypeError):
        Switches(makers_requot=True)  # type: ignore[call-arg]


def test_switches_cannot_be_turned_during_a_run() -> None:
    with pytest.raises(FrozenInstanceError):
        REFERENCE.report_unfilled = True  # type: ignore[misc]


@pytest.mark.parametrize("on", [False, True])
def test_makers_requote(on: bool) -> None:
    """The book has one side only when the maker first looks; the other appears later."""

    def quote(side: Side, price: int) -> Any:
        return lambda agent: agent.place_limit_order(SYMBOL, 10, side, price)

    trader = Planned(1, plan=[(0, quote(Side.BID, 9_900)), (300_000, quote(Side.ASK, 10_100))])
    maker = AdaptiveMarketMakerAgent(
        2, SYMBOL, 0, wake_up_freq="200us", poisson_arrival=False, switches=one("makers_requote") if on else REFERENCE
    )
    exchange = run_market(trader, maker)
    makers_entries = [e["time"] for e in exchange.order_books[SYMBOL].history if e.get("agent_id") == 2]
    assert bool(makers_entries) is on
    assert (maker.last_mid is not None) is on


@pytest.mark.parametrize("on", [False, True])
def test_report_unfilled(on: bool) -> None:
    seller = Planned(1, plan=[(0, lambda agent: agent.place_limit_order(SYMBOL, 10, Side.ASK, 10_000))])
    buyer = Planned(2, plan=[(1000, lambda agent: agent.place_market_order(SYMBOL, 30, Side.BID))])
    exchange = run_market(seller, buyer, switches=one("report_unfilled") if on else REFERENCE)
    assert buyer.get_holdings(SYMBOL) == 10
    cancelled = buyer.heard(OrderCancelledMsg)
    assert [message.order.quantity for message in cancelled] == ([20] if on else [])
    assert exchange.order_books[SYMBOL].discarded == (0 if on else 1)
    assert [order.quantity for order in buyer.orders.values()] == ([] if on else [20])  # believed open for ever


@pytest.mark.parametrize("on", [False, True])
def test_market_orders_update_last_trade(on: bool) -> None:
    seller = Planned(1, plan=[(0, lambda agent: agent.place_limit_order(SYMBOL, 10, Side.ASK, 10_250))])
    buyer = Planned(
        2,
        plan=[
            (1000, lambda agent: agent.place_market_order(SYMBOL, 4, Side.BID)),
            (2000, lambda agent: agent.get_last_trade(SYMBOL)),
            (3000, lambda agent: agent.place_limit_order(SYMBOL, 4, Side.BID, 10_250)),
            (4000, lambda agent: agent.get_last_trade(SYMBOL)),
        ],
    )
    run_market(seller, buyer, switches=one("market_orders_update_last_trade") if on else REFERENCE)
    told = [message.last_trade for message in buyer.heard(QueryLastTradeResponseMsg)]
    assert told == [10_250 if on else OPENING_PRICE, 10_250]


@pytest.mark.parametrize("on", [False, True])
def test_every_change_updates_timestamp(on: bool) -> None:
    """A subscriber, a first order, a better one, a trade, a cancellation: is each change published?"""
    subscriber = Planned(1, plan=[(-1000, lambda agent: agent.request_data_subscription(L1SubReqMsg(SYMBOL, freq=1)))])
    trader = Planned(
        2,
        plan=[
            (1000, lambda agent: agent.place_limit_order(SYMBOL, 10, Side.BID, 9_900)),
            (2000, lambda agent: agent.place_limit_order(SYMBOL, 10, Side.BID, 9_950)),
            (3000, lambda agent: agent.place_limit_order(SYMBOL, 4, Side.ASK, 9_950)),
            (4000, lambda agent: agent.cancel_all_orders()),
        ],
    )
    run_market(subscriber, trader, switches=one("every_change_updates_timestamp") if on else REFERENCE)
    received = [
        (time, message.bid)
        for time, message in zip(subscriber.heard_at(L1DataMsg), subscriber.heard(L1DataMsg), strict=True)
    ]
    expected = [
        (1020, (9_900, 10)),
        (2020, (9_950, 10)),
        (3020, (9_950, 6)),
        (4020, (9_950, 6)),
    ]
    if on:
        assert received == expected
    else:  # the first message, and then nothing before a cancellation: entries and trades are not seen
        assert received == [expected[0], expected[3]]


@pytest.mark.parametrize("on", [False, True])
def test_refuse_crossing_post_only(on: bool) -> None:
    seller = Planned(1, plan=[(0, lambda agent: agent.place_limit_order(SYMBOL, 10, Side.ASK, 10_000))])
    poster = Planned(
        2, plan=[(1000, lambda agent: agent.place_limit_order(SYMBOL, 4, Side.BID, 10_000, is_post_only=True))]
    )
    run_market(seller, poster, switches=one("refuse_crossing_post_only") if on else REFERENCE)
    assert len(poster.heard(OrderExecutedMsg)) == (0 if on else 1)
    assert [message.order.quantity for message in poster.heard(OrderCancelledMsg)] == ([4] if on else [])
    assert poster.orders == {}


@pytest.mark.parametrize("on", [False, True])
def test_report_rejections(on: bool) -> None:
    """A cancellation and a replacement that come too late."""
    placed: list[LimitOrder] = []

    def place(agent: Planned) -> None:
        agent.place_limit_order(SYMBOL, 10, Side.BID, 10_000)
        placed.extend(order.copy() for order in agent.orders.values())  # type: ignore[misc]

    trader = Planned(
        1,
        plan=[
            (0, place),
            (1000, lambda agent: agent.cancel_order(placed[0])),
            (2000, lambda agent: agent.cancel_order(placed[0])),
            (3000, lambda agent: agent.replace_order(placed[0], LimitOrder(1, 0, SYMBOL, 3, Side.BID, 9_000))),
        ],
    )
    exchange = run_market(trader, switches=one("report_rejections") if on else REFERENCE)
    told = [(m.request, m.order.quantity, m.reason) for m in trader.heard(OrderRejectedMsg)]
    reason = f"order {placed[0].order_id} is not there"
    assert told == ([("CancelOrderMsg", 10, reason), ("ReplaceOrderMsg", 3, reason)] if on else [])
    assert [order.quantity for order in trader.orders.values()] == ([] if on else [3])  # believed open for ever
    assert exchange.order_books[SYMBOL].bids == []
