"""The stand-in market: its book, its impact, its reproducibility."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from envs.market_simulator import DEFAULT_PARAMETERS
from envs.market_simulator import SECOND
from envs.market_simulator import MarketSimulator
from envs.market_simulator import MarketSimulatorParameters
from envs.market_simulator import Side

SIDES = st.sampled_from(["buy", "sell"])
STEPS = st.tuples(st.just("step"), st.integers(1, 30 * SECOND))
TRADES = st.tuples(st.just("trade"), st.integers(1, 3_000), SIDES)
LIMITS = st.tuples(st.just("limit"), st.integers(1, 500), st.integers(-6, 6), SIDES)
CANCELS = st.tuples(st.just("cancel"))
PROGRAMS = st.lists(st.one_of(STEPS, TRADES, LIMITS, CANCELS), max_size=25)


def still_market(seed: int = 0) -> MarketSimulator:
    """A market in which nothing happens but what the agent does."""
    still = replace(DEFAULT_PARAMETERS, volatility=0, trade_rate=0, replenishment=1e12, transient_half_life=1e12)
    return MarketSimulator(seed, parameters=still)


def busy_market(seed: int = 0) -> MarketSimulator:
    """A market whose price stands still while background orders come often."""
    return MarketSimulator(seed, parameters=replace(DEFAULT_PARAMETERS, volatility=0, trade_rate=5, spread=1))


def perform(market: MarketSimulator, action: tuple) -> tuple[tuple[int, int], ...]:
    """Do one action of a random program; return what the agent traded at once."""
    kind, *values = action
    if kind == "step":
        market.step(*values)
    elif kind == "cancel":
        market.cancel_limit()
    elif kind == "limit":
        quantity, offset, side = values
        return market.place_limit(quantity, market.mid2 // 2 + offset, side).fills
    else:
        quantity, side = values
        if market.resting is not None and market.resting.side != side:
            market.cancel_limit()
        return market.execute_trade(quantity, side).fills
    return ()


def state(market: MarketSimulator) -> tuple:
    return (market.time, market.bids, market.asks, market.mid2, market.last_trade, market.volume, market.fundamental)


def depth(market: MarketSimulator) -> int:
    return sum(size for _, size in market.bids + market.asks)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10_000), program=PROGRAMS)
def test_book_is_never_crossed_and_always_in_order(seed: int, program: list[tuple]) -> None:
    market = MarketSimulator(seed)
    for action in program:
        perform(market, action)
        bids = [price for price, _ in market.bids]
        asks = [price for price, _ in market.asks]
        assert bids == sorted(set(bids), reverse=True)
        assert asks == sorted(set(asks))
        assert all(size > 0 for _, size in market.bids + market.asks)
        assert not bids or not asks or bids[0] < asks[0]
        assert not bids or bids[-1] > 0


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), program=PROGRAMS)
def test_same_seed_and_same_calls_give_the_same_market(seed: int, program: list[tuple]) -> None:
    first, second = MarketSimulator(seed), MarketSimulator(seed)
    for action in program:
        assert perform(first, action) == perform(second, action)
        assert state(first) == state(second)
        assert first.fills_since() == second.fills_since()


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), quantity=st.integers(1, 3_000), side=SIDES, wait=st.integers(1, 60 * SECOND))
def test_trade_conserves_shares(seed: int, quantity: int, side: Side, wait: int) -> None:
    market = MarketSimulator(seed)
    market.step(wait)
    depth_before, volume_before = depth(market), market.volume
    result = market.execute_trade(quantity, side)
    assert result.filled + result.left == quantity
    assert result.filled == sum(shares for _, shares in result.fills) == result.depth_consumed
    assert depth_before - depth(market) == result.filled
    assert market.volume - volume_before == result.filled
    assert result.left == 0 or (market.asks if side == "buy" else market.bids) == []


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), program=PROGRAMS)
def test_every_share_of_a_limit_order_is_filled_cancelled_or_waiting(seed: int, program: list[tuple]) -> None:
    market = MarketSimulator(seed)
    market.place_limit(400, market.bids[0][0], "buy")
    filled = 0
    for kind, *values in program:
        if kind == "step":
            market.step(*values)
            filled += sum(shares for _, shares in market.fills_since())
            assert filled + (market.resting.left if market.resting is not None else 0) == 400
    assert filled + market.cancel_limit() == 400
    assert market.cancel_limit() == 0


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10_000), small=st.integers(1, 900), more=st.integers(1, 900), side=SIDES)
def test_walking_more_shares_never_gives_a_better_average(seed: int, small: int, more: int, side: Side) -> None:
    few = MarketSimulator(seed).execute_trade(small, side).average_price
    many = MarketSimulator(seed).execute_trade(small + more, side).average_price
    assert few is not None
    assert many is not None
    assert many >= few if side == "buy" else many <= few


def test_walk_takes_the_best_levels_first() -> None:
    market = still_market()
    (best, touch), (second, _), *rest = market.asks
    result = market.execute_trade(touch + 10, "buy")
    assert result.fills == ((best, touch), (second, 10))
    assert result.average_price == pytest.approx((best * touch + second * 10) / (touch + 10))
    assert market.last_trade == second
    assert [size for _, size in market.asks][1:] == [size for _, size in rest]


def test_trade_into_an_empty_side_fills_nothing_and_keeps_the_last_mid() -> None:
    market = still_market()
    market.execute_trade(10**6, "sell")
    mid2 = market.mid2
    result = market.execute_trade(5, "sell")
    assert market.bids == []
    assert (result.filled, result.left, result.average_price) == (0, 5, None)
    assert market.mid2 == mid2


@pytest.mark.parametrize(("side", "sign"), [("buy", 1), ("sell", -1)])
def test_trade_moves_the_price_in_its_direction_for_good(side: Side, sign: int) -> None:
    parameters = replace(DEFAULT_PARAMETERS, permanent_impact=0.1, transient_impact=0.4, volatility=0, trade_rate=0)
    market = MarketSimulator(1, parameters=replace(parameters, replenishment=1e-6, transient_half_life=1))
    market.execute_trade(100, side)
    at_once = market.mid2 / 2 - 100_000
    market.step(60 * SECOND)
    later = market.mid2 / 2 - 100_000
    # 100 shares: 0.1 x 100 cents stay, 0.4 x 100 more are gone after sixty half-lives. Quotes are whole cents.
    assert sign * at_once == pytest.approx(50, abs=2.5)
    assert sign * later == pytest.approx(10, abs=2.5)


def test_consumed_depth_comes_back_at_the_stated_rate() -> None:
    market_parameters = replace(DEFAULT_PARAMETERS, volatility=0, trade_rate=0)
    missing = []
    for seed in range(300):
        market = MarketSimulator(seed, parameters=market_parameters)
        market.execute_trade(10**6, "buy")
        market.step(round(market_parameters.replenishment * SECOND))
        missing.append(sum(market_parameters.depth) - sum(size for _, size in market.asks))
    error = np.std(missing, ddof=1) / math.sqrt(len(missing))
    assert abs(np.mean(missing) - sum(market_parameters.depth) / 2) < 5 * error


def test_idle_market_reverts_to_its_mean() -> None:
    parameters = replace(DEFAULT_PARAMETERS, initial_price=100_400, reversion=60.0)
    middle = []
    late = []
    for seed in range(150):
        market = MarketSimulator(seed, parameters=parameters)
        market.step(60 * SECOND)
        middle.append(market.mid2 / 2)
        market.step(900 * SECOND)
        late.append(market.mid2 / 2)
    for mids, expected in ((middle, 100_200), (late, 100_000)):
        error = np.std(mids, ddof=1) / math.sqrt(len(mids))
        assert abs(np.mean(mids) - expected) < 5 * error + 0.5


def test_volatility_is_the_stated_one() -> None:
    parameters = replace(DEFAULT_PARAMETERS, reversion=1e9)
    changes = []
    for seed in range(800):
        market = MarketSimulator(seed, parameters=parameters)
        market.step(60 * SECOND)
        changes.append(market.fundamental - 100_000)
    assert np.std(changes) == pytest.approx(1.29 * math.sqrt(60), rel=0.13)


def test_background_trades_at_the_stated_rate() -> None:
    market = MarketSimulator(3)
    market.step(3_600 * SECOND)
    # 0.25 orders a second of 100 shares on average; the sum's standard deviation is about 4.7 % of its mean.
    assert market.volume == pytest.approx(90_000, rel=0.25)
    assert market.last_trade != 100_000


def test_resting_order_waits_behind_those_before_it_and_trades_at_its_price() -> None:
    market = busy_market()
    best, size = market.bids[0]
    assert market.place_limit(30, best, "buy").fills == ()
    assert market.resting is not None
    assert market.resting.ahead == size
    assert dict(market.bids)[best] == size + 30
    market.step(600 * SECOND)
    fills = market.fills_since()
    assert sum(shares for _, shares in fills) == 30
    assert {price for price, _ in fills} == {best}
    assert market.fills_since() == ()
    assert market.resting is None


def test_queue_ahead_delays_the_fill() -> None:
    first, behind = [], []
    for seed in range(60):
        for offset, waits in ((1, first), (0, behind)):
            parameters = replace(DEFAULT_PARAMETERS, volatility=0, trade_rate=1, spread=4)
            market = MarketSimulator(seed, parameters=parameters)
            market.place_limit(1, market.bids[0][0] + offset, "buy")
            while market.resting is not None:
                market.step(SECOND)
            waits.append(market.time)
    assert np.mean(first) < np.mean(behind)


def test_limit_that_crosses_trades_up_to_its_price_and_rests_with_the_rest() -> None:
    market = still_market()
    best, touch = market.asks[0]
    result = market.place_limit(touch + 25, best, "buy")
    assert result.fills == ((best, touch),)
    assert result.left == 25
    assert market.resting is not None
    assert (market.resting.price, market.resting.left) == (best, 25)
    assert market.bids[0][0] == best
    assert market.asks[0][0] > best


def test_market_that_moves_through_the_limit_fills_it() -> None:
    parameters = replace(DEFAULT_PARAMETERS, mean_price=99_000, reversion=1.0, volatility=0, trade_rate=0)
    market = MarketSimulator(0, parameters=parameters)
    market.place_limit(700, 99_500, "buy")
    market.step(30 * SECOND)
    assert market.fills_since() == ((99_500, 700),)
    assert market.volume == 700


def test_new_limit_order_replaces_the_old_one() -> None:
    market = still_market()
    best = market.bids[0][0]
    market.place_limit(10, best, "buy")
    market.place_limit(20, best - 1, "buy")
    assert market.resting is not None
    assert (market.resting.left, market.resting.price) == (20, best - 1)
    assert market.cancel_limit() == 20
    assert market.resting is None


@pytest.mark.parametrize("quantity", [0, -5])
def test_quantity_that_is_not_positive_is_refused(quantity: int) -> None:
    with pytest.raises(ValueError, match=f"quantity must be greater than 0 shares, got {quantity}"):
        MarketSimulator(0).execute_trade(quantity, "buy")


def test_unknown_side_is_refused() -> None:
    with pytest.raises(ValueError, match="side must be one of buy, sell, got 'hold'"):
        MarketSimulator(0).execute_trade(1, "hold")  # type: ignore[arg-type]


def test_trading_with_oneself_is_refused() -> None:
    market = MarketSimulator(0)
    market.place_limit(10, market.bids[0][0], "buy")
    with pytest.raises(ValueError, match="own resting buy order"):
        market.execute_trade(10, "sell")


def test_refused_limit_leaves_the_old_one() -> None:
    market = MarketSimulator(0)
    market.place_limit(10, market.bids[0][0], "buy")
    with pytest.raises(ValueError, match="price must be greater than 0 cents, got 0"):
        market.place_limit(10, 0, "buy")
    assert market.resting is not None


def test_time_does_not_stand_still() -> None:
    with pytest.raises(ValueError, match="duration must be greater than 0 ns, got 0"):
        MarketSimulator(0).step(0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("depth", ()), ("depth", (0,)), ("spread", 0.5), ("volatility", -1), ("reversion", 0), ("initial_price", 0)],
)
def test_parameter_outside_its_range_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        MarketSimulatorParameters(**{name: value})  # type: ignore[arg-type]


def test_markets_share_no_randomness() -> None:
    alone = MarketSimulator(5)
    alone.step(60 * SECOND)
    crowded, other = MarketSimulator(5), MarketSimulator(6)
    np.random.seed(0)
    other.step(10 * SECOND)
    crowded.step(60 * SECOND)
    assert state(alone) == state(crowded)
    assert state(alone) != state(other)
