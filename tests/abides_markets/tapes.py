"""Tapes of a market run: the tables of trades, best quotes, final holdings and queue entries, and their digests.

A digest is the first 16 hex digits of the SHA-256 of a table as CSV (header, comma, `\\n`, no index). The tables are
made from the public API alone, the way the recorded tapes of the reference market were.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from abides_core import Message
from abides_core import abides
from abides_markets.agents import TradingAgent
from abides_markets.configs import rmsc04
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.order_book import OrderBook
from abides_markets.orders import Side
from abides_markets.utils import config_add_agents

SYMBOL = "ABM"
SECOND = 1_000_000_000
TRADES = "time_ns,price_cents,quantity,aggressor_sign,passive_agent,aggressor_agent,passive_order_id,aggressor_order_id"
QUOTES = "time_ns,bid,bid_size,ask,ask_size"
FINAL = "agent,type,shares,cash_cents"
ENTRIES = "time_ns,sender,recipient,message,message_id,order_id,side,quantity,limit_price,fill_price"


def digest(header: str, rows: Iterable[tuple[Any, ...]]) -> str:
    """Return the digest of a table."""
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    return hashlib.sha256(("\n".join(lines) + "\n").encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Tape:
    """What a run left behind.

    Attributes:
        events: Entries taken from the queue.
        trades: Rows of `TRADES`.
        quotes: Rows of `QUOTES`, one a snapshot of the book.
        final: Rows of `FINAL`, one an agent but the exchange.
        history: Entries of the book's history by type.
    """

    events: int
    trades: list[tuple[int, ...]]
    quotes: list[tuple[int, ...]]
    final: list[tuple[Any, ...]]
    history: dict[str, int]

    def digests(self) -> tuple[str, str, str]:
        """Return the digests of trades, quotes and final holdings."""
        return digest(TRADES, self.trades), digest(QUOTES, self.quotes), digest(FINAL, self.final)


def tape_of(end_state: dict[str, Any]) -> Tape:
    """Return the tape of a finished run."""
    agents = end_state["agents"]
    book: OrderBook = agents[0].order_books[SYMBOL]
    trades = [
        (
            entry["time"],
            entry["price"],
            entry["quantity"],
            1 if entry["side"] == "SELL" else -1,
            entry["agent_id"],
            entry["oppos_agent_id"],
            entry["order_id"],
            entry["oppos_order_id"],
        )
        for entry in book.history
        if entry["type"] == "EXEC"
    ]
    quotes = [(row["QuoteTime"], *_best(row["bids"]), *_best(row["asks"])) for row in book.book_log2]
    final = [
        (agent.id, agent.__class__.__name__, agent.get_holdings(SYMBOL), agent.get_holdings("CASH"))
        for agent in agents[1:]
    ]
    kernel = agents[0].kernel
    return Tape(kernel.ttl_messages, trades, quotes, final, dict(Counter(entry["type"] for entry in book.history)))


def _best(levels: Any) -> tuple[int, int]:
    return (int(levels[0][0]), int(levels[0][1])) if len(levels) else (-1, 0)


def run_tape(seed: int, end_time: str = "10:00:00", **parameters: Any) -> Tape:
    """Build rmsc04, run it and return its tape."""
    return tape_of(abides.run(rmsc04.build_config(seed=seed, end_time=end_time, **parameters)))


def with_scripted_agent(config: dict[str, Any]) -> dict[str, Any]:
    """Add the scripted trader to a configuration."""
    scripted = ScriptedAgent(
        id=len(config["agents"]),
        name="SCRIPTED",
        type="ScriptedAgent",
        random_state=np.random.RandomState(7),
        starting_cash=10_000_000,
        log_orders=False,
    )
    return config_add_agents(config, [scripted])


class EntryRecorder:
    """A trace that keeps a row of `ENTRIES` for every entry taken from the queue, an order's fields read then."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def __call__(self, time: int, sender: int, recipient: int, message: Message) -> None:
        order = getattr(message, "order", None) or getattr(message, "old_order", None)
        if order is None:
            fields: tuple[Any, ...] = (-1, "", -1, -1, -1)
        else:
            fill_price = -1 if order.fill_price is None else order.fill_price
            fields = (order.order_id, order.side.name, order.quantity, getattr(order, "limit_price", -1), fill_price)
        self.rows.append((time, sender, recipient, message.type(), message.message_id, *fields))


class ScriptedAgent(TradingAgent):
    """Once a second for ten minutes from five after the open: asks for the quotes, then does one thing of a cycle."""

    FIRST = 300 * SECOND
    ACTIONS = 600

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.action = -1

    def get_wake_frequency(self) -> int:
        return SECOND

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        if self.mkt_open is None:
            return
        first = self.mkt_open + self.FIRST
        if current_time < first:
            self.set_wakeup(first)
        elif self.action < self.ACTIONS:
            self.action += 1
            self.set_wakeup(current_time + SECOND)
            self.get_current_spread(SYMBOL, depth=5)

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        if not isinstance(message, QuerySpreadResponseMsg):
            return
        bid, _, ask, _ = self.get_known_bid_ask(SYMBOL)
        kind = self.action % 8
        if kind in (0, 3):
            self.place_market_order(SYMBOL, 20 + 7 * (self.action % 5), Side.BID)
        elif kind == 1 and bid is not None:
            self.place_limit_order(SYMBOL, 30, Side.BID, bid)
        elif kind == 2 and ask is not None:
            self.place_limit_order(SYMBOL, 15, Side.ASK, ask + 1)
        elif kind == 4 and bid is not None and ask is not None:
            self.place_limit_order(SYMBOL, 40, Side.BID, (bid + ask) // 2)
        elif kind == 5:
            self.cancel_all_orders()
        elif kind == 6 and ask is not None:
            self.place_limit_order(SYMBOL, 25, Side.BID, ask)
        elif kind == 7 and self.orders:
            self.cancel_order(next(iter(self.orders.values())))
