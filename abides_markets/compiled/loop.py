"""The event loop."""

from __future__ import annotations

import numpy as np

from abides_markets.compiled.exchange import handle
from abides_markets.compiled.exchange import tell_close
from abides_markets.compiled.execution import carry_out
from abides_markets.compiled.jit import compiled
from abides_markets.compiled.layout import *
from abides_markets.compiled.open_orders import account
from abides_markets.compiled.queue import agent_row
from abides_markets.compiled.queue import drop_first
from abides_markets.compiled.queue import free_event
from abides_markets.compiled.traders import receive
from abides_markets.compiled.traders import wake
from abides_markets.compiled.waiting import is_superseded
from abides_markets.compiled.waiting import put_off
from abides_markets.compiled.waiting import take_first

FINISHED, FULL, PYTHON_NEXT, DECISION = 0, 1, 2, 3
SPARE = 64


@compiled
def _has_room(b, resting):
    """Return whether the next event, whatever it is, finds room in every table; note one in which it does not.

    Args:
        b: The market.
        resting: Orders in its book.
    """
    ladder = b[LADDER]
    # An order may meet every resting one, and each match is told to two; each order of a batch may tip the imbalance.
    # An agent may withdraw all the orders that it believes open.
    withdrawn = b[RECORD_ROWS] - b[RECORD_FREE_COUNT]
    told = withdrawn + 2 * (resting + ladder) + (2 * b[SUBSCRIPTION_COUNT] + 2) * (ladder + 1) + b[CLOSER_COUNT] + SPARE
    lacking = 0
    if b[EVENT_FREE_COUNT] <= told:
        lacking = EVENTS
    elif b[HEAP_ROWS] - b[HEAP_COUNT] <= told:
        lacking = HEAP
    elif b[WAITING_FREE_COUNT] <= 0:
        lacking = WAITING
    elif b[RECORD_FREE_COUNT] <= ladder + SPARE:
        lacking = RECORDS
    elif b[ORDER_FREE_COUNT] <= ladder + SPARE:
        lacking = ORDERS
    elif b[LEVEL_ROWS] - max(b[LEVEL_COUNT], b[LEVEL_COUNT + 1]) <= ladder + SPARE:
        lacking = LEVELS
    elif b[HISTORY_ROWS] - b[HISTORY_COUNT] <= resting + 2 * ladder + SPARE:
        lacking = HISTORY
    elif b[QUOTE_ROWS] - b[QUOTE_COUNT] <= ladder + SPARE:
        lacking = QUOTES
    elif b[FILL_ROWS] - b[FILL_COUNT] <= 1:
        lacking = FILLS
    elif b[SNAPSHOT_FREE_COUNT] <= b[LEVEL_COUNT] + b[LEVEL_COUNT + 1] + SPARE:
        lacking = SNAPSHOTS
    if lacking == 0:
        return True
    b[LACKING] = lacking
    return False


@compiled
def run(b):
    """Dispatch events to the end of the simulation, or until more orders rest in the book than may.

    Returns:
        `FINISHED`; `FULL` if a table may not have room for the next event, or for the decision handed in, which has
        not been touched then; `PYTHON_NEXT` if an agent in Python is to be handed the event that the header's `OUT_`
        words name; or `DECISION` if the execution slot waits for one, or has finished (`READY` says which).
    """
    f = b.view(np.float64)
    u = b.view(np.uint32)
    if b[DECIDED]:
        if not _has_room(b, b[ORDER_ROWS] - b[ORDER_FREE_COUNT]):
            return FULL
        carry_out(b)
    while b[HEAP_COUNT] > 0 and b[NOW] <= b[STOP]:
        resting = b[ORDER_ROWS] - b[ORDER_FREE_COUNT]
        if resting > b[MOST_RESTING]:
            b[HALTED] = 1
            return FINISHED
        if not _has_room(b, resting):
            return FULL
        top = b[HEAP]
        time = b[top + HEAP_TIME]
        parties = b[top + HEAP_PARTIES]
        number = b[top + HEAP_ID]
        recipient = parties & ((1 << PARTY_BITS) - 1)
        a = agent_row(b, recipient)
        if b[top + HEAP_EVENT] < 0 and is_superseded(b, a, time, number):
            drop_first(b)
            continue
        b[NOW] = time
        b[POPS] += 1
        if b[a + A_FREE] > time:
            put_off(b, a)
            continue
        e = b[EVENTS] + take_first(b, a) * EVENT_WORDS
        b[a + A_TIME] = time
        b[EXTRA_DELAY] = 0
        kind = b[e + KIND]
        if b[a + A_KIND] == PYTHON:
            b[OUT_EVENT] = e
            b[OUT_SENDER] = parties >> PARTY_BITS
            b[OUT_RECIPIENT] = recipient
            b[OUT_ID] = number
            b[OUT_KIND] = kind
            for word in range(OUT_END - OUT_DATA):
                b[OUT_DATA + word] = b[e + DATA + word]
            if kind != WAKEUP:
                b[a + A_FREE] = time + b[a + A_DELAY]
                account(b, recipient, e)
            if kind != SPREAD:  # whose levels are yet to be read
                free_event(b, e)
            return PYTHON_NEXT
        if kind == WAKEUP:
            if recipient != 0:
                wake(b, f, u, recipient)
            elif time >= b[CLOSE]:
                tell_close(b)
            b[a + A_FREE] = time + b[a + A_DELAY] + b[EXTRA_DELAY]
        else:
            b[a + A_FREE] = time + b[a + A_DELAY]
            if recipient != 0:
                receive(b, f, u, recipient, e)
            elif kind == BATCH:
                part = b[e + DATA]
                while part >= 0:
                    p = b[EVENTS] + part * EVENT_WORDS
                    part = b[p + LINK]
                    handle(b, f, parties >> PARTY_BITS, p)
                    free_event(b, p)
            else:
                handle(b, f, parties >> PARTY_BITS, e)
            b[a + A_FREE] += b[EXTRA_DELAY]
        free_event(b, e)
        if b[READY]:
            return DECISION
    return FINISHED
