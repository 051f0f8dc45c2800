"""What a run has left behind, from the buffer into the agents of its configuration.

Holdings, cash, clocks, random streams, the oracle and the makers' and value traders' beliefs are filled in; the book is
replayed from its history when it is first looked at. What the compiled engine does not keep (event logs, executions and
open orders of the built-in agents, …) refuses to be read, rather than look as if nothing had happened.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abides_markets.compiled import layout as at
from abides_markets.compiled.buffer import Buffer
from abides_markets.compiled.buffer import floats
from abides_markets.compiled.random_states import Stored
from abides_markets.compiled.random_states import store
from abides_markets.compiled.translate import DRAWS_NORMALS
from abides_markets.compiled.translate import is_built_in
from abides_markets.order_book import OrderBook
from abides_markets.orders import LimitOrder
from abides_markets.orders import Side
from abides_markets.tape import MarketTape
from abides_markets.tape import Trade

SIDES = (Side.BID, Side.ASK)


class NotKeptError(AttributeError):
    """Something was read that the compiled engine does not keep."""


class NotKept:
    """Stands where the reference engine would have left something; using it raises `NotKeptError`."""

    def _refuse(self, *arguments: Any) -> Any:
        raise NotKeptError(
            "the compiled engine does not keep this (event logs, agents' orders): use engine='reference'"
        )

    __bool__ = __len__ = __iter__ = __getitem__ = __contains__ = __int__ = __float__ = _refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()


NOT_KEPT = NotKept()
_BY_TRADING_AGENTS = (
    "orders",
    "executed_orders",
    "known_bids",
    "known_asks",
    "exchange_ts",
    "daily_close_price",
    "transacted_volume",
    "state",
)
_BY_MOMENTUM_AGENTS = ("_size", "mid_list", "avg_20_list", "avg_50_list", "_observations")
_NOT_KEPT_OF: dict[int, tuple[str, ...]] = {
    at.EXCHANGE: ("data_subscriptions",),
    at.NOISE: (*_BY_TRADING_AGENTS, "_size", "trading"),
    at.VALUE: (*_BY_TRADING_AGENTS, "_size", "trading"),
    at.MOMENTUM: (*_BY_TRADING_AGENTS, *_BY_MOMENTUM_AGENTS),
    at.MAKER: _BY_TRADING_AGENTS,
}


def from_buffer(buffer: Buffer, config: dict[str, Any]) -> None:
    """Leave the built-in agents of a configuration, its book and its oracle as the run has left them.

    Their holdings have been filled in by `CompiledKernel.terminate`, for agents in Python to see.
    """
    agents = config["agents"]
    exchange = agents[0]
    symbol = exchange.symbols[0]
    oracle = config["custom_properties"]["oracle"]
    hours = exchange.mkt_open, exchange.mkt_close
    for agent, row in zip(agents, agent_rows(buffer)[:, _FILLED].tolist(), strict=True):
        if is_built_in(agent):
            _fill_agent(buffer, agent, row, hours, symbol, oracle)
    _fill_oracle(buffer, oracle, symbol)
    closers = int(buffer[at.CLOSERS])
    exchange.market_close_price_subscriptions = buffer[closers : closers + int(buffer[at.CLOSER_COUNT])].tolist()
    tape = exchange.order_books[symbol].tape
    exchange.order_books[symbol] = ReplayedOrderBook(buffer, exchange, symbol, tape)


def agent_rows(buffer: Buffer) -> NDArray[np.int64]:
    """Return the rows of the agents, the columns named `A_` in the layout."""
    first, count = buffer[[at.AGENTS, at.AGENT_COUNT]].tolist()
    return buffer[first : first + count * at.AGENT_WORDS].reshape(count, at.AGENT_WORDS)


def add_results(kernel: Any) -> None:
    """Value the built-in agents at the last trade they know of, as they do themselves at the end of a run."""
    rows = agent_rows(kernel.buffer)
    prices = np.where(rows[:, at.A_KNOWS_TRADE] == 1, rows[:, at.A_LAST_TRADE], 0)
    values = (rows[:, at.A_CASH] + prices * rows[:, at.A_SHARES]).tolist()
    totals, counts = kernel.mean_result_by_agent_type, kernel.agent_count_by_type
    for agent, value in zip(kernel.agents[1:], values[1:], strict=True):
        if is_built_in(agent):
            totals[agent.type] += value - agent.starting_cash
            counts[agent.type] += 1
    if any(agent.log_events and is_built_in(agent) for agent in kernel.agents):
        kernel.summary_log = NOT_KEPT
    kernel.agent_current_times = rows[:, at.A_FREE].tolist()


_FILLED = [
    at.A_KIND,
    at.A_TIME,
    at.A_STREAM,
    at.A_LAST_TRADE,
    at.A_KNOWS_TRADE,
    at.A_HOURS,
    at.A_FIRST_WAKE,
    at.A_CLOSED,
    at.A_BLOCK,
]


def _fill_agent(buffer: Buffer, agent: Any, row: list[int], hours: tuple[int, int], symbol: str, oracle: Any) -> None:
    kind, agent.current_time, stream, last_trade, knows_trade, knows_hours, first_wake, closed, block = row
    state = agent.__dict__
    for name in _NOT_KEPT_OF[kind]:  # one by one: `update` would give each agent a larger dictionary first
        state[name] = NOT_KEPT
    if agent.log_events:
        state["log"] = NOT_KEPT
    if kind == at.EXCHANGE:
        return
    draws_normals = kind in DRAWS_NORMALS
    if isinstance(agent.stream, np.random.RandomState):  # someone else may hold it
        store(buffer, stream, agent.stream, draws_normals)
    else:
        state["stream"] = Stored(buffer, stream, draws_normals)
    state["last_trade"] = {symbol: last_trade} if knows_trade else {}
    state["mkt_open"], state["mkt_close"] = hours if knows_hours else (None, None)
    state["first_wake"] = bool(first_wake)
    state["mkt_closed"] = bool(closed)
    state["exchange_id"] = 0
    if kind == at.VALUE:
        agent.r_t, agent.sigma_t = floats(buffer)[[block + at.V_BELIEF, block + at.V_VARIANCE]].tolist()
        updated = int(buffer[block + at.V_UPDATED])
        agent.prev_wake_time = None if updated == at.NONE else updated
        agent.oracle = oracle
    elif kind == at.MAKER:
        agent.has_subscribed = bool(buffer[block + at.M_SUBSCRIBED])
        agent.buy_order_size, agent.sell_order_size = buffer[[block + at.M_BUY_SIZE, block + at.M_SELL_SIZE]].tolist()
        agent.last_mid = int(buffer[block + at.M_MID]) if buffer[block + at.M_HAS_MID] else None
        if agent.is_adaptive:
            agent.last_spread = float(floats(buffer)[block + at.M_SPREAD])
            agent._follow_spread()


def _fill_oracle(buffer: Buffer, oracle: Any, symbol: str) -> None:
    f = floats(buffer)
    q = int(buffer[at.ORACLE])
    oracle.r[symbol] = int(buffer[q + at.Q_TIME]), int(buffer[q + at.Q_VALUE])
    oracle.f_log = NOT_KEPT
    shock = int(buffer[q + at.Q_SHOCK_TIME])
    oracle.megashocks[symbol] = [
        {"MegashockTime": shock if shock < at.NEVER else math.inf, "MegashockValue": float(f[q + at.Q_SHOCK_VALUE])}
    ]
    store(buffer, int(buffer[q + at.Q_STREAM]), oracle.symbols[symbol]["random_state"], draws_normals=True)
    store(buffer, int(buffer[at.MASTER]), oracle.random_state, draws_normals=False)


def history_rows(buffer: Buffer) -> NDArray[np.int64]:
    """Return the history of the book, the columns named `H_` in the layout."""
    first = int(buffer[at.HISTORY])
    return buffer[first : first + int(buffer[at.HISTORY_COUNT]) * at.HISTORY_WORDS].reshape(-1, at.HISTORY_WORDS)


_TRADE = [
    at.H_TIME,
    at.H_PRICE,
    at.H_QUANTITY,
    at.H_SIDE,
    at.H_AGENT,
    at.H_OPPOSITE_AGENT,
    at.H_ORDER,
    at.H_OPPOSITE_ORDER,
    at.H_MID2,
    at.H_ONE_SIDED,
]
"""Columns of the history in the order of the fields of `Trade`."""
_SIGN = Trade._fields.index("aggressor_sign")


def fill_tape(buffer: Buffer, tape: MarketTape) -> None:
    """Write what the market has noted so far on a tape, in place of what the tape held."""
    rows = history_rows(buffer)
    trades = rows[rows[:, at.H_TYPE] == at.MATCHED][:, _TRADE]
    trades[:, _SIGN] = np.where(trades[:, _SIGN] == at.ASK, 1, -1)  # of the incoming order; noted was the resting one's
    first = int(buffer[at.QUOTES])
    quotes = buffer[first : first + int(buffer[at.QUOTE_COUNT]) * at.QUOTE_WORDS].reshape(-1, at.QUOTE_WORDS)
    tape.replace(trades, quotes.copy())
    watched = rows[(rows[:, at.H_TYPE] == at.ENTERED) & (rows[:, at.H_AGENT] == tape.watched_agent)]
    for row in watched.tolist() if tape.watched_agent is not None else []:
        tape.queue_ahead[row[at.H_ORDER]] = row[at.H_AHEAD]
        tape.accepted[row[at.H_ORDER]] = row[at.H_TIME]
    tape.mid2 = int(buffer[at.MID2])
    tape.one_sided = bool(buffer[at.ONE_SIDED])


class ReplayedOrderBook(OrderBook):
    """The book of a finished run, made from the buffer's history when something of it is first looked at.

    Orders that still rest have the time at which they entered the book as their time of placing.
    """

    def __init__(self, buffer: Buffer, owner: Any, symbol: str, tape: MarketTape | None = None) -> None:
        self.owner = owner
        self.symbol = symbol
        self.switches = owner.switches
        self.last_trade = int(buffer[at.LAST_TRADE])
        self.discarded = int(buffer[at.DISCARDED])
        self.tape = tape
        self._rows = history_rows(buffer).copy()
        self._market_order_time = int(buffer[at.MARKET_ORDER_TIME])

    def __getattr__(self, name: str) -> Any:
        """Replay the history when an attribute is missing that it gives."""
        if name.startswith("__") or "_rows" not in self.__dict__:
            raise AttributeError(name)
        replayed = _replay(self.__dict__.pop("_rows"), self)
        self.__dict__.update({key: value for key, value in replayed.__dict__.items() if key not in self.__dict__})
        return getattr(self, name)


def _replay(rows: NDArray[np.int64], book: ReplayedOrderBook) -> OrderBook:
    clock = SimpleNamespace(
        mkt_open=book.owner.mkt_open,
        current_time=book.owner.mkt_open,
        book_logging=book.owner.book_logging,
        book_log_depth=book.owner.book_log_depth,
        send_message=lambda recipient_id, message: None,
        logEvent=lambda *event: None,
    )
    replayed = OrderBook(clock, book.symbol, book.switches)
    for row in rows.tolist():
        time = clock.current_time = row[at.H_TIME]
        side = row[at.H_SIDE]
        quantity, price = row[at.H_QUANTITY], row[at.H_PRICE]
        if row[at.H_TYPE] == at.MATCHED:
            incoming = LimitOrder(
                row[at.H_OPPOSITE_AGENT], time, book.symbol, quantity, SIDES[1 - side], price,
                order_id=row[at.H_OPPOSITE_ORDER],
            )  # fmt: skip
            replayed.execute_order(incoming)
            continue
        order = LimitOrder(row[at.H_AGENT], time, book.symbol, quantity, SIDES[side], price, order_id=row[at.H_ORDER])
        if row[at.H_TYPE] == at.ENTERED:
            replayed.enter_order(order)
        else:
            replayed.cancel_order(order)
    if book.switches.every_change_updates_timestamp:
        last_entry = int(rows[-1, at.H_TIME]) if len(rows) else 0
        replayed.last_update_ts = max(last_entry, book._market_order_time) or replayed.last_update_ts
    return replayed
