"""The stand-in market behind the same interface as the execution market."""

from __future__ import annotations

from agents.execution_agent import Decision
from agents.views import PAST_MIDS
from agents.views import Fill
from agents.views import View
from configs.models import Experiment
from configs.models import Side
from envs.market_simulator import MarketSimulator
from envs.market_simulator import TradeResult

PRE_ROLL = 300_000_000_000
"""Simulated time before the parent order arrives, ns."""
MARKET_ORDER, LIMIT_ORDER = 0, 1


class StandInMarket:
    """A parent order worked in a `MarketSimulator`: no latency, no other agents; for tests and teaching.

    Args:
        experiment: The experiment; of its market only the parent order and the decision interval are used.

    Attributes:
        finished: Whether the parent order has come to its end.
        simulator: The market in progress.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._order = experiment.order
        self._interval = experiment.decision_interval
        self.finished = False
        self.simulator = MarketSimulator(0)

    def start(self, seed: int, side: Side) -> View:
        """Begin the market of a seed and return the first view."""
        self.simulator = MarketSimulator(seed)
        self.simulator.step(PRE_ROLL)
        self.finished = False
        self._side: Side = side
        self._filled = 0
        self._decision = 0
        self._arrival2 = self.simulator.mid2
        self._mids2: list[int] = []
        return self._view((), volume=0)

    def step(self, decision: Decision) -> View:
        """Carry out a decision, let one interval pass, and return the view at its end."""
        fills: list[Fill] = []
        volume = self.simulator.volume
        if decision.cancel:
            self.simulator.cancel_limit()
        self._collect(fills)
        self._trade(decision, fills)
        self.simulator.step(self._interval)
        self._collect(fills)
        self._decision += 1
        if self._decision * self._interval >= self._order.window:
            self._end(fills)
        if self._filled == self._order.quantity:
            self.finished = True
        return self._view(tuple(fills), self.simulator.volume - volume)

    def _trade(self, decision: Decision, fills: list[Fill]) -> None:
        resting = self.simulator.resting
        room = self._order.quantity - self._filled - (resting.left if resting is not None else 0)
        market = min(decision.market, room)
        if market > 0:
            self._add(self.simulator.execute_trade(market, self._side), fills, MARKET_ORDER)
        limit = min(decision.limit, room - market)
        if limit > 0:
            waiting = self.simulator.cancel_limit()  # the stand-in keeps one order: what waits joins the new one
            self._add(self.simulator.place_limit(limit + waiting, decision.limit_price, self._side), fills, LIMIT_ORDER)

    def _end(self, fills: list[Fill]) -> None:
        self.finished = True
        self.simulator.cancel_limit()
        left = self._order.quantity - self._filled
        if self._order.end_rule == "sweep" and left > 0:
            self._add(self.simulator.execute_trade(left, self._side), fills, MARKET_ORDER)

    def _collect(self, fills: list[Fill]) -> None:
        for price, quantity in self.simulator.fills_since():
            self._filled += quantity
            fills.append(Fill(LIMIT_ORDER, price, quantity))

    def _add(self, result: TradeResult, fills: list[Fill], kind: int) -> None:
        for price, quantity in result.fills:
            self._filled += quantity
            fills.append(Fill(kind, price, quantity))

    def _view(self, fills: tuple[Fill, ...], volume: int) -> View:
        simulator = self.simulator
        past = [*reversed(self._mids2[-PAST_MIDS:])]
        past += [past[-1] if past else simulator.mid2] * (PAST_MIDS - len(past))
        self._mids2.append(simulator.mid2)
        resting = simulator.resting
        return View(
            time=simulator.time,
            decision=self._decision,
            elapsed=self._decision * self._interval,
            window=self._order.window,
            interval=self._interval,
            side=1 if self._side == "buy" else -1,
            parent=self._order.quantity,
            filled=self._filled,
            resting=resting.left if resting is not None else 0,
            resting_price=resting.price if resting is not None else -1,
            arrival2=self._arrival2,
            mid2=simulator.mid2,
            last_trade=simulator.last_trade,
            bids=simulator.bids,
            asks=simulator.asks,
            volume=volume,
            mid2_past=tuple(past),
            fills=fills,
        )
