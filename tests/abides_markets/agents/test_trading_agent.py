from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from abides_core import Message
from abides_core import MessageBatch
from abides_markets.agents import TradingAgent
from abides_markets.messages.market import MarketClosedMsg
from abides_markets.messages.market import MarketClosePriceMsg
from abides_markets.messages.market import MarketClosePriceRequestMsg
from abides_markets.messages.market import MarketHoursMsg
from abides_markets.messages.market import MarketHoursRequestMsg
from abides_markets.messages.marketdata import L1SubReqMsg
from abides_markets.messages.marketdata import L2DataMsg
from abides_markets.messages.orderbook import OrderAcceptedMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderExecutedMsg
from abides_markets.messages.orderbook import OrderModifiedMsg
from abides_markets.messages.orderbook import OrderPartialCancelledMsg
from abides_markets.messages.orderbook import OrderRejectedMsg
from abides_markets.messages.orderbook import OrderReplacedMsg
from abides_markets.messages.query import QueryLastTradeResponseMsg
from abides_markets.messages.query import QueryOrderStreamResponseMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.messages.query import QueryTransactedVolResponseMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side
from abides_markets.switches import Switches
from tests.abides_markets.small_market import CLOSE
from tests.abides_markets.small_market import LATENCY
from tests.abides_markets.small_market import OPEN
from tests.abides_markets.small_market import OPENING_PRICE
from tests.abides_markets.small_market import SYMBOL
from tests.abides_markets.small_market import Planned
from tests.abides_markets.small_market import run_market


class Kernel:
    """Keeps what an agent asks of it."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.wakeups: list[int] = []
        self.summary: list[tuple[Any, ...]] = []
        self.mean_result_by_agent_type: dict[str, float] = defaultdict(int)
        self.agent_count_by_type: dict[str, int] = defaultdict(int)

    def send_message(self, sender_id: int, recipient_id: int, message: Message, delay: int = 0) -> None:
        self.sent.append(message)

    def set_wakeup(self, sender_id: int, requested_time: int) -> None:
        self.wakeups.append(requested_time)

    def append_summary_log(self, sender_id: int, event_type: str, event: Any) -> None:
        self.summary.append((event_type, event))


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def agent(kernel: Kernel) -> TradingAgent:
    agent = TradingAgent(3, starting_cash=100_000, log_orders=True)
    agent.kernel = kernel  # type: ignore[assignment]
    agent.exchange_id = 0
    return agent


def limit(
    number: int = 1, quantity: int = 10, side: Side = Side.BID, price: int = 100, fill: int | None = None
) -> LimitOrder:
    order = LimitOrder(3, 0, "X", quantity, side, price, order_id=number)
    order.fill_price = fill
    return order


def events(agent: TradingAgent) -> list[str]:
    return [name for _, name, _ in agent.log]


# Waking and hours


def test_the_first_wake_asks_for_hours_and_closing_prices_later_ones_for_hours_until_known(
    agent: TradingAgent, kernel: Kernel
) -> None:
    assert agent.wakeup(5) is False
    assert [m.__class__ for m in kernel.sent] == [MarketClosePriceRequestMsg, MarketHoursRequestMsg]
    assert agent.wakeup(6) is False
    assert [m.__class__ for m in kernel.sent[2:]] == [MarketHoursRequestMsg]
    agent.receive_message(7, 0, MarketHoursMsg(10, 20))
    assert (agent.mkt_open, agent.mkt_close, kernel.wakeups) == (10, 20, [10])
    assert agent.wakeup(10) is True
    assert len(kernel.sent) == 3
    agent.mkt_closed = True
    assert agent.wakeup(20) is False
    assert events(agent).count("HOLDINGS_UPDATED") == 1


def test_hours_are_acted_on_once_and_never_in_the_past(agent: TradingAgent, kernel: Kernel) -> None:
    agent.receive_message(15, 0, MarketHoursMsg(10, 20))
    agent.receive_message(16, 0, MarketHoursMsg(11, 21))
    assert kernel.wakeups == [15]
    assert (agent.mkt_open, agent.mkt_close) == (11, 21)


def test_the_first_wake_after_the_open_is_the_agents_choice(agent: TradingAgent, kernel: Kernel) -> None:
    agent.get_wake_frequency = lambda: 7  # type: ignore[method-assign]
    agent.receive_message(1, 0, MarketHoursMsg(10, 20))
    assert kernel.wakeups == [17]


def test_any_answer_may_tell_that_the_market_is_closed(agent: TradingAgent) -> None:
    answers: list[Message] = [
        QueryLastTradeResponseMsg("X", True, 100),
        QuerySpreadResponseMsg("X", True, 1, [], [], 100),
        QueryOrderStreamResponseMsg("X", True, 1, []),
        QueryTransactedVolResponseMsg("X", True, 1, 2),
        MarketClosedMsg(),
    ]
    for answer in answers:
        agent.mkt_closed = False
        agent.receive_message(1, 0, answer)
        assert agent.mkt_closed is True
    assert agent.daily_close_price == {"X": 100}
    agent.receive_message(2, 0, QueryLastTradeResponseMsg("X", False, 100))
    assert agent.mkt_closed is True


def test_what_is_told_is_remembered(agent: TradingAgent) -> None:
    told: list[Message] = [
        QuerySpreadResponseMsg("X", False, 2, [(99, 5), (98, 1)], [(101, 7)], 100),
        QueryOrderStreamResponseMsg("X", False, 1, [{"type": "LIMIT"}]),
        QueryTransactedVolResponseMsg("X", False, 3, 4),
        MarketClosePriceMsg({"X": 111, "Y": None}),
    ]
    for message in told:
        agent.receive_message(1, 0, message)
    assert agent.known_bids["X"] == [(99, 5), (98, 1)]
    assert agent.known_asks["X"] == [(101, 7)]
    assert agent.stream_history["X"] == [{"type": "LIMIT"}]
    assert agent.transacted_volume["X"] == (3, 4)
    assert agent.last_trade == {"X": 111, "Y": None}
    agent.receive_message(2, 0, L2DataMsg("X", 120, 2, [(119, 1)], [(121, 1)]))
    assert (agent.last_trade["X"], agent.exchange_ts["X"], agent.known_bids["X"]) == (120, 2, [(119, 1)])
    assert [(name, event) for _, name, event in agent.log if name in ("BID_DEPTH", "IMBALANCE")] == [
        ("BID_DEPTH", [(99, 5), (98, 1)]),
        ("IMBALANCE", [6, 7]),
    ]


# Requests


def test_requests_need_an_exchange(agent: TradingAgent) -> None:
    agent.exchange_id = None
    with pytest.raises(AssertionError, match="has not found an exchange"):
        agent.get_last_trade("X")


def test_subscriptions(agent: TradingAgent, kernel: Kernel) -> None:
    request = L1SubReqMsg("X", cancel=True, freq=5)
    agent.request_data_subscription(request)
    assert request.cancel is False
    agent.cancel_data_subscription(request)
    assert request.cancel is True
    assert kernel.sent == [request, request]


def test_placing(agent: TradingAgent, kernel: Kernel) -> None:
    agent.current_time = 5
    agent.place_limit_order("X", 10, Side.BID, 100, is_hidden=True, tag="T")
    agent.place_market_order("X", 7, Side.ASK)
    first, second = kernel.sent
    placed: Any = first.order  # type: ignore[attr-defined]
    assert (placed.agent_id, placed.time_placed, placed.symbol, placed.quantity) == (3, 5, "X", 10)
    assert (placed.side, placed.limit_price, placed.is_hidden, placed.tag) == (Side.BID, 100, True, "T")
    market: Any = second.order  # type: ignore[attr-defined]
    assert isinstance(market, MarketOrder)
    assert list(agent.orders.values()) == [placed, market]
    assert agent.orders[placed.order_id] is not placed
    assert events(agent).count("ORDER_SUBMITTED") == 2


@pytest.mark.parametrize("quantity", [0, -5])
def test_a_quantity_of_nothing_warns_and_takes_no_id(agent: TradingAgent, kernel: Kernel, quantity: int) -> None:
    before = Order._order_id_counter
    with pytest.warns(UserWarning, match="quantity zero or less"):
        agent.place_limit_order("X", quantity, Side.BID, 100)
    with pytest.warns(UserWarning, match="quantity zero or less"):
        agent.place_market_order("X", quantity, Side.BID)
    assert (kernel.sent, agent.orders, Order._order_id_counter) == ([], {}, before)


def test_a_batch_of_orders(agent: TradingAgent, kernel: Kernel) -> None:
    orders = [limit(1), MarketOrder(3, 0, "X", 5, Side.BID, order_id=2)]
    agent.place_multiple_orders(orders)
    [batch] = kernel.sent
    assert isinstance(batch, MessageBatch)
    assert [m.order for m in batch.messages] == orders  # type: ignore[attr-defined]
    assert list(agent.orders) == [1, 2]
    agent.place_multiple_orders([])
    assert len(kernel.sent) == 1
    with pytest.raises(TypeError, match="not an order: None"):
        agent.place_multiple_orders([limit(3), None])
    assert list(agent.orders) == [1, 2]


@pytest.mark.parametrize(
    ("side", "quantity", "allowed"), [(Side.BID, 1000, True), (Side.BID, 1001, False), (Side.ASK, 5000, True)]
)
def test_the_value_at_risk_may_be_bounded(agent: TradingAgent, side: Side, quantity: int, allowed: bool) -> None:
    agent.last_trade["X"] = 100  # 1000 shares are worth the starting cash
    order = agent.create_limit_order("X", quantity, side, 1, ignore_risk=False)
    assert (order is not None) is allowed
    assert agent.create_limit_order("X", quantity, side, 1) is not None


def test_cancelling(agent: TradingAgent, kernel: Kernel) -> None:
    agent.place_limit_order("X", 10, Side.BID, 100)
    agent.place_market_order("X", 10, Side.BID)
    agent.place_limit_order("X", 10, Side.ASK, 110)
    del kernel.sent[:]
    agent.cancel_all_orders()
    assert [m.order.limit_price for m in kernel.sent] == [100, 110]  # type: ignore[attr-defined]
    assert len(agent.orders) == 3  # until the exchange confirms
    market = next(order for order in agent.orders.values() if isinstance(order, MarketOrder))
    with pytest.warns(UserWarning, match="only limit orders can be cancelled"):
        agent.cancel_order(market)
    assert len(kernel.sent) == 2


# What the exchange tells


def test_executions_move_cash_and_shares(agent: TradingAgent) -> None:
    agent.orders[1] = limit(1)
    agent.receive_message(1, 0, OrderExecutedMsg(limit(1, 4, fill=99)))
    assert agent.holdings == {"X": 4, "CASH": 100_000 - 4 * 99}
    assert agent.orders[1].quantity == 6
    agent.receive_message(2, 0, OrderExecutedMsg(limit(1, 6, fill=100)))
    assert agent.orders == {}
    agent.orders[2] = limit(2, 10, Side.ASK)
    agent.receive_message(3, 0, OrderExecutedMsg(limit(2, 10, Side.ASK, fill=110)))
    assert agent.holdings == {"CASH": 100_000 - 4 * 99 - 6 * 100 + 10 * 110}
    assert [order.quantity for order in agent.executed_orders] == [4, 6, 10]
    assert agent.get_average_transaction_price() == round((4 * 99 + 600 + 1100) / 20, 2)
    assert type(agent.holdings["CASH"]) is int


def test_news_of_unknown_orders_warns_but_counts(agent: TradingAgent) -> None:
    with pytest.warns(UserWarning, match="execution of an order"):
        agent.order_executed(limit(9, fill=100))
    assert agent.holdings["X"] == 10
    with pytest.warns(UserWarning, match="cancellation of an order"):
        agent.order_cancelled(limit(9))
    for tell in (agent.order_modified, agent.order_partial_cancelled):
        with pytest.warns(UserWarning, match="change of an order"):
            tell(limit(9))
    assert agent.orders == {}


def test_changes_of_open_orders(agent: TradingAgent) -> None:
    agent.orders[1] = limit(1)
    agent.receive_message(1, 0, OrderAcceptedMsg(limit(1)))
    agent.receive_message(1, 0, OrderModifiedMsg(limit(1, 7)))
    assert agent.orders[1].quantity == 7
    agent.receive_message(1, 0, OrderPartialCancelledMsg(limit(1, 5)))
    assert agent.orders[1].quantity == 5
    agent.receive_message(1, 0, OrderCancelledMsg(limit(1, 5)))
    assert agent.orders == {}
    assert [name for name in events(agent) if name.startswith(("ORDER", "PARTIAL"))] == [
        "ORDER_ACCEPTED",
        "ORDER_MODIFIED",
        "PARTIAL_CANCELLED",
        "ORDER_CANCELLED",
    ]


def test_replacing(agent: TradingAgent) -> None:
    old, new = limit(1), limit(2, 20)
    agent.orders[1] = old.copy()
    agent.replace_order(old, new)
    assert list(agent.orders) == [1, 2]
    agent.order_executed(limit(1, 4, fill=100))  # the old order trades a last time
    assert agent.orders[1].quantity == 6
    agent.order_executed(limit(2, 15, fill=100))  # the new one trades before the confirmation
    left = limit(2, 5)
    agent.receive_message(1, 0, OrderReplacedMsg(old, left))
    assert agent.orders == {2: left}
    assert agent.orders[2] is left
    agent.order_replaced(limit(7), limit(8))  # both gone already: nothing is raised from the dead
    assert list(agent.orders) == [2]


def test_a_replacement_that_trades_in_full_does_not_stay(agent: TradingAgent) -> None:
    agent.orders[1] = limit(1)
    agent.replace_order(limit(1), limit(2, 5))
    agent.order_executed(limit(2, 5, fill=100))
    agent.order_replaced(limit(1), limit(2, 0))
    assert agent.orders == {}


def test_a_rejected_replacement_is_forgotten_and_nothing_else(agent: TradingAgent) -> None:
    agent.orders[1] = limit(1)
    agent.replace_order(limit(1), limit(2, 5))
    agent.receive_message(1, 0, OrderRejectedMsg(limit(2, 5), "ReplaceOrderMsg", "order 1 is not there"))
    assert list(agent.orders) == [1]
    agent.receive_message(1, 0, OrderRejectedMsg(limit(1), "CancelOrderMsg", "order 1 is not there"))
    assert list(agent.orders) == [1]  # it may still be on its way
    _, name, event = agent.log[-1]
    assert (name, event["order_id"], event["request"]) == ("ORDER_REJECTED", 1, "CancelOrderMsg")
    assert event["reason"] == "order 1 is not there"


def test_without_logging_of_orders_only_holdings_are_logged(agent: TradingAgent) -> None:
    agent.log_orders = False
    del agent.log[:]
    agent.place_limit_order("X", 10, Side.BID, 100)
    [order] = agent.orders.values()
    agent.cancel_all_orders()
    agent.order_accepted(order)
    agent.order_executed(limit(order.order_id, 4, fill=100))
    assert events(agent) == ["HOLDINGS_UPDATED"]


def test_none_keeps_the_log_from_disk() -> None:
    agent = TradingAgent(1, log_orders=None)
    assert (agent.log_orders, agent.log_to_file, agent.log_events) == (False, False, True)


# What an agent knows


def test_known_quotes(agent: TradingAgent) -> None:
    assert agent.get_known_bid_ask("?") == (None, 0, None, 0)
    assert agent.get_known_bid_ask("?", best=False) == (None, None)
    assert agent.get_known_bid_ask_midpoint("?") == (None, None, None)
    assert agent.get_known_liquidity("?") == (0, 0)
    agent.known_bids["X"], agent.known_asks["X"] = [(100, 5), (99, 7), (90, 1)], []
    assert agent.get_known_bid_ask("X") == (100, 5, None, 0)
    assert agent.get_known_bid_ask("X", best=False) == ([(100, 5), (99, 7), (90, 1)], None)
    assert agent.get_known_bid_ask_midpoint("X") == (100, None, None)
    agent.known_asks["X"] = [(103, 2)]
    assert agent.get_known_bid_ask_midpoint("X") == (100, 103, 102)
    assert agent.get_known_liquidity("X") == (5, 2)
    assert agent.get_known_liquidity("X", within=0.01) == (12, 2)


def test_valuation(agent: TradingAgent) -> None:
    assert agent.mark_to_market({"CASH": 7}) == 7
    assert agent.mark_to_market({"CASH": 7, "X": 5}) == 7  # no trade is known
    agent.last_trade.update({"X": 10, "Y": 100})
    assert agent.mark_to_market({"CASH": 7, "X": 5, "Y": -2}) == 7 + 50 - 200
    assert agent.log[-2:] == [(0, "MARK_TO_MARKET", "-2 Y @ 100 == -200"), (0, "MARKED_TO_MARKET", -143)]
    agent.known_bids["X"], agent.known_asks["X"] = [(20, 1)], [(24, 1)]
    assert agent.mark_to_market({"CASH": 7, "X": 5, "Y": 1}, use_midpoint=True) == 7 + 110 + 100
    agent.basket_size, agent.nav_diff = 3, 10
    assert agent.mark_to_market({"CASH": 0}) == 30


def test_holdings(agent: TradingAgent) -> None:
    agent.holdings = {"CASH": 5, "B": 2, "A": -1}
    assert (agent.get_holdings("B"), agent.get_holdings("C"), agent.get_holdings("CASH")) == (2, 0, 5)
    assert agent.fmt_holdings(agent.holdings) == "{ A: -1, B: 2, CASH: 5 }"
    assert agent.get_average_transaction_price() is None


def test_the_result_is_told_at_the_end(agent: TradingAgent, kernel: Kernel) -> None:
    agent.holdings = {"CASH": 90_000, "X": 200}
    agent.last_trade["X"] = 100
    agent.kernel_stopping()
    assert kernel.mean_result_by_agent_type == {"TradingAgent": 10_000}
    assert kernel.agent_count_by_type == {"TradingAgent": 1}
    assert kernel.summary == [("FINAL_CASH_POSITION", 90_000), ("ENDING_CASH", 110_000)]
    assert agent.log[1][1:] == ("FINAL_HOLDINGS", "{ X: 200, CASH: 90000 }")


# In a market


def test_a_round_trip() -> None:
    seller = Planned(1, plan=[(0, lambda agent: agent.place_limit_order(SYMBOL, 10, Side.ASK, 10_050))])
    buyer = Planned(
        2,
        plan=[
            (100, lambda agent: agent.get_current_spread(SYMBOL)),
            (200, lambda agent: agent.place_limit_order(SYMBOL, 4, Side.BID, 10_050)),
        ],
    )
    run_market(seller, buyer)
    assert seller.heard_at(OrderAcceptedMsg) == [2 * LATENCY]
    assert buyer.heard(QuerySpreadResponseMsg)[0].asks == [(10_050, 10)]
    assert buyer.heard_at(OrderExecutedMsg) == [200 + 2 * LATENCY]
    assert (buyer.get_holdings(SYMBOL), seller.get_holdings(SYMBOL)) == (4, -4)
    assert buyer.last_trade[SYMBOL] == 10_050  # told at the close
    assert buyer.heard_at(MarketClosePriceMsg) == [CLOSE - OPEN + LATENCY]


def test_every_open_order_is_known_or_its_end_is_told() -> None:
    """After an invalid order, an unfilled remainder and a replacement nobody believes in an order that is not there."""

    def bad_price(agent: Planned) -> None:
        agent.place_limit_order(SYMBOL, 10, Side.BID, -5)

    def replace(agent: Planned) -> None:
        [resting] = (order for order in agent.orders.values() if isinstance(order, LimitOrder))
        agent.replace_order(resting, LimitOrder(agent.id, 0, SYMBOL, 3, Side.BID, 9_000))

    trader = Planned(
        1,
        plan=[
            (0, bad_price),
            (100, lambda agent: agent.place_market_order(SYMBOL, 10, Side.BID)),
            (200, lambda agent: agent.place_limit_order(SYMBOL, 10, Side.BID, 9_900)),
            (300, replace),
        ],
    )
    with pytest.warns(UserWarning, match="refused: limit price -5"):
        exchange = run_market(trader, switches=Switches(report_unfilled=True))
    assert [message.order.quantity for message in trader.heard(OrderCancelledMsg)] == [10, 10]
    [order] = trader.orders.values()
    [(resting, _)] = exchange.order_books[SYMBOL].bids[0].visible_orders
    assert (order.order_id, order.quantity) == (resting.order_id, 3)


def test_an_order_after_the_close_is_answered() -> None:
    late = Planned(1, plan=[(CLOSE - OPEN + 1, lambda agent: agent.place_market_order(SYMBOL, 10, Side.BID))])
    exchange = run_market(late)
    assert len(late.heard(MarketClosedMsg)) == 1
    assert late.mkt_closed
    assert exchange.order_books[SYMBOL].history == []
    assert late.last_trade == {SYMBOL: OPENING_PRICE}


def test_a_market_without_an_exchange_cannot_start() -> None:
    from abides_core import Kernel as RealKernel

    with pytest.raises(IndexError):
        RealKernel([TradingAgent(0)]).run()
