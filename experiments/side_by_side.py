"""Rules side by side: each works the parent order in its own copy of one seed's market, buying and selling.

What is measured of a rule here is what an episode of `OptimalExecEnv` would give, without the records of a comparison
(`experiments.evaluation`); on the compiled engine all markets take one call a decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from abides_core.engines import AUTO
from agents.actions import DECISION
from agents.actions import make_actions
from agents.features import Observer
from agents.reward import Reward
from agents.schedules import ScheduleAgent
from agents.strategies import ImmediateAgent
from agents.strategies import TWAPAgent
from agents.views import Rows
from agents.views import copy_of
from configs import Experiment
from configs.models import StrategyConfig
from envs.episodes import Episodes
from envs.markets import ExecutionMarkets
from envs.markets import MarketKind
from envs.markets import make_markets
from experiments.episode import make_agent

PATH_POINTS = 60
"""Most parts that a path divides the window into."""

Decisions = NDArray[Any]
Floats = NDArray[np.float64]
Observations = NDArray[np.float32]


def observation_names(experiment: Experiment) -> list[str]:
    """Return the names of the elements of an experiment's observation.

    Raises:
        ConfigError: If a feature is unknown.
    """
    return Observer(experiment.observation.features, experiment.observation.history).names


class Actor(Protocol):
    """What chooses actions from observations, as `agents.numpy_policy.NumpyPolicy` does."""

    def act(self, observations: Observations) -> NDArray[np.int64]:
        """The action of each row."""


class Rule(Protocol):
    """Decides in several markets of one seed at once."""

    def begin(self, seed: int, count: int) -> None:
        """Forget everything: `count` markets of a seed begin."""

    def decide(self, rows: Rows) -> Decisions:
        """Return child orders `(N,)` of `agents.actions.DECISION` for raw views `(N,)`."""


class ActorRule:
    """Trades by an actor that sees and does what an experiment says.

    Args:
        experiment: The experiment.
        actor: The actor.
    """

    def __init__(self, experiment: Experiment, actor: Actor) -> None:
        self._observation = experiment.observation
        self._actions = make_actions(experiment.actions)
        self._actor = actor

    def begin(self, seed: int, count: int) -> None:
        """Forget what was observed."""
        self._observer = Observer(self._observation.features, self._observation.history, count)

    def observe(self, rows: Rows) -> Observations:
        """Return what the actor is shown."""
        return self._observer.observe(rows)

    def decide(self, rows: Rows) -> Decisions:
        """Observe and act."""
        return self._actions.decode(self._actor.act(self.observe(rows)), rows)


class ShuffledRule(ActorRule):
    """The same, shown other decisions' values of some features.

    Args:
        experiment: The experiment.
        actor: The actor.
        columns: Elements of the observation that are replaced, all of them from one other decision.
        others: Observations `(M, F)` to draw from.
    """

    def __init__(self, experiment: Experiment, actor: Actor, columns: list[int], others: Observations) -> None:
        super().__init__(experiment, actor)
        self._columns, self._others = columns, others

    def begin(self, seed: int, count: int) -> None:
        """Forget what was observed, and draw the seed's random numbers afresh."""
        super().begin(seed, count)
        self._random = np.random.default_rng([seed, *self._columns])

    def observe(self, rows: Rows) -> Observations:
        """Return observations with the columns of random other decisions."""
        seen = super().observe(rows)
        drawn = self._random.integers(len(self._others), size=len(seen))
        seen[:, self._columns] = self._others[drawn][:, self._columns]
        return seen


class WatchedRule(ActorRule):
    """The same, keeping what it saw: `observations` and `rows`, an array a decision."""

    def __init__(self, experiment: Experiment, actor: Actor) -> None:
        super().__init__(experiment, actor)
        self.observations: list[Observations] = []
        self.rows: list[Rows] = []

    def observe(self, rows: Rows) -> Observations:
        """Observe, and keep it where the order is not complete."""
        seen, working = super().observe(rows), rows["left"] > 0
        self.observations.append(seen[working])
        self.rows.append(rows[working])
        return seen


class ScheduleRule:
    """Follows by market orders a schedule that is fixed beforehand.

    Args:
        executed: Share of the order due at the end of each decision interval of the window; an attribute too.
    """

    def __init__(self, executed: Floats) -> None:
        self.executed = executed

    def begin(self, seed: int, count: int) -> None:
        """Nothing is remembered."""

    def decide(self, rows: Rows) -> Decisions:
        """Send what the schedule has due at the end of this interval."""
        place = np.minimum(rows["elapsed"] // rows["interval"], len(self.executed) - 1)
        due = np.rint(rows["parent"] * self.executed[place]).astype(np.int64)
        orders = np.zeros(len(rows), dtype=DECISION)
        orders["market"] = np.clip(due - rows["filled"], 0, rows["left"])
        orders["limit_price"] = -1
        return orders


def schedule_of(experiment: Experiment, strategy: str) -> ScheduleRule:
    """Return the schedule that a strategy follows, as a rule that trades as its agent does.

    Args:
        experiment: The experiment.
        strategy: Name of a strategy that decides when the experiment does.

    Raises:
        ValueError: If what the strategy does is not fixed beforehand, or it decides at other times.
    """
    interval, window = experiment.decision_interval, experiment.order.window
    agent = make_agent(experiment, strategy, seed=0, side="buy", agent_id=0)
    if agent.interval != interval:
        raise ValueError(
            f"{strategy!r} decides every {agent.interval / 1e9:g}s, the experiment every {interval / 1e9:g}s"
        )
    ends = np.arange(interval, window + 1, interval)
    match agent:
        case ScheduleAgent():
            return ScheduleRule(np.array([agent.executed(int(end)) for end in ends]))
        case TWAPAgent():
            return ScheduleRule(ends / window)
        case ImmediateAgent():
            return ScheduleRule(np.ones(len(ends)))
    raise ValueError(f"{strategy!r} follows no schedule that is fixed beforehand")


def almgren_chriss(experiment: Experiment, aversion: float) -> ScheduleRule:
    """Return Almgren and Chriss's schedule for a risk aversion per million dollars."""
    config = StrategyConfig(kind="almgren_chriss", params={"risk_aversion": aversion * 1e-6})
    return schedule_of(experiment.model_copy(update={"strategies": {"almgren_chriss": config}}), "almgren_chriss")


def play(
    experiment: Experiment, rules: Mapping[str, Rule], seed: int, market: MarketKind = "abides"
) -> dict[str, dict[str, Any]]:
    """Let every rule work the parent order in its own copy of a seed's market.

    Args:
        experiment: The experiment; its reward is measured.
        rules: The rules by name.
        seed: Seed of the market.
        market: Which market.

    Returns:
        By rule, JSON values, lists of one value a side of `order.sides`: `shortfall_cents`, `reward` (undiscounted
        return), `completion`, `moved_cents` (side · (mid at its end − arrival)) and `left` (share of the order left at
        each of `path_times`).

    Raises:
        RuntimeError: If the market never has both sides in the window.
    """
    sides = experiment.order.sides
    count = len(rules) * len(sides)
    markets = _markets(experiment.model_dump_json(), market, count)
    episodes, reward = Episodes(experiment, markets, None), Reward(experiment.reward)
    random = np.random.default_rng(seed)  # not drawn from: seed and side are given
    for index in range(count):
        episodes.begin(index, random, seed, {"side": sides[index % len(sides)]})
    parts = {name: slice(at * len(sides), (at + 1) * len(sides)) for at, name in enumerate(rules)}
    for rule in rules.values():
        rule.begin(seed, len(sides))
    active, returns = np.ones(count, dtype=np.bool_), np.zeros(count)
    # In whole nanoseconds, as the times of decisions are.
    times = np.rint(path_times(experiment) * experiment.order.window).astype(np.int64)
    decisions = np.zeros(count, dtype=DECISION)
    left = np.ones((len(times), count))
    while active.any():
        rows = copy_of(markets.rows)
        for name, rule in rules.items():
            decisions[parts[name]] = rule.decide(rows[parts[name]])
        markets.step(decisions, active)
        fills, after = markets.fills, markets.rows
        terms = reward.terms(fills, rows, after)
        returns += np.where(active, reward.of_step(terms), 0.0)
        episodes.gains += terms.gain
        # True from now on, until the next decision says otherwise.
        later = active & (times[:, np.newaxis] >= after["elapsed"])
        np.copyto(left, after["left"] / after["parent"], where=later)
        ended = active & markets.finished
        returns -= ended * reward.completion_penalty(after["left"], rows)
        active &= ~ended
    infos, end = [episodes.info(index) for index in range(count)], markets.rows
    moved = end["side"] * (end["mid2"] - end["arrival2"]) / 2
    return {
        name: {
            "shortfall_cents": [info["shortfall_cents"] for info in infos[part]],
            "reward": returns[part].tolist(),
            "completion": [info["completion"] for info in infos[part]],
            "moved_cents": moved[part].tolist(),
            "left": left[:, part].T.tolist(),
        }
        for name, part in parts.items()
    }


def measure_costs(experiment: Experiment, rules: Mapping[str, Rule], seed: int) -> dict[str, dict[str, Any]]:
    """Let every rule work the parent order in a seed's market, and keep of `play` its cost and how much was filled.

    Returns:
        By rule `shortfall_cents` (cents per share, positive is better) and `completion` (share of the order), a value a
        side of `order.sides`.
    """
    found = play(experiment, rules, seed)
    return {name: {key: own[key] for key in ("shortfall_cents", "completion")} for name, own in found.items()}


@lru_cache(maxsize=2)
def _markets(experiment: str, market: MarketKind, count: int) -> ExecutionMarkets:
    """Return markets of an experiment, the same ones again for the next seed: to make them takes longer than to run."""
    return make_markets(Experiment.model_validate_json(experiment), market, AUTO, count)


def path_times(experiment: Experiment) -> Floats:
    """Times of a path, as shares of the window, the first 0 and the last 1."""
    return np.linspace(0, 1, 1 + min(PATH_POINTS, experiment.decisions))
