"""The base of environments: one learning agent in a simulation that stops at its decisions."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np

from abides_core.engines import AUTO
from abides_core.generators import InterArrivalTimeGenerator
from abides_core.streams import random_state
from abides_gym.simulation import SteppedSimulation
from abides_markets.utils import config_add_agents
from abides_markets.utils import config_append_agents


class AbidesGymCoreEnv(gymnasium.Env[Any, Any], ABC):
    """Runs a background market with one learning agent, from decision to decision.

    Subclasses set `action_space` and `observation_space`, translate actions, and make states, rewards and ends of the
    raw states that the learning agent shows. An episode ends when the simulation does or `raw_state_to_done` says so;
    then the agents value what they hold, and `simulation.end()` returns the end state.

    Args:
        background_config_pair: A `build_config` function and its keyword arguments (or `None`).
        wakeup_interval_generator: Times between decisions.
        state_buffer_length: Raw states that the agent keeps.
        first_interval: Time from the open to the first decision, ns.
        gymAgentConstructor: Class of the learning agent.
        engine: As for `abides.run`.
        log_events: Whether agents keep event logs, which takes the reference engine.
        render_mode: `human` prints every step; by default nothing is printed.

    Attributes:
        simulation: The simulation in progress.
        gym_agent: Its learning agent.
        extra_gym_agent_kvargs: Further arguments of the learning agent.
        extra_background_config_kvargs: Further arguments of the background, which take precedence.
    """

    metadata = {"render_modes": ["human"], "render_fps": 1}  # noqa: RUF012  declared by the base class

    extra_gym_agent_kvargs: dict[str, Any]
    extra_background_config_kvargs: dict[str, Any]

    def __init__(
        self,
        background_config_pair: tuple[Callable[..., dict[str, Any]], dict[str, Any] | None],
        wakeup_interval_generator: InterArrivalTimeGenerator,
        state_buffer_length: int,
        first_interval: int | None = None,
        gymAgentConstructor: Callable[..., Any] | None = None,  # noqa: N803  name of the ABIDES API
        engine: str = AUTO,
        log_events: bool = True,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, "human"):
            raise ValueError(f"unknown render_mode {render_mode!r}; allowed: human, None")
        self.background_config_pair = background_config_pair
        self.wakeup_interval_generator = wakeup_interval_generator
        self.state_buffer_length = state_buffer_length
        self.first_interval = first_interval
        self.gymAgentConstructor = gymAgentConstructor
        self.engine = engine
        self.log_events = log_events
        self.render_mode = render_mode
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
        """Build a new simulation and run it to the first decision.

        Raises:
            ValueError: If the simulation ends before the first decision.
        """
        super().reset(seed=seed, options=options)
        self.close()
        simulation_seed, agent_seed, latency_seed = self.np_random.integers(0, 2**32, size=3).tolist()
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
        if "latency_seed" in config:  # the latencies of the others stay as they are without the learning agent
            config_append_agents(config, [self.gym_agent])
        else:
            config_add_agents(config, [self.gym_agent], random_state(latency_seed))
        if not self.log_events:
            for agent in config["agents"]:
                agent.log_events = False
        self.simulation = SteppedSimulation(config, simulation_seed, self.engine)
        raw_state = self.simulation.start()
        if self.simulation.done:
            raise ValueError("the simulation ended before the first decision of the learning agent")
        self.state = self.raw_state_to_state(self.copy_raw_state(raw_state))
        self.info = self.raw_state_to_info(self.copy_raw_state(raw_state))
        self.reward = None
        self.terminated = self.truncated = False
        if self.render_mode is not None:
            self.render()
        return self.state, self.info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carry out an action and run to the next decision.

        Raises:
            AssertionError: If the action or the state is outside its space, or no episode is in progress.
        """
        assert self.action_space.contains(action), f"action {action!r} is not in {self.action_space}"
        assert self.simulation is not None, "call reset before step"
        assert not self._is_over(), "the episode is over: call reset before step"
        raw_state = self.simulation.step(self._map_action_space_to_ABIDES_SIMULATOR_SPACE(action))
        # State first: it may update what reward and end are computed from. Each gets its own copy to change.
        self.state = self.raw_state_to_state(self.copy_raw_state(raw_state))
        assert self.observation_space.contains(self.state), f"state {self.state!r} is not in {self.observation_space}"
        reward = self.raw_state_to_reward(self.copy_raw_state(raw_state))
        done = self.raw_state_to_done(self.copy_raw_state(raw_state))
        cut_off = done and self.is_cut_off(self.copy_raw_state(raw_state))
        self.terminated = done and not cut_off
        self.truncated = cut_off or (self.simulation.done and not done)
        if self._is_over():
            settled = None if self.simulation.done else self.settle()
            if settled is not None:
                raw_state = settled
                reward += self.raw_state_to_reward(self.copy_raw_state(raw_state))
            reward += self.raw_state_to_update_reward(self.copy_raw_state(raw_state))
            self.simulation.end()
        self.reward = reward
        self.info = self.raw_state_to_info(self.copy_raw_state(raw_state))
        if self.render_mode is not None:
            self.render()
        return self.state, reward, self.terminated, self.truncated, self.info

    @property
    def kernel(self) -> Any:
        """The kernel of the simulation in progress, `None` without one."""
        return None if self.simulation is None else self.simulation.kernel

    def _is_over(self) -> bool:
        return self.terminated or self.truncated

    def render(self) -> None:
        """Print state, reward and info."""
        print(self.state, self.reward, self.info)

    def close(self) -> None:
        """End the simulation in progress."""
        if self.simulation is not None:
            self.simulation.end()
            self.simulation = None

    # What subclasses may override

    def copy_raw_state(self, raw_state: Any) -> Any:
        """Return a raw state that a method may change without a trace in the one that the others get."""
        return deepcopy(raw_state)

    def is_cut_off(self, raw_state: Any) -> bool:
        """Return whether an episode that `raw_state_to_done` ends ran out of time: truncated rather than terminated."""
        return False

    def settle(self) -> Any:
        """Let everything come to its end that the learning agent has begun; called when an episode ends.

        Returns:
            The raw state after that, whose reward is added to the last; `None` if nothing was under way.
        """
        return None

    # What subclasses provide

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
        """Return whether the task has ended, by success, failure or running out of time (see `is_cut_off`)."""

    @abstractmethod
    def raw_state_to_update_reward(self, raw_state: Any) -> float:
        """Return what the end adds to the last reward."""

    @abstractmethod
    def raw_state_to_info(self, raw_state: Any) -> dict[str, Any]:
        """Return the info."""
