"""rmsc03 and rmsc04 reproduce tapes recorded from the reference market, digest for digest."""

from __future__ import annotations

import pytest

from abides_core import abides
from abides_markets.configs import rmsc03
from abides_markets.configs import rmsc04
from abides_markets.switches import Switches
from tests.abides_markets.tapes import ENTRIES
from tests.abides_markets.tapes import EntryRecorder
from tests.abides_markets.tapes import digest
from tests.abides_markets.tapes import run_tape
from tests.abides_markets.tapes import tape_of
from tests.abides_markets.tapes import with_scripted_agent

# seed, close, scripted trader: digests of trades, quotes, final holdings; queue entries; history.
GOLDEN = [
    (0, "10:00:00", False, ("c7dbef02093738cb", "f5de186bc0c2a4a9", "dcf691ecc22e51c5"), 59492, (2397, 1062, 1706)),
    (1, "10:00:00", False, ("5690359972e6dd4a", "44a40e8b9c4dce4b", "6fcbbd636d7eed6f"), 42462, (1593, 878, 1026)),
    (2, "10:00:00", False, ("97149f9876278163", "dc1eb97d8b2229bd", "de31903bea643af9"), 51487, (2175, 1014, 1517)),
    (3, "10:30:00", False, ("a630c5113910d066", "c7e2eecb78c95fc6", "7db6018a5bef1117"), 105463, (4748, 2487, 3141)),
    (0, "10:00:00", True, ("37f2a74eadc53597", "f60cd7c8a863b83d", "1e09f7708dc2b734"), 56807, (2528, 1300, 1793)),
    (4, "10:00:00", True, ("69cc198505cbbb67", "6731c3baa51758e0", "98ca670ef3772484"), 48465, (2193, 1237, 1464)),
]
# Every entry taken from the queue, re-queued ones included, without and with the scripted trader (seed 0, to 10:00).
GOLDEN_ENTRIES = {False: "2c284cf33f0d87c2", True: "4efc01d524781fe6"}
# rmsc03, seed 0, to 09:45: as above, and every entry taken from the queue.
GOLDEN_RMSC03 = (("8a21f798b51d6869", "270c844fd30f9379", "03d9c3370ccb0c64"), 160716, (7893, 4415, 5488))
GOLDEN_RMSC03_ENTRIES = "f04f8732138cd2cf"


@pytest.mark.parametrize(("seed", "end_time", "scripted", "digests", "events", "history"), GOLDEN)
def test_tape_is_the_recorded_one(
    seed: int,
    end_time: str,
    scripted: bool,
    digests: tuple[str, str, str],
    events: int,
    history: tuple[int, int, int],
) -> None:
    config = rmsc04.build_config(seed=seed, end_time=end_time)
    recorder = EntryRecorder()
    tape = tape_of(abides.run(with_scripted_agent(config) if scripted else config, trace=recorder))
    assert tape.digests() == digests
    assert tape.events == len(recorder.rows) == events
    assert tape.history == dict(zip(("LIMIT", "EXEC", "CANCEL"), history, strict=True))
    if (seed, end_time) == (0, "10:00:00"):
        assert digest(ENTRIES, recorder.rows) == GOLDEN_ENTRIES[scripted]


def test_tape_of_rmsc03_is_the_recorded_one() -> None:
    recorder = EntryRecorder()
    tape = tape_of(abides.run(rmsc03.build_config(seed=0, end_time="09:45:00"), trace=recorder))
    digests, events, history = GOLDEN_RMSC03
    assert tape.digests() == digests
    assert tape.events == len(recorder.rows) == events
    assert tape.history == dict(zip(("LIMIT", "EXEC", "CANCEL"), history, strict=True))
    assert digest(ENTRIES, recorder.rows) == GOLDEN_RMSC03_ENTRIES


def test_switches_all_off_are_the_reference_market() -> None:
    off = Switches(
        makers_requote=False,
        report_unfilled=False,
        market_orders_update_last_trade=False,
        every_change_updates_timestamp=False,
    )
    assert run_tape(0, switches=off).digests() == GOLDEN[0][3]


def test_what_is_logged_changes_no_tape() -> None:
    quiet = run_tape(1, log_orders=False, exchange_log_orders=False)
    loud = run_tape(1, log_orders=True, exchange_log_orders=True)
    unlogged_book = run_tape(1, log_orders=False, book_logging=False)
    assert quiet.digests() == loud.digests() == GOLDEN[1][3]
    assert unlogged_book.trades == quiet.trades
    assert unlogged_book.final == quiet.final
    assert unlogged_book.quotes == []
