"""What agents in Python do to a market's buffer between two calls of the event loop."""

from __future__ import annotations

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.jit import entry_point
from abides_markets.compiled.layout import *
from abides_markets.compiled.loop import run
from abides_markets.compiled.open_orders import add_record
from abides_markets.compiled.pool import give_back
from abides_markets.compiled.queue import agent_row
from abides_markets.compiled.queue import free_event
from abides_markets.compiled.queue import new_event
from abides_markets.compiled.queue import push
from abides_markets.compiled.queue import send


@entry_point
def queue_wake(b, agent, time, number):
    """Queue a wake-up with a message id taken outside."""
    e = new_event(b, WAKEUP)
    push(b, time, (agent << PARTY_BITS) | agent, number, (e - b[EVENTS]) // EVENT_WORDS)


@entry_point
def queue_message(b, agent, number, delay, kind, first, second):
    """Queue a message to the exchange that says two values."""
    e = new_event(b, kind)
    b[e + DATA] = first
    b[e + DATA + 1] = second
    send(b, agent, 0, e, number, delay)


@compiled
def _order_event(b, agent, kind, order, side, quantity, price):
    slot = add_record(b, agent, order, side, quantity, price)
    e = new_event(b, kind)
    b[e + DATA] = slot
    b[e + DATA + 1] = order
    b[e + DATA + 2] = side
    b[e + DATA + 3] = quantity
    b[e + DATA + 4] = price
    return e, slot


@entry_point
def queue_order(b, agent, number, delay, kind, order, side, quantity, price):
    """Queue a limit or market order; return the index of its record."""
    e, slot = _order_event(b, agent, kind, order, side, quantity, price)
    send(b, agent, 0, e, number, delay)
    return slot


@entry_point
def queue_batch(b, agent, number, delay, parts):
    """Queue several requests as one message.

    The rows of `parts` are kind, order id, side, quantity and price; of a cancellation, kind, order id and record, or
    `NONE` - 1 - the row of the order in this batch. The index of each order's record is written into the sixth column.
    """
    first = NONE
    last = NONE
    for i in range(parts.shape[0]):
        if parts[i, 0] == CANCEL:
            e = new_event(b, CANCEL)
            slot = parts[i, 2]
            b[e + DATA] = slot if slot >= 0 else parts[NONE - 1 - slot, 5]
            b[e + DATA + 1] = parts[i, 1]
        else:
            e, slot = _order_event(b, agent, parts[i, 0], parts[i, 1], parts[i, 2], parts[i, 3], parts[i, 4])
            parts[i, 5] = slot
        index = (e - b[EVENTS]) // EVENT_WORDS
        if first < 0:
            first = index
        else:
            b[b[EVENTS] + last * EVENT_WORDS + LINK] = index
        last = index
    batch = new_event(b, BATCH)
    b[batch + DATA] = first
    send(b, agent, 0, batch, number, delay)


@entry_point
def take_levels(b, ladder, bids, known, known_bids):
    """Write down the levels that the event for Python brings, and give it and them back.

    Args:
        b: The market.
        ladder: A row for each level, price and shares: bids, the worst first, and then asks, the best first.
        bids: How many of them are bids.
        known: A ladder that was written before.
        known_bids: How many of its rows are bids.

    Returns:
        How many of the worst bids and how many of the worst asks are as they were.
    """
    e = b[OUT_EVENT]
    slot = b[e + DATA]
    count = len(ladder)
    for i in range(count):
        row = b[SNAPSHOTS] + slot * SNAPSHOT_WORDS
        step = bids - 1 - i if i < bids else i
        ladder[step, 0] = b[row + D_PRICE]
        ladder[step, 1] = b[row + D_TOTAL]
        after = b[row + D_AFTER]
        give_back(b, SNAPSHOTS, SNAPSHOT_WORDS, D_AFTER, slot)
        slot = after
    free_event(b, e)
    old_bids = 0
    while old_bids < min(bids, known_bids) and _is_same(ladder, old_bids, known, old_bids):
        old_bids += 1
    old_asks = 0
    most = min(count - bids, len(known) - known_bids)
    while old_asks < most and _is_same(ladder, count - 1 - old_asks, known, len(known) - 1 - old_asks):
        old_asks += 1
    return old_bids, old_asks


@compiled
def _is_same(ladder, step, other, other_step):
    return ladder[step, 0] == other[other_step, 0] and ladder[step, 1] == other[other_step, 1]


@entry_point
def settle(b, next_message, next_order):
    """Charge an agent in Python for the activation that has just ended, and go on from the numbers that it counted."""
    b[NEXT_MESSAGE] = next_message
    b[NEXT_ORDER] = next_order
    a = agent_row(b, b[OUT_RECIPIENT])
    if b[OUT_KIND] == WAKEUP:
        b[a + A_FREE] = b[NOW] + b[a + A_DELAY] + b[EXTRA_DELAY]
    else:
        b[a + A_FREE] += b[EXTRA_DELAY]


@entry_point
def go_on(b, next_message, next_order):
    """Settle, if an agent in Python has been called, and go on with the loop: one call for both.

    Args:
        b: The market.
        next_message: To which number the agent has counted messages, or `NONE` if none has been called.
        next_order: The same of orders.

    Returns:
        As `loop.run`.
    """
    if next_message != NONE:
        settle(b, next_message, next_order)
    return run(b)
