"""Agents whose decisions are taken outside the simulation."""

from abides_gym.experimental_agents.core_gym_agent import CoreGymAgent
from abides_gym.experimental_agents.financial_gym_agent import FinancialGymAgent

__all__ = ["CoreGymAgent", "FinancialGymAgent"]
