"""What the reference configurations have in common: one stream of seeds, and agents added in the order of their ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from abides_core.streams import Seed
from abides_core.streams import random_state
from abides_core.utils import NanosecondTime
from abides_core.utils import fmt_ts
from abides_core.utils import get_wake_time
from abides_markets.agents import AdaptiveMarketMakerAgent
from abides_markets.agents import ExchangeAgent
from abides_markets.agents import MomentumAgent
from abides_markets.agents import NoiseAgent
from abides_markets.agents import ValueAgent
from abides_markets.oracles import SparseMeanRevertingOracle
from abides_markets.utils import generate_latency_model

DEFAULT_COMPUTATION_DELAY = 50
MAKERS = 2


class MarketBuilder:
    """Builds a market of the reference's kind.

    Every seed comes from one stream, in the order of the calls, which a recorded tape depends on: the oracle, the
    exchange, noise traders, value traders, market makers, momentum traders, and last the kernel and the latencies.

    Args:
        seed: Seed of everything, 0 ≤ seed < 2**32.
        ticker: Traded symbol.
        mkt_open: Open, ns since the epoch.
        mkt_close: Close, ns since the epoch.
        starting_cash: Cash of every agent at the start, cents.
        log_orders: Whether agents log events about orders.

    Attributes:
        stream: The configuration's own stream.
        agents: The agents so far; the id of the next is their number.

    Raises:
        ValueError: If the seed is out of range, or the market closes before it opens.
    """

    def __init__(
        self,
        seed: int,
        ticker: str,
        mkt_open: NanosecondTime,
        mkt_close: NanosecondTime,
        starting_cash: int,
        log_orders: bool | None,
    ) -> None:
        if mkt_close < mkt_open:
            raise ValueError(f"the market closes before it opens: {fmt_ts(mkt_open)} to {fmt_ts(mkt_close)}")
        self.stream = random_state(seed)
        self.ticker = ticker
        self.mkt_open = mkt_open
        self.mkt_close = mkt_close
        self.money: dict[str, Any] = {"symbol": ticker, "starting_cash": starting_cash, "log_orders": log_orders}
        self.agents: list[Any] = []
        self.oracle: SparseMeanRevertingOracle | None = None

    def draw_seed(self) -> Seed:
        """Return the next seed."""
        return Seed(self.stream.randint(0, 2**32, dtype=np.uint64))

    def add_oracle(self, mkt_close: NanosecondTime, **parameters: Any) -> None:
        """Set the fundamental up to `mkt_close` (ns since the epoch); the parameters are those of a symbol."""
        symbols = {self.ticker: {**parameters, "random_state": self.draw_seed().make()}}
        self.oracle = SparseMeanRevertingOracle(self.mkt_open, mkt_close, symbols, self.stream)

    def add_exchange(self, **parameters: Any) -> None:
        """Add the exchange, which answers at once."""
        self.agents.append(
            ExchangeAgent(
                id=len(self.agents),
                name="EXCHANGE_AGENT",
                type="ExchangeAgent",
                mkt_open=self.mkt_open,
                mkt_close=self.mkt_close,
                symbols=[self.ticker],
                pipeline_delay=0,
                computation_delay=0,
                random_state=self.draw_seed(),
                **parameters,
            )
        )

    def add_noise_agents(
        self, count: int, first: NanosecondTime, last: NanosecondTime, name: str = "NoiseAgent {}", **parameters: Any
    ) -> None:
        """Add noise traders that trade at a random time between two, ns since the epoch."""
        for _ in range(count):
            wakeup_time = get_wake_time(first, last, self.stream)
            self._add(NoiseAgent, 1, name, wakeup_time=wakeup_time, **parameters)

    def add_value_agents(self, count: int, **parameters: Any) -> None:
        """Add value traders."""
        self._add(ValueAgent, count, "Value Agent {}", **parameters)

    def add_market_makers(self, **parameters: Any) -> None:
        """Add the two market makers."""
        self._add(
            AdaptiveMarketMakerAgent,
            MAKERS,
            "ADAPTIVE_POV_MARKET_MAKER_AGENT_{}",
            type="AdaptivePOVMarketMakerAgent",
            poisson_arrival=True,
            **parameters,
        )

    def add_momentum_agents(self, count: int, **parameters: Any) -> None:
        """Add momentum traders, of 1 to 9 shares unless they have a size model."""
        self._add(
            MomentumAgent, count, "MOMENTUM_AGENT_{}", min_size=1, max_size=10, poisson_arrival=True, **parameters
        )

    def _add(self, agent: type[Any], count: int, name: str, **parameters: Any) -> None:
        for _ in range(count):
            number = len(self.agents)
            self.agents.append(
                agent(
                    id=number,
                    name=name.format(number),
                    random_state=self.draw_seed(),
                    **{"type": agent.__name__, **self.money, **parameters},
                )
            )

    def config(
        self,
        start_time: NanosecondTime,
        stop_time: NanosecondTime,
        stdout_log_level: str,
        latency_seed: int | None = None,
    ) -> dict[str, Any]:
        """Return what `abides.run` takes; also `latency_seed` and the configuration's own stream `random_state`.

        Args:
            start_time: First instant of the simulation, ns since the epoch.
            stop_time: Its last, ns since the epoch.
            stdout_log_level: Level for those who configure logging.
            latency_seed: Seed of the agents' positions, by default drawn like everything else.
        """
        random_state_kernel = self.draw_seed().make()
        drawn = int(self.draw_seed())
        latency_seed = drawn if latency_seed is None else latency_seed
        return {
            "start_time": start_time,
            "stop_time": stop_time,
            "agents": self.agents,
            "agent_latency_model": generate_latency_model(len(self.agents), random_state=random_state(latency_seed)),
            "default_computation_delay": DEFAULT_COMPUTATION_DELAY,
            "custom_properties": {"oracle": self.oracle},
            "random_state_kernel": random_state_kernel,
            "stdout_log_level": stdout_log_level,
            "latency_seed": latency_seed,
            "random_state": self.stream,
        }
