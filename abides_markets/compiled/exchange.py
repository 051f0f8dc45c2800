"""The exchange: what it does with each message, and what it tells subscribers of the book's imbalance."""

from __future__ import annotations

from abides_markets.compiled.book import best
from abides_markets.compiled.book import cancel_order
from abides_markets.compiled.book import handle_limit_order
from abides_markets.compiled.book import handle_market_order
from abides_markets.compiled.book import note_quotes
from abides_markets.compiled.book import take_snapshot
from abides_markets.compiled.book import volume_since
from abides_markets.compiled.execution import put_book
from abides_markets.compiled.jit import compiled
from abides_markets.compiled.layout import *
from abides_markets.compiled.queue import agent_row
from abides_markets.compiled.queue import new_event
from abides_markets.compiled.queue import new_message_id
from abides_markets.compiled.queue import send


@compiled
def tell_close(b):
    """Send the closing price to those who asked; all get the same message."""
    number = new_message_id(b)
    for i in range(b[CLOSER_COUNT]):
        e = new_event(b, CLOSE_PRICE)
        b[e + DATA] = b[LAST_TRADE]
        send(b, 0, b[b[CLOSERS] + i], e, number, 0)


@compiled
def _reply(b, agent, kind, first, second, third, fourth):
    e = new_event(b, kind)
    b[e + DATA] = first
    b[e + DATA + 1] = second
    b[e + DATA + 2] = third
    b[e + DATA + 3] = fourth
    send(b, 0, agent, e, new_message_id(b), 0)


@compiled
def handle(b, f, sender, e):
    """Hand a message to the exchange."""
    x = agent_row(b, 0)
    b[x + A_DELAY] = b[COMPUTATION_DELAY]
    kind = b[e + KIND]
    closed = b[NOW] > b[CLOSE]
    if closed and kind != QUERY_SPREAD and kind != QUERY_VOLUME and kind != QUERY_LAST_TRADE:
        _reply(b, sender, MARKET_CLOSED, 0, 0, 0, 0)
        return
    if kind == QUERY_SPREAD:
        asker = b[agent_row(b, sender) + A_KIND]
        if asker == PYTHON:
            _show_book(b, sender, b[e + DATA], closed)
        elif asker == EXECUTION:
            _show_best_levels(b, sender, closed)
        else:
            _reply(b, sender, SPREAD, best(b, BID)[0], best(b, ASK)[0], b[LAST_TRADE], 1 if closed else 0)
    elif kind == QUERY_VOLUME:
        bought, sold = volume_since(b, b[NOW] - b[e + DATA])
        _reply(b, sender, VOLUME, bought, sold, 1 if closed else 0, 0)
    elif kind == LIMIT:
        handle_limit_order(b, sender, b[e + DATA], b[e + DATA + 1], b[e + DATA + 2], b[e + DATA + 3], b[e + DATA + 4])
        note_quotes(b)
        _publish(b, f)
    elif kind == MARKET:
        handle_market_order(b, sender, b[e + DATA], b[e + DATA + 1], b[e + DATA + 2], b[e + DATA + 3])
        note_quotes(b)
        _publish(b, f)
    elif kind == QUERY_LAST_TRADE:
        _reply(b, sender, LAST_TRADE_REPLY, b[LAST_TRADE], 1 if closed else 0, 0, 0)
    elif kind == CANCEL:
        cancel_order(b, sender, b[e + DATA], b[e + DATA + 1])
        note_quotes(b)
        _publish(b, f)
    elif kind == HOURS_REQUEST:
        b[x + A_DELAY] = 0
        _reply(b, sender, HOURS, 0, 0, 0, 0)
    elif kind == CLOSE_PRICE_REQUEST:
        b[b[CLOSERS] + b[CLOSER_COUNT]] = sender
        b[CLOSER_COUNT] += 1
    elif kind == SUBSCRIBE:
        s = b[SUBSCRIPTIONS] + b[SUBSCRIPTION_COUNT] * SUBSCRIPTION_WORDS
        b[SUBSCRIPTION_COUNT] += 1
        b[s + S_AGENT] = sender
        b[s + S_THRESHOLD] = b[e + DATA]
        b[s + S_ACTIVE] = 0
        b[s + S_SIDE] = NONE


@compiled
def _publish(b, f):
    """Tell the subscribers of the imbalance that it has begun to be large, or has ended."""
    bids, asks = b[DEPTH + BID], b[DEPTH + ASK]
    side = NONE
    imbalance = 0.0
    if bids < asks:
        side = ASK
        imbalance = 1 - bids / asks
    elif asks < bids:
        side = BID
        imbalance = 1 - asks / bids
    for i in range(b[SUBSCRIPTION_COUNT]):
        s = b[SUBSCRIPTIONS] + i * SUBSCRIPTION_WORDS
        active = imbalance > f[s + S_THRESHOLD]
        if b[s + S_ACTIVE]:
            if active and side == b[s + S_SIDE]:
                continue
            if active:  # the other side is the heavier one now: the old event ends as it was
                _tell_imbalance(b, f, b[s + S_AGENT], IMBALANCE_FINISH, f[s + S_IMBALANCE], b[s + S_SIDE])
            else:
                _tell_imbalance(b, f, b[s + S_AGENT], IMBALANCE_FINISH, imbalance, side)
            b[s + S_ACTIVE] = 0
            b[s + S_SIDE] = NONE
        if active:
            b[s + S_ACTIVE] = 1
            b[s + S_SIDE] = side
            f[s + S_IMBALANCE] = imbalance
            _tell_imbalance(b, f, b[s + S_AGENT], IMBALANCE_START, imbalance, side)


@compiled
def _tell_imbalance(b, f, agent, kind, imbalance, side):
    e = new_event(b, kind)
    b[e + DATA] = b[LAST_TRADE]
    f[e + DATA + 1] = imbalance
    b[e + DATA + 2] = side
    b[e + DATA + 3] = b[NOW]
    send(b, 0, agent, e, new_message_id(b), 0)


@compiled
def _show_book(b, agent, depth, closed):
    e = new_event(b, SPREAD)
    take_snapshot(b, e, depth)
    b[e + DATA + 1] = b[LAST_TRADE]
    b[e + DATA + 4] = 1 if closed else 0
    b[e + DATA + 5] = depth
    send(b, 0, agent, e, new_message_id(b), 0)


@compiled
def _show_best_levels(b, agent, closed):
    """Send the execution slot the best levels of both sides and all visible shares, in events chained to the reply."""
    e = new_event(b, SPREAD)
    b[e + DATA] = best(b, BID)[0]
    b[e + DATA + 1] = best(b, ASK)[0]
    b[e + DATA + 2] = b[LAST_TRADE]
    b[e + DATA + 3] = 1 if closed else 0
    put_book(b, e)
    send(b, 0, agent, e, new_message_id(b), 0)
