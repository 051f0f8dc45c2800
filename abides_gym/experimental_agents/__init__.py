"""Agents whose decisions are taken outside the simulation."""

from abides_gym.experimental_agents.core_gym_agent import CoreGymAgent

__all__ = ["CoreGymAgent"]
