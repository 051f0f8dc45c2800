from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from abides_core import abides
from abides_core.engines import UnsupportedError
from abides_core.utils import parse_logs_df
from abides_core.utils import str_to_ns
from abides_gym.envs import SubGymMarketsExecutionEnv_v0
from abides_markets.configs import rmsc04
from abides_markets.orders import Side
from abides_markets.switches import Switches
from tests.abides_gym.markets import SMALL
from tests.abides_gym.markets import books
from tests.abides_gym.markets import check
from tests.abides_gym.markets import features
from tests.abides_gym.markets import make
from tests.abides_gym.markets import play
from tests.abides_gym.markets import raw_state

ID = "markets-execution-v0"
MARKET, LIMIT, NOTHING = range(3)
BIDS = [(9_990, 10), (9_980, 20), (9_970, 30), (9_960, 40), (9_950, 50), (9_940, 600)]
ASKS = [(10_010, 60), (10_020, 90)]
FLOAT32_MAX = float(np.finfo(np.float32).max)


def execution(**parameters: Any) -> SubGymMarketsExecutionEnv_v0:
    return SubGymMarketsExecutionEnv_v0(**parameters)


def test_spaces_follow_the_parameters() -> None:
    env = execution()
    assert env.action_space == spaces.Discrete(3)
    assert env.observation_space.shape == (11, 1)
    assert env.observation_space.dtype == np.float32
    assert env.observation_space.high.ravel().tolist() == [2, 2, 4, 1, 1, *[FLOAT32_MAX] * 6]
    assert env.observation_space.low.ravel().tolist() == [-2, -2, -4, 0, 0, *[-FLOAT32_MAX] * 6]
    assert execution(state_history_length=1).observation_space.shape == (8, 1)


def test_the_observation_has_the_documented_features() -> None:
    env = execution(parent_order_size=100, first_interval="30s", execution_window="10min")
    first = features(env, raw_state(books((BIDS, ASKS, 10_003)), after="30s"))
    assert first == pytest.approx([0, 0, 0, 750 / 900, 150 / 300, 0, 20, -3, 0, 0, 0])
    market = books(({}, {}, 9_950), ([], ASKS, 9_000), (BIDS, [], 9_000), ([(10_100, 4)], [(10_101, 12)], 10_100))
    second = features(env, raw_state(market, after="90s", holdings=25))
    impact = math.log(10_100.5 / 10_000)
    assert second == pytest.approx([0.25, 0.1, 0.15, 0.25, 0.25, impact, 1, 0.5, 60, -20, 110.5])
    tracker = env.custom_metrics_tracker
    assert (tracker.holdings_pct, tracker.time_pct, tracker.diff_pct) == pytest.approx((0.25, 0.1, 0.15))
    assert (tracker.imbalance_all, tracker.imbalance_5, tracker.spread) == pytest.approx((0.25, 0.25, 1))
    assert (tracker.price_impact, tracker.direction_feature) == pytest.approx((impact, 0.5))
    assert (env.entry_price, env.step_index) == (10_000, 2)
    assert (env.near_touch, env.far_touch) == (10_100, 10_101)


def test_selling_mirrors_buying() -> None:
    env = execution(parent_order_size=100, direction="SELL")
    features(env, raw_state(books((BIDS, ASKS, 10_003)), after="30s"))
    assert (env.near_touch, env.far_touch) == (10_010, 9_990)
    sold = features(env, raw_state(books(([(9_899, 1)], [(9_901, 1)], 9_900)), after="90s", holdings=-25))
    assert sold[:3] == pytest.approx([0.25, 0.1, 0.15])
    assert sold[5] == pytest.approx(math.log(10_000 / 9_900))
    executions = [(10, 9_950), (5, 10_020)]
    reward = env.raw_state_to_reward(raw_state(books(([], [], 1)), parsed_inter_wakeup_executed_orders=executions))
    assert reward == pytest.approx((10 * -50 + 5 * 20) / 100)


def test_one_sided_and_empty_books_take_the_last_trade_for_the_missing_side() -> None:
    env = execution()
    one_sided = features(env, raw_state(books((BIDS, [], 9_999)), after="30s"))
    assert one_sided[3:8] == [1, 1, 0, 0, -9]
    assert (env.near_touch, env.far_touch) == (9_990, 9_999)
    empty = features(env, raw_state(books(([], [], 9_999)), after="30s"))
    assert empty[3:8] == pytest.approx([0.5, 0.5, math.log(9_999 / 9_990), 0, 0])
    assert (env.near_touch, env.far_touch) == (9_999, 9_999)


def test_before_the_first_message_the_observation_is_neutral() -> None:
    env = execution(debug_mode=True)
    nothing = raw_state([{}], after="30s")
    assert features(env, nothing) == [0, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 0]
    assert env.entry_price is None
    assert env.near_touch is None
    assert env._map_action_space_to_ABIDES_SIMULATOR_SPACE(LIMIT) == [{"type": "CCL_ALL"}]
    assert env.raw_state_to_reward(nothing) == 0
    assert not env.raw_state_to_done(nothing)
    assert env.raw_state_to_info(nothing)["best_bid"] is None
    assert features(env, raw_state([{}, *books((BIDS, ASKS, 10_003))], after="90s"))[5:] == [0, 20, -3, 0, 0, 0]
    assert env.entry_price == 10_000


@pytest.mark.parametrize("id_direction", ["BUY", "SELL"])
def test_a_first_decision_at_the_open_sees_no_book_and_can_be_played(id_direction: str) -> None:
    env = make(ID, first_interval="0s", execution_window="3s", timestep_duration="1s", direction=id_direction)
    seen = play(env, [MARKET, LIMIT, NOTHING])
    assert seen[0][0] == [0, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 0]
    assert len(seen) == 4
    assert env.entry_price > 90_000


def test_a_decision_before_the_window_is_an_error() -> None:
    with pytest.raises(AssertionError, match="before the first one is due"):
        execution().raw_state_to_state(raw_state(books((BIDS, ASKS, 1)), after="29s"))


def test_observations_are_cut_to_their_bounds() -> None:
    env = execution(parent_order_size=1, order_fixed_size=1000, execution_window="1s")
    seen = features(env, raw_state(books((BIDS, ASKS, 10_003)), after="10min", holdings=1000))
    assert seen[:3] == [2, 2, 4]
    assert env.custom_metrics_tracker.holdings_pct == 1000


def test_actions_become_orders() -> None:
    for direction, touch in (("BUY", 9_990), ("SELL", 10_010)):
        env = execution(direction=direction, order_fixed_size=7)
        features(env, raw_state(books((BIDS, ASKS, 10_003)), after="30s"))
        order = {"direction": direction, "size": 7}
        cancel = {"type": "CCL_ALL"}
        mapped = env._map_action_space_to_ABIDES_SIMULATOR_SPACE
        assert mapped(MARKET) == [cancel, {"type": "MKT", **order}]
        assert mapped(np.int64(LIMIT)) == [cancel, {"type": "LMT", **order, "limit_price": touch}]
        assert mapped(NOTHING) == mapped(NOTHING) == []
        assert env.custom_metrics_tracker.action_counter == {"action_0": 1, "action_1": 1, "action_2": 2}
    with pytest.raises(ValueError, match=r"unknown action 3; allowed: 0 \(market order\), 1 \(limit order at the"):
        execution()._map_action_space_to_ABIDES_SIMULATOR_SPACE(3)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("traded", "after", "done", "cut_off", "update"),
    [
        (0, "10min", False, True, -1000.0),
        (99, "10min", False, True, -10.0),
        (100, "10min", True, False, 7 / 100),
        (100, "10min31s", True, False, 7 / 100),
        (103, "10min", True, False, -100 * 3 / 100),
        (40, "10min30s", True, True, -1000 * 60 / 100),
        (-10, "10min30s", True, True, -1000 * 110 / 100),
    ],
)
def test_ends_and_what_they_add(side: int, traded: int, after: str, done: bool, cut_off: bool, update: float) -> None:
    env = execution(parent_order_size=100, direction="BUY" if side > 0 else "SELL", just_quantity_reward_update=7)
    state = raw_state(books((BIDS, ASKS, 1)), after=after, holdings=side * traded)
    assert env.raw_state_to_done(state) is done
    assert env.is_cut_off(state) is cut_off
    assert env.raw_state_to_update_reward(state) == pytest.approx(update)
    tracker = env.custom_metrics_tracker
    assert tracker.late_penalty_reward == pytest.approx(update)
    assert (tracker.executed_quantity, tracker.remaining_quantity) == (traded, 100 - traded)


def test_a_bought_order_terminates_and_a_late_one_is_truncated() -> None:
    bought = play(make(ID, parent_order_size=50), [MARKET])
    assert [step[0][0] for step in bought] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert [step[0][1] for step in bought] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert bought[-1][2:4] == (True, False)
    assert bought[-1][4]["late_penalty_reward"] == 0
    waited = play(make(ID, parent_order_size=50), [NOTHING])
    assert len(waited) == 11
    assert waited[-1][2:4] == (False, True)
    assert waited[-1][1] == waited[-1][4]["late_penalty_reward"] == -1000
    assert waited[-1][4]["action_counter"] == {"action_0": 0, "action_1": 0, "action_2": 10}
    assert waited[-1][4]["num_max_steps_per_episode"] == 10.5


def test_the_reward_is_the_gain_over_the_first_mid_a_share() -> None:
    env = make(ID, parent_order_size=40, direction="SELL")
    seen = play(env, [MARKET])
    fills = [(order.quantity, order.fill_price) for order in env.gym_agent.executed_orders]
    assert sum(shares for shares, _ in fills) == 40
    gain = sum((price - env.entry_price) * shares for shares, price in fills) / 40
    assert sum(step[1] for step in seen) == pytest.approx(gain)
    assert seen[-1][4]["slippage_reward"] == pytest.approx(seen[-1][1])


@pytest.mark.parametrize("direction", ["BUY", "SELL"])
def test_an_episode_owes_nothing_to_the_one_before(direction: str) -> None:
    env = make(ID, direction=direction, parent_order_size=60)
    first = play(env, [MARKET, LIMIT], seed=4)
    assert play(env, [LIMIT, MARKET], seed=5) != first
    assert play(env, [MARKET, LIMIT], seed=4) == first
    assert first[0][4]["action_counter"] == {"action_0": 0, "action_1": 0, "action_2": 0}


def test_infos_are_snapshots() -> None:
    seen = play(make(ID), [MARKET])
    assert [step[4]["action_counter"]["action_0"] for step in seen] == list(range(len(seen)))
    assert [step[4]["executed_quantity"] for step in seen] == [10 * k for k in range(len(seen))]


def test_orders_under_way_at_the_end_count() -> None:
    # Decisions come faster than orders reach the exchange: nothing is filled before the window ends.
    env = make(ID, timestep_duration="1ms", execution_window="3ms", parent_order_size=50, first_interval="5min")
    seen = play(env, [MARKET])
    assert [step[0][0] for step in seen] == [0, 0, 0, 0]
    assert seen[-1][3]
    late = env.gym_agent.executed_orders
    assert late
    gain = sum((env.entry_price - order.fill_price) * order.quantity for order in late) / 50
    missing = 50 - sum(order.quantity for order in late)
    assert seen[-1][4]["executed_quantity"] == 50 - missing
    assert seen[-1][1] == pytest.approx(gain - 1000 * missing / 50)


def test_what_rests_at_the_end_is_withdrawn() -> None:
    env = make(ID, order_fixed_size=100_000, parent_order_size=10**6)
    play(env, [LIMIT])
    assert env.gym_agent.orders == {}
    statuses = [status["status"] for status in env.gym_agent.order_status.values()]
    assert "cancelled" in statuses
    assert "active" not in statuses


def test_a_market_that_closes_before_the_window_ends_truncates() -> None:
    seen = play(make(ID, mkt_close="09:33:00", parent_order_size=100), [MARKET])
    assert seen[-1][2:4] == (False, True)
    executed = seen[-1][4]["executed_quantity"]
    assert 0 < executed < 100
    assert seen[-1][4]["late_penalty_reward"] == -1000 * (100 - executed) / 100


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 100),
    direction=st.sampled_from(["BUY", "SELL"]),
    size=st.sampled_from([1, 30, 2000]),
    actions=st.lists(st.sampled_from([MARKET, LIMIT, NOTHING]), min_size=1, max_size=8),
)
def test_the_account_adds_up_whatever_is_done(seed: int, direction: str, size: int, actions: list[int]) -> None:
    env = make(
        ID,
        direction=direction,
        order_fixed_size=size,
        parent_order_size=5000,
        timestep_duration="20s",
        execution_window="3min",
        background_config_extra_kvargs={"switches": Switches.all_on()},
    )
    seen = play(env, actions, seed)
    sign = 1 if direction == "BUY" else -1
    internal = env.gym_agent.raw_state[-1]["internal_data"]
    fills = internal["parsed_episode_executed_orders"]
    executed = sum(shares for shares, _ in fills)
    assert internal["holdings"] == sign * executed
    assert internal["cash"] == 1_000_000 - sign * sum(shares * price for shares, price in fills)
    assert seen[-1][4]["executed_quantity"] == executed
    gain = sum(sign * (env.entry_price - price) * shares for shares, price in fills) / 5000
    assert sum(step[1] for step in seen) == pytest.approx(gain + seen[-1][4]["late_penalty_reward"])
    assert sum(step[4]["slippage_reward"] for step in seen) == pytest.approx(gain)
    assert env.gym_agent.orders == {}
    for status in internal["order_status"].values():
        assert status["active_qty"] == 0
        assert status["executed_qty"] + status["cancelled_qty"] == size
    assert sum(status["executed_qty"] for status in internal["order_status"].values()) == executed


def test_debug_info_tells_of_the_market_from_the_first_observation_on() -> None:
    seen = play(make(ID, debug_mode=True, parent_order_size=50), [MARKET])
    first, last = seen[0][4], seen[-1][4]
    assert set(first) == {
        "last_transaction",
        "best_bid",
        "best_ask",
        "current_time",
        "holdings",
        "parent_size",
        "pnl",
        "reward",
    }
    assert (first["pnl"], first["reward"], first["holdings"]) == (0, 0, 0)
    assert first["best_bid"] < first["best_ask"]
    assert (last["holdings"], last["parent_size"]) == (50, 50)
    assert last["reward"] == last["pnl"] / 50 == pytest.approx(last["reward"])
    info = execution(debug_mode=True).raw_state_to_info(raw_state(books(([], ASKS, 55))))
    assert (info["best_bid"], info["best_ask"]) == (55, 10_010)


def test_given_arguments_of_the_background_are_used_and_left_alone() -> None:
    extra = {**SMALL, "ticker": "XYZ", "starting_cash": 5}
    env = SubGymMarketsExecutionEnv_v0(background_config_extra_kvargs=extra)
    env.reset(seed=1)
    assert env.gym_agent.symbol == "XYZ"
    assert env.simulation is not None
    assert env.simulation.kernel.agents[1].starting_cash == 5
    assert env.simulation.kernel.agents[0].mkt_close % str_to_ns("24h") == str_to_ns("16:00:00")
    assert extra == {**SMALL, "ticker": "XYZ", "starting_cash": 5}


def test_an_idle_agent_leaves_the_market_as_it_is() -> None:
    env = make(ID, mkt_close="09:50:00")
    seen = play(env, [NOTHING], seed=2)
    assert seen[-1][3]
    now = env.gym_agent.current_time
    seed = int(np.random.default_rng(2).integers(0, 2**32, size=3)[0])
    alone = abides.run(rmsc04.build_config(seed=seed, end_time="09:50:00", **SMALL))["agents"][0]
    history = [entry for entry in alone.order_books["ABM"].history if entry["time"] < now]
    assert len(history) > 100
    found = env.simulation.kernel.agents[0].order_books["ABM"].history
    assert [entry for entry in found if entry["time"] < now] == history


def test_switches_bring_fresh_data() -> None:
    def age(switches: Switches) -> float:
        extra = {"switches": switches}
        env = make(ID, timestep_duration="5s", background_config_extra_kvargs=extra)
        env.reset(seed=0)
        ages = []
        for _ in range(60):
            env.step(MARKET)
            newest = env.gym_agent.raw_state[-1]
            ages.append(newest["internal_data"]["current_time"] - newest["parsed_mkt_data"][-1]["exchange_ts"])
        return float(np.mean(ages))

    assert age(Switches(every_change_updates_timestamp=True)) < 0.8 * age(Switches())


def test_event_logs_are_kept_when_asked_for() -> None:
    env = make(ID, log_events=True, parent_order_size=10)
    play(env, [MARKET])
    logs = parse_logs_df(env.simulation.end())
    assert (logs.EventType == "FINAL_HOLDINGS").sum() == len(env.simulation.kernel.agents) - 1


def test_the_engine_changes_nothing_but_the_time() -> None:
    reference = play(make(ID, engine="reference"), [MARKET, LIMIT, NOTHING])
    assert play(make(ID, engine="auto"), [MARKET, LIMIT, NOTHING]) == reference
    try:
        compiled = play(make(ID, engine="compiled"), [MARKET, LIMIT, NOTHING])
    except UnsupportedError:  # without the subscriptions of the learning agent it refuses, by name
        with pytest.raises(UnsupportedError, match=r"does not support agent \d+ with subscribe=True: use engine="):
            make(ID, engine="compiled").reset()
    else:
        assert compiled == reference


def test_gymnasiums_checker_is_content() -> None:
    check(ID)
    check(ID, direction="SELL", debug_mode=True, first_interval="0s")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"background_config": "smc_01"}, r"background_config must be one of .*rmsc04.*, got 'smc_01'"),
        ({"mkt_close": "17:00:00"}, "mkt_close must be a time from 09:30:00 to 16:00:00, got '17:00:00'"),
        ({"mkt_close": "noon"}, "mkt_close must be a time from 09:30:00 to 16:00:00, got 'noon'"),
        ({"timestep_duration": "0s"}, "timestep_duration must be a time above 0s, at most 06:30:00, got '0s'"),
        ({"timestep_duration": None}, "timestep_duration must be a time above 0s"),
        ({"first_interval": "-1s"}, "first_interval must be a time from 00:00:00 to 16:00:00, got '-1s'"),
        ({"first_interval": "1h", "mkt_close": "10:30:00"}, "first_interval must be shorter than the time from"),
        ({"execution_window": "7h"}, "execution_window must be a time above 0s, at most 06:30:00, got '7h'"),
        ({"starting_cash": -1}, "starting_cash must be a whole number, 0 or more, got -1"),
        ({"order_fixed_size": 0}, "order_fixed_size must be a whole number, 1 or more, got 0"),
        ({"order_fixed_size": 1.5}, "order_fixed_size must be a whole number, 1 or more, got 1.5"),
        ({"state_history_length": True}, "state_history_length must be a whole number, 1 or more, got True"),
        ({"market_data_buffer_length": 0}, "market_data_buffer_length must be a whole number, 1 or more, got 0"),
        ({"parent_order_size": -5}, "parent_order_size must be a whole number, 1 or more, got -5"),
        ({"direction": "buy"}, "direction must be one of BUY, SELL, got 'buy'"),
        ({"not_enough_reward_update": math.nan}, "not_enough_reward_update must be a finite number, got nan"),
        ({"too_much_reward_update": "1"}, "too_much_reward_update must be a finite number, got '1'"),
        ({"just_quantity_reward_update": None}, "just_quantity_reward_update must be a finite number, got None"),
        ({"debug_mode": 1}, "debug_mode must be True or False, got 1"),
    ],
)
def test_wrong_parameters_are_refused_by_name(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        execution(**parameters)


def test_orders_of_the_learning_agent_are_on_its_side() -> None:
    env = make(ID, direction="SELL", parent_order_size=30)
    play(env, [LIMIT, MARKET])
    assert {order.side for order in env.gym_agent.executed_orders} == {Side.ASK}
