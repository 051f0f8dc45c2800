from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from abides_core import Message
from abides_core.check import check_agent
from abides_core.monitor import Finding
from abides_markets.agents import AdaptiveMarketMakerAgent
from abides_markets.agents import MomentumAgent
from abides_markets.agents import NoiseAgent
from abides_markets.agents import TradingAgent
from abides_markets.agents import ValueAgent
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Side

SECOND = 1_000_000_000


class Buyer(TradingAgent):
    """Buys a little every ten seconds, and withdraws what is left of it."""

    def __init__(self, id: int, symbol: str, size: int = 5, **parameters: Any) -> None:
        super().__init__(id, **parameters)
        self.symbol = symbol
        self.size = size

    def wakeup(self, current_time: int) -> None:
        if super().wakeup(current_time):
            self.cancel_all_orders()
            self.get_current_spread(self.symbol)
            self.set_wakeup(current_time + 10 * SECOND)

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        if isinstance(message, QuerySpreadResponseMsg):
            self.act(self.get_known_bid_ask(self.symbol)[2] or 100_000)

    def act(self, ask: int) -> None:
        self.place_limit_order(self.symbol, self.size, Side.BID, ask)

    def send_raw(self, message: Message) -> None:
        assert self.exchange_id is not None
        self.send_message(self.exchange_id, message)

    def order(self, quantity: Any = 5, price: Any = 90_000, **more: Any) -> LimitOrder:
        fields = {"agent_id": self.id, "symbol": self.symbol, **more}
        return LimitOrder(
            fields.pop("agent_id"), self.current_time, fields.pop("symbol"), quantity, Side.BID, price, **fields
        )


class KeepsNoAccount(Buyer):
    def act(self, ask: int) -> None:
        self.send_raw(MarketOrderMsg(MarketOrder(self.id, self.current_time, self.symbol, 5, Side.BID)))


class EnrichesItself(Buyer):
    def act(self, ask: int) -> None:
        super().act(ask)
        self.holdings["CASH"] += 1


class IgnoresExecutions(Buyer):
    def order_executed(self, order: Any) -> None:
        pass


class SellsNegatively(Buyer):
    def act(self, ask: int) -> None:
        order = self.order(quantity=-5)
        self.orders[order.order_id] = order
        self.send_raw(LimitOrderMsg(order))


class OffersFractions(Buyer):
    def act(self, ask: int) -> None:
        order = self.order(price=99.5)
        self.orders[order.order_id] = order
        self.send_raw(LimitOrderMsg(order))


class TradesElsewhere(Buyer):
    def act(self, ask: int) -> None:
        self.place_limit_order("IBM", 5, Side.BID, 90_000)


class TradesForAnother(Buyer):
    def act(self, ask: int) -> None:
        order = self.order(agent_id=1)
        self.orders[order.order_id] = order
        self.send_raw(LimitOrderMsg(order))


class RepeatsItself(Buyer):
    def act(self, ask: int) -> None:
        self.place_limit_order(self.symbol, 1, Side.BID, 90_000, order_id=1_000_000)


class CancelsOthers(Buyer):
    def act(self, ask: int) -> None:
        self.send_raw(CancelOrderMsg(self.order(order_id=3), None, None))


@dataclass
class GreetingMsg(Message):
    text: str


class Greets(Buyer):
    """Sends the exchange what it has no answer to."""

    def act(self, ask: int) -> None:
        self.send_raw(GreetingMsg("good morning"))


class LooksBehindTheScenes(Buyer):
    def act(self, ask: int) -> None:
        self.place_limit_order(self.symbol, 5 if hasattr(self.kernel, "messages") else 6, Side.BID, ask)


class StopsTheRun(Buyer):
    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        if isinstance(message, OrderExecutedMsg):
            self.set_wakeup(current_time - 1)


def results(agent: Any, **parameters: Any) -> dict[str, Finding]:
    """What the checks found, the last finding of each."""
    return {finding.check: finding for finding in check_agent(agent, **parameters).findings}


@pytest.mark.parametrize(
    ("agent", "parameters"),
    [
        (Buyer, {}),
        (NoiseAgent, {}),
        (ValueAgent, {"lambda_a": 1e-10}),
        (MomentumAgent, {"wake_up_freq": "5s"}),
        (AdaptiveMarketMakerAgent, {"wake_up_freq": "20s"}),
    ],
)
def test_a_sound_trader_passes_every_check(agent: Any, parameters: dict[str, Any]) -> None:
    report = check_agent(agent, **parameters)
    report.raise_for_failures()
    checks = ["determinism", "process", "random", "timing", "accounting", "engines"]
    assert [(finding.check, finding.passed) for finding in report.findings] == [(check, True) for check in checks]
    assert "rmsc04 market" in report.world


@pytest.mark.parametrize(
    ("agent", "what", "mend"),
    [
        (KeepsNoAccount, "is not among its open orders", "place_market_order"),
        (EnrichesItself, "'CASH': ", "leave self.holdings to TradingAgent"),
        (IgnoresExecutions, "by its fills it has {", "let super() handle executions"),
        (SellsNegatively, "is for -5 shares", "at least 1"),
        (OffersFractions, "is at 99.5 cents", "whole cents"),
        (TradesElsewhere, "is for 'IBM'", "here 'ABM'"),
        (TradesForAnother, "is in the name of agent 1", "put self.id on every order"),
        (RepeatsItself, "order 1000000 was sent twice", "a number of its own"),
        (CancelsOthers, "names order 3, which it never sent", "orders of its own only"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # the exchange and the agent warn of the same, in their ways
def test_what_does_not_add_up_is_named_with_its_time_and_its_remedy(agent: Any, what: str, mend: str) -> None:
    failures = [finding for finding in check_agent(agent).failures() if finding.check == "accounting"]
    (named,) = [finding for finding in failures if what in finding.what]
    assert mend in named.mend
    assert named.when is not None


def test_an_agent_that_the_compiled_engine_does_not_support_is_said_to_be_unsupported() -> None:
    found = results(Greets)["engines"]
    assert found.passed is None
    assert "the compiled engine does not support" in found.what


def test_an_agent_that_tells_the_engines_apart_is_found() -> None:
    report = check_agent(LooksBehindTheScenes)
    (failure,) = report.failures()
    assert failure.check == "engines"
    assert "in the compiled engine: " in failure.what


def test_the_faults_of_any_agent_are_found_in_the_market() -> None:
    found = results(StopsTheRun)
    assert found["timing"].passed is False
    assert "1 ns in the past" in found["timing"].what
    assert found["engines"].passed is None
    assert "did not come to its end" in found["engines"].what
