"""Requests about orders, from an agent to the exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from abides_core.message import Message
from abides_markets.orders import LimitOrder
from abides_markets.orders import MarketOrder


@dataclass(slots=True)
class OrderMsg(Message):
    """Base of all requests about orders."""


@dataclass(slots=True)
class LimitOrderMsg(OrderMsg):
    """Places a limit order."""

    order: LimitOrder


@dataclass(slots=True)
class MarketOrderMsg(OrderMsg):
    """Places a market order."""

    order: MarketOrder


@dataclass(slots=True)
class CancelOrderMsg(OrderMsg):
    """Cancels a resting order; the book uses its id, side and price."""

    order: LimitOrder
    tag: str | None
    metadata: dict[str, Any] | None


@dataclass(slots=True)
class PartialCancelOrderMsg(OrderMsg):
    """Takes `quantity` shares off a resting order."""

    order: LimitOrder
    quantity: int
    tag: str | None
    metadata: dict[str, Any] | None


@dataclass(slots=True)
class ModifyOrderMsg(OrderMsg):
    """Changes the quantity of a resting order to that of `new_order`."""

    old_order: LimitOrder
    new_order: LimitOrder


@dataclass(slots=True)
class ReplaceOrderMsg(OrderMsg):
    """Cancels one order and, if it was still there, places another."""

    agent_id: int
    old_order: LimitOrder
    new_order: LimitOrder
