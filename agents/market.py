"""The execution market: a background market with named repairs, stored latencies and one execution agent."""

from __future__ import annotations

import importlib
from typing import Any

from abides_markets.agents import ExchangeAgent
from abides_markets.orders import Side
from abides_markets.switches import Switches
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
