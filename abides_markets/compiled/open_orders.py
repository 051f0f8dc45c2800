"""Open orders as their agents believe them: records, the messages that place and withdraw them, and the accounts."""

from __future__ import annotations

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.layout import *
from abides_markets.compiled.pool import give_back
from abides_markets.compiled.pool import take
from abides_markets.compiled.queue import agent_row
from abides_markets.compiled.queue import new_event
from abides_markets.compiled.queue import new_message_id
from abides_markets.compiled.queue import send


@compiled
def new_record(b, agent, side, quantity, price):
    """Number a new order and note it among its agent's open ones; return the index of the record."""
    slot = take(b, RECORDS, RECORD_WORDS, R_AFTER)
    r = b[RECORDS] + slot * RECORD_WORDS
    a = agent_row(b, agent)
    b[r + R_ID] = b[NEXT_ORDER]
    b[NEXT_ORDER] += 1
    b[r + R_AGENT] = agent
    b[r + R_QUANTITY] = quantity
    b[r + R_PRICE] = price
    b[r + R_SIDE] = side
    b[r + R_BEFORE] = b[a + A_LAST_RECORD]
    b[r + R_AFTER] = NONE
    b[r + R_ORDER] = NONE
    if b[a + A_LAST_RECORD] >= 0:
        b[b[RECORDS] + b[a + A_LAST_RECORD] * RECORD_WORDS + R_AFTER] = slot
    else:
        b[a + A_FIRST_RECORD] = slot
    b[a + A_LAST_RECORD] = slot
    return slot


@compiled
def drop_record(b, agent, slot):
    """Take an order from among its agent's open ones."""
    a = agent_row(b, agent)
    r = b[RECORDS] + slot * RECORD_WORDS
    before, after = b[r + R_BEFORE], b[r + R_AFTER]
    if before >= 0:
        b[b[RECORDS] + before * RECORD_WORDS + R_AFTER] = after
    else:
        b[a + A_FIRST_RECORD] = after
    if after >= 0:
        b[b[RECORDS] + after * RECORD_WORDS + R_BEFORE] = before
    else:
        b[a + A_LAST_RECORD] = before
    b[r + R_ID] = NONE
    b[r + R_ORDER] = NONE
    give_back(b, RECORDS, RECORD_WORDS, R_AFTER, slot)


@compiled
def order_event(b, slot):
    """Return an event that places the order of a record; one without a price is a market order."""
    r = b[RECORDS] + slot * RECORD_WORDS
    e = new_event(b, MARKET if b[r + R_PRICE] == NONE else LIMIT)
    b[e + DATA] = slot
    b[e + DATA + 1] = b[r + R_ID]
    b[e + DATA + 2] = b[r + R_SIDE]
    b[e + DATA + 3] = b[r + R_QUANTITY]
    b[e + DATA + 4] = b[r + R_PRICE]
    return e


@compiled
def place_order(b, agent, side, quantity, price):
    """Send an order: a limit order, or without a price (`NONE`) a market order."""
    e = order_event(b, new_record(b, agent, side, quantity, price))
    send(b, agent, 0, e, new_message_id(b), 0)


@compiled
def cancel_all_orders(b, agent):
    """Ask for every open limit order to be cancelled, in order of placing."""
    slot = b[agent_row(b, agent) + A_FIRST_RECORD]
    while slot >= 0:
        r = b[RECORDS] + slot * RECORD_WORDS
        if b[r + R_PRICE] != NONE:
            e = new_event(b, CANCEL)
            b[e + DATA] = slot
            b[e + DATA + 1] = b[r + R_ID]
            send(b, agent, 0, e, new_message_id(b), 0)
        slot = b[r + R_AFTER]


@compiled
def account(b, agent, e):
    """Book an execution or a cancellation: cash, shares and the record of the order."""
    kind = b[e + KIND]
    slot, order = b[e + DATA], b[e + DATA + 1]
    if kind == EXECUTED:
        side, quantity, price = b[e + DATA + 2], b[e + DATA + 3], b[e + DATA + 4]
        a = agent_row(b, agent)
        signed = quantity if side == BID else -quantity
        b[a + A_SHARES] += signed
        b[a + A_CASH] -= signed * price
        r = b[RECORDS] + slot * RECORD_WORDS
        if b[r + R_ID] == order:
            if quantity >= b[r + R_QUANTITY]:
                drop_record(b, agent, slot)
            else:
                b[r + R_QUANTITY] -= quantity
    elif kind == CANCELLED and b[b[RECORDS] + slot * RECORD_WORDS + R_ID] == order:
        drop_record(b, agent, slot)


@compiled
def add_record(b, agent, order, side, quantity, price):
    """Note an order that an agent in Python has numbered itself; return the index of the record."""
    number = b[NEXT_ORDER]
    slot = new_record(b, agent, side, quantity, price)
    b[b[RECORDS] + slot * RECORD_WORDS + R_ID] = order
    b[NEXT_ORDER] = number
    return slot
