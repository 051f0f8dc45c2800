"""Record tables on disk: Parquet, one file a table, checked both ways, written atomically and byte for byte alike."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.files import write_bytes
from analysis.schema import SchemaError
from analysis.schema import make_table
from analysis.schema import sort_table
from analysis.schema import table_spec
from analysis.schema import validate


class RecordsError(ValueError):
    """A record file that is missing, broken or not as declared; its text is one line that names file and column."""


def table_path(folder: Path | str, name: str) -> Path:
    """Return the file of a table in a run folder."""
    return Path(folder) / f"{table_spec(name).name}.parquet"


def write_table(folder: Path | str, name: str, table: pa.Table | pd.DataFrame) -> Path:
    """Check, sort and write a table.

    The same rows give the same bytes: rows are sorted, chunks joined, one row group, one compression, no timestamp.

    Args:
        folder: Run folder; made if missing.
        name: Name of the record table.
        table: Its rows, in any order.

    Returns:
        The file written.

    Raises:
        SchemaError: If the table is not as declared; nothing is written then.
    """
    rows = sort_table(name, make_table(name, table)).combine_chunks()
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        row_group_size=max(1, rows.num_rows),
        compression="zstd",
        compression_level=3,
        version="2.6",
        data_page_version="1.0",
    )
    return write_bytes(table_path(folder, name), sink.getvalue().to_pybytes())


def read_table(
    folder: Path | str,
    name: str,
    *,
    columns: Sequence[str] | None = None,
    filters: Sequence[tuple[str, str, Any]] | None = None,
) -> pa.Table:
    """Read a table and check it.

    Args:
        folder: Run folder.
        name: Name of the record table.
        columns: Only these columns; all by default.
        filters: Only rows that pass all of these, as `(column, operator, value)` in the manner of Parquet filters.

    Raises:
        RecordsError: If the file is missing, cannot be read, or is not as declared (of another schema version, for
            example).
    """
    path = table_path(folder, name)
    if not path.is_file():
        raise RecordsError(f"{path}: no such record table")
    try:
        with pq.ParquetFile(path) as file:
            if columns is None and not filters:
                table = file.read()
                validate(name, table)
                return table
            validate(name, file.schema_arrow.empty_table())
        # The list form of filters: all must hold.
        table = pq.ParquetDataset(path, filters=list(filters) if filters else None).read(
            columns=list(columns) if columns is not None else None
        )
        if columns is None:
            validate(name, table)
    except SchemaError as error:
        raise RecordsError(f"{path}: {str(error).removeprefix(f'{name}: ')}") from error
    except (pa.ArrowInvalid, OSError) as error:
        where = _broken_column(path)
        raise RecordsError(f"{path}: {where}cannot be read as Parquet: {' '.join(str(error).split())}") from error
    return table


def _broken_column(path: Path) -> str:
    """Name the first column of a broken file that cannot be read; nothing if not even the columns' names can."""
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowInvalid, OSError):
        return ""
    for column in names:
        try:
            pq.read_table(path, columns=[column])
        except (pa.ArrowInvalid, OSError):
            return f"column {column!r}: "
    return ""


def read_frame(
    folder: Path | str,
    name: str,
    *,
    columns: Sequence[str] | None = None,
    filters: Sequence[tuple[str, str, Any]] | None = None,
) -> pd.DataFrame:
    """Read a table as a frame; see `read_table`."""
    frame: pd.DataFrame = read_table(folder, name, columns=columns, filters=filters).to_pandas()
    return frame


def concat_tables(name: str, tables: Iterable[pa.Table]) -> pa.Table:
    """Check tables, join them and sort the rows; no tables give an empty one.

    Raises:
        SchemaError: If one of them is not as declared.
    """
    checked = [make_table(name, table) for table in tables]
    joined = pa.concat_tables(checked) if checked else table_spec(name).schema.empty_table()
    return sort_table(name, joined)
