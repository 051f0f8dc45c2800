"""The base of environments: one learning agent in a simulation that stops at its decisions."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np

from abides_core.generators import InterArrivalTimeGenerator
from abides_core.streams import random_state
from abides_gym.simulation import SteppedSimulation
from abides_markets.utils import config_add_agents


class AbidesGymCoreEnv(gymnasium.Env[Any, Any], ABC):
    """Runs a background market with one learning agent, from decision to decision.

    Subclasses set `action_space` and `observation_space`, translate actions, and make states, rewards and ends of the
    raw states that the learning agent shows.

    Args:
        background_config_pair: A `build_config` function and its keyword arguments (or `None`).
        wakeup_interval_generator: Times between decisions.
        state_buffer_length: Raw states that the agent keeps.
        first_interval: Time from the open to the first decision, ns.
        gymAgentConstructor: Class of the learning agent.

    Attributes:
        simulation: The simulation in progress.
        gym_agent: Its learning agent.
        extra_gym_agent_kvargs: Further arguments of the learning agent.
        extra_background_config_kvargs: Further arguments of the background, which take precedence.
    """

    extra_gym_agent_kvargs: dict[str, Any]
    extra_background_config_kvargs: dict[str, Any]

    def __init__(
        self,
        background_config_pair: tuple[Callable[..., dict[str, Any]], dict[str, Any] | None],
        wakeup_interval_generator: InterArrivalTimeGenerator,
        state_buffer_length: int,
        first_interval: int | None = None,
        gymAgentConstructor: Callable[..., Any] | None = None,  # noqa: N803  name of the ABIDES API
    ) -> None:
        self.background_config_pair = background_config_pair
        self.wakeup_interval_generator = wakeup_interval_generator
        self.state_buffer_length = state_buffer_length
        self.first_interval = first_interval
        self.gymAgentConstructor = gymAgentConstructor
        self.extra_gym_agent_kvargs = {}
        self.extra_background_config_kvargs = {}
        self.simulation: SteppedSimulation | None = None
        self.gym_agent: Any = None
        self.state: Any = None
        self.reward: float | None = None
        self.info: dict[str, Any] | None = None
        self.terminated = False
        self.truncated = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Build a new simulation and run it to the first decision."""
        super().reset(seed=seed, options=options)
        self.close()
        simulation_seed = int(self.np_random.integers(0, 2**32))
        agent_seed = int(self.np_random.integers(0, 2**32))
        build, arguments = self.background_config_pair
        config = build(**{**(arguments or {}), "seed": simulation_seed, **self.extra_background_config_kvargs})
        assert self.gymAgentConstructor is not None, "an environment needs the class of its learning agent"
        symbol = next(iter(config["agents"][0].order_books))
        self.gym_agent = self.gymAgentConstructor(
            len(config["agents"]),
            symbol,
            first_interval=self.first_interval,
            wakeup_interval_generator=self.wakeup_interval_generator,
            state_buffer_length=self.state_buffer_length,
            random_state=random_state(agent_seed),
            **self.extra_gym_agent_kvargs,
        )
        config_add_agents(config, [self.gym_agent])
        self.simulation = SteppedSimulation(config, simulation_seed)
        raw_state = self.simulation.start()
        self.state = self.raw_state_to_state(deepcopy(raw_state))
        self.info = self.raw_state_to_info(deepcopy(raw_state))
        self.reward = None
        self.terminated = self.truncated = False
        return self.state, self.info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carry out an action and run to the next decision."""
        assert self.action_space.contains(action), f"action {action!r} is not in {self.action_space}"
        assert self.simulation is not None, "call reset before step"
        raw_state = self.simulation.step(self._map_action_space_to_ABIDES_SIMULATOR_SPACE(action))
        # State first: it may update what reward and end are computed from. Each gets its own copy to change.
        self.state = self.raw_state_to_state(deepcopy(raw_state))
        assert self.observation_space.contains(self.state), f"state {self.state!r} is not in {self.observation_space}"
        reward = self.raw_state_to_reward(deepcopy(raw_state))
        self.terminated = self.raw_state_to_done(deepcopy(raw_state))
        self.truncated = self.simulation.done and not self.terminated
        if self.terminated or self.truncated:
            reward += self.raw_state_to_update_reward(deepcopy(raw_state))
        self.reward = reward
        self.info = self.raw_state_to_info(deepcopy(raw_state))
        return self.state, reward, self.terminated, self.truncated, self.info

    def render(self) -> None:
        """Print state, reward and info."""
        print(self.state, self.reward, self.info)

    def close(self) -> None:
        """End the simulation in progress."""
        if self.simulation is not None:
            self.simulation.end()
            self.simulation = None

    @abstractmethod
    def _map_action_space_to_ABIDES_SIMULATOR_SPACE(self, action: Any) -> Any:  # noqa: N802  name of the ABIDES API
        """Return what the learning agent's `apply_actions` takes."""

    @abstractmethod
    def raw_state_to_state(self, raw_state: Any) -> np.ndarray[Any, Any]:
        """Return the observation."""

    @abstractmethod
    def raw_state_to_reward(self, raw_state: Any) -> float:
        """Return the reward of the last step."""

    @abstractmethod
    def raw_state_to_done(self, raw_state: Any) -> bool:
        """Return whether the task has ended."""

    @abstractmethod
    def raw_state_to_update_reward(self, raw_state: Any) -> float:
        """Return what the end adds to the last reward."""

    @abstractmethod
    def raw_state_to_info(self, raw_state: Any) -> dict[str, Any]:
        """Return the info."""
