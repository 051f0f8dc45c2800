"""Speed of the execution environment: `python -m benchmarks.gym [--seeds 0 1 2] [--json FILE]`.

Plays half an hour of `markets-execution-v0` on rmsc04 (a parent order too large to be completed), with decisions every
second and every ten seconds, once with random actions and once without an order ("hold"), and reports CPU seconds of
this process for `reset` and for all steps of an episode, and steps a second. Upstream's figures, for the same episodes
on another machine, stand beside them.
"""

from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import Any

import gymnasium
import numpy as np

import abides_gym
from abides_core.engines import AUTO
from abides_core.engines import REFERENCE
from benchmarks.machine import OneLineParser
from benchmarks.machine import describe
from benchmarks.machine import seed
from benchmarks.machine import write_json

ID = "markets-execution-v0"
assert ID in abides_gym.ENVIRONMENTS
WINDOW = "00:30:00"
PARENT = 10**6
HOLD = 2
COLUMNS = ("reset_s", "steps_s", "steps", "steps_per_s", "upstream_s")
EPISODES = {("1s", "random"): 100.0, ("1s", "hold"): 14.5, ("10s", "random"): 4.7, ("10s", "hold"): None}
"""Time between decisions and policy; upstream's CPU seconds for the steps of an episode, where measured."""


def play(interval: str, policy: str, market_seed: int, engine: str) -> tuple[float, float, int]:
    """Play an episode; return the CPU seconds of its reset and of its steps, and their number."""
    env = gymnasium.make(
        ID,
        timestep_duration=interval,
        execution_window=WINDOW,
        parent_order_size=PARENT,
        engine=engine,
        disable_env_checker=True,
    )
    draws = np.random.default_rng(market_seed)
    begin = process_time()
    env.reset(seed=market_seed)
    started = process_time()
    steps, over = 0, False
    while not over:
        action = int(draws.integers(3)) if policy == "random" else HOLD
        _, _, terminated, truncated, _ = env.step(action)
        steps += 1
        over = terminated or truncated
    ended = process_time()
    env.close()
    return started - begin, ended - started, steps


def measure(interval: str, policy: str, seeds: list[int], engine: str) -> dict[str, float | None]:
    """Measure one kind of episode, the mean over the seeds; the keys are `COLUMNS`."""
    rows = np.array([play(interval, policy, market_seed, engine) for market_seed in seeds])
    reset_s, steps_s, steps = rows.mean(axis=0).tolist()
    return {
        "reset_s": reset_s,
        "steps_s": steps_s,
        "steps": steps,
        "steps_per_s": steps / steps_s,
        "upstream_s": EPISODES[interval, policy],
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print a table and, if asked, write the numbers."""
    parser = OneLineParser(prog="benchmarks.gym", description=f"Speed of {ID} on rmsc04, half an hour an episode.")
    parser.add_argument("--seeds", type=seed, nargs="+", default=[0, 1, 2], metavar="SEED", help="default: 0 1 2")
    parser.add_argument(
        "--engine", choices=(REFERENCE, AUTO), default=REFERENCE, help=f"default: {REFERENCE}, as upstream's"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    args = parser.parse_args(arguments)
    if args.json is not None and not args.json.parent.is_dir():
        parser.error(f"no folder {str(args.json.parent)!r} for --json")

    machine = describe()
    print(f"{ID}, half an hour, {args.engine} engine, {machine['date']}")
    print(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}")
    print(f"Python {machine['python']}, numpy {machine['numpy']}; means over seeds {', '.join(map(str, args.seeds))}\n")
    play("60s", "random", args.seeds[0], args.engine)  # loads what is loaded when first used
    print(_row("every", "policy", COLUMNS))
    rows: dict[str, Any] = {}
    for interval, policy in EPISODES:
        row = measure(interval, policy, args.seeds, args.engine)
        rows[f"{interval} {policy}"] = row
        print(_row(interval, policy, [_text(name, row[name]) for name in COLUMNS]), flush=True)
    if args.json is not None:
        write_json(args.json, "gym", {"machine": machine, "engine": args.engine, "seeds": args.seeds, "episodes": rows})


def _row(interval: str, policy: str, rest: Any) -> str:
    return f"{interval:<7}{policy:<8}" + "".join(f"{text:>13}" for text in rest)


def _text(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name == "upstream_s":
        return f"{value:.1f}"
    return f"{value:.3f}" if name.endswith("_s") and name != "steps_per_s" else f"{value:,.0f}"


if __name__ == "__main__":
    main()
