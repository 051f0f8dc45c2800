from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from abides_markets.lobster import read_lobster
from configs import ConfigError
from experiments import lobster as command
from experiments.episode import Episode
from tests.agents.worlds import experiment

SETTINGS = (("market.end_time=09:34:00", "order.start=09:31:00", "order.window=2min", "order.quantity=2000"),)


def test_the_command_writes_the_market_with_the_order_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(command.Args("quick", seed=3, strategy="twap", levels=5, out=tmp_path, settings=SETTINGS))
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in paths] == [
        "ABM_2021-02-05_34200000_34440000_message_5.csv",
        "ABM_2021-02-05_34200000_34440000_orderbook_5.csv",
    ]
    day = read_lobster(paths[0])
    tape = Episode(experiment(), "twap", 3, "buy", after=10**12).tape
    executed = [(m.size, m.price // 100, -m.direction) for m in day.messages if m.kind == 4]
    assert executed == [(trade.quantity, trade.price, trade.aggressor_sign) for trade in tape.trades]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"levels": 0}, "levels must be at least 1, got 0"),
        ({"seed": -1}, "seeds must be from 0 to 4294967295, got -1"),
        ({"strategy": "dqn"}, "give --policy PATH"),
    ],
)
def test_the_command_says_what_it_refuses(named: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        command.main(command.Args(**{"config": "quick", "seed": 3, "out": tmp_path / "out", **named}))
    assert not (tmp_path / "out").exists()
