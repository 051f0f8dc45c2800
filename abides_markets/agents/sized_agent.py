"""The base of background traders whose orders have a size from a model, or one size for all."""

from __future__ import annotations

import numpy as np

from abides_core.streams import Seed
from abides_markets.agents.trading_agent import TradingAgent
from abides_markets.models import OrderSizeModel


class SizedSeed:
    """A stream not made yet, whose first draw is the size of all its agent's orders.

    Args:
        seed: Seed of the stream.
        least: Least size, shares.
        end: Upper end of the size (not reached), shares.

    Attributes:
        size: The size, once the stream has been made.
    """

    __slots__ = ("end", "least", "seed", "size")

    def __init__(self, seed: int, least: int, end: int) -> None:
        self.seed = seed
        self.least = least
        self.end = end
        self.size: int | None = None

    def make(self) -> np.random.RandomState:
        """Return the stream after its first draw."""
        stream = Seed(self.seed).make()
        self.size = int(stream.randint(self.least, self.end))
        return stream


class SizedAgent(TradingAgent):
    """A trader whose orders have a size from a model, or one size for all that is the first draw of its stream.

    The stream of thousands of such traders is made only for those that use it: a size that nobody has asked for yet
    waits with it.

    Attributes:
        order_size_model: Source of sizes, if there is one.
    """

    order_size_model: OrderSizeModel | None

    def _init_size(self, order_size_model: OrderSizeModel | None, least: int, end: int) -> None:
        self.order_size_model = order_size_model
        self._size: int | None = None
        self._sized: SizedSeed | None = None
        if order_size_model is not None:
            return
        if isinstance(self.stream, Seed):
            self.stream = self._sized = SizedSeed(self.stream, least, end)
        else:
            self._size = int(self.random_state.randint(least, end))

    @property
    def size(self) -> int | None:
        """Shares of the next order or, with a model, of the last one; `None` before that."""
        if self._size is None and self._sized is not None:
            if self.stream is self._sized:
                self.stream = self._sized.make()
            elif self._sized.size is None:
                self._sized.make()
            self._size = self._sized.size
        return self._size

    @size.setter
    def size(self, size: int | None) -> None:
        self._size = size

    def next_size(self) -> int:
        """Return the shares of the order that is to be placed now; 0 means none."""
        if self.order_size_model is not None:
            self._size = self.order_size_model.sample(random_state=self.random_state)
        return self.size or 0
