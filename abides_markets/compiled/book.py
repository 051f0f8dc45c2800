"""The order book: sorted levels, the best last; a first-in-first-out list of orders at each."""

from __future__ import annotations

import numpy as np

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.layout import *
from abides_markets.compiled.pool import give_back
from abides_markets.compiled.pool import take
from abides_markets.compiled.queue import new_event
from abides_markets.compiled.queue import new_message_id
from abides_markets.compiled.queue import send


@compiled
def _find_level(b, side, price):
    """Return the index of the level of a price, or of the first better one."""
    base = b[LEVELS + side]
    low = 0
    high = b[LEVEL_COUNT + side]
    while low < high:
        middle = (low + high) >> 1
        at = b[base + middle * LEVEL_WORDS]
        if (at < price) if side == BID else (at > price):
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _remove_level(b, side, index):
    base = b[LEVELS + side]
    n = b[LEVEL_COUNT + side] - 1
    b[LEVEL_COUNT + side] = n
    for i in range(base + index * LEVEL_WORDS, base + n * LEVEL_WORDS):
        b[i] = b[i + LEVEL_WORDS]


@compiled
def _write_history(b, kind, order, agent, opposite_order, opposite_agent, side, quantity, price):
    h = b[HISTORY] + b[HISTORY_COUNT] * HISTORY_WORDS
    b[HISTORY_COUNT] += 1
    b[h + H_TYPE] = kind
    b[h + H_TIME] = b[NOW]
    b[h + H_ORDER] = order
    b[h + H_AGENT] = agent
    b[h + H_OPPOSITE_ORDER] = opposite_order
    b[h + H_OPPOSITE_AGENT] = opposite_agent
    b[h + H_SIDE] = side
    b[h + H_QUANTITY] = quantity
    b[h + H_PRICE] = price
    b[h + H_MID2] = b[MID2]
    b[h + H_ONE_SIDED] = b[ONE_SIDED]


@compiled
def _tell(b, kind, agent, record, order, side, quantity, price):
    """Send an agent a notification about an order."""
    e = new_event(b, kind)
    b[e + DATA] = record
    b[e + DATA + 1] = order
    b[e + DATA + 2] = side
    b[e + DATA + 3] = quantity
    b[e + DATA + 4] = price
    send(b, 0, agent, e, new_message_id(b), b[PIPELINE_DELAY])


@compiled
def _forget(b, o, index, side):
    """Take an order out of its level and give its row back; the level goes with its last order."""
    level = b[LEVELS + side] + index * LEVEL_WORDS
    before, after = b[o + O_BEFORE], b[o + O_AFTER]
    if before >= 0:
        b[b[ORDERS] + before * ORDER_WORDS + O_AFTER] = after
    else:
        b[level + L_FIRST] = after
    if after >= 0:
        b[b[ORDERS] + after * ORDER_WORDS + O_BEFORE] = before
    else:
        b[level + L_LAST] = before
    record = b[RECORDS] + b[o + O_RECORD] * RECORD_WORDS
    if b[record + R_ID] == b[o + O_ID]:
        b[record + R_ORDER] = NONE
    give_back(b, ORDERS, ORDER_WORDS, O_AFTER, (o - b[ORDERS]) // ORDER_WORDS)
    if b[level + L_FIRST] < 0:
        _remove_level(b, side, index)


@compiled
def _enter(b, record, order, agent, side, quantity, price):
    index = _find_level(b, side, price)
    base = b[LEVELS + side]
    level = base + index * LEVEL_WORDS
    n = b[LEVEL_COUNT + side]
    if index == n or b[level] != price:
        for i in range(base + (n + 1) * LEVEL_WORDS - 1, level + LEVEL_WORDS - 1, -1):
            b[i] = b[i - LEVEL_WORDS]
        b[LEVEL_COUNT + side] = n + 1
        b[level + L_PRICE] = price
        b[level + L_TOTAL] = 0
        b[level + L_FIRST] = NONE
        b[level + L_LAST] = NONE
    ahead = b[level + L_TOTAL]
    slot = take(b, ORDERS, ORDER_WORDS, O_AFTER)
    o = b[ORDERS] + slot * ORDER_WORDS
    b[o + O_ID] = order
    b[o + O_AGENT] = agent
    b[o + O_QUANTITY] = quantity
    b[o + O_PRICE] = price
    b[o + O_SIDE] = side
    b[o + O_BEFORE] = b[level + L_LAST]
    b[o + O_AFTER] = NONE
    b[o + O_RECORD] = record
    if b[level + L_LAST] >= 0:
        b[b[ORDERS] + b[level + L_LAST] * ORDER_WORDS + O_AFTER] = slot
    else:
        b[level + L_FIRST] = slot
    b[level + L_LAST] = slot
    b[level + L_TOTAL] += quantity
    b[DEPTH + side] += quantity
    r = b[RECORDS] + record * RECORD_WORDS
    if b[r + R_ID] == order:
        b[r + R_ORDER] = slot
    _write_history(b, ENTERED, order, agent, ahead, NONE, side, quantity, price)


@compiled
def _match_best(b, agent, record, order, side, quantity):
    """Match an incoming order once, against the first order of the best opposite level; return shares and price."""
    opposite = 1 - side
    index = b[LEVEL_COUNT + opposite] - 1
    level = b[LEVELS + opposite] + index * LEVEL_WORDS
    o = b[ORDERS] + b[level + L_FIRST] * ORDER_WORDS
    traded = min(quantity, b[o + O_QUANTITY])
    price = b[o + O_PRICE]
    passive, passive_agent, passive_record = b[o + O_ID], b[o + O_AGENT], b[o + O_RECORD]
    b[level + L_TOTAL] -= traded
    b[DEPTH + opposite] -= traded
    if traded == b[o + O_QUANTITY]:
        _forget(b, o, index, opposite)
    else:
        b[o + O_QUANTITY] -= traded
    _write_history(b, MATCHED, passive, passive_agent, order, agent, opposite, traded, price)
    _tell(b, EXECUTED, passive_agent, passive_record, passive, opposite, traded, price)
    _tell(b, EXECUTED, agent, record, order, side, traded, price)
    return traded, price


@compiled
def handle_limit_order(b, agent, record, order, side, quantity, price):
    """Match a limit order against the other side and enter what remains of it."""
    shares = 0
    value = 0
    while quantity > 0:
        best_price, depth = best(b, 1 - side)
        if depth == 0 or ((price < best_price) if side == BID else (price > best_price)):
            _enter(b, record, order, agent, side, quantity, price)
            _tell(b, ACCEPTED, agent, record, order, side, quantity, price)
            break
        traded, at = _match_best(b, agent, record, order, side, quantity)
        quantity -= traded
        shares += traded
        value += traded * at
    if shares > 0:
        b[LAST_TRADE] = np.int64(np.rint(value / shares))


@compiled
def handle_market_order(b, agent, record, order, side, quantity):
    """Match a market order until it is filled or the other side is empty."""
    b[MARKET_ORDER_TIME] = b[NOW]
    shares = 0
    value = 0
    while quantity > 0 and b[LEVEL_COUNT + 1 - side] > 0:
        traded, at = _match_best(b, agent, record, order, side, quantity)
        quantity -= traded
        shares += traded
        value += traded * at
    if shares > 0 and b[MARKET_ORDERS_UPDATE]:
        b[LAST_TRADE] = np.int64(np.rint(value / shares))
    if quantity > 0:
        if b[REPORT_UNFILLED]:
            _tell(b, CANCELLED, agent, record, order, side, quantity, NONE)
        else:
            b[DISCARDED] += 1


@compiled
def cancel_order(b, agent, record, order):
    """Take an order out of the book, if it is there."""
    r = b[RECORDS] + record * RECORD_WORDS
    if b[r + R_ID] != order or b[r + R_ORDER] < 0:
        return
    o = b[ORDERS] + b[r + R_ORDER] * ORDER_WORDS
    side, quantity, price = b[o + O_SIDE], b[o + O_QUANTITY], b[o + O_PRICE]
    index = _find_level(b, side, price)
    b[b[LEVELS + side] + index * LEVEL_WORDS + L_TOTAL] -= quantity
    b[DEPTH + side] -= quantity
    _forget(b, o, index, side)
    _write_history(b, WITHDRAWN, order, agent, NONE, NONE, side, quantity, price)
    _tell(b, CANCELLED, agent, record, order, side, quantity, price)


@compiled
def best(b, side):
    """Return the best price of a side and the shares there; 0 and 0 if it is empty."""
    n = b[LEVEL_COUNT + side]
    if n == 0:
        return 0, 0
    level = b[LEVELS + side] + (n - 1) * LEVEL_WORDS
    return b[level + L_PRICE], b[level + L_TOTAL]


@compiled
def note_quotes(b):
    """Note the best quotes, the depth and the mid after an event, if they changed."""
    bid, bid_size = best(b, BID)
    ask_price, ask_size = best(b, ASK)
    if bid_size == 0:
        bid = NONE
    if ask_size == 0:
        ask_price = NONE
    n = b[QUOTE_COUNT]
    if n > 0:
        w = b[QUOTES] + (n - 1) * QUOTE_WORDS
        if (
            b[w + W_BID] == bid
            and b[w + W_ASK] == ask_price
            and b[w + W_BID_SIZE] == bid_size
            and b[w + W_ASK_SIZE] == ask_size
            and b[w + W_BID_DEPTH] == b[DEPTH + BID]
            and b[w + W_ASK_DEPTH] == b[DEPTH + ASK]
        ):
            return
    b[ONE_SIDED] = 1 if bid == NONE or ask_price == NONE else 0
    if not b[ONE_SIDED]:
        b[MID2] = bid + ask_price
    w = b[QUOTES] + n * QUOTE_WORDS
    b[QUOTE_COUNT] = n + 1
    b[w + W_TIME] = b[NOW]
    b[w + W_BID] = bid
    b[w + W_BID_SIZE] = bid_size
    b[w + W_ASK] = ask_price
    b[w + W_ASK_SIZE] = ask_size
    b[w + W_BID_DEPTH] = b[DEPTH + BID]
    b[w + W_ASK_DEPTH] = b[DEPTH + ASK]


@compiled
def take_snapshot(b, e, depth):
    """Keep the best levels of both sides for an event on its way to an agent in Python."""
    b[e + DATA] = NONE
    last = e + DATA
    for side in range(2):
        n = b[LEVEL_COUNT + side]
        count = min(n, depth)
        for i in range(count):
            level = b[LEVELS + side] + (n - 1 - i) * LEVEL_WORDS
            slot = take(b, SNAPSHOTS, SNAPSHOT_WORDS, D_AFTER)
            row = b[SNAPSHOTS] + slot * SNAPSHOT_WORDS
            b[row + D_PRICE] = b[level + L_PRICE]
            b[row + D_TOTAL] = b[level + L_TOTAL]
            b[row + D_AFTER] = NONE
            b[last] = slot
            last = row + D_AFTER
        b[e + DATA + 2 + side] = count


@compiled
def volume_since(b, since):
    """Return the shares bought and sold by incoming orders since a time, its first instant included."""
    bought = 0
    sold = 0
    for i in range(b[HISTORY_COUNT] - 1, -1, -1):
        h = b[HISTORY] + i * HISTORY_WORDS
        if b[h + H_TIME] < since:
            break
        if b[h + H_TYPE] == MATCHED:
            if b[h + H_SIDE] == ASK:
                bought += b[h + H_QUANTITY]
            else:
                sold += b[h + H_QUANTITY]
    return bought, sold
