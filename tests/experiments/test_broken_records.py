"""Broken records, through the commands: one line that names the file and the column, and status 2."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analysis import report
from analysis import schema
from experiments import compare
from experiments.console import run_command
from experiments.run_folder import REPOSITORY
from tests.analysis.test_report import make_run

Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run"), seeds=2, invalid=())


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def rewrite(file: Path, change: Change) -> None:
    pq.write_table(change(pq.read_table(file)), file)


def other_version(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata({schema.VERSION_KEY: "1"})


def half_the_shares(table: pa.Table) -> pa.Table:
    position = table.column_names.index("quantity")
    return table.set_column(position, table.field("quantity"), pc.divide(table["quantity"], 2))


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("fills", lambda t: t.drop_columns("passive"), "column 'passive': expected bool, found no such column"),
        ("episodes", lambda t: t.drop_columns("end_ns"), "column 'end_ns': expected int64, found no such column"),
        ("market", other_version, "schema version: expected 2, found 1"),
        ("fills", lambda t: t.slice(0, 0), "column 'quantity': twap, seed 0, buy adds up to 0 shares, the column"),
        ("fills", half_the_shares, "column 'quantity': twap, seed 0, buy adds up to "),
        ("market", lambda t: t.slice(0, 0), "column 'time_ns': no row of twap, seed 0, buy"),
        ("orders", lambda t: t.slice(0, 0), "column 'order_id': 0 is no row of orders.parquet"),
    ],
)
def test_the_report_names_file_and_column(
    run: Path, capsys: pytest.CaptureFixture[str], table: str, change: Change, message: str
) -> None:
    rewrite(run / f"{table}.parquet", change)
    assert report.main([str(run)]) == 2
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    # Where two tables contradict each other, the line begins with the one that lacks something.
    file = run / ("fills.parquet" if table == "orders" else f"{table}.parquet")
    assert line.startswith(f"error: {file}: {message}")
    assert shown.out == ""


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_table_is_named(run: Path, capsys: pytest.CaptureFixture[str], kept: float) -> None:
    file = run / "market.parquet"
    data = file.read_bytes()
    file.write_bytes(data[: int(kept * len(data))])
    assert report.main([str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {file}: cannot be read as Parquet: ")


def test_a_column_whose_data_are_broken_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = run / "fills.parquet"
    column = pq.ParquetFile(file).metadata.row_group(0).column(7)
    assert column.path_in_schema == "price_cents"
    begin = column.dictionary_page_offset or column.data_page_offset
    data = bytearray(file.read_bytes())
    data[begin : begin + column.total_compressed_size] = bytes(column.total_compressed_size)
    file.write_bytes(data)
    assert report.main([str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {file}: column 'price_cents': cannot be read as Parquet: ")


def test_a_broken_summary_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = run / "summary.json"
    summary = json.loads(file.read_text())
    file.write_text(json.dumps(summary | {"schema_version": 1}))
    assert report.main([str(run)]) == 2
    assert capsys.readouterr().err == f"error: {file}: schema version: expected 2, found 1\n"
    file.write_text(json.dumps(summary)[:100])
    assert report.main([str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {file}: cannot be read as JSON: ")


def test_the_command_itself_prints_one_line(run: Path) -> None:
    (run / "fills.parquet").write_bytes(b"PAR1")
    words = [sys.executable, "-m", "analysis.report", str(run)]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(run / "fills.parquet") in done.stderr


SHORT = ("market.end_time=09:33:00", "order.start=09:31:00", "order.window=60s", "order.quantity=600")


def compare_with(out: Path, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Run the command in this process; return its exit status."""
    words = ["quick", "--strategies", "twap", "--seeds", "1000000:1000002", "--workers", "1", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["compare", *words, "--set", *SHORT])
    try:
        run_command(compare.main, compare.Args, "compare", "")
    except SystemExit as stopped:
        return stopped.code
    return 0


def test_a_comparison_that_resumes_over_a_broken_part_says_how_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        # Cut off before the tables are joined.
        patch.setattr(compare, "merge_parts", lambda *_: sys.exit(9))
        with contextlib.suppress(SystemExit):
            compare_with(tmp_path, patch)
    (part,) = tmp_path.glob("*/parts/twap/1000001")
    rewrite(part / "orders.parquet", lambda table: table.drop_columns("kind"))
    capsys.readouterr()
    assert compare_with(tmp_path, monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    expected = f"error: {part / 'orders.parquet'}: column 'kind': expected string, found no such column"
    assert line == f"{expected}; remove the folder {part} and run the same command again"
    shutil.rmtree(part)
    assert compare_with(tmp_path, monkeypatch) == 0


def test_parts_of_another_version_are_not_mixed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(compare, "merge_parts", lambda *_: sys.exit(9))
        with contextlib.suppress(SystemExit):
            compare_with(tmp_path, patch)
    (identity,) = tmp_path.glob("*/parts.json")
    found = json.loads(identity.read_text())
    identity.write_text(json.dumps(found | {"schema_version": 1}))
    capsys.readouterr()
    assert compare_with(tmp_path, monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {identity.parent} holds units of another schema_version (1, now 2)"


def test_a_comparison_in_which_nobody_trades_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["quick", "--strategies", "idle", "--seeds", "1000000:1000002", "--workers", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["compare", *words, "--set", *SHORT, "comparison.validity.volume=0"])
    run_command(compare.main, compare.Args, "compare", "")
    shown = capsys.readouterr().out
    assert "warning: idle: no fill in 4 of 4 episodes (episodes.parquet, column 'filled')" in shown
    assert "idle" in (tmp_path / "latest" / "report.html").read_text()
