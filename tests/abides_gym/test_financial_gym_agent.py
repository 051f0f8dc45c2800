from __future__ import annotations

from copy import deepcopy
from typing import Any

from abides_core.generators import ConstantTimeGenerator
from abides_gym.experimental_agents import CoreGymAgent
from abides_gym.experimental_agents import FinancialGymAgent
from abides_gym.simulation import SteppedSimulation
from abides_markets.agents import ExchangeAgent
from abides_markets.messages.marketdata import L2SubReqMsg
from abides_markets.messages.marketdata import TransactedVolSubReqMsg
from tests.abides_markets.small_market import CLOSE
from tests.abides_markets.small_market import OPEN
from tests.abides_markets.small_market import SYMBOL
from tests.abides_markets.small_market import OpeningPrice

INTERVAL = 100_000


def simulation(**parameters: Any) -> SteppedSimulation:
    given = {"wakeup_interval_generator": ConstantTimeGenerator(INTERVAL), "subscribe_freq": 1, **parameters}
    agents = [ExchangeAgent(0, OPEN, CLOSE, [SYMBOL]), FinancialGymAgent(1, SYMBOL, 1000, **given)]
    config = {"start_time": 0, "stop_time": CLOSE + 1000, "agents": agents, "default_computation_delay": 50}
    return SteppedSimulation({**config, "custom_properties": {"oracle": OpeningPrice()}})


def times(raw_state: Any) -> list[int]:
    return [state["internal_data"]["current_time"] - OPEN for state in raw_state]


def test_every_interval_it_shows_its_raw_state_until_the_close() -> None:
    market = simulation(state_buffer_length=3)
    seen = [market.start()]
    while not market.done:
        seen.append(market.step([]))
    assert [times(state)[-1] for state in seen[:-1]] == list(range(INTERVAL, CLOSE - OPEN, INTERVAL))
    assert [len(state) for state in seen[:4]] == [1, 2, 3, 3]
    assert seen[-1] is market.agent.get_raw_state()
    *before, end = times(seen[-1])
    assert before == [800_000, 900_000]
    assert CLOSE - OPEN <= end < CLOSE - OPEN + 1000  # when it heard of the closing price


def test_the_first_decision_comes_when_it_is_asked_for() -> None:
    assert times(simulation(first_interval=0).start()) == [0]
    assert times(simulation(first_interval=7).start()) == [7]


def test_orders_leave_after_the_computation_delay_and_are_seen_at_the_next_decision() -> None:
    market = simulation()
    first = market.start()
    before = deepcopy(first)
    rest = {"type": "LMT", "direction": "BUY", "size": 3, "limit_price": 900}
    hit = {"type": "MKT", "direction": "SELL", "size": 1}
    second = market.step([rest, hit])
    exchange = market.kernel.agents[0]
    (entry,) = (entry for entry in exchange.order_books[SYMBOL].history if entry["type"] == "LIMIT")
    assert entry["time"] == OPEN + INTERVAL + 50 + 1  # the computation delay and a latency
    assert first == before
    internal = second[-1]["internal_data"]
    assert internal["parsed_inter_wakeup_executed_orders"] == [(1, 900), (1, 900)]  # it met itself: both sides
    third = market.step([])[-1]["internal_data"]
    assert third["parsed_inter_wakeup_executed_orders"] == []
    assert third["parsed_episode_executed_orders"] == [(1, 900), (1, 900)]


def test_it_subscribes_to_ten_levels_and_the_volume_of_an_interval() -> None:
    market = simulation()
    market.start()
    sent = [event for _, _, event in market.kernel.agents[0].log]
    (quotes,) = (message for message in sent if isinstance(message, L2SubReqMsg))
    (volume,) = (message for message in sent if isinstance(message, TransactedVolSubReqMsg))
    assert (quotes.depth, volume.lookback) == (10, INTERVAL)
    assert FinancialGymAgent(1, SYMBOL, 0).subscribe_freq == 100_000_000
    assert isinstance(market.agent, CoreGymAgent)
