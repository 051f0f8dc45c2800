"""A market that is forked, or kept and taken up again, goes on as it would have."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from abides_core import Agent
from abides_core import abides
from abides_core.engines import UnsupportedError
from abides_core.message import Message
from abides_markets.compiled import translate
from abides_markets.compiled.buffer import FIRST_ROWS
from abides_markets.compiled.buffer import copied
from abides_markets.compiled.kernel import CompiledKernel
from abides_markets.compiled.state import FORMAT
from abides_markets.compiled.state import MAGIC
from abides_markets.compiled.state import SnapshotError
from abides_markets.compiled.state import plain
from abides_markets.compiled.state import unplain
from abides_markets.messages.marketdata import BookImbalanceSubReqMsg
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.query import QuerySpreadMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Side
from abides_markets.switches import Switches
from abides_markets.tape import MarketTape
from abides_markets.utils import config_add_agents
from tests.abides_markets.compiled.worlds import assert_same
from tests.abides_markets.compiled.worlds import build
from tests.abides_markets.compiled.worlds import left_in
from tests.abides_markets.tapes import SECOND
from tests.abides_markets.tapes import SYMBOL

ROOT = Path(__file__).resolve().parents[3]
SMALL = {
    "num_noise_agents": 200,
    "num_value_agents": 20,
    "num_momentum_agents": 4,
    "switches": Switches(makers_requote=True),
}
SIDES = (Side.BID, Side.ASK)


class Trader(Agent):
    """Trades, asks and cancels every second, and can be kept; after `idle_from` it does nothing more."""

    def __init__(self, id: int) -> None:
        super().__init__(id, random_state=np.random.RandomState(id), log_events=False)
        self.told: list[Any] = []
        self.open: list[LimitOrder] = []
        self.idle_from: float = np.inf
        self.waits = np.zeros(3)

    def get_state(self) -> dict[str, Any]:
        orders = [[order.order_id, SIDES.index(order.side), order.quantity, order.limit_price] for order in self.open]
        return {"told": self.told, "open": orders, "idle_from": self.idle_from, "waits": self.waits}

    def set_state(self, state: dict[str, Any]) -> None:
        self.told, self.idle_from, self.waits = state["told"], state["idle_from"], state["waits"]
        self.open = [self.order(SIDES[side], size, price, number) for number, side, size, price in state["open"]]

    def order(self, side: Side, size: int, price: int, number: int | None = None) -> LimitOrder:
        return LimitOrder(self.id, self.current_time, SYMBOL, size, side, price, order_id=number)

    def kernel_starting(self, start_time: int) -> None:
        assert self.kernel is not None
        self.set_wakeup(self.kernel.agents[0].mkt_open)

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        self.told.append([current_time, "woken"])
        self.set_wakeup(current_time + SECOND)
        if len(self.told) == 1:
            self.send_message(0, BookImbalanceSubReqMsg(SYMBOL, min_imbalance=0.2))
        if current_time >= self.idle_from:
            return
        draw = self.random_state.randint
        self.waits += self.random_state.normal(size=3)
        order = self.order(SIDES[draw(2)], 1 + int(draw(30)), 99_950 + int(draw(100)))
        self.send_message(0, LimitOrderMsg(order))
        self.open.append(order)
        self.send_message(0, QuerySpreadMsg(SYMBOL, 3))
        if draw(3) == 0:
            self.send_message(0, CancelOrderMsg(self.open.pop(draw(len(self.open))), None, None))  # type: ignore[arg-type]
        if draw(5) == 0:
            market = MarketOrder(self.id, current_time, SYMBOL, 5, SIDES[draw(2)])
            self.send_message(0, MarketOrderMsg(market))
        self.update_agent_state({"told": len(self.told)})
        assert self.kernel is not None
        self.kernel.append_summary_log(self.id, "TOLD", len(self.told))

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        self.told.append([current_time, sender_id, message.message_id, str(message)])


def market(seed: int, *makers: Callable[[int], Agent], **parameters: Any) -> Any:
    """A kernel of a small market with these agents in Python and a tape, started."""
    kernel = CompiledKernel(configuration(seed, *makers, **parameters))
    kernel.initialize()
    return kernel


def configuration(seed: int, *makers: Callable[[int], Agent], **parameters: Any) -> dict[str, Any]:
    config = build(seed, **{**SMALL, **parameters})
    count = len(config["agents"])
    config_add_agents(config, [make(count + index) for index, make in enumerate(makers)])
    config["agents"][0].order_books[SYMBOL].tape = MarketTape(count if makers else 3)
    return config


def advance(kernel: Any, seconds: float) -> Any:
    """Run to so long after the open, and return the kernel."""
    stop, kernel.stop_time = kernel.stop_time, kernel.agents[0].mkt_open + int(seconds * SECOND)
    kernel.runner()
    kernel.stop_time = stop
    return kernel


def left_by(kernel: Any) -> dict[str, Any]:
    """Run a kernel to its end and return all that it leaves."""
    kernel.runner()
    state = kernel.terminate()
    kernel.fill_in()
    tape = kernel.agents[0].order_books[SYMBOL].tape
    # Before the summary is looked at: built-in agents that keep logs have the engine refuse to show it.
    left = left_in(state, kernel.config["custom_properties"]["oracle"])
    return {
        **left,
        "tape": (tape.trades, tape.quotes, tape.queue_ahead, tape.accepted, tape.mid2, tape.one_sided),
        "told": [(agent.told, agent.waits.tolist()) for agent in kernel.agents if isinstance(agent, Trader)],
        "states": state.get("agent_state"),
        "kernels": {id(agent.kernel) for agent in kernel.agents} == {id(kernel)},
    }


@pytest.mark.parametrize("makers", [(), (Trader,), (Trader, Trader)])
@pytest.mark.parametrize("first", ["original", "fork"])
def test_a_fork_and_its_original_go_on_like_a_run_without(makers: tuple[Any, ...], first: str) -> None:
    expected = left_by(market(1, *makers))
    assert expected["kernels"]
    original = advance(market(1, *makers), 300)
    kernels = {"original": original, "fork": original.fork()}
    for name in (first, *(kernels.keys() - {first})):
        assert_same([expected, left_by(kernels[name])])


@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 1000), stops=st.lists(st.integers(-1, 599), min_size=1, max_size=3), makers=st.integers(0, 2)
)
def test_forks_of_forks_at_any_time_go_on_like_a_run_without(seed: int, stops: list[int], makers: int) -> None:
    expected = left_by(market(seed, *[Trader] * makers))
    kernel = market(seed, *[Trader] * makers)
    kept = []
    for stop in sorted(stops):
        kernel = advance(kernel, stop).fork()
        kept.append(kernel.fork())
    for fork in (kernel, *kept):
        assert_same([expected, left_by(fork)])


def test_forks_do_not_disturb_one_another() -> None:
    def idle(kernel: Any) -> Any:
        kernel.agents[-1].idle_from = 0
        return kernel

    without = left_by(idle(advance(market(2, Trader), 300)))
    acting = left_by(market(2, Trader))
    assert without["history"] != acting["history"]
    original = advance(market(2, Trader), 300)
    twins = [idle(original.fork()), original.fork(), idle(original.fork())]
    turns = [*twins, original]
    for seconds in range(310, 600, 50):
        for kernel in turns:
            advance(kernel, seconds)
    for kernel, expected in zip(turns, (without, acting, without, acting), strict=True):
        assert_same([expected, left_by(kernel)])


def test_a_copy_is_the_market_and_a_fork_holds_nothing_of_the_original() -> None:
    original = advance(market(3, Trader), 200)
    before = original.buffer.copy()
    fork = original.fork()
    assert not np.shares_memory(fork.buffer, original.buffer)
    assert fork.snapshot() == original.snapshot()
    told = len(original.agents[-1].told)
    trades = len(original.agents[0].order_books[SYMBOL].tape.trades)
    log = list(original.summary_log)
    advance(fork, 400)
    assert (original.buffer == before).all()
    assert len(original.agents[-1].told) == told < len(fork.agents[-1].told)
    assert len(original.agents[0].order_books[SYMBOL].tape.trades) == trades
    assert original.summary_log == log != fork.summary_log
    assert (copied(original.buffer)[:100] == before[:100]).all()


def test_forks_grow_each_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = left_by(market(4, Trader))
    monkeypatch.setattr(translate, "first_rows", lambda agents: dict.fromkeys(FIRST_ROWS, 1))
    original = advance(market(4, Trader), 1)
    fork = advance(original, 5).fork()
    size = len(fork.buffer)
    assert_same([expected, left_by(fork)])
    assert len(original.buffer) == size < len(fork.buffer)
    assert_same([expected, left_by(original)])


# Snapshots


def digest(left: dict[str, Any]) -> str:
    return hashlib.sha256(repr(left).encode()).hexdigest()


GO_ON = """
import pathlib, sys
from tests.abides_markets.compiled.test_state import *
kernel = CompiledKernel.restore(pathlib.Path(sys.argv[1]).read_bytes(), configuration(5, *[Trader] * int(sys.argv[2])))
print(kernel.current_time, digest(left_by(kernel)))
"""


@pytest.mark.parametrize("makers", [0, 2])
def test_another_process_goes_on_from_a_snapshot(makers: int, tmp_path: Path) -> None:
    expected = left_by(market(5, *[Trader] * makers))
    original = advance(market(5, *[Trader] * makers), 300)
    file = tmp_path / "market"
    file.write_bytes(original.snapshot())
    command = [sys.executable, "-c", GO_ON, str(file), str(makers)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(original.current_time), digest(expected)]


def test_a_restored_market_is_the_one_that_was_kept() -> None:
    original = advance(market(6, Trader), 100)
    kept = original.snapshot()
    restored = CompiledKernel.restore(kept, configuration(6, Trader))
    assert restored.snapshot() == kept
    tapes = [kernel.agents[0].order_books[SYMBOL].tape for kernel in (original, restored)]
    assert tapes[0].trades == tapes[1].trades != []
    assert restored.agents[-1].kernel is restored
    assert_same([left_by(original), left_by(restored.fork())])


def changed(data: bytes, **values: Any) -> bytes:
    head, _, body = data[len(MAGIC) :].partition(b"\n")
    return MAGIC + json.dumps({**json.loads(head), **values}).encode() + b"\n" + body


BAD: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("not a snapshot of a market: it begins with b'PK'", lambda data: b"PK"),
    ("not a snapshot of a market: it begins with b''", lambda data: b""),
    ("its second line is not its description", lambda data: MAGIC + b"5\n"),
    ("its second line is not its description", lambda data: data[: len(MAGIC) + 40]),
    (f"of format 99: this version reads {FORMAT}", lambda data: changed(data, format=99)),
    ("of another version of the engine: abc", lambda data: changed(data, layout="abc")),
    ("words are not those that were written", lambda data: data[:-8]),
    ("words are not those that were written", lambda data: data[:-1] + b"x"),
]


@pytest.mark.parametrize(("message", "change"), BAD)
def test_bad_bytes_are_refused_in_one_line(message: str, change: Callable[[bytes], bytes]) -> None:
    kept = advance(market(7, num_noise_agents=20), 10).snapshot()
    with pytest.raises(SnapshotError) as raised:
        CompiledKernel.restore(change(kept), configuration(7, num_noise_agents=20))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


OTHERS: list[tuple[int, tuple[Any, ...], dict[str, Any]]] = [
    (8, (), {}),
    (7, (Trader,), {}),
    (7, (), {"num_value_agents": 21}),
    (7, (), {"mm_num_ticks": 9}),
    (7, (), {"r_bar": 9}),
]


@pytest.mark.parametrize(("seed", "makers", "parameters"), OTHERS)
def test_another_market_is_refused(seed: int, makers: tuple[Any, ...], parameters: dict[str, Any]) -> None:
    kept = advance(market(7), 10).snapshot()
    with pytest.raises(SnapshotError, match="of another market"):
        CompiledKernel.restore(kept, configuration(seed, *makers, **parameters))


# Agents in Python


class Mute(Agent):
    pass


class Untidy(Trader):
    def get_state(self) -> dict[str, Any]:
        return {"ids": {1, 2}}


def test_an_agent_that_says_nothing_of_its_state_is_refused_by_name() -> None:
    kernel = market(1, Trader, Mute)
    for copies in (kernel.fork, kernel.snapshot):
        with pytest.raises(UnsupportedError, match=r"with agent \d+ \(Mute\) cannot be forked or kept"):
            copies()
    with pytest.raises(TypeError, match=r"the state of agent \d+ \(Untidy\) holds \{1, 2\}, a set"):
        market(1, Untidy).fork()


def test_a_market_is_not_copied_while_an_agent_acts_or_after_its_end() -> None:
    class Forking(Trader):
        def wakeup(self, current_time: int) -> None:
            assert isinstance(self.kernel, CompiledKernel)
            self.kernel.fork()

    with pytest.raises(RuntimeError, match="between two calls"):
        abides.run(configuration(1, Forking), engine="compiled")
    kernel = market(1)
    left_by(kernel)
    with pytest.raises(RuntimeError, match="before it ends"):
        kernel.snapshot()


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
STATES = st.recursive(LEAVES, lambda part: st.lists(part) | st.dictionaries(st.text(), part), max_leaves=20)


@given(STATES)
def test_states_go_through_json(state: Any) -> None:
    assert unplain(json.loads(json.dumps(plain(state, "x")))) == state


@pytest.mark.parametrize("array", [np.arange(6).reshape(2, 3)[:, ::2], np.array([1.5, np.inf]), np.zeros((0, 2), bool)])
def test_arrays_go_through_json(array: Any) -> None:
    back = unplain(json.loads(json.dumps(plain([array], "x"))))[0]
    assert back.dtype == array.dtype
    assert back.tolist() == array.tolist()
    assert back.flags.writeable


@pytest.mark.parametrize("value", [{1: 2}, {"__kind__": "bytes"}, object(), np.int64(3), np.array([None]), [(1, {2})]])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="the state of x holds"):
        plain(value, "x")
