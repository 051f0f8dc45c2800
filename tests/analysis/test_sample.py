"""Synthetic records keep the rules of the tables, and are never taken for a run."""

from __future__ import annotations

from pathlib import Path

from analysis import files
from analysis import records
from analysis.sample import run_or_sample
from analysis.sample import sample_tables
from analysis.schema import RECORD_TABLES
from analysis.schema import validate
from analysis.summary import summarise


def test_valid_repeatable_and_balanced() -> None:
    tables = sample_tables(seeds=(0, 5), window_s=120, left=300)
    assert set(tables) == set(RECORD_TABLES)
    for name, table in tables.items():
        validate(name, table)
    again = sample_tables(seeds=(0, 5), window_s=120, left=300)
    assert all(tables[name].equals(again[name]) for name in tables)
    key = ["strategy", "seed", "side"]
    episodes = tables["episodes"].to_pandas().set_index(key)
    fills = tables["fills"].to_pandas().groupby(key)["quantity"].sum()
    assert (episodes["filled"] == fills).all()
    assert (episodes["filled"] + episodes["left"] == episodes["quantity"]).all()
    market = tables["market"].to_pandas()
    assert (market["bid"] < market["ask"]).all()
    steps = market.groupby(key)["volume"].diff().dropna()
    assert (steps >= 0).all()


def test_without_a_run_the_data_say_that_they_are_made_up(tmp_path: Path) -> None:
    data = run_or_sample(tmp_path / "latest")
    assert data.label.startswith("SYNTHETIC data: latest is no finished run")
    assert set(data.tables["fills"]["strategy"]) == set(data.strategies)


def test_a_run_is_read_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "quick-20260101-000000"
    tables = sample_tables(("twap", "dqn"), (7, 8), window_s=60)
    for name, table in tables.items():
        records.write_table(folder, name, table)
    meta = {"experiment": "quick", "strategies": ["twap", "dqn"], "seeds": "7:9", "commit": "abc"}
    files.write_json(folder / "summary.json", summarise(tables["episodes"].to_pandas(), None, meta))
    (tmp_path / "latest").symlink_to(folder)
    data = run_or_sample(tmp_path / "latest")
    assert data.label.startswith("Data of the run quick-20260101-000000: quick: seeds 7:9 (2 of 2 used), buy and sell")
    assert data.strategies == ("twap", "dqn")
    assert len(data.tables["fills"]) == tables["fills"].num_rows
