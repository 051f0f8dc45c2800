"""The base of agents that deal with money."""

from __future__ import annotations

from typing import Any

from abides_core.agent import Agent
from abides_markets.utils.money import dollarize


class FinancialAgent(Agent):
    """An agent that deals with amounts in cents."""

    def dollarize(self, cents: Any) -> Any:
        """Return whole cents as text in dollars."""
        return dollarize(cents)
