"""The one size of all their orders that traders without a size model draw first."""

from __future__ import annotations

from abides_markets.compiled.jit import entry_point
from abides_markets.compiled.layout import NONE
from abides_markets.compiled.streams import randint


@entry_point
def draw_sizes(b, u, rows):
    """Take the first draw of streams; it is written where `NONE` stands.

    Args:
        b: The market.
        u: The same as 32-bit words.
        rows: A row an agent: where its size stands, where its stream stands, least size, upper end of the size (not
            reached).
    """
    for i in range(rows.shape[0]):
        target = rows[i, 0]
        size = randint(b, u, rows[i, 1], rows[i, 2], rows[i, 3])
        if b[target] == NONE:
            b[target] = size
