from __future__ import annotations

import bz2
import enum
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from abides_core.logs import read_log
from abides_core.logs import write_log
from abides_core.message import Message


@dataclass
class NoteMsg(Message):
    text: str


class Colour(enum.Enum):
    RED = "red"


class Payload:
    """An event of a class that no log is known to hold."""


class Harmful:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


EVENTS = [
    "text",
    None,
    1.5,
    np.int64(7),
    {"side": Colour.RED, "levels": [(100, 5), (99, 2)]},
    NoteMsg("hello"),
    pd.Timestamp("2021-02-05 09:30:00.000000001"),
    np.arange(3),
]


def log_of(*events: Any) -> pd.DataFrame:
    """A frame as agents' logs are."""
    rows = [(time, "TYPE", event) for time, event in enumerate(events)]
    return pd.DataFrame(rows, columns=["EventTime", "EventType", "Event"]).set_index("EventTime")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "agent.bz2"
    frame = log_of(*EVENTS)
    frame.attrs = {"agent_id": 3}
    write_log(frame, path)
    back = read_log(path)
    assert back.index.tolist() == list(range(len(EVENTS)))
    assert list(back["EventType"]) == ["TYPE"] * len(EVENTS)
    assert list(back["Event"])[:-1] == EVENTS[:-1]
    assert back["Event"].iloc[-1].tolist() == [0, 1, 2]
    assert back.attrs == {"agent_id": 3}
    assert [file.name for file in path.parent.iterdir()] == ["agent.bz2"]


def test_other_readers_of_abides_logs_read_it_too(tmp_path: Path) -> None:
    write_log(log_of(1, 2), tmp_path / "a.bz2")
    assert list(pd.read_pickle(tmp_path / "a.bz2")["Event"]) == [1, 2]


def test_frames_of_other_kinds(tmp_path: Path) -> None:
    times = pd.to_datetime([1, 2])
    frame = pd.DataFrame({"price": [1.5, 2.5], "name": ["a", "b"], "open": [True, False]}, index=times)
    write_log(frame, tmp_path / "a.bz2")
    back = read_log(tmp_path / "a.bz2")
    assert back.index.equals(times)
    assert back.to_dict("list") == frame.to_dict("list")
    assert frame.columns.dtype == pd.DataFrame({"a": []}).columns.dtype, "the frame given is left alone"


def test_a_log_cannot_run_anything(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    write_log(log_of(Harmful(f"touch {mark}")), tmp_path / "a.bz2")
    (tmp_path / "b.bz2").write_bytes(bz2.compress(pickle.dumps(Harmful(f"touch {mark}"))))
    for name in ("a.bz2", "b.bz2"):
        with pytest.raises(ValueError, match=r"posix.system, which is no part of a log"):
            read_log(tmp_path / name)
    assert not mark.exists()


def test_classes_of_ones_own_are_named(tmp_path: Path) -> None:
    write_log(log_of(Payload()), tmp_path / "a.bz2")
    with pytest.raises(ValueError, match=r"Payload, which is no part of a log"):
        read_log(tmp_path / "a.bz2")
    assert isinstance(read_log(tmp_path / "a.bz2", allow=[Payload])["Event"].iloc[0], Payload)


def test_messages_of_the_market_need_no_import(tmp_path: Path) -> None:
    from abides_markets.messages.marketdata import MarketDataEventMsg

    write_log(log_of(MarketDataEventMsg.Stage.START), tmp_path / "a.bz2")
    code = f"from abides_core.logs import read_log; print(read_log({str(tmp_path / 'a.bz2')!r})['Event'].iloc[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "Stage.START\n", done.stderr


@pytest.mark.parametrize(
    "content", [b"", b"not compressed", bz2.compress(b"not a pickle"), bz2.compress(pickle.dumps([1]))]
)
def test_a_file_that_is_no_log_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.bz2"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read '.*a\.bz2' as a log"):
        read_log(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_log(tmp_path / "a.bz2")
