"""A recorded day, replayed at the exchange: the book is what it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from abides_core import abides
from abides_core.cli import main
from abides_core.latency_model import LatencyModel
from abides_markets.agents import LobsterReplayAgent
from abides_markets.agents import TradingAgent
from abides_markets.configs import lobster
from abides_markets.configs import rmsc04
from abides_markets.lobster import LobsterBook
from abides_markets.lobster import LobsterMessage
from abides_markets.lobster import book_rows
from abides_markets.lobster import messages_of_book
from abides_markets.lobster import read_lobster
from abides_markets.lobster import write_lobster
from abides_markets.orders import Side
from abides_markets.utils import config_append_agents

SECOND = 10**9
OPEN = 34_200 * SECOND
MESSAGES = [
    "34200.1,1,11,50,10100,-1",
    "34200.2,1,12,20,9900,1",
    "34200.2,4,900,30,9900,1",  # of the order that was there before the record
    "34200.3,2,11,10,10100,-1",
    "34200.4,4,11,15,10100,-1",
    "34200.5,3,901,40,10200,-1",  # also there before
    "34200.6,5,0,10,10000,1",
    "34200.7,3,11,25,10100,-1",
    "34200.8,4,12,20,9900,1",
]
OPENING = [10_200, 40, 9_900, 30]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market of ten minutes, in files."""
    config = rmsc04.build_config(seed=6, end_time="09:40:00", log_orders=None, book_logging=False)
    for agent in config["agents"]:
        agent.log_events = False
    abides.run(config, engine="auto")
    messages = messages_of_book(config["agents"][0].order_books["ABM"], config["start_time"])
    return write_lobster(tmp_path_factory.mktemp("lobster"), "ABM", "2021-02-05", OPEN, OPEN + 600 * SECOND, messages)[
        0
    ]


def written(folder: Path) -> Path:
    """A day that begins with a book, as LOBSTER's do."""
    path = folder / "XYZ_2012-06-21_34200000_34260000_message_2.csv"
    path.write_text("\n".join(MESSAGES) + "\n")
    before = LobsterBook(OPENING)
    rows = []
    for line in MESSAGES:
        _, *values = line.split(",")
        before.apply(LobsterMessage(0, *map(int, values)))
        rows.append(",".join(map(str, before.row(2))))
    path.with_name(path.name.replace("message", "orderbook")).write_text("\n".join(rows) + "\n")
    return path


def test_the_replayed_market_is_the_recorded_one_event_for_event(recorded: Path) -> None:
    day = read_lobster(recorded)
    config = lobster.build_config(str(recorded))
    abides.run(config)
    exchange, replay = config["agents"]
    replayed = messages_of_book(exchange.order_books["ABM"], config["start_time"])
    assert replayed == day.messages
    assert list(book_rows(replayed, 10)) == day.rows
    assert replay.unexplained == 0


def test_a_day_that_begins_with_a_book_is_replayed_row_for_row(tmp_path: Path) -> None:
    path = written(tmp_path)
    day = read_lobster(path)
    assert LobsterBook(day.opening).row(1) == OPENING
    config = lobster.build_config(str(path), book_logging=True)
    abides.run(config)
    exchange, replay = config["agents"]
    replayed = messages_of_book(exchange.order_books["XYZ"], config["start_time"])
    visible = [message for message in day.messages if message.kind != 5]
    # The opening comes first, one order a level; then every event, of the same kind, at its time.
    times_and_sizes = [(m.time, m.size, m.price, m.direction) for m in replayed[2:]]
    assert times_and_sizes == [(m.time, m.size, m.price, m.direction) for m in visible]
    rows = [row for row, message in zip(day.rows or [], day.messages, strict=True) if message.kind != 5]
    assert list(book_rows(replayed, 2))[2:] == rows
    assert replay.unexplained == 0


class Buyer(TradingAgent):
    """Buys once, a minute after the open."""

    def get_wake_frequency(self) -> int:
        return 60 * SECOND

    def wakeup(self, current_time: int) -> None:
        if super().wakeup(current_time) and not self.executed_orders:
            self.place_market_order("ABM", 100, Side.BID)


def test_another_agent_trades_in_the_replayed_day(recorded: Path) -> None:
    config = lobster.build_config(str(recorded))
    buyer = Buyer(2)
    config_append_agents(config, [buyer])
    abides.run(config)
    assert sum(order.quantity for order in buyer.executed_orders) == 100
    day = read_lobster(recorded)
    replayed = messages_of_book(config["agents"][0].order_books["ABM"], config["start_time"])
    before = [message for message in day.messages if message.time < OPEN + 60 * SECOND]
    assert replayed[: len(before)] == before
    assert replayed != day.messages


def test_messages_about_orders_that_nobody_knows_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "XYZ_2012-06-21_34200000_34260000_message_2.csv"
    path.write_text("34200.1,1,5,10,10000,1\n34200.2,3,77,10,9000,1\n34200.3,2,78,1,9000,1\n")
    config = lobster.build_config(str(path))
    abides.run(config)
    assert config["agents"][1].unexplained == 2
    assert config["agents"][0].order_books["XYZ"].get_l2_bid_data() == [(100, 10)]


def test_what_cannot_be_replayed_to_the_nanosecond_is_refused(recorded: Path) -> None:
    config = lobster.build_config(str(recorded))
    config["agent_latency_model"] = LatencyModel(np.random.RandomState(0), 1_000, latency_model="cubic")
    with pytest.raises(ValueError, match="needs a deterministic latency model"):
        abides.run(config)
    with pytest.raises(ValueError, match="whole cents, got 10050 ten-thousandths"):
        LobsterReplayAgent(1, "X", [LobsterMessage(0, 1, 1, 5, 10_050, 1)], 0)


def test_the_abides_command_replays_a_day(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["abides_markets.configs.lobster", "--message_file", str(recorded), "--stdout_log_level", "ERROR"]
    assert main(words) == 0
    assert "lobster: 2021-02-05 00:00:00 to 2021-02-05 09:40:01 simulated" in capsys.readouterr().out
    assert main([*words[:2], str(recorded.parent / "none.csv")]) == 2
    assert "not named TICKER_YYYY-MM-DD_START_END_message_LEVELS.csv" in capsys.readouterr().err
