"""The house: packaging, dependencies, commands, and the direction of imports."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
WHEEL = ("abides_core", "abides_gym", "abides_markets")
HARNESS = ("agents", "analysis", "benchmarks", "configs", "envs", "experiments")
TARGETS = ["setup", "experiment", "train", "compare", "sweep", "notebooks", "test", "lint", "type", "bench", "clean"]


def project() -> dict[str, Any]:
    metadata: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return metadata


def requirements(extra: str | None = None) -> dict[str, Requirement]:
    metadata = project()
    lines = metadata["dependencies"] if extra is None else metadata["optional-dependencies"][extra]
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The flags of a `make test` that runs this would leak into the inner one.
    inherited = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    environment = {name: value for name, value in os.environ.items() if name not in inherited}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)


def third_party_imports(packages: tuple[str, ...]) -> dict[str, str]:
    """The distribution of each top-level module that the packages import from outside, with one file that does."""
    own = {*WHEEL, *HARNESS}
    distributions = packages_distributions()
    found: dict[str, str] = {}
    for path in (path for package in packages for path in sorted((ROOT / package).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for module in {name.split(".")[0] for name in names} - own - set(sys.stdlib_module_names):
                for distribution in distributions.get(module, [module]):
                    found[canonicalize_name(distribution)] = str(path.relative_to(ROOT))
    return found


def test_make_help_lists_every_target() -> None:
    listed = set(re.findall(r"^  ([a-z-]+) ", make("help").stdout, flags=re.MULTILINE))
    assert set(TARGETS) <= listed
    assert make().stdout == make("help").stdout


@pytest.mark.parametrize(
    "target",
    [
        "experiment",
        "train",
        "curves",
        "validate",
        "compare",
        "benchmarks",
        "report",
        "watch",
        "calibrate",
        "impact",
        "signals",
        "explain",
        "frontier",
        "transfer",
        "backtest",
        "realism",
        "regimes",
        "lobster",
        "sweep",
        "notebooks",
        "reproduce",
        "test",
        "test-browser",
        "bench",
        "type",
    ],
)
def test_make_passes_arguments_on(target: str) -> None:
    assert "--of-the-command" in make("--dry-run", target, "ARGS=--of-the-command").stdout


def test_setup_refuses_a_missing_python_in_one_line() -> None:
    done = make("--always-make", "setup", "PYTHON=no-such-python")
    assert done.returncode == 2
    assert "'no-such-python'" in done.stderr.splitlines()[0]
    assert "3.11" in done.stderr.splitlines()[0]


def test_version_is_the_same_everywhere() -> None:
    version = project()["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert citation["version"] == version
    assert newest is not None
    assert newest[1] == version


def test_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_simulator_installs_without_the_harness() -> None:
    assert set(requirements()) == {"gymnasium", "llvmlite", "numba", "numpy", "pandas"}


def test_simulator_imports_only_what_it_declares() -> None:
    imported = third_party_imports(WHEEL)
    undeclared = {name: path for name, path in imported.items() if name not in requirements()}
    assert not undeclared


def test_harness_imports_only_what_it_declares() -> None:
    imported = third_party_imports(HARNESS)
    undeclared = {name: path for name, path in imported.items() if name not in requirements() | requirements("harness")}
    assert not undeclared


@pytest.mark.parametrize("package", WHEEL)
def test_importing_the_simulator_loads_nothing_of_the_harness(package: str) -> None:
    code = f"import sys, {package}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert package in loaded
    assert not loaded & {"ray", "torch", "pydantic", "yaml", "matplotlib", "statsmodels"}


def test_every_dependency_has_a_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| ([\w.\-]+)(?:\[[\w,]+\])? \| (.+?) \|$", text, flags=re.MULTILINE)
    reasons = {canonicalize_name(name) for name, _ in rows if name != "distribution"}
    assert reasons == {*requirements(), *requirements("harness"), *requirements("dev")}


def test_constraints_pin_every_dependency_within_its_range() -> None:
    pinned = pins()
    for name, requirement in (requirements() | requirements("harness") | requirements("dev")).items():
        assert requirement.specifier.contains(pinned[name]), f"{requirement} against the pin {pinned[name]}"


def test_gymnasium_range_admits_the_version_ray_pins() -> None:
    assert requirements()["gymnasium"].specifier.contains("1.2.2")


def test_wheel_holds_the_simulator_and_nothing_else(tmp_path: Path) -> None:
    build = "import sys, hatchling.build as backend; print(backend.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = {name.split("/")[0] for name in names}
    metadata = f"shortfall-{project()['version']}.dist-info"
    assert folders == {*WHEEL, metadata}
    assert f"{metadata}/licenses/LICENSE" in names


def test_ci_script_is_executable_and_strict() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
