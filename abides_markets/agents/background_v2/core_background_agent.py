"""The older name of `abides_markets.agents.background.core_background_agent`."""

from abides_markets.agents.background.core_background_agent import CoreBackgroundAgent

__all__ = ["CoreBackgroundAgent"]
