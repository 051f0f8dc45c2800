"""The exchange and the background traders."""

from abides_markets.agents.examples.momentum_agent import MomentumAgent
from abides_markets.agents.exchange_agent import ExchangeAgent
from abides_markets.agents.financial_agent import FinancialAgent
from abides_markets.agents.lobster_replay_agent import LobsterReplayAgent
from abides_markets.agents.market_makers.adaptive_market_maker_agent import AdaptiveMarketMakerAgent
from abides_markets.agents.noise_agent import NoiseAgent
from abides_markets.agents.recorded_exchange import RecordedExchange
from abides_markets.agents.trading_agent import TradingAgent
from abides_markets.agents.value_agent import ValueAgent

__all__ = [
    "AdaptiveMarketMakerAgent",
    "ExchangeAgent",
    "FinancialAgent",
    "LobsterReplayAgent",
    "MomentumAgent",
    "NoiseAgent",
    "RecordedExchange",
    "TradingAgent",
    "ValueAgent",
]
