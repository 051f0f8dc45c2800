"""Times, log frames and small helpers."""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import pickle
import re
from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from abides_core.logs import SUFFIX
from abides_core.logs import read_log

NanosecondTime = int

_UNITS_NS = {
    **dict.fromkeys(("ns", "nano", "nanos", "nanosecond", "nanoseconds"), 1),
    **dict.fromkeys(("us", "micro", "micros", "microsecond", "microseconds"), 1_000),
    **dict.fromkeys(("ms", "milli", "millis", "millisecond", "milliseconds"), 1_000_000),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1_000_000_000),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60_000_000_000),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600_000_000_000),
    **dict.fromkeys(("d", "day", "days"), 86_400_000_000_000),
}
_CLOCK = re.compile(r"(?:(\d+)\s*days?\s+)?(\d+):(\d\d):(\d\d)(?:\.(\d{1,9}))?", re.IGNORECASE)
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)
_DAY_NS = 86_400_000_000_000


def subdict(d: dict[Any, Any], keys: Iterable[Any]) -> dict[Any, Any]:
    """Return the items of `d` whose key is in `keys`; keys that `d` lacks are ignored."""
    wanted = set(keys)
    return {k: v for k, v in d.items() if k in wanted}


restrictdict = subdict


def custom_eq(a: Any, b: Any) -> bool:
    """Return whether `a` equals `b`, two NaNs counting as equal."""
    return bool((a == b) | ((a != a) & (b != b)))


def get_wake_time(
    open_time: NanosecondTime,
    close_time: NanosecondTime,
    random_state: np.random.RandomState | None = None,
    a: float = 0.0,
    b: float = 1.0,
) -> NanosecondTime:
    """Draw a time between two others under a U-quadratic law, dense near both ends.

    The inverse transform of y ~ U(0, 1) is x = ∛(3y/α − (β − a)³) + β with α = 12/(b − a)³ and β = (a + b)/2.

    Args:
        open_time: Earliest time, ns since the epoch.
        close_time: Latest time, ns since the epoch.
        random_state: Stream of the one draw.
        a: Lower end of the law's support, as a fraction of the interval.
        b: Upper end.

    Returns:
        A whole number of nanoseconds. The sum is taken in float64, where a time since the epoch is a multiple of
        256 ns, and then made whole: the reference market's tape depends on it.

    Raises:
        TypeError: If no stream is given.
    """
    if random_state is None:
        raise TypeError("get_wake_time needs a random_state: there is no global random stream")
    y = random_state.rand()
    alpha = 12 / (b - a) ** 3
    beta = (a + b) / 2
    cube = 3 * y / alpha - (beta - a) ** 3
    x = math.copysign(abs(cube) ** (1 / 3), cube) + beta
    return round(float(open_time) + x * (close_time - open_time))


def fmt_ts(timestamp: NanosecondTime) -> str:
    """Return `YYYY-mm-dd HH:MM:SS` of a time in ns since the epoch; the part below a second is dropped."""
    return str(np.datetime64(int(timestamp) // 1_000_000_000, "s")).replace("T", " ")


def str_to_ns(string: str | int | float) -> NanosecondTime:
    """Convert a duration to nanoseconds.

    Args:
        string: `"10"` (ns), a number with a unit (`"5us"`, `"10S"`, `"30min"`, `"5h30min"`; a bare `m` is minutes),
            a clock (`"09:30:00"`, `"-00:30:00"`), or a number, which is taken as ns.

    Returns:
        Whole nanoseconds, a Python `int`.

    Raises:
        ValueError: If the text is none of these.
    """
    if not isinstance(string, str):
        return int(string)
    text = string.strip()
    sign = 1
    if text[:1] in ("-", "+"):
        sign = -1 if text[0] == "-" else 1
        text = text[1:].lstrip()
    if text.isdigit():
        return sign * int(text)
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        days, hours, minutes, seconds, fraction = clock.groups()
        whole = (int(days or 0) * 24 + int(hours)) * 3600 + int(minutes) * 60 + int(seconds)
        return sign * (whole * 1_000_000_000 + int((fraction or "0").ljust(9, "0")))
    total = 0
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        unit = _UNITS_NS.get(part[2].lower()) if part is not None else None
        if part is None or unit is None:
            raise ValueError(f"not a duration: {string!r} (write for example 10s, 30min, 5h30min or HH:MM:SS)")
        total += int(part[1]) * unit if part[1].isdigit() else round(float(part[1]) * unit)
        position = part.end()
    if position == 0:
        raise ValueError(f"not a duration: {string!r} (write for example 10s, 30min, 5h30min or HH:MM:SS)")
    return sign * total


def datetime_str_to_ns(string: str) -> NanosecondTime:
    """Convert a date or date and time (`"20210205"`, `"2021-02-05 09:30:00"`) to ns since the epoch."""
    return int(pd.Timestamp(string).value)


def ns_date(ns_datetime: Any) -> Any:
    """Return midnight of the same day, ns since the epoch; works on a Series, element by element."""
    return ns_datetime - (ns_datetime % _DAY_NS)


def parse_logs_df(end_state: dict[str, Any] | str | Path) -> pd.DataFrame:
    """Gather the logs of all agents of a finished run in one frame.

    Args:
        end_state: What `abides.run` returned, or the folder of the logs that the run has written (which are read with
            `abides_core.logs.read_log`, in order of the agents' ids).

    Returns:
        A row an event: `EventTime` (ns), `EventType`, `agent_id`, `agent_type`, and the payload: a dict's items as
        columns, any other value in `ScalarEventValue`, nothing as `EmptyEvent`.

    Raises:
        ValueError: If the folder holds no agent's log, or a file that is not a log.
    """
    frames = []
    logs = _logs_in(Path(end_state)) if isinstance(end_state, str | Path) else _logs_of(end_state["agents"])
    for agent_id, agent_type, log in logs:
        rows = []
        for time, event_type, event in log:
            row: dict[str, Any] = {
                "EventTime": time if isinstance(time, int | np.integer) else 0,
                "EventType": event_type,
            }
            if isinstance(event, dict):
                row.update(event)
            elif event is None:
                row["EmptyEvent"] = True
            else:
                row["ScalarEventValue"] = event
            if row.get("agent_id") is None:
                row["agent_id"] = agent_id
            row["agent_type"] = agent_type
            rows.append(row)
        frames.append(pd.DataFrame(rows))
    return pd.concat(frames) if frames else pd.DataFrame()


_AgentLog = tuple[int, str, Iterable[tuple[Any, str, Any]]]


def _logs_of(agents: list[Any]) -> list[_AgentLog]:
    return [(agent.id, agent.type, agent.log) for agent in agents]


def _logs_in(folder: Path) -> list[_AgentLog]:
    logs: list[_AgentLog] = []
    for path in folder.glob(f"*{SUFFIX}"):
        frame = read_log(path)
        if "agent_id" in frame.attrs:
            events = zip(frame.index, frame["EventType"], frame["Event"], strict=True)
            logs.append((frame.attrs["agent_id"], frame.attrs["agent_type"], events))
    if not logs:
        raise ValueError(f"no agent's log in {str(folder)!r}: a run writes them with skip_log=False")
    return sorted(logs, key=lambda log: log[0])


def input_sha_wrapper(func: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    """Return a callable that maps call arguments to `{"input_sha": name and digest of the arguments}`."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(func).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }

    def input_sha(*args: Any, **kwargs: Any) -> dict[str, str]:
        text = str((args, {**defaults, **kwargs}))
        return {"input_sha": f"{func.__name__}_{hashlib.sha1(text.encode()).hexdigest()}"}

    return input_sha


def cache_wrapper(
    func: Callable[..., Any], cache_dir: str = "cache/", force_recompute: bool = False
) -> Callable[..., Any]:
    """Return `func` with its results kept on disk.

    Results are pickles named by a digest of the arguments: only use a folder that nobody else can write to, because
    reading a pickle runs what it says.

    Args:
        func: The function.
        cache_dir: Folder, created if missing.
        force_recompute: Whether to ignore what is on disk.
    """
    input_sha = input_sha_wrapper(func)

    def cached(*args: Any, **kwargs: Any) -> Any:
        path = Path(cache_dir) / f"{input_sha(*args, **kwargs)['input_sha']}.pkl"
        if path.exists() and not force_recompute:
            return pickle.loads(path.read_bytes())
        result = func(*args, **kwargs)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(pickle.dumps(result))
        temporary.replace(path)
        return result

    return cached
