"""Modules named on a command line."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from abides_core.options import OptionError


def load_module(name: str, missing: str) -> ModuleType:
    """Return a module given by its file (`my/agents.py`) or by its name (`my.agents`).

    Modules of the current folder are found, and those beside the file.

    Args:
        name: The file or the module's name.
        missing: What to say if there is no such module.

    Raises:
        OptionError: If there is no such module, or if it cannot be imported.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        if name.endswith(".py") or os.sep in name:
            return _load_file(Path(name))
        if not _exists(name):
            raise OptionError(missing)
        return importlib.import_module(name)
    except (ImportError, SyntaxError) as error:
        raise OptionError(f"cannot load {name!r}: {type(error).__name__}: {error}") from error


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise OptionError(f"no file {str(path)!r}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise OptionError(f"not a Python file: {str(path)!r}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]  # half a module is found by nobody
        raise
    return module


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
