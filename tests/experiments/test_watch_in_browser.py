"""The page of an episode as a reader plays it; `make test-browser`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from configs import load_experiment
from configs.models import released_policy
from experiments.episode import Episode
from experiments.watch import record
from tests.browser import Browser
from tests.browser import browser

pytestmark = pytest.mark.browser

ARTEFACTS = Path(__file__).resolve().parents[2] / "build" / "browser"
SEED = 1_000_003


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watch") / "page.html"
    return record(load_experiment("tactical"), "tactical", SEED, "sell", released_policy("tactical"), path)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    episode = Episode(load_experiment("tactical"), "tactical", SEED, "sell", released_policy("tactical"))
    return {name: table.to_pandas() for name, table in episode.tables().items()}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def text(page: Browser, name: str) -> str:
    return str(page.evaluate(f"document.getElementById('{name}').textContent"))


def number(page: Browser, name: str) -> float:
    return float(text(page, name).replace("−", "-").replace("\u00a0", ""))


def press(page: Browser, key: str) -> None:
    page.evaluate(f"document.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true }})) && 0")


def scrub(page: Browser, step: int) -> None:
    page.evaluate(f"scrubber.value = {step}; scrubber.dispatchEvent(new Event('input')) && 0")


def position(page: Browser) -> int:
    return int(page.evaluate("document.getElementById('scrubber').value"))


@pytest.mark.parametrize("width", [390, 1440])
def test_it_opens_without_complaint_and_fits_the_window(page: Browser, html: Path, width: int) -> None:
    page.open(html, width)
    scrub(page, 120)
    page.screenshot(ARTEFACTS / f"watch-{width}.png")
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = "[...document.querySelectorAll('td, button, p')].map(cell => parseFloat(getComputedStyle(cell).fontSize))"
    assert min(page.evaluate(sizes)) > 12
    charts = "[...document.querySelectorAll('.chart svg')].map(svg => svg.getBoundingClientRect().width)"
    assert len(page.evaluate(charts)) == 2
    assert min(page.evaluate(charts)) > 300


@pytest.mark.parametrize("width", [390, 1440])
def test_play_moves_the_scrubber_and_the_numbers_and_pause_stops_them(page: Browser, html: Path, width: int) -> None:
    page.open(html, width)
    assert (position(page), text(page, "play"), number(page, "left")) == (0, "Play", 20_000)
    page.evaluate("document.getElementById('play').click()")
    assert text(page, "play") == "Pause"
    deadline = time.monotonic() + 30
    while position(page) < 10:
        assert time.monotonic() < deadline, "playing does not move the scrubber"
        time.sleep(0.05)
    page.evaluate("document.getElementById('play').click()")
    stopped = position(page)
    assert number(page, "left") < 20_000
    assert f"step {stopped} of" in text(page, "clock")
    time.sleep(0.5)
    assert position(page) == stopped
    assert page.complaints == []


def test_it_plays_to_the_end_and_then_begins_again(page: Browser, html: Path) -> None:
    page.open(html, 1440)
    press(page, "End")
    press(page, "ArrowLeft")
    end = position(page) + 1
    press(page, "+")
    press(page, " ")
    deadline = time.monotonic() + 30
    while text(page, "play") == "Pause":
        assert time.monotonic() < deadline, "playing does not end"
        time.sleep(0.05)
    assert position(page) == end
    press(page, " ")
    assert text(page, "play") == "Pause"
    assert position(page) < end
    press(page, "Home")
    assert (position(page), text(page, "play")) == (0, "Play")


def test_the_keys_step_and_change_the_speed(page: Browser, html: Path) -> None:
    page.open(html, 1440)
    for key, expected in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("Home", 0), ("ArrowLeft", 0)):
        press(page, key)
        assert position(page) == expected
    assert page.evaluate("document.getElementById('speed').value") == "60"
    press(page, "-")
    assert page.evaluate("document.getElementById('speed').value") == "10"


@pytest.mark.parametrize("step", [0, 57, 203])
def test_the_numbers_of_a_step_are_the_records(
    page: Browser, html: Path, tables: dict[str, pd.DataFrame], step: int
) -> None:
    page.open(html, 1440)
    scrub(page, step)
    row, taken = tables["episodes"].iloc[0], tables["decisions"].iloc[step]
    fills = tables["fills"][tables["fills"]["time_ns"] <= taken["time_ns"]]
    left = 20_000 - fills["quantity"].sum()
    assert number(page, "left") == left
    assert number(page, "mid") == taken["mid2"] / 200
    assert number(page, "arrival") == row["arrival_mid2"] / 200
    drift = -(fills["quantity"] * (row["arrival_mid2"] - fills["mid2_before"])).sum() / 2 / 20_000
    execution = -(fills["quantity"] * (fills["mid2_before"] - 2 * fills["price_cents"])).sum() / 2 / 20_000
    rest = -left * (row["arrival_mid2"] - taken["mid2"]) / 2 / 20_000
    for name, value in (
        ("execution", execution),
        ("drift", drift),
        ("opportunity", rest),
        ("shortfall", execution + drift + rest),
    ):
        assert number(page, name) == pytest.approx(value, abs=0.0051)
    ladder = "[...document.getElementById('ladder').tBodies[0].rows].map(row => [...row.cells].map(c => c.textContent))"
    rows = page.evaluate(ladder)
    assert (rows[9][1], rows[11][1]) == (f"{taken['ask'] / 100:.2f}", f"{taken['bid'] / 100:.2f}")
    assert (
        f"market order of {taken['market_quantity']} shares" in text(page, "decision") or not taken["market_quantity"]
    )
    assert page.evaluate("document.querySelectorAll('#actions .chosen').length") == 1
    chosen = page.evaluate(
        "[...document.getElementById('actions').tBodies[0].rows].findIndex(r => r.className === 'chosen')"
    )
    assert chosen == taken["action"]


def test_the_last_step_is_the_episodes_result(page: Browser, html: Path, tables: dict[str, pd.DataFrame]) -> None:
    page.open(html, 390)
    press(page, "End")
    row = tables["episodes"].iloc[0]
    assert number(page, "left") == row["left"] == 0
    for name in ("shortfall", "execution", "drift", "opportunity"):
        assert number(page, name) == pytest.approx(row[f"{name}_cents"], abs=0.0051)
