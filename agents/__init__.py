"""Execution agents: they trade one parent order inside a simulated market."""

from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.execution_agent import ParentOrder
from agents.policy import PolicyAgent
from agents.registry import STRATEGIES
from agents.registry import strategy_class
from agents.strategies import AggressiveAgent
from agents.strategies import IdleAgent
from agents.strategies import PassiveAgent
from agents.strategies import RandomAgent
from agents.strategies import TWAPAgent
from agents.views import View

__all__ = [
    "STRATEGIES",
    "AggressiveAgent",
    "Decision",
    "ExecutionAgent",
    "IdleAgent",
    "ParentOrder",
    "PassiveAgent",
    "PolicyAgent",
    "RandomAgent",
    "TWAPAgent",
    "View",
    "strategy_class",
]
