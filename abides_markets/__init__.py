"""A simulated equity market: exchange, limit order book, background traders, oracles and market configurations."""

from __future__ import annotations

from abides_core import engines


def _load_compiled_engine() -> engines.Engine:
    from abides_markets.compiled.engine import CompiledEngine  # Numba takes a second to import

    return CompiledEngine()


engines.register("compiled", _load_compiled_engine)
