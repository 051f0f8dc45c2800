from __future__ import annotations

import sys
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from abides_core.generators import ConstantTimeGenerator
from abides_core.generators import PoissonTimeGenerator
from abides_markets.agents.background import CoreBackgroundAgent
from abides_markets.agents.background.core_background_agent import copy_raw_state
from abides_markets.agents.background_v2.core_background_agent import CoreBackgroundAgent as OlderName
from abides_markets.messages.marketdata import L2DataMsg
from abides_markets.messages.marketdata import L2SubReqMsg
from abides_markets.messages.marketdata import TransactedVolDataMsg
from abides_markets.messages.marketdata import TransactedVolSubReqMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Side
from abides_markets.switches import Switches
from tests.abides_markets.small_market import CLOSE
from tests.abides_markets.small_market import OPEN
from tests.abides_markets.small_market import OPENING_PRICE
from tests.abides_markets.small_market import SYMBOL
from tests.abides_markets.small_market import Planned
from tests.abides_markets.small_market import run_market

INTERVAL = 100_000
FRESH = Switches(every_change_updates_timestamp=True)


class Scripted(CoreBackgroundAgent):
    """At its nth action carries out the nth list of a script, and keeps what it could see."""

    def __init__(self, id: int = 1, script: Any = (), **parameters: Any) -> None:
        given = {"wakeup_interval_generator": ConstantTimeGenerator(INTERVAL), "subscribe_freq": 1, **parameters}
        super().__init__(id, SYMBOL, 1_000_000, **given)
        self.script = list(script)
        self.acted: list[int] = []
        self.seen: list[Any] = []
        self.copies: list[Any] = []

    def act_on_wakeup(self) -> None:
        self.acted.append(self.current_time - OPEN)
        self.set_wakeup(self.current_time + int(self.wakeup_interval_generator.next()))
        self.update_raw_state()
        self.seen.append(copy_raw_state(self.get_raw_state()))
        self.copies.append(deepcopy(self.seen[-1]))
        self.new_step_reset()
        if self.script:
            self.apply_actions(self.script.pop(0))

    def executed(self, step: int) -> list[tuple[int, int]]:
        """What the raw state of a step says was executed since the one before."""
        return self.seen[step][-1]["internal_data"]["parsed_inter_wakeup_executed_orders"]


def quote(bid: tuple[int, int], ask: tuple[int, int]) -> Planned:
    """A trader that sends a bid and, 10 ns later, an ask, right after the open."""
    return Planned(
        2,
        [
            (10, lambda agent: agent.place_limit_order(SYMBOL, bid[1], Side.BID, bid[0])),
            (20, lambda agent: agent.place_limit_order(SYMBOL, ask[1], Side.ASK, ask[0])),
        ],
    )


def order(quantity: int, order_id: int = 7, fill_price: int | None = None, market: bool = False) -> Any:
    made: Any
    if market:
        made = MarketOrder(1, 0, SYMBOL, quantity, Side.BID, order_id=order_id)
    else:
        made = LimitOrder(1, 0, SYMBOL, quantity, Side.BID, 100, order_id=order_id)
    made.fill_price = fill_price
    return made


def tracked(*events: tuple[str, int]) -> dict[str, Any]:
    """The status of an order after executions, acceptances and cancellations of so many shares."""
    agent = Scripted()
    agent.orders[7] = order(1000)
    for kind, quantity in events:
        getattr(agent, f"order_{kind}")(order(quantity, fill_price=100 if kind == "executed" else None))
    return agent.order_status[7]


def test_it_acts_from_the_open_to_the_close_at_its_intervals() -> None:
    agent = Scripted()
    run_market(agent)
    assert agent.acted == list(range(INTERVAL, CLOSE - OPEN, INTERVAL))
    early = Scripted(first_interval=0)
    run_market(early)
    assert early.acted == list(range(0, CLOSE - OPEN, INTERVAL))


def test_it_subscribes_once_to_quotes_and_volume() -> None:
    agent = Scripted(subscribe_freq=5, subscribe_num_levels=3)
    exchange = run_market(agent)
    (quotes,) = exchange_log(exchange, L2SubReqMsg)
    (volume,) = exchange_log(exchange, TransactedVolSubReqMsg)
    assert (quotes.symbol, quotes.freq, quotes.depth) == (SYMBOL, 5, 3)
    assert (volume.symbol, volume.freq, volume.lookback) == (SYMBOL, 5, INTERVAL)
    everything = Scripted()
    (quotes,) = exchange_log(run_market(everything), L2SubReqMsg)
    assert quotes.depth == sys.maxsize
    silent = Scripted(subscribe=False)
    assert exchange_log(run_market(silent, quote((90, 1), (110, 1))), L2SubReqMsg) == []
    assert not silent.seen[-1][-1]["parsed_mkt_data"]


def exchange_log(exchange: Any, kind: type) -> list[Any]:
    return [message for _, _, message in exchange.log if isinstance(message, kind)]


def test_the_lookback_is_what_was_asked_for_or_one_mean_interval_in_nanoseconds() -> None:
    assert Scripted(lookback_period=42).lookback_period == 42
    poisson = PoissonTimeGenerator(np.random.RandomState(1), lambda_time=2.5)
    assert Scripted(wakeup_interval_generator=poisson).lookback_period == 2_500_000_000


def test_random_generators_draw_from_the_agents_stream() -> None:
    stream = np.random.RandomState(5)
    intervals = PoissonTimeGenerator(np.random.RandomState(1), lambda_time=1e-4)
    sizes = PoissonTimeGenerator(np.random.RandomState(2), lambda_time=1)
    agent = Scripted(wakeup_interval_generator=intervals, order_size_generator=sizes, random_state=stream)
    assert intervals.random_generator is sizes.random_generator is agent.random_state is stream
    run_market(agent)
    assert len(set(np.diff(agent.acted))) > 1


def test_the_default_interval_is_its_own_minute() -> None:
    one, other = (Scripted(wakeup_interval_generator=None) for _ in range(2))
    assert one.get_wake_frequency() == 60 * 10**9
    assert one.wakeup_interval_generator is not other.wakeup_interval_generator


def test_the_raw_state_shows_quotes_volume_and_account() -> None:
    trades = [("BUY", 4), ("SELL", 1)]
    agent = Scripted(script=[[{"type": "MKT", "direction": side, "size": shares}] for side, shares in trades])
    run_market(agent, quote((9_990, 50), (10_010, 60)), switches=FRESH)
    first, second, third = (seen[-1] for seen in agent.seen[:3])
    assert first["parsed_mkt_data"][-1] == {
        "bids": [(9_990, 50)],
        "asks": [(10_010, 60)],
        "last_transaction": OPENING_PRICE,
        "exchange_ts": OPEN + 30,
    }
    assert first["internal_data"]["holdings"] == 0
    assert second["parsed_mkt_data"][-1]["asks"] == [(10_010, 56)]
    assert second["parsed_volume_data"][-1] == {
        "last_transaction": OPENING_PRICE,
        "exchange_ts": OPEN + INTERVAL + 10,
        "bid_volume": 4,
        "ask_volume": 0,
        "total_volume": 4,
    }
    internal = third["internal_data"]
    assert internal["holdings"] == 3
    assert internal["cash"] == 1_000_000 - 4 * 10_010 + 9_990
    assert internal["parsed_inter_wakeup_executed_orders"] == [(1, 9_990)]
    assert internal["parsed_episode_executed_orders"] == [(4, 10_010), (1, 9_990)]
    assert [(o.quantity, o.fill_price) for o in internal["episode_executed_orders"]] == [(4, 10_010), (1, 9_990)]
    assert [o.fill_price for o in internal["inter_wakeup_executed_orders"]] == [9_990]
    assert (internal["starting_cash"], internal["current_time"]) == (1_000_000, OPEN + 3 * INTERVAL)
    assert (internal["mkt_open"], internal["mkt_close"]) == (OPEN, CLOSE)
    assert agent.executed(3) == []


def test_buffers_keep_the_newest() -> None:
    agent = Scripted(state_buffer_length=3, market_data_buffer_length=2)
    quotes = [(k * INTERVAL // 4, lambda a: a.place_limit_order(SYMBOL, 1, Side.BID, 10)) for k in range(1, 20)]
    run_market(agent, Planned(2, quotes), switches=FRESH)
    assert [len(seen) for seen in agent.seen[:5]] == [1, 2, 3, 3, 3]
    times = [data["exchange_ts"] for data in agent.seen[2][-1]["parsed_mkt_data"]]
    assert len(times) == 2
    assert times == sorted(times)
    assert [s["internal_data"]["current_time"] - OPEN for s in agent.seen[4]] == [k * INTERVAL for k in (3, 4, 5)]


def test_what_was_shown_stays_as_it_was() -> None:
    buy = [{"type": "MKT", "direction": "BUY", "size": 1}]
    rest = [{"type": "LMT", "direction": "BUY", "size": 5, "limit_price": 9_000}]
    agent = Scripted(script=[buy, rest, buy, [{"type": "CCL_ALL"}], buy], state_buffer_length=4)
    run_market(agent, quote((9_990, 50), (10_010, 60)), switches=FRESH)
    assert len(agent.seen) == 9
    assert agent.seen == agent.copies
    assert {status["status"] for status in agent.order_status.values()} == {"mkt_immediately_filled", "cancelled"}


def test_changes_of_a_copy_leave_no_trace() -> None:
    agent = Scripted(state_buffer_length=4)
    agent.update_raw_state()
    before = deepcopy(agent.raw_state)
    copied = copy_raw_state(agent.raw_state)
    assert copied == agent.raw_state
    assert copied.maxlen == 4
    copied[0]["parsed_mkt_data"] = "gone"
    copied[0]["internal_data"]["cash"] = 0
    copied[0]["parsed_volume_data"].append({})
    copied.clear()
    assert agent.raw_state == before


def test_limit_orders_rest_and_are_cancelled_together() -> None:
    two = [{"type": "LMT", "direction": "BUY", "size": 5, "limit_price": price} for price in (9_000, 9_001)]
    agent = Scripted(script=[two, [{"type": "CCL_ALL"}]])
    run_market(agent)
    statuses = [list(seen[-1]["internal_data"]["order_status"].values()) for seen in agent.seen[:3]]
    assert statuses[0] == []
    assert [(s["status"], s["active_qty"]) for s in statuses[1]] == [("active", 5), ("active", 5)]
    assert [(s["status"], s["active_qty"], s["cancelled_qty"]) for s in statuses[2]] == [("cancelled", 0, 5)] * 2
    assert agent.orders == {}


@pytest.mark.parametrize(
    ("events", "status", "active", "executed", "cancelled"),
    [
        ([("accepted", 10)], "active", 10, 0, 0),
        ([("accepted", 10), ("executed", 4)], "active", 6, 4, 0),
        ([("accepted", 10), ("executed", 4), ("executed", 6)], "executed", 0, 10, 0),
        ([("executed", 10)], "mkt_immediately_filled", 0, 10, 0),
        ([("executed", 4), ("executed", 6)], "mkt_immediately_filled", 0, 10, 0),
        ([("executed", 4), ("accepted", 6)], "active", 6, 4, 0),
        ([("executed", 4), ("accepted", 6), ("executed", 6)], "executed", 0, 10, 0),
        ([("executed", 4), ("accepted", 6), ("executed", 1), ("cancelled", 5)], "cancelled", 0, 5, 5),
        ([("accepted", 10), ("cancelled", 10)], "cancelled", 0, 0, 10),
        ([("executed", 4), ("cancelled", 6)], "cancelled", 0, 4, 6),
        ([("cancelled", 10)], "cancelled", 0, 0, 10),
    ],
)
def test_the_status_of_an_order_adds_up(events: Any, status: str, active: int, executed: int, cancelled: int) -> None:
    found = tracked(*events)
    assert (found["status"], found["active_qty"], found["executed_qty"], found["cancelled_qty"]) == (
        status,
        active,
        executed,
        cancelled,
    )
    assert found["order"].order_id == 7


def test_an_unknown_action_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"unknown type of action 'STOP'; allowed: MKT, LMT, CCL_ALL"):
        Scripted().apply_actions([{"type": "STOP"}])


def test_only_its_own_subscriptions_are_kept() -> None:
    agent = Scripted(subscribe=False)
    agent.receive_message(1, 0, L2DataMsg(SYMBOL, 100, 1, [(99, 1)], [(101, 1)]))
    agent.receive_message(1, 0, TransactedVolDataMsg(SYMBOL, 100, 1, 5, 6))
    assert (agent.parsed_mkt_data, agent.parsed_volume_data) == ({}, {})
    assert agent.known_bids == {SYMBOL: [(99, 1)]}


def test_deciding_inside_is_for_subclasses() -> None:
    with pytest.raises(NotImplementedError, match="Scripted does not decide inside the simulation"):
        Scripted().act(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="act_on_wakeup"):
        CoreBackgroundAgent(1, SYMBOL, 0)  # type: ignore[abstract]


def test_the_older_module_has_the_same_class() -> None:
    assert OlderName is CoreBackgroundAgent
