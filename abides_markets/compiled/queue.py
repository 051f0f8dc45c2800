"""The event queue and the pool of events."""

from __future__ import annotations

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.jit import entry_point
from abides_markets.compiled.layout import A_DELAY
from abides_markets.compiled.layout import A_FROM_EXCHANGE
from abides_markets.compiled.layout import A_TO_EXCHANGE
from abides_markets.compiled.layout import AGENT_WORDS
from abides_markets.compiled.layout import AGENTS
from abides_markets.compiled.layout import DATA
from abides_markets.compiled.layout import EVENT_WORDS
from abides_markets.compiled.layout import EVENTS
from abides_markets.compiled.layout import EXTRA_DELAY
from abides_markets.compiled.layout import HEAP
from abides_markets.compiled.layout import HEAP_COUNT
from abides_markets.compiled.layout import KIND
from abides_markets.compiled.layout import LINK
from abides_markets.compiled.layout import NEXT_MESSAGE
from abides_markets.compiled.layout import NOW
from abides_markets.compiled.layout import PARTY_BITS
from abides_markets.compiled.layout import WAKEUP
from abides_markets.compiled.pool import give_back
from abides_markets.compiled.pool import take


@compiled
def agent_row(b, agent):
    """Return where an agent's row starts."""
    return b[AGENTS] + agent * AGENT_WORDS


@compiled
def _sift_down(b, base, n, position, time, parties, number, event):
    """Put an entry into the hole at `position`, moving smaller children up."""
    while True:
        child = 2 * position + 1
        if child >= n:
            break
        c = base + 4 * child
        if child + 1 < n:
            r = c + 4
            if b[r] < b[c] or (
                b[r] == b[c] and (b[r + 1] < b[c + 1] or (b[r + 1] == b[c + 1] and b[r + 2] < b[c + 2]))
            ):
                child += 1
                c = r
        if time < b[c] or (time == b[c] and (parties < b[c + 1] or (parties == b[c + 1] and number < b[c + 2]))):
            break
        p = base + 4 * position
        b[p] = b[c]
        b[p + 1] = b[c + 1]
        b[p + 2] = b[c + 2]
        b[p + 3] = b[c + 3]
        position = child
    p = base + 4 * position
    b[p] = time
    b[p + 1] = parties
    b[p + 2] = number
    b[p + 3] = event


@compiled
def push(b, time, parties, number, event):
    """Add an entry."""
    base = b[HEAP]
    position = b[HEAP_COUNT]
    b[HEAP_COUNT] = position + 1
    while position > 0:
        parent = (position - 1) >> 1
        q = base + 4 * parent
        if b[q] < time or (b[q] == time and (b[q + 1] < parties or (b[q + 1] == parties and b[q + 2] < number))):
            break
        p = base + 4 * position
        b[p] = b[q]
        b[p + 1] = b[q + 1]
        b[p + 2] = b[q + 2]
        b[p + 3] = b[q + 3]
        position = parent
    p = base + 4 * position
    b[p] = time
    b[p + 1] = parties
    b[p + 2] = number
    b[p + 3] = event


@compiled
def drop_first(b):
    """Remove the smallest entry."""
    base = b[HEAP]
    n = b[HEAP_COUNT] - 1
    b[HEAP_COUNT] = n
    if n > 0:
        last = base + 4 * n
        _sift_down(b, base, n, 0, b[last], b[last + 1], b[last + 2], b[last + 3])


@compiled
def replace_first(b, time, parties, number, event):
    """Put another entry, which comes later, in place of the smallest."""
    _sift_down(b, b[HEAP], b[HEAP_COUNT], 0, time, parties, number, event)


@compiled
def new_event(b, kind):
    """Take an event from the pool and return where its row starts."""
    e = b[EVENTS] + take(b, EVENTS, EVENT_WORDS, LINK) * EVENT_WORDS
    b[e + KIND] = kind
    b[e + LINK] = -1
    return e


@compiled
def free_event(b, e):
    """Give an event back to the pool."""
    give_back(b, EVENTS, EVENT_WORDS, LINK, (e - b[EVENTS]) // EVENT_WORDS)


@compiled
def new_message_id(b):
    """Return the next message id."""
    number = b[NEXT_MESSAGE]
    b[NEXT_MESSAGE] = number + 1
    return number


@entry_point
def wake_at(b, agent, time):
    """Queue a wake-up."""
    e = new_event(b, WAKEUP)
    push(b, time, (agent << PARTY_BITS) | agent, new_message_id(b), (e - b[EVENTS]) // EVENT_WORDS)


@entry_point
def wake_each(b, first, end, time):
    """Queue a wake-up of each agent from one to another, the last left out."""
    for agent in range(first, end):
        wake_at(b, agent, time)


@compiled
def send(b, sender, recipient, e, number, delay):
    """Queue a message from an agent to the exchange, or from the exchange (agent 0) to an agent."""
    if sender == 0:
        latency = b[agent_row(b, recipient) + A_FROM_EXCHANGE]
    else:
        latency = b[agent_row(b, sender) + A_TO_EXCHANGE]
    time = b[NOW] + b[agent_row(b, sender) + A_DELAY] + b[EXTRA_DELAY] + delay + latency
    push(b, time, (sender << PARTY_BITS) | recipient, number, (e - b[EVENTS]) // EVENT_WORDS)


@compiled
def ask(b, agent, kind, value):
    """Send the exchange a message with one value."""
    e = new_event(b, kind)
    b[e + DATA] = value
    send(b, agent, 0, e, new_message_id(b), 0)
