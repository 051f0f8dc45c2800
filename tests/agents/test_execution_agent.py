"""What an execution agent does in a market whose every order is known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from abides_markets.orders import LimitOrder
from abides_markets.orders import Side
from agents import IdleAgent
from agents import ParentOrder
from agents import TWAPAgent
from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.views import View
from tests.agents.worlds import MILLISECOND
from tests.agents.worlds import SECOND
from tests.agents.worlds import Quote
from tests.agents.worlds import RandomOrdersAgent
from tests.agents.worlds import World
from tests.agents.worlds import deep_book
from tests.agents.worlds import mirrored
from tests.agents.worlds import parent
from tests.agents.worlds import run_world
from tests.agents.worlds import view

BUY, SELL = Side.BID, Side.ASK


class HalfAtTheBest(ExecutionAgent):
    """The ten lines that a custom agent takes: half of what is left, posted at the own best price."""

    def decide(self, view: View) -> Decision:
        best = view.best_bid if view.side > 0 else view.best_ask
        if best is None:
            return Decision()
        return Decision(limit=(view.left + 1) // 2, limit_price=best, cancel=True)


def playing(*decisions: Decision) -> type[ExecutionAgent]:
    """A strategy that takes the given decisions in turn, then none."""

    class Playing(ExecutionAgent):
        def decide(self, view: View) -> Decision:
            return decisions[view.decision] if view.decision < len(decisions) else Decision()

    return Playing


def balanced(world: World) -> None:
    """Every account of the agent agrees with every other and with the tape."""
    agent = world.agent
    signed = [agent.order.sign * trade.quantity for trade in world.own_trades]
    assert agent.filled == sum(map(abs, signed)) <= agent.order.quantity
    assert agent.holdings.get("ABM", 0) == sum(signed)
    paid = sum(q * t.price for q, t in zip(signed, world.own_trades, strict=True))
    assert agent.holdings["CASH"] == agent.starting_cash - paid
    assert sum(child.filled for child in agent.child_orders.values()) == agent.filled
    assert sum(fill.quantity for fill in agent.fills) == agent.filled
    assert agent.finished
    assert not agent.orders
    for child in agent.child_orders.values():
        assert child.quantity == child.filled + child.cancelled
        assert child.done >= child.submitted


def test_twap_trades_an_even_schedule_to_the_last_share() -> None:
    world = run_world(TWAPAgent, deep_book(), order=parent(1_003))
    cumulative = [round(1_003 * (k + 1) / 10) for k in range(10)]
    assert [t.quantity for t in world.own_trades] == [b - a for a, b in zip([0, *cumulative], cumulative, strict=False)]
    # Asked for at the decision time, decided one round trip later, matched one latency after that.
    expected = [world.start + 10 * k * SECOND + 3 * MILLISECOND for k in range(10)]
    for trade, time in zip(world.own_trades, expected, strict=True):
        assert 0 <= trade.time - time < 10
    assert world.agent.decisions[4].view.elapsed == 40 * SECOND
    balanced(world)


@pytest.mark.parametrize("seconds", [1, 10, 50])
def test_the_decision_interval_is_a_parameter(seconds: int) -> None:
    world = run_world(TWAPAgent, deep_book(), order=parent(), interval=seconds * SECOND)
    assert [d.view.elapsed for d in world.agent.decisions] == [k * seconds * SECOND for k in range(100 // seconds)]
    assert [d.view.decision for d in world.agent.decisions] == list(range(100 // seconds))
    assert world.agent.filled == 1_000
    balanced(world)


@pytest.mark.parametrize("interval", [0, -1, 7 * SECOND])
def test_an_interval_that_does_not_divide_the_window_is_refused(interval: int) -> None:
    with pytest.raises(ValueError, match="must divide the window"):
        TWAPAgent(0, "ABM", parent(), interval)


@pytest.mark.parametrize("fields", [{"quantity": 0}, {"quantity": -5}, {"window": 0}])
def test_a_parent_order_is_something_to_trade(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="parent order must be"):
        ParentOrder(**{"side": BUY, "quantity": 1, "start": 0, "window": 1, **fields})


def test_twap_catches_up_after_a_partial_fill() -> None:
    # 30 shares on offer at first, many from the third decision on.
    script = [
        Quote(-SECOND, BUY, 1_000, 99_999),
        Quote(-SECOND, SELL, 30, 100_001),
        Quote(15 * SECOND, SELL, 10_000, 100_001),
    ]
    world = run_world(TWAPAgent, script, order=parent())
    assert [child.quantity for child in world.agent.child_orders.values()] == [100, 170, 270, *[100] * 7]
    assert [child.filled for child in world.agent.child_orders.values()] == [30, 0, 270, *[100] * 7]
    assert [child.cancelled for child in world.agent.child_orders.values()] == [70, 170, 0, *[0] * 7]
    assert world.agent.filled == 1_000
    # The second decision sees no ask: the mid stays the last two-sided one.
    assert world.agent.decisions[1].view.asks == []
    assert world.agent.decisions[1].view.mid2 == 200_000
    balanced(world)


def test_without_both_sides_there_is_no_arrival_and_nothing_is_sent_until_there_are() -> None:
    script = [Quote(-SECOND, BUY, 5_000, 99_999), Quote(23_500 * MILLISECOND, SELL, 5_000, 100_004)]
    world = run_world(TWAPAgent, script, order=parent())
    agent = world.agent
    assert agent.arrival2 == 200_003
    first = agent.decisions[0].view
    assert first.time - world.start - 24 * SECOND < 3 * MILLISECOND  # asked every second
    # It counts as the decision due at 20 s; those of 0 s and 10 s never came to be.
    assert [d.view.elapsed // SECOND for d in agent.decisions] == [20, 30, 40, 50, 60, 70, 80, 90]
    assert [t.quantity for t in world.own_trades] == [300, *[100] * 7]
    balanced(world)


@pytest.mark.parametrize("sweep", [False, True])
def test_a_market_that_never_has_both_sides_is_never_traded(sweep: bool) -> None:
    world = run_world(TWAPAgent, [Quote(-SECOND, SELL, 5_000, 100_001)], order=parent(sweep=sweep))
    assert (world.agent.arrival2, world.agent.filled, world.agent.decisions) == (None, 0, [])
    assert world.agent.finished


def test_a_market_that_opens_for_the_sweep_is_swept() -> None:
    at = 99_600 * MILLISECOND  # after the last question, before the end
    script = [Quote(-SECOND, BUY, 5_000, 99_999), Quote(at - 200 * MILLISECOND, SELL, 5_000, 100_001)]
    world = run_world(TWAPAgent, script, order=parent(sweep=True))
    assert world.agent.arrival2 == 200_000
    assert world.agent.filled == 1_000
    balanced(world)


def test_leave_leaves_and_sweep_sweeps_inside_the_window() -> None:
    lazy = playing(Decision(market=100))
    left = run_world(lazy, deep_book(), order=parent(sweep=False))
    assert left.agent.filled == 100
    swept = run_world(lazy, deep_book(), order=parent(sweep=True))
    assert swept.agent.filled == 1_000
    assert [t.quantity for t in swept.own_trades] == [100, 900]
    assert swept.own_trades[-1].time < swept.start + swept.agent.order.window
    last = list(swept.agent.child_orders.values())[-1]
    assert (last.kind, last.decision) == ("market", 10)
    balanced(left)
    balanced(swept)


def test_a_sweep_repeats_while_there_is_something_to_take() -> None:
    end = 100 * SECOND
    script = [
        Quote(-SECOND, BUY, 5_000, 99_999),
        Quote(-SECOND, SELL, 40, 100_001),
        Quote(end - 499 * MILLISECOND, SELL, 60, 100_002),  # arrives while the first sweep is under way
        Quote(end - 497 * MILLISECOND, SELL, 80, 100_003),
    ]
    world = run_world(playing(), script, order=parent(500, sweep=True))
    # 500 ms before the end 40 are there; the refill is seen and taken, until a question finds no ask.
    assert [t.price for t in world.own_trades] == [100_001, 100_002, 100_003]
    assert world.agent.filled == 180
    balanced(world)


def test_a_sweep_withdraws_what_rests_and_takes_it_too() -> None:
    posting = playing(Decision(limit=400, limit_price=99_999))
    world = run_world(posting, deep_book(), order=parent(sweep=True))
    kinds = [(c.kind, c.quantity, c.filled, c.cancelled) for c in world.agent.child_orders.values()]
    assert kinds == [("limit", 400, 0, 400), ("market", 1_000, 1_000, 0)]
    balanced(world)


def test_at_the_end_what_rests_is_withdrawn() -> None:
    posting = playing(Decision(limit=400, limit_price=99_999))
    world = run_world(posting, deep_book(), order=parent(sweep=False))
    (child,) = world.agent.child_orders.values()
    assert (child.filled, child.cancelled) == (0, 400)
    assert 0 < child.done - world.start - world.agent.order.window < 3 * MILLISECOND
    assert world.agent.end_mid2 == 200_000
    balanced(world)


def test_a_sweep_follows_a_market_order_that_was_in_flight_when_it_began() -> None:
    # A decision every 40 ms against latencies of 9 ms: the last order is still travelling when the sweep begins.
    order = ParentOrder(BUY, 1_000, 34_260 * SECOND, 400 * MILLISECOND, sweep=True)
    decisions = [Decision()] * 9 + [Decision(market=100)]
    script = deep_book(at=-SECOND)
    world = run_world(playing(*decisions), script, order=order, interval=40 * MILLISECOND, latency=9 * MILLISECOND)
    assert [t.quantity for t in world.own_trades] == [100, 900]
    balanced(world)


def test_fills_on_the_way_to_the_settlement_are_counted() -> None:
    # The own bid rests until the cancellation, sent at the end, arrives; a seller meets it just before.
    end = 100 * SECOND
    script = [*deep_book(), Quote(end + MILLISECOND // 2, SELL, 150_000)]
    posting = playing(Decision(limit=400, limit_price=100_000))
    world = run_world(posting, script, order=parent(), starting_cash=7)
    assert world.own_trades[0].time > world.start + end
    assert world.agent.filled == 400
    assert world.agent.final_view().filled == 400
    balanced(world)


def test_a_replacement_leaves_only_once_the_cancellation_is_confirmed_and_never_for_more_than_is_left() -> None:
    # 800 of 1 000 rest; while their cancellation travels a seller takes 300 of them.
    first, second = Decision(limit=800, limit_price=100_000), Decision(limit=900, limit_price=99_999, cancel=True)
    script = [*deep_book(spread=4), Quote(10 * SECOND + 5 * MILLISECOND // 2, SELL, 300)]
    world = run_world(playing(first, second), script, order=parent())
    before, after = world.agent.child_orders.values()
    assert (before.filled, before.cancelled) == (300, 500)
    assert after.submitted >= before.done > world.start + 10 * SECOND + 3 * MILLISECOND
    assert after.quantity == 700  # not 900: 300 are filled
    balanced(world)


def test_a_replacement_leaves_also_if_nothing_was_left_to_cancel() -> None:
    first, second = Decision(limit=300, limit_price=100_000), Decision(limit=900, limit_price=99_999, cancel=True)
    script = [*deep_book(spread=4), Quote(10 * SECOND + 5 * MILLISECOND // 2, SELL, 300)]
    world = run_world(playing(first, second), script, order=parent())
    before, after = world.agent.child_orders.values()
    assert (before.filled, before.cancelled) == (300, 0)
    assert after.quantity == 700
    balanced(world)


def test_market_and_limit_orders_of_one_decision_share_what_is_left() -> None:
    both = playing(Decision(market=700, limit=700, limit_price=99_990), Decision(market=5_000))
    world = run_world(both, deep_book(), order=parent())
    assert [(c.kind, c.quantity) for c in world.agent.child_orders.values()] == [("market", 700), ("limit", 300)]
    balanced(world)


@pytest.mark.parametrize(
    "wrong",
    [
        Decision(market=-1),
        Decision(limit=-1, limit_price=100),
        Decision(market=-500, limit=5_000, limit_price=100_000),
        Decision(limit=10),
        Decision(market=11.5),  # type: ignore[arg-type]
        Decision(limit=10, limit_price=99_999.0),  # type: ignore[arg-type]
    ],
)
def test_a_decision_that_cannot_be_carried_out_is_an_error_of_one_line(wrong: Decision) -> None:
    with pytest.raises(ValueError, match=r"got Decision\(") as error:
        run_world(playing(wrong), deep_book(), order=parent())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("sweep", [False, True])
def test_idle_trades_nothing_however_the_window_ends(sweep: bool) -> None:
    world = run_world(IdleAgent, deep_book(), order=parent(sweep=sweep))
    assert (world.agent.filled, world.own_trades, world.agent.child_orders) == (0, [], {})
    assert len(world.agent.decisions) == 10
    balanced(world)


def test_the_view_tells_of_the_market_since_the_last_decision() -> None:
    script = [
        *deep_book(spread=4),
        Quote(2 * SECOND, BUY, 70),
        Quote(3 * SECOND, SELL, 30),
        Quote(4 * SECOND, BUY, 500, 99_999),
        Quote(14 * SECOND, BUY, 500, 100_000),
    ]
    world = run_world(playing(Decision(market=10), Decision(limit=50, limit_price=99_997)), script, order=parent(100))
    views = [record.view for record in world.agent.decisions]
    assert [v.volume for v in views[:3]] == [0, 110, 0]
    assert [v.filled for v in views[:3]] == [0, 10, 10]
    assert [[f.quantity for f in v.fills] for v in views[:3]] == [[], [10], []]
    assert [(v.resting, v.resting_price) for v in views[:3]] == [(0, -1), (0, -1), (50, 99_997)]
    assert [v.mid2 for v in views[:3]] == [200_000, 200_001, 200_002]
    assert views[2].mid2_past == (200_001, 200_000, 200_000)
    assert views[3].mid2_past == (200_002, 200_001, 200_000)
    assert views[2].bids[:3] == [(100_000, 500), (99_999, 500), (99_998, 99_970)]
    assert (views[2].bids[3], views[1].last_trade) == ((99_997, 50), 99_998)
    balanced(world)


@pytest.mark.parametrize("kind", [TWAPAgent, HalfAtTheBest, RandomOrdersAgent])
@pytest.mark.parametrize("sweep", [False, True])
def test_a_sell_in_the_mirrored_market_trades_as_a_buy(kind: type[ExecutionAgent], sweep: bool) -> None:
    script = [
        *(Quote(-SECOND, BUY, 40 + k, 99_999 - k) for k in range(20)),
        *(Quote(-SECOND, SELL, 30 + k, 100_002 + k) for k in range(20)),
        *(Quote((5 * k + 3) * SECOND, (BUY, SELL)[k % 2], 60, (None, 100_000 + k % 5)[k % 3 == 0]) for k in range(18)),
    ]
    if kind is RandomOrdersAgent:
        buying = run_world(RandomMirror, script, order=parent(600, BUY, sweep=sweep))
        selling = run_world(RandomMirror, mirrored(script), order=parent(600, SELL, sweep=sweep))
    else:
        buying = run_world(kind, script, order=parent(600, BUY, sweep=sweep))
        selling = run_world(kind, mirrored(script), order=parent(600, SELL, sweep=sweep))
    assert buying.own_trades
    bought = [(t.time, t.price, t.quantity) for t in buying.own_trades]
    assert bought == [(t.time, 200_000 - t.price, t.quantity) for t in selling.own_trades]
    balanced(buying)
    balanced(selling)


class RandomMirror(RandomOrdersAgent):
    """Random decisions with prices counted from the own side."""

    def decide(self, view: View) -> Decision:
        touch = (view.best_bid if view.side > 0 else view.best_ask) or view.mid2 // 2
        decision = super().decide(view)
        return decision._replace(limit_price=touch + view.side * (decision.limit_price - touch))


quotes = st.builds(
    Quote,
    st.integers(-5, 105_000).map(lambda ms: ms * MILLISECOND),
    st.sampled_from((BUY, SELL)),
    st.integers(1, 400),
    st.one_of(st.none(), st.integers(99_990, 100_010)),
)


@settings(max_examples=60)
@given(
    script=st.lists(quotes, max_size=60),
    quantity=st.integers(1, 2_000),
    side=st.sampled_from((BUY, SELL)),
    sweep=st.booleans(),
    interval=st.sampled_from((SECOND, 10 * SECOND)),
    latency=st.sampled_from((0, 1_000, 12 * MILLISECOND)),
)
def test_whatever_is_decided_in_whatever_market_the_parent_is_never_exceeded(
    script: list[Quote], quantity: int, side: Side, sweep: bool, interval: int, latency: int
) -> None:
    world = run_world(
        Watched,
        script,
        order=parent(quantity, side, sweep=sweep),
        interval=interval,
        latency=latency,
    )
    balanced(world)
    if sweep and world.agent.filled < quantity and world.agent.decisions:
        # Once there is an arrival price, only an empty opposite side stops a sweep.
        empty = [q for q in world.tape.quotes if (q.ask if side is BUY else q.bid) < 0]
        assert any(q.time >= world.start + 99 * SECOND for q in empty) or world.tape.quotes[-1] in empty


class Watched(RandomOrdersAgent):
    """Random decisions, checked after every activation."""

    def wakeup(self, current_time: int) -> Any:
        result = super().wakeup(current_time)
        self._check()
        return result

    def receive_message(self, current_time: int, sender_id: int, message: Any) -> Any:
        result = super().receive_message(current_time, sender_id, message)
        self._check()
        return result

    def _check(self) -> None:
        working = sum(order.quantity for order in self.orders.values())
        assert self.filled + working <= self.order.quantity
        assert all(order.quantity > 0 for order in self.orders.values())

    def place_limit_order(self, *arguments: Any, **named: Any) -> None:
        if self.decisions[-1].decision.cancel:
            assert not any(isinstance(order, LimitOrder) for order in self.orders.values())
        super().place_limit_order(*arguments, **named)


def test_a_strategy_has_to_decide() -> None:
    with pytest.raises(NotImplementedError):
        ExecutionAgent(2, "ABM", parent(), SECOND).decide(view())
