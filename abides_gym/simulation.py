"""A simulation that stops at every decision of its gym agent."""

from __future__ import annotations

from typing import Any

from abides_core.abides import new_kernel
from abides_core.engines import AUTO
from abides_core.streams import random_state


class SteppedSimulation:
    """A kernel that runs from one decision of the gym agent to the next.

    Args:
        config: What a `build_config` returned, the gym agent included.
        seed: Seed of the kernel's stream.
        engine: As for `abides.run`; `auto` takes a fast engine when nothing is lost by it.

    Raises:
        ValueError: If the configuration has no gym agent.

    Attributes:
        kernel: The kernel.
        agent: The gym agent.
        done: Whether the simulation is over.
    """

    def __init__(self, config: dict[str, Any], seed: int = 0, engine: str = AUTO) -> None:
        self.kernel = new_kernel(config, random_state(seed), engine)
        if not self.kernel.gym_agents:
            raise ValueError("the configuration has no agent with CoreGymAgent among its direct base classes")
        self.agent = self.kernel.gym_agents[0]
        self.done = False
        self._ended = False

    def start(self) -> Any:
        """Run to the first decision and return the raw state."""
        self.kernel.initialize()
        return self._take(self.kernel.runner())

    def step(self, actions: Any) -> Any:
        """Carry out a decision, run to the next and return the raw state."""
        return self._take(self.kernel.runner((self.agent, actions)))

    def end(self) -> dict[str, Any]:
        """Let the agents finish (valuations, logs) and return the end state; further calls do nothing."""
        if self._ended:
            finished: dict[str, Any] = self.kernel.custom_state
            return finished
        self._ended = True
        end_state: dict[str, Any] = self.kernel.terminate()
        return end_state

    def _take(self, outcome: dict[str, Any]) -> Any:
        self.done = outcome["done"]
        return outcome["result"]
