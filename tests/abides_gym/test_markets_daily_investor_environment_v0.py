from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from abides_gym.envs import SubGymMarketsDailyInvestorEnv_v0
from tests.abides_gym.markets import books
from tests.abides_gym.markets import check
from tests.abides_gym.markets import features
from tests.abides_gym.markets import make
from tests.abides_gym.markets import play
from tests.abides_gym.markets import raw_state

ID = "markets-daily_investor-v0"
BUY, NOTHING, SELL = range(3)
BIDS = [(9_990, 10), (9_980, 20), (9_970, 30), (9_960, 40)]
ASKS = [(10_010, 60), (10_020, 80)]
FLOAT32_MAX = float(np.finfo(np.float32).max)
STEPS_PER_DAY = 390
SHORT: dict[str, Any] = {"mkt_close": "09:40:00"}


def investor(**parameters: Any) -> SubGymMarketsDailyInvestorEnv_v0:
    return SubGymMarketsDailyInvestorEnv_v0(**parameters)


def test_spaces_follow_the_parameters() -> None:
    env = investor()
    assert env.action_space == spaces.Discrete(3)
    assert env.observation_space.shape == (7, 1)
    assert env.observation_space.high.ravel().tolist() == [FLOAT32_MAX, 1, *[FLOAT32_MAX] * 5]
    assert env.observation_space.low.ravel().tolist() == [-FLOAT32_MAX, 0, *[-FLOAT32_MAX] * 5]
    assert investor(state_history_length=2).observation_space.shape == (5, 1)


def test_the_observation_has_the_documented_features() -> None:
    market = books(([], ASKS, 9_000), (BIDS, [], 9_000), (BIDS, ASKS, 10_003))
    seen = features(investor(), raw_state(market, holdings=-40))
    assert seen == pytest.approx([-40, 60 / 200, 20, -3, 0, -20, 10])
    empty = features(investor(), raw_state(books(([], [], 9_000))))
    assert empty == [0, 0.5, 0, 0, 0, 0, 0]
    assert features(investor(), raw_state([{}])) == [0, 0.5, 0, 0, 0, 0, 0]


def test_actions_become_market_orders() -> None:
    mapped = investor(order_fixed_size=7)._map_action_space_to_ABIDES_SIMULATOR_SPACE
    assert mapped(BUY) == [{"type": "MKT", "direction": "BUY", "size": 7}]
    assert mapped(NOTHING) == []
    assert mapped(SELL) == [{"type": "MKT", "direction": "SELL", "size": 7}]
    with pytest.raises(ValueError, match=r"unknown action -1; allowed: 0 \(buy\), 1 \(nothing\), 2 \(sell\)"):
        mapped(-1)


def test_dense_rewards_are_gains_and_sparse_ones_come_at_the_end() -> None:
    dense = play(make(ID, **SHORT), [BUY, NOTHING, SELL, SELL])
    env = make(ID, reward_mode="sparse", **SHORT)
    sparse = play(env, [BUY, NOTHING, SELL, SELL])
    assert [step[0] for step in sparse] == [step[0] for step in dense]
    assert dense[-1][2:4] == sparse[-1][2:4] == (False, True)
    assert len(dense) == 6  # decisions from 09:35 to 09:39, and the close
    assert {step[1] for step in sparse[:-1]} == {0.0}
    newest = env.gym_agent.raw_state[-1]
    last = newest["parsed_mkt_data"][-1]["last_transaction"]
    worth = newest["internal_data"]["cash"] + newest["internal_data"]["holdings"] * last
    assert worth != 1_000_000
    gain = (worth - 1_000_000) / 10 / STEPS_PER_DAY
    assert sparse[-1][1] == pytest.approx(gain)
    assert sum(step[1] for step in dense) == pytest.approx(gain)


def test_the_reward_is_scaled_by_order_size_and_steps_of_a_day() -> None:
    env = investor(timestep_duration="30s", order_fixed_size=5)
    state = raw_state(books((BIDS, ASKS, 10_000)), cash=900_000, holdings=11)
    assert env.raw_state_to_reward(state) == pytest.approx(10_000 / 5 / 780)
    assert env.raw_state_to_reward(state) == 0
    assert env.raw_state_to_update_reward(state) == 0
    assert investor(reward_mode="sparse").raw_state_to_update_reward(state) == pytest.approx(10_000 / 10 / 390)


def test_ruin_terminates() -> None:
    env = investor(done_ratio=0.3)
    assert env.down_done_condition == 300_000
    for cash, done in ((200_001, False), (200_000, True), (-5, True)):
        assert env.raw_state_to_done(raw_state(books((BIDS, ASKS, 10_000)), cash=cash, holdings=10)) is done
    # Whatever is bought with one cent in hand is sold for less.
    ruined = play(make(ID, starting_cash=1, done_ratio=0.99, timestep_duration="10s", **SHORT), [BUY, SELL])
    assert ruined[-1][2:4] == (True, False)


def test_an_episode_owes_nothing_to_the_one_before() -> None:
    env = make(ID, **SHORT)
    first = play(env, [BUY, NOTHING], seed=4)
    assert play(env, [SELL, BUY], seed=5) != first
    assert play(env, [BUY, NOTHING], seed=4) == first
    assert first[1][1] == pytest.approx(first[1][1])


def test_the_info_is_empty_but_in_debug_mode() -> None:
    assert play(make(ID, **SHORT), [NOTHING])[0][4] == {}
    state = raw_state(books((BIDS, ASKS, 10_003)), holdings=2, cash=7)
    info = investor(debug_mode=True).raw_state_to_info(state)
    assert (info["best_bid"], info["best_ask"], info["spread"]) == (9_990, 10_010, 20)
    assert (info["last_bid"], info["last_ask"], info["wide_spread"]) == (9_960, 10_020, 60)
    assert (info["ask_spread"], info["bid_spread"]) == (10, 30)
    assert (info["bids"], info["asks"], info["last_transaction"]) == (BIDS, ASKS, 10_003)
    assert (info["cash"], info["holdings"], info["marked_to_market"]) == (7, 2, 7 + 2 * 10_003)
    assert info["orderbook"]["bids"]["price"] == {0: [9_990], 1: [9_980], 2: [9_970]}
    assert info["orderbook"]["bids"]["volume"] == {0: [10], 1: [20], 2: [30]}
    assert info["orderbook"]["asks"]["price"] == {0: [10_010], 1: [10_020], 2: [0]}
    assert info["orderbook"]["asks"]["volume"] == {0: [60], 1: [80], 2: [0]}
    assert {"current_time", "order_status", "mkt_open", "mkt_close"} < set(info)
    one_sided = investor(debug_mode=True).raw_state_to_info(raw_state(books(([], ASKS, 10_003))))
    assert (one_sided["best_bid"], one_sided["spread"], one_sided["last_bid"]) == (10_003, 7, 10_010)
    unknown = investor(debug_mode=True).raw_state_to_info(raw_state([{}]))
    assert (unknown["best_bid"], unknown["spread"], unknown["marked_to_market"]) == (None, None, 1_000_000)


def test_the_engine_changes_nothing_but_the_time() -> None:
    reference = play(make(ID, engine="reference", **SHORT), [BUY, SELL, BUY])
    assert play(make(ID, engine="auto", **SHORT), [BUY, SELL, BUY]) == reference


def test_gymnasiums_checker_is_content() -> None:
    check(ID)
    check(ID, debug_mode=True, reward_mode="sparse", first_interval="0s")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"background_config": None}, r"background_config must be one of .*rmsc04.*, got None"),
        ({"reward_mode": "often"}, "reward_mode must be one of sparse, dense, got 'often'"),
        ({"done_ratio": 1.0}, "done_ratio must be a number, 0 or more and below 1, got 1.0"),
        ({"done_ratio": "0.3"}, "done_ratio must be a number, 0 or more and below 1, got '0.3'"),
        ({"timestep_duration": "7h"}, "timestep_duration must be a time above 0s, at most 06:30:00, got '7h'"),
        ({"mkt_close": "09:35:00"}, "first_interval must be shorter than the time from the open to mkt_close"),
        ({"starting_cash": 1e6}, "starting_cash must be a whole number, 0 or more, got 1000000.0"),
        ({"order_fixed_size": -1}, "order_fixed_size must be a whole number, 1 or more, got -1"),
        ({"debug_mode": "yes"}, "debug_mode must be True or False, got 'yes'"),
    ],
)
def test_wrong_parameters_are_refused_by_name(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        investor(**parameters)
