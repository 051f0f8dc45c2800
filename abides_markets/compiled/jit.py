"""How the engine's functions are compiled: once per machine, kept on disk.

Numba's own disk cache looks only at the file that a function stands in: a change in another file of the engine would
leave stale machine code in use, silently. So the cache lies in a folder named by a digest of all the engine's sources,
the versions of Numba and NumPy, and the processor.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np


def cache_folder() -> Path:
    """Return the folder of the compiled code of exactly these sources on this machine."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    for part in (numba.__version__, np.__version__, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()):
        digest.update(part.encode())
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "shortfall" / f"compiled-{digest.hexdigest()[:16]}"


CACHE = cache_folder()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call, or take it from the cache."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(CACHE)
    try:
        return numba.njit(function, cache=True, error_model="numpy", boundscheck=False)
    finally:
        numba.config.CACHE_DIR = before
