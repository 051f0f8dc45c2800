"""The record tables of a run: columns, types, units and meanings, declared once.

Five tables hold what happened in a run (`RECORD_TABLES`), a sixth (`validity`) says which seeds had a usable market.
They are written and read through `analysis.records`, which checks them against this module.
Times are whole nanoseconds since the epoch, prices whole cents, mids whole half cents (bid + ask), costs cents per
share of the parent order, signed so that positive is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

SCHEMA_VERSION = 2
VERSION_KEY = b"shortfall_schema_version"
SIDES = ("buy", "sell")
EVENTS = ("grid", "trade")
KINDS = ("market", "limit")
STRATEGY_PATTERN = "^[a-z0-9_]+$"


class SchemaError(ValueError):
    """A table that is not what this module declares; its text is one line: table, column, expected, found."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a record table.

    Attributes:
        name: Name of the column.
        type: Arrow type, exactly as written to the file.
        unit: Unit of a value, empty where there is none.
        description: What a value means.
        values: The allowed values, empty where any are.
    """

    name: str
    type: pa.DataType
    unit: str
    description: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One record table: its columns in order and the columns that its rows are sorted by."""

    name: str
    description: str
    columns: tuple[Column, ...]
    sort_by: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with unit and description as metadata of each field and the version as metadata."""
        fields = [
            pa.field(c.name, c.type, nullable=False, metadata={"unit": c.unit, "description": c.description})
            for c in self.columns
        ]
        return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION)})


_STRING = pa.string()
_INT = pa.int64()
_INT32 = pa.int32()
_FLOAT = pa.float64()
_BOOL = pa.bool_()

_RUN = (
    Column("strategy", _STRING, "", "name of the strategy, [a-z0-9_]+"),
    Column("seed", _INT, "", "seed of the market"),
    Column("side", _STRING, "", "side of the parent order", SIDES),
)
_RUN_KEYS = ("strategy", "seed", "side")

_COST = "cents per share of the parent order, positive is better"

EPISODES = TableSpec(
    "episodes",
    "one parent order in one market",
    (
        *_RUN,
        Column("quantity", _INT, "shares", "size Q of the parent order"),
        Column("filled", _INT, "shares", "filled once every child order is confirmed"),
        Column("left", _INT, "shares", "quantity - filled"),
        Column("completion", _FLOAT, "", "filled / quantity"),
        Column("arrival_ns", _INT, "ns", "time of the arrival price"),
        Column("arrival_mid2", _INT, "half cents", "first two-sided mid at or after the start"),
        Column("end_ns", _INT, "ns", "end of the window"),
        Column("end_mid2", _INT, "half cents", "mid at the end of the window"),
        Column("finish_fraction", _FLOAT, "", "time of the last fill / window; 1.0 if incomplete"),
        Column("shortfall_cents", _FLOAT, _COST, "sum of q s (arrival - price) / Q + left s (arrival - end mid) / Q"),
        Column("execution_cents", _FLOAT, _COST, "sum of q s (mid just before the match - price) / Q"),
        Column("drift_cents", _FLOAT, _COST, "sum of q s (arrival - mid just before the match) / Q"),
        Column("opportunity_cents", _FLOAT, _COST, "left s (arrival - mid at the end of the window) / Q"),
        Column(
            "delay_cents",
            _FLOAT,
            _COST,
            "part of execution: sum of q s (mid at the decision - mid just before the match) / Q",
        ),
        Column("two_sided", _FLOAT, "", "share of the window with orders on both sides, this strategy's own market"),
        Column("volume", _INT, "shares", "all shares traded in the market during the window"),
        Column("child_orders", _INT, "", "child orders submitted"),
        Column("fills", _INT, "", "fills of child orders"),
    ),
    _RUN_KEYS,
)

DECISIONS = TableSpec(
    "decisions",
    "what the strategy saw and chose, one row a decision",
    (
        *_RUN,
        Column("decision", _INT32, "", "number of the decision, from 0"),
        Column("time_ns", _INT, "ns", "time of the decision"),
        Column("filled", _INT, "shares", "filled so far"),
        Column("resting", _INT, "shares", "own shares resting in the book"),
        Column("bid", _INT, "cents", "best bid, -1 if there is none"),
        Column("ask", _INT, "cents", "best ask, -1 if there is none"),
        Column("mid2", _INT, "half cents", "last two-sided mid"),
        Column("action", _INT32, "", "number of the action, -1 where the strategy has none"),
        Column("market_quantity", _INT, "shares", "market order sent"),
        Column("limit_quantity", _INT, "shares", "limit order sent"),
        Column("limit_price", _INT, "cents", "price of the limit order, -1 if none"),
        Column("cancel", _BOOL, "", "whether resting orders were cancelled"),
    ),
    (*_RUN_KEYS, "time_ns", "decision"),
)

ORDERS = TableSpec(
    "orders",
    "child orders",
    (
        *_RUN,
        Column("order_id", _INT, "", "id, local to the run"),
        Column("decision", _INT32, "", "decision that sent it"),
        Column("kind", _STRING, "", "kind of order", KINDS),
        Column("quantity", _INT, "shares", "size"),
        Column("limit_price", _INT, "cents", "limit price, -1 for a market order"),
        Column("submitted_ns", _INT, "ns", "sent by the agent"),
        Column("accepted_ns", _INT, "ns", "accepted by the exchange, -1 if never"),
        Column("done_ns", _INT, "ns", "filled or cancelled, -1 while open"),
        Column("filled", _INT, "shares", "filled"),
        Column("cancelled", _INT, "shares", "cancelled"),
        Column("queue_ahead", _INT, "shares", "ahead in the queue on entry, -1 unknown"),
    ),
    (*_RUN_KEYS, "submitted_ns", "order_id"),
)

FILLS = TableSpec(
    "fills",
    "fills of child orders",
    (
        *_RUN,
        Column("fill_id", _INT, "", "id, local to the run"),
        Column("order_id", _INT, "", "child order"),
        Column("decision", _INT32, "", "decision that sent the order"),
        Column("time_ns", _INT, "ns", "match at the exchange"),
        Column("price_cents", _INT, "cents", "price"),
        Column("quantity", _INT, "shares", "size"),
        Column("passive", _BOOL, "", "whether the own order was resting"),
        Column("mid2_before", _INT, "half cents", "mid just before the matching event"),
        Column("mid2_decision", _INT, "half cents", "mid at the decision"),
        Column("arrival_mid2", _INT, "half cents", "arrival price"),
        Column("one_sided", _BOOL, "", "whether a side of the book was empty (the mid is then the last two-sided)"),
    ),
    (*_RUN_KEYS, "time_ns", "fill_id"),
)

MARKET = TableSpec(
    "market",
    "the market around the order, until some minutes after its window: a one-second grid and every trade",
    (
        *_RUN,
        Column("time_ns", _INT, "ns", "time"),
        Column("event", _STRING, "", "row of the grid, or a trade", EVENTS),
        Column("bid", _INT, "cents", "best bid, -1 if there is none"),
        Column("bid_size", _INT, "shares", "size at the best bid"),
        Column("ask", _INT, "cents", "best ask, -1 if there is none"),
        Column("ask_size", _INT, "shares", "size at the best ask"),
        Column("bid_depth", _INT, "shares", "whole visible bid side"),
        Column("ask_depth", _INT, "shares", "whole visible ask side"),
        Column("volume", _INT, "shares", "traded since the start of the window"),
        Column("notional_cents", _INT, "cents", "sum of price x shares since the start of the window"),
        Column("price", _INT, "cents", "price of the trade, -1 on the grid"),
        Column("quantity", _INT, "shares", "size of the trade, 0 on the grid"),
        Column("aggressor", pa.int8(), "", "+1 a buyer took, -1 a seller took, 0 on the grid"),
    ),
    # Volume is cumulative, so it orders trades of one nanosecond as they happened.
    (*_RUN_KEYS, "time_ns", "volume", "event", "price"),
)

VALIDITY = TableSpec(
    "validity",
    "the gate: each seed's do-nothing market, judged once",
    (
        Column("seed", _INT, "", "seed of the market"),
        Column("valid", _BOOL, "", "whether the market passed the gate"),
        Column("reason", _STRING, "", "which thresholds failed, empty if valid"),
        Column("two_sided", _FLOAT, "", "share of the window with orders on both sides"),
        Column("makers_alive", _INT, "", "market makers with a pending wake-up at the end of the window"),
        Column("volume", _INT, "shares", "traded in the window"),
        Column("discarded", _INT, "", "orders that the exchange discarded silently"),
    ),
    ("seed",),
)

RECORD_TABLES = ("episodes", "decisions", "orders", "fills", "market")
TABLES: dict[str, TableSpec] = {t.name: t for t in (EPISODES, DECISIONS, ORDERS, FILLS, MARKET, VALIDITY)}


def table_spec(name: str) -> TableSpec:
    """Return the declaration of a table.

    Raises:
        SchemaError: If no table has that name.
    """
    if name not in TABLES:
        raise SchemaError(f"no record table {name!r}; allowed: {', '.join(TABLES)}")
    return TABLES[name]


def validate(name: str, table: pa.Table) -> None:
    """Check a table against its declaration: columns and their order, types, missing values, allowed values.

    Args:
        name: Name of the record table.
        table: Any Arrow table; its metadata are not looked at, except a schema version if it carries one.

    Raises:
        SchemaError: One line that names the table, the column, what was expected and what was found.
    """
    spec = table_spec(name)
    metadata = table.schema.metadata or {}
    version = metadata.get(VERSION_KEY, str(SCHEMA_VERSION).encode()).decode()
    if version != str(SCHEMA_VERSION):
        raise SchemaError(f"{name}: schema version: expected {SCHEMA_VERSION}, found {version}")
    found = table.column_names
    for position, column in enumerate(spec.columns):
        if column.name not in found:
            raise SchemaError(f"{name}: column {column.name!r}: expected {column.type}, found no such column")
        if found.count(column.name) > 1:
            raise SchemaError(f"{name}: column {column.name!r}: expected once, found {found.count(column.name)} times")
        if found[position] != column.name and found[position] in {c.name for c in spec.columns}:
            raise SchemaError(
                f"{name}: column {position + 1}: expected {column.name!r}, found {found[position]!r} (order of columns)"
            )
        if found[position] != column.name:
            raise SchemaError(f"{name}: column {found[position]!r}: expected no such column, found it")
        _validate_column(name, column, table.column(column.name))
    if len(found) > len(spec.columns):
        raise SchemaError(f"{name}: column {found[len(spec.columns)]!r}: expected no such column, found it")


def _validate_column(name: str, column: Column, data: pa.ChunkedArray) -> None:
    """Check type, missing values and allowed values of one column."""
    if data.type != column.type:
        raise SchemaError(f"{name}: column {column.name!r}: expected {column.type}, found {data.type}")
    if data.null_count:
        raise SchemaError(f"{name}: column {column.name!r}: expected no missing value, found {data.null_count}")
    if column.values:
        wrong = pc.filter(data, pc.invert(pc.is_in(data, value_set=pa.array(column.values))))
        if len(wrong):
            allowed = ", ".join(column.values)
            raise SchemaError(f"{name}: column {column.name!r}: expected one of {allowed}, found {wrong[0].as_py()!r}")
    if column.name == "strategy":
        wrong = pc.filter(data, pc.invert(pc.match_substring_regex(data, STRATEGY_PATTERN)))
        if len(wrong):
            raise SchemaError(f"{name}: column 'strategy': expected [a-z0-9_]+, found {wrong[0].as_py()!r}")


def make_table(name: str, data: pa.Table | pd.DataFrame | Mapping[str, Sequence[Any]]) -> pa.Table:
    """Build a checked table with the declared types and metadata from columns, converting only without loss.

    Args:
        name: Name of the record table.
        data: An Arrow table (checked as it is), or a frame or mapping of columns in any order (converted).

    Returns:
        The table with the declared schema; the order of its rows is unchanged.

    Raises:
        SchemaError: If a column is missing, not declared, or cannot be converted without loss.
    """
    spec = table_spec(name)
    if not isinstance(data, pa.Table):
        data = _converted(spec, data)
    validate(name, data)
    return pa.Table.from_arrays(data.columns, schema=spec.schema)


def _converted(spec: TableSpec, data: pd.DataFrame | Mapping[str, Sequence[Any]]) -> pa.Table:
    arrays = {}
    for column in spec.columns:
        if column.name not in data:
            raise SchemaError(f"{spec.name}: column {column.name!r}: expected {column.type}, found no such column")
        try:
            # from_pandas=False: a cost that is not a number stays one, it is not a missing value.
            arrays[column.name] = pa.array(data[column.name], type=column.type, from_pandas=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise SchemaError(
                f"{spec.name}: column {column.name!r}: expected {column.type}, found {' '.join(str(error).split())}"
            ) from error
    extra = [str(key) for key in data if key not in arrays]
    if extra:
        raise SchemaError(f"{spec.name}: column {extra[0]!r}: expected no such column, found it")
    return pa.table(arrays)


def empty_table(name: str) -> pa.Table:
    """Return the table with no rows."""
    return table_spec(name).schema.empty_table()


def sort_table(name: str, table: pa.Table) -> pa.Table:
    """Sort the rows by the table's key, (strategy, seed, side, time, id); equal keys keep their order."""
    return table.sort_by([(key, "ascending") for key in table_spec(name).sort_by])


def describe_tables() -> str:
    """Return the declared tables as Markdown, as in `docs/records.md`."""
    lines = []
    for spec in TABLES.values():
        lines += [f"## {spec.name}", "", f"{spec.description[0].upper()}{spec.description[1:]}.", ""]
        lines += [f"Sorted by {', '.join(f'`{key}`' for key in spec.sort_by)}.", ""]
        lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
        for c in spec.columns:
            values = f" ({', '.join(f'`{v}`' for v in c.values)})" if c.values else ""
            lines.append(f"| `{c.name}` | {c.type} | {c.unit} | {c.description}{values} |")
        lines.append("")
    return "\n".join(lines)
