"""The whole state of a market that is under way: an independent copy, and bytes from which another process goes on.

A snapshot is a magic line, a line of JSON (format, digests, and what is kept in Python) and the words of the buffer
that are in use, little-endian. Nothing in it is executed when it is read.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from typing import Any

import numpy as np

from abides_core.engines import UnsupportedError
from abides_core.streams import Seed
from abides_core.streams import random_state
from abides_markets.compiled import layout as at
from abides_markets.compiled.buffer import GROWING
from abides_markets.compiled.buffer import Buffer
from abides_markets.compiled.buffer import segments
from abides_markets.compiled.buffer import zeros
from abides_markets.compiled.results import agent_rows
from abides_markets.compiled.streams import POSITION
from abides_markets.compiled.streams import SEED
from abides_markets.compiled.translate import is_built_in
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side

MAGIC = b"shortfall market\n"
FORMAT = 1
SIDES = (Side.BID, Side.ASK)
ORDERS: dict[str, Any] = {kind.__name__: kind for kind in (LimitOrder, MarketOrder)}
MARK = "__kind__"
"""Key of the dictionaries that stand for bytes and arrays in a state written as JSON."""

_CONSTANT_HEADER = [
    at.OPEN,
    at.CLOSE,
    at.AGENT_COUNT,
    at.FIXED_END,
    at.COMPUTATION_DELAY,
    at.PIPELINE_DELAY,
    at.MAKERS_REQUOTE,
    at.REPORT_UNFILLED,
    at.MARKET_ORDERS_UPDATE,
]
_CONSTANT_COLUMNS = [
    at.A_KIND,
    at.A_TO_EXCHANGE,
    at.A_FROM_EXCHANGE,
    at.A_STREAM,
    at.A_BLOCK,
    at.A_SIZE,
    at.A_SIZE_MODEL,
]
_CONSTANT_OF_BLOCKS = {
    at.NOISE: range(at.N_WAKE, at.N_WAKE + 1),
    at.VALUE: range(at.V_SIGMA_N, at.V_DEPTH + 1),
    at.MOMENTUM: range(at.P_PERIOD, at.P_POISSON + 1),
    at.MAKER: range(at.M_ANCHOR, at.M_THRESHOLD + 1),
}


class SnapshotError(ValueError):
    """Bytes that are no snapshot, or none of this market."""


def to_bytes(buffer: Buffer, config: dict[str, Any], state: dict[str, Any]) -> bytes:
    """Return a snapshot of a buffer and of what is kept in Python (`plain`)."""
    words = b"".join(buffer[start:end].astype("<i8").tobytes() for start, end in segments(buffer))
    head = {
        "format": FORMAT,
        "layout": layout_digest(),
        "market": market_digest(buffer, config),
        "words": len(buffer),
        "fixed": int(buffer[at.FIXED_END]),
        "sha256": hashlib.sha256(words).hexdigest(),
        "state": state,
    }
    return MAGIC + json.dumps(head).encode() + b"\n" + words


def from_bytes(data: bytes, fresh: Buffer, config: dict[str, Any]) -> tuple[Buffer, dict[str, Any]]:
    """Return the buffer and the state of a snapshot.

    Args:
        data: The snapshot.
        fresh: The buffer of the same market before its first event.
        config: Its configuration.

    Raises:
        SnapshotError: If it is none, is damaged, or is of another format, version of the engine, or market.
    """
    if not data.startswith(MAGIC):
        raise SnapshotError(f"not a snapshot of a market: it begins with {data[: len(MAGIC)]!r}")
    line, _, body = data[len(MAGIC) :].partition(b"\n")
    try:
        head = json.loads(line)
        form = head["format"]
    except (ValueError, TypeError, KeyError):
        raise SnapshotError("a damaged snapshot: its second line is not its description") from None
    if form != FORMAT:
        raise SnapshotError(f"a snapshot of format {form!r}: this version reads {FORMAT}")
    if head["layout"] != layout_digest():
        raise SnapshotError(f"a snapshot of another version of the engine: {head['layout']}, this is {layout_digest()}")
    if hashlib.sha256(body).hexdigest() != head["sha256"]:
        raise SnapshotError(f"a damaged snapshot: its {len(body)} bytes of words are not those that were written")
    if head["market"] != market_digest(fresh, config):
        raise SnapshotError("a snapshot of another market: give the configuration that it was made from, built afresh")
    words = np.frombuffer(body, dtype="<i8")
    buffer = zeros(head["words"])
    buffer[: head["fixed"]] = words[: head["fixed"]]
    read = 0
    for start, end in segments(buffer):  # the first is what says where the others lie
        buffer[start:end] = words[read : read + end - start]
        read += end - start
    return buffer, head["state"]


def layout_digest() -> str:
    """Return a digest of where everything lies in a buffer."""
    named = sorted((name, value) for name, value in vars(at).items() if name.isupper())
    return hashlib.sha256(repr((named, GROWING)).encode()).hexdigest()[:16]


def market_digest(buffer: Buffer, config: dict[str, Any]) -> str:
    """Return a digest of what stays the same in a market: populations, parameters, places, seeds kept as such."""
    rows = agent_rows(buffer)
    digest = hashlib.sha256(buffer[_CONSTANT_HEADER].tobytes())
    digest.update(rows[:, _CONSTANT_COLUMNS].tobytes())
    for kind, constant in _CONSTANT_OF_BLOCKS.items():
        blocks = rows[rows[:, at.A_KIND] == kind, at.A_BLOCK]
        digest.update(buffer[blocks[:, None] + np.array(constant)].tobytes())
    streams = rows[rows[:, at.A_KIND] == at.NOISE, at.A_STREAM]
    digest.update(buffer[streams[buffer[streams + POSITION] < 0] + SEED].tobytes())
    oracle = int(buffer[at.ORACLE])
    digest.update(buffer[[*range(oracle + at.Q_MEAN, oracle + at.Q_SHOCK_SD + 1), oracle + at.Q_CLOSE]].tobytes())
    names = [(agent.id, type(agent).__qualname__) for agent in config["agents"] if not is_built_in(agent)]
    digest.update(repr((config["start_time"], config["agents"][0].symbols, names)).encode())
    return digest.hexdigest()[:16]


# What is kept in Python


def plain(value: Any, of: str) -> Any:
    """Return a state as what JSON can say.

    Args:
        value: None, booleans, numbers, text, bytes, arrays of numbers, and lists and dictionaries (with text as keys)
            of these. Tuples come back as lists.
        of: Whose state it is, for the error.

    Raises:
        TypeError: If there is anything else in it.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | tuple):
        return [plain(part, of) for part in value]
    if isinstance(value, dict) and all(type(key) is str and key != MARK for key in value):
        return {key: plain(part, of) for key, part in value.items()}
    if isinstance(value, bytes):
        return {MARK: "bytes", "data": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {MARK: "array", "dtype": value.dtype.str, "shape": list(value.shape), "data": data}
    raise TypeError(
        f"the state of {of} holds {value!r}, a {type(value).__name__}: it is to be made of None, bool, int, float, str,"
        " bytes, arrays of numbers, and lists and dictionaries (with keys of text) of these"
    )


def unplain(value: Any) -> Any:
    """Return what `plain` was given, in objects of its own."""
    if isinstance(value, list):
        return [unplain(part) for part in value]
    if not isinstance(value, dict):
        return value
    if MARK not in value:
        return {key: unplain(part) for key, part in value.items()}
    data = base64.b64decode(value["data"])
    if value[MARK] == "bytes":
        return data
    return np.frombuffer(data, dtype=value["dtype"]).reshape(value["shape"]).copy()


def order_to_plain(order: Order) -> list[Any]:
    """Return an order's class and fields."""
    fields = [getattr(order, name) for name in order._fields]
    fields[order._fields.index("side")] = SIDES.index(order.side)
    return [type(order).__name__, *(plain(field, f"order {order.order_id}") for field in fields)]


def order_from_plain(written: list[Any]) -> Order:
    """Return the order."""
    kind, *fields = written
    order: Order = ORDERS[kind].__new__(ORDERS[kind])
    for name, field in zip(order._fields, unplain(fields), strict=True):
        setattr(order, name, SIDES[field] if name == "side" else field)
    return order


def agent_to_plain(agent: Any) -> dict[str, Any]:
    """Return the state of an agent in Python: its clock, its stream, and what it says itself.

    Raises:
        UnsupportedError: If it says nothing.
    """
    name = f"agent {agent.id} ({type(agent).__name__})"
    if not (hasattr(agent, "get_state") and hasattr(agent, "set_state")):
        raise UnsupportedError(
            f"a market with {name} cannot be forked or kept: the agent has no get_state and set_state"
        )
    stream: Any = agent.stream
    if not isinstance(stream, Seed):
        stream = agent.random_state.get_state(legacy=False)
    return {
        "id": agent.id,
        "time": agent.current_time,
        "stream": plain(int(stream) if isinstance(stream, Seed) else stream, name),
        "state": plain(agent.get_state(), name),
    }


def agent_from_plain(agent: Any, written: dict[str, Any]) -> None:
    """Give an agent that is as it was built the state of another one."""
    stream = unplain(written["stream"])
    if isinstance(stream, int):
        agent.stream = Seed(stream)
    else:
        agent.stream = random_state(0)
        agent.stream.set_state(stream)
    agent.current_time = written["time"]
    agent.set_state(unplain(written["state"]))


# Objects of a fork


def copied_exchange(exchange: Any) -> Any:
    """Return an exchange with a book and a tape of its own; the market lies in the buffer."""
    twin = copy.copy(exchange)
    twin.order_books = {symbol: copy.copy(book) for symbol, book in exchange.order_books.items()}
    for book in twin.order_books.values():
        book.owner = twin
        if book.tape is not None:
            book.tape = book.tape.copy()
    return twin


def copied_trader(agent: Any, kernel: Any) -> Any:
    """Return a built-in agent of a fork, to be filled in from its buffer."""
    twin = copy.copy(agent)
    twin.kernel = kernel
    twin.stream = Seed(0)  # the buffer has it: a stream that is there would be written to, and it is another market's
    return twin


def copied_oracle(oracle: Any) -> Any:
    """Return an oracle to be filled in from a fork's buffer."""
    twin = copy.copy(oracle)
    twin.random_state = random_state(0)
    twin.symbols = {
        symbol: {**parameters, "random_state": random_state(0)} for symbol, parameters in oracle.symbols.items()
    }
    twin.r, twin.megashocks = dict(oracle.r), dict(oracle.megashocks)
    return twin
