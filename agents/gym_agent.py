"""The execution agent whose decisions are taken outside: by an environment."""

from __future__ import annotations

from typing import Any

from abides_gym.experimental_agents import CoreGymAgent
from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.views import View


class GymExecutionAgent(ExecutionAgent, CoreGymAgent):
    """Interrupts the kernel with its view at every decision time and once more when it has finished.

    It follows the protocol of `ExecutionAgent` to the nanosecond: the same decisions taken inside a market by an agent
    or outside by an environment give the same tape.
    """

    def decide(self, view: View) -> Decision:
        """Not called: decisions come through `apply_actions`.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("a gym agent's decisions are taken by its environment")

    def _on_view(self, view: View) -> Any:
        return view

    def _on_finish(self) -> Any:
        return self.final_view()

    def apply_actions(self, actions: tuple[View, Decision]) -> None:
        """Carry out the decision taken on a view."""
        self.apply(*actions)

    def update_raw_state(self) -> None:
        """Take note that the simulation is over."""
        self.finished = True

    def get_raw_state(self) -> View:
        """Return the view at the end."""
        return self.final_view()
