"""Example traders."""

from abides_markets.agents.examples.momentum_agent import MomentumAgent

__all__ = ["MomentumAgent"]
