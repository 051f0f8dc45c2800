"""Tables whose rows are taken and given back: the events, open orders, resting orders, and what waits.

Rows that were given back are linked, the last one first. When there is none, the next row is taken that has never been
in use; those beyond are not written to, so that copies need not hold them.
"""

from __future__ import annotations

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.layout import POOL_FREE
from abides_markets.compiled.layout import POOL_FREE_COUNT
from abides_markets.compiled.layout import POOL_TOUCHED


@compiled
def take(b, pool, words, link):
    """Take a row out of a pool.

    Args:
        b: The market.
        pool: Name of the pool's offset in the header.
        words: Words of a row.
        link: Where in a row its link stands.

    Returns:
        The index of the row.
    """
    slot = b[pool + POOL_FREE]
    if slot < 0:
        slot = b[pool + POOL_TOUCHED]
        b[pool + POOL_TOUCHED] = slot + 1
    else:
        b[pool + POOL_FREE] = b[b[pool] + slot * words + link]
    b[pool + POOL_FREE_COUNT] -= 1
    return slot


@compiled
def give_back(b, pool, words, link, slot):
    """Give a row back to its pool."""
    b[b[pool] + slot * words + link] = b[pool + POOL_FREE]
    b[pool + POOL_FREE] = slot
    b[pool + POOL_FREE_COUNT] += 1
