"""Noise, value, momentum and market-maker agents, and what all trading agents have in common.

Each function follows the method of the same purpose in the reference engine, draw by draw and message by message.
"""

from __future__ import annotations

import math

import numpy as np

from abides_markets.compiled.execution import receive_execution
from abides_markets.compiled.execution import wake_execution
from abides_markets.compiled.jit import compiled
from abides_markets.compiled.layout import *
from abides_markets.compiled.open_orders import account
from abides_markets.compiled.open_orders import cancel_all_orders
from abides_markets.compiled.open_orders import new_record
from abides_markets.compiled.open_orders import order_event
from abides_markets.compiled.open_orders import place_order
from abides_markets.compiled.oracle import observe
from abides_markets.compiled.queue import agent_row
from abides_markets.compiled.queue import ask
from abides_markets.compiled.queue import new_event
from abides_markets.compiled.queue import new_message_id
from abides_markets.compiled.queue import send
from abides_markets.compiled.queue import wake_at
from abides_markets.compiled.streams import exponential
from abides_markets.compiled.streams import first_gauss
from abides_markets.compiled.streams import randint
from abides_markets.compiled.streams import random_sample

LARGEST_DRAW = 2**63 - 2
COMPONENTS = 11
LOGNORMAL_MEAN, LOGNORMAL_SD = 2.9, 1.2
LOT, LOT_SD = 100, 0.15


@compiled
def _draw_size(b, f, u, a):
    """Return the shares of the next order: fixed, or from the mixture."""
    if b[a + A_SIZE_MODEL] == 0:
        return b[a + A_SIZE]
    stream = b[a + A_STREAM]
    seed = randint(b, u, stream, 0, 1_000_000)
    drawn = random_sample(b, u, stream)
    law = b[SIZE_LAW]
    component = 0
    while component < COMPONENTS - 1 and f[law + component] <= drawn:
        component += 1
    normal = first_gauss(b, u, b[SCRATCH], seed)
    if component == 0:
        return np.int64(np.rint(math.exp(LOGNORMAL_MEAN + LOGNORMAL_SD * normal)))
    return np.int64(np.rint(LOT * component + LOT_SD * normal))


# What all trading agents do


@compiled
def wake(b, f, u, agent):
    """Hand a wake-up to an agent."""
    a = agent_row(b, agent)
    if b[a + A_FIRST_WAKE]:
        b[a + A_FIRST_WAKE] = 0
        ask(b, agent, CLOSE_PRICE_REQUEST, 0)
    if not b[a + A_HOURS]:
        ask(b, agent, HOURS_REQUEST, 0)
    kind = b[a + A_KIND]
    may_trade = b[a + A_HOURS] == 1 and b[a + A_CLOSED] == 0
    if kind == NOISE:
        _wake_noise(b, agent, a)
    elif kind == VALUE:
        _wake_value(b, u, agent, a)
    elif kind == MOMENTUM:
        if may_trade:
            ask(b, agent, QUERY_SPREAD, 1)
            b[a + A_STATE] = AWAITING_SPREAD
    elif kind == MAKER:
        _wake_maker(b, agent, a, may_trade)
    elif kind == EXECUTION:
        wake_execution(b, agent, a, may_trade)


@compiled
def _first_offset(b, u, a):
    """Draw the time from the open to an agent's first wake-up."""
    kind = b[a + A_KIND]
    if kind == NOISE:
        return randint(b, u, b[a + A_STREAM], 0, 100)
    if kind == EXECUTION:
        return b[b[a + A_BLOCK] + E_START] - b[OPEN]
    return _next_gap(b, b.view(np.float64), u, a)


@compiled
def _next_gap(b, f, u, a):
    """Draw the time to the next wake-up of a value, momentum or market-maker agent."""
    block = b[a + A_BLOCK]
    kind = b[a + A_KIND]
    if kind == VALUE:
        return np.int64(np.rint(exponential(b, u, b[a + A_STREAM], 1.0 / f[block + V_LAMBDA])))
    if kind == MOMENTUM:
        period, poisson = b[block + P_PERIOD], b[block + P_POISSON]
    else:
        period, poisson = b[block + M_PERIOD], b[block + M_POISSON]
    if not poisson:
        return period
    return np.int64(np.rint(exponential(b, u, b[a + A_STREAM], period * 1.0)))


@compiled
def receive(b, f, u, agent, e):
    """Hand a message to a trading agent."""
    a = agent_row(b, agent)
    kind = b[e + KIND]
    account(b, agent, e)
    if kind == HOURS:
        b[a + A_HOURS] = 1
    elif kind == SPREAD:
        b[a + A_BID] = b[e + DATA]
        b[a + A_ASK] = b[e + DATA + 1]
        b[a + A_LAST_TRADE] = b[e + DATA + 2]
        b[a + A_KNOWS_TRADE] = 1
        if b[e + DATA + 3]:
            b[a + A_CLOSED] = 1
        if b[a + A_CLOSED]:
            b[a + A_CLOSE_PRICE] = 1
    elif kind == VOLUME:
        b[a + A_BOUGHT] = b[e + DATA]
        b[a + A_SOLD] = b[e + DATA + 1]
        if b[e + DATA + 2]:
            b[a + A_CLOSED] = 1
    elif kind == CLOSE_PRICE:
        b[a + A_LAST_TRADE] = b[e + DATA]
        b[a + A_KNOWS_TRADE] = 1
    elif kind == MARKET_CLOSED:
        b[a + A_CLOSED] = 1
    if kind == HOURS:
        wake_at(b, agent, max(b[OPEN] + _first_offset(b, u, a), b[NOW]))
    if b[a + A_KIND] == MAKER:
        _receive_maker(b, f, u, agent, a, kind)
    elif b[a + A_KIND] == EXECUTION:
        receive_execution(b, agent, a, e)
    elif kind == SPREAD and b[a + A_STATE] == AWAITING_SPREAD:
        if b[a + A_KIND] == MOMENTUM:
            _trade_momentum(b, f, u, agent, a)
            wake_at(b, agent, b[NOW] + _next_gap(b, f, u, a))
            b[a + A_STATE] = IDLE
        elif not b[a + A_CLOSED]:
            if b[a + A_KIND] == NOISE:
                _trade_noise(b, f, u, agent, a)
            else:
                _trade_value(b, f, u, agent, a)
            b[a + A_STATE] = IDLE


# Noise


@compiled
def _wake_noise(b, agent, a):
    b[a + A_STATE] = IDLE
    if not b[a + A_HOURS] or (b[a + A_CLOSED] and b[a + A_CLOSE_PRICE]):
        return
    at = b[b[a + A_BLOCK] + N_WAKE]
    if at > b[NOW]:
        wake_at(b, agent, at)
        return
    ask(b, agent, QUERY_SPREAD, 1)
    b[a + A_STATE] = AWAITING_SPREAD


@compiled
def _trade_noise(b, f, u, agent, a):
    buys = randint(b, u, b[a + A_STREAM], 0, 2) == 1
    size = _draw_size(b, f, u, a)
    if size == 0:
        return
    if buys and b[a + A_ASK] > 0:
        place_order(b, agent, BID, size, b[a + A_ASK])
    elif not buys and b[a + A_BID] > 0:
        place_order(b, agent, ASK, size, b[a + A_BID])


# Value


@compiled
def _wake_value(b, u, agent, a):
    b[a + A_STATE] = IDLE
    if not b[a + A_HOURS] or (b[a + A_CLOSED] and b[a + A_CLOSE_PRICE]):
        return
    wake_at(b, agent, b[NOW] + _next_gap(b, b.view(np.float64), u, a))
    if not b[a + A_CLOSED]:
        cancel_all_orders(b, agent)
    ask(b, agent, QUERY_SPREAD, 1)
    b[a + A_STATE] = AWAITING_SPREAD


@compiled
def _update_belief(b, f, u, a):
    """Return the value expected at the close, whole cents; see `ValueAgent.update_estimates`."""
    v = b[a + A_BLOCK]
    now = b[NOW]
    sigma_n, r_bar, kappa = f[v + V_SIGMA_N], f[v + V_R_BAR], f[v + V_KAPPA]
    observed = observe(b, f, u, b[a + A_STREAM], sigma_n)
    elapsed = now - (b[OPEN] if b[v + V_UPDATED] < 0 else b[v + V_UPDATED])
    b[v + V_UPDATED] = now
    if kappa == 0.0:
        moved = f[v + V_BELIEF]
        variance = f[v + V_VARIANCE] + elapsed * f[v + V_SIGMA_S]
        log_decay = 0.0
    else:
        log_decay = math.log1p(-kappa)
        rho = math.exp(elapsed * log_decay)
        moved = (1 - rho) * r_bar + rho * f[v + V_BELIEF]
        shocks = math.expm1(2 * elapsed * log_decay) / math.expm1(2 * log_decay)
        variance = rho * rho * f[v + V_VARIANCE] + shocks * f[v + V_SIGMA_S]
    total = sigma_n + variance
    if total > 0:
        f[v + V_BELIEF] = sigma_n / total * moved + variance / total * observed
        f[v + V_VARIANCE] = sigma_n * variance / total
    else:
        f[v + V_BELIEF] = moved
        f[v + V_VARIANCE] = 0.0
    left = max(0, b[CLOSE] - now)
    decay = math.exp(left * log_decay) if kappa != 0.0 else 1.0
    return np.int64(np.rint((1 - decay) * r_bar + decay * f[v + V_BELIEF]))


@compiled
def _trade_value(b, f, u, agent, a):
    expected = _update_belief(b, f, u, a)
    v = b[a + A_BLOCK]
    stream = b[a + A_STREAM]
    bid, ask_price = b[a + A_BID], b[a + A_ASK]
    if bid > 0 and ask_price > 0:
        mid = np.int64((ask_price + bid) / 2)
        spread = abs(ask_price - bid)
        adjustment = 0
        if random_sample(b, u, stream) >= f[v + V_AGGRESSIVE] and spread > 0:
            adjustment = randint(b, u, stream, 0, min(LARGEST_DRAW, b[v + V_DEPTH] * spread))
        buys = expected >= mid
        price = ask_price - adjustment if buys else bid + adjustment
    else:
        buys = randint(b, u, stream, 0, 2) == 1
        price = expected
    size = _draw_size(b, f, u, a)
    if size != 0:
        place_order(b, agent, BID if buys else ASK, size, max(1, price))


# Momentum


@compiled
def _mean_of_last(b, block, count):
    """Mean of the last mids to two decimals; the mids are kept as whole half cents."""
    total = 0
    newest = b[block + P_COUNT] - 1
    for i in range(count):
        total += b[block + P_MIDS + (newest - i) % LONG_WINDOW]
    return np.rint(total / 2 / count * 100) / 100


@compiled
def _trade_momentum(b, f, u, agent, a):
    bid, ask_price = b[a + A_BID], b[a + A_ASK]
    if bid == 0 or ask_price == 0:
        return
    block = b[a + A_BLOCK]
    b[block + P_MIDS + b[block + P_COUNT] % LONG_WINDOW] = bid + ask_price
    b[block + P_COUNT] += 1
    if b[block + P_COUNT] <= LONG_WINDOW:
        return
    short = _mean_of_last(b, block, SHORT_WINDOW)
    long = _mean_of_last(b, block, LONG_WINDOW)
    size = _draw_size(b, f, u, a)
    if size == 0:
        return
    if short >= long:
        place_order(b, agent, BID, size, ask_price)
    else:
        place_order(b, agent, ASK, size, bid)


# Market maker


@compiled
def _wake_maker(b, agent, a, may_trade):
    m = b[a + A_BLOCK]
    if not b[m + M_SUBSCRIBED]:
        ask(b, agent, SUBSCRIBE, b[m + M_THRESHOLD])  # the bits of a float
        b[m + M_SUBSCRIBED] = 1
    if may_trade:
        cancel_all_orders(b, agent)
        b[EXTRA_DELAY] += b[m + M_CANCEL_DELAY]
        ask(b, agent, QUERY_SPREAD, 1)
        ask(b, agent, QUERY_VOLUME, b[m + M_PERIOD])
        b[m + M_AWAITS_SPREAD] = 1
        b[m + M_AWAITS_VOLUME] = 1


@compiled
def _follow_spread(b, f, m):
    f[m + M_WINDOW] = f[m + M_SPREAD]
    b[m + M_TICK] = max(1, np.int64(np.rint(f[m + M_SPACING] * f[m + M_SPREAD])))


@compiled
def _receive_maker(b, f, u, agent, a, kind):
    m = b[a + A_BLOCK]
    if b[m + M_ADAPTIVE]:
        _follow_spread(b, f, m)
    if kind == VOLUME:
        if b[m + M_AWAITS_VOLUME]:
            _set_sizes(b, f, a, m)
            b[m + M_AWAITS_VOLUME] = 0
    elif kind == IMBALANCE_START:
        if b[m + M_HAS_MID]:
            _place_ladder(b, f, agent, a, m)
        return
    elif kind == SPREAD:
        if b[m + M_AWAITS_SPREAD]:
            bid, ask_price = b[a + A_BID], b[a + A_ASK]
            if bid > 0 and ask_price > 0:
                b[m + M_MID] = np.int64((ask_price + bid) / 2)
                b[m + M_HAS_MID] = 1
                if b[m + M_ADAPTIVE]:
                    alpha = f[m + M_ALPHA]
                    f[m + M_SPREAD] = alpha * (ask_price - bid) + (1 - alpha) * f[m + M_SPREAD]
                    _follow_spread(b, f, m)
            b[m + M_AWAITS_SPREAD] = 0
    else:
        return
    if b[m + M_AWAITS_SPREAD] or b[m + M_AWAITS_VOLUME]:
        return
    if b[m + M_HAS_MID]:
        _place_ladder(b, f, agent, a, m)
    elif not b[MAKERS_REQUOTE]:
        return
    b[m + M_AWAITS_SPREAD] = 1
    b[m + M_AWAITS_VOLUME] = 1
    wake_at(b, agent, b[NOW] + _next_gap(b, f, u, a))


@compiled
def _set_sizes(b, f, a, m):
    quantity = np.int64(np.rint(f[m + M_POV] * (b[a + A_BOUGHT] + b[a + A_SOLD])))
    least = b[m + M_LEAST]
    beta = f[m + M_SKEW_BETA]
    if beta == 0.0:
        b[m + M_BUY_SIZE] = b[m + M_SELL_SIZE] = max(quantity, least)
        return
    z = beta * b[a + A_SHARES]
    if z >= 0:
        to_sell = 1 / (1 + math.exp(-z))
    else:
        to_sell = math.exp(z) / (1 + math.exp(z))
    b[m + M_SELL_SIZE] = max(np.int64(math.ceil(to_sell * quantity)), least)
    b[m + M_BUY_SIZE] = max(np.int64(math.floor((1 - to_sell) * quantity)), least)


@compiled
def _place_ladder(b, f, agent, a, m):
    """Send the quotes around the last mid in one batch; see `AdaptiveMarketMakerAgent.place_orders`."""
    center = b[m + M_MID]
    bought, sold = b[a + A_BOUGHT], b[a + A_SOLD]
    if b[m + M_HAS_PRICE_SKEW] and bought + sold != 0:
        center = np.int64(center + f[m + M_PRICE_SKEW] * (2 * bought / (bought + sold) - 1))
    window = f[m + M_WINDOW]
    if b[m + M_ANCHOR] == MIDDLE:
        best_bid = center - np.int64(math.floor(window / 2))
        best_ask = center + np.int64(math.ceil(window / 2))
    elif b[m + M_ANCHOR] == BOTTOM:
        best_bid = center - 1
        best_ask = np.int64(center + window)
    else:
        best_bid = np.int64(center - window)
        best_ask = center + 1
    tick = b[m + M_TICK]
    levels = b[m + M_TICKS]
    backstop = b[m + M_BACKSTOP]
    deepest_bid = levels - 1
    while deepest_bid >= 0 and best_bid - deepest_bid * tick < 1:
        deepest_bid -= 1
    deepest_ask = levels - 1
    first = NONE
    last = NONE
    # All orders are numbered before the messages that carry them: the records wait in the agent's own list.
    mark = b[a + A_LAST_RECORD]
    if backstop != 0:
        if deepest_bid >= 0:
            new_record(b, agent, BID, backstop, best_bid - deepest_bid * tick)
            deepest_bid -= 1
        if deepest_ask >= 0:
            new_record(b, agent, ASK, backstop, best_ask + deepest_ask * tick)
            deepest_ask -= 1
    if b[m + M_BUY_SIZE] > 0:
        for step in range(deepest_bid, -1, -1):
            new_record(b, agent, BID, b[m + M_BUY_SIZE], best_bid - step * tick)
    if b[m + M_SELL_SIZE] > 0:
        for step in range(deepest_ask + 1):
            new_record(b, agent, ASK, b[m + M_SELL_SIZE], best_ask + step * tick)
    slot = b[a + A_FIRST_RECORD] if mark < 0 else b[b[RECORDS] + mark * RECORD_WORDS + R_AFTER]
    while slot >= 0:
        e = order_event(b, slot)
        new_message_id(b)
        index = (e - b[EVENTS]) // EVENT_WORDS
        if first < 0:
            first = index
        else:
            b[b[EVENTS] + last * EVENT_WORDS + LINK] = index
        last = index
        slot = b[b[RECORDS] + slot * RECORD_WORDS + R_AFTER]
    if first >= 0:
        batch = new_event(b, BATCH)
        b[batch + DATA] = first
        send(b, agent, 0, batch, new_message_id(b), 0)
