"""A policy inside the market and the same policy outside, stepping the environment, are the same trader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abides_markets.tape import MarketTape
from abides_markets.tape import Trade
from agents.actions import make_actions
from agents.features import Observer
from agents.market import build_market
from agents.market import exchange_of
from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import Side
from configs.models import MarketConfig
from envs import OptimalExecEnv
from experiments.episode import Episode
from tests.agents.worlds import SYMBOL
from tests.agents.worlds import THIN
from tests.agents.worlds import experiment

KINDS: dict[str, dict[str, Any]] = {
    "participation": {"kind": "participation", "corridor": 0.2},
    "lots": {"kind": "lots", "lot": 60},
    "placement": {"kind": "placement", "placements": ["hold", "behind", "at", "inside", "cross"], "slices": 2.0},
}


def random_policy(of: Experiment, seed: int, path: Path) -> NumpyPolicy:
    """Save a policy of random weights that is spread over the actions, whatever it is shown."""
    rng = np.random.default_rng(seed)
    inputs = len(Observer(of.observation.features, of.observation.history).low)
    outputs = make_actions(of.actions).n

    def layer(before: int, after: int) -> Layer:
        weight = rng.normal(size=(before, after)) / np.sqrt(before)
        return Layer(weight.astype(np.float32), rng.normal(size=after).astype(np.float32))

    policy = NumpyPolicy([layer(inputs, 32), layer(32, 32)], layer(32, outputs), layer(32, 1))
    policy.save(path)
    return policy


class Run:
    """The environment stepped to its end by a policy."""

    def __init__(self, env: OptimalExecEnv, policy: NumpyPolicy, seed: int, side: Side) -> None:
        self.rewards: list[float] = []
        self.actions: list[int] = []
        observation, self.info = env.reset(seed=seed, options={"side": side})
        done = False
        while not done:
            self.actions.append(int(policy.act(observation[None])[0]))
            observation, reward, terminated, truncated, self.info = env.step(self.actions[-1])
            assert not truncated
            assert env.observation_space.contains(observation)
            self.rewards.append(reward)
            done = terminated
        self.markets: Any = env._markets


@pytest.fixture
def tapes(monkeypatch: pytest.MonkeyPatch) -> list[MarketTape]:
    """Tapes of the markets that environments build on the reference engine, in order."""
    made: list[MarketTape] = []

    def build_with_tape(market: MarketConfig, seed: int) -> dict[str, Any]:
        config = build_market(market, seed)
        made.append(MarketTape(len(config["agents"])))
        exchange_of(config).order_books[SYMBOL].tape = made[-1]
        return config

    monkeypatch.setattr("envs.kernel_market.build_market", build_with_tape)
    return made


def own(tape: MarketTape, agent_id: int) -> list[Trade]:
    return [trade for trade in tape.trades if agent_id in (trade.passive_agent, trade.aggressor_agent)]


def check_parity(of: Experiment, seed: int, side: Side, tapes: list[MarketTape], path: Path) -> Run:
    policy = random_policy(of, seed, path)
    run = Run(OptimalExecEnv(of, engine="compiled"), policy, seed, side)
    stepped = Run(OptimalExecEnv(of, engine="reference"), policy, seed, side)
    episode = Episode(of, "dqn", seed, side, path)
    inside = episode.agent
    # Not the agent's fills alone: the whole market, to the nanosecond and the order id, as long as the environment ran.
    for tape in (run.markets.stack.tape(0), tapes[-1]):
        assert own(tape, inside.id) == own(episode.tape, inside.id)
        assert tape.trades == episode.tape.trades[: len(tape.trades)]
        assert tape.quotes == episode.tape.quotes[: len(tape.quotes)]
        assert tape.queue_ahead.items() <= episode.tape.queue_ahead.items()
    agent = stepped.markets.markets[0].agent
    assert agent.fills == inside.fills
    assert [(view, decision[:4]) for view, decision in agent.decisions] == [
        (view, decision[:4]) for view, decision in inside.decisions
    ]
    assert agent.child_orders == inside.child_orders
    assert (run.rewards, run.actions, run.info) == (stepped.rewards, stepped.actions, stepped.info)
    assert [record.decision.action for record in inside.decisions] == run.actions
    # The reward without its penalties is the implementation shortfall of the fills.
    sign = 1 if side == "buy" else -1
    gain = sum(fill.quantity * sign * (inside.arrival2 / 2 - fill.price) for fill in inside.fills)
    assert sum(run.rewards) == pytest.approx(gain / of.order.quantity, abs=1e-9)
    (row,) = episode.tables()["episodes"].to_pylist()
    assert run.info["filled"] == row["filled"]
    assert run.info["left"] == row["left"]
    assert run.info["completion"] == row["completion"]
    if row["left"] == 0:
        assert run.info["shortfall_cents"] == pytest.approx(row["shortfall_cents"], abs=1e-9)
    else:
        opportunity = row["left"] * sign * (inside.arrival2 - inside.end_mid2) / 2
        assert run.info["shortfall_cents"] == pytest.approx((gain + opportunity) / of.order.quantity, abs=1e-9)
    return run


@pytest.mark.parametrize("end_rule", ["leave", "sweep"])
@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_policy_trades_in_the_market_as_it_does_in_the_environment(
    kind: str, side: Side, end_rule: str, tapes: list[MarketTape], tmp_path: Path
) -> None:
    of = experiment(
        order={"end_rule": end_rule},
        decision_interval="5s",
        actions=KINDS[kind],
        observation={"history": 3},
        reward={"alpha": 0, "beta": 0},
    )
    runs = [check_parity(of, seed, side, tapes, tmp_path / f"{seed}.npz") for seed in (1, 3)]
    # The comparison is of something: several actions were taken, and both runs traded.
    assert len({action for run in runs for action in run.actions}) >= 2
    assert any(run.info["filled"] for run in runs)


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_so_it_does_in_a_market_with_gaps(kind: str, side: Side, tapes: list[MarketTape], tmp_path: Path) -> None:
    of = experiment(
        market={"end_time": "09:34:00", "params": THIN},
        order={"quantity": 1_000},
        decision_interval="1s",
        actions=KINDS[kind],
        reward={"alpha": 0, "beta": 0},
    )
    for seed in (3, 4, 5):
        check_parity(of, seed, side, tapes, tmp_path / f"{seed}.npz")


@pytest.mark.slow
@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("config", ["quick", "paper"])
def test_so_it_does_in_the_shipped_experiments(
    config: str, side: Side, tapes: list[MarketTape], tmp_path: Path
) -> None:
    of = OptimalExecEnv(config).experiment
    free = of.model_copy(update={"reward": of.reward.model_copy(update={"alpha": 0.0, "beta": 0.0})})
    check_parity(free, 7, side, tapes, tmp_path / "policy.npz")
