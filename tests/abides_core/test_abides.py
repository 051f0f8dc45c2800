from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abides_core import Agent
from abides_core import abides


def config(**more: Any) -> dict[str, Any]:
    return {"start_time": 0, "stop_time": 10, "agents": [Agent(0, name="A")], "default_computation_delay": 3, **more}


def test_run_takes_what_the_kernel_knows_and_leaves_the_rest() -> None:
    trace: list[int] = []
    end_state = abides.run(
        config(custom_properties={"oracle": 1}, seed=5, stdout_log_level="INFO", random_state_kernel=None),
        trace=lambda time, sender, recipient, message: trace.append(time),
    )
    kernel = end_state["agents"][0].kernel
    assert kernel.oracle == 1
    assert kernel.agent_computation_delays == [3]
    assert trace == [0]


def test_the_kernels_stream() -> None:
    kernel = abides.run(config(), kernel_seed=4)["agents"][0].kernel
    assert kernel.random_state.rand() == np.random.RandomState(4).rand()
    own = np.random.RandomState(7)
    assert abides.run(config(random_state_kernel=own))["agents"][0].kernel.random_state is own
    seeded = abides.run(config(random_state_kernel=own), kernel_seed=4)["agents"][0].kernel
    assert seeded.random_state.rand() == np.random.RandomState(4).rand()
    given = np.random.RandomState(9)
    assert abides.run(config(), kernel_random_state=given)["agents"][0].kernel.random_state is given


def test_logs_where_asked_and_logging_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    handlers, level = list(logging.root.handlers), logging.root.level
    abides.run(config())
    assert list(tmp_path.iterdir()) == []
    abides.run(config(skip_log=False), log_dir="here")
    assert sorted(path.name for path in (tmp_path / "log" / "here").iterdir()) == ["A.bz2", "summary_log.bz2"]
    assert (logging.root.handlers, logging.root.level) == (handlers, level)
