"""Files and folders that are either whole or not there: written under a temporary name, then renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from typing import BinaryIO


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only once it is complete and on the disk.

    Args:
        path: Its final name; a file already there is replaced.

    Yields:
        The file under a temporary name in the same folder; after an exception it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path | str, data: bytes) -> Path:
    """Write a whole file atomically and return its path."""
    with atomic_file(Path(path)) as file:
        file.write(data)
    return Path(path)


def write_json(path: Path | str, value: Any) -> Path:
    """Write a JSON file atomically and return its path.

    Raises:
        ValueError: If the value holds a number that is not finite.
    """
    return write_bytes(path, (json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode())


def read_json(path: Path | str) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        ValueError: If it cannot be read or is something else; one line that names the file.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected an object, found {type(value).__name__}")
    return value


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder that takes its name only once it is complete.

    Args:
        path: Its final name; a folder already there is replaced.
        fill: Writes the content into the folder that it is given.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        fill(temporary)
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def point_to(link: Path, target: Path) -> None:
    """Make `link` a symbolic link to `target`, replacing an older one atomically."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(target, link.parent))
    os.replace(temporary, link)
