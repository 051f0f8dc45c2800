from __future__ import annotations

import sys
from pathlib import Path

import pytest

from abides_core.loading import load_module
from abides_core.options import OptionError


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def test_by_file_by_name_and_what_stands_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "beside_it.py").write_text("VALUE = 3\n")
    (folder / "by_file.py").write_text("from beside_it import VALUE\n")
    (tmp_path / "by_name.py").write_text("VALUE = 4\n")
    assert load_module("folder/by_file.py", "").VALUE == 3
    assert load_module("by_name", "").VALUE == 4


@pytest.mark.parametrize("name", ["nothing_here", "nothing.here", "..x", ""])
def test_a_module_that_is_not_there(name: str) -> None:
    with pytest.raises(OptionError, match="as told"):
        load_module(name, "as told")


def test_a_file_that_is_not_there_or_cannot_be_imported(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"no file 'nothing\.py'"):
        load_module("nothing.py", "")
    (tmp_path / "old.py").write_text("import gym_that_is_gone\n")
    for name in ("old.py", "old"):
        with pytest.raises(OptionError, match=f"cannot load '{name}': ModuleNotFoundError: .*gym_that_is_gone"):
            load_module(name, "")
