"""Checkpoints of a training: folders `step-XXXXXXXX` that exist only once they are complete."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from analysis.files import write_folder

KEPT = 2
_NAME = re.compile(r"step-(\d{8,})")


def list_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """Environment step and path of every complete checkpoint in `folder`, oldest first."""
    if not folder.is_dir():
        return []
    found = [(match, path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted((int(match[1]), path) for match, path in found)


def save_checkpoint(folder: Path, step: int, fill: Callable[[Path], None]) -> Path:
    """Write a checkpoint, then remove all but the last `KEPT`.

    Args:
        folder: Where checkpoints lie.
        step: Environment steps made.
        fill: Writes the content into the folder that it is given; the checkpoint gets its name afterwards.

    Returns:
        The checkpoint.
    """
    path = folder / f"step-{step:08d}"
    write_folder(path, fill)
    for _, old in list_checkpoints(folder)[:-KEPT]:
        # Renamed first: a removal that is interrupted must not leave half a checkpoint under its name.
        doomed = old.with_name(f".{old.name}.old")
        shutil.rmtree(doomed, ignore_errors=True)
        old.rename(doomed)
        shutil.rmtree(doomed)
    return path
