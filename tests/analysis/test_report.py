"""The report: self-contained, complete, repeatable, escaped, and clear where it cannot be built."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from analysis import files
from analysis import records
from analysis.metrics import METRICS
from analysis.records import RecordsError
from analysis.report import ReportError
from analysis.report import build_report
from analysis.report import main
from analysis.sample import sample_tables
from analysis.sample import sample_validity
from analysis.summary import Meta
from analysis.summary import summarise
from analysis.tables import headline_sentence
from analysis.tables import with_interval

ROOT = Path(__file__).resolve().parents[2]
STRATEGIES = ["twap", "passive", "aggressive"]


GATE = {"two_sided": 0.95, "makers_alive": 2, "volume": 10_000, "discarded": 0}


def make_run(
    folder: Path,
    seeds: int = 4,
    invalid: tuple[int, ...] = (2,),
    tables: Mapping[str, Any] | None = None,
    strategies: Sequence[str] = STRATEGIES,
) -> Path:
    tables = tables or sample_tables(strategies, range(seeds), window_s=120)
    for name, table in tables.items():
        records.write_table(folder, name, table)
    meta: Meta = {
        "experiment": "quick",
        "strategies": strategies,
        "headline": "passive",
        "commit": "0123456789abcdef",
        "training_seeds": {"passive": [(1, 3)]},
        "gate": GATE,
    }
    validity = sample_validity(range(seeds), invalid)
    files.write_json(folder / "summary.json", summarise(records.read_frame(folder, "episodes"), validity, meta))
    files.write_json(folder / "manifest.json", {"note": "<script>alert(1)</script>", "commit": "0123456789abcdef"})
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return build_report(run).read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Collects tags that load something, ids, and checks that what is opened is closed."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.counts: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href") and value and not value.startswith(("#", "data:")):
                self.loads.append(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_self_contained_and_well_formed(html: str) -> None:
    outline = Outline()
    outline.feed(html)
    assert outline.open == []
    assert outline.loads == []
    assert outline.counts["svg"] == 5 + len(STRATEGIES)
    assert outline.counts["script"] == 1
    assert "link" not in outline.counts
    assert len(set(outline.ids)) == len(outline.ids)
    assert not re.search(r"@import|url\((?!#)", html)
    for target in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html):
        assert "".join(target) in outline.ids


def test_result_first_then_warnings_tables_figures_method_configuration(run: Path, html: str) -> None:
    summary = json.loads((run / "summary.json").read_text())
    sentence = headline_sentence(summary).replace("<", "&lt;")
    order = [sentence, "Before believing the table", "<h2>Results", "<h2>Costs", "<h2>Figures", "<h2>Markets"]
    pages = [f'<section class="page" id="strategy-{name}">' for name in STRATEGIES]
    places = [html.index(text) for text in [*order, *pages, "<h2>Method", "<h2>Configuration"]]
    assert places == sorted(places)
    assert "commit 0123456789ab" in html
    assert "3 of 4 do-nothing markets passed the gate" in html
    assert "Every seed: paired differences" in html
    assert "passive: 2 of 4 seeds overlap the seeds that its policy was trained on." in html


def test_what_comes_from_a_run_is_escaped(html: str) -> None:
    assert html.count("<script>") == 1
    assert html.count("alert(1)") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_same_run_same_bytes_and_figures_beside_it(run: Path, html: str) -> None:
    assert build_report(run).read_text(encoding="utf-8") == html
    assert sorted(path.name for path in (run / "figures").iterdir()) == [
        "cost_against_time.svg",
        "inventory.svg",
        "market.svg",
        "markouts.svg",
        "shortfall.svg",
    ]


def test_every_strategy_has_a_page_with_every_metric_n_seeds_and_commit(run: Path, html: str) -> None:
    found = json.loads((run / "tca.json").read_text())
    for name in STRATEGIES:
        page = html.split(f'id="strategy-{name}"')[1].split("</section>")[0]
        assert "n = 3 · seeds 0:4 · 3 of 4 used · buy and sell · commit 0123456789ab" in page
        for metric in METRICS:
            assert found["strategies"][name][metric]["n"] in (0, 3)
            assert found["with_invalid_seeds"]["strategies"][name][metric]["n"] in (0, 4)
        spread = found["strategies"][name]["spread_cents"]
        assert f"<td>{with_interval(spread)}</td>" in page
    pair = found["paired"]["passive-twap"]["spread_cents"]
    assert f"<td>{with_interval(pair)}</td>" in html.split('id="strategy-passive"')[1].split("</section>")[0]


def test_unequal_completion_stands_on_the_page_of_its_strategy(tmp_path: Path) -> None:
    tables = sample_tables(["twap", "passive"], range(3), window_s=60, left=5_000)
    html = build_report(make_run(tmp_path, tables=tables, strategies=["twap", "passive"])).read_text(encoding="utf-8")
    page = html.split('id="strategy-passive"')[1].split("</section>")[0]
    assert "Unequal completion: passive fills 75.0% of its orders, twap 100.0%" in page
    assert "completion 75.0 %" in page
    assert "Unequal completion" not in html.split('id="strategy-twap"')[1].split("</section>")[0]


def test_markets_that_failed_the_gate_are_named_with_its_thresholds(html: str) -> None:
    markets = html.split("<h2>Markets")[1].split('class="page"')[0]
    assert "two-sided at least 95% of the window" in markets
    assert "volume of at least 10\u00a0000 shares" in markets
    assert re.search(r">2</th><td[^>]*>two_sided 0\.41 &lt; 0\.95</td>", markets)
    assert "Every seed: Markouts" in markets


def test_a_strategy_without_a_fill_is_reported_and_said_to_be_one(tmp_path: Path) -> None:
    tables = sample_tables(["twap", "passive"], range(3), window_s=60)
    idle = {name: table.to_pandas() for name, table in tables.items()}
    for name in ("fills", "orders"):
        idle[name] = idle[name][idle[name]["strategy"] != "passive"]
    own = idle["episodes"]["strategy"] == "passive"
    nothing = ["filled", "completion", "execution_cents", "drift_cents", "delay_cents", "fills", "child_orders"]
    idle["episodes"].loc[own, nothing] = 0
    idle["episodes"].loc[own, "left"] = 20_000
    html = build_report(make_run(tmp_path, invalid=(), tables=idle, strategies=["twap", "passive"])).read_text(
        encoding="utf-8"
    )
    assert "passive: no fill in 6 of 6 episodes (episodes.parquet, column &#39;filled&#39;)" in html
    assert 'id="strategy-passive"' in html


def test_without_a_valid_seed_the_report_says_so(tmp_path: Path) -> None:
    html = build_report(make_run(tmp_path, seeds=1, invalid=(0,))).read_text(encoding="utf-8")
    assert "No figure: no seed with a usable market has episodes." in html
    assert "no seed has this value" in html


def test_missing_things_are_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"nowhere: no such run folder"):
        build_report(tmp_path / "nowhere")
    with pytest.raises(ReportError, match=r"it lacks manifest\.json, summary\.json, episodes\.parquet, orders"):
        build_report(tmp_path)
    make_run(tmp_path, seeds=2)
    (tmp_path / "fills.parquet").write_bytes(b"no parquet")
    with pytest.raises(RecordsError, match=r"fills\.parquet: cannot be read as Parquet"):
        build_report(tmp_path)
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(ReportError, match=r"summary\.json: cannot be read as JSON"):
        build_report(tmp_path)
    (tmp_path / "summary.json").write_text('{"schema_version": 9}')
    with pytest.raises(ReportError, match=r"summary\.json: schema version: expected 2, found 9"):
        build_report(tmp_path)


def test_command(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(run)]) == 0
    assert capsys.readouterr().out.strip() == str(run / "report.html")
    done = subprocess.run(
        [sys.executable, "-m", "analysis.report", str(tmp_path / "nowhere")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip() == f"error: {tmp_path / 'nowhere'}: no such run folder"
    assert done.stdout == ""
