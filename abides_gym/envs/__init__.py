"""Environments."""

from abides_gym.envs.core_environment import AbidesGymCoreEnv
from abides_gym.envs.markets_daily_investor_environment_v0 import SubGymMarketsDailyInvestorEnv_v0
from abides_gym.envs.markets_environment import AbidesGymMarketsEnv
from abides_gym.envs.markets_execution_environment_v0 import SubGymMarketsExecutionEnv_v0

__all__ = [
    "AbidesGymCoreEnv",
    "AbidesGymMarketsEnv",
    "SubGymMarketsDailyInvestorEnv_v0",
    "SubGymMarketsExecutionEnv_v0",
]
