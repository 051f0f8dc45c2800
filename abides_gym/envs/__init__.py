"""Environments."""

from abides_gym.envs.core_environment import AbidesGymCoreEnv

__all__ = ["AbidesGymCoreEnv"]
