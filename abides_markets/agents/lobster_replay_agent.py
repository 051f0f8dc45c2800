"""An agent that sends a recorded day to the exchange, event by event, so that the book becomes what it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from abides_core.utils import NanosecondTime
from abides_markets.agents.trading_agent import TradingAgent
from abides_markets.lobster import BUY
from abides_markets.lobster import CANCELLATION
from abides_markets.lobster import DELETION
from abides_markets.lobster import EXECUTION
from abides_markets.lobster import NO_ASK
from abides_markets.lobster import PER_CENT
from abides_markets.lobster import SELL
from abides_markets.lobster import SUBMISSION
from abides_markets.lobster import LobsterMessage
from abides_markets.orders import LimitOrder
from abides_markets.orders import Side

SIDES = {BUY: Side.BID, SELL: Side.ASK}


class LobsterReplayAgent(TradingAgent):
    """Replays the messages of a day in LOBSTER's format, each so that it reaches the exchange at its time.

    Limit orders keep their recorded ids. An execution is replayed as a market order of its size from the other side:
    with price-time priority and nobody else in the market it meets the order that was executed. Other agents may take
    part; what they take or add changes what the replayed orders meet. Hidden executions, cross trades and halts are
    left out: they leave the visible book alone.

    The book before the first message is entered as one order a level at the open. A message about an order that was
    not submitted in the record is taken to be about the one at its price.

    Args:
        id: Agent id.
        symbol: Traded symbol.
        messages: The record.
        midnight: Start of the day, ns since the epoch.
        opening: The book before it, as a line of an order book file; empty by default.
        arguments: As for `TradingAgent`.

    Attributes:
        unexplained: Messages about orders that neither the record nor the opening book has; nothing is sent for them.

    Raises:
        ValueError: If a message that is to be sent has a price that is not in whole cents.
    """

    def __init__(
        self,
        id: int,
        symbol: str,
        messages: Sequence[LobsterMessage],
        midnight: NanosecondTime,
        opening: Sequence[int] = (),
        **arguments: Any,
    ) -> None:
        super().__init__(id, **arguments)
        self.symbol = symbol
        self.unexplained = 0
        self._messages = [message for message in messages if message.kind <= EXECUTION]
        for message in self._messages:
            if message.price % PER_CENT:
                raise ValueError(f"prices must be whole cents, got {message.price} ten-thousandths of a dollar")
        self._midnight = midnight
        self._opening = list(opening)
        self._next = 0
        self._lead = 0
        self._last_id = 0
        self._wakes_at: NanosecondTime = -1
        self._submitted: set[int] = set()
        self._at_opening: dict[tuple[int, int], int] = {}  # ids by direction and price

    def kernel_starting(self, start_time: NanosecondTime) -> None:
        """Find out how long a message takes to the exchange, and ask for the first wake-up."""
        super().kernel_starting(start_time)
        self.set_computation_delay(0)
        kernel = self._kernel()
        model = kernel.agent_latency_model
        if model is not None and model.latency_model != "deterministic":
            raise ValueError("a day is replayed to the nanosecond: it needs a deterministic latency model")
        assert self.exchange_id is not None
        self._lead = int(model.get_latency(self.id, self.exchange_id)) if model is not None else 1
        self._wait(start_time)

    def wakeup(self, current_time: NanosecondTime) -> None:
        """Send what is due."""
        super().wakeup(current_time)
        if self._next == 0 and self._messages and current_time >= self._time_of(0):
            self._send_opening()
        while self._next < len(self._messages) and current_time >= self._time_of(self._next):
            self._send(self._messages[self._next])
            self._next += 1
        self._wait(current_time)

    def _time_of(self, index: int) -> NanosecondTime:
        """Time at which a message is sent."""
        return self._midnight + self._messages[index].time - self._lead

    def _wait(self, now: NanosecondTime) -> None:
        if self._next < len(self._messages) and self._wakes_at <= now:
            self._wakes_at = max(now, self._time_of(self._next))
            self.set_wakeup(self._wakes_at)

    def _new_id(self) -> int:
        """Return an id below zero, where no recorded one is."""
        self._last_id -= 1
        return self._last_id

    def _send_opening(self) -> None:
        for place in range(0, len(self._opening), 4):
            ask, ask_size, bid, bid_size = self._opening[place : place + 4]
            for price, size, direction in ((ask, ask_size, SELL), (bid, bid_size, BUY)):
                if size > 0 and abs(price) < NO_ASK:
                    self._at_opening[direction, price] = order_id = self._new_id()
                    self.place_limit_order(self.symbol, size, SIDES[direction], price // PER_CENT, order_id=order_id)

    def _send(self, message: LobsterMessage) -> None:
        side, price = SIDES[message.direction], message.price // PER_CENT
        if message.kind == SUBMISSION:
            self._submitted.add(message.order_id)
            self.place_limit_order(self.symbol, message.size, side, price, order_id=message.order_id)
        elif message.kind == EXECUTION:
            other = Side.ASK if side is Side.BID else Side.BID
            self.place_market_order(self.symbol, message.size, other, order_id=self._new_id())
        else:
            self._withdraw(message, side, price)

    def _withdraw(self, message: LobsterMessage, side: Side, price: int) -> None:
        order_id: int | None = message.order_id
        is_known = order_id in self._submitted
        if not is_known:
            order_id = self._at_opening.get((message.direction, message.price))
            if order_id is None:
                self.unexplained += 1
                return
        order = LimitOrder(self.id, self.current_time, self.symbol, message.size, side, price, order_id=order_id)
        if message.kind == DELETION and is_known:
            self.cancel_order(order)
        else:
            assert message.kind in (CANCELLATION, DELETION)
            self.partial_cancel_order(order, message.size)
