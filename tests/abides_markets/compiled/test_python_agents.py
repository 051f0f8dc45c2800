"""Agents in Python see and do on the compiled engine exactly what they see and do on the reference engine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from abides_core import abides
from abides_core.engines import UnsupportedError
from abides_core.message import MESSAGE_IDS
from abides_core.message import Message
from abides_markets.agents import AdaptiveMarketMakerAgent
from abides_markets.agents import MomentumAgent
from abides_markets.agents import NoiseAgent
from abides_markets.agents import TradingAgent
from abides_markets.agents import ValueAgent
from abides_markets.compiled import layout as at
from abides_markets.compiled import translate
from abides_markets.compiled.buffer import FIRST_ROWS
from abides_markets.compiled.kernel import CompiledKernel
from abides_markets.configs import rmsc04
from abides_markets.messages.market import MarketClosePriceRequestMsg
from abides_markets.messages.marketdata import BookImbalanceSubReqMsg
from abides_markets.messages.marketdata import L1SubReqMsg
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.query import QuerySpreadMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.orders import ORDER_IDS
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Side
from abides_markets.switches import REFERENCE
from abides_markets.switches import Switches
from abides_markets.utils import config_add_agents
from agents import STRATEGIES
from agents.registry import POLICY_KINDS
from envs import OptimalExecEnv
from experiments.episode import Episode
from tests.abides_markets.compiled.worlds import Change
from tests.abides_markets.compiled.worlds import assert_same
from tests.abides_markets.compiled.worlds import both
from tests.abides_markets.compiled.worlds import build
from tests.abides_markets.compiled.worlds import each
from tests.abides_markets.compiled.worlds import left_by
from tests.abides_markets.compiled.worlds import run_both
from tests.abides_markets.tapes import SECOND
from tests.abides_markets.tapes import SYMBOL
from tests.abides_markets.tapes import tape_of
from tests.abides_markets.tapes import with_scripted_agent
from tests.agents.worlds import THIN
from tests.agents.worlds import experiment

SMALL = {"num_noise_agents": 100, "num_value_agents": 10, "num_momentum_agents": 4, "end_time": "09:36:00"}
TINY = {"num_noise_agents": 5, "num_value_agents": 2, "num_momentum_agents": 1, "end_time": "09:31:00"}
SWITCHES = {"reference": REFERENCE, "all on": Switches.all_on()}
ENGINES = ("reference", "compiled")


class MyNoiseAgent(NoiseAgent):
    pass


class MyValueAgent(ValueAgent):
    pass


class MyMomentumAgent(MomentumAgent):
    pass


class MyMarketMaker(AdaptiveMarketMakerAgent):
    pass


SUBCLASSES: dict[type, type] = {
    NoiseAgent: MyNoiseAgent,
    ValueAgent: MyValueAgent,
    MomentumAgent: MyMomentumAgent,
    AdaptiveMarketMakerAgent: MyMarketMaker,
}


def subclassed(*kinds: type, every: int = 1) -> Change:
    """Put subclasses with an empty body in the place of every so many agents of these kinds."""

    def change(config: dict[str, Any]) -> None:
        for agent in config["agents"]:
            if type(agent) in kinds and agent.id % every == 0:
                agent.__class__ = SUBCLASSES[type(agent)]

    return change


def joined_by(*makers: Callable[[int], TradingAgent]) -> Change:
    """Add agents made from their ids."""

    def change(config: dict[str, Any]) -> None:
        count = len(config["agents"])
        config.update(config_add_agents(config, [make(count + i) for i, make in enumerate(makers)]))

    return change


# The recorded tapes


@pytest.mark.parametrize(
    ("seed", "digests", "events"),
    [
        (0, ("37f2a74eadc53597", "f60cd7c8a863b83d", "1e09f7708dc2b734"), 56807),
        (4, ("69cc198505cbbb67", "6731c3baa51758e0", "98ca670ef3772484"), 48465),
    ],
)
def test_tape_with_the_scripted_agent_is_the_recorded_one(
    seed: int, digests: tuple[str, str, str], events: int
) -> None:
    config = with_scripted_agent(rmsc04.build_config(seed=seed, end_time="10:00:00"))
    tape = tape_of(abides.run(config, engine="compiled"))
    assert tape.digests() == digests
    assert tape.events == events


# Subclasses


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("kind", SUBCLASSES, ids=lambda kind: kind.__name__)
def test_a_subclass_of_a_built_in_agent_is_that_agent(kind: type, switches: str) -> None:
    for seed in (1, 2):
        parameters = {**SMALL, "switches": SWITCHES[switches]}
        results = run_both(seed, subclassed(kind), **parameters)
        assert_same(results)
        assert_same([left_by(build(seed, **parameters), "compiled"), results[1]])


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize(("seed", "every"), [(3, 1), (4, 2), (5, 7)])
def test_several_agents_in_python_beside_built_in_ones(seed: int, every: int, switches: str) -> None:
    parameters = {**SMALL, "switches": SWITCHES[switches]}
    change = subclassed(*SUBCLASSES, every=every)
    results = run_both(seed, change, **parameters)
    assert_same(results)
    assert_same([left_by(build(seed, **parameters), "compiled"), results[1]])


def test_subclasses_of_makers_with_a_low_threshold_hear_of_imbalances() -> None:
    low = each("Adaptive", min_imbalance=0.01, backstop_quantity=100)
    assert_same(run_both(9, both(low, subclassed(AdaptiveMarketMakerAgent, every=2)), **SMALL))


# Times


class Told(TradingAgent):
    """Keeps what happens to it."""

    def __init__(self, id: int, **parameters: Any) -> None:
        super().__init__(id, **parameters)
        self.told: list[Any] = []

    def wakeup(self, current_time: int) -> Any:
        self.told.append((current_time, "wakeup", self.get_computation_delay()))
        return super().wakeup(current_time)

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        self.told.append((current_time, sender_id, message.message_id, message.type(), str(message)))
        super().receive_message(current_time, sender_id, message)


class Busy(Told):
    """Trades from the very start, is woken at the present time, and takes its time over things."""

    def kernel_starting(self, start_time: int) -> None:
        super().kernel_starting(start_time)
        self.delay(5)
        for number in range(50):
            self.place_limit_order(SYMBOL, 10 + number, (Side.BID, Side.ASK)[number % 2], 99_900 + number % 2 * 200)
        self.get_current_spread(SYMBOL, 3)
        for _ in range(3):
            self.set_wakeup(start_time)

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        draw = self.random_state.randint
        self.get_current_spread(SYMBOL, int(draw(1, 4)))
        self.set_computation_delay(int(draw(0, 3)) * int(draw(0, 2 * SECOND)))
        self.delay(int(draw(0, SECOND)))
        self.get_last_trade(SYMBOL)
        self.place_market_order(SYMBOL, int(draw(1, 50)), (Side.BID, Side.ASK)[draw(2)])
        if draw(3) == 0:
            self.set_wakeup(current_time)
        else:
            self.set_wakeup(current_time + int(draw(0, 4 * SECOND)) if self.mkt_open else self._mkt_open_guess)

    _mkt_open_guess = 0

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        if self.random_state.randint(4) == 0:
            self.delay(int(self.random_state.randint(0, SECOND)))


def busy(id: int) -> Busy:
    agent = Busy(id, random_state=np.random.RandomState(id))
    agent._mkt_open_guess = 10**18 * 2  # until it knows the hours it waits for them
    return agent


@pytest.mark.parametrize("delay", [0, 50, 3 * SECOND])
def test_busy_agents_and_agents_that_act_before_the_start(delay: int) -> None:
    told = []
    results = []
    for engine in ENGINES:
        slow = lambda config: config.update(default_computation_delay=delay)  # noqa: E731
        config = build(11, both(slow, joined_by(busy, busy, busy)), **TINY)
        results.append(left_by(config, engine))
        told.append([agent.told for agent in config["agents"][-3:]])
    assert_same(results)
    assert told[0] == told[1]
    assert min(len(messages) for messages in told[0]) > 20


class Scribbling(Told):
    """Looks at the book again and again, each time to another depth, and spoils what it is handed."""

    def wakeup(self, current_time: int) -> None:
        draw = self.random_state.randint
        if super().wakeup(current_time):
            self.get_current_spread(SYMBOL, (1, 2, 5, sys.maxsize, sys.maxsize)[draw(5)])
            self.place_market_order(SYMBOL, int(draw(1, 200)), (Side.BID, Side.ASK)[draw(2)])
            self.set_wakeup(current_time + int(draw(1, SECOND)))

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        if isinstance(message, QuerySpreadResponseMsg):
            message.bids.reverse()
            message.asks.clear()


def test_each_look_at_the_book_is_a_list_of_its_own() -> None:
    told = []
    for engine in ENGINES:
        makers = [lambda id: Scribbling(id, random_state=np.random.RandomState(id))] * 2
        config = build(12, joined_by(*makers), **SMALL)
        abides.run(config, engine=engine)
        told.append([agent.told for agent in config["agents"][-2:]])
    assert told[0] == told[1]
    looks = [what for *_, kind, what in told[0][0] if kind == "QuerySpreadResponseMsg"]
    assert len(looks) > 300
    assert len(set(looks)) > 300


# Execution agents

ALL = {
    "actions": {"kind": "lots", "lot": 20},
    "strategies": {"anything": {"kind": "tests.agents.worlds:RandomOrdersAgent", "interval": "2s"}},
    "decision_interval": "5s",
}


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("strategy", [*(name for name in STRATEGIES if name not in POLICY_KINDS), "anything"])
@pytest.mark.parametrize("population", ["full", "thin"])
def test_an_episode_leaves_the_same_records(strategy: str, side: Any, population: str) -> None:
    of = experiment(**ALL, market={"end_time": "09:34:00", "params": THIN if population == "thin" else {}})
    reference, compiled = (Episode(of, strategy, 3, side, engine=engine) for engine in ENGINES)
    assert compiled.makers_alive() == reference.makers_alive()
    assert compiled.discarded() == reference.discarded()
    assert compiled.agent.holdings == reference.agent.holdings
    assert compiled.tape.trades == reference.tape.trades
    assert compiled.tape.quotes == reference.tape.quotes
    expected = reference.tables()
    for name, table in compiled.tables().items():
        assert table.equals(expected[name]), name


ACTIONS: list[dict[str, Any]] = [{"kind": "participation"}, {"kind": "lots", "lot": 20}, {"kind": "placement"}]


def play(env: OptimalExecEnv, seed: int, side: str) -> Any:
    """Yield what an environment returns, step by step, under random actions."""
    draw = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed, options={"side": side})
    yield observation.tolist(), info
    terminated = False
    while not terminated:
        observation, reward, terminated, _, info = env.step(int(draw.integers(env.action_set.n)))
        yield observation.tolist(), reward, terminated, info


@pytest.mark.parametrize("actions", ACTIONS, ids=lambda actions: actions["kind"])
def test_environments_step_alike_and_do_not_disturb_one_another(actions: dict[str, Any]) -> None:
    of = experiment(actions=actions, decision_interval="2s", observation={"history": 2})
    plays = [
        (seed, side, engine) for seed, side in ((1, "buy"), (2, "sell"), (3, "buy"), (4, "sell")) for engine in ENGINES
    ]
    envs = [OptimalExecEnv(of, engine=engine) for *_, engine in plays]
    running = {index: play(env, plays[index][0], plays[index][1]) for index, env in enumerate(envs)}
    steps: dict[int, list[Any]] = {index: [] for index in running}
    while running:
        for index, player in list(running.items()):
            step = next(player, None)
            if step is None:
                del running[index]
            else:
                steps[index].append(step)
    for index in range(0, len(plays), 2):
        assert len(steps[index]) > 10
        assert steps[index] == steps[index + 1]
    assert list(play(envs[1], 1, "buy")) == steps[0]  # a second episode of the same environment


# What is refused, and agents that fail


class Doing(TradingAgent):
    """Does one thing one second after the open."""

    def __init__(self, id: int, act: Callable[[Doing], Any]) -> None:
        super().__init__(id)
        self.act = act

    def get_wake_frequency(self) -> int:
        return SECOND

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        if self.mkt_open and current_time >= self.mkt_open:
            self.act(self)

    def order(self, **changes: Any) -> LimitOrder:
        parameters = {"symbol": SYMBOL, "quantity": 10, "side": Side.BID, "limit_price": 90_000, **changes}
        return LimitOrder(self.id, self.current_time, **parameters)

    def tell(self, message: Message, **named: Any) -> None:
        self.send_message(0, message, **named)


def placed(agent: Doing, **flags: Any) -> None:
    agent.place_limit_order(SYMBOL, 10, Side.BID, 90_000, **flags)


def twice(act: Callable[[], Any]) -> None:
    act()
    act()


def changed(agent: Doing, method: str) -> None:
    placed(agent)
    (order,) = agent.orders.values()
    getattr(agent, method)(order, 3 if method == "partial_cancel_order" else agent.order(order_id=order.order_id))


REFUSED: list[tuple[str, Callable[[Doing], Any]]] = [
    ("a ModifyOrderMsg", lambda agent: changed(agent, "modify_order")),
    ("a ReplaceOrderMsg", lambda agent: changed(agent, "replace_order")),
    ("a PartialCancelOrderMsg", lambda agent: changed(agent, "partial_cancel_order")),
    ("is_hidden", lambda agent: placed(agent, is_hidden=True)),
    ("is_price_to_comply", lambda agent: placed(agent, is_price_to_comply=True)),
    ("insert_by_id", lambda agent: placed(agent, insert_by_id=True)),
    ("is_post_only", lambda agent: placed(agent, is_post_only=True)),
    ("MR_preprocess_ADD", lambda agent: placed(agent, tag="MR_preprocess_ADD")),
    ("'XYZ'", lambda agent: agent.place_limit_order("XYZ", 10, Side.BID, 90_000)),
    ("'XYZ'", lambda agent: agent.place_market_order("XYZ", 10, Side.BID)),
    ("'XYZ'", lambda agent: agent.get_current_spread("XYZ")),
    ("from agent 11 to agent 3", lambda agent: agent.send_message(3, QuerySpreadMsg(SYMBOL, 1))),
    ("a QueryOrderStreamMsg", lambda agent: agent.get_order_stream(SYMBOL, 5)),
    ("a L1SubReqMsg", lambda agent: agent.request_data_subscription(L1SubReqMsg(SYMBOL))),
    ("the end of a subscription", lambda agent: agent.cancel_data_subscription(BookImbalanceSubReqMsg(SYMBOL))),
    (
        "more than one BookImbalanceSubReqMsg from agent 11",
        lambda agent: twice(lambda: agent.request_data_subscription(BookImbalanceSubReqMsg(SYMBOL))),
    ),
    ("more than one MarketClosePriceRequestMsg", lambda agent: agent.tell(MarketClosePriceRequestMsg())),
    ("an order of 0 shares", lambda agent: agent.tell(LimitOrderMsg(agent.order(quantity=0)))),
    ("an order of 2.5 shares", lambda agent: agent.tell(LimitOrderMsg(agent.order(quantity=2.5)))),
    ("a limit price of -1", lambda agent: agent.tell(LimitOrderMsg(agent.order(limit_price=-1)))),
    (f"a limit price of {sys.maxsize}", lambda agent: placed(agent, order_id=77, tag=None) or agent.tell(
        LimitOrderMsg(agent.order(limit_price=agent.MKT_BUY)))),
    ("with the number 77, which agents have used", lambda agent: twice(lambda: placed(agent, order_id=77))),
    ("about an order of agent 3", lambda agent: agent.tell(LimitOrderMsg(LimitOrder(3, 0, SYMBOL, 1, Side.BID, 5)))),
    ("the tag 'auctionFill'", lambda agent: agent.cancel_order(agent.order(), tag="auctionFill")),
    ("a depth of -1 levels", lambda agent: agent.get_current_spread(SYMBOL, -1)),
    ("a depth of None levels", lambda agent: agent.get_current_spread(SYMBOL, None)),  # type: ignore[arg-type]
    ("a look-back of 'soon'", lambda agent: agent.get_transacted_volume(SYMBOL, "soon")),
    ("a min_imbalance of nan", lambda agent: agent.request_data_subscription(
        BookImbalanceSubReqMsg(SYMBOL, min_imbalance=float("nan")))),
    ("a LimitOrderMsg with None", lambda agent: agent.tell(LimitOrderMsg(None))),  # type: ignore[arg-type]
    ("a LimitOrderMsg with (Agent 11", lambda agent: agent.tell(
        LimitOrderMsg(MarketOrder(agent.id, 0, SYMBOL, 1, Side.BID)))),  # type: ignore[arg-type]
    ("an order with the id [1]", lambda agent: agent.tell(LimitOrderMsg(agent.order(order_id=[1])))),
    ("an order on the side True", lambda agent: agent.tell(LimitOrderMsg(agent.order(side=True)))),
    ("an order of None shares", lambda agent: agent.tell(LimitOrderMsg(agent.order(quantity=None)))),
    ("an order of nan shares", lambda agent: agent.tell(LimitOrderMsg(agent.order(quantity=float("nan"))))),
    ("a limit price of 'x'", lambda agent: agent.tell(LimitOrderMsg(agent.order(limit_price="x")))),
    ("a delay of 0.5 ns", lambda agent: agent.tell(QuerySpreadMsg(SYMBOL, 1), delay=0.5)),  # type: ignore[arg-type]
    ("a QuerySpreadMsg in a batch", lambda agent: agent.send_message_batch(0, [QuerySpreadMsg(SYMBOL, 1)])),
]  # fmt: skip


@pytest.mark.parametrize(("what", "act"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_not_supported_is_refused_by_name(what: str, act: Callable[[Doing], Any]) -> None:
    ids = MESSAGE_IDS.value, ORDER_IDS.value
    config = build(1, joined_by(lambda id: Doing(id, act)), **TINY)
    with pytest.raises(UnsupportedError) as raised:
        abides.run(config, engine="compiled")
    assert what in str(raised.value)
    assert str(raised.value).endswith("use engine='reference'")
    assert (MESSAGE_IDS.value, ORDER_IDS.value) == ids


class Failing(TradingAgent):
    """Fails in one of its methods."""

    def __init__(self, id: int, method: str) -> None:
        super().__init__(id)
        setattr(self, method, self._fail)

    def _fail(self, *arguments: Any) -> None:
        LimitOrder(self.id, 0, SYMBOL, 1, Side.BID, 1)
        raise LookupError("of its own")


@pytest.mark.parametrize(
    "method", ["kernel_initializing", "kernel_starting", "wakeup", "receive_message", "kernel_stopping"]
)
def test_the_error_of_an_agent_passes_through_and_leaves_the_counters(method: str) -> None:
    ids = MESSAGE_IDS.value, ORDER_IDS.value
    with pytest.raises(LookupError, match="of its own"):
        abides.run(build(1, joined_by(lambda id: Failing(id, method)), **TINY), engine="compiled")
    assert (MESSAGE_IDS.value, ORDER_IDS.value) == ids


def test_a_run_leaves_the_counters_of_its_caller() -> None:
    ids = MESSAGE_IDS.value, ORDER_IDS.value
    abides.run(build(1, joined_by(busy), **TINY), engine="compiled")
    assert (MESSAGE_IDS.value, ORDER_IDS.value) == ids


# Batches, and tables that grow


class Batching(Told):
    """Sends large batches: orders of all kinds, cancellations of earlier orders and of orders in the same batch."""

    def kernel_starting(self, start_time: int) -> None:
        super().kernel_starting(start_time)
        for _ in range(40):
            self.set_wakeup(start_time)

    def get_wake_frequency(self) -> int:
        return SECOND

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        if not self.mkt_open:
            return
        self.set_wakeup(current_time + 3 * SECOND)
        draw = self.random_state.randint
        parts: list[Message] = []
        for number in range(int(draw(0, 300))):
            order = self.create_limit_order(SYMBOL, int(draw(1, 60)), (Side.BID, Side.ASK)[draw(2)], 99_900 + draw(200))
            assert order is not None
            self.orders[order.order_id] = order.copy()
            parts.append(LimitOrderMsg(order))
            if number % 3 == 0:
                earlier = list(self.orders.values())
                parts.append(CancelOrderMsg(earlier[draw(len(earlier))], None, None))  # type: ignore[arg-type]
        self.send_message_batch(0, parts)
        self.get_current_spread(SYMBOL, sys.maxsize)


@pytest.mark.parametrize("rows", [1, 64, None])
def test_large_batches_from_the_smallest_tables(rows: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if rows is not None:
        monkeypatch.setattr(translate, "first_rows", lambda agents: dict.fromkeys(FIRST_ROWS, rows))
    agents = [lambda id: Batching(id, random_state=np.random.RandomState(id))] * 3
    results, told = [], []
    for engine in ENGINES:
        config = build(6, joined_by(*agents), **TINY)
        results.append(left_by(config, engine))
        told.append([agent.told for agent in config["agents"][-3:]])
    assert_same(results)
    assert told[0] == told[1]
    assert max(len(messages) for messages in told[0]) > 1000


def test_the_smallest_tables_have_room_for_first_wake_ups_after_an_agent_that_asks_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An agent in Python with a low id fills the tables before the built-in agents behind it have asked."""
    monkeypatch.setattr(translate, "first_rows", lambda agents: dict.fromkeys(FIRST_ROWS, 1))

    def change(config: dict[str, Any]) -> None:
        early = Batching(1, random_state=config["agents"][1].random_state)
        config["agents"][1] = early

    assert_same(run_both(8, change, **TINY))
    kernel = CompiledKernel(build(8, **TINY))
    assert kernel.buffer[at.EVENT_ROWS] < 40
