"""Tables as text."""

from __future__ import annotations

from typing import Any

import pytest

from analysis import tables
from analysis.sample import sample_tables
from analysis.sample import sample_validity
from analysis.summary import format_table
from analysis.summary import summarise

STRATEGIES = ["twap", "passive", "aggressive"]


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    rows = sample_tables(STRATEGIES, range(5), window_s=60)["episodes"].to_pandas()
    meta = {"experiment": "quick", "strategies": STRATEGIES, "commit": "0123456789abcdef", "headline": "passive"}
    return summarise(rows, sample_validity(range(5), invalid=[1]), meta)


def test_numbers() -> None:
    assert tables.number(-1.234) == "−1.23"
    assert tables.number(1.0, 1) == "+1.0"
    assert tables.number(-0.001) == "0.00"
    assert tables.number(None) == "–"
    assert tables.count(1234567) == "1\u00a0234\u00a0567"
    assert tables.probability(0.0002) == "< 0.001"
    assert tables.probability(0.0456) == "0.046"
    assert tables.share(0.9934) == "99.3 %"
    assert tables.pair_label("my_dqn-twap") == "my_dqn − twap"


def test_plain_lines_up_and_says_n_seeds_commit_and_warnings(summary: dict[str, Any]) -> None:
    text = format_table(summary)
    lines = text.splitlines()
    start = lines.index("Gain over arrival, cents per share")
    block = lines[start + 1 : start + 6]
    assert len({len(line) for line in block}) == 1
    assert block[2].split()[:2] == ["twap", "4"]
    assert "seeds 0:5 (4 of 5 used), buy and sell, commit 0123456789ab" in text
    assert "Warning: 1 of 5 seeds have an invalid do-nothing market" in text
    assert text.startswith("passive − twap: ")


def test_markdown_has_equal_columns(summary: dict[str, Any]) -> None:
    rows = [line for line in format_table(summary, "markdown").splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3 + 2 + 2
    assert {row.count("|") for row in rows} == {10}


def test_headline_says_effect_interval_p_n_and_power(summary: dict[str, Any]) -> None:
    found = summary["paired"]["passive-twap"]["shortfall_cents"]
    sentence = tables.headline_sentence(summary)
    low, high = (tables.number(value) for value in found["ci95"])
    assert f"{tables.number(found['mean'])} cents per share, 95 % interval {low} to {high}" in sentence
    assert "4 seeds" in sentence
    assert f"{tables.count(found['n_for_1_cent'])} seeds to be seen at 80 % power" in sentence


def test_headline_with_one_seed_or_one_strategy_says_so() -> None:
    rows = sample_tables(STRATEGIES, [0], window_s=60)["episodes"].to_pandas()
    one = summarise(rows, None, {"strategies": STRATEGIES})
    assert "1 seed (one seed: no standard deviation, no interval)" in tables.headline_sentence(one)
    alone = summarise(rows[rows["strategy"] == "twap"], None, {"strategies": ["twap"]})
    assert tables.headline_sentence(alone).startswith("twap: ")
    assert "Paired" not in format_table(alone)


def test_side_table(summary: dict[str, Any]) -> None:
    table = tables.side_table(summary)
    assert table is not None
    assert [row[0] for row in table.rows] == [*STRATEGIES, "passive − twap", "aggressive − twap"]
    assert all(len(row) == len(table.header) == 7 for row in table.rows)


def test_reading_says_what_the_interval_allows(summary: dict[str, Any]) -> None:
    pair = {"shortfall_cents": {"n": 9, "ci95": [-1.0, 2.0], "p_holm": 0.4}}
    power = {"pairs": {"b-a": {"smallest_effect_cents": 3.21}}}
    made = {"paired": {"b-a": pair}, "power": power}
    assert tables.reading(made, "b-a").endswith("do not tell b from a. They would see 3.2 cents or more at 80 % power.")
    pair["shortfall_cents"]["ci95"] = [0.5, 2.0]
    assert tables.reading(made, "b-a").endswith("b does better than a here.")
    made["paired"]["c-a"] = pair
    pair["shortfall_cents"]["ci95"] = [-2.0, -0.5]
    assert tables.reading(made, "b-a").endswith("Corrected for 2 pairs, p = 0.400.")
    assert "b does worse than a" in tables.reading(made, "b-a")
    pair["shortfall_cents"]["ci95"] = None
    assert tables.reading(made, "b-a") == "9 seeds: nothing can be said about b against a."


def test_parts_table_has_every_part_of_every_strategy(summary: dict[str, Any]) -> None:
    table = tables.parts_table(summary["strategies"])
    assert [row[0] for row in table.rows] == STRATEGIES
    assert table.rows[0][1] == tables.with_interval(summary["strategies"]["twap"]["execution_cents"])
    assert table.rows[0][2] == tables.with_interval(summary["strategies"]["twap"]["delay_cents"])


def test_headline_says_when_completion_differs(summary: dict[str, Any]) -> None:
    assert "completion" not in tables.headline_sentence(summary)
    rows = sample_tables(STRATEGIES, range(3), window_s=60, left=500)["episodes"].to_pandas()
    unequal = summarise(rows, None, {"strategies": STRATEGIES, "headline": "passive"})
    assert tables.headline_sentence(unequal).endswith("twap 100.0 %.")
