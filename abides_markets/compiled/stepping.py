"""Stepping the execution slots of several markets."""

from __future__ import annotations

from abides_markets.compiled import loop
from abides_markets.compiled.execution import finish
from abides_markets.compiled.jit import compiled
from abides_markets.compiled.jit import entry_point
from abides_markets.compiled.layout import *

FINISHED, FULL = loop.FINISHED, loop.FULL
run = loop.run


@entry_point
def hand_in(stack, decisions, active):
    """Hand a decision to the slot of each active market; return the first market with a wrong one, or −1."""
    for i in range(stack.shape[0]):
        if active[i] and (decisions[i, 0] < 0 or decisions[i, 1] < 0 or (decisions[i, 1] > 0 and decisions[i, 2] < 0)):
            return i
    for i in range(stack.shape[0]):
        if active[i]:
            b = stack[i]
            b[DECIDED_MARKET], b[DECIDED_LIMIT], b[DECIDED_PRICE], b[DECIDED_CANCEL] = (
                decisions[i, 0], decisions[i, 1], decisions[i, 2], decisions[i, 3],
            )  # fmt: skip
            b[READY] = 0
            b[DECIDED] = 1
    return -1


@entry_point
def run_all(stack, first, active, views, times, finished, fills):
    """Run each active market from the `first` on until its slot waits for a decision or has finished.

    Market, price and shares of the fills since the views before are written into `fills`, as far as they find room.

    Returns:
        The number of markets, or the first one whose tables are full, which is to be run again once they are larger;
        and the number of fills. Where they found no room, none counts as seen: call again, with that number as `first`.
    """
    for i in range(first, stack.shape[0]):
        if not active[i]:
            continue
        b = stack[i]
        status = run(b)
        if status == FULL:
            return i, 0
        if status == FINISHED:
            finish(b)
        x = b[SLOT_BLOCK]
        for word in range(VIEW_WORDS):
            views[i, word] = b[x + E_VIEW + word]
        times[i] = b[x + E_SHOWN_AT]
        finished[i] = b[READY] == ORDER_DONE
    return stack.shape[0], _gather_fills(stack, active, fills)


@compiled
def _gather_fills(stack, active, fills):
    count = 0
    for i in range(stack.shape[0]):
        if not active[i]:
            continue
        b = stack[i]
        x = b[SLOT_BLOCK]
        for fill in range(b[x + E_FILLS_FROM], b[FILL_COUNT]):
            if count < fills.shape[0]:
                row = b[FILLS] + fill * FILL_WORDS
                fills[count, 0] = i
                fills[count, 1] = b[row + F_PRICE]
                fills[count, 2] = b[row + F_QUANTITY]
            count += 1
    if count <= fills.shape[0]:
        for i in range(stack.shape[0]):
            if active[i]:
                b = stack[i]
                b[b[SLOT_BLOCK] + E_FILLS_FROM] = b[FILL_COUNT]
    return count
