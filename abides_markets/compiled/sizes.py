"""The one size of all their orders that traders without a size model draw first."""

from __future__ import annotations

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.layout import NONE
from abides_markets.compiled.streams import randint
from abides_markets.compiled.streams import seed_unused_stream


@compiled
def draw_sizes(b, u, rows):
    """Seed streams and take their first draw; it is written where `NONE` stands.

    Args:
        b: The market.
        u: The same as 32-bit words.
        rows: A row an agent: where its size stands, where its stream stands, the stream's seed, least size, upper end
            of the size (not reached).
    """
    for i in range(rows.shape[0]):
        target, start = rows[i, 0], rows[i, 1]
        seed_unused_stream(b, u, start, rows[i, 2])
        size = randint(b, u, start, rows[i, 3], rows[i, 4])
        if b[target] == NONE:
            b[target] = size
