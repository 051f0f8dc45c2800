"""Markets side by side, and the execution slot against the agent in Python whose protocol it follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from abides_core import abides
from abides_core.engines import UnsupportedError
from abides_markets.compiled import layout as at
from abides_markets.compiled import template
from abides_markets.compiled.buffer import FIRST_ROWS
from abides_markets.compiled.slot import ExecutionSlot
from abides_markets.compiled.stack import MarketStack
from abides_markets.configs import rmsc04
from abides_markets.orders import Side
from abides_markets.switches import Switches
from abides_markets.tape import MarketTape
from abides_markets.utils import config_append_agents
from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.execution_agent import ParentOrder
from agents.views import VIEW
from agents.views import View
from agents.views import words_of
from configs import load_experiment
from configs.models import regimes
from envs.native_markets import NativeMarkets

SECOND = 10**9
START = 9 * 3600 * SECOND + 30 * 60 * SECOND
FULL: dict[str, Any] = {"num_noise_agents": 1000, "num_value_agents": 102, "num_momentum_agents": 12}
SMALL: dict[str, Any] = {"num_noise_agents": 300, "num_value_agents": 15, "num_momentum_agents": 3}


def background(seed: int, **parameters: Any) -> dict[str, Any]:
    chosen = {"end_time": "09:36:00", "latency_seed": 3, "switches": Switches.all_on(), **SMALL, **parameters}
    config = rmsc04.build_config(seed=seed, book_logging=False, log_orders=None, **chosen)
    for agent in config["agents"]:
        agent.log_events = False
    return config


def order_of(side: Side = Side.BID, **fields: Any) -> ParentOrder:
    values = {"quantity": 900, "start": START + 60 * SECOND, "window": 60 * SECOND, "sweep": True, **fields}
    return ParentOrder(side=side, **values)


def stack_of(order: ParentOrder, interval: int, markets: int = 1, **parameters: Any) -> MarketStack:
    def slot(agent_id: int) -> ExecutionSlot:
        return ExecutionSlot(
            agent_id, "ABM", order.side, order.quantity, order.start, order.window, interval, order.sweep,
            order.settlement,
        )  # fmt: skip

    return MarketStack(lambda seed: background(seed, **parameters), slot, markets)


def begin_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tables of templates begin with two rows each."""
    monkeypatch.setattr(template, "first_rows", lambda count: dict.fromkeys(FIRST_ROWS, 2))
    monkeypatch.setattr(template, "ROWS_OF_AN_HOUR", {})


class Scripted(ExecutionAgent):
    """Takes the decisions of a script, one after the other, and notes what it sees."""

    def __init__(self, *arguments: Any, script: list[Decision], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.script = script
        self.seen: list[View] = []

    def decide(self, view: View) -> Decision:
        self.seen.append(view)
        return priced(self.script[(len(self.seen) - 1) % len(self.script)], view.bids, view.asks)

    def _on_finish(self) -> Any:
        self.seen.append(self.final_view())


def priced(decision: Decision, bids: Any, asks: Any) -> Decision:
    """Give the limit order of a script its price: so many cents from the best bid, or from 100 000."""
    best = bids[0][0] if bids else 100_000
    return decision._replace(limit_price=best + decision.limit_price)


def in_python(seed: int, order: ParentOrder, interval: int, script: list[Decision], **parameters: Any) -> Any:
    """Run the script as an agent in Python on the reference engine; return what it saw and the market's tape."""
    config = background(seed, **parameters)
    agent = Scripted(
        len(config["agents"]), "ABM", order, interval, random_state=np.random.RandomState(0), script=script
    )
    agent.log_events = False
    config_append_agents(config, [agent])
    tape = config["agents"][0].order_books["ABM"].tape = MarketTape(agent.id)
    abides.run(config)
    return agent.seen, tape, agent


def in_the_slot(stack: MarketStack, index: int, script: list[Decision]) -> list[tuple[Any, int, list[Any]]]:
    """Step a started market by the script; return each view as a row, its time, and the fills before it."""
    seen = []
    active = np.arange(len(stack.views)) == index
    while True:
        row = stack.views[index].copy().view(VIEW)[0]
        seen.append((row, int(stack.times[index]), stack.fills[stack.fills[:, 0] == index, 1:].tolist()))
        if stack.finished[index]:
            return seen
        bids = [(int(row["bid_price"][0]), 1)] if row["bid_price"][0] >= 0 else []
        decision = priced(script[(len(seen) - 1) % len(script)], bids, [])
        decisions = np.zeros((len(stack.views), 4), dtype=np.int64)
        decisions[index] = decision[:4]
        stack.step(decisions, active)


def assert_same_trader(seen: list[View], tape: MarketTape, found: list[Any], slot_tape: MarketTape) -> None:
    assert len(seen) == len(found)
    for view, (row, time, fills) in zip(seen, found, strict=True):
        assert view.rows()[0] == row
        assert view.time == time
        assert [[fill.price, fill.quantity] for fill in view.fills] == fills
    assert slot_tape.trades == tape.trades[: len(slot_tape.trades)]
    assert slot_tape.quotes == tape.quotes[: len(slot_tape.quotes)]


decisions = st.builds(
    Decision,
    market=st.integers(0, 400),
    limit=st.integers(0, 300),
    limit_price=st.integers(-3, 4),
    cancel=st.booleans(),
    action=st.just(-1),
)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    side=st.sampled_from(Side),
    sweep=st.booleans(),
    quantity=st.sampled_from([1, 900, 50_000]),
    # 4 ms: the answers to several questions are on their way at the same time.
    interval=st.sampled_from([4_000_000, SECOND // 2, 5 * SECOND, 60 * SECOND]),
    switches=st.sampled_from([Switches.all_on(), Switches()]),
    settlement=st.sampled_from([0, 20_000_000, SECOND]),
    script=st.lists(decisions, min_size=1, max_size=12),
)
def test_the_slot_is_the_agent_in_python(
    seed: int,
    side: Side,
    sweep: bool,
    quantity: int,
    interval: int,
    switches: Switches,
    settlement: int,
    script: list[Decision],
) -> None:
    window = 200_000_000 if interval == 4_000_000 else 60 * SECOND
    order = order_of(side, sweep=sweep, quantity=quantity, window=window, settlement=settlement)
    parameters = {"end_time": "09:33:00", "switches": switches, "num_noise_agents": 150}
    seen, tape, agent = in_python(seed, order, interval, script, **parameters)
    stack = stack_of(order, interval, **parameters)
    stack.start(0, seed, side)
    found = in_the_slot(stack, 0, script)
    if not agent.finished:  # the market ended first: the environment shows the end all the same
        seen.append(agent.final_view())
    assert_same_trader(seen, tape, found, stack.tape(0))


@pytest.mark.parametrize("start", [START - 3600 * SECOND, START, START + 300 * SECOND])
@pytest.mark.parametrize("sweep", [True, False])
def test_windows_before_the_open_and_beyond_the_close(start: int, sweep: bool) -> None:
    script = [Decision(market=30), Decision(limit=50, limit_price=1), Decision(cancel=True, market=5)]
    order = order_of(start=start, sweep=sweep, window=90 * SECOND)
    seen, tape, agent = in_python(5, order, 5 * SECOND, script)
    stack = stack_of(order, 5 * SECOND)
    stack.start(0, 5, Side.BID)
    found = in_the_slot(stack, 0, script)
    if not agent.finished:
        seen.append(agent.final_view())
    assert_same_trader(seen, tape, found, stack.tape(0))


@pytest.mark.parametrize("seed", [0, 1, 7, 2**32 - 1, *range(100, 116)])
@pytest.mark.parametrize("parameters", [{}, {"num_noise_agents": 0}, {"megashock_lambda_a": 0}, {"mm_pov": 0.1}])
def test_a_market_of_another_seed_is_made_as_it_is_built(seed: int, parameters: dict[str, Any]) -> None:
    template = stack_of(order_of(), 5 * SECOND, **parameters)._template
    assert template._is_reseedable
    assert template._reseeds_to(seed)


@pytest.mark.parametrize("name", regimes())
def test_the_market_of_every_regime_is_native_and_made_without_python(name: str) -> None:
    of = load_experiment("quick", {"market.regime": name})
    market = NativeMarkets(of, 1)
    market.start(0, 1_000_003, "sell")
    assert market.stack._template._is_reseedable
    assert market.rows["left"].tolist() == [of.order.quantity]


def test_a_market_whose_seed_decides_more_is_built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    order, script = order_of(), [Decision(market=40)]
    stack = stack_of(order, 5 * SECOND, latency_seed=None)
    for seed in (3, 4):
        stack.start(0, seed, Side.BID)
        assert not stack._template._is_reseedable
        seen, tape, _ = in_python(seed, order, 5 * SECOND, script, latency_seed=None)
        assert_same_trader(seen, tape, in_the_slot(stack, 0, script), stack.tape(0))


def test_where_the_tables_begin_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    script = [Decision(market=7), Decision(limit=9, limit_price=0)]
    runs = []
    for is_small in (False, True):
        if is_small:
            begin_small(monkeypatch)
        stack = stack_of(order_of(), SECOND, markets=2)
        stack.start(1, 12, Side.ASK)  # the tables are made larger while this one is under way
        stack.start(0, 11, Side.BID)
        runs.append([[(*row.item()[:12], fills) for row, _, fills in in_the_slot(stack, i, script)] for i in (0, 1)])
        runs[-1].append([stack.tape(0).trades, stack.tape(1).quotes])
    assert runs[0] == runs[1]


def test_a_restored_stack_goes_on_as_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    begin_small(monkeypatch)  # they grow before and after
    script = [Decision(market=7), Decision(limit=9, limit_price=0)]
    old, new = (stack_of(order_of(), SECOND, markets=3) for _ in range(2))
    old.start(1, 12, Side.ASK)
    new.set_state(old.get_state())
    for stack in (old, new):
        stack.start(0, 11, Side.BID)
    seen = [
        [[(*row.item()[:12], fills) for row, _, fills in in_the_slot(s, i, script)] for i in (0, 1)] for s in (old, new)
    ]
    assert seen[0] == seen[1]
    for index in (0, 1):
        assert new.tape(index).trades == old.tape(index).trades
        assert new.tape(index).quotes == old.tape(index).quotes


@pytest.mark.parametrize("side", Side)
def test_an_idle_slot_leaves_the_market_as_it_is_without_one(side: Side) -> None:
    stack = stack_of(order_of(sweep=False), 5 * SECOND, **FULL)
    stack.start(0, 9, side)
    in_the_slot(stack, 0, [Decision()])
    config = background(9, **FULL)
    tape = config["agents"][0].order_books["ABM"].tape = MarketTape(at.NONE)
    abides.run(config)
    trades = stack.tape(0).trades
    assert len(trades) > 10
    assert [trade[:6] for trade in trades] == [trade[:6] for trade in tape.trades[: len(trades)]]
    assert stack.tape(0).quotes == tape.quotes[: len(stack.tape(0).quotes)]


def test_markets_do_not_know_of_each_other() -> None:
    script = [Decision(market=25), Decision(limit=40, limit_price=0, cancel=True)]
    alone = []
    for seed in (21, 22, 23):
        stack = stack_of(order_of(), 5 * SECOND)
        stack.start(0, seed, Side.BID)
        in_the_slot(stack, 0, script)
        alone.append(stack.tape(0))
    stack = stack_of(order_of(), 5 * SECOND, markets=3)
    for index in range(3):
        stack.start(index, 21 + index, Side.BID)
    for index in (2, 0, 1):
        in_the_slot(stack, index, script)
    for index in range(3):
        assert stack.tape(index).trades == alone[index].trades
        assert stack.tape(index).quotes == alone[index].quotes


def stepped(stack: MarketStack, decisions: list[list[int]]) -> None:
    for decision in decisions:
        stack.step(np.array([decision] * len(stack.views)), ~stack.finished)


def test_a_fork_goes_on_as_the_market_would_and_leaves_it_alone() -> None:
    stack = stack_of(order_of(), SECOND, markets=2, **FULL)
    for index in range(2):
        stack.start(index, 30 + index, Side.BID)
    stepped(stack, [[20, 0, -1, 0], [0, 30, 99_999, 0]] * 8)
    fork = stack.fork()
    before = stack.words.copy()
    stepped(fork, [[25, 10, 100_000, 1]] * 20)
    np.testing.assert_array_equal(stack.words, before)
    other_way = stack.fork()
    stepped(other_way, [[40, 0, -1, 1]] * 20)
    assert other_way.tape(0).trades != fork.tape(0).trades
    stepped(stack, [[25, 10, 100_000, 1]] * 20)
    for name in ("words", "views", "times", "finished", "fills"):
        np.testing.assert_array_equal(getattr(stack, name), getattr(fork, name), err_msg=name)


def test_a_fork_at_arrival_that_idles_is_the_market_without_the_order() -> None:
    stack = stack_of(order_of(sweep=True), 5 * SECOND, **FULL)
    stack.start(0, 9, Side.BID)
    twin = stack.fork(leave=True)
    in_the_slot(stack, 0, [Decision(market=200)])
    in_the_slot(twin, 0, [Decision()])
    config = background(9, **FULL)
    tape = config["agents"][0].order_books["ABM"].tape = MarketTape(at.NONE)
    abides.run(config)
    trades = twin.tape(0).trades
    assert [trade[:6] for trade in trades] == [trade[:6] for trade in tape.trades[: len(trades)]]
    assert twin.tape(0).quotes == tape.quotes[: len(twin.tape(0).quotes)]
    own = len(config["agents"])
    assert any(own in (trade.passive_agent, trade.aggressor_agent) for trade in stack.tape(0).trades)
    assert not any(own in (trade.passive_agent, trade.aggressor_agent) for trade in trades)


def test_what_makes_no_sense_is_refused_and_nothing_is_lost() -> None:
    stack = stack_of(order_of(), 5 * SECOND, markets=2)
    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match=f"must be at least 0 and less than 2\\*\\*32, got {seed}"):
            stack.start(0, seed, Side.BID)
    for index in range(2):
        stack.start(index, index, Side.BID)
    before = stack.words.copy()
    for wrong in ((-1, 0, -1, 0), (0, -2, 5, 0), (0, 3, -1, 0)):
        with pytest.raises(ValueError, match=f"got market={wrong[0]}, limit={wrong[1]}, limit_price={wrong[2]}"):
            stack.step(np.array([[0, 0, -1, 0], wrong]), np.ones(2, dtype=bool))
    np.testing.assert_array_equal(stack.words, before)
    config = background(0)
    config["agents"][0].symbols = ["ABM", "XYZ"]
    with pytest.raises(UnsupportedError, match="does not support 2 symbols"):
        MarketStack(lambda seed: config, lambda agent_id: None)  # type: ignore[arg-type, return-value]
    config = background(0)
    config_append_agents(config, [ExecutionSlot(len(config["agents"]), "ABM", Side.BID, 1, 0, 10, 5, True, 0)])
    with pytest.raises(UnsupportedError, match="an execution slot, outside of a MarketStack"):
        abides.run(config, engine="compiled")


def test_the_words_of_a_view_are_its_fields() -> None:
    rows = np.zeros(2, dtype=VIEW)
    words = words_of(rows)
    assert words.shape == (2, at.VIEW_WORDS)
    for name in VIEW.names or ():
        word = getattr(at, f"VIEW_{name.upper()}")
        words[1, word] = word + 1
        assert np.atleast_1d(rows[name][1])[0] == word + 1
    assert rows["bid_price"].shape[1] == at.VIEW_LEVELS
    assert rows["mid2_past"].shape[1] == at.VIEW_PAST
