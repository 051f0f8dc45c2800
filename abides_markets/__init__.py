"""A simulated equity market: exchange, limit order book, background traders, oracles and market configurations."""

from __future__ import annotations

from abides_core import check
from abides_core import engines


def _load_compiled_engine() -> engines.Engine:
    from abides_markets.compiled.engine import CompiledEngine  # Numba takes a second to import

    return CompiledEngine()


def _load_market_world() -> type[check.World]:
    from abides_markets.check import MarketWorld

    return MarketWorld


engines.register(engines.COMPILED, _load_compiled_engine)
check.register(_load_market_world)
