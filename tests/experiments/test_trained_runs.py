"""Trainings of one configuration: grouped, drawn, and judged in the same markets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboardX import SummaryWriter

from agents.actions import make_actions
from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from analysis.files import read_json
from analysis.tables import number
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from experiments import curves
from experiments import validate
from experiments.episode import run_do_nothing
from experiments.episode import run_episode
from experiments.run_folder import RunFolder
from experiments.trained_runs import read_runs

SHORT = {"order.window": "2min", "order.quantity": 1_000, "comparison.validity.volume": 1_000}
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes the folder of a finished training whose policy always takes one action."""

    def make(seed: int, action: int = 2, command: str = "train", **settings: Any) -> Path:
        experiment = load_experiment("quick", {**SHORT, "training.seed": seed, **settings})
        with RunFolder.open(tmp_path, command, experiment, arguments={"market": "abides"}) as run:
            write_policy(run.path, experiment, action)
            with SummaryWriter(str(run.file("tensorboard"))) as writer:
                for step in (0, 500, 1_000):
                    writer.add_scalar("train/reward", seed + step / 1_000, step)
            run.finish()
        return run.path

    return make


def write_policy(folder: Path, experiment: Experiment, action: int) -> None:
    bias = np.zeros(5, dtype=np.float32)
    bias[action] = 1
    size = len(experiment.observation.features)
    NumpyPolicy([], Layer(np.zeros((size, 5), dtype=np.float32), bias)).save(folder / "policy.npz")


def test_runs_that_differ_in_the_seed_alone_belong_together(make: Make) -> None:
    paths = [make(2), make(0), make(1, **{"reward.alpha": 2.0}), make(0, name="other")]
    groups = read_runs(paths)
    assert {title: [run.path for run in runs] for title, runs in groups.items()} == {
        "quick, reward.alpha 1.0": [paths[1], paths[0]],
        "quick, reward.alpha 2.0": [paths[2]],
        "other": [paths[3]],
    }


def test_what_is_no_training_or_twice_the_same_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        read_runs([tmp_path / "nowhere"])
    with pytest.raises(ConfigError, match="not the folder of a training"):
        read_runs([make(0, command="compare")])
    with pytest.raises(ConfigError, match="one seed, 3"):
        read_runs([make(3), make(3)])
    for main, args in ((curves.main, curves.Args(())), (validate.main, validate.Args(()))):
        with pytest.raises(ConfigError, match="give the folders"):
            main(args)


def test_a_curve_is_what_the_training_wrote(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = (make(1), make(4))
    ((title, runs),) = read_runs(paths).items()
    steps, values = curves.read_curve(runs[1], "train/reward")
    assert (steps.tolist(), values.tolist()) == ([0, 500, 1_000], [4.0, 4.5, 5.0])
    with pytest.raises(ConfigError, match="train/nothing"):
        curves.read_curve(runs[0], "train/nothing")
    figure = tmp_path / "figures" / "curves.svg"
    curves.main(curves.Args(paths, figure=figure))
    assert figure.read_text().startswith("<?xml")
    assert f"{title}: 2 trainings, seeds 1, 4" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"curves\.pdf"):
        curves.main(curves.Args(paths, figure=tmp_path / "curves.pdf"))


def test_twap_is_the_agent_of_a_comparison(make: Make) -> None:
    ((run,),) = read_runs([make(0, **{"order.end_rule": "leave"})]).values()
    seeds = range(1_000_000, 1_000_003)
    found = validate.twap(run, 5_000_000_000, seeds)
    experiment = load_experiment("quick", {**SHORT, "decision_interval": "5s"})
    for row, seed in enumerate(seeds):
        for column, side in enumerate(validate.SIDES):
            episode = run_episode(experiment, "twap", seed, side)["episodes"].to_pylist()[0]
            assert found.shortfall[row, column] == pytest.approx(episode["shortfall_cents"], abs=1e-9)
            assert found.completion[row, column] == episode["completion"] == 1


def test_a_result_is_kept_while_the_policy_is_the_same(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ((run,),) = read_runs([make(0)]).values()
    seeds = range(1_000_000, 1_000_002)
    first = validate.validate(run, seeds)
    assert first.shortfall.shape == first.completion.shape == first.used.shape == (2, 2)
    label = make_actions(run.experiment.actions).labels()[2]
    assert f"one action: {label} in 100% of decisions" in first.degenerate
    with monkeypatch.context() as patch:
        patch.setattr(validate, "run_rule", None)
        again = validate.validate(run, seeds)
    np.testing.assert_array_equal(again.shortfall, first.shortfall)
    assert again.degenerate == first.degenerate
    write_policy(run.path, run.experiment, 4)
    faster = validate.validate(run, seeds)
    assert (faster.used < first.used).all()


def test_a_result_of_another_commit_is_measured_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ((run,),) = read_runs([make(0)]).values()
    seeds = range(1_000_000, 1_000_002)
    state = {"commit": "one", "dirty": False}
    monkeypatch.setattr(validate, "git_state", lambda: dict(state))
    first = validate.validate(run, seeds)
    played: list[str] = []
    monkeypatch.setattr(validate, "_play", lambda name, *_: played.append(name) or first)
    validate.validate(run, seeds)
    assert not played
    state["commit"] = "two"
    validate.validate(run, seeds)
    assert played == ["seed 0"]


def test_the_tables_name_the_reference_and_the_median_run(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [make(seed, action) for seed, action in enumerate((1, 2, 3))]
    validate.main(validate.Args(tuple(paths), seeds="1000000:1000003"))
    lines = capsys.readouterr().out.splitlines()
    assert any("Markets: 3 of 3 valid" in line for line in lines)
    assert any("Shortfall (positive is better), 3 markets of 1000000:1000003" in line for line in lines)
    assert sum("quick, seed" in line and "│" in line for line in lines) == 6
    assert sum("Against twap at " in line for line in lines) == 1
    (runs,) = read_runs(paths).values()
    results = [validate.validate(run, range(1_000_000, 1_000_003)) for run in runs]
    means = [float(result.shortfall.mean()) for result in results]
    assert lines[-1] == f"median of quick: {paths[means.index(sorted(means)[1])]}"
    # Of two, the better.
    assert validate.median_of(results[:2]) == means.index(max(means[:2]))


def test_the_tables_come_with_and_without_the_markets_that_fail(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = range(1_000_000, 1_000_004)
    volumes = {seed: run_do_nothing(load_experiment("quick", SHORT), seed)["volume"] for seed in seeds}
    failing = min(seeds, key=lambda seed: volumes[seed])
    path = make(0, **{"comparison.validity.volume": volumes[failing] + 1})
    file = tmp_path / "numbers" / "found.json"
    validate.main(validate.Args((path,), seeds="1000000:1000004", json=file))
    out = capsys.readouterr().out
    assert f"invalid: seed {failing}: volume" in out
    every, passed = out.split("Without them:")
    assert "4 markets of 1000000:1000004" in every.split("With the markets that failed the gate:")[1]
    assert "3 markets of 1000000:1000004" in passed
    ((title, (run,)),) = read_runs([path]).items()
    kept = validate.validate(run, seeds).within(np.array([seed != failing for seed in seeds]))
    assert f"{number(float(kept.shortfall.mean()))} [" in passed
    found = read_json(file)
    name = f"{title}, seed 0"
    assert (found["n"], found["with_invalid_seeds"]["n"], found["medians"]) == (3, 4, {title: name})
    one = found["traders"][name]
    assert one["of_both"]["shortfall_cents"]["mean"] == pytest.approx(kept.shortfall.mean(), abs=1e-12)
    assert one["sides"]["sell"]["completion"] == pytest.approx(kept.completion[:, 1].mean(), abs=1e-12)
    assert set(found["validity"]["invalid"]) == {str(failing)}
    with pytest.raises(ConfigError, match="0 of 4 markets passed the gate"):
        validate.main(validate.Args((make(0, **{"comparison.validity.volume": 10**9}),), seeds="1000000:1000004"))


def test_differences_are_taken_market_by_market() -> None:
    shortfall = np.array([[1.0, 3.0], [2.0, 6.0], [6.0, 4.0]])
    one = validate.Result("one", shortfall, np.ones((3, 2)), np.ones((3, 2)))
    other = replace(one, name="other", shortfall=shortfall - [[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    # What is left is charged with 200 cents a share; the shortfall does not see it.
    half = replace(one, name="half", completion=np.full((3, 2), 0.5))
    found = validate.summarise({"": [other], "policies": [one, half]})
    assert (found["n"], found["reference"], found["medians"]) == (3, "other", {"policies": "policies, one"})
    whole, rest = (found["traders"][f"policies, {name}"] for name in ("one", "half"))
    for measure in ("charged_cents", "shortfall_cents"):
        both = whole["of_both"]["against"]["other"][measure]
        assert (both["mean"], both["sd"]) == (1.0, 0.0)
        for side in validate.SIDES:
            against = whole["sides"][side]["against"]["other"][measure]
            assert (against["mean"], against["sd"]) == (1.0, 1.0)
    assert rest["of_both"]["against"]["other"]["charged_cents"]["mean"] == 1.0 - 100
    assert rest["of_both"]["against"]["other"]["shortfall_cents"]["mean"] == 1.0
    assert (rest["of_both"]["completion"], whole["sides"]["sell"]["shortfall_cents"]["mean"]) == (0.5, 13 / 3)


def test_runs_that_trade_another_order_are_judged_apart(make: Make) -> None:
    paths = (make(0), make(0, **{"order.quantity": 500}))
    with pytest.raises(ConfigError, match=r"order\.quantity 500, .* 1000: judge them apart"):
        validate.main(validate.Args(paths))


def test_runs_of_another_kind_of_market_are_judged_apart(make: Make, tmp_path: Path) -> None:
    other = make(1)
    manifest = read_json(other / "manifest.json")
    manifest["arguments"]["market"] = "stand-in"
    (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"was trained on the (stand-in|abides) market, .*: judge them apart"):
        validate.main(validate.Args((make(0), other)))
