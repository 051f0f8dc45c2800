"""Notifications about orders, from the exchange to an agent."""

from __future__ import annotations

from dataclasses import dataclass

from abides_core.message import Message
from abides_markets.orders import LimitOrder
from abides_markets.orders import Order


@dataclass(slots=True)
class OrderBookMsg(Message):
    """Base of all notifications about orders."""


@dataclass(slots=True)
class OrderAcceptedMsg(OrderBookMsg):
    """An order rests in the book; its quantity is what remains of it."""

    order: LimitOrder


@dataclass(slots=True)
class OrderExecutedMsg(OrderBookMsg):
    """An order traded; its quantity and fill price are those of this execution."""

    order: Order


@dataclass(slots=True)
class OrderCancelledMsg(OrderBookMsg):
    """An order left the book unfilled; its quantity is what remained of it."""

    order: Order


@dataclass(slots=True)
class OrderPartialCancelledMsg(OrderBookMsg):
    """An order became smaller; its quantity is what remains of it."""

    new_order: LimitOrder


@dataclass(slots=True)
class OrderModifiedMsg(OrderBookMsg):
    """An order's quantity was changed."""

    new_order: LimitOrder


@dataclass(slots=True)
class OrderReplacedMsg(OrderBookMsg):
    """An order was cancelled and another placed; the new one's quantity is what remains of it."""

    old_order: LimitOrder
    new_order: LimitOrder


@dataclass(slots=True)
class OrderRejectedMsg(OrderBookMsg):
    """A request to cancel, change or replace an order was refused; sent only with the switch `report_rejections`.

    `order` is the order that the request named or, of a replacement, the new one; `request` is the name of the
    request's class, `reason` says why.
    """

    order: Order
    request: str
    reason: str
