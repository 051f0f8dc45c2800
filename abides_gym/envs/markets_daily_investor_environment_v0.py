"""The daily investor environment: gain by buying and selling until the market closes."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

import abides_markets.agents.utils as markets_agent_utils
from abides_core.engines import AUTO
from abides_core.generators import ConstantTimeGenerator
from abides_gym.envs import parameters
from abides_gym.envs.market_features import LARGEST
from abides_gym.envs.market_features import MarketFeatures
from abides_gym.envs.market_features import best
from abides_gym.envs.market_features import box
from abides_gym.envs.market_features import observation
from abides_gym.envs.markets_environment import AbidesGymMarketsEnv

ACTIONS = ("buy", "nothing", "sell")
DEBUG_LEVELS = 3


class SubGymMarketsDailyInvestorEnv_v0(AbidesGymMarketsEnv):  # noqa: N801  name of the ABIDES API
    """Trade one market for a day; every decision sends one market order of a fixed size, or none.

    Actions: 0 buys, 1 does nothing, 2 sells. Observation, rewards and ends are described in `docs/abides_gym.md`.

    Args:
        background_config: Market configuration, by its name in `abides_markets.configs`.
        mkt_close: Market close, time of day from 09:30:00 to 16:00:00.
        timestep_duration: Time between decisions.
        starting_cash: Cash of the agent at the start, cents.
        order_fixed_size: Shares of an order.
        state_history_length: Decisions whose books are kept; there is one return less in the observation.
        market_data_buffer_length: Messages of each market data subscription that are kept.
        first_interval: Time from the open to the first decision.
        reward_mode: `dense` rewards every step by its gain, `sparse` the end by the gain of the episode.
        done_ratio: Share of the starting cash (0 or more, below 1) at which the episode ends.
        debug_mode: Whether the info tells of the market and the account; otherwise it is empty.
        background_config_extra_kvargs: Further arguments of the market configuration.
        engine: As for `abides.run`.
        log_events: Whether agents keep event logs; they are read with `parse_logs_df(env.unwrapped.simulation.end())`.
        render_mode: `human` prints every step; by default nothing is printed.

    Raises:
        AssertionError: If a parameter is not allowed.

    Attributes:
        previous_marked_to_market: Cash and shares at the last trade when they were last rewarded, cents.
        down_done_condition: Value of cash and shares at which the episode ends, cents.
    """

    first_interval: int
    observation_space: spaces.Box
    raw_state_pre_process = markets_agent_utils.ignore_buffers_decorator
    raw_state_to_state_pre_process = markets_agent_utils.ignore_mkt_data_buffer_decorator

    def __init__(
        self,
        background_config: str = "rmsc04",
        mkt_close: str = "16:00:00",
        timestep_duration: str = "60s",
        starting_cash: int = 1_000_000,
        order_fixed_size: int = 10,
        state_history_length: int = 4,
        market_data_buffer_length: int = 5,
        first_interval: str = "00:05:00",
        reward_mode: str = "dense",
        done_ratio: float = 0.3,
        debug_mode: bool = False,
        background_config_extra_kvargs: Mapping[str, Any] | None = None,
        engine: str = AUTO,
        log_events: bool = False,
        render_mode: str | None = None,
    ) -> None:
        build = parameters.background(background_config)
        self.mkt_close = parameters.duration("mkt_close", mkt_close, "09:30:00", "16:00:00")
        self.timestep_duration = parameters.duration(
            "timestep_duration", timestep_duration, "0s", "06:30:00", least_allowed=False
        )
        first_interval_ns = parameters.first_interval(first_interval, self.mkt_close)
        self.starting_cash = parameters.whole("starting_cash", starting_cash, 0)
        self.order_fixed_size = parameters.whole("order_fixed_size", order_fixed_size, 1)
        self.state_history_length = parameters.whole("state_history_length", state_history_length, 1)
        self.market_data_buffer_length = parameters.whole("market_data_buffer_length", market_data_buffer_length, 1)
        self.reward_mode = parameters.one_of("reward_mode", reward_mode, ("sparse", "dense"))
        self.done_ratio = parameters.fraction("done_ratio", done_ratio)
        self.debug_mode = parameters.boolean("debug_mode", debug_mode)
        extra = parameters.arguments("background_config_extra_kvargs", background_config_extra_kvargs, build)
        super().__init__(
            (build, {"end_time": self.mkt_close, **extra}),
            ConstantTimeGenerator(self.timestep_duration),
            self.starting_cash,
            self.state_history_length,
            self.market_data_buffer_length,
            first_interval_ns,
            engine=engine,
            log_events=log_events,
            render_mode=render_mode,
        )
        self.down_done_condition = self.done_ratio * self.starting_cash
        self.previous_marked_to_market: float = self.starting_cash
        self.action_space = spaces.Discrete(len(ACTIONS))
        self.observation_space = box((-LARGEST, LARGEST), (0, 1), unbounded=2 + self.state_history_length - 1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode: a new market, a new account."""
        self.previous_marked_to_market = self.starting_cash
        return super().reset(seed=seed, options=options)

    def _map_action_space_to_ABIDES_SIMULATOR_SPACE(self, action: int) -> list[dict[str, Any]]:  # noqa: N802
        action = parameters.action(action, ACTIONS)
        if action == 1:
            return []
        return [{"type": "MKT", "direction": "BUY" if action == 0 else "SELL", "size": self.order_fixed_size}]

    @raw_state_to_state_pre_process
    def raw_state_to_state(self, raw_state: Any) -> NDArray[np.float32]:
        """Return the observation."""
        market = MarketFeatures.of(raw_state["parsed_mkt_data"], self.state_history_length)
        features = [
            raw_state["internal_data"]["holdings"][-1],
            markets_agent_utils.get_imbalance(market.bids, market.asks, depth=3),
            market.spread,
            market.direction,
            *market.returns,
        ]
        return observation(features, self.observation_space)

    @raw_state_pre_process
    def raw_state_to_reward(self, raw_state: Any) -> float:
        """Return the gain since it was last rewarded, in the dense mode; 0 in the sparse one."""
        if self.reward_mode == "sparse":
            return 0.0
        value = self._value(raw_state)
        gain = value - self.previous_marked_to_market
        self.previous_marked_to_market = value
        return self._scaled(gain)

    @raw_state_pre_process
    def raw_state_to_update_reward(self, raw_state: Any) -> float:
        """Return the gain of the episode, in the sparse mode; 0 in the dense one."""
        if self.reward_mode == "dense":
            return 0.0
        return self._scaled(self._value(raw_state) - self.starting_cash)

    @raw_state_pre_process
    def raw_state_to_done(self, raw_state: Any) -> bool:
        """Return whether cash and shares are worth no more than the allowed share of the starting cash."""
        return bool(self._value(raw_state) <= self.down_done_condition)

    @raw_state_pre_process
    def raw_state_to_info(self, raw_state: Any) -> dict[str, Any]:
        """Return nothing, or in debug mode the market and the account."""
        if not self.debug_mode:
            return {}
        market, internal = raw_state["parsed_mkt_data"], raw_state["internal_data"]
        bids, asks, last = market["bids"], market["asks"], market["last_transaction"]
        mid = markets_agent_utils.get_mid_price(bids, asks, last)
        best_bid, best_ask = best(bids, last), best(asks, last)
        last_bid, last_ask = (markets_agent_utils.get_last_val(book, mid) for book in (bids, asks))
        return {
            "last_transaction": last,
            "best_bid": best_bid,
            "best_ask": best_ask,
            "spread": _difference(best_ask, best_bid),
            "bids": bids,
            "asks": asks,
            "cash": internal["cash"],
            "current_time": internal["current_time"],
            "holdings": internal["holdings"],
            "orderbook": {"bids": _levels(bids), "asks": _levels(asks)},
            "order_status": internal["order_status"],
            "mkt_open": internal["mkt_open"],
            "mkt_close": internal["mkt_close"],
            "last_bid": last_bid,
            "last_ask": last_ask,
            "wide_spread": _difference(last_ask, last_bid),
            "ask_spread": _difference(last_ask, best_ask),
            "bid_spread": _difference(best_bid, last_bid),
            "marked_to_market": self._value(raw_state),
        }

    def _value(self, raw_state: Mapping[str, Any]) -> int:
        """Return cash and shares at the last trade, cents; before a trade is known, shares count as nothing."""
        internal = raw_state["internal_data"]
        price = raw_state["parsed_mkt_data"]["last_transaction"] or 0
        return int(internal["cash"] + internal["holdings"] * price)

    def _scaled(self, gain: float) -> float:
        steps_per_day = parameters.SESSION / self.timestep_duration
        return gain / self.order_fixed_size / steps_per_day


def _levels(book: Sequence[tuple[int, int]]) -> dict[str, dict[int, NDArray[np.int64]]]:
    values = [markets_agent_utils.get_val(book, level) for level in range(DEBUG_LEVELS)]
    return {
        "price": {level: np.array([price]) for level, (price, _) in enumerate(values)},
        "volume": {level: np.array([shares]) for level, (_, shares) in enumerate(values)},
    }


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
