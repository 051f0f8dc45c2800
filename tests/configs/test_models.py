from __future__ import annotations

import inspect
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from abides_markets.configs.rmsc04 import build_config
from agents.actions import make_actions
from agents.features import FEATURES
from configs import CONFIG_DIR
from configs import ConfigError
from configs import experiment_from
from configs import load_experiment
from configs import load_seed_ranges
from configs import models
from configs import parse_seeds
from configs.models import SECOND
from configs.models import Experiment
from configs.models import LotActions
from configs.models import SeedRanges

SHIPPED = sorted(path.stem for path in CONFIG_DIR.glob("*.yaml") if path.stem != "seeds")


def error_of(content: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        experiment_from({"name": "mine", **content}, "mine.yaml")
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("mine.yaml: ")
    return text.removeprefix("mine.yaml: ")


# What is shipped


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_experiment_loads_and_is_named_after_its_file(name: str) -> None:
    experiment = load_experiment(name)
    assert experiment.name == name
    assert set(experiment.observation.features) <= set(FEATURES)
    assert make_actions(experiment.actions).n >= 2
    assert experiment.comparison.seeds is not None
    validation = parse_seeds(load_seed_ranges().validation)
    assert set(parse_seeds(experiment.comparison.seeds)) <= set(validation)


def test_the_shipped_experiments_are_the_ones_the_issue_names() -> None:
    assert {"quick", "paper"} <= set(SHIPPED)
    quick, paper = load_experiment("quick"), load_experiment("paper")
    assert quick.decision_interval == 10 * SECOND
    assert quick.order.quantity == paper.order.quantity == 20_000
    assert quick.order.window == paper.order.window == 1_800 * SECOND
    assert paper.decision_interval == SECOND
    assert paper.actions == LotActions(lot=20, largest=4)
    assert paper.observation.history == 4
    assert paper.training.hidden == (50, 20)
    for experiment in (quick, paper):
        assert models._clock(experiment.market.end_time) == "10:20:00"
        assert models._clock(experiment.order.start) == "09:35:00"
        assert experiment.market.switches == {}


def test_seed_ranges_do_not_overlap() -> None:
    ranges = [parse_seeds(text) for text in load_seed_ranges().model_dump().values()]
    for one, other in itertools.pairwise(ranges):
        assert one.stop <= other.start
    assert [r.start for r in ranges] == [0, 1_000_000, 1_100_000, 2_000_000]
    assert ranges[-1].stop <= 2**32


# Misspelt keys


@pytest.mark.parametrize(
    ("content", "key", "some_allowed"),
    [
        ({"ordr": {}}, "ordr", ["order", "market", "training"]),
        ({"market": {"endtime": "10:00:00"}}, "market.endtime", ["end_time", "params", "switches"]),
        ({"order": {"quantty": 3}}, "order.quantty", ["quantity", "side", "window"]),
        ({"observation": {"feature": []}}, "observation.feature", ["features", "history"]),
        ({"actions": {"kind": "lots", "lots": 3}}, "actions.lots", ["kind", "lot", "largest"]),
        ({"actions": {"kind": "participation", "lot": 3}}, "actions.lot", ["corridor", "multipliers"]),
        ({"actions": {"kind": "placement", "place": []}}, "actions.place", ["placements", "slices"]),
        ({"reward": {"aplha": 1}}, "reward.aplha", ["alpha", "beta", "depth", "price_unit"]),
        ({"training": {"step": 3}}, "training.step", ["steps", "gamma"]),
        ({"sweep": {"params": {}}}, "sweep.params", ["parameters", "concurrent"]),
        ({"comparison": {"seed": "0:1"}}, "comparison.seed", ["seeds", "workers"]),
        ({"comparison": {"validity": {"twosided": 1}}}, "comparison.validity.twosided", ["two_sided", "volume"]),
        ({"strategies": {"mine": {"kind": "twap", "intervall": 1}}}, "strategies.mine.intervall", ["interval"]),
        ({"strategies": {"lots": {"kind": "twap", "intervall": 1}}}, "strategies.lots.intervall", ["interval"]),
    ],
)
def test_a_misspelt_key_is_named_with_the_allowed_ones(
    content: dict[str, Any], key: str, some_allowed: list[str]
) -> None:
    message = error_of(content)
    assert message.startswith(f"unknown key {key!r}; allowed: ")
    allowed = message.split("allowed: ")[1].split(", ")
    assert set(some_allowed) <= set(allowed)
    assert key.split(".")[-1] not in allowed


def test_a_misspelt_key_is_named_before_the_one_it_leaves_missing() -> None:
    with pytest.raises(ConfigError, match="unknown key 'nam'"):
        experiment_from({"nam": "mine"})


def test_a_misspelt_switch_or_parameter_is_named_with_the_allowed_ones() -> None:
    assert "unknown switch 'requote'; allowed: makers_requote, " in error_of(
        {"market": {"switches": {"requote": True}}}
    )
    message = error_of({"market": {"params": {"num_noise": 3}}})
    assert "unknown parameter 'num_noise'" in message
    assert "num_noise_agents" in message
    assert "'seed'" not in message
    assert "unknown parameter 'seed'" in error_of({"market": {"params": {"seed": 3}}})


# Wrong values


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ({"order": {"quantity": -5}}, ["order.quantity", "greater than 0", "-5"]),
        ({"order": {"quantity": 0}}, ["order.quantity", "greater than 0", "got 0"]),
        ({"order": {"quantity": 2.5}}, ["order.quantity", "integer", "2.5"]),
        ({"order": {"side": "long"}}, ["order.side", "'buy', 'sell' or 'both'", "'long'"]),
        ({"order": {"end_rule": "stop"}}, ["order.end_rule", "'leave' or 'sweep'", "'stop'"]),
        ({"order": {"window": "2h"}}, ["order.window", "11:35:01", "10:20:00"]),
        ({"order": {"window": "-1s"}}, ["order.window"]),
        ({"order": {"start": "09:29:59"}}, ["order.start", "09:30:00", "09:29:59"]),
        ({"order": {"start": "10:00:00"}}, ["after the market's close", "10:30:01"]),
        ({"order": {"settlement": "2s"}}, ["settlement", "at most 1s", "2000000000"]),
        ({"market": {"end_time": "16:00:01"}}, ["market.end_time", "16:00:00", "16:00:01"]),
        ({"market": {"background": "rmsc05"}}, ["market.background", "rmsc04", "'rmsc05'"]),
        ({"decision_interval": "7s"}, ["decision_interval must divide", "1800s", "7s"]),
        ({"decision_interval": 10}, ["decision_interval", "at least 0.1s", "10 ns"]),
        ({"decision_interval": "ten"}, ["decision_interval", "'ten'", "10s"]),
        ({"decision_interval": "0s"}, ["decision_interval", "longer than zero"]),
        ({"observation": {"features": []}}, ["features must not be empty"]),
        ({"observation": {"features": ["time", "time"]}}, ["features must not repeat", "time"]),
        ({"observation": {"history": 0}}, ["observation.history", "greater than 0", "got 0"]),
        ({"actions": {"kind": "lotts"}}, ["actions.kind", "lots, participation, placement", "'lotts'"]),
        ({"actions": {"lot": 3}}, ["actions.kind", "lots, participation, placement"]),
        ({"actions": {"kind": "lots", "lot": -20}}, ["actions.lot", "greater than 0", "-20"]),
        ({"actions": {"kind": "participation", "multipliers": [1]}}, ["multipliers", "at least two"]),
        ({"actions": {"kind": "participation", "multipliers": [0, -1]}}, ["actions.multipliers.1", "-1"]),
        ({"actions": {"kind": "participation", "multipliers": [0, float("inf")]}}, ["multipliers.1", "finite"]),
        ({"actions": {"kind": "participation", "corridor": 0}}, ["actions.corridor", "greater than 0"]),
        ({"actions": {"kind": "placement", "placements": []}}, ["placements", "at least two"]),
        ({"actions": {"kind": "placement", "placements": ["at", "at"]}}, ["placements", "at least two"]),
        (
            {"actions": {"kind": "placement", "placements": ["at", "under"]}},
            ["placements.1", "'under'", "'cross'"],
        ),
        ({"reward": {"depth": "ticks"}}, ["reward.depth", "'ticks_walked'", "'ticks'"]),
        ({"reward": {"price_unit": "euros"}}, ["reward.price_unit", "'cents' or 'dollars'"]),
        ({"reward": {"beta": -1}}, ["reward.beta", "-1"]),
        ({"reward": {"beta": float("nan")}}, ["reward.beta", "finite"]),
        ({"training": {"steps": 0}}, ["training.steps", "got 0"]),
        ({"training": {"epsilon": [[0, 1.5]]}}, ["epsilon", "between 0 and 1"]),
        ({"training": {"learning_rate": [[5, 0.1]]}}, ["learning_rate", "[[0, value]"]),
        ({"training": {"gamma": 1.5}}, ["training.gamma", "1.5"]),
        ({"comparison": {"seeds": "5:5"}}, ["comparison.seeds", "'5:5' is empty", "A < B"]),
        ({"comparison": {"seeds": "many"}}, ["comparison.seeds", "'many' is not a range"]),
        ({"comparison": {"workers": 0}}, ["comparison.workers", "got 0"]),
        ({"comparison": {"strategies": ["TWAP"]}}, ["comparison.strategies.0", "'TWAP'"]),
        ({"strategies": {"My Twap": {"kind": "twap"}}}, ["strategies.My Twap", "[a-z0-9_]"]),
        ({"name": "My Name"}, ["name", "'My Name'"]),
        ({"order": None}, ["order", "None"]),
        ({"order": [1]}, ["order", "[1]"]),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(content: dict[str, Any], parts: list[str]) -> None:
    message = error_of(content)
    for part in parts:
        assert part in message, message


def test_no_file_or_no_experiment_is_said_in_one_line(tmp_path: Path) -> None:
    known = "benchmarks, .*paper, quick"
    with pytest.raises(ConfigError, match=rf"no configuration '.*qick\.yaml': give a YAML file or one of {known}"):
        load_experiment("qick")
    for text, message in (("- a\n- b\n", "got list"), ("a: [", "not YAML"), ("", "got NoneType")):
        path = tmp_path / "odd.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=message) as caught:
            load_experiment(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


# Overrides


def test_overrides_replace_values_by_path(tmp_path: Path) -> None:
    plain = load_experiment("quick")
    changed = load_experiment("quick", {"training.steps": 7, "order.window": "20min", "comparison.validity.volume": 1})
    assert changed.training.steps == 7
    assert changed.training.envs == plain.training.envs
    assert changed.order.window == 1_200 * SECOND
    assert changed.comparison.validity.volume == 1
    assert load_experiment("quick") == plain


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"trainin.steps": 5}, "unknown key 'trainin'"),
        ({"training.stepps": 5}, "unknown key 'training.stepps'"),
        ({"training.steps": -5}, "training.steps.*-5"),
        ({"training.steps.now": 5}, r"cannot set 'training.steps.now': 'steps' is [0-9]+, not a mapping"),
        ({"name.first": "x"}, "cannot set 'name.first': 'name' is 'quick'"),
    ],
)
def test_a_wrong_override_is_an_error_of_one_line(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_experiment("quick", overrides)
    assert "\n" not in str(caught.value)


# Regimes


@pytest.mark.parametrize("name", models.regimes())
def test_every_regime_is_a_market_of_its_own_that_composes_with_any_experiment(name: str) -> None:
    base = load_experiment("paper")
    of = load_experiment("paper", {"market.regime": name, "training.steps": 7})
    assert of.market.params != base.market.params
    assert of.market.model_dump(exclude={"params", "regime"}) == base.market.model_dump(exclude={"params", "regime"})
    assert (of.order, of.actions, of.training.steps) == (base.order, base.actions, 7)
    again = experiment_from(json.loads(json.dumps(of.model_dump(mode="json"))))
    assert again == of


def test_the_regimes_are_the_ones_the_issue_names() -> None:
    params = {name: load_experiment("quick", {"market.regime": name}).market.params for name in models.regimes()}
    for kind, count in (("noise", 10), ("noise", 1000), ("noise", 2000), ("momentum", 6), ("momentum", 24)):
        assert params[f"{kind}_{count}"] == {f"num_{kind}_agents": count}
    usual = inspect.signature(build_config).parameters["fund_vol"].default
    assert (params["calm"], params["volatile"]) == ({"fund_vol": usual / 2}, {"fund_vol": usual * 2})
    assert params["thin"].keys() == params["deep"].keys()
    assert params["drift_up"]["fund_drift"] == -params["drift_down"]["fund_drift"] > 0
    assert params["shock"]["megashock_lambda_a"] > 0


def test_what_is_given_beside_a_regime_wins() -> None:
    market = {
        "regime": "thin",
        "latency_seed": 5,
        "params": {"mm_pov": 0.1, "num_noise_agents": 7},
    }
    of = experiment_from({"name": "mine", "market": market}).market
    assert of.params == {"num_value_agents": 51, "mm_pov": 0.1, "num_noise_agents": 7}
    assert (of.regime, of.latency_seed) == ("thin", 5)


def test_a_wrong_regime_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    message = error_of({"market": {"regime": "tihn"}})
    assert message == f"market: regime must be one of {', '.join(models.regimes())}, got 'tihn'"
    assert "got 3" in error_of({"market": {"regime": 3}})
    monkeypatch.setattr(models, "REGIME_DIR", tmp_path)
    for text, parts in (
        ("parms: {}", ["unknown key 'parms'", "allowed: background, end_time"]),
        ("regime: odd", ["unknown key 'regime'"]),
        ("- 1", ["mapping of keys, got list"]),
        ("a: [", ["not YAML"]),
        ("params: {mm_pow: 1}", ["unknown parameter 'mm_pow'", "mm_pov"]),
        ("switches: {makers: true}", ["makers"]),
    ):
        (tmp_path / "odd.yaml").write_text(text, encoding="utf-8")
        message = error_of({"market": {"regime": "odd"}})
        assert all(part in message for part in parts), message


# Identity


CHANGES: list[dict[str, Any]] = [
    {"name": "other"},
    {"market": {"end_time": "10:30:00"}},
    {"market": {"latency_seed": 1}},
    {"market": {"switches": {"report_unfilled": False}}},
    {"market": {"params": {"num_noise_agents": 999}}},
    {"market": {"regime": "deep"}},
    {"order": {"quantity": 19_999}},
    {"order": {"side": "buy"}},
    {"order": {"end_rule": "leave"}},
    {"decision_interval": "5s"},
    {"observation": {"history": 2}},
    {"observation": {"features": ["time", "inventory"]}},
    {"observation": {"features": ["inventory", "time"]}},
    {"actions": {"kind": "lots"}},
    {"actions": {"kind": "placement"}},
    {"reward": {"alpha": 0.5}},
    {"training": {"seed": 1}},
    {"comparison": {"seeds": "0:1"}},
    {"strategies": {"slow": {"kind": "twap", "interval": "60s"}}},
]


def test_the_digest_tells_every_change_and_nothing_else() -> None:
    digests = [experiment_from({"name": "mine", **change}).digest() for change in ({}, *CHANGES)]
    assert len(set(digests)) == len(digests)
    assert digests == [experiment_from({"name": "mine", **change}).digest() for change in ({}, *CHANGES)]
    # Written otherwise, the same: another order of keys, defaults spelt out, times as numbers.
    spelt = {"order": {"window": 1_800 * SECOND, "quantity": 20_000}, "decision_interval": "10s", "name": "mine"}
    assert experiment_from(spelt).digest() == digests[0]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_is_resolved_reads_back_as_itself(change: dict[str, Any]) -> None:
    experiment = experiment_from({"name": "mine", **change})
    again = experiment_from(json.loads(json.dumps(experiment.model_dump(mode="json"))))
    assert again == experiment
    assert again.digest() == experiment.digest()


def test_an_experiment_does_not_change() -> None:
    experiment = load_experiment("quick")
    with pytest.raises(ValueError, match="frozen"):
        experiment.decision_interval = 1
    with pytest.raises(ValueError, match="frozen"):
        experiment.order.quantity = 1


# Seeds


@given(st.integers(0, 10**10), st.integers(1, 10**6))
def test_a_range_of_seeds_excludes_its_end(first: int, count: int) -> None:
    assert parse_seeds(f"{first}:{first + count}") == range(first, first + count)
    assert parse_seeds(f" {first} : {first + count} ") == range(first, first + count)


@pytest.mark.parametrize("text", ["", "5", "a:b", "1:2:3", "-1:5", "1.5:3", "5:", ":5", "1-5"])
def test_what_is_no_range_is_said_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a range: write A:B with integers 0 <= A < B") as caught:
        parse_seeds(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["5:5", "6:5", "0:0"])
def test_an_empty_range_is_said_to_be_empty(text: str) -> None:
    with pytest.raises(ConfigError, match=f"seeds '{text}' is empty"):
        parse_seeds(text)


# Documentation


def model_classes() -> list[type[BaseModel]]:
    return [
        value
        for value in vars(models).values()
        if inspect.isclass(value) and issubclass(value, BaseModel) and value.__module__ == models.__name__
    ]


def test_every_model_is_documented_field_by_field() -> None:
    found = model_classes()
    assert {Experiment, SeedRanges, LotActions} <= set(found)
    for model in found:
        text = inspect.getdoc(model) or ""
        assert len(text) > 20, model
        if "Attributes:" in text:
            for field in model.model_fields:
                assert field == "kind" or f"\n    {field}: " in text, f"{model.__name__}.{field}"
