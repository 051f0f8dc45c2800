"""Speed of the environments: `python -m benchmarks.environment [--seeds 0 1 2] [--markets 64] [--json FILE]`.

The shipped experiment `quick`, decided every second (1800 decisions of a half-hour order), compiled engine, code from
the cache. CPU seconds of this process: TWAP as an agent in Python inside its market, as a comparison runs it (the
market made from a template) and with every agent built in Python and filled in at the end (`abides.run`); a reset,
which makes a market and runs it from midnight to 09:35; steps of `OptimalExecEnv` and of `OptimalExecVectorEnv` under
a scripted policy, observations, rewards and infos included, and for the vector environment its resets too (one an
episode and market).
Two processes against one are wall seconds: that figure is about the machine, and is no good when others use it.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from statistics import fmean
from time import perf_counter
from time import process_time
from typing import Any

import numpy as np

from abides_core import abides
from abides_core.streams import Seed
from agents.market import SYMBOL
from agents.market import add_execution_agent
from agents.market import build_market
from agents.market import new_market
from agents.market import parent_order
from agents.strategies import TWAPAgent
from benchmarks.machine import OneLineParser
from benchmarks.machine import describe
from benchmarks.machine import seed
from benchmarks.machine import write_json
from configs import Experiment
from configs import load_experiment
from envs import OptimalExecEnv
from envs import OptimalExecVectorEnv

SECOND = 1_000_000_000
REPEATS = 3


def experiment() -> Experiment:
    """Return the experiment that is measured."""
    return load_experiment("quick").model_copy(update={"decision_interval": SECOND})


def twap_seconds(of: Experiment, market_seed: int) -> float:
    """Return the CPU seconds of a market with TWAP as an agent in Python, made and run to the end of its order."""
    order = parent_order(of, "buy")
    begin = process_time()
    kernel, _ = new_market(
        of.market, market_seed, lambda number: TWAPAgent(number, SYMBOL, order, SECOND, random_state=Seed(0))
    )
    kernel.stop_time = kernel.start_time + order.start + order.window + order.settlement
    kernel.initialize()
    kernel.runner()
    assert kernel.agents[-1].filled == order.quantity
    return process_time() - begin


def built_twap_seconds(of: Experiment, market_seed: int) -> float:
    """Return the same with every agent built in Python, and filled in at the end."""
    order = parent_order(of, "buy")
    begin = process_time()
    config = build_market(of.market, market_seed)
    agent = TWAPAgent(len(config["agents"]), SYMBOL, order, SECOND, random_state=Seed(0))
    add_execution_agent(config, agent)
    config["stop_time"] = config["start_time"] + order.start + order.window + order.settlement
    abides.run(config, engine="compiled")
    assert agent.filled == order.quantity
    return process_time() - begin


def single_seconds(env: OptimalExecEnv, market_seed: int) -> tuple[float, float, int]:
    """Return the CPU seconds of a reset and of an episode under a scripted policy, and its steps."""
    begin = process_time()
    env.reset(seed=market_seed)
    started = process_time()
    steps, done = 0, False
    while not done:
        done = env.step(1 + steps % 2)[2]
        steps += 1
    return started - begin, process_time() - started, steps


def vector_rate(of: Experiment, markets: int, market_seed: int, clock: Any = process_time) -> tuple[float, int]:
    """Return steps a second of N markets over one episode of each, resets included, and the bytes of the markets."""
    env = OptimalExecVectorEnv(markets, of)
    env.reset(seed=market_seed)
    actions = np.arange(markets) % 2 + 1
    for _ in range(of.decisions):  # one episode of each: the tables are as large as they will be
        env.step(actions)
    env.reset(seed=market_seed + markets)
    begin = clock()
    for step in range(of.decisions + 1):  # one more, to begin anew
        env.step(actions if step % 2 else actions[::-1])
    stack: Any = env._markets
    return markets * (of.decisions + 1) / (clock() - begin), stack.stack.words.nbytes


def _rate_in_process(arguments: tuple[int, int]) -> float:
    return vector_rate(experiment(), *arguments, clock=perf_counter)[0]


def processes_ratio(markets: int, count: int = 2) -> float:
    """Return the steps a wall second of several processes at once, in units of one alone."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(count) as pool:
        alone = pool.map(_rate_in_process, [(markets, 0)])[0]
        together = sum(pool.map(_rate_in_process, [(markets, 1000 * i) for i in range(count)], chunksize=1))
    return together / alone


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and, if asked, write the numbers."""
    parser = OneLineParser(prog="benchmarks.environment", description="Speed of the environments, compiled engine.")
    parser.add_argument("--seeds", type=seed, nargs="+", default=[0, 1, 2], metavar="SEED", help="default: 0 1 2")
    parser.add_argument("--markets", type=int, default=64, metavar="N", help="of the vector environment; default: 64")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    args = parser.parse_args(arguments)
    if args.json is not None and not args.json.parent.is_dir():
        parser.error(f"no folder {str(args.json.parent)!r} for --json")
    if args.markets < 1:
        parser.error(f"--markets must be at least 1, got {args.markets}")

    machine = describe()
    print(f"quick at 1 s, compiled engine, {machine['date']}")
    print(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}")
    print(f"Python {machine['python']}, numpy {machine['numpy']}\n")
    of = experiment()
    env = OptimalExecEnv(of)
    single_seconds(env, args.seeds[0])  # loads the compiled code
    singles = [min((single_seconds(env, s) for _ in range(REPEATS)), key=lambda t: t[1]) for s in args.seeds]
    rate, size = max(vector_rate(of, args.markets, s) for s in args.seeds)
    figures: dict[str, float] = {
        "twap_agent_ms": 1e3 * fmean(min(twap_seconds(of, s) for _ in range(REPEATS)) for s in args.seeds),
        "built_twap_agent_ms": 1e3 * fmean(min(built_twap_seconds(of, s) for _ in range(REPEATS)) for s in args.seeds),
        "reset_ms": 1e3 * fmean(reset for reset, _, _ in singles),
        "env_steps_per_s": sum(steps for _, _, steps in singles) / sum(ran for _, ran, _ in singles),
        "vector_steps_per_s": rate,
        "markets": args.markets,
        "market_mb": size / args.markets / 1e6,
        "two_processes": processes_ratio(args.markets),
    }
    for name, value in figures.items():
        print(f"{name:<20}{value:>12,.2f}", flush=True)
    if args.json is not None:
        write_json(args.json, "environment", {"machine": machine, "seeds": args.seeds, "figures": figures})


if __name__ == "__main__":
    main()
