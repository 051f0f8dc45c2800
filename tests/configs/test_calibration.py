from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import ConfigError
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from configs.calibration import CALIBRATION
from configs.calibration import MINUTE
from configs.calibration import VolumeProfile
from configs.calibration import load_calibration
from configs.models import SECOND
from experiments.calibrate import market_digest

NINE = 9 * 60 * MINUTE


def profile(*shares: float) -> VolumeProfile:
    return VolumeProfile(first=NINE, shares=shares, standard_errors=(0,) * len(shares))


def test_what_is_shipped_was_measured_on_calibration_seeds_of_the_shipped_market() -> None:
    found = load_calibration()
    seeds, allowed = parse_seeds(found.seeds), parse_seeds(load_seed_ranges().calibration)
    assert len(seeds) >= 200
    assert seeds.start in allowed
    assert seeds.stop - 1 in allowed
    assert found.dirty is False
    assert found.digest == market_digest(load_experiment("quick"))
    for name in ("volatility", "half_spread", "temporary_impact", "permanent_impact"):
        coefficient = getattr(found, name)
        assert coefficient.n == len(seeds)
        assert 0 < coefficient.ci95[0] < coefficient.value < coefficient.ci95[1]
    assert found.volume.executed(9 * 60 * MINUTE + 35 * MINUTE, 30 * MINUTE, 30 * MINUTE) == 1


@given(
    shares=st.lists(st.floats(0, 1e4), min_size=1, max_size=30).filter(lambda found: sum(found) > 1),
    times=st.lists(st.floats(0, 1), min_size=2, max_size=2),
)
def test_volume_is_traded_in_order_and_all_by_the_end(shares: list[float], times: list[float]) -> None:
    found, window = profile(*shares), len(shares) * MINUTE
    early, late = (found.executed(NINE, window, time * window) for time in sorted(times))
    assert 0 <= early <= late <= 1
    assert (found.executed(NINE, window, 0), found.executed(NINE, window, window)) == (0, 1)


def test_a_part_of_the_profile() -> None:
    found = profile(5, 10, 30, 0)
    assert found.executed(NINE + MINUTE, 2 * MINUTE, MINUTE) == pytest.approx(0.25)
    assert found.executed(NINE + MINUTE, 2 * MINUTE, 1.5 * MINUTE) == pytest.approx(0.625)
    assert found.executed(NINE + MINUTE // 2, MINUTE, MINUTE // 2) == pytest.approx(2.5 / 7.5)
    for start, message in (
        (NINE - SECOND, "covers 09:00:00 to 09:04:00, not the window 08:59:59 to 09:00:59"),
        (NINE + 4 * MINUTE, "not the window 09:04:00 to 09:05:00"),
        (NINE + 3 * MINUTE, "no volume from 09:03:00 to 09:04:00"),
    ):
        with pytest.raises(ValueError, match=message):
            found.executed(start, MINUTE, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "not a calibration: version: Input should be 1"),
        ({"volatility": 3}, "not a calibration: volatility"),
        ({"volatiliti": 3}, "not a calibration: volatiliti: Extra inputs"),
        ({"volume": {"first": 0, "shares": [0], "standard_errors": [0]}}, "shares must not all be zero"),
        (None, "not a calibration: Expecting"),
    ],
)
def test_a_file_that_is_none_is_said_in_one_line(tmp_path: Path, change: Any, message: str) -> None:
    path = tmp_path / "calibration.json"
    content = json.loads(CALIBRATION.read_text(encoding="utf-8"))
    path.write_text("" if change is None else json.dumps({**content, **change}), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as error:
        load_calibration(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
