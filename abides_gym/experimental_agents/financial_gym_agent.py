"""The trader of the market environments."""

from __future__ import annotations

import numpy as np

from abides_core.generators import InterArrivalTimeGenerator
from abides_core.streams import Seed
from abides_core.utils import NanosecondTime
from abides_gym.experimental_agents.core_gym_agent import CoreGymAgent
from abides_markets.agents.background.core_background_agent import CoreBackgroundAgent
from abides_markets.agents.background.core_background_agent import RawState
from abides_markets.agents.background.core_background_agent import copy_raw_state


class FinancialGymAgent(CoreBackgroundAgent, CoreGymAgent):
    """A trader that shows its raw state at every decision and carries out what an environment decides.

    Orders of a decision leave one computation delay after it; their fills appear in the raw state of the next.

    Args:
        id: Agent id.
        symbol: Traded symbol.
        starting_cash: Cash at the start, cents.
        subscribe_freq: Least time between two messages of each subscription, ns.
        subscribe: Whether it subscribes to quotes and volume at all.
        subscribe_num_levels: Levels a side of the quotes.
        wakeup_interval_generator: Times between decisions, ns; by default one minute.
        state_buffer_length: Raw states that are kept.
        market_data_buffer_length: Messages of each subscription that are kept.
        first_interval: Time from the open to the first decision, ns; by default one time between decisions.
        log_orders: Whether events about orders are logged.
        name: Name.
        type: Type for reports.
        random_state: The agent's stream.
    """

    def __init__(
        self,
        id: int,
        symbol: str,
        starting_cash: int,
        subscribe_freq: int = int(1e8),
        subscribe: bool = True,
        subscribe_num_levels: int | None = 10,
        wakeup_interval_generator: InterArrivalTimeGenerator | None = None,
        state_buffer_length: int = 2,
        market_data_buffer_length: int = 5,
        first_interval: NanosecondTime | None = None,
        log_orders: bool | None = False,
        name: str | None = None,
        type: str | None = None,
        random_state: np.random.RandomState | Seed | None = None,
    ) -> None:
        super().__init__(
            id,
            symbol,
            starting_cash,
            subscribe_freq=subscribe_freq,
            subscribe=subscribe,
            subscribe_num_levels=subscribe_num_levels,
            wakeup_interval_generator=wakeup_interval_generator,
            state_buffer_length=state_buffer_length,
            market_data_buffer_length=market_data_buffer_length,
            first_interval=first_interval,
            log_orders=log_orders,
            name=name,
            type=type,
            random_state=random_state,
        )

    def act_on_wakeup(self) -> RawState:
        """Ask for the next wake-up and hand out the raw state, which interrupts the kernel."""
        self.set_wakeup(self.current_time + int(self.wakeup_interval_generator.next()))
        self.update_raw_state()
        shown = copy_raw_state(self.raw_state)
        self.new_step_reset()
        return shown
