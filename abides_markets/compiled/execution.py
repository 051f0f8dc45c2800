"""The execution slot: an agent that works one parent order by decisions taken outside of the market.

It follows the protocol of `agents.execution_agent.ExecutionAgent` event by event and message by message: asks for the
volume and the book at every decision time, shows a view when the book comes, carries out the decision handed in, sweeps
what is left shortly before the end of the window, and finishes when the last confirmations are in.
"""

from __future__ import annotations

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.layout import *
from abides_markets.compiled.open_orders import cancel_all_orders
from abides_markets.compiled.open_orders import place_order
from abides_markets.compiled.queue import agent_row
from abides_markets.compiled.queue import ask
from abides_markets.compiled.queue import free_event
from abides_markets.compiled.queue import new_event
from abides_markets.compiled.queue import wake_at

ARRIVAL_POLL = 1_000_000_000
LONGEST_SWEEP = 500_000_000
ALL_LEVELS = 2**63 - 1
IN_EVENT = EVENT_WORDS - DATA
"""Words that one event carries."""


# The book, on its way from the exchange


@compiled
def _book_word(b, index):
    """Return one word of what a view says of the book: see `BOOK_WORDS`."""
    if index >= 4 * VIEW_LEVELS:
        return b[DEPTH + index - 4 * VIEW_LEVELS]
    side = index // (2 * VIEW_LEVELS)
    level = index % VIEW_LEVELS
    wants_size = index // VIEW_LEVELS % 2
    n = b[LEVEL_COUNT + side]
    if level >= n:
        return 0 if wants_size else NONE
    row = b[LEVELS + side] + (n - 1 - level) * LEVEL_WORDS
    return b[row + L_TOTAL] if wants_size else b[row + L_PRICE]


@compiled
def put_book(b, e):
    """Chain the words of the book to the event of a reply."""
    previous = e
    for index in range(BOOK_WORDS):
        if index % IN_EVENT == 0:
            more = new_event(b, MORE)
            b[previous + LINK] = (more - b[EVENTS]) // EVENT_WORDS
            previous = more
        b[previous + DATA + index % IN_EVENT] = _book_word(b, index)


@compiled
def _take_book(b, e, x):
    """Note the book of a reply and give its events back."""
    slot = b[e + LINK]
    index = 0
    while slot >= 0:
        more = b[EVENTS] + slot * EVENT_WORDS
        slot = b[more + LINK]
        for word in range(min(IN_EVENT, BOOK_WORDS - index)):
            b[x + E_BOOK + index] = b[more + DATA + word]
            index += 1
        free_event(b, more)
    b[e + LINK] = NONE


# Open orders


@compiled
def _has_limit_order(b, a):
    slot = b[a + A_FIRST_RECORD]
    while slot >= 0:
        r = b[RECORDS] + slot * RECORD_WORDS
        if b[r + R_PRICE] != NONE:
            return True
        slot = b[r + R_AFTER]
    return False


@compiled
def _place(b, agent, a, x, market, limit, price):
    """Send a market and a limit order, as far as what is left of the parent order is not in flight or at rest."""
    room = b[x + E_QUANTITY] - b[x + E_FILLED]
    slot = b[a + A_FIRST_RECORD]
    while slot >= 0:
        r = b[RECORDS] + slot * RECORD_WORDS
        room -= b[r + R_QUANTITY]
        slot = b[r + R_AFTER]
    market = min(market, room)
    limit = min(limit, room - market)
    if market > 0:
        place_order(b, agent, b[x + E_SIDE], market, NONE)
    if limit > 0:
        place_order(b, agent, b[x + E_SIDE], limit, price)


@compiled
def _sweep(b, agent, a, x):
    left = b[x + E_QUANTITY] - b[x + E_FILLED]
    if left > 0 and b[a + A_FIRST_RECORD] < 0:
        place_order(b, agent, b[x + E_SIDE], left, NONE)


@compiled
def carry_out(b):
    """Carry out the decision that was handed in."""
    b[DECIDED] = 0
    x = b[SLOT_BLOCK]
    agent = b[AGENT_COUNT] - 1
    a = agent_row(b, agent)
    b[x + E_PENDING] = 0
    if b[DECIDED_CANCEL] and _has_limit_order(b, a):
        b[x + E_PENDING] = 1
        b[x + E_PENDING_MARKET] = b[DECIDED_MARKET]
        b[x + E_PENDING_LIMIT] = b[DECIDED_LIMIT]
        b[x + E_PENDING_PRICE] = b[DECIDED_PRICE]
        cancel_all_orders(b, agent)
    else:
        _place(b, agent, a, x, b[DECIDED_MARKET], b[DECIDED_LIMIT], b[DECIDED_PRICE])


# Events


@compiled
def _ask_for_book(b, agent, x, purpose):
    b[x + E_AWAITING] = purpose
    ask(b, agent, QUERY_SPREAD, ALL_LEVELS)


@compiled
def wake_execution(b, agent, a, may_trade):
    """Ask for the book at a decision time, begin the sweep, or end the window."""
    x = b[a + A_BLOCK]
    now = b[NOW]
    start, window, interval = b[x + E_START], b[x + E_WINDOW], b[x + E_INTERVAL]
    if b[x + E_FINISHED] or not b[a + A_HOURS] or now < start:
        return
    end = start + window
    settled = end + b[x + E_SETTLEMENT]
    sweep_start = end - min(LONGEST_SWEEP, interval // 2)
    is_filled = b[x + E_FILLED] == b[x + E_QUANTITY] and b[a + A_FIRST_RECORD] < 0
    if now >= settled or not may_trade or is_filled:
        finish(b)
    elif now >= end:
        b[x + E_SWEEPING] = 0
        b[x + E_PENDING] = 0
        cancel_all_orders(b, agent)
        _ask_for_book(b, agent, x, FOR_END)
        wake_at(b, agent, settled)
    elif b[x + E_SWEEP] and now >= sweep_start:
        b[x + E_SWEEPING] = 1
        b[x + E_PENDING] = 0
        b[x + E_AWAITING] = NOTHING
        wake_at(b, agent, end)
        if b[x + E_ARRIVAL2] < 0:
            _ask_for_book(b, agent, x, FOR_SWEEP)
        elif _has_limit_order(b, a):
            cancel_all_orders(b, agent)
        else:
            _sweep(b, agent, a, x)
    else:
        following = now + interval - (now - start) % interval
        if b[x + E_ARRIVAL2] < 0:
            following = min(following, now + ARRIVAL_POLL)
        wake_at(b, agent, min(following, sweep_start if b[x + E_SWEEP] else end))
        ask(b, agent, QUERY_VOLUME, interval)
        _ask_for_book(b, agent, x, FOR_DECISION)


@compiled
def receive_execution(b, agent, a, e):
    """Count fills and confirmations; decide when the book arrives. The accounts have been kept already."""
    x = b[a + A_BLOCK]
    kind = b[e + KIND]
    if kind == EXECUTED:
        b[x + E_FILLED] += b[e + DATA + 3]
        row = b[FILLS] + b[FILL_COUNT] * FILL_WORDS
        b[FILL_COUNT] += 1
        b[row + F_ORDER] = b[e + DATA + 1]
        b[row + F_PRICE] = b[e + DATA + 4]
        b[row + F_QUANTITY] = b[e + DATA + 3]
        _after_change(b, agent, a, x, False)
    elif kind == CANCELLED:
        _after_change(b, agent, a, x, b[e + DATA + 4] == NONE)
    elif kind == SPREAD:
        _take_book(b, e, x)
        _look_at_book(b, agent, a, x)


@compiled
def _after_change(b, agent, a, x, unfilled):
    if _has_limit_order(b, a):
        return
    if b[x + E_PENDING]:
        b[x + E_PENDING] = 0
        _place(b, agent, a, x, b[x + E_PENDING_MARKET], b[x + E_PENDING_LIMIT], b[x + E_PENDING_PRICE])
    elif b[x + E_SWEEPING] and unfilled:
        _ask_for_book(b, agent, x, FOR_SWEEP)
    elif b[x + E_SWEEPING]:
        _sweep(b, agent, a, x)


@compiled
def _look_at_book(b, agent, a, x):
    purpose = b[x + E_AWAITING]
    if purpose == NOTHING:
        return
    b[x + E_AWAITING] = NOTHING
    bid, ask_price = b[x + E_BOOK], b[x + E_BOOK + 2 * VIEW_LEVELS]
    if bid != NONE and ask_price != NONE:
        b[x + E_MID2] = bid + ask_price
        if b[x + E_ARRIVAL2] < 0:
            b[x + E_ARRIVAL2] = b[x + E_MID2]
    if purpose == FOR_END:
        b[x + E_END_MID2] = b[x + E_MID2]
    elif b[x + E_ARRIVAL2] < 0:
        return
    elif purpose == FOR_SWEEP:
        if (ask_price if b[x + E_SIDE] == BID else bid) != NONE:
            _sweep(b, agent, a, x)
    else:
        elapsed = b[NOW] - b[x + E_START]
        elapsed -= elapsed % b[x + E_INTERVAL]
        if b[x + E_SHOWN] < elapsed:
            _show(b, a, x, elapsed)


@compiled
def _show(b, a, x, elapsed):
    """Show the view of a decision, and wait for the decision."""
    v = x + E_VIEW
    resting = 0
    resting_price = NONE
    slot = b[a + A_FIRST_RECORD]
    while slot >= 0:
        r = b[RECORDS] + slot * RECORD_WORDS
        price = b[r + R_PRICE]
        if price != NONE:
            resting += b[r + R_QUANTITY]
            if resting_price == NONE or ((price > resting_price) if b[x + E_SIDE] == BID else (price < resting_price)):
                resting_price = price
        slot = b[r + R_AFTER]
    _show_progress(b, x, elapsed, resting, resting_price)
    b[v + VIEW_LAST_TRADE] = b[a + A_LAST_TRADE]
    for index in range(BOOK_WORDS):
        b[v + VIEW_BID_PRICE + index] = b[x + E_BOOK + index]
    b[v + VIEW_VOLUME] = b[a + A_BOUGHT] + b[a + A_SOLD]
    known = b[x + E_PAST_COUNT]
    earliest = b[x + E_PAST + known - 1] if known > 0 else b[x + E_MID2]
    for age in range(VIEW_PAST):
        b[v + VIEW_MID2_PAST + age] = b[x + E_PAST + age] if age < known else earliest
    for age in range(VIEW_PAST - 1, 0, -1):
        b[x + E_PAST + age] = b[x + E_PAST + age - 1]
    b[x + E_PAST] = b[x + E_MID2]
    b[x + E_PAST_COUNT] = min(known + 1, VIEW_PAST)
    b[x + E_SHOWN] = elapsed
    b[READY] = VIEW_READY


@compiled
def finish(b):
    """Show the view at the end: fills since the last decision, the last known mid, the book of the last decision."""
    x = b[SLOT_BLOCK]
    v = x + E_VIEW
    b[x + E_FINISHED] = 1
    if b[x + E_SHOWN] < 0:
        b[v + VIEW_LAST_TRADE] = NONE
        for level in range(VIEW_LEVELS):
            b[v + VIEW_BID_PRICE + level] = b[v + VIEW_ASK_PRICE + level] = NONE
    _show_progress(b, x, b[x + E_WINDOW], 0, NONE)
    b[v + VIEW_VOLUME] = 0
    for age in range(VIEW_PAST):
        b[v + VIEW_MID2_PAST + age] = b[x + E_MID2]
    b[READY] = ORDER_DONE


@compiled
def _show_progress(b, x, elapsed, resting, resting_price):
    v = x + E_VIEW
    b[x + E_SHOWN_AT] = b[agent_row(b, b[AGENT_COUNT] - 1) + A_TIME]  # at the end of the run, earlier than the clock
    b[v + VIEW_ELAPSED] = elapsed
    b[v + VIEW_WINDOW] = b[x + E_WINDOW]
    b[v + VIEW_INTERVAL] = b[x + E_INTERVAL]
    b[v + VIEW_SIDE] = 1 if b[x + E_SIDE] == BID else -1
    b[v + VIEW_PARENT] = b[x + E_QUANTITY]
    b[v + VIEW_FILLED] = b[x + E_FILLED]
    b[v + VIEW_LEFT] = b[x + E_QUANTITY] - b[x + E_FILLED]
    b[v + VIEW_RESTING] = resting
    b[v + VIEW_RESTING_PRICE] = resting_price
    b[v + VIEW_ARRIVAL2] = b[x + E_ARRIVAL2]
    b[v + VIEW_MID2] = b[x + E_MID2]
