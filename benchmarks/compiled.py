"""Speed of the compiled engine: `python -m benchmarks.compiled [--seeds 0 1 2] [--json FILE]`.

Builds and runs rmsc04 from 09:30 to 10:00 with book logging on and order logging off on both engines in the same
process, and reports CPU seconds of this process: building, running (the end state included, the book's history and
snapshots not, which are made when first looked at), both together, and how many times faster than the reference engine
that is. The compiled code comes from the cache; how long it takes to make is measured once, in a process with an empty
cache. The best of several runs counts for the compiled engine, as a run is too short for one alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from time import process_time
from typing import Any

from abides_core import abides
from benchmarks.machine import OneLineParser
from benchmarks.machine import describe
from benchmarks.machine import seed
from benchmarks.machine import write_json
from benchmarks.reference import build

REPEATS = 5
COLUMNS = ("build_s", "run_s", "total_s", "pops_per_s", "reference_s", "run_ratio", "total_ratio", "book_s")
FIRST_RUN = """
from abides_core import abides
from benchmarks.reference import build
abides.run(build(0), engine="compiled")
"""


def time_run(market_seed: int, engine: str) -> tuple[float, float, dict[str, Any]]:
    """Return the CPU seconds of building and running a market, and the end state."""
    begin = process_time()
    config = build(market_seed)
    built = process_time()
    end_state = abides.run(config, engine=engine)
    return built - begin, process_time() - built, end_state


def measure(market_seed: int) -> dict[str, float]:
    """Measure one seed; the keys are `COLUMNS`."""
    built, ran, end_state = min(
        (time_run(market_seed, "compiled") for _ in range(REPEATS)), key=lambda times: times[0] + times[1]
    )
    exchange = end_state["agents"][0]
    begin = process_time()
    assert next(iter(exchange.order_books.values())).history
    book = process_time() - begin
    reference_built, reference_ran, reference = time_run(market_seed, "reference")
    assert reference["agents"][0].kernel.ttl_messages == exchange.kernel.ttl_messages
    return {
        "build_s": built,
        "run_s": ran,
        "total_s": built + ran,
        "pops_per_s": exchange.kernel.ttl_messages / ran,
        "reference_s": reference_ran,
        "run_ratio": reference_ran / ran,
        "total_ratio": (reference_built + reference_ran) / (built + ran),
        "book_s": book,
    }


def first_run_seconds(cache: str | None) -> float:
    """Return the wall seconds of a process that runs one market, with a cache folder of its own or the usual one."""
    environment = {**os.environ, **({"XDG_CACHE_HOME": cache} if cache is not None else {})}
    begin = perf_counter()
    subprocess.run([sys.executable, "-c", FIRST_RUN], env=environment, check=True, stderr=subprocess.DEVNULL)
    return perf_counter() - begin


def main(arguments: list[str] | None = None) -> None:
    """Measure, print a table and, if asked, write the numbers."""
    parser = OneLineParser(prog="benchmarks.compiled", description="Speed of the compiled engine on rmsc04 to 10:00.")
    parser.add_argument("--seeds", type=seed, nargs="+", default=[0, 1, 2], metavar="SEED", help="default: 0 1 2")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    args = parser.parse_args(arguments)
    if args.json is not None and not args.json.parent.is_dir():
        parser.error(f"no folder {str(args.json.parent)!r} for --json")

    machine = describe()
    print(f"rmsc04 09:30-10:00, compiled engine, {machine['date']}")
    print(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}")
    print(f"Python {machine['python']}, numpy {machine['numpy']}\n")
    time_run(args.seeds[0], "compiled")  # loads the compiled code
    print(_row("seed", COLUMNS))
    rows = {}
    for market_seed in args.seeds:
        rows[market_seed] = measure(market_seed)
        print(_row(market_seed, [_text(name, rows[market_seed][name]) for name in COLUMNS]), flush=True)
    mean = {name: sum(row[name] for row in rows.values()) / len(rows) for name in COLUMNS}
    print(_row("mean", [_text(name, mean[name]) for name in COLUMNS]))
    with tempfile.TemporaryDirectory() as cache:
        cold = first_run_seconds(cache)
    warm = first_run_seconds(None)
    print(f"\nfrom the start of a process to the end of a run: {cold:.1f} s with an empty cache, {warm:.1f} s after")
    if args.json is not None:
        first = {"cold_s": cold, "warm_s": warm}
        write_json(args.json, {"machine": machine, "seeds": rows, "mean": mean, "first_run": first})


def _row(first: object, rest: Any) -> str:
    return f"{first!s:<6}" + "".join(f"{text:>13}" for text in rest)


def _text(name: str, value: float) -> str:
    if name.endswith("ratio"):
        return f"{value:.0f}"
    return f"{value:,.0f}" if name == "pops_per_s" else f"{value:.4f}"


if __name__ == "__main__":
    main()
