"""Record files: same rows, same bytes; nothing half-written; clear errors."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from analysis import files
from analysis import records
from analysis import schema
from analysis.sample import sample_tables
from analysis.sample import sample_validity


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return sample_tables(("twap", "passive"), (0, 1), window_s=60)


def test_what_is_written_is_read(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    for name, table in tables.items():
        records.write_table(tmp_path, name, table)
        assert records.read_table(tmp_path, name).equals(table, check_metadata=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"{name}.parquet" for name in tables)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 400), max_size=4))
def test_same_rows_same_bytes(tmp_path: Path, tables: dict[str, pa.Table], seed: int, cuts: list[int]) -> None:
    """Neither the order of the rows nor the chunks they come in change a byte."""
    for name in ("fills", "market"):
        table = tables[name]
        expected = records.write_table(tmp_path / "a", name, table).read_bytes()
        shuffled = table.take(np.random.default_rng(seed).permutation(table.num_rows))
        bounds = [0, *sorted(min(cut, table.num_rows) for cut in cuts), table.num_rows]
        pieces = [shuffled.slice(a, b - a) for a, b in itertools.pairwise(bounds)]
        assert records.write_table(tmp_path / "b", name, pa.concat_tables(pieces)).read_bytes() == expected


def test_one_row_group_and_units_in_the_file(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    path = records.write_table(tmp_path, "episodes", tables["episodes"])
    assert pq.ParquetFile(path).num_row_groups == 1
    field = pq.read_schema(path).field("arrival_mid2")
    assert field.metadata[b"unit"] == b"half cents"


def test_frames_and_the_validity_table_are_written(tmp_path: Path) -> None:
    frame = sample_validity([3, 1, 2], invalid=[2])
    records.write_table(tmp_path, "validity", frame)
    read = records.read_frame(tmp_path, "validity")
    assert read["seed"].tolist() == [1, 2, 3]
    assert read["valid"].tolist() == [True, False, True]


def test_columns_and_filters(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    records.write_table(tmp_path, "fills", tables["fills"])
    some = records.read_table(
        tmp_path, "fills", columns=["seed", "quantity"], filters=[("seed", "=", 1), ("strategy", "=", "twap")]
    )
    assert some.column_names == ["seed", "quantity"]
    assert set(some["seed"].to_pylist()) == {1}
    assert some["quantity"].to_numpy().sum() == 2 * 20_000


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, tables: dict[str, pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = records.write_table(tmp_path, "fills", tables["fills"])
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        records.write_table(tmp_path, "fills", tables["fills"].slice(0, 3))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["fills.parquet"]


def test_errors_name_the_file(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    with pytest.raises(records.RecordsError, match=r"fills\.parquet: no such record table"):
        records.read_table(tmp_path, "fills")
    (tmp_path / "fills.parquet").write_bytes(b"PAR1 half a file")
    with pytest.raises(records.RecordsError, match=r"fills\.parquet: cannot be read as Parquet"):
        records.read_table(tmp_path, "fills")
    old = tables["fills"].replace_schema_metadata({schema.VERSION_KEY: "1"})
    pq.write_table(old, tmp_path / "fills.parquet")
    with pytest.raises(records.RecordsError, match=r"fills\.parquet: schema version: expected 2, found 1"):
        records.read_table(tmp_path, "fills", columns=["seed"])


def test_concat_sorts(tables: dict[str, pa.Table]) -> None:
    fills = tables["fills"]
    joined = records.concat_tables("fills", [fills.slice(40), fills.slice(0, 40)])
    assert joined.equals(fills)
    assert records.concat_tables("fills", []).num_rows == 0


def test_json_is_strict_and_atomic(tmp_path: Path) -> None:
    path = files.write_json(tmp_path / "summary.json", {"a": 1.5})
    with pytest.raises(ValueError, match="Out of range float"):
        files.write_json(path, {"a": float("nan")})
    assert path.read_text() == '{\n  "a": 1.5\n}\n'
