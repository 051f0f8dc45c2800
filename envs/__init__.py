"""The execution problem as environments."""

from envs.market_simulator import MarketSimulator
from envs.optimal_exec_env import OptimalExecEnv

__all__ = ["MarketSimulator", "OptimalExecEnv"]
