"""The execution slot as a configuration names it."""

from __future__ import annotations

from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_markets.agents import TradingAgent
from abides_markets.orders import Side


class ExecutionSlot(TradingAgent):
    """The place of an agent that works a parent order by decisions taken outside of the market.

    It lives in a market's buffer only (`abides_markets.compiled.stack`); neither engine runs it through `abides.run`.

    Args:
        id: Agent id, the last of the market.
        symbol: Traded symbol.
        side: Side of the parent order.
        quantity: Its shares.
        start: Its arrival, ns since midnight.
        window: Length of its window, ns.
        interval: Time between decisions, ns; divides the window.
        sweep: Whether shares unfilled shortly before the end are sent as market orders.
        settlement: Time after the window in which the last confirmations arrive, ns.
    """

    def __init__(
        self,
        id: int,
        symbol: str,
        side: Side,
        quantity: int,
        start: NanosecondTime,
        window: int,
        interval: int,
        sweep: bool,
        settlement: int,
    ) -> None:
        super().__init__(id, random_state=Seed(0), starting_cash=0)
        self.log_events = False
        self.symbol = symbol
        self.side = side
        self.quantity = quantity
        self.start = start
        self.window = window
        self.interval = interval
        self.sweep = sweep
        self.settlement = settlement
