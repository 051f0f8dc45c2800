"""Orders.

Orders are created by the hundred thousand, so they have slots and are copied field by field.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from enum import Enum
from numbers import Integral
from typing import Any
from typing import ClassVar

from abides_core.ids import Counter
from abides_core.utils import NanosecondTime
from abides_core.utils import fmt_ts
from abides_markets.utils.money import dollarize

ORDER_IDS = Counter(first=0)


class Side(Enum):
    """Side of an order: a buy order has side `BID`."""

    BID = "BID"
    ASK = "ASK"

    def is_bid(self) -> bool:
        """Return whether this is the buy side."""
        return self is Side.BID

    def is_ask(self) -> bool:
        """Return whether this is the sell side."""
        return self is Side.ASK


class _OrderMeta(type):
    """Lets ABIDES code set the next order id through the class attributes that its versions know."""

    @property
    def _order_id_counter(cls) -> int:
        return ORDER_IDS.value

    @_order_id_counter.setter
    def _order_id_counter(cls, value: int) -> None:
        ORDER_IDS.value = value

    @property
    def _order_id_generator(cls) -> Iterator[int]:
        return iter(ORDER_IDS.next, None)

    @_order_id_generator.setter
    def _order_id_generator(cls, ids: Iterator[int]) -> None:
        ORDER_IDS.value = next(ids)


class Order(metaclass=_OrderMeta):
    """Base of all orders; not to be created itself.

    Args:
        agent_id: Id of the agent that places it.
        time_placed: Time of placing, ns since the epoch.
        symbol: Traded symbol.
        quantity: Shares.
        side: Side of the book.
        order_id: Number of the order in its run, by default the next one.
        tag: Free field.

    Attributes:
        fill_price: Price of an execution, cents; `None` on an order that is not one.
    """

    __slots__ = ("agent_id", "fill_price", "order_id", "quantity", "side", "symbol", "tag", "time_placed")
    _fields: ClassVar[tuple[str, ...]] = (
        "agent_id",
        "time_placed",
        "symbol",
        "quantity",
        "side",
        "order_id",
        "fill_price",
        "tag",
    )
    # Not hashable: equality is by value and orders change.
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        agent_id: int,
        time_placed: NanosecondTime,
        symbol: str,
        quantity: int,
        side: Side,
        order_id: int | None = None,
        tag: Any = None,
    ) -> None:
        if self.__class__ is Order:
            raise TypeError("Order is abstract: create a LimitOrder or a MarketOrder")
        self.agent_id = agent_id
        self.time_placed = time_placed
        self.symbol = symbol
        self.quantity = quantity
        self.side = side
        self.order_id = ORDER_IDS.next() if order_id is None else order_id
        self.fill_price: int | None = None
        self.tag = tag

    def to_dict(self) -> dict[str, Any]:
        """Return the order's fields as a dict, the time as text."""
        fields = {name: getattr(self, name) for name in self._fields}
        fields["time_placed"] = _time_text(self.time_placed)
        fields["tag"] = deepcopy(self.tag)
        return fields

    def copy(self) -> Order:
        """Return an independent order with the same fields, the same id included."""
        raise NotImplementedError

    def __copy__(self) -> Order:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Order:
        return self.copy()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if self.__class__ is not other.__class__:
            return False
        return all(getattr(self, name) == getattr(other, name) for name in self._fields)

    def __repr__(self) -> str:
        return str(self)


class LimitOrder(Order):
    """An order to trade at a price or better.

    Args:
        agent_id: Id of the agent that places it.
        time_placed: Time of placing, ns since the epoch.
        symbol: Traded symbol.
        quantity: Shares.
        side: Side of the book.
        limit_price: Worst acceptable price, cents.
        is_hidden: Rests out of sight, behind the visible orders at its price.
        is_price_to_comply: Entered as a visible order and a hidden twin one cent more aggressive.
        insert_by_id: Takes its place in the queue at its price by order id.
        is_post_only: Is kept from matching a level without visible shares; with the switch `refuse_crossing_post_only`
            it never trades when it comes in.
        order_id: Number of the order in its run, by default the next one.
        tag: Free field.
    """

    __slots__ = ("insert_by_id", "is_hidden", "is_post_only", "is_price_to_comply", "limit_price")
    _fields = (*Order._fields, "limit_price", "is_hidden", "is_price_to_comply", "insert_by_id", "is_post_only")

    def __init__(
        self,
        agent_id: int,
        time_placed: NanosecondTime,
        symbol: str,
        quantity: int,
        side: Side,
        limit_price: int,
        is_hidden: bool = False,
        is_price_to_comply: bool = False,
        insert_by_id: bool = False,
        is_post_only: bool = False,
        order_id: int | None = None,
        tag: Any = None,
    ) -> None:
        super().__init__(agent_id, time_placed, symbol, quantity, side, order_id, tag)
        self.limit_price = limit_price
        self.is_hidden = is_hidden
        self.is_price_to_comply = is_price_to_comply
        self.insert_by_id = insert_by_id
        self.is_post_only = is_post_only

    def copy(self) -> LimitOrder:
        """Return an independent order with the same fields, the same id included."""
        new = LimitOrder.__new__(LimitOrder)
        new.agent_id = self.agent_id
        new.time_placed = self.time_placed
        new.symbol = self.symbol
        new.quantity = self.quantity
        new.side = self.side
        new.order_id = self.order_id
        new.fill_price = self.fill_price
        new.tag = self.tag if self.tag is None else deepcopy(self.tag)
        new.limit_price = self.limit_price
        new.is_hidden = self.is_hidden
        new.is_price_to_comply = self.is_price_to_comply
        new.insert_by_id = self.insert_by_id
        new.is_post_only = self.is_post_only
        return new

    def __str__(self) -> str:
        tag = f" [{self.tag}]" if self.tag is not None else ""
        filled = f" (filled @ {_price_text(self.fill_price)})" if self.fill_price else ""
        return (
            f"(Agent {self.agent_id} @ {_time_text(self.time_placed)}{tag}) :"
            f" {_side_text(self.side)} {self.quantity} {self.symbol} @ {_price_text(self.limit_price)}{filled}"
        )


class MarketOrder(Order):
    """An order to trade at once, at whatever price the book offers."""

    __slots__ = ()

    def copy(self) -> MarketOrder:
        """Return an independent order with the same fields, the same id included."""
        new = MarketOrder.__new__(MarketOrder)
        new.agent_id = self.agent_id
        new.time_placed = self.time_placed
        new.symbol = self.symbol
        new.quantity = self.quantity
        new.side = self.side
        new.order_id = self.order_id
        new.fill_price = self.fill_price
        new.tag = self.tag if self.tag is None else deepcopy(self.tag)
        return new

    def __str__(self) -> str:
        return (
            f"(Agent {self.agent_id} @ {_time_text(self.time_placed)}) :"
            f" MKT Order {_side_text(self.side)} {self.quantity} {self.symbol}"
        )


# Constructors do not judge what they are given, and whoever refuses an order must be able to write it out.


def _time_text(time: Any) -> Any:
    return fmt_ts(int(time)) if isinstance(time, Integral) else time


def _side_text(side: Any) -> Any:
    return side.value if isinstance(side, Side) else side


def _price_text(price: Any) -> Any:
    if not isinstance(price, Integral):
        return price
    return "MKT" if abs(int(price)) >= sys.maxsize else dollarize(int(price))
