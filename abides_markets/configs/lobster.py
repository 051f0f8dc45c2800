"""A recorded day: an exchange, and an agent that replays a day in LOBSTER's format at it; add agents of your own."""

from __future__ import annotations

from typing import Any

import numpy as np

from abides_core.streams import random_state
from abides_core.utils import datetime_str_to_ns
from abides_core.utils import str_to_ns
from abides_markets.agents.exchange_agent import ExchangeAgent
from abides_markets.agents.lobster_replay_agent import LobsterReplayAgent
from abides_markets.lobster import read_lobster
from abides_markets.switches import Switches
from abides_markets.utils import generate_latency_model


def build_config(
    message_file: str,
    orderbook_file: str | None = None,
    seed: int = 0,
    book_logging: bool = False,
    book_log_depth: int = 10,
    stdout_log_level: str = "INFO",
    latency_seed: int = 0,
) -> dict[str, Any]:
    """Build the market of a recorded day; `abides_markets.utils.config_append_agents` adds agents to it.

    Args:
        message_file: Message file of the day, named as LOBSTER names it.
        orderbook_file: Its order book file; by default the one beside it, if there is one.
        seed: Seed of the kernel's and the configuration's streams; the replay draws nothing.
        book_logging: Whether the book logs a snapshot at every event.
        book_log_depth: Levels a side in a snapshot.
        stdout_log_level: Level for those who configure logging.
        latency_seed: Seed of the agents' positions.

    Returns:
        What `abides.run` takes; also `seed`, `latency_seed` and the configuration's own stream `random_state`.

    Raises:
        LobsterError: If a file is missing or is not in the format.
    """
    day = read_lobster(message_file, orderbook_file)
    midnight = datetime_str_to_ns(day.date)
    exchange = ExchangeAgent(
        0,
        midnight + day.start,
        midnight + day.end,
        [day.ticker],
        name="EXCHANGE_AGENT",
        book_logging=book_logging,
        book_log_depth=book_log_depth,
        pipeline_delay=0,
        computation_delay=0,
        log_orders=None,
        switches=Switches.all_on(),
    )
    replay = LobsterReplayAgent(1, day.ticker, day.messages, midnight, day.opening, log_orders=None)
    for agent in (exchange, replay):
        agent.log_events = False
    return {
        "seed": seed,
        "start_time": midnight,
        "stop_time": midnight + day.end + str_to_ns("1s"),
        "agents": [exchange, replay],
        "agent_latency_model": generate_latency_model(2, random_state=random_state(latency_seed)),
        "default_computation_delay": 0,
        "custom_properties": {"oracle": None},
        "random_state_kernel": random_state(seed),
        "stdout_log_level": stdout_log_level,
        "latency_seed": latency_seed,
        "random_state": np.random.RandomState(seed),
    }
