"""Gymnasium environments over a running simulation; importing the package registers them."""

from gymnasium import register

ENVIRONMENTS = {
    "markets-daily_investor-v0": "abides_gym.envs:SubGymMarketsDailyInvestorEnv_v0",
    "markets-execution-v0": "abides_gym.envs:SubGymMarketsExecutionEnv_v0",
}
"""Environments by id: where each is."""

for _id, _class in ENVIRONMENTS.items():
    register(_id, entry_point=_class)
