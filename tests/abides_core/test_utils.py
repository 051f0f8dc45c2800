from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abides_core import Agent
from abides_core import Kernel
from abides_core.utils import cache_wrapper
from abides_core.utils import custom_eq
from abides_core.utils import datetime_str_to_ns
from abides_core.utils import fmt_ts
from abides_core.utils import get_wake_time
from abides_core.utils import input_sha_wrapper
from abides_core.utils import ns_date
from abides_core.utils import parse_logs_df
from abides_core.utils import restrictdict
from abides_core.utils import str_to_ns
from abides_core.utils import subdict

SECOND = 10**9
DAY = 86_400 * SECOND


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1", 1),
        ("1us", 10**3),
        ("1ms", 10**6),
        *((f"1{unit}", SECOND) for unit in ("s", "sec", "second")),
        *((f"1{unit}", 60 * SECOND) for unit in ("m", "min", "minute")),
        *((f"1{unit}", 3600 * SECOND) for unit in ("h", "hr", "hour")),
        *((f"1{unit}", DAY) for unit in ("d", "day")),
        *((f"{n}S", n * SECOND) for n in (1, 10, 30, 60)),
        ("00:00:01", SECOND),
        ("09:30:00", 34_200 * SECOND),
        ("16:00:00", 57_600 * SECOND),
        ("-00:30:00", -1800 * SECOND),
        ("00:00:00.5", SECOND // 2),
        ("1 days 00:00:01", DAY + SECOND),
        ("5h30min", 19_800 * SECOND),
        ("2h45min", 9_900 * SECOND),
        ("1.5s", 3 * SECOND // 2),
        ("-10s", -10 * SECOND),
        (" 10 s ", 10 * SECOND),
        ("48d", 48 * DAY),
        (42, 42),
        (0, 0),
        (SECOND, SECOND),
        (2.0, 2),
        (np.int64(7), 7),
    ],
)
def test_durations(text: Any, expected: int) -> None:
    result = str_to_ns(text)
    assert result == expected
    assert type(result) is int


@pytest.mark.parametrize("text", ["", "  ", "s", "10 parsecs", "1:2", "09:30:00x", "ten seconds", "1e3s", "-"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        str_to_ns(text)


@given(st.integers(0, 10**18))
def test_whole_numbers_are_nanoseconds(number: int) -> None:
    assert str_to_ns(str(number)) == str_to_ns(number) == number


@pytest.mark.parametrize("text", ["20210205", "2021-02-05", "2021-02-05 00:00:00"])
def test_dates(text: str) -> None:
    result = datetime_str_to_ns(text)
    assert result == 1_612_483_200 * SECOND
    assert type(result) is int


def test_dates_and_clock_times_add_up() -> None:
    morning = datetime_str_to_ns("2021-02-05 09:30:00")
    assert morning == datetime_str_to_ns("20210205") + str_to_ns("09:30:00")
    assert fmt_ts(morning) == "2021-02-05 09:30:00"
    assert fmt_ts(morning + 999_999_999) == "2021-02-05 09:30:00"
    assert ns_date(morning) == datetime_str_to_ns("20210205")
    assert ns_date(ns_date(morning)) == ns_date(morning)
    assert list(ns_date(pd.Series([morning, morning + DAY]))) == [ns_date(morning), ns_date(morning) + DAY]


@given(st.integers(0, 2**32 - 1))
def test_wake_times_lie_in_the_interval_on_whole_steps_of_a_float(seed: int) -> None:
    begin = datetime_str_to_ns("2021-02-05 09:00:00")
    end = begin + 7 * 3600 * SECOND
    time = get_wake_time(begin, end, np.random.RandomState(seed))
    assert type(time) is int
    assert begin <= time <= end
    assert time % 256 == 0  # float64 cannot tell nanoseconds apart at this size: the recorded tapes have it so


def test_wake_times_are_dense_near_both_ends() -> None:
    stream = np.random.RandomState(0)
    times = np.array([get_wake_time(0, 10**6, stream) for _ in range(20_000)]) / 10**6
    counts, _ = np.histogram(times, bins=[0, 0.2, 0.4, 0.6, 0.8, 1])
    # The law's distribution function is F(x) = 4(x − ½)³ + ½.
    expected = 4 * (np.array([0.2, 0.4, 0.6, 0.8, 1]) - 0.5) ** 3 + 0.5
    assert np.cumsum(counts) / 20_000 == pytest.approx(expected, abs=0.01)


def test_wake_times_need_a_stream() -> None:
    with pytest.raises(TypeError, match="random_state"):
        get_wake_time(0, 10)


def test_small_helpers() -> None:
    assert subdict({"a": 1, "b": 2}, ["a", "c"]) == restrictdict({"a": 1, "b": 2}, ["a"]) == {"a": 1}
    assert custom_eq(1, 1)
    assert custom_eq(float("nan"), float("nan"))
    assert not custom_eq(1, float("nan"))


def test_logs_of_a_run_in_one_frame() -> None:
    agent = Agent(0, type="T")
    agent.current_time = 5
    agent.logEvent("DICT", {"agent_id": None, "x": 1})
    agent.logEvent("OTHER", {"agent_id": 9})
    agent.logEvent("SCALAR", 3)
    agent.logEvent("EMPTY", None)
    frame = parse_logs_df({"agents": [agent]})
    assert list(frame["EventTime"]) == [0, 5, 5, 5, 5]
    assert list(frame["EventType"]) == ["AGENT_TYPE", "DICT", "OTHER", "SCALAR", "EMPTY"]
    assert list(frame["agent_id"]) == [0, 0, 9, 0, 0]
    assert set(frame["agent_type"]) == {"T"}
    assert frame["ScalarEventValue"].iloc[3] == 3
    assert frame["EmptyEvent"].iloc[4]
    assert frame["x"].iloc[1] == 1
    assert parse_logs_df({"agents": []}).empty


def test_logs_on_disk_in_one_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    agents = [Agent(0, name="Z"), Agent(1, name="B"), Agent(2, name="A", log_to_file=False)]
    agents[1].logEvent("DICT", {"x": 1})
    agents[1].logEvent("SCALAR", 3)
    Kernel(agents, start_time=0, stop_time=1, skip_log=False, log_dir="run").run()
    written = parse_logs_df(tmp_path / "log" / "run")
    assert list(written["agent_id"]) == [0, 1, 1, 1]
    assert written.equals(parse_logs_df({"agents": agents[:2]}))
    with pytest.raises(ValueError, match=f"no agent's log in '{tmp_path}'.*skip_log=False"):
        parse_logs_df(str(tmp_path))


def test_digest_of_arguments() -> None:
    def cost(a: int, b: int = 2) -> int:
        return a + b

    sha = input_sha_wrapper(cost)
    assert sha(1) == sha(1, b=2) != sha(1, b=3)
    assert sha(1)["input_sha"].startswith("cost_")


def test_cache_keeps_results(tmp_path: Path) -> None:
    calls: list[int] = []

    def double(a: int) -> int:
        calls.append(a)
        return 2 * a

    cached = cache_wrapper(double, cache_dir=str(tmp_path / "cache"))
    assert [cached(1), cached(1), cached(2)] == [2, 2, 4]
    assert calls == [1, 2]
    assert cache_wrapper(double, cache_dir=str(tmp_path / "cache"), force_recompute=True)(1) == 2
    assert calls == [1, 2, 1]
