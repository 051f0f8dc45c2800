from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from configs.models import ParticipationActions
from configs.models import released_policy
from experiments import explain as command
from experiments.explain import action_maps
from experiments.explain import change_of_action
from experiments.explain import feature_groups
from experiments.explain import ordered
from experiments.explain import value_slice
from experiments.explain import watch
from experiments.side_by_side import observation_names
from tests.agents.worlds import SHORT


@pytest.fixture(scope="module")
def short() -> Experiment:
    return load_experiment("tactical", dict(setting.split("=") for setting in SHORT))


@pytest.fixture(scope="module")
def released() -> NumpyPolicy:
    return NumpyPolicy.load(released_policy("tactical"))


def arguments(out: Path, **named: Any) -> command.Args:
    given: dict[str, Any] = {"seeds": "1000000:1000003", "quick": True, "workers": 1, "run_id": "it", **named}
    return command.Args("tactical", out=out, settings=(SHORT,), **given)


def test_the_command_explains_the_released_policy_and_resumes(
    tmp_path: Path, released: NumpyPolicy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure, measured = command.measure, []

    def stop_at_the_fifth(experiment: Experiment, rules: Any, seed: int) -> dict[str, Any]:
        measured.append((len(rules), seed))
        if len(measured) == 5:
            raise KeyboardInterrupt
        return measure(experiment, rules, seed)

    monkeypatch.setattr(command, "measure", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        command.main(arguments(tmp_path))
    command.main(arguments(tmp_path))
    seeds, shuffled = (
        [1_000_000, 1_000_001, 1_000_002],
        1 + len(feature_groups(observation_names(load_experiment("tactical")))),
    )
    assert measured == [(5, seed) for seed in seeds] + [(shuffled, seed) for seed in [seeds[0], seeds[1], *seeds[1:]]]
    folder = (tmp_path / "latest").resolve()
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        f"{name}.{suffix}" for name in ("maps", "importance", "slices", "trajectories") for suffix in ("svg", "png")
    }
    found = json.loads((folder / "explain.json").read_text(encoding="utf-8"))
    assert (found["policy"], found["seeds"], found["n"]) == (released.digest(), "1000000:1000003", 3)
    assert set(found["rules"]) == {"twap", "policy", "tree", "linear", "mean_path"}
    assert {rule["completion"] for rule in found["rules"].values()} == {1.0}
    assert found["tree"] in (folder / "explain.md").read_text(encoding="utf-8")
    with (folder / "importance.csv").open(encoding="utf-8") as file:
        rows = {row["features"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(found["importance"])
    assert float(rows["spread"]["reward_lost"]) == found["importance"]["spread"]["reward"]["mean"]
    line = NumpyPolicy.load(folder / "linear.npz")
    used = np.flatnonzero(np.abs(line.advantage.weight).sum(axis=1))
    assert {observation_names(load_experiment("tactical"))[column] for column in used} == set(
        found["linear"]["features"]
    )
    assert "| tree |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"seeds": "1000000:1000001"}, "an interval needs at least two"),
        ({"policy": Path("nowhere.npz")}, "no policy 'nowhere.npz'"),
        ({"workers": 0}, "workers must be at least 1"),
    ],
)
def test_the_command_says_what_it_refuses_before_anything_runs(
    named: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        command.main(arguments(tmp_path / "results", **named))
    assert not (tmp_path / "results").exists()


def test_a_configuration_without_a_policy_needs_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no policy: give --policy PATH"):
        command.main(command.Args("quick", out=tmp_path / "results"))


def test_features_are_shuffled_with_their_history_and_in_groups() -> None:
    names = ["time@-1", "spread@-1", "return_1@-1", "time", "spread", "return_1"]
    assert feature_groups(names) == {
        "all of the book": [1, 4],
        "all of the prices": [2, 5],
        "all of the schedule": [0, 3],
        "time": [0, 3],
        "spread": [1, 4],
        "return_1": [2, 5],
    }
    assert list(feature_groups(["resting"])) == ["resting"]


def test_a_network_is_explained_as_a_line_is(short: Experiment) -> None:
    """A hidden layer that looks at the imbalance only: nothing else changes what it does."""
    names = observation_names(short)
    random = np.random.default_rng(0)
    weight = np.zeros((len(names), 8), dtype=np.float32)
    weight[names.index("imbalance_5")] = random.normal(size=8)
    head = Layer(random.normal(size=(8, 13)).astype(np.float32), np.zeros(13, dtype=np.float32))
    policy = NumpyPolicy([Layer(weight, random.normal(size=8).astype(np.float32))], head)
    watched = watch(short, policy, range(3))
    changes = {
        name: change_of_action(short, policy, watched, columns)["changed"]
        for name, columns in feature_groups(names).items()
    }
    assert changes["imbalance_5"] == changes["all of the book"] > 0
    assert {changes[name] for name in changes if name not in ("imbalance_5", "all of the book")} == {0.0}
    found = value_slice(policy, watched.observations, names.index("imbalance_5"), "imbalance_5")
    middle = np.median(watched.observations, axis=0)
    middle[names.index("imbalance_5")] = found["x"][0]
    np.testing.assert_allclose(found["values"][0], policy.q_values(middle[np.newaxis])[0], rtol=1e-5)


def test_what_is_ordered_is_in_multiples_of_the_even_rate(short: Experiment, released: NumpyPolicy) -> None:
    watched = watch(short, released, range(2))
    rates = ordered(short, watched.actions, watched.rows)
    assert isinstance(short.actions, ParticipationActions)
    multipliers = np.array(short.actions.multipliers)[watched.actions]
    free = np.abs(rates - multipliers) < 0.02  # half a share of fifty; the others are held back by the corridor
    assert 0.3 < free.mean() < 1
    assert action_maps(short, watched)[0]["labels"][0] == "minutes since arrival"
