"""The report as a reader sees it, on a phone, on a desk and printed; `make test-browser`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.report import build_report
from tests.analysis.test_report import make_run
from tests.browser import Browser
from tests.browser import browser

pytestmark = pytest.mark.browser

ARTEFACTS = Path(__file__).resolve().parents[2] / "build" / "browser"
FIRST_COLUMN = "[...document.querySelector('table').tBodies[0].rows].map(row => row.cells[0].textContent)"
PRESS = "document.querySelector('table').tHead.rows[0].cells[3].querySelector('button').click()"
SHORTFALLS = "[...document.querySelector('table').tBodies[0].rows].map(row => row.cells[3].textContent)"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(make_run(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("width", [390, 1440])
def test_it_opens_without_complaint_and_fits_the_window(page: Browser, report: Path, width: int) -> None:
    page.open(report, width)
    page.screenshot(ARTEFACTS / f"report-{width}.png")
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Nothing is too small to read, and every figure has a size.
    assert (
        page.evaluate(
            "Math.min(...[...document.querySelectorAll('td')].map(c => parseFloat(getComputedStyle(c).fontSize)))"
        )
        > 12
    )
    assert (
        page.evaluate(
            "Math.min(...[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().width))"
        )
        > 300
    )


def test_a_click_on_a_column_sorts_by_its_numbers_and_another_turns_it_round(page: Browser, report: Path) -> None:
    page.open(report, 1440)
    assert page.evaluate(FIRST_COLUMN) == ["twap", "passive", "aggressive"]
    page.evaluate(PRESS)
    rising = [float(text.split(" ")[0].replace("−", "-")) for text in page.evaluate(SHORTFALLS)]
    assert rising == sorted(rising)
    assert len(set(rising)) == 3
    page.evaluate(PRESS)
    falling = [float(text.split(" ")[0].replace("−", "-")) for text in page.evaluate(SHORTFALLS)]
    assert falling == rising[::-1]
    assert page.evaluate("document.querySelectorAll('[aria-sort]').length") == 1
    assert page.complaints == []


def test_links_lead_to_the_page_of_a_strategy(page: Browser, report: Path) -> None:
    page.open(report, 1440)
    page.evaluate("document.querySelector('nav a[href=\"#strategy-passive\"]').click()")
    assert abs(page.evaluate("document.getElementById('strategy-passive').getBoundingClientRect().top")) < 2


def test_a_console_error_would_be_seen(page: Browser, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text("<title>broken</title><script>console.error('no'); nowhere()</script>")
    page.open(broken, 390)
    assert len(page.complaints) == 2
    page.complaints.clear()


def test_it_prints_with_a_page_for_each_strategy(page: Browser, report: Path) -> None:
    page.open(report, 1440)
    assert page.print(ARTEFACTS / "report.pdf") >= 5
    assert page.complaints == []
