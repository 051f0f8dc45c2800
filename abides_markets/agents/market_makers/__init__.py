"""Market makers."""

from abides_markets.agents.market_makers.adaptive_market_maker_agent import AdaptiveMarketMakerAgent

__all__ = ["AdaptiveMarketMakerAgent"]
