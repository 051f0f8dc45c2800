"""By how much a backtest flatters a strategy: `python -m experiments.backtest CONFIG`.

Each seed's do-nothing market is recorded, order by order, as if it were history. Every strategy then works the parent
order twice, buying and selling: in the market, which reacts, and in the record, which does not
(`abides_markets.agents.recorded_exchange` states the rules, the usual ones of a backtest). Same agent, same arrival,
same latencies, same decision times. What the backtest says the order costs, less what it costs, is its blind spot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from abides_core import abides
from abides_core.kernel import Kernel
from abides_core.latency_model import LatencyModel
from abides_core.streams import random_state
from abides_markets.agents.recorded_exchange import RecordedExchange
from abides_markets.lobster import LobsterMessage
from abides_markets.lobster import messages_of
from abides_markets.tape import MarketTape
from agents.execution_agent import ExecutionAgent
from agents.market import SYMBOL
from agents.market import add_execution_agent
from agents.market import build_market
from agents.market import exchange_of
from analysis.backtest import backtest_figure
from analysis.backtest import backtest_table
from analysis.backtest import headline
from analysis.backtest import summarise_backtest
from analysis.files import write_bytes
from analysis.files import write_json
from analysis.plots import save_both
from configs import Experiment
from configs import Side
from configs import load_experiment
from experiments.compare import check_request
from experiments.comparison_table import validity_lines
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.episode import Episode
from experiments.episode import check_strategies
from experiments.episode import make_agent
from experiments.gate import judge_each
from experiments.gate import summarise_passed
from experiments.gate import with_and_without
from experiments.per_seed import Options
from experiments.per_seed import measure_each
from experiments.per_seed import validation_seeds
from experiments.run_folder import RunFolder

COMPARED = (
    "twap",
    "almgren_chriss",
    "post_then_cross",
    "inside_spread",
    "passive",
    "aggressive",
    "immediate",
)
SIDES: tuple[Side, ...] = ("buy", "sell")


@dataclass
class Args(Options):
    """Options of `experiments.backtest`."""

    strategies: str = ",".join(COMPARED)
    """Names separated by commas; the first gives the headline. None that needs a policy."""
    quick: bool = False
    """Use 20 seeds and three strategies: under a minute, and wide intervals."""


def main(args: Args) -> None:
    """Measure what is not measured yet, and write summary, table and figure."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    seeds = validation_seeds(args.seeds, quick=args.quick)
    names = [name.strip() for name in args.strategies.split(",") if name.strip()]
    if args.quick and args.strategies == Args.strategies:
        names = ["twap", "post_then_cross", "immediate"]
    check_request(names, seeds, args.workers)
    check_strategies(experiment, names, None)
    arguments = {"strategies": names, "seeds": f"{seeds.start}:{seeds.stop}"}
    with RunFolder.open(args.out, "backtest", experiment, run_id=args.run_id, arguments=arguments) as run:
        verb = "resuming" if run.resumed else "measuring"
        print(f"{verb} {len(seeds)} markets, {len(names)} strategies in each, in {run.path}", flush=True)
        found = measure_backtest(experiment, names, seeds, run.path, args.workers, progress=True)
        summary = {**run.origin(), **found}
        write_json(run.file("summary.json"), summary)
        table = with_and_without(backtest_table, summary)
        write_bytes(run.file("backtest.md"), f"{headline(summary)}\n\n{table}\n".encode())
        save_both(backtest_figure(summary), run.file("backtest"))
        run.point_latest()
        run.finish()
    print("", *validity_lines(summary["validity"]), sep="\n")
    print(f"\n{headline(summary)}\n\n{table}\n\nfigure: {run.file('backtest.png')}", flush=True)


def measure_backtest(
    experiment: Experiment,
    strategies: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    workers: int = 1,
    *,
    progress: bool = False,
) -> dict[str, Any]:
    """Measure what a backtest says of strategies, and what they cost.

    Args:
        experiment: Names market, parent order and decision interval.
        strategies: Names of strategies.
        seeds: Seeds of the markets.
        folder: Each seed's measurements are kept in its `seeds/`; what is there is not measured again.
        workers: Number of processes.
        progress: Whether to show how far it is.

    Returns:
        The content of `summary.json`: what `analysis.backtest.summarise_backtest` returns, with what was run and which
        markets passed the gate.

    Raises:
        RuntimeError: If a seed could not be measured.
    """
    validity = judge_each(experiment, seeds, folder, workers, progress=progress)
    found = measure_each(partial(measure, experiment, tuple(strategies)), seeds, folder, workers, progress=progress)
    return {
        "experiment": experiment.name,
        "seeds": f"{min(seeds)}:{max(seeds) + 1}",
        **summarise_passed(summarise_backtest, found, seeds, validity),
    }


def measure(experiment: Experiment, strategies: Sequence[str], seed: int) -> dict[str, Any]:
    """Measure strategies in the market of one seed and in the record of it.

    Returns:
        By strategy `market` and `backtest`, each with `shortfall_cents` and `completion` of buy and sell.
    """
    record = Record(experiment, seed)
    found: dict[str, Any] = {}
    for name in strategies:
        runs: dict[str, dict[str, list[float | None]]] = {
            kind: {"shortfall_cents": [], "completion": []} for kind in ("market", "backtest")
        }
        for side in SIDES:
            episode = Episode(experiment, name, seed, side)
            tried = record.work(make_agent(experiment, name, seed, side, 1))
            for kind, agent, end2 in (
                ("market", episode.agent, int(episode.tape.mid2_at(np.array([episode.end]))[0])),
                ("backtest", tried, record.end_mid2),
            ):
                runs[kind]["shortfall_cents"].append(shortfall_cents(agent, end2))
                runs[kind]["completion"].append(agent.filled / agent.order.quantity)
        found[name] = runs
    return {"seed": seed, "strategies": found}


def shortfall_cents(agent: ExecutionAgent, end_mid2: int) -> float | None:
    """Return the shortfall of what an agent has done, cents per share of its parent order, positive is better.

    None without an arrival price: the book was not two-sided in the window.
    """
    if agent.arrival2 is None:
        return None
    order = agent.order
    traded = sum(fill.quantity * (agent.arrival2 - 2 * fill.price) for fill in agent.fills)
    left = (order.quantity - agent.filled) * (agent.arrival2 - end_mid2)
    return order.sign * (traded + left) / 2 / order.quantity


class Record:
    """The do-nothing market of a seed until the end of the settlement, recorded order by order.

    Args:
        experiment: The experiment.
        seed: Seed of the market.

    Attributes:
        messages: The order flow.
        tape: Trades and quotes.
        end_mid2: Twice the mid at the end of the window, half cents.
    """

    def __init__(self, experiment: Experiment, seed: int) -> None:
        config = build_market(experiment.market, seed)
        number = len(config["agents"])
        add_execution_agent(config, make_agent(experiment, "idle", seed, "buy", number))
        exchange = exchange_of(config)
        self.tape = exchange.order_books[SYMBOL].tape = MarketTape(-1)
        order = experiment.order
        self._midnight: int = config["start_time"]
        self._stop = self._midnight + order.start + order.window + order.settlement
        config["stop_time"] = self._stop
        abides.run(config, engine="auto")
        self.messages: list[LobsterMessage] = messages_of(exchange.order_books[SYMBOL].history, self._midnight)
        self.end_mid2 = int(self.tape.mid2_at(np.array([self._midnight + order.start + order.window]))[0])
        latency = config["agent_latency_model"].get_latency
        self._latencies = np.array([[0, latency(0, number)], [latency(number, 0), 0]])
        self._hours = exchange.mkt_open, exchange.mkt_close
        self._delay = config["default_computation_delay"]

    def work(self, agent: ExecutionAgent) -> ExecutionAgent:
        """Let an execution agent of id 1 work its order in the record, and return it."""
        agent.log_events = False
        exchange = RecordedExchange(
            0, *self._hours, [SYMBOL], messages=self.messages, pipeline_delay=0, computation_delay=0
        )
        exchange.log_events = False
        kernel = Kernel(
            [exchange, agent],
            start_time=self._midnight,
            stop_time=self._stop,
            agent_latency_model=LatencyModel(random_state(0), self._latencies, latency_model="deterministic"),
            default_computation_delay=self._delay,
            random_state=random_state(0),
        )
        kernel.initialize()
        kernel.runner()
        return agent


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.backtest", "Measure by how much a backtest flatters strategies.")
