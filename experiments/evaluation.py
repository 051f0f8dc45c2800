"""The units of a comparison: one strategy on one seed's market, evaluated once and kept as files.

A unit's records lie in `parts/<strategy>/<seed>/`, a folder that takes its name only once it is complete. So whatever
kills the run, a unit is either finished or not begun, and the tables of the whole run are its finished parts in order:
the number of processes and the order in which they end leave no trace in them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from agents.registry import check_importable
from agents.registry import source_digest
from analysis.files import atomic_file
from analysis.files import write_bytes
from analysis.files import write_folder
from analysis.files import write_json
from analysis.records import RecordsError
from analysis.records import concat_tables
from analysis.records import read_table
from analysis.records import table_path
from analysis.records import write_table
from analysis.schema import RECORD_TABLES
from analysis.schema import SCHEMA_VERSION
from analysis.schema import make_table
from analysis.schema import table_spec
from configs import ConfigError
from configs import Experiment
from configs import Side
from experiments.episode import run_do_nothing
from experiments.episode import run_episode
from experiments.episode import strategy_config
from experiments.parallel import Outcome
from experiments.parallel import run_tasks

PARTS = "parts"
IDENTITY = "parts.json"
FAILURES = "failures"
# No strategy can have this name: it has a hyphen.
DO_NOTHING = "do-nothing"
ROWS_PER_GROUP = 500_000


@dataclass(frozen=True)
class Unit:
    """What is evaluated at one go: a strategy, or `DO_NOTHING` for the validity gate, on one seed's market."""

    strategy: str
    seed: int


@dataclass(frozen=True)
class Failure:
    """A unit that could not be evaluated.

    Attributes:
        unit: The unit.
        error: Last line of the traceback.
        file: Text file with the whole of it.
    """

    unit: Unit
    error: str
    file: Path


@dataclass(frozen=True)
class Plan:
    """Everything that decides the records of a comparison.

    Attributes:
        experiment: The experiment.
        strategies: Names of strategies; the first is the reference of every pair.
        seeds: Seeds of the markets.
        sides: Sides of the parent order, each run on every market.
        policy: File of the exported policy; None if no strategy trades with one.
    """

    experiment: Experiment
    strategies: tuple[str, ...]
    seeds: Sequence[int]
    sides: tuple[Side, ...]
    policy: Path | None = None

    def policy_digest(self) -> str | None:
        """SHA-256 of the policy's file."""
        return hashlib.sha256(self.policy.read_bytes()).hexdigest() if self.policy is not None else None

    def units(self) -> list[Unit]:
        """All units, seed by seed, so that a run that is cut short has whole seeds."""
        return [Unit(strategy, seed) for seed in self.seeds for strategy in (DO_NOTHING, *self.strategies)]


def claim_folder(plan: Plan, folder: Path) -> None:
    """Note in the folder what decides a unit's records, so that units of another configuration are never mixed in.

    Raises:
        ConfigError: If the folder holds units of another experiment, other sides, another policy, another version of
            the record tables, or of strategies of somebody's own that read differently now.
    """
    identity: dict[str, Any] = {
        "experiment": plan.experiment.digest(),
        "sides": list(plan.sides),
        "policy": plan.policy_digest(),
        "schema_version": SCHEMA_VERSION,
        "own_strategies": {
            name: digest
            for name in plan.strategies
            if (digest := source_digest(strategy_config(plan.experiment, name).kind)) is not None
        },
    }
    path = folder / IDENTITY
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        for key, value in identity.items():
            if key == "own_strategies":
                changed = [name for name, digest in found.get(key, {}).items() if value.get(name, digest) != digest]
                if changed:
                    raise ConfigError(f"{folder} holds units of {changed[0]!r} as it was before its code was changed")
                identity[key] = {**found.get(key, {}), **value}
            elif found.get(key) != value:
                raise ConfigError(f"{folder} holds units of another {key} ({found.get(key)}, now {value})")
    write_json(path, identity)


def evaluate_units(
    plan: Plan,
    folder: Path,
    workers: int = 1,
    tell: Callable[[int, int], None] | None = None,
    address: str | None = None,
) -> list[Failure]:
    """Evaluate the units that are not finished yet.

    Args:
        plan: What to evaluate.
        folder: Run folder; units are kept in its `parts/`, tracebacks of those that fail in `failures/`.
        workers: Number of processes.
        tell: Called with the number of finished units and of failed ones after each unit.
        address: Ray cluster to run on, instead of processes of this machine.

    Returns:
        The units that failed, in the order of the plan.

    Raises:
        ConfigError: If other processes would trade with another class than this one.
    """
    parts = folder / PARTS
    _remove_leftovers(folder)
    units = plan.units()
    if workers > 1 or address is not None:
        for name in plan.strategies:
            check_importable(strategy_config(plan.experiment, name).kind)
    waiting = [unit for unit in units if not _part(parts, unit).is_dir()]
    finished = len(units) - len(waiting)
    failures: dict[Unit, Failure] = {}
    for outcome in _run(partial(evaluate_unit, plan, parts), waiting, workers, folder, address):
        if outcome.error is None:
            finished += 1
        else:
            failures[outcome.task] = _record_failure(folder, outcome.task, outcome.error)
        if tell is not None:
            tell(finished, len(failures))
    return [failures[unit] for unit in units if unit in failures]


def _run(
    function: Callable[[Unit], None], units: list[Unit], workers: int, folder: Path, address: str | None
) -> Iterator[Outcome[Unit]]:
    if address is None:
        yield from run_tasks(function, units, workers)
        return
    # Imported late: a comparison on one machine needs no Ray.
    from experiments.cluster import run_on_cluster
    from experiments.ray_session import ray_at

    with ray_at(address, cpus=workers):
        yield from run_on_cluster(function, units, folder)


def seconds_a_unit(plan: Plan) -> float | None:
    """Estimate how long a unit takes on one idle core, from an episode run now; None if that fails."""
    run = partial(run_episode, plan.experiment, plan.strategies[0], plan.seeds[0], plan.sides[0], plan.policy)
    try:
        run()  # loads what is compiled
        begin = perf_counter()
        run()
    except Exception:  # told with its traceback when the unit itself is run
        return None
    # Most units run every side; those of nobody trading run once.
    runs = len(plan.strategies) * len(plan.sides) + 1
    return (perf_counter() - begin) * runs / (len(plan.strategies) + 1)


def count_finished(plan: Plan, folder: Path) -> int:
    """Number of units that an earlier process finished."""
    return sum(_part(folder / PARTS, unit).is_dir() for unit in plan.units())


def evaluate_unit(plan: Plan, parts: Path, unit: Unit) -> None:
    """Run one unit's markets, all sides, and write its part."""
    if unit.strategy == DO_NOTHING:
        judged = run_do_nothing(plan.experiment, unit.seed)
        tables = {"validity": make_table("validity", {name: [value] for name, value in judged.items()})}
    else:
        runs = [run_episode(plan.experiment, unit.strategy, unit.seed, side, plan.policy) for side in plan.sides]
        tables = {name: concat_tables(name, [run[name] for run in runs]) for name in RECORD_TABLES}

    def fill(folder: Path) -> None:
        for name, table in tables.items():
            write_table(folder, name, table)

    write_folder(_part(parts, unit), fill)


def merge_parts(plan: Plan, folder: Path) -> None:
    """Join the finished parts into the run's tables, sorted by (strategy, seed, side, time, id)."""
    parts = folder / PARTS
    for name in RECORD_TABLES:
        units = [Unit(strategy, seed) for strategy in sorted(plan.strategies) for seed in sorted(plan.seeds)]
        _merge(name, [_part(parts, unit) for unit in units], folder)
    _merge("validity", [_part(parts, Unit(DO_NOTHING, seed)) for seed in sorted(plan.seeds)], folder)


def _merge(name: str, parts: Sequence[Path], folder: Path) -> None:
    schema = table_spec(name).schema
    with (
        atomic_file(table_path(folder, name)) as file,
        pq.ParquetWriter(file, schema, compression="zstd", compression_level=3, version="2.6") as writer,
    ):
        for group in _row_groups(name, parts):
            writer.write_table(group, row_group_size=group.num_rows)


def _row_groups(name: str, parts: Sequence[Path]) -> Iterator[pa.Table]:
    """The rows of the finished parts, in their order, some hundred thousand at a time."""
    batch: list[pa.Table] = []
    rows = 0
    for part in parts:
        if not part.is_dir():
            continue
        try:
            batch.append(read_table(part, name))
        except RecordsError as error:
            raise RecordsError(f"{error}; remove the folder {part} and run the same command again") from error
        rows += batch[-1].num_rows
        if rows >= ROWS_PER_GROUP:
            yield pa.concat_tables(batch).combine_chunks()
            batch, rows = [], 0
    if rows:
        yield pa.concat_tables(batch).combine_chunks()


def _part(parts: Path, unit: Unit) -> Path:
    return parts / unit.strategy / str(unit.seed)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written, and the failures of units that now get another chance."""
    for unfinished in (folder / PARTS).glob("*/.*.tmp"):
        shutil.rmtree(unfinished)
    shutil.rmtree(folder / FAILURES, ignore_errors=True)


def _record_failure(folder: Path, unit: Unit, error: str) -> Failure:
    file = folder / FAILURES / f"{unit.strategy}-{unit.seed}.txt"
    write_bytes(file, f"strategy {unit.strategy}, seed {unit.seed}\n\n{error}".encode())
    return Failure(unit, error.strip().splitlines()[-1], file)
