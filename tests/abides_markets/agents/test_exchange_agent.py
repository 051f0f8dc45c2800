from __future__ import annotations

from typing import Any

import pytest

from abides_core import Message
from abides_markets.agents import ExchangeAgent
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
from abides_markets.messages.marketdata import TransactedVolDataMsg
from abides_markets.messages.marketdata import TransactedVolSubReqMsg
from abides_markets.messages.order import CancelOrderMsg
from abides_markets.messages.order import LimitOrderMsg
from abides_markets.messages.order import MarketOrderMsg
from abides_markets.messages.order import ModifyOrderMsg
from abides_markets.messages.order import PartialCancelOrderMsg
from abides_markets.messages.order import ReplaceOrderMsg
from abides_markets.messages.orderbook import OrderBookMsg
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


@pytest.mark.parametrize(
    "message",
    [
        QueryLastTradeMsg("Y"),
        QuerySpreadMsg("Y", 1),
        QueryOrderStreamMsg("Y", 1),
        QueryTransactedVolMsg("Y", "1s"),
        LimitOrderMsg(LimitOrder(5, 0, "Y", 1, Side.BID, 100)),
        MarketOrderMsg(MarketOrder(5, 0, "Y", 1, Side.BID)),
        CancelOrderMsg(LimitOrder(5, 0, "Y", 1, Side.BID, 100), None, None),
        PartialCancelOrderMsg(LimitOrder(5, 0, "Y", 1, Side.BID, 100), 1, None, None),
        ModifyOrderMsg(LimitOrder(5, 0, "Y", 1, Side.BID, 100), LimitOrder(5, 0, "Y", 1, Side.BID, 100)),
        ReplaceOrderMsg(5, LimitOrder(5, 0, "Y", 1, Side.BID, 100), LimitOrder(5, 0, "Y", 1, Side.BID, 100)),
    ],
    ids=lambda message: message.type(),
)
def test_an_unknown_symbol_warns_and_names_the_known_ones(message: Message) -> None:
    bench = Bench()
    with pytest.warns(UserWarning, match="unknown symbol 'Y' ignored; traded here: X"):
        bench.tell(message)
    assert bench.book.history == []


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


def test_a_subscription_to_an_unknown_symbol_is_ignored() -> None:
    bench = Bench()
    assert bench.tell(L1SubReqMsg("Y")) == []
    assert not bench.exchange.data_subscriptions["Y"]


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
