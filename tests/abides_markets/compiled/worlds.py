"""Markets for the two engines, and what a run leaves behind, to be compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from abides_core import abides
from abides_markets.agents import TradingAgent
from abides_markets.configs import rmsc03
from abides_markets.configs import rmsc04
from abides_markets.utils import generate_latency_model

Change = Callable[[dict[str, Any]], None]


def build(seed: int, change: Change | None = None, **parameters: Any) -> dict[str, Any]:
    """A market of rmsc04 to 09:40, or with other parameters, changed after it was built."""
    config = rmsc04.build_config(seed=seed, **{"end_time": "09:40:00", "log_orders": False, **parameters})
    if change is not None:
        change(config)
    return config


def build_rmsc03(seed: int, change: Change | None = None, **parameters: Any) -> dict[str, Any]:
    """A market of rmsc03 to 09:34, or with other parameters, changed after it was built."""
    config = rmsc03.build_config(seed=seed, **{"end_time": "09:34:00", "log_orders": False, **parameters})
    if change is not None:
        change(config)
    return config


def run_both(seed: int, change: Change | None = None, **parameters: Any) -> list[dict[str, Any]]:
    """What the reference and the compiled engine leave behind of the same market."""
    return [left_by(build(seed, change, **parameters), engine) for engine in ("reference", "compiled")]


def left_by(config: dict[str, Any], engine: str) -> dict[str, Any]:
    """Run a market and return what is to be compared, by name."""
    end_state = abides.run(config, engine=engine)
    assert end_state["engine"] == engine
    return {"keys": sorted(end_state), **left_in(end_state, config["custom_properties"]["oracle"])}


def left_in(end_state: dict[str, Any], oracle: Any) -> dict[str, Any]:
    """Return what is to be compared of an end state and an oracle, by name."""
    exchange, *traders = end_state["agents"]
    (symbol,) = exchange.symbols
    book = exchange.order_books[symbol]
    return {
        "slowest": end_state["kernel_slowest_agent_finish_time"],
        "pops": exchange.kernel.ttl_messages,
        "free": exchange.kernel.agent_current_times,
        "results": dict(exchange.kernel.mean_result_by_agent_type),
        "counts": dict(exchange.kernel.agent_count_by_type),
        "history": book.history,
        "best": [(time, bids[:1], asks[:1]) for time, bids, asks in book._log_rows],
        "levels": [(time, bids, asks) for time, bids, asks in book._log_rows],
        "book": [(side.price, side.total_quantity) for side in (*book.bids, *book.asks)],
        "orders": (book.get_l3_bid_data(), book.get_l3_ask_data()),
        "quotes": (book.get_l1_bid_data(), book.get_l1_ask_data(), book.visible_depth, book.get_imbalance()),
        "last_trade": book.last_trade,
        "updated": book.last_update_ts,
        "volume": [book.get_transacted_volume(period) for period in ("1s", "1min", "10min", "1h")],
        "discarded": book.discarded,
        "closers": exchange.market_close_price_subscriptions,
        "agents": [_agent(agent) for agent in traders if isinstance(agent, TradingAgent)],
        "makers": [
            (agent.last_mid, agent.last_spread, agent.buy_order_size, agent.sell_order_size, agent.tick_size)
            for agent in traders
            if hasattr(agent, "last_spread")
        ],
        "beliefs": [(agent.r_t, agent.sigma_t, agent.prev_wake_time) for agent in traders if hasattr(agent, "sigma_t")],
        "streams": [_stream(agent.random_state) for agent in traders],
        "oracle": (oracle.r[symbol], oracle.megashocks[symbol][-1]),
        "oracle_streams": [_stream(oracle.random_state), _stream(oracle.symbols[symbol]["random_state"])],
    }


def _agent(agent: Any) -> tuple[Any, ...]:
    return (agent.id, agent.holdings, agent.last_trade, agent.mkt_open, agent.mkt_closed, agent.first_wake)


def _stream(random_state: np.random.RandomState) -> tuple[Any, ...]:
    _, words, position, has_gauss, gauss = random_state.get_state()
    return words.tobytes(), position, has_gauss, gauss if has_gauss else None  # type: ignore[union-attr]


def assert_same(both: list[dict[str, Any]]) -> None:
    """Fail on the first thing that the two engines leave differently."""
    reference, compiled = both
    for name, expected in reference.items():
        assert compiled[name] == expected, name


def each(kind: str, **values: Any) -> Change:
    """Set attributes of every agent whose type starts like this."""

    def change(config: dict[str, Any]) -> None:
        agents = [agent for agent in config["agents"] if agent.type.startswith(kind)]
        assert agents
        for agent in agents:
            for name, value in values.items():
                assert hasattr(agent, name)
                setattr(agent, name, value)

    return change


def no_latency(config: dict[str, Any]) -> None:
    config["agent_latency_model"] = generate_latency_model(len(config["agents"]), "no_latency")


def advanced_streams(config: dict[str, Any]) -> None:
    for agent in config["agents"]:
        agent.random_state.random_sample(agent.id % 7)
        agent.random_state.normal(size=agent.id % 3)
    oracle = config["custom_properties"]["oracle"]
    oracle.random_state.random_sample(3)
    oracle.symbols["ABM"]["random_state"].normal(size=3)


def both(*changes: Change) -> Change:
    def change(config: dict[str, Any]) -> None:
        for one in changes:
            one(config)

    return change
