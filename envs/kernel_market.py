"""The execution market on the reference engine, stepped from decision to decision."""

from __future__ import annotations

from abides_core.engines import REFERENCE
from abides_core.streams import random_state
from abides_gym.simulation import SteppedSimulation
from agents.execution_agent import Decision
from agents.gym_agent import GymExecutionAgent
from agents.market import SYMBOL
from agents.market import add_execution_agent
from agents.market import build_market
from agents.market import parent_order
from agents.views import View
from configs.models import Experiment


class KernelMarket:
    """One market at a time, with an execution agent whose decisions come from outside.

    Args:
        experiment: The experiment.

    Attributes:
        finished: Whether the parent order has come to its end.
        agent: The execution agent of the market in progress.
        simulation: The simulation in progress.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self.finished = False
        self.agent: GymExecutionAgent | None = None
        self.simulation: SteppedSimulation | None = None
        self._view: View | None = None

    def start(self, seed: int, side: str) -> View:
        """Build the market of a seed, run it to the first decision and return the view.

        Args:
            seed: Seed of the market.
            side: `buy` or `sell`.
        """
        config = build_market(self._experiment.market, seed)
        self.agent = GymExecutionAgent(
            id=len(config["agents"]),
            symbol=SYMBOL,
            order=parent_order(self._experiment, side),
            interval=self._experiment.decision_interval,
            random_state=random_state(0),
        )
        add_execution_agent(config, self.agent)
        self.simulation = SteppedSimulation(config, engine=REFERENCE)
        return self._take(self.simulation.start())

    def step(self, decision: Decision) -> View:
        """Carry out a decision, run to the next one or to the end, and return the view there."""
        assert self.simulation is not None, "start a market before stepping it"
        return self._take(self.simulation.step((self._view, decision)))

    def _take(self, view: View) -> View:
        assert self.agent is not None
        self.finished = self.agent.finished
        self._view = view
        return view
