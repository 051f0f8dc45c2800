"""Synthetic records keep the rules of the tables."""

from __future__ import annotations

from analysis.sample import sample_tables
from analysis.schema import RECORD_TABLES
from analysis.schema import validate


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
