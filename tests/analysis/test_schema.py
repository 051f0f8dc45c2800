"""The declared tables: what passes, and what the one-line error says where something does not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from analysis import schema
from analysis.sample import sample_tables

DOCS = Path(__file__).resolve().parents[2] / "docs" / "records.md"


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return sample_tables(("twap",), (0,), window_s=60)


def test_every_column_has_a_meaning_and_costs_a_unit() -> None:
    for spec in schema.TABLES.values():
        assert set(spec.sort_by) <= set(spec.schema.names)
        for field in spec.schema:
            assert field.metadata[b"description"]
            if field.name.endswith("_cents"):
                assert b"cents" in field.metadata[b"unit"]


def test_record_tables_begin_with_strategy_seed_side() -> None:
    for name in schema.RECORD_TABLES:
        assert schema.TABLES[name].schema.names[:3] == ["strategy", "seed", "side"]
        assert schema.TABLES[name].sort_by[:3] == ("strategy", "seed", "side")


@pytest.mark.parametrize("name", schema.TABLES)
def test_empty_tables_are_valid(name: str) -> None:
    schema.validate(name, schema.empty_table(name))


def test_make_table_takes_columns_in_any_order(tables: dict[str, pa.Table]) -> None:
    frame = tables["fills"].to_pandas()
    assert schema.make_table("fills", frame[frame.columns[::-1]]).equals(tables["fills"])


def test_not_a_number_is_a_cost_not_a_missing_value(tables: dict[str, pa.Table]) -> None:
    frame = tables["episodes"].to_pandas()
    frame["shortfall_cents"] = float("nan")
    schema.validate("episodes", schema.make_table("episodes", frame))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("side", "long", "fills: column 'side': expected one of buy, sell, found 'long'"),
        ("strategy", "My-TWAP", "fills: column 'strategy': expected [a-z0-9_]+, found 'My-TWAP'"),
        ("quantity", 1.5, "fills: column 'quantity': expected int64, found "),
        ("price_cents", "cheap", "fills: column 'price_cents': expected int64, found "),
    ],
)
def test_wrong_values_are_named(tables: dict[str, pa.Table], column: str, value: object, message: str) -> None:
    frame = tables["fills"].to_pandas()
    frame[column] = value
    with pytest.raises(schema.SchemaError) as caught:
        schema.make_table("fills", frame)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_wrong_shapes_are_named(tables: dict[str, pa.Table]) -> None:
    fills = tables["fills"]
    cases = {
        "fills: column 'passive': expected bool, found no such column": fills.drop_columns("passive"),
        "fills: column 'extra': expected no such column, found it": fills.append_column("extra", fills["seed"]),
        "fills: column 1: expected 'strategy', found 'seed' (order of columns)": fills.select(
            ["seed", "strategy", *fills.column_names[2:]]
        ),
        "fills: column 'decision': expected int32, found int64": fills.set_column(
            5, "decision", fills["decision"].cast(pa.int64())
        ),
        "fills: schema version: expected 2, found 7": fills.replace_schema_metadata({schema.VERSION_KEY: "7"}),
    }
    for message, table in cases.items():
        with pytest.raises(schema.SchemaError) as caught:
            schema.validate("fills", table)
        assert str(caught.value) == message


def test_missing_values_are_named(tables: dict[str, pa.Table]) -> None:
    broken = tables["fills"].to_pylist()
    broken[0]["quantity"] = None
    types = pa.schema([pa.field(f.name, f.type) for f in schema.FILLS.schema])
    with pytest.raises(schema.SchemaError, match="column 'quantity': expected no missing value, found 1"):
        schema.validate("fills", pa.Table.from_pylist(broken, schema=types))


def test_unknown_table_is_refused() -> None:
    with pytest.raises(schema.SchemaError, match="no record table 'trades'; allowed: episodes, decisions"):
        schema.empty_table("trades")


def test_docs_hold_the_declared_tables() -> None:
    assert schema.describe_tables() in DOCS.read_text(encoding="utf-8")
