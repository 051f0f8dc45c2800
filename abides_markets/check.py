"""Checks of agents that trade, for the conformance command (`abides_core.check`)."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from abides_core import abides
from abides_core.check import Make
from abides_core.check import World
from abides_core.check import compared
from abides_core.check import faults
from abides_core.engines import REFERENCE
from abides_core.engines import UnsupportedError
from abides_core.message import Message
from abides_core.monitor import Finding
from abides_core.monitor import Monitor
from abides_core.monitor import Observed
from abides_core.monitor import text
from abides_markets.agents import TradingAgent
from abides_markets.configs import rmsc04
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.order import ModifyOrderMsg
from abides_markets.messages.order import PartialCancelOrderMsg
from abides_markets.messages.order import ReplaceOrderMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.orders import Order
from abides_markets.orders import Side
from abides_markets.utils import config_append_agents

ACCOUNTING = "accounting"
SYMBOL = "ABM"
CASH = "CASH"
STARTING_CASH = 10_000_000
CHANGES = (CancelOrderMsg, PartialCancelOrderMsg, ModifyOrderMsg, ReplaceOrderMsg)
PLACE = "send orders with place_limit_order, place_market_order or place_multiple_orders, which keep account of them"


class TradingMonitor(Monitor):
    """Keeps an account of its own of an agent's orders, cash and shares."""

    def __init__(self, agent: Any, observed: Observed) -> None:
        super().__init__(agent, observed)
        self._expected: dict[str, int] = dict(agent.holdings)
        self._sent: set[int] = set()
        self._new: list[int] = []

    def sent(self, message: Message) -> None:
        """Look at an order, or at a request to change one."""
        if isinstance(message, LimitOrderMsg | MarketOrderMsg):
            self._sent_order(message.order)
        elif isinstance(message, CHANGES):
            order = message.old_order if isinstance(message, ModifyOrderMsg | ReplaceOrderMsg) else message.order
            if order.order_id not in self._sent:
                what = f"a {message.type()} names order {order.order_id}, which it never sent"
                self.fault(ACCOUNTING, what, "cancel and change orders of its own only, those in self.orders")
            if isinstance(message, ReplaceOrderMsg):
                self._sent_order(message.new_order)

    def _sent_order(self, order: Order) -> None:
        if not isinstance(order.quantity, Integral) or order.quantity <= 0:
            what = f"order {order.order_id} is for {order.quantity!r} shares"
            self.fault(ACCOUNTING, what, "order a whole number of shares, at least 1")
        price = getattr(order, "limit_price", 0)
        if not isinstance(price, Integral) or price < 0:
            what = f"order {order.order_id} is at {price!r} cents"
            self.fault(ACCOUNTING, what, "give prices in whole cents, not negative")
        if order.symbol != SYMBOL:
            what = f"order {order.order_id} is for {order.symbol!r}"
            self.fault(ACCOUNTING, what, f"trade what the exchange trades, here {SYMBOL!r}")
        if order.agent_id != self.agent.id:
            what = f"order {order.order_id} is in the name of agent {order.agent_id}"
            self.fault(ACCOUNTING, what, "put self.id on every order")
        if order.order_id in self._sent:
            what = f"order {order.order_id} was sent twice"
            self.fault(ACCOUNTING, what, "make a new order each time: every order has a number of its own")
        self._sent.add(order.order_id)
        self._new.append(order.order_id)

    def receiving(self, message: Message) -> None:
        """Book an execution."""
        if isinstance(message, OrderExecutedMsg):
            order = message.order
            bought = order.quantity if order.side is Side.BID else -order.quantity
            self._expected[order.symbol] = self._expected.get(order.symbol, 0) + bought
            self._expected[CASH] -= bought * (order.fill_price or 0)

    def activated(self) -> None:
        """Compare the two accounts."""
        for order_id in self._new:
            if order_id not in self.agent.orders:
                self.fault(ACCOUNTING, f"order {order_id} is not among its open orders (self.orders)", PLACE)
        self._new.clear()
        held = {name: amount for name, amount in self.agent.holdings.items() if amount or name == CASH}
        expected = {name: amount for name, amount in self._expected.items() if amount or name == CASH}
        if held != expected:
            what = f"it holds {text(held)}; by its fills it has {text(expected)}"
            self.fault(ACCOUNTING, what, "leave self.holdings to TradingAgent, and let super() handle executions")


class MarketWorld(World):
    """A small market in which the agent is the last."""

    name = "a small rmsc04 market, 09:30 to 09:45"
    monitor = TradingMonitor

    @classmethod
    def takes(cls, kind: type | None) -> bool:
        """Return whether agents of a class trade; one whose class is not known is taken to."""
        return kind is None or issubclass(kind, TradingAgent)

    def parameters(self) -> dict[str, Any]:
        """Return what there is for the agent's constructor, as far as it takes it."""
        given = {"id": len(self._config()["agents"]), "symbol": SYMBOL, "starting_cash": STARTING_CASH}
        return {**super().parameters(), **given}

    def run(self, make: Make, engine: str = REFERENCE) -> Observed:
        """Run the market once on an engine.

        Raises:
            UnsupportedError: If the engine does not support the agent.
        """
        observed = Observed()
        monitor = self.watched(make, observed)
        if monitor is not None:
            config = config_append_agents(self._config(), [monitor.agent])
            trace = monitor.trace if engine == REFERENCE else None
            end_state = self.attempt(lambda: abides.run(config, engine=engine, trace=trace), observed)
            if end_state is not None:
                history = end_state["agents"][0].order_books[SYMBOL].history
                observed.market = [f"{entry['time']} in the book: {text(entry)}" for entry in history]
        return observed

    def own_findings(self, make: Make, first: Observed) -> list[Finding]:
        """Return what was wrong with the agent's accounts, and whether both engines give the same tape."""
        return [*faults(ACCOUNTING, first, "cash, shares and orders add up"), self._on_the_compiled_engine(make, first)]

    def _on_the_compiled_engine(self, make: Make, first: Observed) -> Finding:
        check, whose = "engines", "the compiled engine"
        if not first.complete:
            return Finding(check, None, "the run on the reference engine did not come to its end")
        try:
            other = self.run(make, engine="compiled")
        except UnsupportedError as error:
            return Finding(check, None, str(error))
        if not other.actions:  # a built-in agent, which lives in that engine and is not seen from here
            other.actions = first.actions
        return compared(check, first, other, whose, "rely on nothing but messages; else report it, with the agent")

    def _config(self) -> dict[str, Any]:
        return rmsc04.build_config(
            seed=1,
            end_time="09:45:00",
            ticker=SYMBOL,
            log_orders=False,
            num_noise_agents=300,
            num_value_agents=20,
            num_momentum_agents=2,
        )
