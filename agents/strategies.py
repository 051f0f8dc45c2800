"""Benchmark strategies: each answers in a few lines what to send at a decision."""

from __future__ import annotations

from typing import Any

from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.parameters import number
from agents.views import View

PAPER_INTERVAL = 1_000_000_000
"""Decision interval of the paper's baselines, ns."""
PAPER_LOT = 20
"""Lot of the paper's baselines, shares."""


class TWAPAgent(ExecutionAgent):
    """Time-weighted average price: keeps the filled shares on an even schedule by market orders.

    The target is cumulative and in whole shares, so the total is exact and a partial fill is made up for at the next
    decision (Almgren and Chriss 2001, section 2.2: the minimum-impact strategy).
    """

    def decide(self, view: View) -> Decision:
        """Send what the schedule has due at the end of this interval."""
        return Decision(market=max(0, view.target() - view.filled))


class ImmediateAgent(ExecutionAgent):
    """Sends everything that is left at every decision: the other end of the trade-off from TWAP.

    Almgren and Chriss 2001, section 1.5: the minimum-variance strategy. The first market order takes the whole opposite
    side; what it does not find follows as the book fills up again.
    """

    def decide(self, view: View) -> Decision:
        """Send what is left."""
        return Decision(market=view.left)


class POVAgent(ExecutionAgent):
    """Percentage of volume: keeps the filled shares at a fixed part of everything traded since the start.

    With V the shares that others have traded, ρ V / (1 − ρ) are due, so that they are the part ρ of the whole (Cartea,
    Jaimungal and Penalva 2015, "Algorithmic and High-Frequency Trading", section 9.1, for the target). What others do
    decides when the order ends; if they trade too little, the rule at the end of the window takes over.

    Args:
        rate: ρ, between 0 and 1.
        arguments: As for `ExecutionAgent`.
    """

    def __init__(self, *arguments: Any, rate: float = 0.3, **named: Any) -> None:
        self.rate = number("rate", rate, above=0, below=1)
        super().__init__(*arguments, **named)
        self._others = 0

    def decide(self, view: View) -> Decision:
        """Send what the volume of others has made due."""
        if view.decision > 0:  # the volume of the first view is from before the order
            self._others += max(0, view.volume - sum(fill.quantity for fill in view.fills))
        due = min(view.parent, round(self.rate / (1 - self.rate) * self._others))
        return Decision(market=max(0, due - view.filled))


class IdleAgent(ExecutionAgent):
    """Does nothing: the market it leaves behind is the market without it."""

    def decide(self, view: View) -> Decision:
        """Send nothing."""
        return Decision()

    def _sweep(self) -> None:
        """Leave everything at the end of the window as well."""


class _LotAgent(ExecutionAgent):
    """A baseline of arXiv 2411.06389 that trades whole lots.

    Args:
        lot: Shares in a lot.
        arguments: As for `ExecutionAgent`.
    """

    def __init__(self, *arguments: Any, lot: int = PAPER_LOT, **named: Any) -> None:
        if lot <= 0:
            raise ValueError(f"a lot must be positive, got {lot} shares")
        super().__init__(*arguments, **named)
        self.lot = lot


class AggressiveAgent(_LotAgent):
    """Sends two lots at every decision until the parent order is filled."""

    def decide(self, view: View) -> Decision:
        """Send two lots."""
        return Decision(market=2 * self.lot)


class PassiveAgent(_LotAgent):
    """With probability 0.6 does nothing, else sends 1, 2, 3 or 4 lots with equal probability."""

    def decide(self, view: View) -> Decision:
        """Draw the lots to send."""
        if self.random_state.rand() < 0.6:
            return Decision()
        return Decision(market=self.lot * int(self.random_state.randint(1, 5)))


class RandomAgent(_LotAgent):
    """With probability 0.5 does nothing, else sends 0, 1, 2 or 3 lots with equal probability."""

    def decide(self, view: View) -> Decision:
        """Draw the lots to send."""
        if self.random_state.rand() < 0.5:
            return Decision()
        return Decision(market=self.lot * int(self.random_state.randint(0, 4)))
