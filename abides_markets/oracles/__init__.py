"""Fundamental values."""

from abides_markets.oracles.external_data_oracle import BatchDataProvider
from abides_markets.oracles.external_data_oracle import DataFrameProvider
from abides_markets.oracles.external_data_oracle import ExternalDataOracle
from abides_markets.oracles.external_data_oracle import InterpolationStrategy
from abides_markets.oracles.external_data_oracle import PointDataProvider
from abides_markets.oracles.mean_reverting_oracle import MeanRevertingOracle
from abides_markets.oracles.oracle import Oracle
from abides_markets.oracles.sparse_mean_reverting_oracle import SparseMeanRevertingOracle

__all__ = [
    "BatchDataProvider",
    "DataFrameProvider",
    "ExternalDataOracle",
    "InterpolationStrategy",
    "MeanRevertingOracle",
    "Oracle",
    "PointDataProvider",
    "SparseMeanRevertingOracle",
]
