from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abides_core import abides
from abides_markets.tape import MarketTape
from agents.actions import DECISION
from agents.market import SYMBOL
from agents.market import add_execution_agent
from agents.market import build_market
from agents.market import exchange_of
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from envs.native_markets import NativeMarkets
from experiments import impact as command
from experiments.episode import Episode
from experiments.episode import make_agent
from experiments.impact import do_nothing_twin
from experiments.impact import measure
from experiments.impact import measure_impact
from experiments.impact import path_times
from experiments.run_folder import REPOSITORY
from tests.agents.worlds import SECOND
from tests.agents.worlds import SHORT
from tests.agents.worlds import experiment

SEEDS = range(1_000_000, 1_000_003)


@pytest.fixture(scope="module")
def short() -> Experiment:
    return experiment(order={"quantity": 1_200}, comparison={"validity": {"volume": 0}})


def in_bytes(tape: MarketTape) -> tuple[bytes, bytes]:
    return np.array(tape.trades, dtype=np.int64).tobytes(), np.array(tape.quotes, dtype=np.int64).tobytes()


def run_to_the_close(config: dict[str, Any]) -> tuple[tuple[bytes, bytes], list[dict[str, int]], list[dict[str, Any]]]:
    """Return the tape, the holdings of the background, and the history of the book."""
    book = exchange_of(config).order_books[SYMBOL]
    tape = book.tape = MarketTape(-1)
    abides.run(config, engine="auto")
    background = [agent.holdings for agent in config["agents"][1:] if agent.type != "IdleAgent"]
    return in_bytes(tape), background, exchange_of(config).order_books[SYMBOL].history


@pytest.mark.parametrize("seed", [0, 1_000_000])
def test_the_do_nothing_twin_is_the_market_without_an_execution_agent(seed: int) -> None:
    full = load_experiment("quick")
    without = run_to_the_close(build_market(full.market, seed))
    config = build_market(full.market, seed)
    add_execution_agent(config, make_agent(full, "idle", seed, "buy", len(config["agents"])))
    assert run_to_the_close(config) == without
    twin = do_nothing_twin(full, seed)
    assert twin.recorded_until == twin.end + 15 * 60 * SECOND
    assert in_bytes(twin.tape) == without[0]


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_twin_forked_at_arrival_is_the_twin_run_anew(side: Any) -> None:
    full, seed = load_experiment("quick"), 1_000_001
    markets = NativeMarkets(full, 1)
    markets.start(0, seed, side)
    assert markets.rows["elapsed"][0] == 0, "the fork is taken at arrival"
    fork = markets.stack.fork(leave=True)
    nothing, bought = np.zeros(1, dtype=DECISION), np.zeros(1, dtype=DECISION)
    bought["market"] = 100
    while not fork.finished[0]:
        fork.step(nothing.view(np.int64).reshape(1, -1), ~fork.finished)
        if not markets.finished[0]:  # the market goes on with the order, and the fork knows nothing of it
            markets.step(bought, ~markets.finished)
    found = fork.tape(0)
    anew = Episode(full, "idle", seed, side)
    assert in_bytes(found) == in_bytes(anew.tape)
    assert in_bytes(markets.stack.tape(0))[0] != in_bytes(anew.tape)[0]


def test_a_path_is_the_difference_of_mids_signed_by_the_side(short: Experiment) -> None:
    seed = SEEDS[0]
    found = measure(short, "twap", seed)
    twin = do_nothing_twin(short, seed)
    times = path_times(short)
    assert times[-1] == 3 * 60 * SECOND, "to the close, beyond the window"
    assert [entry["shares"] for entry in found["orders"]] == [150, 300, 600, 1_200, 2_400]
    entry = found["orders"][found["reference"]]
    assert entry["shares"] == short.order.quantity
    for index, (side, sign) in enumerate((("buy", 1), ("sell", -1))):
        run = Episode(short, "twap", seed, side, after=short.market.end_time)
        row = Episode(short, "twap", seed, side).tables()["episodes"].to_pylist()[0]
        path = [sign * (run._mid2_at(run.start + t) - twin._mid2_at(twin.start + t)) for t in times.tolist()]
        assert entry["path2"][index] == path
        assert path[0] == 0, "nothing has been traded at arrival"
        assert entry["drift_cents"][index] == pytest.approx(row["drift_cents"])
        assert entry["participation"][index] == pytest.approx(row["filled"] / row["volume"])
    assert any(entry["path2"][0])


def test_who_does_nothing_has_no_impact(short: Experiment) -> None:
    for entry in measure(short, "idle", SEEDS[1])["orders"]:
        assert not np.any(entry["path2"])
        assert entry["participation"] == [0, 0]


def test_the_summary_is_of_the_seeds_and_goes_on_where_it_stopped(
    short: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: dict[int, Any] = {}

    def once(of: Experiment, strategy: str, seed: int) -> dict[str, Any]:
        assert seed not in measured, "what is there is not measured again"
        measured[seed] = measure(of, strategy, seed)
        return measured[seed]

    monkeypatch.setattr(command, "measure", once)
    measure_impact(short, "twap", SEEDS[:2], tmp_path)
    summary = measure_impact(short, "twap", SEEDS, tmp_path)
    assert summary["n"] == 3
    assert summary["seeds"] == "1000000:1000003"
    parent = summary["sizes"][3]
    found = [measured[seed]["orders"][3] for seed in SEEDS]
    ends = [np.mean([path[12] for path in entry["path2"]]) / 2 for entry in found]
    assert parent["end_cents"]["mean"] == pytest.approx(np.mean(ends))
    assert parent["paid_cents"]["mean"] == pytest.approx(-np.mean([entry["drift_cents"] for entry in found]))
    assert parent["after"]["60"]["mean"] == pytest.approx(
        np.mean([[path[18] for path in entry["path2"]] for entry in found]) / 2
    )
    assert parent["faded"]["60"]["mean"] == pytest.approx(parent["end_cents"]["mean"] - parent["after"]["60"]["mean"])


def test_the_command_writes_summary_table_and_figure(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.impact", "quick", "--out", str(tmp_path), "--workers", "1",
         "--seeds", "1000000:1000002", "--set", *SHORT],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = (tmp_path / "latest").resolve()
    assert {path.name for path in folder.iterdir()} >= {"summary.json", "impact.md", "impact.svg", "impact.png"}
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["power_laws"]["end_cents"]["shares"]["reason"] == "needs more seeds than sizes"
    assert "| 1 200 |" in done.stdout


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"seeds": "1000000:1000001"}, "an interval needs at least two"),
        ({"strategy": "dqn"}, "strategy 'dqn' trades with a policy"),
        ({"strategy": "twop"}, "unknown strategy 'twop'"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
    ],
)
def test_the_command_says_what_it_refuses_before_anything_runs(
    named: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        command.main(command.Args("quick", out=tmp_path / "results", **named))
    assert not (tmp_path / "results").exists()
