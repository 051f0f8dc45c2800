"""Sources of order sizes and of depths in the book."""

from __future__ import annotations

from abc import ABC

import numpy as np

from abides_core.generators import BaseGenerator


class OrderSizeGenerator(BaseGenerator[int], ABC):
    """A source of order sizes, shares."""


class OrderDepthGenerator(BaseGenerator[int], ABC):
    """A source of depths: distances from the best quote, ticks."""


class ConstantOrderSizeGenerator(OrderSizeGenerator):
    """The same size every time.

    Args:
        order_size: The size, shares.
    """

    def __init__(self, order_size: int) -> None:
        self.order_size = order_size

    def next(self) -> int:
        """Return the size, shares."""
        return self.order_size

    def mean(self) -> int:
        """Return the size, shares."""
        return self.order_size


class UniformOrderSizeGenerator(OrderSizeGenerator):
    """Sizes drawn uniformly.

    Args:
        order_size_min: Least size, shares.
        order_size_max: Greatest size, shares; it may be drawn.
        random_generator: Stream of the draws; may be replaced from outside.

    Attributes:
        order_size_max: Upper end of the draws, not reached: one more than was given.

    Raises:
        ValueError: If the greatest size is less than the least.
    """

    def __init__(self, order_size_min: int, order_size_max: int, random_generator: np.random.RandomState) -> None:
        _check_order("order_size", order_size_min, order_size_max)
        self.order_size_min = order_size_min
        self.order_size_max = order_size_max + 1
        self.random_generator = random_generator

    def next(self) -> int:
        """Return the next size, shares."""
        return int(self.random_generator.randint(self.order_size_min, self.order_size_max))

    def mean(self) -> float:  # type: ignore[override]  # a mean of whole numbers need not be whole
        """Return the mean size, shares."""
        return (self.order_size_min + self.order_size_max - 1) / 2


class ConstantDepthGenerator(OrderDepthGenerator):
    """The same depth every time.

    Args:
        order_depth: The depth, ticks.
    """

    def __init__(self, order_depth: int) -> None:
        self.order_depth = order_depth

    def next(self) -> int:
        """Return the depth, ticks."""
        return self.order_depth

    def mean(self) -> int:
        """Return the depth, ticks."""
        return self.order_depth


class UniformDepthGenerator(OrderDepthGenerator):
    """Depths drawn uniformly.

    Args:
        order_depth_min: Least depth, ticks.
        order_depth_max: Greatest depth, ticks; it may be drawn.
        random_generator: Stream of the draws; may be replaced from outside.

    Attributes:
        order_depth_max: Upper end of the draws, not reached: one more than was given.

    Raises:
        ValueError: If the greatest depth is less than the least.
    """

    def __init__(self, order_depth_min: int, order_depth_max: int, random_generator: np.random.RandomState) -> None:
        _check_order("order_depth", order_depth_min, order_depth_max)
        self.order_depth_min = order_depth_min
        self.order_depth_max = order_depth_max + 1
        self.random_generator = random_generator

    def next(self) -> int:
        """Return the next depth, ticks."""
        return int(self.random_generator.randint(self.order_depth_min, self.order_depth_max))

    def mean(self) -> float:  # type: ignore[override]  # a mean of whole numbers need not be whole
        """Return the mean depth, ticks."""
        return (self.order_depth_min + self.order_depth_max - 1) / 2


def _check_order(name: str, least: int, greatest: int) -> None:
    if greatest < least:
        raise ValueError(f"{name}_max must not be less than {name}_min, got {least} to {greatest}")
