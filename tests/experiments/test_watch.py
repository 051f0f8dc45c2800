"""The page that plays an episode says what the records of that episode say, step by step."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agents.features import Observer
from configs import ConfigError
from configs import Experiment
from configs import Side
from configs import load_experiment
from configs.models import released_policy
from experiments import watch as command
from experiments.episode import Episode
from tests.agents.worlds import THIN
from tests.agents.worlds import experiment

SHORT = (("market.end_time=09:34:00", "order.start=09:31:00", "order.window=2min", "order.quantity=2000"),)
POLICY = released_policy("tactical")


def played(page: Path) -> dict[str, Any]:
    """What a page plays."""
    text = page.read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(
        text.split('<script type="application/json" id="recording">')[1].split("</script>")[0]
    )
    return found


def recorded(run: Experiment, strategy: str, seed: int, side: Side, path: Path) -> tuple[dict[str, Any], Episode]:
    """What the page plays, and the same episode run by itself."""
    policy = POLICY if strategy == "tactical" else None
    found = played(command.record(run, strategy, seed, side, policy, path / "page.html"))
    return found, Episode(run, strategy, seed, side, policy)


@pytest.mark.parametrize(
    ("strategy", "side", "market"),
    [
        ("twap", "buy", {}),
        ("post_then_cross", "sell", {}),
        ("idle", "sell", {}),
        ("immediate", "buy", THIN),
    ],
)
def test_every_step_equals_the_records(strategy: str, side: Side, market: dict[str, int], tmp_path: Path) -> None:
    run = experiment(market={"params": market} if market else {})
    found, episode = recorded(run, strategy, 3, side, tmp_path)
    frames = {name: table.to_pandas() for name, table in episode.tables().items()}
    row, decisions, fills = frames["episodes"].iloc[0], frames["decisions"], frames["fills"]
    steps, sign = found["steps"], 1 if side == "buy" else -1
    assert len(steps["time"]) == len(found["looks"]) == len(decisions) + 1

    for step in range(len(decisions)):
        taken, seen = decisions.iloc[step], found["looks"][step]
        before = fills[fills["time_ns"] <= taken["time_ns"]]
        shares = before["quantity"]
        assert steps["left"][step] == 2_000 - shares.sum()
        execution = (shares * sign * (before["mid2_before"] - 2 * before["price_cents"])).sum() / 2 / 2_000
        drift = (shares * sign * (row["arrival_mid2"] - before["mid2_before"])).sum() / 2 / 2_000
        rest = steps["left"][step] * sign * (row["arrival_mid2"] - taken["mid2"]) / 2 / 2_000
        assert steps["execution"][step] == pytest.approx(execution, abs=1e-6)
        assert steps["drift"][step] == pytest.approx(drift, abs=1e-6)
        assert steps["opportunity"][step] == pytest.approx(rest, abs=1e-6)
        assert steps["mid"][step] == taken["mid2"] / 2
        assert steps["resting"][step] == taken["resting"]
        assert steps["time"][step] == (taken["time_ns"] - episode.start) / 1e6
        assert found["decisions"][step]["market"] == taken["market_quantity"]
        assert found["decisions"][step]["limit"] == taken["limit_quantity"]
        assert [seen["bids"][0][0] if seen["bids"] else -1, seen["asks"][0][0] if seen["asks"] else -1] == [
            taken["bid"],
            taken["ask"],
        ]
        assert seen["bids"] == sorted(seen["bids"], reverse=True)[:10]
        assert seen["asks"] == sorted(seen["asks"])[:10]

    assert steps["left"][-1] == row["left"]
    for part in ("execution", "drift", "opportunity"):
        assert steps[part][-1] == pytest.approx(row[f"{part}_cents"], abs=1e-6)

    own = np.array(found["trades"]["own"], dtype=bool)
    traded = pd.DataFrame(found["trades"])
    in_window = fills[fills["time_ns"] <= row["end_ns"]]
    assert len(own) == len(episode._trades_until(episode.end)["time"])
    assert traded["quantity"][own].tolist() == in_window["quantity"].tolist()
    assert traded["price"][own].tolist() == in_window["price_cents"].tolist()


def test_a_policys_values_lead_to_the_actions_that_it_took(tmp_path: Path) -> None:
    settings = {"market.end_time": "09:34:00", "order.start": "09:31:00", "order.window": "2min"}
    run = load_experiment("tactical", settings | {"order.quantity": 2000})
    found, episode = recorded(run, "tactical", 3, "buy", tmp_path)
    looks = found["looks"][:-1]
    assert [int(np.argmax(look["values"])) for look in looks] == [taken["action"] for taken in found["decisions"]]
    assert found["actions"][:2] == ["0× even rate", "0.25× even rate"]
    assert len({taken["action"] for taken in found["decisions"]}) > 1
    observer = Observer(run.observation.features)
    for look, (view, _) in zip(looks, episode.agent.decisions, strict=True):
        assert look["features"] == pytest.approx(observer.observe(view.rows())[0], abs=1e-6)
    assert found["features"] == list(run.observation.features)


def test_the_page_needs_nothing_else_and_opens_where_there_is_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.chdir(tmp_path)
    args = command.Args("quick", seed=3, settings=SHORT)
    monkeypatch.delenv("DISPLAY", raising=False)
    command.main(args)
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    command.main(command.Args("quick", seed=3, settings=SHORT, open=False))
    assert opened == []
    command.main(args)
    page = tmp_path / "results" / "watch" / "twap-3-buy.html"
    assert opened == [page.as_uri()]
    assert capsys.readouterr().out.splitlines() == ["results/watch/twap-3-buy.html"] * 3
    assert [path.name for path in page.parent.iterdir()] == [page.name]
    text = page.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert "http" not in text
    assert not any(tag in text for tag in ("<link", "<img", " src=", "@import", "fetch("))


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"strategy": "nobody"}, "unknown strategy 'nobody'; allowed: aggressive"),
        ({"strategy": "dqn"}, "give --policy PATH"),
        ({"seed": -1}, "seeds must be from 0 to 4294967295, got -1"),
        ({"strategy": "dqn", "policy": POLICY}, "was made for other observation"),
        (
            {"settings": (*SHORT, ("market.params.num_noise_agents=0", "market.params.num_value_agents=0"))},
            "no two-sided book",
        ),
    ],
)
def test_what_cannot_be_played_is_said_and_nothing_written(named: dict[str, Any], message: str, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    with pytest.raises(ConfigError, match=message):
        command.main(
            command.Args(**{"config": "quick", "seed": 3, "settings": SHORT, "out": out, "open": False} | named)
        )
    assert not out.exists()
