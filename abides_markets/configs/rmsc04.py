"""Reference market configuration 04: 1 exchange, 1000 noise, 102 value, 2 market-maker and 12 momentum agents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from abides_core.utils import datetime_str_to_ns
from abides_core.utils import str_to_ns
from abides_markets.configs.builder import MarketBuilder
from abides_markets.models import OrderSizeModel
from abides_markets.switches import REFERENCE
from abides_markets.switches import Switches


def build_config(
    seed: int | None = None,
    date: str = "20210205",
    end_time: str | int = "10:00:00",
    stdout_log_level: str = "INFO",
    ticker: str = "ABM",
    starting_cash: int = 10_000_000,
    log_orders: bool | None = True,
    book_logging: bool = True,
    book_log_depth: int = 10,
    stream_history_length: int = 500,
    exchange_log_orders: bool | None = None,
    num_noise_agents: int = 1000,
    num_value_agents: int = 102,
    r_bar: int = 100_000,
    kappa: float = 1.67e-15,
    lambda_a: float = 5.7e-12,
    kappa_oracle: float = 1.67e-16,
    sigma_s: float = 0,
    fund_vol: float = 5e-5,
    megashock_lambda_a: float = 2.77778e-18,
    megashock_mean: float = 1000,
    megashock_var: float = 50_000,
    mm_window_size: int | str = "adaptive",
    mm_pov: float = 0.025,
    mm_num_ticks: int = 10,
    mm_wake_up_freq: str | int = "60s",
    mm_min_order_size: int = 1,
    mm_skew_beta: float = 0,
    mm_price_skew: int | None = 4,
    mm_level_spacing: float = 5,
    mm_spread_alpha: float = 0.75,
    mm_backstop_quantity: int = 0,
    mm_cancel_limit_delay: int = 50,
    num_momentum_agents: int = 12,
    latency_seed: int | None = None,
    switches: Switches = REFERENCE,
    fund_drift: float = 0,
) -> dict[str, Any]:
    """Build the market.

    Args:
        seed: Seed of everything, 0 ≤ seed < 2**32; by default the clock's microseconds.
        date: Day of the simulation.
        end_time: Market close, time of day as text or ns since midnight.
        stdout_log_level: Level for those who configure logging.
        ticker: Traded symbol.
        starting_cash: Cash of every agent at the start, cents.
        log_orders: Whether agents log events about orders.
        book_logging: Whether the book logs a snapshot at every event.
        book_log_depth: Levels a side in a snapshot.
        stream_history_length: Length of the exchange's order stream, entries.
        exchange_log_orders: Whether the exchange logs requests and notifications about orders.
        num_noise_agents: Noise traders.
        num_value_agents: Value traders.
        r_bar: Mean of the fundamental, cents.
        kappa: Mean reversion that value traders assume, per ns.
        lambda_a: Arrival rate of each value trader, per ns.
        kappa_oracle: Mean reversion of the fundamental, per ns.
        sigma_s: Not used by the oracle; kept for the API.
        fund_vol: Volatility of the fundamental, cents per √ns.
        megashock_lambda_a: Rate of shocks to the fundamental, per ns.
        megashock_mean: Mean size of a shock, cents.
        megashock_var: Variance of a shock's size, cents².
        mm_window_size: Market makers' window, cents or `adaptive`.
        mm_pov: Market makers' share of the volume.
        mm_num_ticks: Market makers' levels a side.
        mm_wake_up_freq: Market makers' mean time between wake-ups, a duration.
        mm_min_order_size: Market makers' least size, shares.
        mm_skew_beta: Strength of their inventory skew.
        mm_price_skew: Strength of their price skew, cents.
        mm_level_spacing: Distance of their levels, in windows.
        mm_spread_alpha: Weight of the newest spread in their moving average.
        mm_backstop_quantity: Size of their outermost quotes, shares.
        mm_cancel_limit_delay: Time between withdrawing quotes and asking for the book, ns.
        num_momentum_agents: Momentum traders.
        latency_seed: Seed of the agents' positions, by default drawn like everything else.
        switches: Repairs of the reference market.
        fund_drift: Drift of the fundamental, cents per ns.

    Returns:
        What `abides.run` takes; also `seed`, `latency_seed` and the configuration's own stream `random_state`.
    """
    if seed is None:
        seed = int(datetime.now().timestamp() * 1_000_000) % (2**32 - 1)
    midnight = datetime_str_to_ns(date)
    mkt_open = midnight + str_to_ns("09:30:00")
    day_end = midnight + str_to_ns("16:00:00")
    order_size_model = OrderSizeModel()

    market = MarketBuilder(seed, ticker, mkt_open, midnight + str_to_ns(end_time), starting_cash, log_orders)
    market.add_oracle(
        day_end,
        r_bar=r_bar,
        kappa=kappa_oracle,
        sigma_s=sigma_s,
        fund_vol=fund_vol,
        drift=fund_drift,
        megashock_lambda_a=megashock_lambda_a,
        megashock_mean=megashock_mean,
        megashock_var=megashock_var,
    )
    market.add_exchange(
        book_logging=book_logging,
        book_log_depth=book_log_depth,
        log_orders=exchange_log_orders,
        stream_history=stream_history_length,
        switches=switches,
    )
    market.add_noise_agents(
        num_noise_agents, mkt_open - str_to_ns("00:30:00"), day_end, order_size_model=order_size_model
    )
    market.add_value_agents(
        num_value_agents,
        sigma_n=r_bar / 100,
        r_bar=r_bar,
        kappa=kappa,
        lambda_a=lambda_a,
        order_size_model=order_size_model,
    )
    market.add_market_makers(
        pov=mm_pov,
        min_order_size=mm_min_order_size,
        window_size=mm_window_size,
        num_ticks=mm_num_ticks,
        wake_up_freq=mm_wake_up_freq,
        cancel_limit_delay=mm_cancel_limit_delay,
        skew_beta=mm_skew_beta,
        price_skew_param=mm_price_skew,
        level_spacing=mm_level_spacing,
        spread_alpha=mm_spread_alpha,
        backstop_quantity=mm_backstop_quantity,
        switches=switches,
    )
    market.add_momentum_agents(num_momentum_agents, wake_up_freq="37s", order_size_model=order_size_model)
    stop_time = market.mkt_close + str_to_ns("1s")
    return {"seed": seed, **market.config(midnight, stop_time, stdout_log_level, latency_seed)}
