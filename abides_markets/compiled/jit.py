"""How the engine's functions are compiled: once per machine, kept on disk.

Numba's own disk cache looks only at the file that a function stands in: a change in another file of the engine would
leave stale machine code in use, silently. So the cache lies in a folder named by a digest of all the sources of this
package but for those known to hold nothing that is compiled, the versions of Python, Numba, llvmlite and NumPy, and the
processor. Where the sources lie does not matter, so that clones and workers with a copy of the sources share it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core.caching import UserProvidedCacheLocator
from numba.extending import register_jitable

config: Any = numba.config
OPTIONS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False}
SOURCES = Path(__file__).parent
NOT_COMPILED = (
    "__init__",
    "buffer",
    "engine",
    "kernel",
    "messenger",
    "random_states",
    "results",
    "slot",
    "stack",
    "state",
    "template",
    "translate",
    "warm",
)
"""Modules of this package without compiled functions and without constants that those use."""


def engine_sources(folder: Path = SOURCES) -> list[Path]:
    """Return the files of the engine that its compiled code depends on."""
    return [path for path in folder.glob("*.py") if path.stem not in NOT_COMPILED]


def cache_folder(sources: Iterable[Path]) -> Path:
    """Return the folder of the compiled code of exactly these sources on this machine."""
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    versions = (platform.python_version(), numba.__version__, llvmlite.__version__, np.__version__)
    for part in (*versions, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()):
        digest.update(part.encode() + b"\0")
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "shortfall" / f"compiled-{digest.hexdigest()[:16]}"


def _writable(folder: Path) -> Path:
    """Return the folder, or, if nothing can be written there, one that lasts as long as the machine is up."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="shortfall-"))  # not a fixed name: the cache holds code, others write there
    return folder


class SharedLocator(UserProvidedCacheLocator):
    """Keeps compiled code in the folder that is set when a function is declared, not in one named by its source's."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        super().__init__(py_func, py_file)
        self._cache_path = config.CACHE_DIR


def compiler(folder: Path) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of entry points: functions that Python calls, compiled then or taken from the cache.

    Args:
        folder: Where the compiled code is kept: `cache_folder` of every source that it depends on.
    """

    def entry_point(function: Callable[..., Any]) -> Any:
        before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
        config.CACHE_DIR = str(folder)
        config.CACHE_LOCATOR_CLASSES = f"{__name__}.{SharedLocator.__name__}"
        try:
            return numba.njit(function, cache=True, **OPTIONS)
        finally:
            config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before

    return entry_point


def beside(*sources: str) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of entry points outside of the engine.

    Args:
        sources: Files that the compiled code depends on: `__file__`, and those of the constants that it uses.
    """
    return compiler(_writable(cache_folder(map(Path, sources))))


CACHE = _writable(cache_folder(engine_sources()))
entry_point = compiler(CACHE)
compiled: Callable[[Callable[..., Any]], Any] = register_jitable(**OPTIONS)
"""Decorator of what entry points consist of. Without wrappers for Python the compilation takes a third less; called
from Python such a function runs as Python, slowly."""
