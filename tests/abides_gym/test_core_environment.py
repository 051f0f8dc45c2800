from __future__ import annotations

import warnings
from collections import deque
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from abides_core import abides
from abides_core.generators import ConstantTimeGenerator
from abides_core.utils import str_to_ns
from abides_gym.envs import AbidesGymCoreEnv
from abides_gym.experimental_agents import CoreGymAgent
from abides_markets.agents import TradingAgent
from abides_markets.configs import rmsc04
from abides_markets.orders import Side

SMALL = {"num_noise_agents": 300, "num_momentum_agents": 0, "end_time": "09:31:00"}


class Watcher(TradingAgent, CoreGymAgent):
    """Shows its holdings every interval after the open, and buys or sells a share."""

    def __init__(
        self,
        id: int,
        symbol: str,
        first_interval: int | None,
        wakeup_interval_generator: Any,
        state_buffer_length: int,
        random_state: Any,
        greeting: str = "",
    ) -> None:
        super().__init__(id, random_state=random_state)
        self.symbol, self.greeting = symbol, greeting
        self.first_interval, self.generator = first_interval, wakeup_interval_generator
        self.states: deque[dict[str, Any]] = deque(maxlen=state_buffer_length)
        self.stopped = 0

    def get_wake_frequency(self) -> int:
        return self.first_interval or self.generator.next()

    def wakeup(self, current_time: int) -> Any:
        if not super().wakeup(current_time) or current_time < (self.mkt_open or 0) + self.get_wake_frequency():
            return None
        self.set_wakeup(current_time + self.generator.next())
        self.update_raw_state()
        return self.get_raw_state()

    def update_raw_state(self) -> None:
        self.states.append({"holdings": self.get_holdings(self.symbol), "cash": self.holdings["CASH"]})

    def get_raw_state(self) -> Any:
        return self.states

    def apply_actions(self, actions: Any) -> None:
        if actions:
            self.place_market_order(self.symbol, 1, actions)

    def kernel_stopping(self) -> None:
        super().kernel_stopping()
        self.stopped += 1


class HoldingsEnv(AbidesGymCoreEnv):
    """Rewarded for the cash it gains; over when it holds three shares."""

    def __init__(self, arguments: dict[str, Any] | None = None, bound: int = 1_000, **named: Any) -> None:
        pair = (named.pop("build", rmsc04.build_config), arguments)
        super().__init__(pair, ConstantTimeGenerator(str_to_ns("10s")), 3, gymAgentConstructor=Watcher, **named)
        self.action_space = spaces.Discrete(3)
        self.observation_space = spaces.Box(-bound, bound, (1,), np.float32)
        self.calls: list[str] = []

    def _map_action_space_to_ABIDES_SIMULATOR_SPACE(self, action: int) -> Any:  # noqa: N802
        return {0: Side.BID, 1: None, 2: Side.ASK}[int(action)]

    def raw_state_to_state(self, raw_state: Any) -> np.ndarray:
        self.calls.append("state")
        shown = np.array([raw_state[-1]["holdings"]], dtype=np.float32)
        raw_state.clear()  # its own copy: nobody else may notice
        return shown

    def raw_state_to_reward(self, raw_state: Any) -> float:
        self.calls.append("reward")
        return float(raw_state.pop()["cash"])

    def raw_state_to_done(self, raw_state: Any) -> bool:
        self.calls.append("done")
        return bool(raw_state.pop()["holdings"] >= 3)

    def raw_state_to_update_reward(self, raw_state: Any) -> float:
        self.calls.append("update")
        return 1e9

    def raw_state_to_info(self, raw_state: Any) -> dict[str, Any]:
        self.calls.append("info")
        return dict(raw_state[-1])


class Patient(HoldingsEnv):
    """Counts three shares as a time limit; at the end waits for one decision more."""

    def is_cut_off(self, raw_state: Any) -> bool:
        self.calls.append("cut off")
        return bool(raw_state.pop()["holdings"] == 3)

    def settle(self) -> Any:
        self.calls.append("settle")
        return self.simulation.step(Side.BID)  # type: ignore[union-attr]


def episode(env: AbidesGymCoreEnv, action: int, seed: int | None = 1) -> list[tuple[Any, ...]]:
    env.reset(seed=seed)
    steps: list[tuple[Any, ...]] = []
    while not steps or not (steps[-1][2] or steps[-1][3]):
        steps.append(env.step(action))
    return steps


def test_an_episode_ends_with_the_task_or_with_the_simulation() -> None:
    env = HoldingsEnv(SMALL)
    bought = episode(env, 0)
    assert [step[0][0] for step in bought] == [1, 2, 3]
    assert bought[-1][2:4] == (True, False)
    assert bought[-1][1] == bought[-1][4]["cash"] + 1e9
    assert bought[0][1] == bought[0][4]["cash"] < 100_000
    waited = episode(env, 1)
    assert waited[-1][2:4] == (False, True)
    assert len(waited) == 6  # decisions at 10, 20, …, 60 s after the open, and the end
    assert waited[-1][1] >= 1e9


def test_state_comes_first_then_reward_end_and_info() -> None:
    env = HoldingsEnv(SMALL)
    env.reset(seed=1)
    assert env.calls == ["state", "info"]
    env.calls.clear()
    env.step(1)
    assert env.calls == ["state", "reward", "done", "info"]
    env.calls.clear()
    while not (env.terminated or env.truncated):
        env.calls.clear()
        env.step(1)
    assert env.calls == ["state", "reward", "done", "update", "info"]


def test_the_seed_decides_and_unseeded_resets_go_on() -> None:
    one, other = HoldingsEnv(SMALL), HoldingsEnv(SMALL)

    def cash(env: HoldingsEnv, seed: int | None) -> list[float]:
        return [step[4]["cash"] for step in episode(env, 2, seed)]

    first, second = cash(one, 5), cash(one, None)
    assert first == cash(other, 5)
    assert second == cash(other, None)
    assert first != second


def test_reset_may_come_at_any_time_and_ends_the_simulation_in_progress() -> None:
    env = HoldingsEnv(SMALL)
    env.reset(seed=1)
    first = env.gym_agent
    env.step(0)
    state, info = env.reset(seed=1)
    assert env.gym_agent is not first
    assert env.gym_agent is env.kernel.agents[-1]
    assert (first.stopped, env.gym_agent.stopped) == (1, 0)
    assert state.tolist() == [0]
    assert info["holdings"] == 0
    env.close()
    assert env.gym_agent.stopped == 1
    assert env.simulation is None
    assert env.kernel is None
    env.close()
    assert env.gym_agent.stopped == 1
    with pytest.raises(AssertionError, match="call reset before step"):
        env.step(0)


def test_the_symbol_and_the_agent_follow_the_configuration() -> None:
    env = HoldingsEnv({**SMALL, "ticker": "XYZ"})
    env.extra_gym_agent_kvargs = {"greeting": "hello"}
    bought = episode(env, 0)
    assert env.gym_agent.symbol == "XYZ"
    assert env.gym_agent.greeting == "hello"
    assert env.gym_agent.id == len(env.simulation.kernel.agents) - 1  # type: ignore[union-attr]
    assert bought[-1][4]["holdings"] == 3


def test_extra_arguments_of_the_background_take_precedence_and_given_ones_stay_as_they_are() -> None:
    given = dict(SMALL)
    env = HoldingsEnv(given)
    env.extra_background_config_kvargs = {"end_time": "09:30:30"}
    assert len(episode(env, 1)) == 3
    assert given == SMALL


def test_no_arguments_are_none() -> None:
    seen: list[dict[str, Any]] = []

    def build(**arguments: Any) -> dict[str, Any]:
        seen.append(arguments)
        return rmsc04.build_config(**SMALL, **arguments)

    env = HoldingsEnv(None, build=build)
    env.reset(seed=1)
    env.reset()
    assert [list(arguments) for arguments in seen] == [["seed"], ["seed"]]
    assert seen[0]["seed"] != seen[1]["seed"]


def test_the_first_decision_may_come_at_another_time() -> None:
    env = HoldingsEnv(SMALL, first_interval=str_to_ns("35s"))
    assert len(episode(env, 1)) == 3


def test_actions_and_states_outside_their_spaces_are_errors() -> None:
    env = HoldingsEnv(SMALL, bound=1)
    env.reset(seed=1)
    with pytest.raises(AssertionError, match="action 3 is not in"):
        env.step(3)
    env.step(0)
    with pytest.raises(AssertionError, match="is not in Box"):
        env.step(0)


def test_the_end_of_an_episode_is_the_end_of_its_simulation() -> None:
    env = HoldingsEnv(SMALL)
    for action in (0, 1):
        episode(env, action)
        assert env.gym_agent.stopped == 1
        assert env.simulation.end()["agents"][-1] is env.gym_agent  # type: ignore[union-attr]
        with pytest.raises(AssertionError, match="the episode is over: call reset before step"):
            env.step(1)
        assert env.gym_agent.stopped == 1


def test_what_is_still_on_its_way_at_the_end_is_rewarded() -> None:
    env = Patient(SMALL)
    steps = episode(env, 0)
    assert [step[0][0] for step in steps] == [1, 2, 3]
    assert steps[-1][2:4] == (False, True)
    assert steps[-1][4]["holdings"] == 4
    assert env.calls[-7:] == ["reward", "done", "cut off", "settle", "reward", "update", "info"]
    plain = episode(HoldingsEnv(SMALL), 0)
    assert steps[-1][1] == plain[-1][1] + steps[-1][4]["cash"]
    waited = episode(env, 1)
    assert waited[-1][2:4] == (False, True)
    assert "cut off" not in env.calls[-6:]


def test_a_simulation_without_a_decision_is_an_error() -> None:
    with pytest.raises(ValueError, match="ended before the first decision"):
        HoldingsEnv(SMALL, first_interval=str_to_ns("2min")).reset(seed=1)


def test_the_background_is_the_same_without_the_learning_agent() -> None:
    env = HoldingsEnv(SMALL)
    episode(env, 1, seed=3)
    seed = int(np.random.default_rng(3).integers(0, 2**32, size=3)[0])
    alone = abides.run(rmsc04.build_config(seed=seed, **SMALL))
    books = [
        state["agents"][0].order_books["ABM"]
        for state in (env.simulation.end(), alone)  # type: ignore[union-attr]
    ]
    assert len(books[0].history) > 10
    assert books[0].history == books[1].history


def test_a_configuration_without_a_latency_seed_gets_latencies_of_the_environment() -> None:
    def build(**arguments: Any) -> dict[str, Any]:
        config = rmsc04.build_config(**arguments)
        del config["latency_seed"], config["random_state"]
        return config

    def positions(seed: int) -> list[float]:
        env = HoldingsEnv(SMALL, build=build)
        env.reset(seed=seed)
        found: list[float] = env.simulation.kernel.agent_latency_model.positions.tolist()  # type: ignore[union-attr]
        return found

    assert positions(1) == positions(1)
    assert positions(1) != positions(2)


def test_without_event_logs_the_market_is_the_same() -> None:
    with_logs, without = HoldingsEnv(SMALL), HoldingsEnv(SMALL, log_events=False, engine="reference")
    assert [step[4] for step in episode(with_logs, 0)] == [step[4] for step in episode(without, 0)]
    assert len(with_logs.gym_agent.log) > 2
    assert len(without.gym_agent.log) == 1  # what it logged when it was made


def test_the_engine_changes_nothing_but_the_time() -> None:
    def cash(engine: str) -> list[float]:
        return [step[4]["cash"] for step in episode(HoldingsEnv(SMALL, engine=engine, log_events=False), 2)]

    assert cash("auto") == cash("compiled") == cash("reference")
    with pytest.raises(ValueError, match="unknown engine 'fast'; allowed: auto, reference, compiled"):
        HoldingsEnv(SMALL, engine="fast").reset(seed=1)


def test_gymnasiums_checker_is_content() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(HoldingsEnv(SMALL), skip_render_check=True)


def test_render_prints_what_was_last_seen(capsys: pytest.CaptureFixture[str]) -> None:
    env = HoldingsEnv(SMALL)
    env.reset(seed=1)
    assert capsys.readouterr().out == ""
    env.render()
    assert "[0.] None" in capsys.readouterr().out


def test_the_human_render_mode_prints_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    env = HoldingsEnv(SMALL, render_mode="human")
    steps = episode(env, 0)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["[0.]", *(str(step[0]) for step in steps)]
    with pytest.raises(ValueError, match="unknown render_mode 'ansi'; allowed: human, None"):
        HoldingsEnv(SMALL, render_mode="ansi")
