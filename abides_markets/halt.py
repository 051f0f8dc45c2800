"""When a market halts.

Two market makers that watch the imbalance of a book with one side all but gone may answer each other's quotes for ever:
each ladder tips the imbalance, each tip brings ladders, within microseconds. A real exchange would have halted trading;
here the run ends, with what has happened until then on record.
"""

from __future__ import annotations

from abides_core.utils import NanosecondTime
from abides_core.utils import fmt_ts


def most_resting(agents: int) -> int:
    """Return how many orders may rest in a book: hundreds of times as many as in one that works.

    Args:
        agents: Agents of the market, the exchange included.
    """
    return 20_000 + 20 * agents


def halt_text(time: NanosecondTime, most: int) -> str:
    """Return what is logged of a halt at `time` (ns since the epoch) because more than `most` orders rested."""
    return f"the market halts at {fmt_ts(time)}: more than {most} orders rest in its book"
