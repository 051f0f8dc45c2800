"""The execution market: a background market with named repairs, stored latencies and one execution agent."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache
from functools import partial
from typing import Any

from abides_core.abides import new_kernel
from abides_core.engines import AUTO
from abides_core.engines import COMPILED
from abides_core.engines import UnsupportedError
from abides_core.streams import Seed
from abides_markets.agents import ExchangeAgent
from abides_markets.agents import TradingAgent
from abides_markets.compiled.kernel import CompiledKernel
from abides_markets.compiled.template import MarketTemplate
from abides_markets.orders import Side
from abides_markets.switches import Switches
from abides_markets.tape import MarketTape
from abides_markets.utils import config_append_agents
from agents.execution_agent import ExecutionAgent
from agents.execution_agent import ParentOrder
from configs.models import Experiment
from configs.models import MarketConfig

SYMBOL = "ABM"


def build_market(market: MarketConfig, seed: int) -> dict[str, Any]:
    """Build the background of an execution market.

    Args:
        market: The market's configuration.
        seed: Seed of the market, 0 ≤ seed < 2**32.

    Returns:
        What `abides.run` and `Kernel` take, without an execution agent; agents keep no event logs.
    """
    module = importlib.import_module(f"abides_markets.configs.{market.background}")
    parameters = {
        "ticker": SYMBOL,
        "book_logging": False,
        "log_orders": None,
        "exchange_log_orders": False,
        **market.params,
    }
    config: dict[str, Any] = module.build_config(
        seed=seed,
        end_time=market.end_time,
        latency_seed=market.latency_seed,
        switches=Switches.all_on(**market.switches),
        **parameters,
    )
    for agent in config["agents"]:
        agent.log_events = False
    return config


def add_execution_agent(config: dict[str, Any], agent: ExecutionAgent) -> dict[str, Any]:
    """Add an execution agent; its id comes last, and nobody else's latency changes."""
    agent.log_events = False
    return config_append_agents(config, [agent])


def new_market(
    market: MarketConfig, seed: int, make_agent: Callable[[int], ExecutionAgent], engine: str = AUTO
) -> tuple[Any, MarketTape]:
    """Return a kernel, not yet started, of a seed's market with an execution agent in it, and the tape that it writes.

    Where the compiled engine runs the market, only the first one is built in Python, agent by agent: such a kernel is
    run as far as it is wanted, but not ended.

    Args:
        market: The market's configuration.
        seed: Seed of the market, 0 ≤ seed < 2**32.
        make_agent: Returns the execution agent, given its id.
        engine: As for `abides.run`.

    Raises:
        UnsupportedError: If the engine that was named does not run the market or the agent.
    """
    kernel: Any = _from_template(market, seed, make_agent) if engine in (AUTO, COMPILED) else None
    if kernel is None:
        config = build_market(market, seed)
        add_execution_agent(config, make_agent(len(config["agents"])))
        kernel = new_kernel(config, config["random_state_kernel"], engine)
    tape = kernel.agents[0].order_books[SYMBOL].tape = MarketTape(kernel.agents[-1].id)
    return kernel, tape


def _from_template(
    market: MarketConfig, seed: int, make_agent: Callable[[int], ExecutionAgent]
) -> CompiledKernel | None:
    """Return the kernel of a market that is not built in Python, or `None` if it has to be."""
    template = _template(market.model_dump_json())
    if template is None:
        return None
    agent = make_agent(template.last)
    agent.log_events = False
    try:
        return CompiledKernel.of_template(template, seed, agent)
    except UnsupportedError:
        return None


@lru_cache(maxsize=2)
def _template(market: str) -> MarketTemplate | None:
    """Return what the markets of a configuration are made from, or `None` if they are to be built."""
    of = MarketConfig.model_validate_json(market)
    try:
        return MarketTemplate(partial(build_market, of), partial(TradingAgent, random_state=Seed(0)))
    except UnsupportedError:
        return None


def exchange_of(config: dict[str, Any]) -> ExchangeAgent:
    """Return the exchange of a configuration."""
    exchange = config["agents"][0]
    assert isinstance(exchange, ExchangeAgent)
    return exchange


def parent_order(experiment: Experiment, side: str) -> ParentOrder:
    """Return the parent order of an experiment.

    Args:
        experiment: The experiment.
        side: `buy` or `sell`.
    """
    order = experiment.order
    return ParentOrder(
        side=Side.BID if side == "buy" else Side.ASK,
        quantity=order.quantity,
        start=order.start,
        window=order.window,
        sweep=order.end_rule == "sweep",
        settlement=order.settlement,
    )
