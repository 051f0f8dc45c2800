"""Generators of time gaps and other quantities."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from typing import Generic
from typing import TypeVar

import numpy as np

T = TypeVar("T")

NANOSECONDS_PER_SECOND = 1_000_000_000


class BaseGenerator(ABC, Generic[T]):
    """A source of values with a known mean."""

    @abstractmethod
    def next(self) -> T:
        """Return the next value."""

    @abstractmethod
    def mean(self) -> T:
        """Return the mean value."""


class InterArrivalTimeGenerator(BaseGenerator[float], ABC):
    """A source of time gaps."""

    @abstractmethod
    def mean_ns(self) -> int:
        """Return the mean gap in nanoseconds, whatever unit `mean` uses."""


class ConstantTimeGenerator(InterArrivalTimeGenerator):
    """The same gap every time.

    Args:
        step_duration: The gap, ns.
    """

    def __init__(self, step_duration: float) -> None:
        self.step_duration = step_duration

    def next(self) -> float:
        """Return the gap, ns."""
        return self.step_duration

    def mean(self) -> float:
        """Return the gap, ns."""
        return self.step_duration

    def mean_ns(self) -> int:
        """Return the gap, ns."""
        return int(self.step_duration)


class PoissonTimeGenerator(InterArrivalTimeGenerator):
    """Exponential gaps of a Poisson process.

    Args:
        random_generator: Stream of the draws; may be replaced from outside.
        lambda_freq: Events per second.
        lambda_time: Mean gap, seconds.

    Raises:
        AssertionError: Unless exactly one of the two rates is given.
    """

    def __init__(
        self,
        random_generator: np.random.RandomState,
        lambda_freq: float | None = None,
        lambda_time: float | None = None,
    ) -> None:
        self.random_generator = random_generator
        if (lambda_freq is None) == (lambda_time is None):
            raise AssertionError(
                f"give exactly one of lambda_freq and lambda_time, got lambda_freq={lambda_freq}"
                f" and lambda_time={lambda_time}"
            )
        self.lambda_s = lambda_freq if lambda_freq is not None else 1 / lambda_time  # type: ignore[operator]

    def next(self) -> float:
        """Return the next gap, ns."""
        return float(self.random_generator.exponential(1 / self.lambda_s) * NANOSECONDS_PER_SECOND)

    def mean(self) -> float:
        """Return the mean gap in **seconds** (the ABIDES API has it so; `mean_ns` is in nanoseconds)."""
        return 1 / self.lambda_s

    def mean_ns(self) -> int:
        """Return the mean gap, ns."""
        return round(NANOSECONDS_PER_SECOND / self.lambda_s)
