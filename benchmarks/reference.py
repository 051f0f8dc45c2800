"""Speed of the reference engine: `python -m benchmarks.reference [--seeds 0 1 2] [--json FILE]`.

Builds and runs rmsc04 from 09:30 to 10:00, and rmsc03 (5128 agents) to 09:45, with book logging on and order logging
off, and reports CPU seconds of this process (time that others take does not count), entries taken from the event queue
a second ("pops", re-queued ones included), messages a second (each counted once, those in a batch too; wake-ups are not
messages), and the time of the run as a multiple of a bare loop of as many `heapq` pushes and pops in the same process.
Between machines, compare that multiple.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heapify
from heapq import heappop
from heapq import heappush
from pathlib import Path
from time import process_time
from typing import Any

from abides_core import Message
from abides_core import MessageBatch
from abides_core import abides
from abides_core.message import WakeupMsg
from abides_markets.configs import rmsc03
from abides_markets.configs import rmsc04
from benchmarks.machine import OneLineParser
from benchmarks.machine import describe
from benchmarks.machine import seed
from benchmarks.machine import write_json

END_TIME = "10:00:00"
RMSC03_END_TIME = "09:45:00"
Build = Callable[[int], dict[str, Any]]
COLUMNS = ("build_s", "run_s", "pops", "messages", "pops_per_s", "messages_per_s", "heapq_s", "ratio")


def build(market_seed: int) -> dict[str, Any]:
    """Build the market that is measured."""
    return rmsc04.build_config(seed=market_seed, end_time=END_TIME, book_logging=True, log_orders=False)


def build_rmsc03(market_seed: int) -> dict[str, Any]:
    """Build the larger market that is measured: 5128 agents."""
    return rmsc03.build_config(
        seed=market_seed, end_time=RMSC03_END_TIME, book_logging=True, log_orders=False, exchange_log_orders=False
    )


def count_messages(market_seed: int, build: Build) -> int:
    """Return how many messages one run delivers."""
    seen: set[int] = set()
    count = 0

    def trace(time: int, sender: int, recipient: int, message: Message) -> None:
        nonlocal count
        # An entry that is put back comes again as the same object; the closing-price message is one object for many.
        key = message.message_id * 2**20 + recipient
        if key not in seen and not isinstance(message, WakeupMsg):
            seen.add(key)
            count += len(message.messages) if isinstance(message, MessageBatch) else 1

    abides.run(build(market_seed), trace=trace)
    return count


def heapq_seconds(pops: int, standing: int) -> float:
    """Return the CPU seconds of `pops` pushes and pops on a heap of `standing` entries like the kernel's."""
    draws = random.Random(0)
    times = [draws.randrange(10**12) for _ in range(pops)]
    heap = [(time, 0, index, index, None) for index, time in enumerate(times[:standing])]
    heapify(heap)
    begin = process_time()
    for index, time in enumerate(times):
        heappush(heap, (time, 0, 0, standing + index, None))
        heappop(heap)
    return process_time() - begin


def measure(market_seed: int, build: Build) -> dict[str, float]:
    """Measure one seed; the keys are `COLUMNS`."""
    messages = count_messages(market_seed, build)
    begin = process_time()
    config = build(market_seed)
    built = process_time()
    end_state = abides.run(config)
    run_s = process_time() - built
    pops = end_state["agents"][0].kernel.ttl_messages
    heapq_s = heapq_seconds(pops, standing=len(config["agents"]))
    return {
        "build_s": built - begin,
        "run_s": run_s,
        "pops": pops,
        "messages": messages,
        "pops_per_s": pops / run_s,
        "messages_per_s": messages / run_s,
        "heapq_s": heapq_s,
        "ratio": run_s / heapq_s,
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print a table and, if asked, write the numbers."""
    parser = OneLineParser(prog="benchmarks.reference", description="Speed of the reference engine on two markets.")
    parser.add_argument("--seeds", type=seed, nargs="+", default=[0, 1, 2], metavar="SEED", help="default: 0 1 2")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    args = parser.parse_args(arguments)
    if args.json is not None and not args.json.parent.is_dir():
        parser.error(f"no folder {str(args.json.parent)!r} for --json")

    machine = describe()
    print(f"reference engine, {machine['date']}")
    print(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}")
    print(f"Python {machine['python']}, numpy {machine['numpy']}\n")
    result: dict[str, Any] = {"machine": machine, "end_time": END_TIME, **_table("rmsc04", END_TIME, build, args.seeds)}
    print()
    result["rmsc03"] = {
        "end_time": RMSC03_END_TIME,
        **_table("rmsc03", RMSC03_END_TIME, build_rmsc03, args.seeds),
    }
    if args.json is not None:
        write_json(args.json, "reference", result)


def _table(market: str, end_time: str, build: Build, seeds: list[int]) -> dict[str, Any]:
    """Measure a market, print its table and return its numbers."""
    print(f"{market} 09:30-{end_time[:5]}")
    print(_row("seed", COLUMNS))
    rows = {}
    for market_seed in seeds:
        rows[market_seed] = measure(market_seed, build)
        print(_row(market_seed, [_text(name, rows[market_seed][name]) for name in COLUMNS]), flush=True)
    mean = {name: sum(row[name] for row in rows.values()) / len(rows) for name in COLUMNS}
    print(_row("mean", [_text(name, mean[name]) for name in COLUMNS]))
    return {"seeds": rows, "mean": mean}


def _row(first: object, rest: Any) -> str:
    return f"{first!s:<6}" + "".join(f"{text:>16}" for text in rest)


def _text(name: str, value: float) -> str:
    if name.endswith("_s") and "per" not in name:
        return f"{value:.4f}"
    return f"{value:.1f}" if name == "ratio" else f"{value:,.0f}"


if __name__ == "__main__":
    main()
