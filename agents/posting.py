"""Benchmarks that post limit orders for what an even schedule has due.

Where an order is placed, and when it keeps its place in the queue, is decided by `agents.actions.Placement`.
"""

from __future__ import annotations

from typing import Any
from typing import Literal

from agents.actions import make_actions
from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.parameters import number
from agents.policy import decision_of
from agents.views import View
from configs.models import PlacementActions


class PostingAgent(ExecutionAgent):
    """Keeps one limit order for what the even schedule has due at the end of this interval.

    Args:
        placement: Where it is kept: `at` the own side's best quote or one tick `inside` it.
        arguments: As for `ExecutionAgent`.
    """

    def __init__(self, *arguments: Any, placement: Literal["at", "inside"], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._actions = make_actions(PlacementActions(placements=("hold", placement)))

    def decide(self, view: View) -> Decision:
        """Post what is due."""
        return decision_of(self._actions, 1, view.rows())._replace(action=-1)


class TWAPLimitAgent(PostingAgent):
    """TWAP by limit orders: joins the own side's best quote; what is not filled is left to the end of the window.

    The passive end of the choice that Harris and Hasbrouck (1996), "Market vs. limit orders", measure.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, placement="at", **named)


class InsideSpreadAgent(PostingAgent):
    """TWAP by limit orders one tick inside the spread; with a spread of one tick, at the best quote.

    It buys priority over the queue with a tick (Harris 1998, "Optimal dynamic order submission strategies in some
    stylized trading problems", the liquidity trader's strategy before its deadline).
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, placement="inside", **named)


class PostThenCrossAgent(PostingAgent):
    """Posts the slice at the own side's best quote, and crosses the spread for what lags too far behind.

    Shares that the even schedule had due by now and that exceed the patience are sent as a market order (Nevmyvaka,
    Feng and Kearns 2006, "Reinforcement learning for optimized trade execution", section 3, submit and leave with
    market orders for the rest; here with a deadline for every slice).

    Args:
        patience: How far it may lag, in slices (shares that TWAP trades in one decision interval), at least 0.
        arguments: As for `ExecutionAgent`.
    """

    def __init__(self, *arguments: Any, patience: float = 2.0, **named: Any) -> None:
        self.patience = number("patience", patience, least=0)
        super().__init__(*arguments, placement="at", **named)

    def decide(self, view: View) -> Decision:
        """Post what is due, less what is crossed."""
        posted = super().decide(view)
        lag = view.target(0) - view.filled
        crossed = min(view.left, int(lag - self.patience * view.slice))
        if crossed <= 0:
            return posted
        rest = min(view.left, max(0, view.target() - view.filled)) - crossed
        keeps = view.resting > 0 and not posted.cancel
        price = view.resting_price if keeps else posted.limit_price
        if price < 0:  # no quotes to join
            return Decision(market=crossed)
        if keeps and view.resting <= rest:
            return Decision(market=crossed, limit=rest - view.resting, limit_price=price)
        return Decision(market=crossed, limit=rest, limit_price=price, cancel=view.resting > 0)
