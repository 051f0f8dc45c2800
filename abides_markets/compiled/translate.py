"""From a configuration of Python objects to a market's buffer, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abides_core.latency_model import LatencyModel
from abides_core.streams import Seed
from abides_core.utils import ns_date
from abides_markets.agents import AdaptiveMarketMakerAgent
from abides_markets.agents import ExchangeAgent
from abides_markets.agents import MomentumAgent
from abides_markets.agents import NoiseAgent
from abides_markets.agents import ValueAgent
from abides_markets.agents.sized_agent import SizedSeed
from abides_markets.compiled import layout as at
from abides_markets.compiled.buffer import Buffer
from abides_markets.compiled.buffer import first_rows
from abides_markets.compiled.buffer import floats
from abides_markets.compiled.buffer import with_tables
from abides_markets.compiled.random_states import load
from abides_markets.compiled.sizes import draw_sizes
from abides_markets.compiled.slot import ExecutionSlot
from abides_markets.compiled.streams import HELD
from abides_markets.compiled.streams import WORDS
from abides_markets.compiled.streams import YOUNG_WORDS
from abides_markets.compiled.streams import seed_streams
from abides_markets.compiled.streams import seed_young_streams
from abides_markets.compiled.warm import prepare
from abides_markets.halt import most_resting
from abides_markets.models import OrderSizeModel
from abides_markets.oracles import SparseMeanRevertingOracle
from abides_markets.orders import Side
from abides_markets.switches import REFERENCE_ENGINE_ONLY
from abides_markets.utils import LineLatencyModel

KINDS: dict[type, int] = {
    ExchangeAgent: at.EXCHANGE,
    NoiseAgent: at.NOISE,
    ValueAgent: at.VALUE,
    MomentumAgent: at.MOMENTUM,
    AdaptiveMarketMakerAgent: at.MAKER,
    ExecutionSlot: at.EXECUTION,
}
BLOCK_WORDS = {
    at.EXCHANGE: 0,
    at.NOISE: at.NOISE_WORDS,
    at.VALUE: at.VALUE_WORDS,
    at.MOMENTUM: at.MOMENTUM_WORDS,
    at.MAKER: at.MAKER_WORDS,
    at.PYTHON: 0,
    at.EXECUTION: at.EXECUTION_WORDS,
}
DRAWS_NORMALS = (at.VALUE,)
DRAWS_LITTLE = (at.NOISE, at.EXECUTION)
"""Kinds whose streams are kept as seeds, as long as nothing has been drawn from them."""
NOT_COMPILED = {
    NoiseAgent: "retry_after",
    MomentumAgent: "full_windows",
    AdaptiveMarketMakerAgent: "renew_on_imbalance",
}
"""Parameters of traders that mend the reference market and that only the reference engine has."""
SLOWEST_ARRIVAL = 1e-17
"""Least arrival rate of value agents, per ns: at a lower one the drawn times no longer fit into 64 bits."""


def is_built_in(agent: Any) -> bool:
    """Return whether an agent lives in the buffer; any other, a subclass too, runs in Python."""
    return type(agent) in KINDS


def _kind(agent: Any) -> int:
    return KINDS.get(type(agent), at.PYTHON)


def first_fault(config: dict[str, Any]) -> str | None:
    """Return what in a configuration the compiled engine does not support, as a noun, or `None`."""
    agents = config["agents"]
    if not agents or type(agents[0]) is not ExchangeAgent:
        return "a market whose first agent is not an ExchangeAgent"
    if config.get("per_agent_computation_delays"):
        return "per_agent_computation_delays"
    fault = _exchange_fault(agents[0])
    if fault is None:
        own = {"CASH", agents[0].symbols[0]}
        fault = next(filter(None, (_agent_fault(agent, agents[0], own) for agent in agents[1:])), None)
    if fault is None:
        fault = _latency_fault(config.get("agent_latency_model"), len(agents))
    oracle = config.get("custom_properties", {}).get("oracle")
    if fault is None:
        fault = _oracle_fault(oracle, agents[0].symbols[0])
    if fault is None:
        streams: list[Any] = [agent.stream for agent in agents if agent.stream.__class__ is not Seed]
        streams += [oracle.random_state, oracle.symbols[agents[0].symbols[0]]["random_state"]]
        if len({id(stream) for stream in streams}) < len(streams):
            fault = "a random stream that several agents share"
    return fault


def _exchange_fault(exchange: ExchangeAgent) -> str | None:
    if len(exchange.symbols) != 1:
        return f"{len(exchange.symbols)} symbols"
    for name in REFERENCE_ENGINE_ONLY:
        if getattr(exchange.switches, name):
            return f"the switch {name}"
    book = exchange.order_books[exchange.symbols[0]]
    if exchange.kernel is not None or book.history or exchange.data_subscriptions:
        return "an exchange that has taken part in a run already"
    if book.tape is not None and (book.tape.trades or book.tape.quotes):
        return "a tape with a market on it"
    return None


def _agent_fault(agent: Any, exchange: ExchangeAgent, own: set[str]) -> str | None:
    kind = KINDS.get(type(agent))
    if kind is None or kind == at.EXCHANGE:
        if isinstance(agent, ExchangeAgent):
            return f"a second exchange, agent {agent.id}"
        return python_agent_fault(agent)
    if kind == at.EXECUTION:
        return f"agent {agent.id}, an execution slot, outside of a MarketStack"
    if agent.symbol != exchange.symbols[0]:
        return f"agent {agent.id} trading {agent.symbol!r}"
    if agent.kernel is not None or not agent.first_wake:
        return f"agent {agent.id}, which has taken part in a run already"
    if not agent.holdings.keys() <= own:
        return f"agent {agent.id} with holdings of {', '.join(sorted(agent.holdings))}"
    if kind == at.MAKER:
        return _maker_fault(agent, exchange)
    if agent.order_size_model.__class__ not in (type(None), OrderSizeModel):
        return f"agent {agent.id} with an order size model of type {type(agent.order_size_model).__name__}"
    model = agent.order_size_model
    if model is not None and (model.least, model.most) != (0, None):
        return f"agent {agent.id} with order sizes from {model.least} to {model.most}"
    if (fault := _repair_fault(agent)) is not None:
        return fault
    if kind == at.MOMENTUM:
        return _arrival_fault(agent)
    if kind == at.VALUE:
        if not 0 <= agent.kappa < 1:
            return f"agent {agent.id} with kappa={agent.kappa}"
        if not agent.lambda_a >= SLOWEST_ARRIVAL:
            return f"agent {agent.id} with lambda_a={agent.lambda_a}"
    return None


def _repair_fault(agent: Any) -> str | None:
    repair = NOT_COMPILED.get(type(agent))
    if repair is not None and getattr(agent, repair):
        return f"agent {agent.id} with {repair}={getattr(agent, repair)}"
    return None


def _arrival_fault(agent: MomentumAgent | AdaptiveMarketMakerAgent) -> str | None:
    if agent.subscribe:
        return f"agent {agent.id} with subscribe=True"
    if agent.poisson_arrival and agent.arrival_rate != agent.wake_up_freq:
        return f"agent {agent.id} whose arrival_rate is not its wake_up_freq"
    return None


def _maker_fault(agent: AdaptiveMarketMakerAgent, exchange: ExchangeAgent) -> str | None:
    if agent.switches.makers_requote != exchange.switches.makers_requote:
        return f"agent {agent.id} with another makers_requote than the exchange's"
    if agent.min_imbalance < 0:
        return f"agent {agent.id} with min_imbalance={agent.min_imbalance}"
    return _repair_fault(agent) or _arrival_fault(agent)


def python_agent_fault(agent: Any) -> str | None:
    """Return what of an agent in Python the engine does not support, as a noun, or `None`."""
    if agent.kernel is not None:
        return f"agent {agent.id}, which has taken part in a run already"
    # Known beforehand from agents that say so, as the environments' does; others are refused as they ask.
    subscribe = getattr(agent, "subscribe", False)
    if subscribe and not callable(subscribe):
        return f"agent {agent.id} with subscribe=True"
    return None


def _latency_fault(model: Any, count: int) -> str | None:
    if type(model) not in (LatencyModel, LineLatencyModel) or model.latency_model != "deterministic":
        return "a latency model other than a deterministic one"
    try:
        least = model.to_and_from(0, count).min()
    except IndexError:
        return f"latencies of fewer agents than the {count} of the market"
    return "agents that are not connected" if least < 0 else None


def _oracle_fault(oracle: Any, symbol: str) -> str | None:
    if type(oracle) is not SparseMeanRevertingOracle:
        return f"an oracle of type {type(oracle).__name__}"
    if not oracle.whole_cents:
        return "an oracle with whole_cents=False"
    if oracle.symbols[symbol]["r_bar"] != int(oracle.symbols[symbol]["r_bar"]):
        return f"an oracle with r_bar={oracle.symbols[symbol]['r_bar']}"
    if oracle.megashocks[symbol][-1]["MegashockTime"] < oracle.mkt_open:
        return "a shock before the open"
    return None


def _stream_words(agent: Any, kind: int) -> int:
    if kind not in WRITERS:
        return 0
    return YOUNG_WORDS if kind in DRAWS_LITTLE and agent.stream.__class__ in (Seed, SizedSeed) else WORDS


class _Allocator:
    """Hands out words of what never grows, each time from the start of a line of the cache."""

    def __init__(self) -> None:
        self.end = at.HEADER

    def take(self, words: int) -> int:
        start = self.end
        self.end += -(-words // at.LINE) * at.LINE
        return start


def to_buffer(config: dict[str, Any], rows_at_first: dict[int, int] | None = None) -> Buffer:
    """Return the buffer of a market at the moment before its first event.

    The configuration must be without a fault (`first_fault`). Its random streams are read, not advanced.

    Args:
        config: What a `build_config` returned.
        rows_at_first: Rows of each growing table, by the name of its offset; by default `first_rows`.
    """
    prepare()
    agents = config["agents"]
    count = len(agents)
    room = _Allocator()
    kinds = [_kind(agent) for agent in agents]
    rows = room.take(count * at.AGENT_WORDS)
    blocks, streams = [], []
    for agent, kind in zip(agents, kinds, strict=True):
        block_words = BLOCK_WORDS[kind]
        start = room.take(block_words + _stream_words(agent, kind))
        blocks.append(start)
        streams.append(start + block_words)
    makers = [agent for agent in agents if type(agent) is AdaptiveMarketMakerAgent]
    subscriptions = room.take(count * at.SUBSCRIPTION_WORDS)
    closers = room.take(count)
    oracle = room.take(at.ORACLE_WORDS)
    oracle_stream, master, scratch, young_scratch = (room.take(WORDS) for _ in range(4))
    size_law = room.take(11)
    b = np.zeros(room.end, dtype=np.int64)
    b[[at.AGENTS, at.SUBSCRIPTIONS, at.CLOSERS, at.ORACLE]] = rows, subscriptions, closers, oracle
    b[[at.MASTER, at.SCRATCH, at.SIZE_LAW, at.FIXED_END]] = master, scratch, size_law, room.end
    b[at.YOUNG_SCRATCH] = young_scratch
    b[[scratch + HELD, young_scratch + HELD]] = at.NONE
    b[at.AGENT_COUNT] = count
    ladder = max((2 * maker.num_ticks for maker in makers), default=0)
    b[at.LADDER] = max(ladder, 1)
    b[at.MOST_RESTING] = most_resting(count)
    _write_exchange(b, agents[0], config)
    _write_oracle(b, config["custom_properties"]["oracle"], agents[0].symbols[0], oracle_stream)
    floats(b)[size_law : size_law + 11] = OrderSizeModel().cumulative
    to_exchange, from_exchange = config["agent_latency_model"].to_and_from(0, count)
    b[at.NOW] = config["start_time"]
    b[at.STOP] = config["stop_time"]
    table = b[rows : rows + count * at.AGENT_WORDS].reshape(count, at.AGENT_WORDS)
    table[:, at.A_KIND] = kinds
    table[:, at.A_FREE] = config["start_time"]
    table[:, at.A_DELAY] = config.get("default_computation_delay", 1)
    table[:, at.A_TO_EXCHANGE] = to_exchange
    table[:, at.A_FROM_EXCHANGE] = from_exchange
    table[:, [at.A_FIRST_RECORD, at.A_LAST_RECORD, at.A_WAITING]] = at.NONE
    table[:, at.A_STREAM] = streams
    table[:, at.A_BLOCK] = blocks
    traders = [(agent, kind) for agent, kind in zip(agents, kinds, strict=True) if kind in WRITERS]
    _write_traders(b, table, [agent for agent, _ in traders])
    for agent, kind in traders:
        WRITERS[kind](b, blocks[agent.id], agent)
    _write_streams(b, table, traders)
    first = rows_at_first.copy() if rows_at_first is not None else first_rows(count)
    for queue in (at.HEAP, at.EVENTS):
        first[queue] = max(first[queue], 2 * count + 2)  # every agent's first wake-up, and the close
    return with_tables(b, first)


def _write_traders(b: Buffer, table: NDArray[np.int64], traders: list[Any]) -> None:
    ids = [agent.id for agent in traders]
    table[ids, at.A_FIRST_WAKE] = 1
    table[ids, at.A_CASH] = [agent.holdings["CASH"] for agent in traders]
    table[ids, at.A_SHARES] = [agent.holdings.get(agent.symbol, 0) for agent in traders]
    sized = [getattr(agent, "order_size_model", None) is not None for agent in traders]
    table[ids, at.A_SIZE_MODEL] = sized
    table[ids, at.A_SIZE] = [0 if model else _size(agent) for agent, model in zip(traders, sized, strict=True)]


def _write_streams(b: Buffer, table: NDArray[np.int64], traders: list[tuple[Any, int]]) -> None:
    starts = table[:, at.A_STREAM].tolist()
    sizes = int(b[at.AGENTS]) + at.A_SIZE
    young: list[tuple[int, int]] = []
    seeded: list[tuple[int, int]] = []
    sized: list[tuple[int, int, int, int]] = []
    for agent, kind in traders:
        start, stream = starts[agent.id], agent.stream
        if stream.__class__ is Seed:
            (young if kind in DRAWS_LITTLE else seeded).append((start, stream))
        elif stream.__class__ is SizedSeed:
            (young if kind in DRAWS_LITTLE else seeded).append((start, stream.seed))
            sized.append((sizes + agent.id * at.AGENT_WORDS, start, stream.least, stream.end))
        else:
            load(b, start, agent.random_state, kind in DRAWS_NORMALS)
    halves = b.view(np.uint32)
    seed_young_streams(b, halves, *np.array(young, dtype=np.int64).reshape(-1, 2).T.copy())
    seed_streams(b, halves, *np.array(seeded, dtype=np.int64).reshape(-1, 2).T.copy())
    draw_sizes(b, halves, np.array(sized, dtype=np.int64).reshape(-1, 4))


def _size(agent: Any) -> int:
    """Return the shares of each order of an agent without a size model, −1 if they are yet to be drawn."""
    if getattr(agent, "stream", None).__class__ is SizedSeed and agent._size is None:
        return at.NONE
    return getattr(agent, "size", None) or 0


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
    f[q + at.Q_DRIFT] = parameters["drift"]
    f[q + at.Q_VOLATILITY] = parameters["fund_vol"] ** 2  # squared here: compiled code rounds a power differently
    f[q + at.Q_SHOCK_RATE] = parameters["megashock_lambda_a"]
    f[q + at.Q_SHOCK_MEAN] = parameters["megashock_mean"]
    f[q + at.Q_SHOCK_SD] = np.sqrt(parameters["megashock_var"])
    shock = oracle.megashocks[symbol][-1]
    b[q + at.Q_SHOCK_TIME] = int(min(shock["MegashockTime"], at.NEVER))
    f[q + at.Q_SHOCK_VALUE] = shock["MegashockValue"]
    b[q + at.Q_CLOSE] = oracle.mkt_close
    b[q + at.Q_STREAM] = stream
    load(b, stream, parameters["random_state"], draws_normals=True)
    load(b, int(b[at.MASTER]), oracle.random_state, draws_normals=False)


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


def _write_slot(b: Buffer, block: int, agent: ExecutionSlot) -> None:
    b[at.SLOT_BLOCK] = block
    b[block + at.E_SIDE] = at.BID if agent.side is Side.BID else at.ASK
    b[block + at.E_QUANTITY] = agent.quantity
    b[block + at.E_START] = ns_date(int(b[at.OPEN])) + agent.start
    b[block + at.E_WINDOW] = agent.window
    b[block + at.E_INTERVAL] = agent.interval
    b[block + at.E_SWEEP] = agent.sweep
    b[block + at.E_SETTLEMENT] = agent.settlement
    b[[block + at.E_ARRIVAL2, block + at.E_END_MID2, block + at.E_MID2, block + at.E_SHOWN]] = at.NONE


WRITERS: dict[int, Callable[[Buffer, int, Any], None]] = {
    at.NOISE: _write_noise,
    at.VALUE: _write_value,
    at.MOMENTUM: _write_momentum,
    at.MAKER: _write_maker,
    at.EXECUTION: _write_slot,
}
