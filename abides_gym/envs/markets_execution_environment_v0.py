"""The execution environment: buy or sell a given quantity within a given time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

import abides_markets.agents.utils as markets_agent_utils
from abides_core.engines import AUTO
from abides_core.generators import ConstantTimeGenerator
from abides_gym.envs import parameters
from abides_gym.envs.market_features import MarketFeatures
from abides_gym.envs.market_features import best
from abides_gym.envs.market_features import box
from abides_gym.envs.market_features import observation
from abides_gym.envs.markets_environment import AbidesGymMarketsEnv

ACTIONS = ("market order", "limit order at the near touch", "nothing")


class SubGymMarketsExecutionEnv_v0(AbidesGymMarketsEnv):  # noqa: N801  name of the ABIDES API
    """Work a parent order; every decision sends one child order of a fixed size, or none.

    Actions: 0 cancels what is open and sends a market order, 1 cancels what is open and sends a limit order at the best
    price of the own side, 2 does nothing. Observation, rewards and ends are described in `docs/abides_gym.md`.

    Args:
        background_config: Market configuration, by its name in `abides_markets.configs`.
        mkt_close: Market close, time of day from 09:30:00 to 16:00:00.
        timestep_duration: Time between decisions.
        starting_cash: Cash of the agent at the start, cents.
        order_fixed_size: Shares of a child order.
        state_history_length: Decisions whose books are kept; there is one return less in the observation.
        market_data_buffer_length: Messages of each market data subscription that are kept.
        first_interval: Time from the open to the first decision.
        parent_order_size: Shares to trade.
        execution_window: Time from the first decision to the end.
        direction: `BUY` or `SELL`.
        not_enough_reward_update: Added at the end for every share that is missing, a parent order's share.
        too_much_reward_update: Added at the end for every share too many, a parent order's share.
        just_quantity_reward_update: Added at the end for exact completion, divided by the parent order.
        debug_mode: Whether the info tells of the market rather than of the tracker.
        background_config_extra_kvargs: Further arguments of the market configuration.
        engine: As for `abides.run`.
        log_events: Whether agents keep event logs; they are read with `parse_logs_df(env.unwrapped.simulation.end())`.
        render_mode: `human` prints every step; by default nothing is printed.

    Raises:
        AssertionError: If a parameter is not allowed.

    Attributes:
        entry_price: The mid at the first decision, cents; `None` before a price is known.
        near_touch: Best price of the own side, or the last trade; `None` before a price is known.
        far_touch: Best price of the other side, or the last trade; `None` before a price is known.
        step_index: Observations made in the episode.
        pnl: Gain of the last step's executions over the entry price, cents.
        custom_metrics_tracker: What the info shows.
    """

    first_interval: int
    observation_space: spaces.Box
    raw_state_pre_process = markets_agent_utils.ignore_buffers_decorator
    raw_state_to_state_pre_process = markets_agent_utils.ignore_mkt_data_buffer_decorator

    @dataclass
    class CustomMetricsTracker:
        """An episode so far: features of the last observation, rewards, quantities and actions."""

        slippage_reward: float = 0
        late_penalty_reward: float = 0
        executed_quantity: int = 0
        remaining_quantity: int = 0
        action_counter: dict[str, int] = field(default_factory=dict)
        holdings_pct: float = 0
        time_pct: float = 0
        diff_pct: float = 0
        imbalance_all: float = 0
        imbalance_5: float = 0
        price_impact: float = 0
        spread: float = 0
        direction_feature: float = 0
        num_max_steps_per_episode: float = 0

    def __init__(
        self,
        background_config: str = "rmsc04",
        mkt_close: str = "16:00:00",
        timestep_duration: str = "60s",
        starting_cash: int = 1_000_000,
        order_fixed_size: int = 10,
        state_history_length: int = 4,
        market_data_buffer_length: int = 5,
        first_interval: str = "00:00:30",
        parent_order_size: int = 1000,
        execution_window: str = "00:10:00",
        direction: str = "BUY",
        not_enough_reward_update: float = -1000,
        too_much_reward_update: float = -100,
        just_quantity_reward_update: float = 0,
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
        self.parent_order_size = parameters.whole("parent_order_size", parent_order_size, 1)
        self.execution_window = parameters.duration(
            "execution_window", execution_window, "0s", "06:30:00", least_allowed=False
        )
        self.direction = parameters.one_of("direction", direction, ("BUY", "SELL"))
        self.not_enough_reward_update = parameters.number("not_enough_reward_update", not_enough_reward_update)
        self.too_much_reward_update = parameters.number("too_much_reward_update", too_much_reward_update)
        self.just_quantity_reward_update = parameters.number("just_quantity_reward_update", just_quantity_reward_update)
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
        self.side = 1 if self.direction == "BUY" else -1
        self.action_space = spaces.Discrete(len(ACTIONS))
        self.observation_space = box(
            (-2, 2), (-2, 2), (-4, 4), (0, 1), (0, 1), unbounded=3 + self.state_history_length - 1
        )
        self._begin_episode()

    def _begin_episode(self) -> None:
        self.entry_price: float | None = None
        self.near_touch: float | None = None
        self.far_touch: float | None = None
        self.step_index = 0
        self.pnl = 0.0
        self.custom_metrics_tracker = self.CustomMetricsTracker(
            remaining_quantity=self.parent_order_size,
            action_counter={f"action_{index}": 0 for index in range(len(ACTIONS))},
            num_max_steps_per_episode=(self.first_interval + self.execution_window) / self.timestep_duration,
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode: a new market, a new entry price, a new tracker."""
        self._begin_episode()
        return super().reset(seed=seed, options=options)

    def _map_action_space_to_ABIDES_SIMULATOR_SPACE(self, action: int) -> list[dict[str, Any]]:  # noqa: N802
        action = parameters.action(action, ACTIONS)
        self.pnl = 0.0  # a new step
        self.custom_metrics_tracker.action_counter[f"action_{action}"] += 1
        order = {"direction": self.direction, "size": self.order_fixed_size}
        if action == 0:
            return [{"type": "CCL_ALL"}, {"type": "MKT", **order}]
        if action == 1 and self.near_touch is not None:
            return [{"type": "CCL_ALL"}, {"type": "LMT", **order, "limit_price": int(self.near_touch)}]
        return [{"type": "CCL_ALL"}] if action == 1 else []

    @raw_state_to_state_pre_process
    def raw_state_to_state(self, raw_state: Any) -> NDArray[np.float32]:
        """Return the observation, and update prices, tracker and step index."""
        market = MarketFeatures.of(raw_state["parsed_mkt_data"], self.state_history_length)
        if self.entry_price is None:
            self.entry_price = market.mid
        bid, ask = best(market.bids, market.last_transaction), best(market.asks, market.last_transaction)
        self.near_touch, self.far_touch = (bid, ask) if self.side > 0 else (ask, bid)
        holdings_pct = self.side * raw_state["internal_data"]["holdings"][-1] / self.parent_order_size
        time_pct = self._elapsed(raw_state["internal_data"]) / self.execution_window
        price_impact = 0.0
        if market.mid and self.entry_price:
            price_impact = self.side * math.log(market.mid / self.entry_price)
        tracker = self.custom_metrics_tracker
        tracker.holdings_pct = holdings_pct
        tracker.time_pct = time_pct
        tracker.diff_pct = holdings_pct - time_pct
        tracker.imbalance_all = markets_agent_utils.get_imbalance(market.bids, market.asks)
        tracker.imbalance_5 = markets_agent_utils.get_imbalance(market.bids, market.asks, depth=5)
        tracker.price_impact = price_impact
        tracker.spread = market.spread
        tracker.direction_feature = market.direction
        self.step_index += 1
        features = [
            tracker.holdings_pct,
            tracker.time_pct,
            tracker.diff_pct,
            tracker.imbalance_all,
            tracker.imbalance_5,
            tracker.price_impact,
            tracker.spread,
            tracker.direction_feature,
            *market.returns,
        ]
        return observation(features, self.observation_space)

    def _elapsed(self, internal: Mapping[str, Any]) -> int:
        now, start = internal["current_time"][-1], internal["mkt_open"][-1] + self.first_interval
        assert now >= start, f"a decision at {now} ns, before the first one is due at {start} ns"
        return int(now - start)

    @raw_state_pre_process
    def raw_state_to_reward(self, raw_state: Any) -> float:
        """Return the gain of the last executions over the entry price, cents per share of the parent order.

        The last step of an episode is rewarded twice if orders are still open: for its executions and for those after.
        """
        executed = raw_state["internal_data"]["parsed_inter_wakeup_executed_orders"]
        entry = self.entry_price
        gain = 0.0 if entry is None else sum(self.side * (entry - price) * shares for shares, price in executed)
        self.pnl += gain
        self.custom_metrics_tracker.slippage_reward = self.pnl / self.parent_order_size
        return gain / self.parent_order_size

    @raw_state_pre_process
    def raw_state_to_update_reward(self, raw_state: Any) -> float:
        """Return what is added at the end for shares missing or too many, or for the exact quantity."""
        excess = self._count(raw_state["internal_data"]) - self.parent_order_size
        if excess > 0:
            update = excess * self.too_much_reward_update
        elif excess < 0:
            update = -excess * self.not_enough_reward_update
        else:
            update = self.just_quantity_reward_update
        self.custom_metrics_tracker.late_penalty_reward = update / self.parent_order_size
        return self.custom_metrics_tracker.late_penalty_reward

    @raw_state_pre_process
    def raw_state_to_done(self, raw_state: Any) -> bool:
        """Return whether the parent order is complete or its time is over."""
        return self._count(raw_state["internal_data"]) >= self.parent_order_size or self._is_late(raw_state)

    @raw_state_pre_process
    def is_cut_off(self, raw_state: Any) -> bool:
        """Return whether time ran out before the parent order was complete."""
        return self._count(raw_state["internal_data"]) < self.parent_order_size

    def _count(self, internal: Mapping[str, Any]) -> int:
        """Return the shares traded in the direction of the parent order, and leave them in the tracker."""
        executed: int = self.side * internal["holdings"]
        self.custom_metrics_tracker.executed_quantity = executed
        self.custom_metrics_tracker.remaining_quantity = self.parent_order_size - executed
        return executed

    def _is_late(self, raw_state: Mapping[str, Any]) -> bool:
        internal = raw_state["internal_data"]
        end = internal["mkt_open"] + self.first_interval + self.execution_window
        return bool(internal["current_time"] >= end)

    @raw_state_pre_process
    def raw_state_to_info(self, raw_state: Any) -> dict[str, Any]:
        """Return the tracker, or in debug mode the market and the account."""
        if not self.debug_mode:
            tracker = self.custom_metrics_tracker  # by hand: asdict copies every number, a tenth of a one-second step
            return {**vars(tracker), "action_counter": tracker.action_counter.copy()}
        market, internal = raw_state["parsed_mkt_data"], raw_state["internal_data"]
        last = market["last_transaction"]
        return {
            "last_transaction": last,
            "best_bid": best(market["bids"], last),
            "best_ask": best(market["asks"], last),
            "current_time": internal["current_time"],
            "holdings": internal["holdings"],
            "parent_size": self.parent_order_size,
            "pnl": self.pnl,
            "reward": self.pnl / self.parent_order_size,
        }
