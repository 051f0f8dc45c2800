"""A book's history as a table in the manner of Nasdaq's TotalView-ITCH messages."""

from __future__ import annotations

from typing import Any

import pandas as pd

from abides_core.utils import ns_date

COLUMNS = ("timestamp", "stock", "type", "reference", "side", "shares", "price", "new_reference", "printable")
_TYPES = {"LIMIT": "ADD", "CANCEL_PARTIAL": "CANCEL", "CANCEL": "DELETE", "EXEC": "EXECUTE"}
_SIDES = {"BID": "B", "ASK": "S"}


def itch_frame(history: list[dict[str, Any]]) -> pd.DataFrame:
    """Return a history, as an order book keeps it, as a table with a row an entry.

    Columns: `timestamp` (ns since midnight), `type` (`ADD`, `EXECUTE`, `CANCEL`: a part of an order, `DELETE`,
    `MODIFY`, `REPLACE`), `reference` (order id; of a replacement the old order's), `side` (`B`, `S`), `shares`, `price`
    (hundredths of a cent), `new_reference` (the new order's id of a replacement), and `stock` and `printable`, always
    empty. What an entry does not have is missing. A cancellation with the tag `auctionFill` is an execution of the
    `quantity` and `price` in its metadata.
    """
    return pd.DataFrame([_row(entry) for entry in history], columns=pd.Index(COLUMNS))


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    kind = entry["type"]
    shares = entry.get("new_quantity", entry.get("quantity"))
    price = entry.get("price")
    if entry.get("tag") == "auctionFill":
        kind = "EXEC"
        metadata = entry["metadata"] or {}
        shares, price = metadata.get("quantity"), metadata.get("price")
    return {
        "timestamp": entry["time"] - ns_date(entry["time"]),
        "type": _TYPES.get(kind, kind),
        "reference": entry.get("old_order_id", entry.get("order_id")),
        "side": None if kind == "EXEC" else _SIDES.get(entry.get("new_side", entry.get("side", ""))),
        "shares": shares,
        "price": None if price is None else price * 100,
        "new_reference": entry.get("new_order_id"),
    }
