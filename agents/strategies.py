"""Benchmark strategies: each answers in a few lines what to send at a decision."""

from __future__ import annotations

from typing import Any

from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
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
