"""Run folders: created, found again by run id, resumed, finished.

A run writes one folder `OUT/<name>-<YYYYmmdd-HHMMSS>/` with a `manifest.json` that says what ran, where and with which
versions. The run id (by default a digest of the command and its resolved configuration) finds it again: an unfinished
folder is resumed, a finished one is left alone and a new one is made. One process at a time works on a run id.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any
from typing import BinaryIO

from analysis.files import point_to
from analysis.files import write_json
from configs import ConfigError
from configs import Experiment
from configs import load_seed_ranges

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
REPOSITORY = Path(__file__).resolve().parent.parent
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSIONED = ("shortfall", "numpy", "ray", "torch", "gymnasium", "pandas", "pyarrow", "pydantic")


def git_state() -> dict[str, Any]:
    """Commit of the repository and whether files differ from it; both null outside a git checkout."""
    try:
        commit = _git("rev-parse", "HEAD")
        dirty = bool(_git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": dirty}


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(REPOSITORY), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that a result depends on; null where one is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def machine() -> dict[str, Any]:
    """Host, operating system, processor and number of cores."""
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
    }


def default_run_id(command: str, experiment: Experiment, arguments: Mapping[str, Any]) -> str:
    """Digest of everything that identifies a run: 12 hexadecimal digits.

    Args:
        command: Name of the command (`train`, `compare`, …).
        experiment: The resolved configuration.
        arguments: Other arguments that change the result, JSON values by name.
    """
    identity = {
        "command": command,
        "experiment": experiment.model_dump(mode="json"),
        "arguments": dict(arguments),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]


def read_manifest(path: Path) -> dict[str, Any] | None:
    """Manifest of a run folder, or None if it has none that can be read."""
    try:
        value = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and value.get("manifest_version") == MANIFEST_VERSION else None


def find_runs(out: Path, run_id: str) -> list[Path]:
    """Folders of a run id, oldest first."""
    found = []
    for path in out.glob(f"*/{MANIFEST}"):
        manifest = read_manifest(path.parent)
        # A folder whose name begins with a dot was never finished being made.
        hidden = path.parent.name.startswith(".") or path.parent.is_symlink()
        if not hidden and manifest is not None and manifest.get("run_id") == run_id:
            found.append((str(manifest.get("started")), path.parent))
    return [path for _, path in sorted(found)]


class RunFolder:
    """One run's folder, locked for this process until `close`; use `open` to get one.

    Attributes:
        path: The folder.
        manifest: Content of `manifest.json`.
        resumed: Whether the folder was left unfinished by an earlier process.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], resumed: bool, lock: BinaryIO) -> None:
        self.path = path
        self.manifest = manifest
        self.resumed = resumed
        self._lock = lock

    @classmethod
    def open(
        cls,
        out: str | Path,
        command: str,
        experiment: Experiment,
        *,
        run_id: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> RunFolder:
        """Resume the unfinished run of an id, or make a new folder.

        Args:
            out: Folder of all results; made if it is missing.
            command: Name of the command.
            experiment: The resolved configuration.
            run_id: Name to find the run by; by default `default_run_id`.
            arguments: Other arguments that change the result, JSON values by name.

        Returns:
            The folder, with its manifest written.

        Raises:
            ConfigError: If the id is not usable, another process works on it, or its unfinished run has another
                configuration.
        """
        out = Path(out)
        arguments = dict(arguments or {})
        if run_id is None:
            run_id = default_run_id(command, experiment, arguments)
        elif not _RUN_ID.fullmatch(run_id):
            raise ConfigError(f"--run-id {run_id!r}: use at most 64 letters, digits, '.', '_' and '-'")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--out {str(out)!r} is not a folder that can be made: {error.strerror}") from error
        lock = _lock(out, run_id)
        try:
            existing = find_runs(out, run_id)
            for path in reversed(existing):
                manifest = read_manifest(path)
                if manifest is not None and manifest["status"] != "finished":
                    _check_same(run_id, manifest, command, experiment, arguments)
                    return cls._resume(path, manifest, lock)
            return cls._create(out, run_id, command, experiment, arguments, lock)
        except BaseException:
            lock.close()
            raise

    @classmethod
    def _resume(cls, path: Path, manifest: dict[str, Any], lock: BinaryIO) -> RunFolder:
        manifest["sessions"].append(_session())
        write_json(path / MANIFEST, manifest)
        return cls(path, manifest, True, lock)

    @classmethod
    def _create(
        cls,
        out: Path,
        run_id: str,
        command: str,
        experiment: Experiment,
        arguments: dict[str, Any],
        lock: BinaryIO,
    ) -> RunFolder:
        now = datetime.now().astimezone()
        manifest = {
            "manifest_version": MANIFEST_VERSION,
            "run_id": run_id,
            "command": command,
            "status": "running",
            "started": now.isoformat(timespec="microseconds"),
            "finished": None,
            "name": experiment.name,
            "digest": experiment.digest(),
            "arguments": arguments,
            "experiment": experiment.model_dump(mode="json"),
            "seed_ranges": load_seed_ranges().model_dump(),
            "versions": versions(),
            **git_state(),
            "machine": machine(),
            "sessions": [_session()],
        }
        path = _make_folder(out, f"{experiment.name}-{now:%Y%m%d-%H%M%S}", manifest)
        return cls(path, manifest, False, lock)

    def code_warnings(self) -> list[str]:
        """Say when what is in the folder does not come from one commit: of all processes that worked on it."""
        sessions = self.manifest["sessions"]
        commits = list(dict.fromkeys(str(session["commit"]) for session in sessions))
        found = []
        if len(commits) > 1:
            found.append(f"The run was begun at commit {commits[0]} and went on at {', '.join(commits[1:])}.")
        if any(session["dirty"] for session in sessions):
            found.append("Some of the code that ran differs from its commit: uncommitted changes.")
        return found

    def origin(self, others: Sequence[str] = ()) -> dict[str, Any]:
        """Return what a summary says of where it comes from, and print what is to be warned of, `others` too."""
        warnings = [*self.code_warnings(), *others]
        for warning in warnings:
            print(f"warning: {warning}", flush=True)
        return {"commit": self.manifest["commit"], "dirty": self.manifest["dirty"], "warnings": warnings}

    def file(self, name: str) -> Path:
        """Path of a file in the folder."""
        return self.path / name

    def update(self, **values: Any) -> None:
        """Set entries of the manifest and write it."""
        self.manifest.update(values)
        write_json(self.path / MANIFEST, self.manifest)

    def finish(self, **values: Any) -> None:
        """Mark the run finished, set further entries of the manifest, and release the run id."""
        self.update(status="finished", finished=datetime.now().astimezone().isoformat(timespec="seconds"), **values)
        self.close()

    def point_latest(self) -> None:
        """Make `OUT/latest` a symbolic link to this folder."""
        point_to(self.path.parent / "latest", self.path)

    def close(self) -> None:
        """Release the run id without marking the run finished: the same command resumes it."""
        self._lock.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _session() -> dict[str, Any]:
    """What one process that worked on the run was."""
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "argv": sys.argv,
        "pid": os.getpid(),
        **git_state(),
    }


def _make_folder(out: Path, name: str, manifest: dict[str, Any]) -> Path:
    """Make a new folder with its manifest; two runs begun within one second get different names."""
    temporary = out / f".{name}.{os.getpid()}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    write_json(temporary / MANIFEST, manifest)
    number = 1
    while True:
        path = out / (name if number == 1 else f"{name}-{number}")
        if not path.exists():
            try:
                # A folder never replaces one that has files in it, so a race for the name is lost here, not merged.
                os.rename(temporary, path)
            except OSError:
                if not path.exists():
                    raise
            else:
                return path
        number += 1


def _check_same(
    run_id: str,
    manifest: dict[str, Any],
    command: str,
    experiment: Experiment,
    arguments: dict[str, Any],
) -> None:
    """Refuse to continue a run under another command or configuration."""
    if manifest["command"] != command:
        raise ConfigError(f"--run-id {run_id!r} is an unfinished run of {manifest['command']}, not of {command}")
    now = _flatten({"experiment": experiment.model_dump(mode="json"), "arguments": arguments})
    then = _flatten({"experiment": manifest["experiment"], "arguments": manifest["arguments"]})
    for key in sorted(now.keys() | then.keys()):
        if now.get(key) != then.get(key):
            raise ConfigError(
                f"--run-id {run_id!r} is an unfinished run with {key} = {then.get(key)!r}, now {now.get(key)!r}:"
                " choose another run id"
            )


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves of nested mappings by dotted key; lists are leaves."""
    if not isinstance(value, dict) or not value:
        return {prefix: json.loads(json.dumps(value))}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat.update(_flatten(item, f"{prefix}.{key}" if prefix else str(key)))
    return flat


def _lock(out: Path, run_id: str) -> BinaryIO:
    """Take the lock of a run id.

    A record lock belongs to the process, not to its children, and the system drops it when the process dies, however
    it dies: a stale lock cannot exist.
    """
    path = out / f".{run_id}.lock"
    file = path.open("a+b")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        owner = file.read().decode(errors="replace").strip()
        file.close()
        raise ConfigError(f"--run-id {run_id!r} is being worked on by {owner or 'another process'}") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {platform.node()}".encode())
    file.flush()
    return file
