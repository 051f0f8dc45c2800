"""What every measurement is reported with, and the command line that the scripts share."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any
from typing import NoReturn

import numpy as np


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line on standard error and exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, in one line, and exit."""
        print(f"{self.prog}: {message}", file=sys.stderr)
        raise SystemExit(2)


def seed(text: str) -> int:
    """Read a seed.

    Raises:
        argparse.ArgumentTypeError: Unless it is a whole number from 0 to 2**32 − 1.
    """
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 to {2**32 - 1}, got {text!r}")
    return int(text)


def seed_range(text: str) -> range:
    """Read a half-open range of seeds.

    Raises:
        argparse.ArgumentTypeError: Unless it is A:B with A < B.
    """
    begin, separator, end = text.partition(":")
    if not (separator and begin.isdecimal() and end.isdecimal() and int(begin) < int(end)):
        raise argparse.ArgumentTypeError(f"seeds are A:B with A < B (B is left out), got {text!r}")
    return range(int(begin), int(end))


def count(text: str) -> int:
    """Read a number of things.

    Raises:
        argparse.ArgumentTypeError: Unless it is a whole number of at least 10.
    """
    if not text.isdecimal() or int(text) < 10:
        raise argparse.ArgumentTypeError(f"give a whole number of at least 10, got {text!r}")
    return int(text)


def describe() -> dict[str, Any]:
    """Return processor, cores, load (1 minute), versions and the date."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def write_json(path: Path, name: str, result: Any) -> None:
    """Write a result as JSON under a name, beside those of other benchmarks that the file holds; whole or not at all.

    Raises:
        ValueError: If there is a file that holds something else.
    """
    try:
        results = json.loads(path.read_text())
    except FileNotFoundError:
        results = {}
    if not isinstance(results, dict):
        raise ValueError(f"{path} holds no results of benchmarks: {str(results)[:40]}")
    write_file(path, {**results, name: result})


def write_file(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)
