"""Messages between trading agents and the exchange."""
