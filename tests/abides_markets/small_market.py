"""A market of an exchange and a few traders that do what a plan says, for tests of what agents see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from abides_core import Kernel
from abides_core import Message
from abides_markets.agents import ExchangeAgent
from abides_markets.agents import TradingAgent
from abides_markets.switches import REFERENCE
from abides_markets.switches import Switches

SYMBOL = "X"
OPEN = 1_000_000
CLOSE = 2_000_000
LATENCY = 10
OPENING_PRICE = 10_000

Plan = list[tuple[int, Callable[["Planned"], Any]]]


class OpeningPrice:
    """An oracle that only knows the price at the open."""

    def get_daily_open_price(self, symbol: str, mkt_open: int) -> int:
        return OPENING_PRICE


class Planned(TradingAgent):
    """Does `plan`: at each offset from the open (ns), a call with itself; keeps what it is told."""

    def __init__(self, id: int, plan: Plan | None = None, **parameters: Any) -> None:
        super().__init__(id, **parameters)
        self.plan = list(plan or [])
        self.told: list[tuple[int, Message]] = []

    def kernel_starting(self, start_time: int) -> None:
        super().kernel_starting(start_time)
        for offset, _ in self.plan:
            self.set_wakeup(OPEN + offset)

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        due = [act for offset, act in self.plan if OPEN + offset == current_time]
        self.plan = [(offset, act) for offset, act in self.plan if OPEN + offset != current_time]
        for act in due:
            act(self)

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        self.told.append((current_time, message))
        super().receive_message(current_time, sender_id, message)

    def heard(self, kind: type[Message]) -> list[Any]:
        return [message for _, message in self.told if isinstance(message, kind)]

    def heard_at(self, kind: type[Message]) -> list[int]:
        return [time - OPEN for time, message in self.told if isinstance(message, kind)]


def run_market(
    *traders: TradingAgent, switches: Switches = REFERENCE, oracle: Any = None, **exchange_parameters: Any
) -> ExchangeAgent:
    """Run a market whose traders have ids from 1; every message takes `LATENCY` ns, nothing else takes time."""
    parameters: dict[str, Any] = {"pipeline_delay": 0, "computation_delay": 0, **exchange_parameters}
    exchange = ExchangeAgent(0, OPEN, CLOSE, [SYMBOL], switches=switches, **parameters)
    Kernel(
        [exchange, *traders],
        start_time=0,
        stop_time=CLOSE + 1000,
        default_computation_delay=0,
        default_latency=LATENCY,
        custom_properties={"oracle": OpeningPrice() if oracle is None else oracle},
    ).run()
    return exchange
