"""What the market of each regime is like, as the command measures it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.regimes import describe_market
from analysis.regimes import regimes_table
from analysis.regimes import summarise_market
from analysis.tables import MISSING
from configs import ConfigError
from configs import load_experiment
from experiments import in_regimes
from experiments import regimes as command
from experiments.episode import run_do_nothing
from experiments.episode import run_episode

SHORT = {
    "market.end_time": "09:42:00",
    "order.start": "09:35:00",
    "order.window": "2min",
    "order.quantity": 400,
    "comparison.validity.volume": 1,
}
SETTINGS = tuple(f"{key}={value}" for key, value in SHORT.items())


def grid(**columns: list[int]) -> pd.DataFrame:
    known: dict[str, Any] = {
        "event": ["grid"] * 4,
        "time_ns": [0, 1, 2, 3],
        "bid": [100, 102, -1, 104],
        "ask": [102, 106, 107, 110],
        "bid_size": [10, 20, 0, 30],
        "ask_size": [10, 20, 40, 30],
        "bid_depth": [100, 100, 0, 100],
        "ask_depth": [200, 200, 200, 200],
        "volume": [0, 5, 20, 30],
    }
    return pd.DataFrame({**known, **columns})


def test_a_market_is_described_by_the_seconds_of_its_window() -> None:
    expected = {"moved": 6.0, "spread": 4.0, "touch": 20.0, "depth": 137.5, "volume": 600.0}
    assert describe_market(grid(), end=3) == expected
    # Neither what comes after the window nor a trade is a second of it.
    assert describe_market(grid(), end=1) == {
        "moved": 3.0,
        "spread": 3.0,
        "touch": 15.0,
        "depth": 150.0,
        "volume": 300.0,
    }
    later = pd.concat([grid(), grid(time_ns=[1, 2, 3, 3], event=["trade"] * 4)], ignore_index=True)
    assert describe_market(later, end=3) == expected


def test_a_market_without_quotes_has_no_spread_and_leaves_the_others_theirs() -> None:
    nobody = describe_market(grid(bid=[-1] * 4), end=3)
    assert (nobody["moved"], nobody["spread"]) == (None, None)
    found = summarise_market([nobody, *(describe_market(grid(bid=[100, 102, -1, last]), end=3) for last in (104, 108))])
    assert found["spread"]["n"] == 2
    assert found["moved"]["mean"] == 7.0
    assert found["moved_sd"]["mean"] == pytest.approx(np.sqrt(2))
    regime = {"n": 2, **summarise_market([nobody, nobody]), "with_invalid_seeds": None}
    (row,) = regimes_table({"regimes": {"empty": regime}}).rows
    assert row[:5] == ("empty", "2", MISSING, MISSING, MISSING)


def test_the_command_describes_every_regime_on_the_same_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(in_regimes, "regimes", lambda: ["calm", "thin"])
    seeds = range(1_000_000, 1_000_003)
    args = command.Args(seeds="1000000:1000003", out=tmp_path, settings=(SETTINGS,))
    command.main(args)
    folder = (tmp_path / "latest").resolve()
    found = json.loads((folder / "summary.json").read_text())
    assert list(found["regimes"]) == ["calm", "thin"]
    thin = load_experiment("quick", {**SHORT, "market.regime": "thin"})
    markets = [run_episode(thin, "idle", seed, "buy")["market"].to_pandas() for seed in seeds]
    ends = [int(market["time_ns"].iloc[0]) + 120 * 10**9 for market in markets]
    by_hand = [describe_market(market, end) for market, end in zip(markets, ends, strict=True)]
    depths = np.array([one["depth"] for one in by_hand], dtype=np.float64)
    assert found["regimes"]["thin"]["depth"]["mean"] == pytest.approx(depths.mean())
    assert found["regimes"]["thin"]["depth"]["mean"] < found["regimes"]["calm"]["depth"]["mean"]
    shown = capsys.readouterr().out
    assert (folder / "regimes.md").read_text().strip() in shown
    assert "| thin | 3 |" in shown


def test_markets_that_fail_the_gate_are_named_and_the_table_comes_without_and_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(in_regimes, "regimes", lambda: ["thin"])
    thin = load_experiment("quick", {**SHORT, "market.regime": "thin"})
    volumes = {seed: run_do_nothing(thin, seed)["volume"] for seed in range(1_000_000, 1_000_003)}
    failing = min(volumes, key=lambda seed: volumes[seed])
    settings = (*SETTINGS[:-1], f"comparison.validity.volume={volumes[failing] + 1}")
    args = command.Args(seeds="1000000:1000003", out=tmp_path, settings=(settings,))
    command.main(args)
    shown = capsys.readouterr().out
    assert f"invalid: seed {failing}: volume" in shown
    without, every = shown.split("With the markets that failed the gate:")
    assert "| thin | 2 |" in without
    assert "| thin | 3 |" in every
    with pytest.raises(ConfigError, match="an interval needs at least two"):
        command.main(command.Args(seeds="1:2", out=tmp_path))
