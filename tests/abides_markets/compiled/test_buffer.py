"""Tables grow, and where they begin makes no difference."""

from __future__ import annotations

import ast
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abides_core.message import Message
from abides_markets.agents import TradingAgent
from abides_markets.compiled import engine
from abides_markets.compiled import kernel
from abides_markets.compiled import layout as at
from abides_markets.compiled.buffer import FIRST_ROWS
from abides_markets.compiled.buffer import GROWING
from abides_markets.compiled.buffer import copied
from abides_markets.compiled.buffer import grown
from abides_markets.compiled.buffer import segments
from abides_markets.compiled.translate import to_buffer
from abides_markets.messages.query import QuerySpreadResponseMsg
from abides_markets.switches import Switches
from abides_markets.utils import config_add_agents
from tests.abides_markets.compiled.worlds import assert_same
from tests.abides_markets.compiled.worlds import build
from tests.abides_markets.compiled.worlds import left_by


@pytest.mark.parametrize("rows", [{**dict.fromkeys(FIRST_ROWS, 1)}, {**dict.fromkeys(FIRST_ROWS, 40_000)}])
@pytest.mark.parametrize("parameters", [{}, {"mm_num_ticks": 100, "mm_wake_up_freq": "5s", "end_time": "09:31:00"}])
def test_where_tables_begin_changes_nothing(
    rows: dict[int, int], parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = left_by(build(4, switches=Switches(makers_requote=True), **parameters), "reference")
    growths = []
    monkeypatch.setattr(kernel, "to_buffer", lambda config: to_buffer(config, rows))
    monkeypatch.setattr(kernel, "grown", lambda buffer: growths.append(len(buffer)) or grown(buffer))
    assert_same([expected, left_by(build(4, switches=Switches(makers_requote=True), **parameters), "compiled")])
    assert growths or min(rows.values()) > 1


@pytest.mark.parametrize("offset", FIRST_ROWS)
def test_each_table_alone_begins_small(offset: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = left_by(build(5), "compiled")
    rows = {**dict.fromkeys(FIRST_ROWS, 20_000), offset: 1}
    monkeypatch.setattr(kernel, "to_buffer", lambda config: to_buffer(config, rows))
    assert_same([expected, left_by(build(5), "compiled")])


def test_growing_keeps_every_row_and_frees_the_new_ones() -> None:
    market = engine.CompiledKernel(build(1, end_time="09:31:00"))
    market.run()
    before = market.buffer
    before[at.LACKING] = at.EVENTS
    after = grown(before)
    assert after[at.EVENT_ROWS] == 2 * before[at.EVENT_ROWS]
    assert (after[: at.HEAP] == before[: at.HEAP]).all()
    for (start, end), (start_after, end_after) in zip(segments(before), segments(after), strict=True):
        if start:  # the first words, with the header, are looked at in part
            assert (before[start:end] == after[start_after:end_after]).all()
    for offset, total, words, _, link in GROWING:
        added = int(after[total] - before[total])
        assert added in (0, before[total])
        if link is None:
            continue
        old, new, size = int(before[offset]), int(after[offset]), int(before[total]) * words
        rows = before[old : old + size].reshape(-1, words), after[new : new + size].reshape(-1, words)
        used = _taken(before, offset, words, link, int(before[total]))
        assert (rows[0][used] == rows[1][used]).all()
        free = offset + at.POOL_FREE_COUNT
        assert after[free] == before[free] + added
        assert len(_free(after, offset, words, link)) == after[free]


@pytest.mark.parametrize("huge", [True, False])
def test_a_copy_holds_what_is_in_use_and_zeros(huge: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not huge:
        monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    market = engine.CompiledKernel(build(1, end_time="09:31:00"))
    market.run()
    twin = copied(market.buffer)
    in_use = np.zeros(len(twin), dtype=bool)
    for start, end in segments(market.buffer):
        in_use[start:end] = True
    assert (twin == np.where(in_use, market.buffer, 0)).all()
    for offset, _, words, _, link in GROWING:
        if link is not None:  # rows that were in use are linked or hold something, and the others never did
            end = int(market.buffer[offset]) + int(market.buffer[offset + at.POOL_ROWS]) * words
            start = int(market.buffer[offset]) + int(market.buffer[offset + at.POOL_TOUCHED]) * words
            assert not market.buffer[start:end].any()
    assert market.buffer.ctypes.data % (8 * at.LINE) == twin.ctypes.data % (8 * at.LINE) == 0


def test_a_market_of_many_agents_does_not_grow_by_the_questions_that_they_begin_with() -> None:
    market = engine.CompiledKernel(build(1, num_noise_agents=5000, end_time="09:30:00"))
    size = len(market.buffer)
    market.initialize()
    market.runner()
    assert len(market.buffer) == size


def test_a_market_that_grows_makes_no_room_for_fills_that_it_does_not_have() -> None:
    market = engine.CompiledKernel(build(1, mm_num_ticks=100, mm_wake_up_freq="5s", end_time="09:31:00"))
    size = len(market.buffer)
    market.run()
    assert len(market.buffer) > size
    assert market.buffer[at.FILL_ROWS] == FIRST_ROWS[at.FILLS]


class Curious(TradingAgent):
    """Asks for the whole book far more often than answers take to arrive."""

    def __init__(self, id: int) -> None:
        super().__init__(id)
        self.answers = 0

    def get_wake_frequency(self) -> int:
        return 1

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        if self.mkt_open is not None and current_time >= self.mkt_open:
            self.set_wakeup(current_time + 2_000_000)
            self.get_current_spread("ABM", depth=1000)

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        self.answers += isinstance(message, QuerySpreadResponseMsg)


def test_answers_that_always_overlap_do_not_fill_the_snapshots() -> None:
    config = build(1, end_time="09:30:20")
    count = len(config["agents"])
    config_add_agents(config, [Curious(count)])
    model = config["agent_latency_model"]
    model.positions[count] = model.positions[0] + 3e6  # 10 ms away
    market = engine.CompiledKernel(config)
    market.run()
    answers = config["agents"][-1].answers
    assert answers > 5000
    assert market.buffer[at.SNAPSHOT_ROWS] < answers
    assert market.buffer[at.SNAPSHOT_FREE_COUNT] > market.buffer[at.SNAPSHOT_ROWS] - 1000


def _free(buffer: Any, offset: int, words: int, link: int) -> list[int]:
    slots = list(range(int(buffer[offset + at.POOL_TOUCHED]), int(buffer[offset + at.POOL_ROWS])))
    slot = int(buffer[offset + at.POOL_FREE])
    while slot != at.NONE:
        slots.append(slot)
        slot = int(buffer[buffer[offset] + slot * words + link])
    return slots


def _taken(buffer: Any, offset: int, words: int, link: int, total: int) -> Any:
    return np.setdiff1d(np.arange(total), _free(buffer, offset, words, link))


def test_every_word_and_field_has_a_name_of_its_own() -> None:
    tree = ast.parse(Path(at.__file__).read_text())
    names = [
        name.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    ]
    assert len(names) > 200
    assert sorted(names) == sorted(set(names))
