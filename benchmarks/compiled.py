"""Speed of the compiled engine: `python -m benchmarks.compiled [--seeds 0 1 2] [--json FILE]`.

Builds and runs rmsc04 from 09:30 to 10:00 with book logging on and order logging off on both engines in the same
process, and reports CPU seconds of this process: building, running (the end state included, the book's history and
snapshots not, which are made when first looked at), both together, and how many times faster than the reference engine
that is. The compiled code comes from the cache; how long it takes to make is measured once, in a process with an empty
cache. The best of several runs counts for the compiled engine, as a run is too short for one alone. Further figures
(`FIGURES`) follow: a whole day, larger populations, memory, forks, the start of a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from time import process_time
from typing import Any

import numpy as np

from abides_core import abides
from abides_markets.compiled import layout as at
from abides_markets.configs import rmsc04
from benchmarks.machine import OneLineParser
from benchmarks.machine import describe
from benchmarks.machine import seed
from benchmarks.machine import write_json
from benchmarks.reference import END_TIME
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


def whole_day() -> dict[str, float]:
    """From the open to 16:00, book logging on."""
    config = rmsc04.build_config(seed=0, end_time="16:00:00", log_orders=False)
    begin = process_time()
    abides.run(config, engine="compiled")
    return {"run, s": process_time() - begin}


def populations() -> dict[str, float]:
    """CPU time for each message, all of the run in it, with 1, 10 and 100 times the noise and value agents."""
    figures = {}
    for factor in (1, 10, 100):
        seconds = []
        for _ in range(REPEATS if factor < 100 else 2):
            config = rmsc04.build_config(
                seed=0,
                end_time=END_TIME,
                log_orders=False,
                num_noise_agents=1000 * factor,
                num_value_agents=102 * factor,
            )
            begin = process_time()
            kernel = abides.run(config, engine="compiled")["agents"][0].kernel
            seconds.append(process_time() - begin)
        figures[f"at {factor} times the agents, us"] = min(seconds) * 1e6 / int(kernel.buffer[at.NEXT_MESSAGE])
    return figures


def copies() -> dict[str, float]:
    """A market of rmsc04 at 09:35: its memory, forks of it that are kept, and a snapshot.

    The first forks lie in memory that the process has not touched before, which on a virtual machine the host may have
    to find first; those that follow lie where they lay.
    """
    kernel = abides.new_kernel(build(0), np.random.RandomState(0), "compiled")
    kernel.initialize()
    kernel.stop_time = kernel.agents[0].mkt_open + 300 * 10**9
    kernel.runner()
    medians = []
    for _ in range(2):
        forks, seconds = [], []
        for _ in range(50):
            begin = process_time()
            forks.append(kernel.fork())
            seconds.append(process_time() - begin)
        medians.append(float(np.median(seconds)) * 1e3)
        del forks
    return {
        "memory of a market, MB": kernel.buffer.nbytes / 1e6,
        "first forks, ms": medians[0],
        "fork, ms": medians[1],
        "snapshot, MB": len(kernel.snapshot()) / 1e6,
    }


def starts() -> dict[str, float]:
    """From the start of a process to the end of a run, wall time."""
    with tempfile.TemporaryDirectory() as cache:
        cold = first_run_seconds(cache)
    return {"with an empty cache, s": cold, "after, s": first_run_seconds(None)}


FIGURES: dict[str, Callable[[], dict[str, float]]] = {
    "whole day": whole_day,
    "time for each message": populations,
    "copies": copies,
    "process and run": starts,
}
"""What is measured besides the runs, by what it is called in print and in the file."""


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
    print()
    figures = {}
    for title, figure in FIGURES.items():
        figures[title] = figure()
        print(f"{title}: " + "; ".join(f"{name} {value:.3g}" for name, value in figures[title].items()), flush=True)
    if args.json is not None:
        write_json(args.json, "compiled", {"machine": machine, "seeds": rows, "mean": mean, "figures": figures})


def _row(first: object, rest: Any) -> str:
    return f"{first!s:<6}" + "".join(f"{text:>13}" for text in rest)


def _text(name: str, value: float) -> str:
    if name.endswith("ratio"):
        return f"{value:.0f}"
    return f"{value:,.0f}" if name == "pops_per_s" else f"{value:.4f}"


if __name__ == "__main__":
    main()
