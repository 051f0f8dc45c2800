"""The base of environments whose learning agent trades in a market."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import Any

from abides_core.engines import AUTO
from abides_core.generators import InterArrivalTimeGenerator
from abides_core.utils import str_to_ns
from abides_gym.envs.core_environment import AbidesGymCoreEnv
from abides_gym.experimental_agents.financial_gym_agent import FinancialGymAgent
from abides_markets.agents.background.core_background_agent import RawState
from abides_markets.agents.background.core_background_agent import copy_raw_state
from abides_markets.agents.utils import identity_decorator

SETTLEMENT = str_to_ns("1s")
"""Time that orders still open at the end of an episode are given to be confirmed."""


class AbidesGymMarketsEnv(AbidesGymCoreEnv, ABC):
    """Runs a market with a `FinancialGymAgent`, whose actions are lists of orders and cancellations.

    Args:
        background_config_pair: A `build_config` function and its keyword arguments (or `None`).
        wakeup_interval_generator: Times between decisions.
        starting_cash: Cash of the learning agent at the start, cents.
        state_buffer_length: Raw states that the agent keeps.
        market_data_buffer_length: Messages of each market data subscription that it keeps.
        first_interval: Time from the open to the first decision, ns.
        raw_state_pre_process: Not used: decorate the methods that read raw states; kept for the API.
        engine: As for `abides.run`.
        log_events: Whether agents keep event logs; they are read with `parse_logs_df(env.unwrapped.simulation.end())`.
        render_mode: `human` prints every step; by default nothing is printed.
    """

    def __init__(
        self,
        background_config_pair: tuple[Callable[..., dict[str, Any]], dict[str, Any] | None],
        wakeup_interval_generator: InterArrivalTimeGenerator,
        starting_cash: int,
        state_buffer_length: int,
        market_data_buffer_length: int,
        first_interval: int | None = None,
        raw_state_pre_process: Callable[..., Any] = identity_decorator,
        engine: str = AUTO,
        log_events: bool = False,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            background_config_pair,
            wakeup_interval_generator,
            state_buffer_length,
            first_interval,
            gymAgentConstructor=FinancialGymAgent,
            engine=engine,
            log_events=log_events,
            render_mode=render_mode,
        )
        self.extra_gym_agent_kvargs = {
            "starting_cash": starting_cash,
            "market_data_buffer_length": market_data_buffer_length,
        }
        self.extra_background_config_kvargs = {
            "exchange_log_orders": False,
            "book_logging": False,
            "log_orders": None,
        }

    def copy_raw_state(self, raw_state: RawState) -> RawState:
        """Return a raw state whose containers may be changed; its records are shared and read-only."""
        return copy_raw_state(raw_state)

    def settle(self) -> RawState | None:
        """Withdraw what is still open and run on until the exchange has confirmed it, so that no fill is lost.

        A decision interval is run through at least, and `SETTLEMENT` at most if that is longer: the reference market
        does not say when part of a market order finds nothing to trade with.
        """
        agent, simulation = self.gym_agent, self.simulation
        assert simulation is not None
        raw_state: RawState | None = None
        rewarded = len(agent.episode_executed_orders)
        until = agent.current_time + SETTLEMENT
        while agent.orders and not simulation.done and agent.current_time < until:
            raw_state = simulation.step([{"type": "CCL_ALL"}] if raw_state is None else [])
        if raw_state is not None:  # over several intervals, perhaps
            internal = raw_state[-1]["internal_data"]
            for prefix in ("", "parsed_"):
                executed = internal[f"{prefix}episode_executed_orders"][rewarded:]
                internal[f"{prefix}inter_wakeup_executed_orders"] = executed
        return raw_state
