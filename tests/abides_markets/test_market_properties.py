"""What must hold in every market: time, prices, priority, shares and cash over whole runs of random seeds."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from abides_core import Kernel
from abides_core import Message
from abides_core.utils import subdict
from abides_markets.agents import ExchangeAgent
from abides_markets.configs import rmsc04
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.orders import Side
from abides_markets.switches import Switches
from abides_markets.tape import MarketTape
from tests.abides_markets.tapes import SYMBOL
from tests.abides_markets.tapes import with_scripted_agent

STARTING_CASH = 10_000_000
KERNEL_KEYS = ("start_time", "stop_time", "agents", "agent_latency_model", "default_computation_delay")

seeds = st.integers(0, 2**32 - 1)
switches = st.sampled_from([Switches(), Switches.all_on()])


class Watch:
    """Runs a market and looks at it before every dispatch."""

    def __init__(self, seed: int, switches: Switches, end_time: str = "09:40:00") -> None:
        config = with_scripted_agent(rmsc04.build_config(seed=seed, end_time=end_time, switches=switches))
        self.agents: list[Any] = config["agents"]
        self.exchange: ExchangeAgent = self.agents[0]
        self.book = self.exchange.order_books[SYMBOL]
        self.book.tape = MarketTape()
        self.keys: list[tuple[int, int, int, int]] = []
        self.submitted: dict[int, int] = {}
        self.executed: dict[int, int] = defaultdict(int)
        self.cancelled: dict[int, int] = defaultdict(int)
        self.crossed = 0
        self._tap_exchange()
        Kernel(custom_properties=config["custom_properties"], trace=self.look, **subdict(config, KERNEL_KEYS)).run()

    def look(self, time: int, sender: int, recipient: int, message: Message) -> None:
        self.keys.append((time, sender, recipient, message.message_id))
        bid, ask = self.book.get_l1_bid_data(), self.book.get_l1_ask_data()
        self.crossed += bid is not None and ask is not None and bid[0] >= ask[0]

    def _tap_exchange(self) -> None:
        receive, send = self.exchange.receive_message, self.exchange.send_message

        def receive_message(current_time: int, sender_id: int, message: Message) -> None:
            if isinstance(message, LimitOrderMsg | MarketOrderMsg) and current_time <= self.exchange.mkt_close:
                self.submitted[message.order.order_id] = message.order.quantity
            receive(current_time, sender_id, message)

        def send_message(recipient_id: int, message: Message, delay: int = 0) -> None:
            if isinstance(message, OrderExecutedMsg):
                self.executed[message.order.order_id] += message.order.quantity
            elif isinstance(message, OrderCancelledMsg):
                self.cancelled[message.order.order_id] += message.order.quantity
            send(recipient_id, message, delay)

        self.exchange.receive_message = receive_message  # type: ignore[method-assign]
        self.exchange.send_message = send_message  # type: ignore[method-assign]

    def resting(self) -> dict[int, int]:
        return {
            order.order_id: order.quantity
            for level in (*self.book.bids, *self.book.asks)
            for order, _ in level.visible_orders
        }


@settings(max_examples=8)
@given(seeds, switches)
def test_world_is_conserved(seed: int, switches: Switches) -> None:
    market = Watch(seed, switches)

    # Time never goes back, and at one time the key decides.
    times = [key[0] for key in market.keys]
    assert times == sorted(times)

    assert market.crossed == 0

    # Every share submitted was executed, was reported cancelled or still rests; without the report it may vanish, for
    # market orders that emptied a side.
    resting = market.resting()
    lost = 0
    for order_id, quantity in market.submitted.items():
        accounted = market.executed[order_id] + market.cancelled[order_id] + resting.get(order_id, 0)
        assert accounted <= quantity
        lost += accounted < quantity
    assert lost == market.book.discarded
    if switches.report_unfilled:
        assert lost == 0
    assert set(resting) <= set(market.submitted)

    # Shares and cash only change hands.
    traders = market.agents[1:]
    assert sum(agent.get_holdings(SYMBOL) for agent in traders) == 0
    assert sum(agent.get_holdings("CASH") for agent in traders) == STARTING_CASH * len(traders)
    assert sum(market.executed.values()) == 2 * sum(trade.quantity for trade in market.book.tape.trades)  # type: ignore[union-attr]

    # An agent's own fills make up its holdings.
    for agent in traders:
        signed = sum(o.quantity if o.side is Side.BID else -o.quantity for o in agent.executed_orders)
        assert agent.get_holdings(SYMBOL) == signed

    # With the report, what agents believe to be open is what rests.
    believed = {order_id: order.quantity for agent in traders for order_id, order in agent.orders.items()}
    if switches.report_unfilled:
        after_close = set(believed) - set(market.submitted)
        assert {key: q for key, q in believed.items() if key not in after_close} == resting


@settings(max_examples=5)
@given(seeds)
def test_history_is_price_time_priority(seed: int) -> None:
    """Play the history back: every execution takes the first order of the best price."""
    market = Watch(seed, Switches.all_on())
    queues: dict[str, dict[int, list[int]]] = {"BID": {}, "ASK": {}}
    left: dict[int, int] = {}
    place: dict[int, tuple[str, int]] = {}
    entry_time: dict[int, int] = {}

    def remove(order_id: int) -> None:
        side, price = place[order_id]
        queues[side][price].remove(order_id)
        if not queues[side][price]:
            del queues[side][price]

    for entry in market.book.history:
        if entry["type"] == "LIMIT":
            order_id, side, price = entry["order_id"], entry["side"], entry["price"]
            place[order_id], left[order_id], entry_time[order_id] = (side, price), entry["quantity"], entry["time"]
            queues[side].setdefault(price, []).append(order_id)
        elif entry["type"] == "CANCEL":
            remove(entry["order_id"])
        else:
            assert entry["type"] == "EXEC"
            side = "ASK" if entry["side"] == "SELL" else "BID"
            best = min(queues[side]) if side == "ASK" else max(queues[side])
            assert entry["price"] == best
            first = queues[side][best][0]
            assert entry["order_id"] == first
            assert entry_time[first] == min(entry_time[order_id] for order_id in queues[side][best])
            left[first] -= entry["quantity"]
            assert left[first] >= 0
            if left[first] == 0:
                remove(first)
    assert market.book.history
    resting = market.resting()
    assert {
        order_id: left[order_id] for queue in queues.values() for ids in queue.values() for order_id in ids
    } == resting


def test_tape_of_a_market_is_its_history() -> None:
    market = Watch(11, Switches.all_on(), end_time="09:45:00")
    tape = market.book.tape
    assert tape is not None
    executions = [entry for entry in market.book.history if entry["type"] == "EXEC"]
    assert [(t.time, t.price, t.quantity, t.passive_order_id, t.aggressor_order_id) for t in tape.trades] == [
        (e["time"], e["price"], e["quantity"], e["order_id"], e["oppos_order_id"]) for e in executions
    ]
    # The mid before a trade is that of the last quote before it (quotes follow the trades of their event).
    position, mid2 = -1, -1
    for trade in tape.trades:
        while position + 1 < len(tape.quotes) and tape.quotes[position + 1].time < trade.time:
            position += 1
            quote = tape.quotes[position]
            mid2 = quote.bid + quote.ask if quote.bid >= 0 and quote.ask >= 0 else mid2
        same_time = [quote for quote in tape.quotes[position + 1 :][:20] if quote.time == trade.time]
        candidates = {mid2, *(quote.bid + quote.ask for quote in same_time)}
        assert trade.mid2 in candidates
    assert len(tape.trades) > 100
