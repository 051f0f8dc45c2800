"""Tables as text."""

from __future__ import annotations

from analysis import tables
from analysis.sample import sample_tables
from analysis.sample import sample_validity
from analysis.summary import format_table
from analysis.summary import summarise

STRATEGIES = ["twap", "passive", "aggressive"]


def make(seeds: int = 5) -> dict:
    rows = sample_tables(STRATEGIES, range(seeds), window_s=60)["episodes"].to_pandas()
    meta = {"experiment": "quick", "strategies": STRATEGIES, "commit": "0123456789abcdef", "headline": "passive"}
    return summarise(rows, sample_validity(range(seeds), invalid=[1]), meta)


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


def test_plain_lines_up_and_says_n_seeds_commit_and_warnings() -> None:
    summary = make()
    text = format_table(summary)
    lines = text.splitlines()
    start = lines.index("Gain over arrival, cents per share")
    block = lines[start + 1 : start + 6]
    assert len({len(line) for line in block}) == 1
    assert block[2].split()[:2] == ["twap", "4"]
    assert "seeds 0:5 (4 of 5 used), buy and sell, commit 0123456789ab" in text
    assert "Warning: 1 of 5 seeds have an invalid do-nothing market" in text
    assert text.startswith("passive − twap: ")


def test_markdown_has_equal_columns() -> None:
    rows = [line for line in format_table(make(), "markdown").splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3 + 2 + 2
    assert {row.count("|") for row in rows} == {10}


def test_headline_says_effect_interval_p_n_and_power() -> None:
    summary = make()
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


def test_side_table() -> None:
    table = tables.side_table(make())
    assert table is not None
    assert [row[0] for row in table.rows] == [*STRATEGIES, "passive − twap", "aggressive − twap"]
    assert all(len(row) == len(table.header) == 7 for row in table.rows)
