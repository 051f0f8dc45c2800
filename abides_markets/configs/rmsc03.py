"""Reference market configuration 03: 1 exchange, 5000 noise, 100 value, 2 market-maker and 25 momentum agents.

Upstream's file of this name adds a percentage-of-volume execution agent, of a class that upstream does not contain; it
is left out, as in the recorded runs.
"""

from __future__ import annotations

from typing import Any

from abides_core.utils import datetime_str_to_ns
from abides_core.utils import str_to_ns
from abides_markets.configs.builder import MarketBuilder
from abides_markets.switches import REFERENCE
from abides_markets.switches import Switches

STARTING_CASH = 10_000_000


def build_config(
    ticker: str = "ABM",
    historical_date: str = "20200603",
    start_time: str | int = "09:30:00",
    end_time: str | int = "16:00:00",
    exchange_log_orders: bool | None = True,
    log_orders: bool | None = True,
    book_logging: bool = True,
    book_log_depth: int = 10,
    seed: int = 1,
    stdout_log_level: str = "INFO",
    num_momentum_agents: int = 25,
    num_noise_agents: int = 5000,
    num_value_agents: int = 100,
    execution_agents: bool = False,
    execution_pov: float = 0.1,
    mm_pov: float = 0.025,
    mm_window_size: int | str = "adaptive",
    mm_min_order_size: int = 1,
    mm_num_ticks: int = 10,
    mm_wake_up_freq: str | int = "10s",
    mm_skew_beta: float = 0,
    mm_level_spacing: float = 5,
    mm_spread_alpha: float = 0.75,
    mm_backstop_quantity: int = 50_000,
    fund_r_bar: int = 100_000,
    fund_kappa: float = 1.67e-16,
    fund_sigma_s: float = 0,
    fund_vol: float = 1e-3,
    fund_megashock_lambda_a: float = 2.77778e-18,
    fund_megashock_mean: float = 1000,
    fund_megashock_var: float = 50_000,
    val_r_bar: int = 100_000,
    val_kappa: float = 1.67e-15,
    val_vol: float = 1e-8,
    val_lambda_a: float = 7e-11,
    latency_seed: int | None = None,
    switches: Switches = REFERENCE,
) -> dict[str, Any]:
    """Build the market.

    Args:
        ticker: Traded symbol.
        historical_date: Day of the simulation.
        start_time: Market open, time of day as text or ns since midnight.
        end_time: Market close, likewise.
        exchange_log_orders: Whether the exchange logs requests and notifications about orders.
        log_orders: Whether agents log events about orders.
        book_logging: Whether the book logs a snapshot at every event.
        book_log_depth: Levels a side in a snapshot.
        seed: Seed of everything, 0 ≤ seed < 2**32.
        stdout_log_level: Level for those who configure logging.
        num_momentum_agents: Momentum traders.
        num_noise_agents: Noise traders.
        num_value_agents: Value traders.
        execution_agents: Kept for the API: `True` is refused.
        execution_pov: Not used; kept for the API.
        mm_pov: Market makers' share of the volume.
        mm_window_size: Market makers' window, cents or `adaptive`.
        mm_min_order_size: Market makers' least size, shares.
        mm_num_ticks: Market makers' levels a side.
        mm_wake_up_freq: Market makers' mean time between wake-ups, a duration.
        mm_skew_beta: Strength of their inventory skew.
        mm_level_spacing: Distance of their levels, in windows.
        mm_spread_alpha: Weight of the newest spread in their moving average.
        mm_backstop_quantity: Size of their outermost quotes, shares.
        fund_r_bar: Mean of the fundamental, cents.
        fund_kappa: Mean reversion of the fundamental, per ns.
        fund_sigma_s: Not used by the oracle; kept for the API.
        fund_vol: Volatility of the fundamental, cents per √ns.
        fund_megashock_lambda_a: Rate of shocks to the fundamental, per ns.
        fund_megashock_mean: Mean size of a shock, cents.
        fund_megashock_var: Variance of a shock's size, cents².
        val_r_bar: Mean that value traders assume, cents.
        val_kappa: Mean reversion that value traders assume, per ns.
        val_vol: Not used; kept for the API.
        val_lambda_a: Arrival rate of each value trader, per ns.
        latency_seed: Seed of the agents' positions, by default drawn like everything else.
        switches: Repairs of the reference market.

    Returns:
        What `abides.run` takes; also `latency_seed` and the configuration's own stream `random_state`.

    Raises:
        ValueError: If execution agents are asked for.
    """
    if execution_agents:
        raise ValueError(
            "rmsc03 has no execution agent of its own: leave execution_agents=False and add yours with"
            " abides_markets.utils.config_append_agents"
        )
    midnight = datetime_str_to_ns(historical_date)
    mkt_open = midnight + str_to_ns(start_time)
    mkt_close = midnight + str_to_ns(end_time)

    market = MarketBuilder(seed, ticker, mkt_open, mkt_close, STARTING_CASH, log_orders)
    market.add_oracle(
        mkt_close,
        r_bar=fund_r_bar,
        kappa=fund_kappa,
        sigma_s=fund_sigma_s,
        fund_vol=fund_vol,
        megashock_lambda_a=fund_megashock_lambda_a,
        megashock_mean=fund_megashock_mean,
        megashock_var=fund_megashock_var,
    )
    market.add_exchange(
        book_logging=book_logging,
        book_log_depth=book_log_depth,
        log_orders=exchange_log_orders,
        stream_history=25_000,
        switches=switches,
    )
    market.add_noise_agents(
        num_noise_agents, midnight + str_to_ns("09:00:00"), midnight + str_to_ns("16:00:00"), name="NoiseAgent_{}"
    )
    market.add_value_agents(
        num_value_agents, sigma_n=val_r_bar / 10, r_bar=val_r_bar, kappa=val_kappa, lambda_a=val_lambda_a
    )
    market.add_market_makers(
        pov=mm_pov,
        min_order_size=mm_min_order_size,
        window_size=mm_window_size,
        num_ticks=mm_num_ticks,
        wake_up_freq=mm_wake_up_freq,
        cancel_limit_delay=50,
        skew_beta=mm_skew_beta,
        level_spacing=mm_level_spacing,
        spread_alpha=mm_spread_alpha,
        backstop_quantity=mm_backstop_quantity,
        switches=switches,
    )
    market.add_momentum_agents(num_momentum_agents, wake_up_freq="20s")
    return market.config(midnight, mkt_close + str_to_ns("1min"), stdout_log_level, latency_seed)
