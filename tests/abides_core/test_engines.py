from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from abides_core import Agent
from abides_core import abides
from abides_core import engines
from abides_core.engines import UnsupportedError


def config(log_events: bool = False, **more: Any) -> dict[str, Any]:
    return {"start_time": 0, "stop_time": 10, "agents": [Agent(0, name="A", log_events=log_events)], **more}


class Recorder:
    """An engine that refuses what it is told to, and keeps what it is asked to run."""

    def __init__(self, fault: str | None = None) -> None:
        self._fault = fault
        self.runs: list[Any] = []

    def fault(self, config: dict[str, Any]) -> str | None:
        return self._fault

    def kernel(self, config: dict[str, Any], random_state: np.random.RandomState) -> Any:
        raise NotImplementedError

    def run(self, config: dict[str, Any], random_state: np.random.RandomState) -> dict[str, Any]:
        self.runs.append((config, random_state))
        return {"agents": config["agents"]}


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(engines, "_LOADERS", {})
    return engines.register


def test_the_reference_engine_is_the_default(only: Any) -> None:
    only("other", Recorder)
    assert abides.run(config())["engine"] == "reference"


def test_an_unknown_engine_is_refused_with_the_allowed_ones(only: Any) -> None:
    only("other", Recorder)
    with pytest.raises(ValueError, match="unknown engine 'fast'; allowed: auto, reference, other"):
        abides.run(config(), engine="fast")


def test_a_named_engine_runs_with_the_kernels_stream(only: Any) -> None:
    engine = Recorder()
    only("other", lambda: engine)
    stream = np.random.RandomState(1)
    given = config(log_events=True)
    assert abides.run(given, kernel_random_state=stream, engine="other")["engine"] == "other"
    assert engine.runs == [(given, stream)]


def test_a_named_engine_that_cannot_says_why(only: Any) -> None:
    only("other", lambda: Recorder("green agents"))
    with pytest.raises(
        UnsupportedError, match="the other engine does not support green agents: use engine='reference'"
    ):
        abides.run(config(), engine="other")


def test_auto_takes_the_first_that_can(only: Any) -> None:
    only("first", lambda: Recorder("green agents"))
    only("second", Recorder)
    assert abides.run(config(), engine="auto")["engine"] == "second"


def test_auto_without_an_engine_that_can(only: Any) -> None:
    assert abides.run(config(), engine="auto")["engine"] == "reference"
    only("first", lambda: Recorder("green agents"))
    assert abides.run(config(), engine="auto")["engine"] == "reference"


def test_auto_loses_nothing_that_was_asked_for(only: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    only("other", Recorder)
    assert abides.run(config(log_events=True), engine="auto")["engine"] == "reference"
    assert abides.run(config(), engine="auto", trace=lambda *entry: None)["engine"] == "reference"
    assert abides.run(config(), engine="auto", log_dir="here")["engine"] == "reference"
    assert abides.run(config(skip_log=False), engine="auto")["engine"] == "reference"
    assert (tmp_path / "log" / "here" / "summary_log.bz2").exists()
