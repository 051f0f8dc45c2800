"""Fundamental values."""

from abides_markets.oracles.oracle import Oracle
from abides_markets.oracles.sparse_mean_reverting_oracle import SparseMeanRevertingOracle

__all__ = ["Oracle", "SparseMeanRevertingOracle"]
