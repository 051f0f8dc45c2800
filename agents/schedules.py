"""Benchmarks that follow a schedule fixed beforehand, by market orders."""

from __future__ import annotations

import math
from abc import abstractmethod
from pathlib import Path
from typing import Any

from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.parameters import number
from agents.views import View
from configs.calibration import CALIBRATION
from configs.calibration import load_calibration
from configs.models import SECOND

CENTS = 100
"""Cents in a dollar."""
LARGEST = 1e6
"""Bound of risk aversions and penalties: far beyond what executes everything at once, far below an overflow."""


class ScheduleAgent(ExecutionAgent):
    """Keeps the filled shares on a schedule by market orders; subclasses implement `executed`.

    The target is cumulative and in whole shares, so the total is exact and a partial fill is made up for at the next
    decision.
    """

    @abstractmethod
    def executed(self, elapsed: float) -> float:
        """Return the share of the parent order due `elapsed` ns after the start, from 0 to 1, never falling."""

    def decide(self, view: View) -> Decision:
        """Send what the schedule has due at the end of this interval."""
        due = round(view.parent * self.executed(min(view.window, view.elapsed + view.interval)))
        return Decision(market=max(0, min(due, view.parent) - view.filled))


class CalibratedAgent(ScheduleAgent):
    """A schedule made from what was measured of the market.

    Args:
        calibration: File that `experiments.calibrate` wrote; by default `configs/calibration.json`.
        arguments: As for `ExecutionAgent`.
    """

    def __init__(self, *arguments: Any, calibration: str | Path = CALIBRATION, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.calibration = load_calibration(calibration)


class VWAPAgent(CalibratedAgent):
    """Volume-weighted average price: follows the market's mean intraday volume profile.

    The share due at time t is the share of the window's volume that is traded before t: x(t) = V(t) / V(T), with V the
    mean cumulative volume of calibration seeds (Berkowitz, Logue and Noser 1988 for the benchmark; Białkowski, Darolles
    and Le Fol 2008, section 2, for the replicating schedule with a static profile).
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.executed(0)  # a profile that does not cover the window is refused now

    def executed(self, elapsed: float) -> float:
        """Return the share of the window's volume by then."""
        return self.calibration.volume.executed(self.order.start, self.order.window, elapsed)


class AlmgrenChrissAgent(CalibratedAgent):
    """Optimal schedule of Almgren and Chriss (2001), "Optimal execution of portfolio transactions", section 2.2.

    Over intervals of τ seconds, minimising mean plus λ times variance of the cost with linear impact (section 1.5), the
    shares left after j intervals are x_j = X sinh(κ(T − jτ)) / sinh(κT) (equation 17), with 2(cosh(κτ) − 1)/τ² = λσ²/η̃
    and η̃ = η − γτ/2. The half-spread adds a constant. Without risk aversion the schedule is TWAP.

    Args:
        risk_aversion: λ, per dollar of cost, at least 0. At the default κT ≈ 2.5 in the calibrated market over 30
            minutes: half of the order is executed in a quarter of the window.
        arguments: As for `CalibratedAgent`, which gives σ, η and γ.

    Attributes:
        kappa: κ, per second.
    """

    def __init__(self, *arguments: Any, risk_aversion: float = 5e-6, **named: Any) -> None:
        self.risk_aversion = number("risk_aversion", risk_aversion, least=0, below=LARGEST)
        super().__init__(*arguments, **named)
        sigma, eta, gamma = (
            getattr(self.calibration, name).value for name in ("volatility", "temporary_impact", "permanent_impact")
        )
        tau = self.interval / SECOND
        eta_tilde = eta - gamma * tau / 2
        if eta_tilde <= 0:
            raise ValueError(
                f"decisions every {tau:g} s are too far apart for the model: temporary impact {eta:g} must exceed"
                f" permanent impact {gamma:g} times half of that"
            )
        squared = self.risk_aversion / CENTS * sigma**2 / eta_tilde
        self.kappa = math.acosh(1 + squared * tau**2 / 2) / tau

    def executed(self, elapsed: float) -> float:
        """Return 1 − x(t)/X."""
        window = self.order.window / SECOND
        left = window - elapsed / SECOND
        if self.kappa * window == 0:
            return elapsed / self.order.window
        return 1 - _sinh_ratio(self.kappa * left, self.kappa * window)


class CarteaJaimungalAgent(CalibratedAgent):
    """Optimal execution with temporary and permanent impact and a running penalty on what is left.

    Cartea, Jaimungal and Penalva (2015), "Algorithmic and High-Frequency Trading", section 6.5. Maximising expected
    proceeds less α Q_T² less φ ∫ Q_t² dt, with temporary impact k and permanent impact b, the shares left are

        Q_t = Q_0 (ζ e^{γ(T − t)} − e^{−γ(T − t)}) / (ζ e^{γT} − e^{−γT}),
        γ = √(φ/k),  ζ = (α − b/2 + √(kφ)) / (α − b/2 − √(kφ)).

    With α finite a few shares are left at T, for the rule at the end of the window. As α grows the schedule becomes
    that of Almgren and Chriss in continuous time with φ = λσ².

    Args:
        running_penalty: φ, cents per share² and second, at least 0.
        terminal_penalty: α, cents per share², more than half the permanent impact.
        arguments: As for `CalibratedAgent`, which gives k (temporary) and b (permanent impact).
    """

    def __init__(
        self, *arguments: Any, running_penalty: float = 1e-7, terminal_penalty: float = 0.01, **named: Any
    ) -> None:
        self.running_penalty = number("running_penalty", running_penalty, least=0, below=LARGEST)
        self.terminal_penalty = number("terminal_penalty", terminal_penalty, above=0, below=LARGEST)
        super().__init__(*arguments, **named)
        self._k = self.calibration.temporary_impact.value
        self._a = self.terminal_penalty - self.calibration.permanent_impact.value / 2
        if self._k <= 0 or self._a <= 0:
            raise ValueError(
                f"terminal_penalty must exceed half the permanent impact {self.calibration.permanent_impact.value:g},"
                f" and temporary impact be positive; got {self.terminal_penalty:g} and {self._k:g}"
            )

    def executed(self, elapsed: float) -> float:
        """Return 1 − Q_t/Q_0."""
        window = self.order.window / SECOND
        left = window - elapsed / SECOND
        root = math.sqrt(self._k * self.running_penalty)
        gamma = math.sqrt(self.running_penalty / self._k)
        if gamma * window == 0:
            return 1 - (self._k + self._a * left) / (self._k + self._a * window)
        # ζ e^{x} − e^{−x} with both sides of the fraction multiplied by the denominator of ζ, which may be zero:
        # 2 (a sinh x + √(kφ) cosh x), a = α − b/2, and e^{x} taken out lest it overflow.
        now, then = (
            self._a * -math.expm1(-2 * x) + root * (1 + math.exp(-2 * x)) for x in (gamma * left, gamma * window)
        )
        return 1 - now / then * math.exp(-gamma * (window - left))


def _sinh_ratio(x: float, y: float) -> float:
    """sinh(x)/sinh(y) for 0 ≤ x ≤ y, 0 < y, without overflow."""
    return math.exp(x - y) * math.expm1(-2 * x) / math.expm1(-2 * y)
