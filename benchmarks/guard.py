"""Guard of the compiled engine's speed: `python -m benchmarks.guard [--store]`.

Runs rmsc04 from 09:30 to 10:00 on the compiled engine, and in the same process a bare loop, compiled too, of as many
pushes on a heap and pops from it; the best of several of each counts, in CPU time. How many times as long the run takes
depends little on the machine and its load. The command fails if that has become half as much again as what is stored in
`benchmarks/guard.json` (which is to say that the engine's speed has fallen by a third); `--store` measures and stores.
"""

from __future__ import annotations

import json
from heapq import heappop
from heapq import heappush
from pathlib import Path
from time import process_time

import numba
import numpy as np

from abides_core import abides
from benchmarks.machine import OneLineParser
from benchmarks.machine import describe
from benchmarks.machine import write_file
from benchmarks.reference import build

STORED = Path(__file__).with_name("guard.json")
LARGEST_RISE = 1.5
REPEATS = 15


@numba.njit
def bare_loop(times: np.ndarray, standing: int) -> int:
    """Push as many entries like the kernel's as there are times, and pop one for each, on a heap of `standing`."""
    heap = [(times[0], np.int64(0), np.int64(0), np.int64(0))]
    for index in range(1, standing):
        heappush(heap, (times[index], np.int64(0), np.int64(index), np.int64(index)))
    for index in range(len(times)):
        heappush(heap, (times[index], np.int64(0), np.int64(standing + index), np.int64(index)))
        heappop(heap)
    return len(heap)


def measure() -> float:
    """Return how many times as long as the bare loop a run takes."""
    kernel = abides.run(build(0), engine="compiled")["agents"][0].kernel
    times = np.random.default_rng(0).integers(10**12, size=kernel.ttl_messages)
    standing = len(kernel.agents)
    bare_loop(times, standing)
    runs, loops = [], []
    for _ in range(REPEATS):
        config = build(0)
        begin = process_time()
        abides.run(config, engine="compiled")
        ran = process_time()
        bare_loop(times, standing)
        loops.append(process_time() - ran)
        runs.append(ran - begin)
    return min(runs) / min(loops)


def main(arguments: list[str] | None = None) -> int:
    """Measure, and compare with what is stored or store it; return the exit status."""
    parser = OneLineParser(prog="benchmarks.guard", description="Guard of the compiled engine's speed.")
    parser.add_argument("--store", action="store_true", help="store what is measured as what is to be held")
    args = parser.parse_args(arguments)
    ratio = measure()
    if args.store:
        write_file(STORED, {"ratio": round(ratio, 3), "machine": describe()})
        print(f"a run takes {ratio:.2f} times as long as a bare heap loop: stored in {STORED.name}")
        return 0
    stored = json.loads(STORED.read_text())
    limit = LARGEST_RISE * stored["ratio"]
    print(
        f"a run takes {ratio:.2f} times as long as a bare heap loop; stored {stored['ratio']:.2f}"
        f" ({stored['machine']['date']}), at most {limit:.2f}"
    )
    if ratio <= limit:
        return 0
    print("the compiled engine has become slower; if that is to be so: python -m benchmarks.guard --store")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
