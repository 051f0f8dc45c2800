"""The execution problem as environments."""

from envs.market_simulator import MarketSimulator
from envs.optimal_exec_env import OptimalExecEnv
from envs.optimal_exec_vector_env import OptimalExecVectorEnv

__all__ = ["MarketSimulator", "OptimalExecEnv", "OptimalExecVectorEnv"]
