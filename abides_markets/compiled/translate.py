"""From a configuration of Python objects to a market's buffer, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from abides_core.latency_model import LatencyModel
from abides_markets.agents import AdaptiveMarketMakerAgent
from abides_markets.agents import ExchangeAgent
from abides_markets.agents import MomentumAgent
from abides_markets.agents import NoiseAgent
from abides_markets.agents import ValueAgent
from abides_markets.compiled import layout as at
from abides_markets.compiled.buffer import Buffer
from abides_markets.compiled.buffer import floats
from abides_markets.compiled.buffer import with_tables
from abides_markets.compiled.streams import WORDS
from abides_markets.compiled.streams import load_stream
from abides_markets.compiled.streams import store_stream
from abides_markets.models import OrderSizeModel
from abides_markets.oracles import SparseMeanRevertingOracle

KINDS: dict[type, int] = {
    ExchangeAgent: at.EXCHANGE,
    NoiseAgent: at.NOISE,
    ValueAgent: at.VALUE,
    MomentumAgent: at.MOMENTUM,
    AdaptiveMarketMakerAgent: at.MAKER,
}
BLOCK_WORDS = {
    at.EXCHANGE: 0,
    at.NOISE: at.NOISE_WORDS,
    at.VALUE: at.VALUE_WORDS,
    at.MOMENTUM: at.MOMENTUM_WORDS,
    at.MAKER: at.MAKER_WORDS,
}


class UnsupportedError(ValueError):
    """A configuration that the compiled engine cannot run; its text names what is in the way."""


def check_supported(config: dict[str, Any]) -> None:
    """Make sure that the compiled engine runs a configuration exactly as the reference engine would.

    Raises:
        UnsupportedError: One line that names the first thing it does not support.
    """
    fault = _first_fault(config)
    if fault is not None:
        raise UnsupportedError(f"the compiled engine does not support {fault}: use engine='reference'")


def _first_fault(config: dict[str, Any]) -> str | None:
    agents = config["agents"]
    if type(agents[0]) is not ExchangeAgent:
        return "a market whose first agent is not an ExchangeAgent"
    exchange = agents[0]
    if len(exchange.symbols) != 1:
        return f"{len(exchange.symbols)} symbols"
    if exchange.log_orders:
        return "an exchange with log_orders"
    for agent in agents[1:]:
        if type(agent) not in KINDS or type(agent) is ExchangeAgent:
            return f"agent {agent.id} of type {type(agent).__name__}"
        if agent.symbol != exchange.symbols[0]:
            return f"agent {agent.id} trading {agent.symbol!r}"
        if getattr(agent, "subscribe", False):
            return f"agent {agent.id} with subscribe=True"
        if agent.kernel is not None or not agent.first_wake:
            return f"agent {agent.id}, which has taken part in a run already"
    latency = config.get("agent_latency_model")
    if not isinstance(latency, LatencyModel) or latency.latency_model != "deterministic":
        return "a latency model other than a deterministic one"
    oracle = config.get("custom_properties", {}).get("oracle")
    if type(oracle) is not SparseMeanRevertingOracle:
        return f"an oracle of type {type(oracle).__name__}"
    if oracle.megashocks[exchange.symbols[0]][-1]["MegashockTime"] < oracle.mkt_open:
        return "a shock before the open"
    if config.get("per_agent_computation_delays"):
        return "per_agent_computation_delays"
    return None


class _Allocator:
    """Hands out words of what never grows."""

    def __init__(self) -> None:
        self.end = at.HEADER

    def take(self, words: int) -> int:
        start = self.end
        self.end += words
        return start


def to_buffer(config: dict[str, Any]) -> Buffer:
    """Return the buffer of a market at the moment before its first event.

    The configuration must have passed `check_supported`. Its random streams are read, not advanced.
    """
    agents = config["agents"]
    count = len(agents)
    room = _Allocator()
    rows = room.take(count * at.AGENT_WORDS)
    blocks = [room.take(BLOCK_WORDS[KINDS[type(agent)]]) for agent in agents]
    streams = [room.take(WORDS) for _ in agents]
    makers = [agent for agent in agents if isinstance(agent, AdaptiveMarketMakerAgent)]
    subscriptions = room.take(len(makers) * at.SUBSCRIPTION_WORDS)
    closers = room.take(count)
    oracle = room.take(at.ORACLE_WORDS)
    oracle_stream, master, scratch = room.take(WORDS), room.take(WORDS), room.take(WORDS)
    size_law = room.take(11)
    b = np.zeros(room.end, dtype=np.int64)
    b[[at.AGENTS, at.SUBSCRIPTIONS, at.CLOSERS, at.ORACLE]] = rows, subscriptions, closers, oracle
    b[[at.MASTER, at.SCRATCH, at.SIZE_LAW, at.FIXED_END]] = master, scratch, size_law, room.end
    b[at.AGENT_COUNT] = count
    ladder = max((2 * maker.num_ticks for maker in makers), default=0)
    b[at.LADDER] = max(ladder, 1)
    _write_exchange(b, agents[0], config)
    _write_oracle(b, config["custom_properties"]["oracle"], agents[0].symbols[0], oracle_stream)
    floats(b)[size_law : size_law + 11] = OrderSizeModel().cumulative
    latency = np.asarray(config["agent_latency_model"].min_latency)
    latency = np.broadcast_to(latency if latency.ndim != 1 else latency[:, None], (count, count))
    delay = config.get("default_computation_delay", 1)
    b[at.NOW] = config["start_time"]
    b[at.STOP] = config["stop_time"]
    for agent, block, stream in zip(agents, blocks, streams, strict=True):
        a = rows + agent.id * at.AGENT_WORDS
        b[a + at.A_KIND] = KINDS[type(agent)]
        b[a + at.A_FREE] = config["start_time"]
        b[a + at.A_DELAY] = delay
        b[a + at.A_TO_EXCHANGE] = latency[agent.id, 0]
        b[a + at.A_FROM_EXCHANGE] = latency[0, agent.id]
        b[a + at.A_FIRST_RECORD] = b[a + at.A_LAST_RECORD] = at.NONE
        b[a + at.A_STREAM], b[a + at.A_BLOCK] = stream, block
        load_stream(b, stream, agent.random_state)
        if agent.id > 0:
            b[a + at.A_FIRST_WAKE] = 1
            b[a + at.A_CASH] = agent.holdings["CASH"]
            _write_size(b, a, agent)
            WRITERS[KINDS[type(agent)]](b, block, agent)
    buffer = with_tables(b)
    _queue_first_events(buffer, agents)
    return buffer


def _write_exchange(b: Buffer, exchange: ExchangeAgent, config: dict[str, Any]) -> None:
    oracle = config["custom_properties"]["oracle"]
    b[[at.OPEN, at.CLOSE]] = exchange.mkt_open, exchange.mkt_close
    b[at.COMPUTATION_DELAY] = exchange.computation_delay
    b[at.PIPELINE_DELAY] = exchange.pipeline_delay
    b[at.MAKERS_REQUOTE] = exchange.switches.makers_requote
    b[at.REPORT_UNFILLED] = exchange.switches.report_unfilled
    b[at.MARKET_ORDERS_UPDATE] = exchange.switches.market_orders_update_last_trade
    b[at.LAST_TRADE] = oracle.get_daily_open_price(exchange.symbols[0], exchange.mkt_open)
    b[at.NEXT_MESSAGE], b[at.NEXT_ORDER] = 1, 0
    b[at.MID2], b[at.ONE_SIDED] = at.NONE, 1


def _write_oracle(b: Buffer, oracle: SparseMeanRevertingOracle, symbol: str, stream: int) -> None:
    q = int(b[at.ORACLE])
    f = floats(b)
    parameters = oracle.symbols[symbol]
    b[q + at.Q_TIME], b[q + at.Q_VALUE] = oracle.r[symbol]
    f[q + at.Q_MEAN] = parameters["r_bar"]
    f[q + at.Q_KAPPA] = parameters["kappa"]
    f[q + at.Q_VOLATILITY] = parameters["fund_vol"]
    f[q + at.Q_SHOCK_RATE] = parameters["megashock_lambda_a"]
    f[q + at.Q_SHOCK_MEAN] = parameters["megashock_mean"]
    f[q + at.Q_SHOCK_SD] = np.sqrt(parameters["megashock_var"])
    shock = oracle.megashocks[symbol][-1]
    b[q + at.Q_SHOCK_TIME] = int(min(shock["MegashockTime"], at.NEVER))
    f[q + at.Q_SHOCK_VALUE] = shock["MegashockValue"]
    b[q + at.Q_CLOSE] = oracle.mkt_close
    b[q + at.Q_STREAM] = stream
    load_stream(b, stream, parameters["random_state"])
    load_stream(b, int(b[at.MASTER]), oracle.random_state)


def _write_size(b: Buffer, a: int, agent: Any) -> None:
    model = getattr(agent, "order_size_model", None)
    b[a + at.A_SIZE_MODEL] = model is not None
    b[a + at.A_SIZE] = 0 if model is not None else (getattr(agent, "size", None) or 0)


def _write_noise(b: Buffer, block: int, agent: NoiseAgent) -> None:
    b[block + at.N_WAKE] = agent.wakeup_time if agent.wakeup_time is not None else 0


def _write_value(b: Buffer, block: int, agent: ValueAgent) -> None:
    f = floats(b)
    f[block + at.V_BELIEF] = agent.r_t
    f[block + at.V_VARIANCE] = agent.sigma_t
    b[block + at.V_UPDATED] = at.NONE
    f[block + at.V_SIGMA_N] = agent.sigma_n
    f[block + at.V_R_BAR] = agent.r_bar
    f[block + at.V_KAPPA] = agent.kappa
    f[block + at.V_SIGMA_S] = agent.sigma_s
    f[block + at.V_LAMBDA] = agent.lambda_a
    f[block + at.V_AGGRESSIVE] = agent.percent_aggr
    b[block + at.V_DEPTH] = agent.depth_spread


def _write_momentum(b: Buffer, block: int, agent: MomentumAgent) -> None:
    b[block + at.P_COUNT] = 0
    b[block + at.P_PERIOD] = agent.wake_up_freq
    b[block + at.P_POISSON] = agent.poisson_arrival


def _write_maker(b: Buffer, block: int, agent: AdaptiveMarketMakerAgent) -> None:
    f = floats(b)
    f[block + at.M_POV] = agent.pov
    b[block + at.M_LEAST] = agent.min_order_size
    b[block + at.M_ADAPTIVE] = agent.is_adaptive
    f[block + at.M_WINDOW] = agent.window_size if agent.window_size is not None else 0
    b[block + at.M_ANCHOR] = at.ANCHORS.index(agent.anchor)
    b[block + at.M_TICKS] = agent.num_ticks
    f[block + at.M_SPACING] = agent.level_spacing
    b[block + at.M_PERIOD] = agent.wake_up_freq
    b[block + at.M_POISSON] = agent.poisson_arrival
    b[block + at.M_CANCEL_DELAY] = agent.cancel_limit_delay
    f[block + at.M_SKEW_BETA] = agent.skew_beta
    b[block + at.M_HAS_PRICE_SKEW] = agent.price_skew_param is not None
    f[block + at.M_PRICE_SKEW] = agent.price_skew_param or 0
    f[block + at.M_ALPHA] = agent.spread_alpha
    b[block + at.M_BACKSTOP] = agent.backstop_quantity
    f[block + at.M_THRESHOLD] = agent.min_imbalance
    b[block + at.M_AWAITS_SPREAD] = b[block + at.M_AWAITS_VOLUME] = 1
    b[block + at.M_BUY_SIZE] = b[block + at.M_SELL_SIZE] = agent.min_order_size
    f[block + at.M_SPREAD] = agent.last_spread
    b[block + at.M_TICK] = agent.tick_size or 0


WRITERS: dict[int, Callable[[Buffer, int, Any], None]] = {
    at.NOISE: _write_noise,
    at.VALUE: _write_value,
    at.MOMENTUM: _write_momentum,
    at.MAKER: _write_maker,
}


def _queue_first_events(b: Buffer, agents: list[Any]) -> None:
    """Queue the exchange's wake-up at the close and everybody's at the start, as the kernel's start does."""
    from abides_markets.compiled.queue import wake_at

    wake_at(b, 0, b[at.CLOSE])
    for agent in agents:
        wake_at(b, agent.id, b[at.NOW])


def from_buffer(buffer: Buffer, config: dict[str, Any]) -> None:
    """Leave the agents of a configuration as the run has left them: holdings, streams, clock."""
    rows = int(buffer[at.AGENTS])
    symbol = config["agents"][0].symbols[0]
    for agent in config["agents"]:
        a = rows + agent.id * at.AGENT_WORDS
        agent.current_time = int(buffer[at.NOW])
        store_stream(buffer, int(buffer[a + at.A_STREAM]), agent.random_state)
        if agent.id > 0:
            agent.holdings = {"CASH": int(buffer[a + at.A_CASH])}
            if buffer[a + at.A_SHARES]:
                agent.holdings[symbol] = int(buffer[a + at.A_SHARES])
