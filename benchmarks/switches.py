"""What each switch changes: `python -m benchmarks.switches [--seeds 0:20] [--json FILE]`.

Runs rmsc04 from 09:30 to 10:00 with no switch, with each switch alone and with all of them, on the same seeds, in three
worlds: the market alone; the market with one trader more, who subscribes to the best quotes (at most one message a
second) and buys 110 shares by market order every ten seconds (20 000 in half an hour, as the execution problem does);
and with one who every ten seconds sends a post-only bid of ten shares at the best ask that it knows and at once has it
replaced by one a cent lower. "all" is what `Switches.all_on()` turns on. `docs/fidelity.md` shows the tables.
"""

from __future__ import annotations

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
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder
from abides_markets.orders import Order
from abides_markets.orders import Side
from abides_markets.switches import Switches
from abides_markets.tape import MarketTape
from abides_markets.utils import config_append_agents
from benchmarks.machine import OneLineParser
from benchmarks.machine import describe
from benchmarks.machine import seed_range
from benchmarks.machine import write_json

SYMBOL = "ABM"
SECOND = 1_000_000_000
NAMES = tuple(field.name for field in fields(Switches))
MEASURES = ("trades", "volume", "two_sided", "makers")
BUYER_MEASURES = ("bought", "untold", "data_age_s", "last_trade_gap")
POSTER_MEASURES = ("taken", "refused", "phantoms")


class Subscriber(TradingAgent):
    """Subscribes to the best quotes and does something at regular times."""

    FIRST, INTERVAL = SECOND, 10 * SECOND

    def __init__(self, id: int) -> None:
        super().__init__(id, starting_cash=0)

    def get_wake_frequency(self) -> int:
        """Return the time from the open to the first act, ns."""
        return self.FIRST

    def wakeup(self, current_time: int) -> None:
        """Subscribe once; act."""
        first = self.first_wake
        is_open = super().wakeup(current_time)
        if first:
            self.request_data_subscription(L2SubReqMsg(SYMBOL, freq=SECOND, depth=1))
        if not is_open:
            return
        assert self.mkt_close is not None
        if current_time + SECOND > self.mkt_close:
            return
        self.act()
        self.set_wakeup(current_time + self.INTERVAL)

    def act(self) -> None:
        """Do what is to be done now."""
        raise NotImplementedError

    def measures(self) -> dict[str, float]:
        """Return what came of it."""
        raise NotImplementedError


class Buyer(Subscriber):
    """Buys by market order and notes how old the data is that it was sent."""

    QUANTITY = 110

    def __init__(self, id: int) -> None:
        super().__init__(id)
        self.last_data: L2DataMsg | None = None
        self.ages: list[float] = []
        self.gaps: list[int] = []

    def act(self) -> None:
        """Buy."""
        self._note_data()
        self.place_market_order(SYMBOL, self.QUANTITY, Side.BID)

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

    def measures(self) -> dict[str, float]:
        """Return shares bought, shares believed to be open, and the means of ages (s) and errors (cents)."""
        return {
            "bought": self.get_holdings(SYMBOL),
            "untold": sum(o.quantity for o in self.orders.values() if isinstance(o, MarketOrder)),
            "data_age_s": sum(self.ages) / len(self.ages),
            "last_trade_gap": sum(self.gaps) / len(self.gaps),
        }


class Poster(Subscriber):
    """Sends a post-only bid at the best ask that it knows and at once has it replaced by one a cent lower."""

    QUANTITY = 10

    def __init__(self, id: int) -> None:
        super().__init__(id)
        self.refused = 0

    def act(self) -> None:
        """Withdraw what rests, post, replace."""
        _, _, ask, _ = self.get_known_bid_ask(SYMBOL)
        if ask is None:
            return
        self.cancel_all_orders()
        first = self.create_limit_order(SYMBOL, self.QUANTITY, Side.BID, ask, is_post_only=True)
        second = self.create_limit_order(SYMBOL, self.QUANTITY, Side.BID, ask - 1, is_post_only=True)
        assert first is not None
        assert second is not None
        self.place_multiple_orders([first])
        self.replace_order(first, second)

    def order_cancelled(self, order: Order) -> None:
        """Count refused orders: the answer comes at once, that to a withdrawal an interval later."""
        super().order_cancelled(order)
        self.refused += order.time_placed > self.current_time - self.INTERVAL // 2

    def measures(self) -> dict[str, float]:
        """Return shares bought as the one who came in, orders refused, and orders believed to rest that do not."""
        book = self._kernel().agents[0].order_books[SYMBOL]
        taken = sum(trade.quantity for trade in book.tape.trades if trade.aggressor_agent == self.id)
        believed = [order for order in self.orders.values() if isinstance(order, LimitOrder)]
        return {
            "taken": taken,
            "refused": self.refused,
            "phantoms": sum(book.find(order) is None for order in believed),
        }


WORLDS: dict[str, tuple[type[Subscriber] | None, tuple[str, ...]]] = {
    "alone": (None, ()),
    "with a buyer": (Buyer, BUYER_MEASURES),
    "with a poster": (Poster, POSTER_MEASURES),
}


def run(market_seed: int, switches: Switches, added: type[Subscriber] | None) -> tuple[list[Any], dict[str, float]]:
    """Run one market, with a trader more or without, and return its trades and its measures."""
    config = rmsc04.build_config(
        seed=market_seed, end_time="10:00:00", book_logging=False, log_orders=False, switches=switches
    )
    trader = added(len(config["agents"])) if added is not None else None
    if trader is not None:
        config_append_agents(config, [trader])
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
    if trader is not None:
        measures.update(trader.measures())
    return tape.trades, measures


def _two_sided_share(tape: MarketTape, begin: int, end: int) -> float:
    total = 0
    for quote, following in zip(tape.quotes, [*tape.quotes[1:], None], strict=True):
        until = end if following is None else min(following.time, end)
        if quote.bid >= 0 and quote.ask >= 0:
            total += max(0, until - max(quote.time, begin))
    return total / (end - begin)


def measure(seeds: range, added: type[Subscriber] | None) -> dict[str, dict[str, float]]:
    """Return the means of each setting over the seeds, and the number of seeds whose trades differ from no switch."""
    settings = {"none": Switches(), **{name: Switches(**{name: True}) for name in NAMES}, "all": Switches.all_on()}
    tapes: dict[int, list[Any]] = {}
    table: dict[str, dict[str, float]] = {}
    for setting, switches in settings.items():
        rows = []
        changed = 0
        for market_seed in seeds:
            trades, measures = run(market_seed, switches, added)
            rows.append(measures)
            changed += trades != tapes.setdefault(market_seed, trades)
        table[setting] = {"changed": changed, **{name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}}
        print(_row(setting, table[setting]), flush=True)
    return table


def _row(setting: str, row: dict[str, float]) -> str:
    formats = {"changed": ".0f", "volume": ".0f", "two_sided": ".4f", "bought": ".0f", "trades": ".1f", "untold": ".1f"}
    return f"{setting:<32}" + "".join(f"{value:>15{formats.get(name, '.2f')}}" for name, value in row.items())


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the tables and, if asked, write the numbers."""
    parser = OneLineParser(prog="benchmarks.switches", description="What each switch changes in rmsc04 to 10:00.")
    parser.add_argument("--seeds", type=seed_range, default=range(20), metavar="A:B", help="default: 0:20")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    args = parser.parse_args(arguments)
    if args.json is not None and not args.json.parent.is_dir():
        parser.error(f"no folder {str(args.json.parent)!r} for --json")
    result: dict[str, Any] = {"machine": describe(), "seeds": [args.seeds.start, args.seeds.stop]}
    for world, (added, own_measures) in WORLDS.items():
        print(f"\n{world}, means over {len(args.seeds)} seeds; changed: seeds whose trades differ from no switch")
        columns = ("changed", *MEASURES, *own_measures)
        print(f"{'switch':<32}" + "".join(f"{column:>15}" for column in columns))
        result[world] = measure(args.seeds, added)
    if args.json is not None:
        write_json(args.json, "switches", result)


if __name__ == "__main__":
    main()
