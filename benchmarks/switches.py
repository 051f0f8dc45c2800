"""What each switch changes: `python -m benchmarks.switches [--seeds 0:20] [--json FILE]`.

Runs rmsc04 from 09:30 to 10:00 with no switch, with each switch alone and with all of them, on the same seeds, in two
worlds: the market alone, and the market with one trader more, who subscribes to the best quotes (at most one message a
second) and buys 110 shares by market order every ten seconds (20 000 in half an hour, as the execution problem does).
`docs/fidelity.md` shows the tables.
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from abides_core import Message
from abides_core import abides
from abides_markets.agents import AdaptiveMarketMakerAgent
from abides_markets.agents import TradingAgent
from abides_markets.configs import rmsc04
from abides_markets.messages.marketdata import L2DataMsg
from abides_markets.messages.marketdata import L2SubReqMsg
from abides_markets.orders import MarketOrder
from abides_markets.orders import Side
from abides_markets.switches import Switches
from abides_markets.tape import MarketTape
from abides_markets.utils import config_append_agents
from benchmarks.machine import OneLineParser
from benchmarks.machine import describe
from benchmarks.machine import write_json

SYMBOL = "ABM"
SECOND = 1_000_000_000
NAMES = tuple(field.name for field in fields(Switches))
MEASURES = ("trades", "volume", "two_sided", "makers")
BUYER_MEASURES = ("bought", "untold", "data_age_s", "last_trade_gap")


class Buyer(TradingAgent):
    """Buys at regular times by market order and notes how old the data is that it was sent."""

    FIRST, INTERVAL, QUANTITY = SECOND, 10 * SECOND, 110

    def __init__(self, id: int) -> None:
        super().__init__(id, starting_cash=0)
        self.last_data: L2DataMsg | None = None
        self.ages: list[float] = []
        self.gaps: list[int] = []

    def get_wake_frequency(self) -> int:
        """Return the time from the open to the first order, ns."""
        return self.FIRST

    def wakeup(self, current_time: int) -> None:
        """Subscribe once; buy."""
        first = self.first_wake
        is_open = super().wakeup(current_time)
        if first:
            self.request_data_subscription(L2SubReqMsg(SYMBOL, freq=SECOND, depth=1))
        if not is_open:
            return
        assert self.mkt_close is not None
        if current_time + SECOND > self.mkt_close:
            return
        self._note_data()
        self.place_market_order(SYMBOL, self.QUANTITY, Side.BID)
        self.set_wakeup(current_time + self.INTERVAL)

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        """Keep the newest data."""
        super().receive_message(current_time, sender_id, message)
        if isinstance(message, L2DataMsg):
            self.last_data = message

    def _note_data(self) -> None:
        book = self._kernel().agents[0].order_books[SYMBOL]
        traded = next((trade.price for trade in reversed(book.tape.trades)), None)
        if self.last_data is None or traded is None:
            return
        self.ages.append((self.current_time - self.last_data.exchange_ts) / SECOND)
        self.gaps.append(abs(book.last_trade - traded))


def run(market_seed: int, switches: Switches, with_buyer: bool) -> tuple[list[Any], dict[str, float]]:
    """Run one market and return its trades and its measures."""
    config = rmsc04.build_config(
        seed=market_seed, end_time="10:00:00", book_logging=False, log_orders=False, switches=switches
    )
    buyer = Buyer(len(config["agents"]))
    if with_buyer:
        config_append_agents(config, [buyer])
    exchange = config["agents"][0]
    book = exchange.order_books[SYMBOL]
    tape = book.tape = MarketTape()
    abides.run(config)
    makers = [agent for agent in config["agents"] if isinstance(agent, AdaptiveMarketMakerAgent)]
    measures: dict[str, float] = {
        "trades": len(tape.trades),
        "volume": sum(trade.quantity for trade in tape.trades),
        "two_sided": _two_sided_share(tape, exchange.mkt_open, exchange.mkt_close),
        "makers": sum(maker.last_mid is not None for maker in makers),  # that have ever quoted
    }
    if with_buyer:
        measures["bought"] = buyer.get_holdings(SYMBOL)
        measures["untold"] = sum(o.quantity for o in buyer.orders.values() if isinstance(o, MarketOrder))
        measures["data_age_s"] = sum(buyer.ages) / len(buyer.ages)
        measures["last_trade_gap"] = sum(buyer.gaps) / len(buyer.gaps)
    return tape.trades, measures


def _two_sided_share(tape: MarketTape, begin: int, end: int) -> float:
    total = 0
    for quote, following in zip(tape.quotes, [*tape.quotes[1:], None], strict=True):
        until = end if following is None else min(following.time, end)
        if quote.bid >= 0 and quote.ask >= 0:
            total += max(0, until - max(quote.time, begin))
    return total / (end - begin)


def measure(seeds: range, with_buyer: bool) -> dict[str, dict[str, float]]:
    """Return the means of each setting over the seeds, and the number of seeds whose trades differ from no switch."""
    settings = {"none": Switches(), **{name: Switches(**{name: True}) for name in NAMES}, "all": Switches.all_on()}
    tapes: dict[int, list[Any]] = {}
    table: dict[str, dict[str, float]] = {}
    for setting, switches in settings.items():
        rows = []
        changed = 0
        for market_seed in seeds:
            trades, measures = run(market_seed, switches, with_buyer)
            rows.append(measures)
            changed += trades != tapes.setdefault(market_seed, trades)
        table[setting] = {"changed": changed, **{name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}}
        print(_row(setting, table[setting]), flush=True)
    return table


def _row(setting: str, row: dict[str, float]) -> str:
    formats = {"changed": ".0f", "volume": ".0f", "two_sided": ".4f", "bought": ".0f", "trades": ".1f", "untold": ".1f"}
    return f"{setting:<32}" + "".join(f"{value:>15{formats.get(name, '.2f')}}" for name, value in row.items())


def _seeds(text: str) -> range:
    begin, separator, end = text.partition(":")
    if not (separator and begin.isdecimal() and end.isdecimal() and int(begin) < int(end)):
        raise argparse.ArgumentTypeError(f"seeds are A:B with A < B (B is left out), got {text!r}")
    return range(int(begin), int(end))


def main(arguments: list[str] | None = None) -> None:
    """Measure, print two tables and, if asked, write the numbers."""
    parser = OneLineParser(prog="benchmarks.switches", description="What each switch changes in rmsc04 to 10:00.")
    parser.add_argument("--seeds", type=_seeds, default=range(20), metavar="A:B", help="default: 0:20")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    args = parser.parse_args(arguments)
    if args.json is not None and not args.json.parent.is_dir():
        parser.error(f"no folder {str(args.json.parent)!r} for --json")
    result: dict[str, Any] = {"machine": describe(), "seeds": [args.seeds.start, args.seeds.stop]}
    for world, with_buyer in (("alone", False), ("with a buyer", True)):
        print(f"\n{world}, means over {len(args.seeds)} seeds; changed: seeds whose trades differ from no switch")
        columns = ("changed", *MEASURES, *(BUYER_MEASURES if with_buyer else ()))
        print(f"{'switch':<32}" + "".join(f"{column:>15}" for column in columns))
        result[world] = measure(args.seeds, with_buyer)
    if args.json is not None:
        write_json(args.json, "switches", result)


if __name__ == "__main__":
    main()
