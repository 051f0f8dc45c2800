from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from abides_core.generators import PoissonTimeGenerator
from abides_core.utils import str_to_ns
from abides_gym.envs import AbidesGymMarketsEnv
from abides_gym.experimental_agents import FinancialGymAgent
from abides_markets.agents.utils import ignore_buffers_decorator
from abides_markets.configs import rmsc04
from tests.abides_gym.markets import SMALL
from tests.abides_gym.markets import play

BUY, WAIT, BID_LOW, SELL_ALL = range(4)


def greedy_decorator(func: Any) -> Any:
    """As a user's decorator may do: changes the raw state that it is given before it hands it on."""

    def wrapped(self: Any, raw_state: Any) -> Any:
        while len(raw_state) > 1:
            raw_state.popleft()
        raw_state[-1]["parsed_mkt_data"] = raw_state[-1]["parsed_mkt_data"][-1]
        raw_state[-1]["internal_data"]["seen"] = True
        return func(self, raw_state[0])

    return wrapped


class Trader(AbidesGymMarketsEnv):
    """A user's environment at random times; over with a hundred shares."""

    def __init__(self, sent: int = 20, **parameters: Any) -> None:
        build = parameters.pop("build", rmsc04.build_config)
        arguments = {"end_time": "09:40:00", "book_logging": True, **SMALL}
        generator = PoissonTimeGenerator(np.random.RandomState(0), lambda_time=5)
        super().__init__((build, arguments), generator, 10_000_000, 3, 5, str_to_ns("2min"), **parameters)
        self.sent = sent
        self.action_space = spaces.Discrete(4)
        self.observation_space = spaces.Box(-1e9, 1e9, (2,), np.float32)

    def _map_action_space_to_ABIDES_SIMULATOR_SPACE(self, action: int) -> list[dict[str, Any]]:  # noqa: N802
        return {
            BUY: [{"type": "MKT", "direction": "BUY", "size": self.sent}],
            WAIT: [],
            BID_LOW: [{"type": "LMT", "direction": "BUY", "size": self.sent, "limit_price": 1}],
            SELL_ALL: [{"type": "MKT", "direction": "SELL", "size": 10**7}],
        }[int(action)]

    @greedy_decorator
    def raw_state_to_state(self, raw_state: Any) -> Any:
        internal = raw_state["internal_data"]
        return np.array([internal["holdings"], raw_state["parsed_mkt_data"]["last_transaction"]], dtype=np.float32)

    @greedy_decorator
    def raw_state_to_reward(self, raw_state: Any) -> float:
        return float(sum(shares for shares, _ in raw_state["internal_data"]["parsed_inter_wakeup_executed_orders"]))

    @greedy_decorator
    def raw_state_to_done(self, raw_state: Any) -> bool:
        return bool(abs(raw_state["internal_data"]["holdings"]) >= 100)

    @ignore_buffers_decorator
    def raw_state_to_update_reward(self, raw_state: Any) -> float:
        assert "seen" not in raw_state["internal_data"]
        return 0.0

    @greedy_decorator
    def raw_state_to_info(self, raw_state: Any) -> dict[str, Any]:
        return {"time": raw_state["internal_data"]["current_time"]}


def test_a_users_environment_trades_at_random_times() -> None:
    env = Trader()
    seen = play(env, [BUY])
    assert [step[0][0] for step in seen] == [0, 20, 40, 60, 80, 100]
    assert sum(step[1] for step in seen) == 100
    assert seen[-1][2:4] == (True, False)
    times = np.diff([step[4]["time"] for step in seen])
    assert len(set(times)) == 5
    assert play(env, [BUY]) == seen
    assert play(Trader(), [BUY], seed=1) != seen
    assert isinstance(env.gym_agent, FinancialGymAgent)
    assert env.gym_agent.starting_cash == 10_000_000


def test_gymnasiums_checker_is_content() -> None:
    check_env(Trader(), skip_render_check=True)


def test_the_environments_own_arguments_of_the_background_take_precedence() -> None:
    env = Trader()
    env.reset(seed=0)
    exchange = env.kernel.agents[0]
    assert not exchange.book_logging
    assert not exchange.log_orders


def test_what_rests_at_the_end_is_withdrawn_and_what_is_filled_is_rewarded() -> None:
    env = Trader(sent=100)
    seen = play(env, [BID_LOW, BID_LOW, BUY])
    assert seen[-1][2]
    assert env.gym_agent.orders == {}
    statuses = [status["status"] for status in env.gym_agent.order_status.values()]
    assert statuses == ["cancelled", "cancelled", "mkt_immediately_filled"]
    assert sum(step[1] for step in seen) == 100


def test_an_order_that_vanished_holds_nobody_up() -> None:
    # Upstream's market does not say that a market order found too little; a bound of a second ends the wait.
    env = Trader()
    seen = play(env, [SELL_ALL])
    assert seen[-1][2]
    (order,) = env.gym_agent.orders.values()
    assert order.quantity == 10**7 - sum(o.quantity for o in env.gym_agent.executed_orders)
    assert seen[-1][1] == sum(o.quantity for o in env.gym_agent.executed_orders) > 100
    assert len(env.gym_agent.episode_executed_orders) > 1


def test_the_raw_state_is_handed_out_in_copies_of_its_containers() -> None:
    env = Trader()
    env.reset(seed=0)
    agent = env.gym_agent
    copied = env.copy_raw_state(agent.raw_state)
    assert copied == agent.raw_state
    copied[-1]["internal_data"].clear()
    copied.clear()
    assert agent.raw_state[-1]["internal_data"]["mkt_open"] is not None
    assert env.copy_raw_state(agent.raw_state)[-1]["parsed_mkt_data"][0] is agent.raw_state[-1]["parsed_mkt_data"][0]


def test_the_base_alone_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        AbidesGymMarketsEnv((rmsc04.build_config, None), PoissonTimeGenerator(np.random.RandomState(0), 1), 0, 1, 1)  # type: ignore[abstract]
