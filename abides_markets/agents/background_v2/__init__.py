"""The older name of `abides_markets.agents.background`."""
