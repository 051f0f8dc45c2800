"""Several execution agents that learn in one market, as RLlib's multi-agent environment. Needs Ray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from numpy.typing import NDArray
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from abides_core.abides import new_kernel
from abides_core.engines import AUTO
from abides_core.streams import random_state
from agents.actions import make_actions
from agents.execution_agent import Decision
from agents.features import Observer
from agents.gym_agent import GymExecutionAgent
from agents.market import SYMBOL
from agents.market import add_execution_agent
from agents.market import build_market
from agents.market import parent_order
from agents.reward import Reward
from agents.reward import fill_rows
from agents.views import Rows
from agents.views import View
from configs import ConfigError
from configs import Experiment
from configs import load_seed_ranges
from configs import parse_seeds
from configs.models import OrderConfig
from envs.episodes import DRAWS
from envs.episodes import as_experiment

Observation = NDArray[np.float32]
Results = tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]


class Learner(GymExecutionAgent):
    """An execution agent of which a market may have several: it says who it is when it interrupts."""

    def _on_view(self, view: View) -> Any:
        return self, view

    def _on_finish(self) -> Any:
        return self, self.final_view()


class _Seat:
    """What belongs to one learner: its parent order, what it remembers, its account."""

    def __init__(self, experiment: Experiment, order: OrderConfig) -> None:
        self.experiment = experiment.model_copy(update={"order": order})
        self.observer = Observer(experiment.observation.features, experiment.observation.history)
        self.agent: Learner | None = None
        self.view: View | None = None
        self.rows: Rows | None = None
        self.gain = 0.0
        self.ended = False

    def begin(self, agent: Learner) -> None:
        self.observer.reset()
        self.agent, self.view, self.rows, self.gain, self.ended = agent, None, None, 0.0, False


class MultiAgentExecEnv(MultiAgentEnv):
    """Two or more execution agents work their own parent orders in one market, against or beside each other.

    Each sees, does and gets what `OptimalExecEnv` describes. They decide at the same times of the clock, but the book
    reaches them one after the other: a step is one agent's decision, and the observations returned are those of the
    agent whose turn it is next (and of agents that have just finished). An agent's reward is what came of its last
    decision, and comes with its next observation. An episode ends when all parent orders have.

    Args:
        config: `experiment` (as for `OptimalExecEnv`; its `order` is the default of all orders), `orders` (name of each
            learner to the keys of its parent order that differ: `{"a": {"side": "buy"}, "b": {"side": "sell"}}`; a
            side `both` is drawn for each episode), and optionally `seeds` (range `A:B` from which an unseeded `reset`
            draws the market; by default the training range) and `engine` (as for `abides.run`).

    Raises:
        ConfigError: If there are fewer than two learners, or a key or value cannot be used.

    Attributes:
        experiment: The experiment.
        action_set: What the actions mean, to every learner.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        allowed = ("experiment", "orders", "seeds", "engine")
        for key in config:
            if key not in allowed:
                raise ConfigError(f"unknown key {key!r}; allowed: {', '.join(allowed)}")
        self.experiment = as_experiment(config.get("experiment", "quick"))
        orders = config.get("orders") or {}
        if len(orders) < 2:
            raise ConfigError(f"orders must name two learners or more, got {list(orders)}")
        self._seats = {name: _Seat(self.experiment, self._order(name, own)) for name, own in orders.items()}
        self._seeds = parse_seeds(config.get("seeds") or load_seed_ranges().train)
        self._engine = config.get("engine", AUTO)
        self._reward = Reward(self.experiment.reward)
        self.action_set = make_actions(self.experiment.actions)
        self.possible_agents = list(orders)
        self.agents = list(orders)
        observer = next(iter(self._seats.values())).observer
        self.observation_spaces = {
            name: spaces.Box(observer.low, observer.high, dtype=np.float32) for name in self.possible_agents
        }
        self.action_spaces: dict[str, spaces.Discrete] = {
            name: spaces.Discrete(self.action_set.n) for name in self.possible_agents
        }
        self._np_random: np.random.Generator | None = None
        self._kernel: Any = None
        self._seed = -1
        self._turn: str | None = None

    def _order(self, name: str, own: Mapping[str, Any]) -> OrderConfig:
        data = {**self.experiment.order.model_dump(), **own}
        try:
            return OrderConfig.model_validate(data)
        except ValueError as error:
            raise ConfigError(f"orders.{name}: {str(error).splitlines()[-2].strip()}") from error

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Begin an episode.

        Args:
            seed: Seed of the environment's random numbers and of the market; without it the market's is drawn.
            options: `market_seed` (takes precedence for the market), optional.

        Raises:
            RuntimeError: If the market given, or every one drawn, never has both sides in the window.
        """
        if seed is not None or self._np_random is None:
            self._np_random, _ = seeding.np_random(seed)
        given = (options or {}).get("market_seed", seed)
        for _ in range(DRAWS if given is None else 1):
            self._seed = self._seeds[int(self._np_random.integers(len(self._seeds)))] if given is None else int(given)
            self._start(self._np_random)
            observations, _, _, _, infos = self._run(None)
            if not any(seat.ended for seat in self._seats.values()):
                return observations, infos
        raise RuntimeError(f"the market of seed {self._seed} never had both sides in the window")

    def _start(self, np_random: np.random.Generator) -> None:
        config = build_market(self.experiment.market, self._seed)
        for seat in self._seats.values():
            side: str = seat.experiment.order.side
            if side == "both":
                side = ("buy", "sell")[int(np_random.integers(2))]
            agent = Learner(
                id=len(config["agents"]),
                symbol=SYMBOL,
                order=parent_order(seat.experiment, side),
                interval=self.experiment.decision_interval,
                random_state=random_state(0),
            )
            add_execution_agent(config, agent)
            seat.begin(agent)
        self._kernel = new_kernel(config, random_state(0), self._engine)
        self._kernel.interrupting = {agent.id for agent in config["agents"] if isinstance(agent, Learner)}
        self._kernel.initialize()
        self.agents = list(self.possible_agents)

    def step(self, action_dict: Mapping[str, Any]) -> Results:
        """Carry out the decision of the learner whose turn it is, and run to the next decision or the end.

        Args:
            action_dict: The number of its action, by its name.

        Returns:
            Observations, rewards, terminations, truncations and infos by name; `__all__`: whether all have finished.
            Infos have `market_seed`, `side`, `time` (ns), `filled` and `left` (shares), and at the end `completion` and
            `shortfall_cents` (per share of the parent order, positive is better).

        Raises:
            ValueError: If it is not exactly that learner's action.
            RuntimeError: If no episode is in progress.
        """
        if self._turn is None:
            raise RuntimeError("no episode in progress: call reset before step")
        if list(action_dict) != [self._turn]:
            raise ValueError(f"it is the turn of {self._turn!r}, got actions of {list(action_dict)}")
        seat, action = self._seats[self._turn], action_dict[self._turn]
        if not self.action_spaces[self._turn].contains(action):
            raise ValueError(f"action {action!r} is not a whole number from 0 to {self.action_set.n - 1}")
        assert seat.rows is not None
        words = self.action_set.decode(np.array([action], dtype=np.int64), seat.rows)[0].item()
        decision = Decision(words[0], words[1], words[2], bool(words[3]))
        return self._run((seat.agent, (seat.view, decision)))

    def rows(self, name: str) -> Rows:
        """The raw view that the next action of a learner answers, one row of `agents.views.VIEW`."""
        rows = self._seats[name].rows
        if rows is None:
            raise RuntimeError("no episode in progress: call reset before step")
        return rows

    def _run(self, actions: Any) -> Results:
        """Run to the view of a learner that has not finished, and note all that finish before."""
        results: Results = ({}, {}, {"__all__": False}, {"__all__": False}, {})
        self._turn = None
        while self._turn is None and not results[2]["__all__"]:
            outcome = self._kernel.runner(actions)
            actions = None
            if outcome["done"]:
                raise RuntimeError(f"the market of seed {self._seed} ended before its parent orders did")
            agent, view = outcome["result"]
            name = next(name for name, seat in self._seats.items() if seat.agent is agent)
            self._take(name, view, results)
            if not agent.finished:
                self._turn = name
            results[2]["__all__"] = all(seat.ended for seat in self._seats.values())
        return results

    def _take(self, name: str, view: View, results: Results) -> None:
        """Note what one learner sees, and what came of its decision before."""
        observations, rewards, terminateds, truncateds, infos = results
        seat = self._seats[name]
        assert seat.agent is not None
        rows, before = view.rows(), seat.rows
        reward = 0.0
        if before is not None:
            fills = fill_rows((0, fill) for fill in view.fills)
            terms = self._reward.terms(fills, before, rows)
            reward = float(self._reward.of_step(terms)[0])
            seat.gain += float(terms.gain[0])
        seat.view, seat.rows, seat.ended = view, rows, seat.agent.finished
        info: dict[str, Any] = {
            "market_seed": self._seed,
            "side": "buy" if view.side > 0 else "sell",
            "time": view.time,
            "filled": view.filled,
            "left": view.left,
        }
        if seat.ended:
            reward -= float(self._reward.completion_penalty(rows["left"], rows)[0])
            opportunity = view.left * view.side * (view.arrival2 - view.mid2) / 2
            info["completion"] = view.filled / view.parent
            info["shortfall_cents"] = (seat.gain + opportunity) / view.parent
            self.agents.remove(name)
        observations[name] = seat.observer.observe(rows)[0]
        infos[name] = info
        if before is not None:
            rewards[name] = reward
            terminateds[name], truncateds[name] = seat.ended, False
