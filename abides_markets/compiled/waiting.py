"""Events that wait for a busy recipient.

In the reference engine an entry whose recipient is busy goes back into the queue, at the time when the recipient will
be free; when that has come, all those that wait are taken out again, one is handled, and the others go back. Here those
that wait for the same recipient stand in a heap of their own (a skew heap: rows of one table, linked), and one entry of
the main queue stands for the first of them. Order and number of the entries taken out are those of the reference
engine; only within one instant is the number ahead, as it is told at the first of them.

An entry that stands for others has no event (`NONE`). It is superseded, and of no account, when another one comes
before the first that waits, or when those that wait have all been put off.
"""

from __future__ import annotations

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.layout import *
from abides_markets.compiled.pool import give_back
from abides_markets.compiled.pool import take
from abides_markets.compiled.queue import drop_first
from abides_markets.compiled.queue import push
from abides_markets.compiled.queue import replace_first


@compiled
def _row(b, slot):
    return b[WAITING] + slot * WAITING_WORDS


@compiled
def _comes_before(b, p, q):
    """Return whether row p comes before row q, the time being the same."""
    return b[p + HEAP_PARTIES] < b[q + HEAP_PARTIES] or (
        b[p + HEAP_PARTIES] == b[q + HEAP_PARTIES] and b[p + HEAP_ID] < b[q + HEAP_ID]
    )


@compiled
def _merged(b, first, second):
    """Return the root of two heaps made one; `NONE` is an empty heap."""
    if first < 0:
        return second
    if second < 0:
        return first
    if _comes_before(b, _row(b, second), _row(b, first)):
        first, second = second, first
    root = first
    while True:  # what is merged into the right goes to the left, which keeps both sides alike
        p = _row(b, first)
        right = b[p + WAITING_RIGHT]
        b[p + WAITING_RIGHT] = b[p + WAITING_LEFT]
        if right < 0:
            b[p + WAITING_LEFT] = second
            return root
        if _comes_before(b, _row(b, second), _row(b, right)):
            right, second = second, right
        b[p + WAITING_LEFT] = right
        first = right


@compiled
def _add(b, a, parties, number, event):
    slot = take(b, WAITING, WAITING_WORDS, WAITING_RIGHT)
    p = _row(b, slot)
    b[p + HEAP_PARTIES] = parties
    b[p + HEAP_ID] = number
    b[p + HEAP_EVENT] = event
    b[p + WAITING_LEFT] = NONE
    b[p + WAITING_RIGHT] = NONE
    b[a + A_WAITING] = _merged(b, b[a + A_WAITING], slot)
    b[a + A_WAITING_COUNT] += 1
    return b[a + A_WAITING] == slot


@compiled
def _remove_first(b, a):
    """Take out the first that waits and return its event."""
    slot = b[a + A_WAITING]
    p = _row(b, slot)
    b[a + A_WAITING] = _merged(b, b[p + WAITING_LEFT], b[p + WAITING_RIGHT])
    b[a + A_WAITING_COUNT] -= 1
    give_back(b, WAITING, WAITING_WORDS, WAITING_RIGHT, slot)
    return b[p + HEAP_EVENT]


@compiled
def is_superseded(b, a, time, number):
    """Return whether an entry that stood for those that wait for an agent does so no longer."""
    first = b[a + A_WAITING]
    return first < 0 or b[a + A_WAITING_TIME] != time or b[_row(b, first) + HEAP_ID] != number


@compiled
def put_off(b, a):
    """Have the first entry of the queue wait until its recipient is free, and with it the others that are due.

    After the end of the run no others are taken out: then this one waits alone.
    """
    top = b[HEAP]
    time = b[top + HEAP_TIME]
    parties = b[top + HEAP_PARTIES]
    number = b[top + HEAP_ID]
    event = b[top + HEAP_EVENT]
    free = b[a + A_FREE]
    others = b[a + A_WAITING_COUNT]
    if event < 0:
        if time > b[STOP]:
            replace_first(b, free, parties, number, _remove_first(b, a))
            if b[a + A_WAITING_COUNT] > 0:
                p = _row(b, b[a + A_WAITING])
                push(b, time, b[p + HEAP_PARTIES], b[p + HEAP_ID], NONE)
            return
        b[POPS] += others - 1
        b[a + A_WAITING_TIME] = free
        replace_first(b, free, parties, number, NONE)
        return
    due = others > 0 and b[a + A_WAITING_TIME] != free  # the others would be found to wait like this one
    if due and time > b[STOP]:
        replace_first(b, free, parties, number, event)
        return
    if due:
        b[POPS] += others
    b[a + A_WAITING_TIME] = free
    if _add(b, a, parties, number, event) or due:
        p = _row(b, b[a + A_WAITING])
        replace_first(b, free, b[p + HEAP_PARTIES], b[p + HEAP_ID], NONE)
    else:
        drop_first(b)


@compiled
def take_first(b, a):
    """Remove the first entry of the queue and return its event."""
    event = b[b[HEAP] + HEAP_EVENT]
    if event >= 0:
        drop_first(b)
        return event
    event = _remove_first(b, a)
    if b[a + A_WAITING_COUNT] > 0:
        p = _row(b, b[a + A_WAITING])
        replace_first(b, b[a + A_WAITING_TIME], b[p + HEAP_PARTIES], b[p + HEAP_ID], NONE)
    else:
        drop_first(b)
    return event
