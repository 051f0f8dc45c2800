"""Named repairs of the reference market.

The reference market has known faults that its tapes depend on. Each repair that changes a tape is a switch here, off by
default, so that `rmsc03` and `rmsc04` reproduce the reference to the trade; the execution market of `configs/` turns
them on. `docs/fidelity.md` states what each changes and by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields


@dataclass(frozen=True, slots=True)
class Switches:
    """Which repairs are on.

    Attributes:
        makers_requote: A market maker that has seen no two-sided quote yet keeps waking, instead of falling silent
            for the rest of the day.
        report_unfilled: The part of a market order that found nothing to trade with is reported to its agent as
            cancelled, instead of vanishing.
        market_orders_update_last_trade: Trades by market orders update the book's last trade.
        every_change_updates_timestamp: The book's `last_update_ts` advances on entries and executions too, so that
            subscribers of market data are not served a stale book.
        refuse_crossing_post_only: A post-only order, or one with a market-replay tag, that would trade when it comes in
            is refused (cancelled), instead of taking visible shares or resting across hidden ones.
        report_rejections: A request to cancel, change or replace an order that is refused, above all because the order
            is not there any more, is answered by an `OrderRejectedMsg`, instead of not at all. The reference engine
            alone has it.
    """

    makers_requote: bool = False
    report_unfilled: bool = False
    market_orders_update_last_trade: bool = False
    every_change_updates_timestamp: bool = False
    refuse_crossing_post_only: bool = False
    report_rejections: bool = False

    @classmethod
    def all_on(cls, **exceptions: bool) -> Switches:
        """Return all switches on that both engines have, except as given by name.

        Raises:
            ValueError: If a name is not a switch.
        """
        names = [field.name for field in fields(cls)]
        for name in exceptions:
            if name not in names:
                raise ValueError(f"unknown switch {name!r}; allowed: {', '.join(names)}")
        return cls(**{**{name: name not in REFERENCE_ENGINE_ONLY for name in names}, **exceptions})


REFERENCE_ENGINE_ONLY = ("report_rejections",)
"""Switches that the compiled engine refuses."""

REFERENCE = Switches()
"""The reference market: every fault in place."""
