"""Logs on disk: written whole or not at all, and read without trusting them.

The ABIDES API has logs as pickled data frames, and a pickle may call anything when it is loaded. `read_log` loads such
a file with nothing within reach but what a log consists of: frames, arrays, plain values, messages and enumerations.
"""

from __future__ import annotations

import bz2
import importlib
import io
import os
import pickle
import sys
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import pandas as pd

from abides_core.message import Message

SUFFIX = ".bz2"

_ALLOWED = {
    "builtins": {"bytearray", "complex", "frozenset", "range", "set", "slice"},
    "collections": {"OrderedDict", "deque"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "numpy": {"dtype", "ndarray"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy.core.numeric": {"_frombuffer"},
    "pandas": {"DataFrame", "DatetimeIndex", "Index", "RangeIndex"},
    "pandas._libs.arrays": {"__pyx_unpickle_NDArrayBacked"},
    "pandas._libs.internals": {"_unpickle_block"},
    "pandas._libs.tslibs.timedeltas": {"_timedelta_unpickle"},
    "pandas._libs.tslibs.timestamps": {"_unpickle_timestamp"},
    "pandas.arrays": {"DatetimeArray"},
    "pandas.core.arrays.datetimes": {"DatetimeArray"},
    "pandas.core.frame": {"DataFrame"},
    "pandas.core.indexes.base": {"Index", "_new_Index"},
    "pandas.core.indexes.datetimes": {"DatetimeIndex", "_new_DatetimeIndex"},
    "pandas.core.indexes.range": {"RangeIndex"},
    "pandas.core.internals.blocks": {"new_block"},
    "pandas.core.internals.managers": {"BlockManager"},
}
"""What a log's pickle may name, by module."""
OWN_PACKAGES = ("abides_core", "abides_markets", "abides_gym")
"""Packages of this distribution: their modules are imported if an event in a log is one of their messages."""


def write_log(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as a pickle compressed with bzip2, which is what readers of ABIDES logs expect.

    Texts are stored as plain Python objects, so that reading needs no particular string type of pandas.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _plain(frame).to_pickle(temporary, compression="bz2")
    temporary.replace(path)


def read_log(path: str | Path, allow: Iterable[type] = ()) -> pd.DataFrame:
    """Read a log that `write_log` has written, without letting it run anything.

    Args:
        path: The file.
        allow: Classes of your own that events in the log may be instances of. Messages and enumerations need not be
            named; those of your own must have been imported.

    Raises:
        ValueError: If the file is not a log, or holds something that is not allowed; the text names it.
        OSError: If the file cannot be read.
    """
    content = Path(path).read_bytes()
    try:
        loaded = _LogUnpickler(bz2.decompress(content), allow).load()
    except Exception as error:  # whatever the content of a file that is not a log makes of itself
        raise ValueError(f"cannot read {str(path)!r} as a log: {error}") from error
    if not isinstance(loaded, pd.DataFrame):
        raise ValueError(f"cannot read {str(path)!r} as a log: it holds a {type(loaded).__name__}, not a frame")
    return loaded


class _LogUnpickler(pickle.Unpickler):
    """Loads a pickle that names nothing but the parts of a log."""

    def __init__(self, content: bytes, allow: Iterable[type]) -> None:
        super().__init__(io.BytesIO(content))
        self._own = {(kind.__module__, kind.__qualname__): kind for kind in allow}

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle names, if it may.

        Raises:
            pickle.UnpicklingError: If it may not.
        """
        if name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        if (module, name) in self._own:
            return self._own[module, name]
        if module.partition(".")[0] in OWN_PACKAGES:
            importlib.import_module(module)
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if isinstance(found, type) and issubclass(found, Message | Enum):
            return found
        raise pickle.UnpicklingError(
            f"it names {module}.{name}, which is no part of a log (if it is a message, import {module} first;"
            " other classes are named by `allow`)"
        )


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without columns and labels of pandas' own string types."""
    plain = frame.astype({name: object for name, kind in frame.dtypes.items() if isinstance(kind, pd.StringDtype)})
    for axis in ("index", "columns"):
        labels = getattr(plain, axis)
        if isinstance(labels.dtype, pd.StringDtype):
            plain = plain.set_axis(labels.astype(object), axis=axis)
    plain.attrs = frame.attrs
    return plain
