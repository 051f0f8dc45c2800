"""One measurement a seed, kept as one file each: an interrupted command measures only what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tyro

from analysis.files import write_json
from configs import ConfigError
from configs import load_seed_ranges
from configs import parse_seeds
from experiments.console import Progress
from experiments.console import Settings
from experiments.parallel import run_tasks

SEEDS = 200
QUICK_SEEDS = 20


@dataclass
class Options:
    """Options of a command that measures one market a seed."""

    config: tyro.conf.Positional[str]
    """Configuration that names market, order and decision interval: a YAML file, or the name of one in configs/."""
    seeds: str | None = None
    """Seeds of the markets, A:B with B excluded; by default the first 200 validation seeds of configs/seeds.yaml."""
    quick: bool = False
    """Use 20 seeds: under a minute, and wide intervals."""
    workers: int = 2
    """Number of processes."""
    out: Path = Path("results")
    """Folder of all results."""
    run_id: str | None = None
    """Name to find the run by: unfinished, it resumes."""
    settings: Settings = ()
    """Values that replace the configuration's, as market.regime=thin."""


def validation_seeds(text: str | None, *, quick: bool = False) -> range:
    """Return the seeds of an option, or else the first 200 (quick: 20) of the validation range.

    Raises:
        ConfigError: If they are not a range, or fewer than two.
    """
    if text is None:
        first = parse_seeds(load_seed_ranges().validation).start
        return range(first, first + (QUICK_SEEDS if quick else SEEDS))
    seeds = parse_seeds(text)
    if len(seeds) < 2:
        raise ConfigError(f"seeds {text}: an interval needs at least two")
    return seeds


def check_workers(workers: int) -> None:
    """Refuse a number of processes that is not positive.

    Raises:
        ConfigError: If it is not.
    """
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")


def measure_each(
    measure: Callable[[int], dict[str, Any]],
    seeds: Sequence[int],
    folder: Path,
    workers: int = 1,
    *,
    progress: bool = False,
    doing: str = "measuring",
) -> list[dict[str, Any]]:
    """Measure the market of every seed.

    Args:
        measure: Returns the measurements of a seed, as JSON values; with more than one worker importable: a module's
            function, or a `partial` of one.
        seeds: The seeds.
        folder: Each seed's measurements are kept in its `seeds/`; what is there is not measured again.
        workers: Number of processes.
        progress: Whether to show how far it is.
        doing: What the line of progress says is done.

    Returns:
        The measurements in the order of the seeds; the number of processes leaves no trace in them.

    Raises:
        RuntimeError: If a seed could not be measured.
    """
    parts = folder / "seeds"
    parts.mkdir(parents=True, exist_ok=True)
    waiting = [seed for seed in seeds if not _part(parts, seed).exists()]
    start = len(seeds) - len(waiting)
    shown = Progress(doing, len(seeds), unit="markets", start=start) if progress else nullcontext()
    with shown as line:
        for done, outcome in enumerate(run_tasks(partial(_measure_into, measure, parts), waiting, workers), start + 1):
            if outcome.error is not None:
                raise RuntimeError(f"seed {outcome.task} could not be measured: {outcome.error}")
            if line is not None:
                line.update(done)
    return [json.loads(_part(parts, seed).read_text(encoding="utf-8")) for seed in seeds]


def _part(parts: Path, seed: int) -> Path:
    return parts / f"{seed}.json"


def _measure_into(measure: Callable[[int], dict[str, Any]], parts: Path, seed: int) -> None:
    write_json(_part(parts, seed), measure(seed))
