"""An execution agent that trades with an exported policy."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.actions import ActionSet
from agents.actions import make_actions
from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.features import Observer
from agents.numpy_policy import NumpyPolicy
from agents.views import Rows
from agents.views import View
from configs.models import ActionConfig
from configs.models import ObservationConfig


def decision_of(actions: ActionSet, action: int, rows: Rows) -> Decision:
    """Return the decision that a numbered action stands for in one market.

    Args:
        actions: The action set.
        action: Number of the action.
        rows: The raw view, shape `(1,)`.
    """
    market, limit, limit_price, cancel = actions.decode(np.array([action]), rows)[0].item()
    return Decision(market, limit, limit_price, bool(cancel), action)


class PolicyAgent(ExecutionAgent):
    """Takes the greedy action of a policy at every decision.

    Args:
        policy: The exported policy.
        observation: What it sees.
        actions: What its actions mean.
        arguments: As for `ExecutionAgent`.
    """

    def __init__(
        self,
        *arguments: Any,
        policy: NumpyPolicy,
        observation: ObservationConfig,
        actions: ActionConfig,
        **named: Any,
    ) -> None:
        super().__init__(*arguments, **named)
        self._policy = policy
        self._observer = Observer(observation.features, observation.history)
        self._actions = make_actions(actions)

    def decide(self, view: View) -> Decision:
        """Observe and take the action of the largest value."""
        rows = view.rows()
        action = int(self._policy.act(self._observer.observe(rows))[0])
        return decision_of(self._actions, action, rows)
