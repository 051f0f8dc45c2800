"""The benchmarks' table: one family of comparisons, with and without the markets that failed the gate."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from analysis import plots
from analysis.benchmark_table import as_markdown
from analysis.benchmark_table import as_text
from analysis.benchmark_table import collect
from analysis.benchmark_table import matrix
from analysis.benchmark_table import regime_table
from analysis.sample import sample_tables
from analysis.sample import sample_validity
from analysis.stats import holm
from analysis.summary import summarise
from analysis.tables import number
from analysis.tables import with_interval

STRATEGIES = ("twap", "passive", "aggressive")
GATE = {"two_sided": 0.95, "makers_alive": 2, "volume": 10_000, "discarded": 0}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Two regimes of six seeds; in the second one market fails, and two strategies leave a quarter of the order."""
    made = {}
    for name, first, left, invalid in (("calm", 0, 0, []), ("thin", 10, 5_000, [12])):
        seeds = range(first, first + 6)
        episodes = sample_tables(STRATEGIES, seeds, window_s=60, left=left)["episodes"].to_pandas()
        meta = {"experiment": "benchmarks", "strategies": STRATEGIES, "commit": "0123456789abcdef", "gate": GATE}
        made[name] = summarise(episodes, sample_validity(seeds, invalid), meta)
    return collect(made)


def test_the_whole_table_is_one_family(found: dict[str, Any]) -> None:
    pairs = [pair["shortfall_cents"] for regime in found["regimes"].values() for pair in regime["paired"].values()]
    assert found["comparisons"] == len(pairs) == 4
    assert [pair["p_holm_table"] for pair in pairs] == holm([pair["p"] for pair in pairs])
    assert all(pair["p_holm_table"] >= pair["p_holm"] for pair in pairs)
    assert any(pair["p_holm_table"] > pair["p_holm"] for pair in pairs)


def test_the_matrix_has_a_row_a_strategy_and_a_column_a_regime(found: dict[str, Any]) -> None:
    table = matrix(found)
    assert table.header == ("strategy", "calm", "thin")
    assert [row[0] for row in table.rows] == ["passive", "aggressive"]
    pair = found["regimes"]["thin"]["paired"]["aggressive-twap"]["shortfall_cents"]
    star = "*" if pair["p_holm_table"] <= 0.05 else ""
    assert table.rows[1][2] == number(pair["mean"], 1) + star


def test_every_number_has_its_n_and_interval(found: dict[str, Any]) -> None:
    for every_seed, n in ((False, "5"), (True, "6")):
        table = regime_table(found, "thin", every_seed=every_seed)
        assert [row[1] for row in table.rows] == [n, n, n]
        tables = found["regimes"]["thin"]["with_invalid_seeds"] if every_seed else found["regimes"]["thin"]
        pair = tables["paired"]["passive-twap"]
        assert table.rows[1][5] == with_interval(pair["shortfall_cents"])
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_the_text_says_gate_seeds_commit_failures_and_unequal_completion(found: dict[str, Any]) -> None:
    text = as_markdown(found)
    assert "commit 0123456789ab" in text
    assert "two-sided at least 95% of the window" in text
    assert "thin: 1 of 6 markets failed it and are left out." in text
    assert "seed 12: two_sided 0.41 < 0.95" in text
    assert "**thin, every seed**" in text
    assert "**calm, every seed**" not in text
    assert "passive in thin (75.0 %)" in text
    assert "passive in calm" not in text
    assert "p at most 0.05 by Holm over all 4 comparisons" in as_text(found)


def test_the_text_names_strategies_whose_market_ran_away(found: dict[str, Any]) -> None:
    assert "have halted" not in as_text(found)
    found = copy.deepcopy(found)
    found["regimes"]["thin"]["strategies"]["aggressive"]["runaways"] = 3
    assert "have halted and a mean says little: aggressive in thin (3)." in as_text(found)


def test_the_figure_shows_the_numbers_of_the_matrix(found: dict[str, Any]) -> None:
    figure = plots.benchmark_matrix(found)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert shown == [cell.rstrip("*") for row in matrix(found).rows for cell in row[1:]]
    bold = [text.get_weight() == "bold" for text in figure.axes[0].texts]
    assert bold == [cell.endswith("*") for row in matrix(found).rows for cell in row[1:]]
    assert plots.svg(figure) == plots.svg(plots.benchmark_matrix(found))
