"""How real the simulated market is: `python -m experiments.realism CONFIG`, or `make realism`.

Two questions. Is rmsc04 here the rmsc04 of upstream ABIDES? Its statistics on seeds 0 to 9 are held against those that
were measured of upstream, digit by digit. And is the execution market like a real one? Stylised facts of the market in
which nobody trades a parent order are held against what the literature reports, with a verdict for each
(`analysis/facts.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from abides_core import abides
from abides_core.utils import str_to_ns
from abides_markets.configs import rmsc04
from abides_markets.lobster import PER_CENT
from abides_markets.lobster import LobsterBook
from abides_markets.lobster import messages_of_book
from abides_markets.tape import MarketTape
from agents.market import build_market
from agents.market import exchange_of
from analysis.facts import LEVELS
from analysis.facts import Flow
from analysis.facts import curves_of
from analysis.facts import facts_of
from analysis.facts import upstream_facts_of
from analysis.files import write_bytes
from analysis.files import write_json
from analysis.plots import save_both
from analysis.realism import compare_with_upstream
from analysis.realism import facts_table
from analysis.realism import read_upstream
from analysis.realism import realism_figure
from analysis.realism import summarise_realism
from analysis.realism import upstream_table
from configs import Experiment
from configs import load_experiment
from configs.models import SECOND
from experiments.comparison_table import validity_lines
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.gate import judge_each
from experiments.gate import summarise_passed
from experiments.gate import with_and_without
from experiments.per_seed import Options
from experiments.per_seed import check_workers
from experiments.per_seed import measure_each
from experiments.per_seed import validation_seeds
from experiments.run_folder import RunFolder

UPSTREAM_END = str_to_ns("10:30:00")
QUICK_UPSTREAM_SEEDS = 3


@dataclass
class Args(Options):
    """Options of `experiments.realism`."""

    quick: bool = False
    """Use 20 seeds, and 3 of upstream's 10: under a minute."""


def main(args: Args) -> None:
    """Measure what is not measured yet, and write summary, tables and figure."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    seeds = validation_seeds(args.seeds, quick=args.quick)
    upstream_seeds = list(read_upstream())[: QUICK_UPSTREAM_SEEDS if args.quick else None]
    check_workers(args.workers)
    arguments = {"seeds": f"{seeds.start}:{seeds.stop}", "upstream_seeds": upstream_seeds}
    with RunFolder.open(args.out, "realism", experiment, run_id=args.run_id, arguments=arguments) as run:
        verb = "resuming" if run.resumed else "measuring"
        print(
            f"{verb} {len(upstream_seeds)} markets of rmsc04 and {len(seeds)} of {experiment.name} in {run.path}",
            flush=True,
        )
        summary = {
            **run.origin(),
            **measure_realism(experiment, seeds, upstream_seeds, run.path, args.workers, progress=True),
        }
        write_json(run.file("summary.json"), summary)
        tables = f"{with_and_without(facts_table, summary)}\n\n{upstream_table(summary['upstream'])}"
        write_bytes(run.file("realism.md"), f"{tables}\n".encode())
        save_both(realism_figure(summary), run.file("realism"))
        run.point_latest()
        run.finish()
    print("", *validity_lines(summary["validity"]), sep="\n")
    verdicts = [fact["verdict"] for fact in summary["facts"].values()]
    counts = ", ".join(f"{verdicts.count(one)} {one}" for one in ("pass", "fail", "open"))
    print(
        f"\n{tables}\n\n{counts}; seeds {arguments['seeds']}, n = {summary['n']}\nfigure: {run.file('realism.png')}",
        flush=True,
    )


def measure_realism(
    experiment: Experiment,
    seeds: Sequence[int],
    upstream_seeds: Sequence[int],
    folder: Path,
    workers: int = 1,
    *,
    progress: bool = False,
) -> dict[str, Any]:
    """Measure how real a market is.

    Args:
        experiment: Names the market.
        seeds: Its seeds.
        upstream_seeds: Seeds of rmsc04, of those that upstream was measured on.
        folder: Each seed's measurements are kept in it; what is there is not measured again.
        workers: Number of processes.
        progress: Whether to show how far it is.

    Returns:
        The content of `summary.json`: what `summarise_realism` returns, `upstream`, and what was run.

    Raises:
        RuntimeError: If a seed could not be measured.
    """
    validity = judge_each(experiment, seeds, folder, workers, progress=progress)
    of_rmsc04 = measure_each(measure_rmsc04, upstream_seeds, folder / "rmsc04", workers, progress=progress)
    found = measure_each(partial(measure, experiment), seeds, folder, workers, progress=progress)
    return {
        "experiment": experiment.name,
        "seeds": f"{min(seeds)}:{max(seeds) + 1}",
        **summarise_passed(summarise_realism, found, seeds, validity),
        "upstream": compare_with_upstream(dict(zip(upstream_seeds, of_rmsc04, strict=True))),
    }


def measure(experiment: Experiment, seed: int) -> dict[str, Any]:
    """Return `facts` and `curves` of the market of one seed in which nobody trades a parent order."""
    flow = run_flow(build_market(experiment.market, seed), experiment.market.end_time)
    return {"seed": seed, "facts": facts_of(flow), "curves": curves_of(flow)}


def measure_rmsc04(seed: int) -> dict[str, float]:
    """Return the statistics of rmsc04, as upstream has it, from 09:30 to 10:30."""
    config = rmsc04.build_config(seed=seed, end_time=UPSTREAM_END, book_logging=False, log_orders=None)
    for agent in config["agents"]:
        agent.log_events = False
    return upstream_facts_of(run_flow(config, UPSTREAM_END))


def run_flow(config: dict[str, Any], end: int) -> Flow:
    """Run a market of one symbol and return its order flow.

    Args:
        config: What a `build_config` returned.
        end: Last point of the grid, ns since midnight.
    """
    exchange = exchange_of(config)
    (symbol,) = exchange.symbols
    tape = exchange.order_books[symbol].tape = MarketTape(-1)
    abides.run(config, engine="auto")
    midnight: int = config["start_time"]
    messages = messages_of_book(exchange.order_books[symbol], midnight)
    times = np.arange(exchange.mkt_open, midnight + end + 1, SECOND, dtype=np.int64)
    prices = np.full((len(times), 2, LEVELS), -1, dtype=np.int64)
    sizes = np.zeros((len(times), 2, LEVELS), dtype=np.int64)
    book, following = LobsterBook(), 0
    for row, time in enumerate((times - midnight).tolist()):
        while following < len(messages) and messages[following].time <= time:
            book.apply(messages[following])
            following += 1
        for side, levels in enumerate((book.best_bids(LEVELS), book.best_asks(LEVELS))):
            for level, (price, shares) in enumerate(levels):
                prices[row, side, level], sizes[row, side, level] = price // PER_CENT, shares
    return Flow(
        times,
        prices,
        sizes,
        trades=np.array(
            [(t.time, t.price, t.quantity, t.aggressor_sign, t.aggressor_order_id) for t in tape.trades],
            dtype=np.int64,
        ).reshape(-1, 5),
        quotes=np.array([(q.time, q.bid, q.ask) for q in tape.quotes], dtype=np.int64).reshape(-1, 3),
        messages=np.array([(midnight + m.time, m.kind, m.order_id, m.size) for m in messages], dtype=np.int64).reshape(
            -1, 4
        ),
    )


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.realism", "Hold the market against upstream's and real ones.")
