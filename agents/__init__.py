"""Execution agents: they trade one parent order inside a simulated market."""

from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.execution_agent import ParentOrder
from agents.policy import PolicyAgent
from agents.posting import InsideSpreadAgent
from agents.posting import PostThenCrossAgent
from agents.posting import TWAPLimitAgent
from agents.registry import STRATEGIES
from agents.registry import check_parameters
from agents.registry import strategy_class
from agents.schedules import AlmgrenChrissAgent
from agents.schedules import CarteaJaimungalAgent
from agents.schedules import VWAPAgent
from agents.strategies import AggressiveAgent
from agents.strategies import IdleAgent
from agents.strategies import ImmediateAgent
from agents.strategies import PassiveAgent
from agents.strategies import POVAgent
from agents.strategies import RandomAgent
from agents.strategies import TWAPAgent
from agents.views import View

__all__ = [
    "STRATEGIES",
    "AggressiveAgent",
    "AlmgrenChrissAgent",
    "CarteaJaimungalAgent",
    "Decision",
    "ExecutionAgent",
    "IdleAgent",
    "ImmediateAgent",
    "InsideSpreadAgent",
    "POVAgent",
    "ParentOrder",
    "PassiveAgent",
    "PolicyAgent",
    "PostThenCrossAgent",
    "RandomAgent",
    "TWAPAgent",
    "TWAPLimitAgent",
    "VWAPAgent",
    "View",
    "check_parameters",
    "strategy_class",
]
