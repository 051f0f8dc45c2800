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
    """

    makers_requote: bool = False
    report_unfilled: bool = False
    market_orders_update_last_trade: bool = False
    every_change_updates_timestamp: bool = False

    @classmethod
    def all_on(cls, **exceptions: bool) -> Switches:
        """Return all switches on, except as given by name.

        Raises:
            ValueError: If a name is not a switch.
        """
        names = [field.name for field in fields(cls)]
        for name in exceptions:
            if name not in names:
                raise ValueError(f"unknown switch {name!r}; allowed: {', '.join(names)}")
        return cls(**{**dict.fromkeys(names, True), **exceptions})


REFERENCE = Switches()
"""The reference market: every fault in place."""
