from __future__ import annotations

from collections import deque
from copy import deepcopy
from typing import Any

import pytest

from abides_markets.agents import utils

BIDS = [(99, 10), (98, 30), (95, 60)]
ASKS = [(102, 20), (105, 40)]


def state(step: int, messages: int) -> dict[str, Any]:
    """A raw state with as many messages of market and volume data as are asked for."""
    return {
        "parsed_mkt_data": deque(
            {"bids": [(step, message)], "asks": [], "last_transaction": step, "exchange_ts": message}
            for message in range(messages)
        ),
        "internal_data": {"holdings": 10 * step, "cash": -step},
        "parsed_volume_data": deque(
            {**utils.NO_VOLUME_DATA, "bid_volume": step, "ask_volume": message} for message in range(messages)
        ),
    }


class Reader:
    """Returns what its methods are handed."""

    @utils.ignore_mkt_data_buffer_decorator
    def history(self, raw_state: Any) -> Any:
        """Every raw state."""
        return raw_state

    @utils.ignore_buffers_decorator
    def newest(self, raw_state: Any) -> Any:
        """The newest raw state."""
        return raw_state

    @utils.identity_decorator
    def everything(self, raw_state: Any) -> Any:
        """All there is."""
        return raw_state


def test_the_newest_data_of_every_raw_state_as_lists() -> None:
    raw_state = deque([state(1, 2), state(2, 3)])
    before = deepcopy(raw_state)
    shown = Reader().history(raw_state)
    volume = shown.pop("parsed_volume_data")
    assert (volume["bid_volume"], volume["ask_volume"]) == ([1, 2], [1, 2])
    assert shown == {
        "parsed_mkt_data": {
            "bids": [[(1, 1)], [(2, 2)]],
            "asks": [[], []],
            "last_transaction": [1, 2],
            "exchange_ts": [1, 2],
        },
        "internal_data": {"holdings": [10, 20], "cash": [-1, -2]},
    }
    assert raw_state == before


def test_the_newest_data_of_the_newest_raw_state() -> None:
    raw_state = deque([state(1, 2), state(2, 3)])
    before = deepcopy(raw_state)
    assert Reader().newest(raw_state) == {
        "parsed_mkt_data": {"bids": [(2, 2)], "asks": [], "last_transaction": 2, "exchange_ts": 2},
        "internal_data": {"holdings": 20, "cash": -2},
        "parsed_volume_data": {**utils.NO_VOLUME_DATA, "bid_volume": 2, "ask_volume": 2},
    }
    assert raw_state == before
    assert Reader().everything(raw_state) is raw_state
    assert Reader.newest.__doc__ == "The newest raw state."


def test_before_the_first_message_there_are_no_quotes_no_price_and_no_volume() -> None:
    raw_state = deque([state(1, 0), state(2, 1)])
    history = Reader().history(raw_state)
    assert history["parsed_mkt_data"]["bids"] == [[], [(2, 0)]]
    assert history["parsed_mkt_data"]["last_transaction"] == [None, 2]
    newest = Reader().newest([state(1, 0)])
    assert newest["parsed_mkt_data"] == utils.NO_MARKET_DATA
    assert newest["parsed_volume_data"]["total_volume"] == 0


def test_a_list_of_dicts_becomes_a_dict_of_lists() -> None:
    assert utils.list_dict_flip([{"a": 1, "b": 2}, {"a": 3, "b": 4}]) == {"a": [1, 3], "b": [2, 4]}


@pytest.mark.parametrize(
    ("bids", "asks", "mid"), [(BIDS, ASKS, 100.5), ([], ASKS, 102), (BIDS, [], 99), ([], [], 77), (BIDS, BIDS, 99)]
)
def test_the_mid_of_full_one_sided_and_empty_books(bids: Any, asks: Any, mid: float) -> None:
    assert utils.get_mid_price(bids, asks, 77) == mid


@pytest.mark.parametrize(
    ("bids", "asks", "depth", "share"),
    [(BIDS, ASKS, None, 100 / 160), (BIDS, ASKS, 1, 1 / 3), ([], ASKS, None, 0), (BIDS, [], 3, 1), ([], [], None, 0.5)],
)
def test_imbalance_is_the_share_of_one_side(bids: Any, asks: Any, depth: int | None, share: float) -> None:
    assert utils.get_imbalance(bids, asks, depth=depth) == pytest.approx(share)
    assert utils.get_imbalance(bids, asks, direction="SELL", depth=depth) == pytest.approx(1 - share)


def test_levels_and_volumes_of_books_deep_and_empty() -> None:
    assert [utils.get_val(BIDS, level) for level in (0, 2, 3, -1)] == [(99, 10), (95, 60), (0, 0), (0, 0)]
    assert utils.get_last_val(BIDS, 1.5) == 95
    assert utils.get_last_val([], 1.5) == 1.5
    assert utils.get_volume(BIDS) == 100
    assert utils.get_volume(BIDS, depth=2) == 40
    assert utils.get_volume([]) == 0
