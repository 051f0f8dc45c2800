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
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core.caching import UserProvidedCacheLocator

config: Any = numba.config
SOURCES = Path(__file__).parent
NOT_COMPILED = ("__init__", "buffer", "engine", "kernel", "random_states", "results", "state", "translate", "warm")
"""Modules of this package without compiled functions and without constants that those use."""


def cache_folder(sources: Path = SOURCES) -> Path:
    """Return the folder of the compiled code of exactly these sources on this machine."""
    digest = hashlib.sha256()
    for source in sorted(path for path in sources.glob("*.py") if path.stem not in NOT_COMPILED):
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


CACHE = _writable(cache_folder())


class SharedLocator(UserProvidedCacheLocator):
    """Keeps compiled code in `CACHE` itself, and not in a folder of it named by where the sources lie."""

    def get_cache_path(self) -> str:
        """Return the folder."""
        return str(CACHE)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call, or take it from the cache."""
    before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR = str(CACHE)
    config.CACHE_LOCATOR_CLASSES = f"{__name__}.{SharedLocator.__name__}"
    try:
        return numba.njit(function, cache=True, error_model="numpy", boundscheck=False)
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before
