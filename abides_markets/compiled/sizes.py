"""The one size of all their orders that traders without a size model draw first."""

from __future__ import annotations

from abides_markets.compiled.jit import compiled
from abides_markets.compiled.layout import NONE
from abides_markets.compiled.streams import randint
from abides_markets.compiled.streams import seed_stream


@compiled
def draw_sizes(b, u, targets, starts, laws):
    """Seed streams and take their first draw; it is written where `NONE` stands.

    Args:
        b: The market.
        u: The same as 32-bit words.
        targets: Where each agent's size stands.
        starts: Where each agent's stream stands.
        laws: A row an agent: seed, least size, upper end of the size (not reached).
    """
    for i in range(len(starts)):
        seed_stream(b, u, starts[i], laws[i, 0])
        size = randint(b, u, starts[i], laws[i, 1], laws[i, 2])
        if b[targets[i]] == NONE:
            b[targets[i]] = size
