"""What `experiments.calibrate` measured of the market on calibration seeds, and the file that keeps it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Annotated
from typing import Literal

import numpy as np
from pydantic import Field
from pydantic import NonNegativeFloat
from pydantic import PositiveInt
from pydantic import ValidationError
from pydantic import model_validator

from configs.models import CONFIG_DIR
from configs.models import SECOND
from configs.models import Model
from configs.parsing import ConfigError

CALIBRATION = CONFIG_DIR / "calibration.json"
"""The calibration of the execution market, which strategies read unless they are given another."""

MINUTE = 60 * SECOND
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Coefficient(Model):
    """A measured number.

    Attributes:
        value: The mean over seeds.
        ci95: Its interval at 95 % confidence.
        n: Number of seeds.
        unit: Its unit.
        method: How it was measured.
    """

    value: Finite
    ci95: tuple[Finite, Finite]
    n: PositiveInt
    unit: str
    method: str


class SizeEffect(Model):
    """What TWAP orders of one size cost and did, means of buy and sell over seeds.

    Attributes:
        shares: Size of the parent order.
        completion: Share of it that was filled.
        cost_cents: Mean cost of a fill against the mid just before it, cents.
        cost_ci95: Interval of that.
        move_cents: How far the order moved the mid at the end of the window in its own direction, cents.
        move_ci95: Interval of that.
    """

    shares: PositiveInt
    completion: Finite
    cost_cents: Finite
    cost_ci95: tuple[Finite, Finite]
    move_cents: Finite
    move_ci95: tuple[Finite, Finite]


class VolumeProfile(Model):
    """Volume of the market when nobody trades a parent order.

    Attributes:
        first: Start of the first minute, ns since midnight.
        shares: Mean shares traded in each minute.
        standard_errors: Their standard errors over seeds.
    """

    first: int
    shares: tuple[NonNegativeFloat, ...]
    standard_errors: tuple[NonNegativeFloat, ...]

    @model_validator(mode="after")
    def _has_volume(self) -> VolumeProfile:
        if not sum(self.shares) > 0:
            raise ValueError("shares must not all be zero")
        return self

    def executed(self, start: int, window: int, elapsed: float) -> float:
        """Return the share of a window's volume that is traded `elapsed` ns after its start.

        Args:
            start: Start of the window, ns since midnight.
            window: Length of the window, ns.
            elapsed: Time since the start, ns, from 0 to `window`.

        Raises:
            ValueError: If the profile does not cover the window, or has no volume in it.
        """
        edges = self.first + MINUTE * np.arange(len(self.shares) + 1)
        if start < edges[0] or start + window > edges[-1]:
            raise ValueError(
                f"the volume profile covers {_clock(edges[0])} to {_clock(edges[-1])},"
                f" not the window {_clock(start)} to {_clock(start + window)}: calibrate on this market"
            )
        traded = np.concatenate([[0.0], np.cumsum(self.shares)])
        before, now, after = np.interp([start, start + elapsed, start + window], edges, traded)
        if after <= before:
            raise ValueError(f"the volume profile has no volume from {_clock(start)} to {_clock(start + window)}")
        return float((now - before) / (after - before))


class Calibration(Model):
    """The content of a calibration file.

    Attributes:
        version: Version of the file's form.
        commit: Commit of the code that measured.
        dirty: Whether the code differed from the commit.
        seeds: Seeds of the markets, `A:B`.
        invalid: Of these the seeds that were left out because their market failed the gate, with the reason.
        digest: Digest of the market, order and decision interval that were measured.
        interval_ns: Decision interval of the TWAP orders, ns.
        window_ns: Their window, ns.
        volume: Volume of each minute of the session.
        volatility: Standard deviation of the mid's changes, cents per √s.
        volatility_1min: The same from changes over a minute.
        half_spread: Cost of trading at a rate of zero, cents a share (ε of Almgren and Chriss).
        temporary_impact: Cost added by a rate of one share a second, cents · s a share (η).
        permanent_impact: Move of the mid for each share traded, cents a share (γ).
        sizes: What the regressions were made from.
    """

    version: Literal[1] = 1
    commit: str | None
    dirty: bool | None
    seeds: str
    invalid: dict[str, str] = Field(default_factory=dict)
    digest: str
    interval_ns: PositiveInt
    window_ns: PositiveInt
    volume: VolumeProfile
    volatility: Coefficient
    volatility_1min: Coefficient
    half_spread: Coefficient
    temporary_impact: Coefficient
    permanent_impact: Coefficient
    sizes: tuple[SizeEffect, ...]


@cache
def load_calibration(path: str | Path = CALIBRATION) -> Calibration:
    """Read a calibration; a file is read once in a process.

    Raises:
        ConfigError: If there is no such file, or it is not a calibration.
    """
    try:
        return Calibration.model_validate(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"no calibration {str(path)!r}: run python -m experiments.calibrate") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: not a calibration: {where}: {first['msg']}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not a calibration: {error}") from error


def _clock(ns: int) -> str:
    seconds = int(ns) // SECOND
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
