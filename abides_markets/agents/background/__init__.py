"""Agents that keep a record of the market for whoever decides."""

from abides_markets.agents.background.core_background_agent import CoreBackgroundAgent

__all__ = ["CoreBackgroundAgent"]
