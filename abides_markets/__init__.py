"""A simulated equity market: exchange, limit order book, background traders, oracles and market configurations."""
