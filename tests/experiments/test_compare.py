"""The comparison with made-up episodes: what is evaluated, when, and what is written. Real markets: `test_commands`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import agents
from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from analysis.records import concat_tables
from analysis.records import read_frame
from analysis.records import read_table
from analysis.records import write_table
from analysis.sample import sample_tables
from analysis.schema import RECORD_TABLES
from analysis.schema import sort_table
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from configs.models import released_policy
from experiments import compare
from experiments import evaluation
from experiments.compare import evaluate_all_strategies
from experiments.degeneracy import Check
from experiments.degeneracy import Examination
from experiments.evaluation import DO_NOTHING
from experiments.evaluation import Unit
from experiments.rollouts import Rollout

STRATEGIES = ("twap", "aggressive", "dqn")


@cache
def made_up_episode(strategy: str, seed: int, side: str) -> dict[str, pa.Table]:
    """Records of one episode; what a sample strategy does depends on its place among the names."""
    names = STRATEGIES[: STRATEGIES.index(strategy) + 1]
    tables = sample_tables(names, [seed], sides=[side], window_s=60)
    return {name: table.filter(pc.equal(table["strategy"], strategy)) for name, table in tables.items()}


def made_up_examination(degenerate: bool = False) -> Examination:
    rollout = Rollout(1_000_000, "buy", reward=-1.0, completion=1.0, shortfall_cents=-2.0)
    checks = (
        Check("one action", "hold in 40% of decisions", degenerate),
        Check("blind to the book", "sees none", None),
    )
    return Examination([rollout], most_taken=0, most_taken_share=0.4, book_share=None, checks=checks)


class FakeMarkets:
    """Stands in for `experiments.episode`: made-up records, and a note of everything that was run."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, int, str]] = []
        self.invalid: set[int] = set()
        self.fails: set[tuple[str, int]] = set()
        self.interrupt_after: int | None = None
        self.degenerate = False

    def run_episode(
        self, experiment: Experiment, strategy: str, seed: int, side: str, policy: Path | None = None
    ) -> dict[str, pa.Table]:
        if len(self.ran) == self.interrupt_after:
            raise KeyboardInterrupt
        self.ran.append((strategy, seed, side))
        if (strategy, seed) in self.fails:
            raise ArithmeticError(f"no market for {strategy} on {seed}")
        assert (strategy == "dqn") <= (policy is not None)
        return made_up_episode(strategy, seed, side)

    def run_do_nothing(self, experiment: Experiment, seed: int) -> dict[str, Any]:
        if (DO_NOTHING, seed) in self.fails:
            raise ArithmeticError(f"no market on {seed}")
        self.ran.append((DO_NOTHING, seed, ""))
        bad = seed in self.invalid
        reason = "two_sided 0.41 < 0.95" if bad else ""
        sizes = {"makers_alive": 2, "volume": 60_000, "discarded": 0}
        return {"seed": seed, "valid": not bad, "reason": reason, "two_sided": 0.41 if bad else 1.0, **sizes}


@pytest.fixture
def markets(monkeypatch: pytest.MonkeyPatch) -> FakeMarkets:
    fake = FakeMarkets()
    monkeypatch.setattr(evaluation, "run_episode", fake.run_episode)
    monkeypatch.setattr(evaluation, "run_do_nothing", fake.run_do_nothing)
    monkeypatch.setattr(compare, "check_strategies", lambda *_: None)
    monkeypatch.setattr(compare, "examine", lambda *_: made_up_examination(fake.degenerate))
    # The estimate of the time runs an episode of its own, which is no unit.
    monkeypatch.setattr(compare, "seconds_a_unit", lambda plan: 1.0)
    return fake


@pytest.fixture
def experiment() -> Experiment:
    return load_experiment("quick")


@pytest.fixture
def policy(tmp_path: Path, experiment: Experiment) -> Path:
    return save_policy(tmp_path / "policy.npz", experiment)


def save_policy(path: Path, experiment: Experiment, **metadata: Any) -> Path:
    size = len(experiment.observation.features) * experiment.observation.history
    head = Layer(np.zeros((size, 5), np.float32), np.zeros(5, np.float32))
    known = {"experiment": experiment.model_dump(mode="json"), "training_markets": "0:1000000"}
    NumpyPolicy([], head, metadata=known | metadata).save(path)
    return path


def run_all(experiment: Experiment, policy: Path, folder: Path, seeds: range = range(5, 9), **options: Any) -> dict:
    return evaluate_all_strategies(experiment, STRATEGIES, seeds, policy=policy, folder=folder, **options)


def test_every_strategy_is_run_on_every_seed_and_side_and_nobody_once_a_seed(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path
) -> None:
    run_all(experiment, policy, tmp_path / "run")
    expected = {(name, seed, side) for name in STRATEGIES for seed in range(5, 9) for side in ("buy", "sell")}
    expected |= {(DO_NOTHING, seed, "") for seed in range(5, 9)}
    assert sorted(markets.ran) == sorted(expected)


def test_summary_pairs_every_strategy_with_the_first(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path
) -> None:
    summary = run_all(experiment, policy, tmp_path / "run")
    assert list(summary["strategies"]) == list(STRATEGIES)
    assert list(summary["paired"]) == ["aggressive-twap", "dqn-twap"]
    assert summary["seeds"]["asked"] == "5:9"
    assert summary["sides"] == ["buy", "sell"]
    gate = experiment.comparison.validity.model_dump()
    assert summary["validity"] == {"judged": 4, "valid": 4, "invalid": {}, "gate": gate}
    assert summary["failures"] == []
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == summary
    episodes = read_frame(tmp_path / "run", "episodes").set_index(["strategy", "seed", "side"])["shortfall_cents"]
    by_seed = episodes.groupby(["strategy", "seed"]).mean().unstack("strategy")
    found = summary["paired"]["dqn-twap"]["shortfall_cents"]
    assert found["mean"] == pytest.approx((by_seed["dqn"] - by_seed["twap"]).mean())
    assert found["n"] == 4


def test_tables_are_those_of_all_episodes_sorted(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "ROWS_PER_GROUP", 100)
    run_all(experiment, policy, tmp_path / "run")
    for name in RECORD_TABLES:
        episodes = [
            markets.run_episode(experiment, strategy, seed, side, policy)[name]
            for side in ("sell", "buy")
            for seed in (8, 6, 7, 5)
            for strategy in STRATEGIES
        ]
        found = read_table(tmp_path / "run", name)
        assert found.equals(concat_tables(name, episodes))
        assert found.equals(sort_table(name, found))
    assert pq.ParquetFile(tmp_path / "run" / "market.parquet").num_row_groups > 1


def test_interrupted_run_goes_on_where_it_stopped(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path
) -> None:
    run_all(experiment, policy, tmp_path / "whole")
    markets.ran.clear()
    # The interrupt comes between the two sides of a unit, which is then not finished.
    markets.interrupt_after = 9
    with pytest.raises(KeyboardInterrupt):
        run_all(experiment, policy, tmp_path / "cut")
    half = markets.ran.pop()
    first = list(markets.ran)
    markets.ran.clear()
    markets.interrupt_after = None
    run_all(experiment, policy, tmp_path / "cut")
    assert half in markets.ran
    assert not set(first) & set(markets.ran)
    for name in (*RECORD_TABLES, "validity"):
        file = f"{name}.parquet"
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "cut" / file).read_bytes()


def test_what_a_killed_process_left_half_written_is_not_read(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    run_all(experiment, policy, folder)
    finished = folder / "parts" / "twap" / "6"
    leftover = finished.with_name(".6.123.tmp")
    shutil.move(finished, leftover)
    (leftover / "market.parquet").write_bytes(b"PAR1 cut")
    before = (folder / "market.parquet").read_bytes()
    markets.ran.clear()
    run_all(experiment, policy, folder)
    assert markets.ran == [("twap", 6, "buy"), ("twap", 6, "sell")]
    assert not leftover.exists()
    assert (folder / "market.parquet").read_bytes() == before


def test_a_failing_unit_is_reported_and_the_others_go_on(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path
) -> None:
    markets.fails = {("dqn", 6), (DO_NOTHING, 8)}
    summary = run_all(experiment, policy, tmp_path / "run")
    failures = {(f["strategy"], f["seed"]): f for f in summary["failures"]}
    assert set(failures) == {("dqn", 6), (DO_NOTHING, 8)}
    assert failures["dqn", 6]["error"] == "ArithmeticError: no market for dqn on 6"
    text = (tmp_path / "run" / failures["dqn", 6]["file"]).read_text()
    assert text.startswith("strategy dqn, seed 6\n")
    assert "Traceback" in text
    # A market that could not be judged counts as invalid.
    assert summary["validity"]["invalid"] == {"8": "not judged"}
    assert summary["with_invalid_seeds"]["strategies"]["twap"]["n"] == 4
    assert summary["with_invalid_seeds"]["strategies"]["dqn"]["n"] == 3
    markets.fails = set()
    markets.ran.clear()
    again = run_all(experiment, policy, tmp_path / "run")
    assert sorted(markets.ran) == sorted([("dqn", 6, "buy"), ("dqn", 6, "sell"), (DO_NOTHING, 8, "")])
    assert again["failures"] == []
    assert not (tmp_path / "run" / "failures").exists()


def test_invalid_markets_are_counted_and_named(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    markets.invalid = {7}
    summary = run_all(experiment, policy, tmp_path / "run")
    assert summary["validity"]["invalid"] == {"7": "two_sided 0.41 < 0.95"}
    assert summary["strategies"]["twap"]["n"] == 3
    every = summary["with_invalid_seeds"]["strategies"]["twap"]["shortfall_cents"]
    compare.print_comparison(summary)
    shown = capsys.readouterr().out
    assert "Markets: 3 of 4 valid. The gate asks of each seed's do-nothing market: two-sided at least 95%" in shown
    assert "with every seed" in shown
    assert " ".join(["twap", "4", f"{every['mean']:+.2f}"]).replace("-", "−") in " ".join(shown.split())
    assert "invalid: seed 7: two_sided 0.41 < 0.95" in shown


def test_terminal_table_shows_every_measure(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = run_all(experiment, policy, tmp_path / "run")
    compare.print_comparison(summary)
    shown = capsys.readouterr().out.replace("−", "-")
    for entry in (*summary["strategies"].values(), *summary["paired"].values()):
        for measure in ("shortfall_cents", "execution_cents", "drift_cents"):
            low, high = entry[measure]["ci95"]
            numbers = [f"{entry[measure]['mean']:+.2f}", f"{entry[measure]['sd']:.2f}", f"[{low:+.2f}, {high:+.2f}]"]
            assert " ".join(numbers) in " ".join(shown.split())
    assert "80 % power" in shown


def test_one_side_of_the_configuration_is_run_alone(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path
) -> None:
    order = experiment.order.model_copy(update={"side": "sell"})
    summary = run_all(experiment.model_copy(update={"order": order}), policy, tmp_path / "run")
    assert summary["sides"] == ["sell"]
    assert {side for _, _, side in markets.ran} == {"sell", ""}


def test_seeds_of_the_policys_training_are_said_to_overlap(
    markets: FakeMarkets, experiment: Experiment, tmp_path: Path
) -> None:
    policy = save_policy(tmp_path / "policy.npz", experiment, training_markets="0:7")
    summary = run_all(experiment, policy, tmp_path / "run")
    assert [w for w in summary["warnings"] if "overlap" in w] == [
        "dqn: 2 of 4 seeds overlap the seeds that its policy was trained on."
    ]
    assert summary["policy"]["training_markets"] == "0:7"
    assert not any("overlap" in w for w in run_all(experiment, policy, tmp_path / "b", range(7, 9))["warnings"])


def test_policy_of_the_stand_in_market_is_said_to_be_one(
    markets: FakeMarkets, experiment: Experiment, tmp_path: Path
) -> None:
    policy = save_policy(tmp_path / "policy.npz", experiment, market="stand-in")
    assert any("stand-in market" in w for w in run_all(experiment, policy, tmp_path / "run")["warnings"])
    policy = save_policy(tmp_path / "b.npz", experiment, market="abides")
    assert not any("stand-in market" in w for w in run_all(experiment, policy, tmp_path / "b")["warnings"])


def test_folder_of_another_experiment_is_refused(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path
) -> None:
    run_all(experiment, policy, tmp_path / "run")
    order = experiment.order.model_copy(update={"quantity": 500})
    markets.ran.clear()
    with pytest.raises(ConfigError, match="holds units of another experiment"):
        run_all(experiment.model_copy(update={"order": order}), policy, tmp_path / "run")
    with pytest.raises(ConfigError, match="holds units of another policy"):
        run_all(experiment, save_policy(tmp_path / "b.npz", experiment, training_markets="0:9"), tmp_path / "run")
    assert markets.ran == []


@pytest.mark.parametrize("degenerate", [False, True])
def test_the_report_says_whether_the_policy_has_collapsed(
    degenerate: bool, markets: FakeMarkets, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    markets.degenerate = degenerate
    compare.main(compare.Args("quick", strategies="twap,dqn", policy=policy, seeds="5:7", workers=1, out=tmp_path))
    folder = tmp_path / "latest"
    found = json.loads((folder / "summary.json").read_text())["policy"]
    assert found["strategies"] == ["dqn"]
    assert found["examination"] == made_up_examination(degenerate).as_dict()
    warning = "The policy is degenerate: one action: hold in 40% of decisions."
    assert (warning in capsys.readouterr().out) == degenerate
    html = (folder / "report.html").read_text(encoding="utf-8")
    page = html.split('id="strategy-dqn"')[1].split("</section>")[0]
    assert (warning if degenerate else "The policy is not degenerate.") in page
    assert "hold in 40% of decisions" in page
    assert (warning in html.split("<h2>Results")[0]) == degenerate
    assert "hold in 40% of decisions" not in html.split('id="strategy-twap"')[1].split("</section>")[0]


def test_comparison_keeps_the_policy_that_traded(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path
) -> None:
    run_all(experiment, policy, tmp_path / "run")
    assert (tmp_path / "run" / "policy.npz").read_bytes() == policy.read_bytes()


def test_without_a_folder_nothing_is_left(markets: FakeMarkets, experiment: Experiment) -> None:
    summary = evaluate_all_strategies(experiment, ["twap"], [3, 1])
    assert summary["strategies"]["twap"]["n"] == 2
    assert summary["paired"] == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategies": []}, "no strategies"),
        ({"strategies": ["twap", "random", "twap"]}, "strategy 'twap' is listed twice"),
        ({"seeds": []}, "no seeds"),
        ({"seeds": [3, 4, 3]}, "seeds must not repeat"),
        ({"seeds": range(2**32, 2**32 + 1)}, "seeds must be from 0 to 4294967295"),
        ({"seeds": [-1]}, "seeds must be from 0"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"policy": "missing.npz"}, "no policy 'missing.npz'"),
    ],
)
def test_wrong_arguments_are_named_before_anything_runs(
    markets: FakeMarkets, experiment: Experiment, options: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {"strategies": ["twap"], "seeds": [1], **options}
    with pytest.raises(ConfigError, match=message):
        evaluate_all_strategies(experiment, arguments.pop("strategies"), arguments.pop("seeds"), **arguments)
    assert markets.ran == []


def change(experiment: Experiment, key: str, **values: Any) -> Experiment:
    return experiment.model_copy(update={key: getattr(experiment, key).model_copy(update=values)})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda e: change(e, "observation", features=("inventory", "time")), "other observation: features differ in"),
        (lambda e: change(e, "observation", history=4), "other observation: history 4 there, 1 here"),
        (lambda e: change(e, "actions", corridor=None), "other actions: corridor None there, 0.2 here"),
        (lambda e: load_experiment("paper", {"observation": {}}), "other actions: "),
    ],
)
def test_policy_of_another_configuration_is_refused(
    markets: FakeMarkets,
    experiment: Experiment,
    tmp_path: Path,
    other: Callable[[Experiment], Experiment],
    message: str,
) -> None:
    policy = save_policy(tmp_path / "other.npz", other(experiment))
    with pytest.raises(ConfigError, match=message):
        evaluate_all_strategies(experiment, ["twap", "dqn"], [1], policy=policy)
    assert markets.ran == []


def test_part_is_written_whole_or_not_at_all(
    markets: FakeMarkets, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(folder: Path, name: str, table: pa.Table) -> Path:
        if name == "fills":
            raise OSError("disk full")
        return write_table(folder, name, table)

    monkeypatch.setattr(evaluation, "write_table", failing)
    plan = evaluation.Plan(experiment, ("twap",), [1], ("buy",))
    with pytest.raises(OSError, match="disk full"):
        evaluation.evaluate_unit(plan, tmp_path, Unit("twap", 1))
    assert list((tmp_path / "twap").iterdir()) == []


def test_command_writes_a_finished_run_folder(
    markets: FakeMarkets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = compare.Args("quick", strategies="twap,aggressive", seeds="5:8", workers=1, out=tmp_path)
    compare.main(args)
    latest = tmp_path / "latest"
    assert json.loads((latest / "manifest.json").read_text())["status"] == "finished"
    assert {path.name for path in latest.glob("*.parquet")} == {
        f"{name}.parquet" for name in (*RECORD_TABLES, "validity")
    }
    assert (latest / "report.html").is_file()
    assert list((latest / "figures").iterdir())
    assert f"report: {latest.resolve() / 'report.html'}" in capsys.readouterr().out
    markets.ran.clear()
    first = latest.resolve()
    compare.main(args)
    assert latest.resolve() != first
    assert len(markets.ran) == 15


def test_command_with_a_failing_unit_ends_with_status_1_and_tries_it_again(
    markets: FakeMarkets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    markets.fails = {("aggressive", 6)}
    args = compare.Args("quick", strategies="twap,aggressive", seeds="5:8", workers=1, out=tmp_path)
    with pytest.raises(SystemExit) as stopped:
        compare.main(args)
    assert stopped.value.code == 1
    assert "failed: aggressive, seed 6: ArithmeticError: no market for aggressive on 6" in capsys.readouterr().err
    folder = (tmp_path / "latest").resolve()
    assert (folder / "report.html").is_file()
    markets.fails = set()
    markets.ran.clear()
    compare.main(args)
    assert markets.ran == [("aggressive", 6, "buy"), ("aggressive", 6, "sell")]
    assert (tmp_path / "latest").resolve() == folder


def test_command_warns_of_seeds_of_the_training_before_it_runs(
    markets: FakeMarkets, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare.main(compare.Args("quick", strategies="twap,dqn", policy=policy, seeds="5:7", workers=1, out=tmp_path))
    shown = capsys.readouterr().out
    warning = "warning: 2 of 2 seeds overlap those that the policy was trained on."
    assert 0 <= shown.index(warning) < shown.index("6 units")


def test_the_released_policy_is_compared_when_none_is_given(markets: FakeMarkets, tmp_path: Path) -> None:
    compare.main(compare.Args("tactical", strategies="twap,dqn", seeds="1000000:1000002", workers=1, out=tmp_path))
    assert {name for name, _, _ in markets.ran} == {DO_NOTHING, "twap", "dqn"}
    released = NumpyPolicy.load(released_policy("tactical"))
    assert json.loads((tmp_path / "latest" / "summary.json").read_text())["policy"]["digest"] == released.digest()


def test_the_released_policy_is_not_looked_at_when_nobody_trades_with_it(markets: FakeMarkets, tmp_path: Path) -> None:
    args = compare.Args("tactical", strategies="twap", seeds="1000000:1000002", workers=1, out=tmp_path)
    args.settings = (["actions.corridor=0.2"],)  # with which it could not be used
    compare.main(args)
    assert json.loads((tmp_path / "latest" / "summary.json").read_text())["policy"] is None


def test_a_policy_that_is_not_released_is_named() -> None:
    with pytest.raises(ConfigError, match=r"comparison\.policy.*tactical, tactical_dqn, got 'nonesuch'"):
        load_experiment("quick", {"comparison.policy": "nonesuch"})


def test_a_strategy_whose_code_was_changed_is_not_mixed_in(
    markets: FakeMarkets, experiment: Experiment, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = {"aggressive": "before"}
    monkeypatch.setattr(evaluation, "source_digest", lambda kind: digests.get(kind))
    run_all(experiment, policy, tmp_path / "run")
    run_all(experiment, policy, tmp_path / "run")
    digests["aggressive"] = "after"
    with pytest.raises(ConfigError, match="holds units of 'aggressive' as it was before its code was changed"):
        run_all(experiment, policy, tmp_path / "run")


def test_a_strategy_that_other_processes_do_not_know_is_refused(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(agents.STRATEGIES, "twap", type("Mine", (agents.TWAPAgent,), {}))
    with pytest.raises(ConfigError, match="'twap' is registered in this process alone"):
        evaluate_all_strategies(experiment, ["twap", "random"], range(5, 7), workers=2, folder=tmp_path / "run")
