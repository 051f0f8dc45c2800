from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from abides_markets.tape import MarketTape
from agents.market import SYMBOL
from agents.market import build_market
from agents.market import exchange_of
from analysis.realism import compare_with_upstream
from experiments import realism as command
from experiments.realism import measure_rmsc04
from experiments.realism import run_flow
from tests.agents.worlds import experiment


def all_equal(seeds: range) -> None:
    comparison = compare_with_upstream({seed: measure_rmsc04(seed) for seed in seeds})
    different = {name: one for name, one in comparison.items() if one["equal"] < one["n"]}
    assert not different


def test_rmsc04_has_the_statistics_of_upstream_to_four_digits() -> None:
    all_equal(range(2))


@pytest.mark.slow
def test_rmsc04_has_them_on_every_seed_that_upstream_was_measured_on() -> None:
    all_equal(range(10))


def test_a_flow_is_what_the_tape_says() -> None:
    short = experiment()
    config = build_market(short.market, 3)
    flow = run_flow(config, short.market.end_time)
    tape = exchange_of(config).order_books[SYMBOL].tape
    assert isinstance(tape, MarketTape)
    times = [quote.time for quote in tape.quotes]
    for row, time in enumerate(flow.times.tolist()):
        at = np.searchsorted(times, time, side="right") - 1
        quote = tape.quotes[at] if at >= 0 else None
        best = (quote.bid, quote.bid_size, quote.ask, quote.ask_size) if quote else (-1, 0, -1, 0)
        found = (flow.prices[row, 0, 0], flow.sizes[row, 0, 0], flow.prices[row, 1, 0], flow.sizes[row, 1, 0])
        assert found == best
    assert flow.trades[:, 2].sum() == sum(trade.quantity for trade in tape.trades)
    executed = flow.messages[flow.messages[:, 1] == 4]
    assert executed[:, 3].tolist() == flow.trades[:, 2].tolist()
    assert (len(flow.times) - 1) == 4 * 60


def test_the_command_writes_summary_tables_and_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (("market.end_time=09:45:00", "order.window=9min"),)
    monkeypatch.setattr(command, "QUICK_UPSTREAM_SEEDS", 1)
    command.main(command.Args("quick", seeds="1000000:1000003", quick=True, workers=1, out=tmp_path, settings=settings))
    folder = (tmp_path / "latest").resolve()
    assert {path.name for path in folder.iterdir()} >= {"summary.json", "realism.md", "realism.svg", "realism.png"}
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["n"] == 3
    assert summary["upstream"]["spread_mean"]["n"] == 1
    assert "return autocorrelation" in capsys.readouterr().out
