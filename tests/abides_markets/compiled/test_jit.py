"""The cache of compiled code: what names it, who says that it is made."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from abides_markets.compiled import jit
from abides_markets.compiled import warm

ROOT = Path(jit.__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["book.py", "layout.py", "jit.py"])
def test_the_folder_changes_with_every_source(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "compiled"
    shutil.copytree(jit.SOURCES, copy)
    before = jit.cache_folder(jit.engine_sources(copy))
    assert before == jit.cache_folder(jit.engine_sources())
    source = copy / name
    source.write_text(source.read_text() + "\n")
    assert jit.cache_folder(jit.engine_sources(copy)) != before


@pytest.mark.parametrize("module", [numba, np])
def test_the_folder_changes_with_the_versions(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    before = jit.cache_folder(jit.engine_sources())
    monkeypatch.setattr(module, "__version__", "0.0.0")
    assert jit.cache_folder(jit.engine_sources()) != before


def test_modules_said_to_hold_nothing_compiled_do_not() -> None:
    others = {path.stem for path in jit.SOURCES.glob("*.py")} - set(jit.NOT_COMPILED)
    for name in jit.NOT_COMPILED:
        source = (jit.SOURCES / f"{name}.py").read_text()
        assert "@compiled" not in source
        assert "@entry_point" not in source
    for name in others:
        for node in ast.walk(ast.parse((jit.SOURCES / f"{name}.py").read_text())):
            imported = node.module.split(".")[-1] if isinstance(node, ast.ImportFrom) and node.module else ""
            assert imported not in jit.NOT_COMPILED, name


def test_python_calls_no_part_of_an_entry_point() -> None:
    """It would run as Python: right, but some hundred times slower, and nobody would know why."""
    sources = {path.stem: path.read_text() for path in jit.SOURCES.glob("*.py")}
    parts = {name for source in sources.values() for name in re.findall(r"@compiled\ndef (\w+)", source)}
    assert len(parts) > 100
    engine = set(sources) - set(jit.NOT_COMPILED)
    for name in jit.NOT_COMPILED:
        for node in ast.walk(ast.parse(sources[name])):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[-1] in engine:
                assert not parts & {alias.name for alias in node.names}, name
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in engine:
                assert node.attr not in parts, name


def test_a_folder_that_cannot_be_written_is_replaced(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert jit._writable(blocked / "folder") != blocked / "folder"
    assert jit._writable(tmp_path / "folder") == tmp_path / "folder"


def test_importing_the_market_does_not_load_numba() -> None:
    code = "import sys, abides_markets.configs.rmsc04; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


MARKET = """
from abides_core import abides
from tests.abides_markets.compiled.test_python_agents import TINY, build, busy, joined_by
abides.run(build(1, joined_by(busy), **TINY), engine="compiled")
"""


LOADED = """
import importlib
from abides_markets.compiled import jit, warm
known = [(function, [signature]) for function, signature in warm.ENTRY_POINTS]
for name in sorted(path.stem for path in jit.SOURCES.glob("*.py")):
    for value in vars(importlib.import_module(f"abides_markets.compiled.{name}")).values():
        if getattr(value, "signatures", None) and (value, value.signatures) not in known:
            print(value, value.signatures)
"""


def test_a_market_calls_only_entry_points_and_only_as_they_are_compiled_at_first() -> None:
    """Anything else would be compiled by each process for itself, without a word."""
    warm.prepare()
    code = MARKET + LOADED
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_a_warm_cache_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    warm.prepare()
    capfd.readouterr()
    done = subprocess.run([sys.executable, "-c", MARKET], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


@pytest.mark.slow
def test_processes_that_start_together_compile_once_and_say_so_once(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}

    def together(code: str) -> str:
        running = [
            subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        said = "".join(process.communicate()[1] for process in running)
        assert [process.returncode for process in running] == [0, 0, 0]
        return said

    said = together("from abides_markets.compiled import warm; warm.prepare()")
    assert said.startswith("compiling the market engine")
    assert len(said.splitlines()) == 1
    compiled = sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.rglob("*.nb?"))
    assert together(MARKET) == ""
    assert sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.rglob("*.nb?")) == compiled
