from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from abides_core import Message
from abides_core import abides
from abides_markets.agents import ExchangeAgent
from abides_markets.configs import rmsc04
from abides_markets.messages.market import MarketClosedMsg
from abides_markets.messages.market import MarketClosePriceMsg
from abides_markets.messages.market import MarketClosePriceRequestMsg
from abides_markets.messages.market import MarketHoursMsg
from abides_markets.messages.market import MarketHoursRequestMsg
from abides_markets.messages.marketdata import BookImbalanceDataMsg
from abides_markets.messages.marketdata import BookImbalanceSubReqMsg
from abides_markets.messages.marketdata import L1DataMsg
from abides_markets.messages.marketdata import L1SubReqMsg
from abides_markets.messages.marketdata import L2DataMsg
from abides_markets.messages.marketdata import L2SubReqMsg
from abides_markets.messages.marketdata import L3DataMsg
from abides_markets.messages.marketdata import L3SubReqMsg
from abides_markets.messages.marketdata import MarketDataEventMsg
from abides_markets.messages.marketdata import MarketDataSubReqMsg
from abides_markets.messages.marketdata import TransactedVolDataMsg
from abides_markets.messages.marketdata import TransactedVolSubReqMsg
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.order import ModifyOrderMsg
from abides_markets.messages.order import PartialCancelOrderMsg
from abides_markets.messages.order import ReplaceOrderMsg
from abides_markets.messages.orderbook import OrderBookMsg
from abides_markets.messages.orderbook import OrderCancelledMsg
from abides_markets.messages.orderbook import OrderRejectedMsg
from abides_markets.messages.query import QueryLastTradeMsg
from abides_markets.messages.query import QueryLastTradeResponseMsg
from abides_markets.messages.query import QueryOrderStreamMsg
from abides_markets.messages.query import QueryOrderStreamResponseMsg
from abides_markets.messages.query import QuerySpreadMsg
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.messages.query import QueryTransactedVolMsg
from abides_markets.messages.query import QueryTransactedVolResponseMsg
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Side
from abides_markets.switches import Switches

OPEN, CLOSE = 1000, 2000
X = "X"
START, FINISH = MarketDataEventMsg.Stage.START, MarketDataEventMsg.Stage.FINISH


class Bench:
    """An exchange without a kernel: what is sent to it is handled at once, what it sends is kept."""

    def __init__(self, **parameters: Any) -> None:
        self.exchange = ExchangeAgent(0, OPEN, CLOSE, [X], **{"pipeline_delay": 0, **parameters})
        self.sent: list[tuple[int, Message, int]] = []
        self.computation_delays: list[int] = []
        bench = self

        class Kernel:
            agents: tuple[Any, ...] = ()

            def send_message(self, sender_id: int, recipient_id: int, message: Message, delay: int = 0) -> None:
                bench.sent.append((recipient_id, message, delay))

            def set_agent_compute_delay(self, sender_id: int, requested_delay: int) -> None:
                bench.computation_delays.append(requested_delay)

        self.exchange.kernel = Kernel()  # type: ignore[assignment]

    def tell(self, message: Message, sender: int = 5, at: int = OPEN) -> list[Any]:
        """Hand over a message and return the answers to its sender and to subscribers."""
        before = len(self.sent)
        self.exchange.receive_message(at, sender, message)
        return [sent for _, sent, _ in self.sent[before:]]

    def limit(self, quantity: int, side: Side, price: int, at: int = OPEN, agent: int = 5) -> list[Any]:
        return self.tell(LimitOrderMsg(LimitOrder(agent, at, X, quantity, side, price)), agent, at)

    @property
    def book(self) -> Any:
        return self.exchange.order_books[X]


def test_hours() -> None:
    [answer] = Bench().tell(MarketHoursRequestMsg())
    assert isinstance(answer, MarketHoursMsg)
    assert (answer.mkt_open, answer.mkt_close) == (OPEN, CLOSE)


def test_each_message_costs_the_exchanges_delay() -> None:
    bench = Bench(computation_delay=9)
    bench.tell(QueryLastTradeMsg(X))
    bench.tell(MarketHoursRequestMsg())
    bench.tell(QueryLastTradeMsg(X))
    assert bench.computation_delays == [9, 9, 0, 9]


def test_questions() -> None:
    bench = Bench()
    bench.limit(10, Side.BID, 100)
    bench.limit(20, Side.ASK, 110)
    bench.limit(5, Side.ASK, 120)
    bench.limit(4, Side.BID, 110, agent=6)
    [spread] = bench.tell(QuerySpreadMsg(X, 1))
    assert isinstance(spread, QuerySpreadResponseMsg)
    assert (spread.bids, spread.asks, spread.last_trade, spread.depth, spread.mkt_closed) == (
        [(100, 10)],
        [(110, 16)],
        110,
        1,
        False,
    )
    [last] = bench.tell(QueryLastTradeMsg(X))
    assert isinstance(last, QueryLastTradeResponseMsg)
    assert last.last_trade == 110
    [volume] = bench.tell(QueryTransactedVolMsg(X, "1us"))
    assert isinstance(volume, QueryTransactedVolResponseMsg)
    assert (volume.bid_volume, volume.ask_volume) == (4, 0)
    [stream] = bench.tell(QueryOrderStreamMsg(X, 2))
    assert isinstance(stream, QueryOrderStreamResponseMsg)
    assert [entry["type"] for entry in stream.orders] == ["LIMIT", "EXEC"]  # the most recent two
    stream.orders[0]["type"] = "FORGED"
    assert bench.book.history[-2]["type"] == "LIMIT"
    assert bench.tell(QueryOrderStreamMsg(X, 0))[0].orders == []


def test_requests_reach_the_book() -> None:
    bench = Bench()
    order = LimitOrder(5, 0, X, 10, Side.BID, 100)

    def now(quantity: int, number: int | None = None, price: int = 100) -> LimitOrder:
        return LimitOrder(5, 0, X, quantity, Side.BID, price, order_id=order.order_id if number is None else number)

    steps: list[tuple[Message, str, list[tuple[int, list[int]]]]] = [
        (LimitOrderMsg(order), "OrderAcceptedMsg", [(100, [10])]),
        (ModifyOrderMsg(now(10), now(8)), "OrderModifiedMsg", [(100, [8])]),
        (PartialCancelOrderMsg(now(8), 3, None, None), "OrderPartialCancelledMsg", [(100, [5])]),
        (ReplaceOrderMsg(5, now(5), now(6, 99, 101)), "OrderReplacedMsg", [(101, [6])]),
        (CancelOrderMsg(now(6, 99, 101), None, None), "OrderCancelledMsg", []),
    ]
    for message, answer, shown in steps:
        assert [m.type() for m in bench.tell(message)] == [answer]
        assert bench.book.get_l3_bid_data() == shown
    bench.limit(10, Side.ASK, 105)
    answers = bench.tell(MarketOrderMsg(MarketOrder(6, 0, X, 4, Side.BID)), sender=6)
    assert [m.type() for m in answers] == ["OrderExecutedMsg"] * 2


def test_the_senders_order_and_the_books_are_never_one() -> None:
    bench = Bench()
    order = LimitOrder(5, 0, X, 10, Side.BID, 100)
    [accepted] = bench.tell(LimitOrderMsg(order))
    resting = bench.book.bids[0].visible_orders[0][0]
    assert len({id(order), id(resting), id(accepted.order)}) == 3
    bench.limit(4, Side.ASK, 100)
    assert (order.quantity, accepted.order.quantity, resting.quantity) == (10, 10, 6)


def test_notifications_about_orders_take_the_pipeline_delay() -> None:
    bench = Bench(pipeline_delay=40)
    bench.limit(10, Side.BID, 100)
    resting = bench.book.bids[0].visible_orders[0][0].copy()
    bench.tell(ReplaceOrderMsg(5, resting, LimitOrder(5, 0, X, 10, Side.BID, 101)))
    bench.tell(QueryLastTradeMsg(X))
    assert [(isinstance(message, OrderBookMsg), delay) for _, message, delay in bench.sent] == [
        (True, 40),
        (True, 40),
        (False, 0),
    ]


def test_an_order_at_the_close_is_accepted_one_later_is_not() -> None:
    bench = Bench()
    assert bench.limit(10, Side.BID, 100, at=CLOSE)[0].type() == "OrderAcceptedMsg"
    late: list[Message] = [
        LimitOrderMsg(LimitOrder(5, 0, X, 1, Side.BID, 100)),
        MarketOrderMsg(MarketOrder(5, 0, X, 1, Side.ASK)),
        CancelOrderMsg(bench.book.bids[0].visible_orders[0][0].copy(), None, None),
        ReplaceOrderMsg(5, LimitOrder(5, 0, X, 1, Side.BID, 100), LimitOrder(5, 0, X, 1, Side.BID, 100)),
        MarketHoursRequestMsg(),
        MarketClosePriceRequestMsg(),
        L1SubReqMsg(X),
    ]
    for message in late:
        assert [m.__class__ for m in bench.tell(message, at=CLOSE + 1)] == [MarketClosedMsg]
    assert bench.book.get_l3_bid_data() == [(100, [10])]
    [spread] = bench.tell(QuerySpreadMsg(X, 1), at=CLOSE + 1)
    assert (spread.mkt_closed, spread.bids) == (True, [(100, 10)])


def test_orders_before_the_open_are_taken() -> None:
    assert Bench().limit(10, Side.BID, 100, at=OPEN - 1)[0].type() == "OrderAcceptedMsg"


def test_closing_prices_go_to_those_who_asked() -> None:
    bench = Bench()
    bench.exchange.wakeup(CLOSE)
    assert bench.sent == []
    bench.book.last_trade = 123
    for sender in (7, 5):
        assert bench.tell(MarketClosePriceRequestMsg(), sender=sender) == []
    bench.exchange.wakeup(CLOSE - 1)
    assert bench.sent == []
    bench.exchange.wakeup(CLOSE)
    assert [recipient for recipient, _, _ in bench.sent] == [7, 5]
    first, second = (message for _, message, _ in bench.sent)
    assert isinstance(first, MarketClosePriceMsg)
    assert first.close_prices == {X: 123}
    assert second is first  # one message: its id stands in the recorded tapes


def test_an_agent_that_asks_twice_is_told_the_closing_prices_once() -> None:
    bench = Bench()
    for sender in (7, 5, 7):
        bench.tell(MarketClosePriceRequestMsg(), sender=sender)
    bench.exchange.wakeup(CLOSE)
    assert [recipient for recipient, _, _ in bench.sent] == [7, 5]


# Requests that cannot be granted


def of(agent: int = 5, symbol: Any = X, order_id: Any = 77, quantity: Any = 1, price: Any = 100) -> LimitOrder:
    return LimitOrder(agent, 0, symbol, quantity, Side.BID, price, order_id=order_id)


def resting_bench(**parameters: Any) -> Bench:
    """An exchange at which order 1 of agent 5 (10 shares) and order 2 of agent 6 rest, and agent 8 subscribes."""
    bench = Bench(**parameters)
    bench.tell(LimitOrderMsg(of(order_id=1, quantity=10)))
    bench.tell(LimitOrderMsg(of(6, order_id=2, quantity=20)), sender=6)
    bench.tell(L1SubReqMsg(X, freq=10**15), sender=8)
    del bench.sent[:]
    return bench


NONE: Any = None
MALFORMED: list[tuple[Message, str]] = [
    *(
        (message, "unknown symbol 'Y'; traded here: X")
        for message in (
            QueryLastTradeMsg("Y"),
            QuerySpreadMsg("Y", 1),
            QueryOrderStreamMsg("Y", 1),
            QueryTransactedVolMsg("Y", "1s"),
            LimitOrderMsg(of(symbol="Y")),
            MarketOrderMsg(MarketOrder(5, 0, "Y", 1, Side.BID)),
            CancelOrderMsg(of(symbol="Y"), None, None),
            PartialCancelOrderMsg(of(symbol="Y"), 1, None, None),
            ModifyOrderMsg(of(symbol="Y"), of(symbol="Y")),
            ReplaceOrderMsg(5, of(symbol="Y"), of(symbol="Y")),
            L1SubReqMsg("Y"),
        )
    ),
    (QueryLastTradeMsg([X]), "unknown symbol ['X']"),  # type: ignore[arg-type]
    (QuerySpreadMsg(X, -1), "depth -1 is not"),
    (QuerySpreadMsg(X, 1.5), "depth 1.5 is not"),  # type: ignore[arg-type]
    (QueryOrderStreamMsg(X, NONE), "length None is not"),
    (QueryTransactedVolMsg(X, "soon"), "'soon' is not a duration"),
    (QueryTransactedVolMsg(X, float("nan")), "nan is not a duration"),  # type: ignore[arg-type]
    (LimitOrderMsg(NONE), "None is not a LimitOrder"),
    (LimitOrderMsg(MarketOrder(5, 0, X, 1, Side.BID)), "is not a LimitOrder"),  # type: ignore[arg-type]
    (MarketOrderMsg(of()), "is not a MarketOrder"),  # type: ignore[arg-type]
    (LimitOrderMsg(of(6)), "order 77 is that of agent 6"),
    (LimitOrderMsg(of(quantity=-1)), "quantity -1 is not"),
    (LimitOrderMsg(of(quantity=0.5)), "quantity 0.5 is not"),
    (LimitOrderMsg(of(price=-1)), "limit price -1 is not"),
    (LimitOrderMsg(of(order_id=1)), "an order with its id rests already"),
    (MarketOrderMsg(MarketOrder(5, 0, X, 0, Side.BID)), "quantity 0 is not"),
    (LimitOrderMsg(of(order_id="A1")), "order id 'A1' is not"),
    (MarketOrderMsg(MarketOrder(5, 0, X, 1, Side.BID, [1])), "order id [1] is not"),  # type: ignore[arg-type]
    (ReplaceOrderMsg(5, of(order_id=1), of(order_id=[1])), "order id [1] is not"),
    (CancelOrderMsg(of(6, order_id=2), None, None), "order 2 is that of agent 6"),
    (CancelOrderMsg(of(5, order_id=2), None, None), "order 2 is that of agent 6"),
    (CancelOrderMsg(of(order_id=[1]), None, None), "order id [1] is not"),
    (CancelOrderMsg(NONE, None, None), "None is not a LimitOrder"),
    (PartialCancelOrderMsg(of(order_id=2), 1, None, None), "order 2 is that of agent 6"),
    (PartialCancelOrderMsg(of(order_id=1), -1, None, None), "quantity -1 is not"),
    (PartialCancelOrderMsg(of(order_id=1), NONE, None, None), "quantity None is not"),
    (ModifyOrderMsg(of(order_id=2), of(order_id=2)), "order 2 is that of agent 6"),
    (ModifyOrderMsg(of(order_id=1), of(order_id=3)), "order 1 cannot become order 3"),
    (ModifyOrderMsg(of(order_id=1), of(order_id=1, quantity=0)), "quantity 0 is not"),
    (ModifyOrderMsg(of(order_id=1), NONE), "None is not a LimitOrder"),
    (ReplaceOrderMsg(5, of(order_id=2), of()), "order 2 is that of agent 6"),
    (ReplaceOrderMsg(5, of(order_id=1), of(6)), "order 77 is that of agent 6, for agent 5"),
    (ReplaceOrderMsg(6, of(order_id=1), of()), "order 77 is that of agent 5, for agent 6"),
    (ReplaceOrderMsg(5, NONE, of()), "None is not a LimitOrder"),
    (L1SubReqMsg(X, freq=-1), "freq -1 is not"),
    (L1SubReqMsg(X, freq="often"), "freq 'often' is not"),  # type: ignore[arg-type]
    (L2SubReqMsg(X, depth=-1), "depth -1 is not"),
    (L3SubReqMsg(X, depth="all"), "depth 'all' is not"),  # type: ignore[arg-type]
    (TransactedVolSubReqMsg(X, lookback="long"), "'long' is not a duration"),
    (BookImbalanceSubReqMsg(X, min_imbalance=float("nan")), "min_imbalance nan is no number"),
    (BookImbalanceSubReqMsg(X, min_imbalance="half"), "min_imbalance 'half' is no number"),  # type: ignore[arg-type]
    (MarketDataSubReqMsg(X), "there is no market data of this kind"),
]
MISSING: list[tuple[Message, str]] = [
    (CancelOrderMsg(of(), None, None), "order 77 is not there"),
    (CancelOrderMsg(of(order_id=1, price=99), None, None), "order 1 is not there"),
    (PartialCancelOrderMsg(of(), 1, None, None), "order 77 is not there"),
    (ModifyOrderMsg(of(), of()), "order 77 is not there"),
    (ReplaceOrderMsg(5, of(), of(order_id=78)), "order 77 is not there"),
    (L1SubReqMsg(X, cancel=True), "there is no such subscription"),
]


@pytest.mark.parametrize("log_orders", [False, True])
@pytest.mark.parametrize(("message", "reason"), MALFORMED, ids=lambda value: getattr(value, "type", lambda: "")())
def test_a_malformed_request_warns_is_logged_and_changes_nothing(
    message: Message, reason: str, log_orders: bool
) -> None:
    bench = resting_bench(log_orders=log_orders)
    before = len(bench.book.history)
    with pytest.warns(UserWarning, match=re.escape(reason)):
        answers = bench.tell(message)
    assert [reason in str(event) for _, name, event in bench.exchange.log if name == "REQUEST_REFUSED"] == [True]
    assert (len(bench.book.history), bench.book.get_l3_bid_data()) == (before, [(100, [10, 20])])
    assert [s.agent_id for s in bench.exchange.data_subscriptions[X]] == [8]
    # A new order is answered, to whoever sent it, if it can be named; nothing else is.
    order = getattr(message, "order", None)
    if isinstance(message, LimitOrderMsg | MarketOrderMsg) and order is not None and "order id" not in reason:
        [answer] = answers
        assert isinstance(answer, OrderCancelledMsg)
        assert str(answer.order) == str(order)
        assert answer.order is not order
        assert [recipient for recipient, _, _ in bench.sent] == [5]
    else:
        assert answers == []


@pytest.mark.parametrize(("message", "reason"), MISSING, ids=lambda value: getattr(value, "type", lambda: "")())
def test_what_is_not_there_is_logged_without_a_warning(message: Message, reason: str) -> None:
    bench = resting_bench()
    assert bench.tell(message) == []
    [text] = [event for _, name, event in bench.exchange.log if name == "REQUEST_REFUSED"]
    assert text == f"{message.type()} of agent 5 refused: {reason}"
    assert bench.book.get_l3_bid_data() == [(100, [10, 20])]
    assert len(bench.exchange.data_subscriptions[X]) == 1


@pytest.mark.parametrize(("message", "reason"), [*MALFORMED, *MISSING], ids=lambda value: "")
def test_rejections_are_told_with_the_switch(message: Message, reason: str) -> None:
    bench = resting_bench(switches=Switches(report_rejections=True), log_orders=True)
    with warnings.catch_warnings(category=UserWarning, action="ignore"):
        answers = bench.tell(message)
    changes = (CancelOrderMsg, PartialCancelOrderMsg, ModifyOrderMsg, ReplaceOrderMsg)
    named = [getattr(message, name, None) for name in ("new_order", "order", "old_order")]
    order = next(filter(None, named), None)
    if not isinstance(message, changes) or order is None or "order id" in reason:
        assert not any(isinstance(answer, OrderRejectedMsg) for answer in answers)
        return
    [answer] = answers
    assert isinstance(answer, OrderRejectedMsg)
    assert (answer.order.order_id, answer.request) == (order.order_id, message.type())
    assert reason in answer.reason
    assert bench.sent[-1][0] == 5


def test_a_request_that_finds_nothing_is_still_an_occasion_to_publish() -> None:
    """A subscription made while the book is one-sided hears of it at the next message about orders, whatever it is."""
    bench = resting_bench()
    bench.tell(BookImbalanceSubReqMsg(X, min_imbalance=0.5), sender=9)
    [event] = bench.tell(CancelOrderMsg(of(), None, None))
    assert isinstance(event, BookImbalanceDataMsg)
    assert event.stage is START


def test_data_of_all_symbols_may_be_published_at_once() -> None:
    bench = Bench()
    bench.tell(L1SubReqMsg(X, freq=0), sender=8)
    bench.exchange.publish_order_book_data()
    assert [message.type() for _, message, _ in bench.sent] == ["L1DataMsg"]


def test_what_is_logged() -> None:
    silent, loud = Bench(log_orders=False), Bench(log_orders=True)
    for bench in (silent, loud):
        bench.limit(10, Side.BID, 100)
        bench.tell(QueryLastTradeMsg(X))
    assert [name for _, name, _ in silent.exchange.log] == ["AGENT_TYPE", "BEST_BID", "QueryLastTradeMsg"]
    assert [name for _, name, _ in loud.exchange.log] == [
        "AGENT_TYPE",
        "LimitOrderMsg",
        "OrderAcceptedMsg",
        "BEST_BID",
        "QueryLastTradeMsg",
    ]


# Market data


def test_periodic_data() -> None:
    bench = Bench(switches=Switches(every_change_updates_timestamp=True))
    requests: list[tuple[Message, type[Message]]] = [
        (L1SubReqMsg(X, freq=100), L1DataMsg),
        (L2SubReqMsg(X, freq=100, depth=1), L2DataMsg),
        (L3SubReqMsg(X, freq=100, depth=2), L3DataMsg),
        (TransactedVolSubReqMsg(X, freq=100, lookback="1us"), TransactedVolDataMsg),
    ]
    for request, _ in requests:
        assert bench.tell(request, sender=8, at=OPEN) == []
    assert [m.type() for m in bench.limit(10, Side.BID, 100, at=OPEN + 99)] == ["OrderAcceptedMsg"]
    answers = bench.limit(4, Side.ASK, 100, at=OPEN + 100)[2:]
    assert [m.__class__ for m in answers] == [kind for _, kind in requests]
    l1, l2, l3, volume = answers
    assert (l1.symbol, l1.last_transaction, l1.exchange_ts) == (X, 100, OPEN + 100)
    assert (l1.bid, l1.ask) == ((100, 6), None)
    assert (l2.bids, l2.asks) == ([(100, 6)], [])
    assert (l3.bids, l3.asks) == ([(100, [6])], [])
    assert (volume.bid_volume, volume.ask_volume) == (0, 4)
    assert len(bench.limit(1, Side.BID, 99, at=OPEN + 199)) == 1  # not due yet
    assert len(bench.limit(1, Side.BID, 99, at=OPEN + 200)) == 5


@pytest.mark.parametrize(
    ("request_", "different"),
    [
        (L1SubReqMsg(X, freq=100), L1SubReqMsg(X, freq=101)),
        (L2SubReqMsg(X, freq=100, depth=3), L2SubReqMsg(X, freq=100, depth=4)),
        (L3SubReqMsg(X, freq=100, depth=3), L2SubReqMsg(X, freq=100, depth=3)),
        (TransactedVolSubReqMsg(X, freq=100, lookback="1s"), TransactedVolSubReqMsg(X, freq=100, lookback="2s")),
        (BookImbalanceSubReqMsg(X, min_imbalance=0.5), BookImbalanceSubReqMsg(X, min_imbalance=0.6)),
    ],
    ids=lambda request: request.type(),
)
def test_a_cancelled_subscription_ends_and_only_that_one(request_: Any, different: Any) -> None:
    bench = Bench()
    subscriptions = bench.exchange.data_subscriptions
    for sender in (8, 9):
        bench.tell(request_, sender=sender)
    request_.cancel = different.cancel = True
    bench.tell(different, sender=8)
    assert [s.agent_id for s in subscriptions[X]] == [8, 9]
    bench.tell(request_, sender=8)
    assert [s.agent_id for s in subscriptions[X]] == [9]
    request_.cancel = different.cancel = False


def test_imbalance_events_begin_end_and_change_sides() -> None:
    bench = Bench()
    bench.tell(BookImbalanceSubReqMsg(X, min_imbalance=0.5), sender=8)

    def events(answers: list[Any]) -> list[tuple[Any, float, Side | None]]:
        return [(m.stage, m.imbalance, m.side) for m in answers if isinstance(m, BookImbalanceDataMsg)]

    assert events(bench.limit(10, Side.BID, 100)) == [(START, 1.0, Side.BID)]
    assert events(bench.limit(1, Side.BID, 100)) == []  # still the same event
    assert events(bench.limit(8, Side.ASK, 110)) == [(FINISH, 1 - 8 / 11, Side.BID)]
    assert events(bench.limit(1, Side.ASK, 110)) == []
    assert events(bench.limit(11, Side.ASK, 110)) == []  # 0.45: not above the threshold
    assert events(bench.limit(2, Side.ASK, 110)) == []  # 0.5: not above it either
    assert events(bench.limit(18, Side.ASK, 110)) == [(START, 1 - 11 / 40, Side.ASK)]
    # One order takes the event to the other side at once: the first ends with the values it began with.
    assert events(bench.limit(140, Side.BID, 110)) == [
        (FINISH, 1 - 11 / 40, Side.ASK),
        (START, 1.0, Side.BID),
    ]


def test_kinds_of_subscription_are_known_by_name() -> None:
    assert {"depth", "freq"} <= set(ExchangeAgent.L2DataSubscription.__dataclass_fields__)
    for kind in (ExchangeAgent.L1DataSubscription, ExchangeAgent.TransactedVolDataSubscription):
        assert "depth" not in kind.__dataclass_fields__
    assert not {"depth", "freq"} & set(ExchangeAgent.BookImbalanceDataSubscription.__dataclass_fields__)
    subscription = ExchangeAgent.L1DataSubscription(agent_id=1, last_update_ts=2, freq=3)
    assert (subscription.agent_id, subscription.last_update_ts, subscription.freq) == (1, 2, 3)
    odd: Any = object()
    with pytest.raises(TypeError, match="no market data"):
        Bench().exchange.handle_event_based_data_subscription(X, odd)


# Metrics and files


def test_metrics_of_a_session() -> None:
    bench = Bench()  # 1000 ns from open to close
    bench.limit(10, Side.BID, 90, at=OPEN - 500)
    bench.limit(10, Side.ASK, 90, at=OPEN - 400)  # traded before the open, and the book is empty again
    bench.limit(10, Side.BID, 100, at=OPEN + 100)
    bench.limit(10, Side.ASK, 110, at=OPEN + 300)
    bench.limit(10, Side.ASK, 100, at=OPEN + 700)
    tracker = bench.exchange.metric_trackers[X]
    assert tracker == ExchangeAgent.MetricTracker(
        total_time_no_liquidity_asks=300 / 1e9,
        total_time_no_liquidity_bids=400 / 1e9,
        pct_time_no_liquidity_asks=30,
        pct_time_no_liquidity_bids=40,
        total_exchanged_volume=10,
        last_trade=100,
    )
    assert bench.exchange.total_exchanged_volume == 10
    times, levels = bench.exchange.log_l2_style(X) or ([], [])
    assert times == [row["QuoteTime"] for row in bench.book.book_log2]
    assert [[len(bids), len(asks)] for bids, asks in levels] == [[1, 0], [0, 0], [1, 0], [1, 1], [0, 1]]
    assert bench.exchange.logL2style(X) is not None


def test_metrics_without_snapshots() -> None:
    empty = Bench().exchange
    assert empty.log_l2_style(X) is None
    tracker = empty.metric_trackers[X]
    assert (tracker.pct_time_no_liquidity_asks, tracker.pct_time_no_liquidity_bids) == (100, 100)
    unlogged = Bench(book_logging=False)
    unlogged.limit(10, Side.BID, 100)
    unlogged.limit(10, Side.ASK, 100)
    tracker = unlogged.exchange.metric_trackers[X]
    assert tracker.total_time_no_liquidity_asks != tracker.total_time_no_liquidity_asks  # not known
    assert (tracker.total_exchanged_volume, tracker.last_trade) == (10, 100)
    assert Bench(use_metric_tracker=False).exchange.metric_trackers == {}


@pytest.mark.parametrize("ticker", ["ABM", "XYZ"])
def test_both_engines_measure_a_market_alike(ticker: str) -> None:
    trackers = []
    for engine in ("reference", "compiled"):
        config = rmsc04.build_config(seed=2, end_time="09:32:00", ticker=ticker)
        abides.run(config, engine=engine)
        trackers.append(config["agents"][0].metric_trackers)
    assert trackers[0] == trackers[1]
    tracker = trackers[0][ticker]
    assert tracker.total_exchanged_volume > 0
    assert 0 < tracker.pct_time_no_liquidity_asks < 100


@pytest.mark.parametrize("asked", [True, False])
def test_the_path_of_the_fundamental_is_written_where_logs_and_orders_are(
    asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = rmsc04.build_config(seed=1, end_time="09:31:00", exchange_log_orders=asked)
    abides.run({**config, "skip_log": False}, log_dir="run")
    path = tmp_path / "log" / "run" / "fundamental_ABM.bz2"
    assert path.exists() is asked
    if asked:
        frame = pd.read_pickle(path)
        assert (frame.index.name, list(frame.columns)) == ("FundamentalTime", ["FundamentalValue"])
        assert frame.index.is_monotonic_increasing
        assert len(frame) == len(config["custom_properties"]["oracle"].f_log["ABM"])
