from __future__ import annotations

from pathlib import Path

import pytest

from experiments.checkpoints import KEPT
from experiments.checkpoints import list_checkpoints
from experiments.checkpoints import save_checkpoint


def fill(folder: Path) -> None:
    (folder / "state.json").write_text("{}")


def test_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    assert list_checkpoints(folder) == []
    for step in (100, 99_999_999, 500, 123_456_789):
        save_checkpoint(folder, step, fill)
    assert KEPT == 2
    assert [step for step, _ in list_checkpoints(folder)] == [99_999_999, 123_456_789]
    assert sorted(path.name for path in folder.iterdir()) == ["step-123456789", "step-99999999"]


def test_half_a_checkpoint_is_not_listed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 100, fill)

    def fail(folder: Path) -> None:
        fill(folder)
        # What a kill would leave behind at this moment is under another name.
        assert [step for step, _ in list_checkpoints(tmp_path)] == [100]
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(tmp_path, 200, fail)
    (tmp_path / ".step-00000300.77.tmp").mkdir()
    (tmp_path / ".step-00000050.old").mkdir()
    assert [step for step, _ in list_checkpoints(tmp_path)] == [100]


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 100, lambda folder: (folder / "old").touch())
    path = save_checkpoint(tmp_path, 100, fill)
    assert [file.name for file in path.iterdir()] == ["state.json"]
