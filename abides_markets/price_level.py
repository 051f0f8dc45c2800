"""One price on one side of the book: two first-in-first-out queues, visible orders before hidden ones."""

from __future__ import annotations

from typing import Any

from abides_markets.orders import LimitOrder
from abides_markets.orders import Side

Entry = tuple[LimitOrder, dict[str, Any]]


class PriceLevel:
    """The orders resting at one price.

    Args:
        orders: `(order, metadata)` pairs, first to execute first; price and side are those of the first.

    Raises:
        ValueError: If there are no orders.

    Attributes:
        price: Price, cents.
        side: Side of the book.
        total_quantity: Visible shares; kept by the methods.
    """

    __slots__ = ("_hidden", "_visible", "price", "side", "total_quantity")

    def __init__(self, orders: list[Entry]) -> None:
        if not orders:
            raise ValueError("a price level needs at least one order")
        self._visible: list[Entry] = []
        self._hidden: list[Entry] = []
        self.total_quantity = 0
        self.price: int = orders[0][0].limit_price
        self.side: Side = orders[0][0].side
        for order, metadata in orders:
            self.add_order(order, metadata)

    @property
    def visible_orders(self) -> list[Entry]:
        """Visible orders, first to execute first. Assign a new list rather than change this one."""
        return self._visible

    @visible_orders.setter
    def visible_orders(self, orders: list[Entry]) -> None:
        self._visible = orders
        self.total_quantity = sum(order.quantity for order, _ in orders)

    @property
    def hidden_orders(self) -> list[Entry]:
        """Hidden orders, first to execute first."""
        return self._hidden

    @hidden_orders.setter
    def hidden_orders(self, orders: list[Entry]) -> None:
        self._hidden = orders

    @property
    def is_empty(self) -> bool:
        """Whether neither queue holds an order."""
        return not self._visible and not self._hidden

    def add_order(self, order: LimitOrder, metadata: dict[str, Any] | None = None) -> None:
        """Add an order at the back of its queue, or by its id if it asks for that."""
        entry = (order, {} if metadata is None else metadata)
        if order.is_hidden:
            self._hidden.append(entry)
            return
        self.total_quantity += order.quantity
        if order.insert_by_id:
            for index, (other, _) in enumerate(self._visible):
                if other.order_id > order.order_id:
                    self._visible.insert(index, entry)
                    return
        self._visible.append(entry)

    def update_order_quantity(self, order_id: int, new_quantity: int) -> bool:
        """Change the quantity of an order; a larger one goes to the back of its queue.

        Returns:
            Whether the order was found and `new_quantity` is not 0.
        """
        if new_quantity == 0:
            return False
        for queue in (self._visible, self._hidden):
            for index, entry in enumerate(queue):
                order = entry[0]
                if order.order_id != order_id:
                    continue
                change = new_quantity - order.quantity
                order.quantity = new_quantity
                if queue is self._visible:
                    self.total_quantity += change
                if change > 0:
                    queue.append(queue.pop(index))
                return True
        return False

    def remove_order(self, order_id: int) -> Entry | None:
        """Remove an order by id and return it with its metadata, or `None` if it is not here."""
        for queue in (self._visible, self._hidden):
            for index, entry in enumerate(queue):
                if entry[0].order_id == order_id:
                    del queue[index]
                    if queue is self._visible:
                        self.total_quantity -= entry[0].quantity
                    return entry
        return None

    def peek(self) -> Entry:
        """Return the first order to execute.

        Raises:
            ValueError: If the level is empty.
        """
        if self._visible:
            return self._visible[0]
        if self._hidden:
            return self._hidden[0]
        raise ValueError(f"no orders at {self.price}")

    def pop(self) -> Entry:
        """Remove and return the first order to execute.

        Raises:
            ValueError: If the level is empty.
        """
        if self._visible:
            entry = self._visible.pop(0)
            self.total_quantity -= entry[0].quantity
            return entry
        if self._hidden:
            return self._hidden.pop(0)
        raise ValueError(f"no orders at {self.price}")

    def reduce_first(self, quantity: int) -> None:
        """Take `quantity` shares, fewer than it has, off the first order to execute."""
        order = self.peek()[0]
        order.quantity -= quantity
        if self._visible:
            self.total_quantity -= quantity

    def order_is_match(self, order: LimitOrder) -> bool:
        """Return whether an incoming order of the opposite side trades with this level.

        Raises:
            ValueError: If the order is of this level's side.
        """
        if order.side is self.side:
            raise ValueError(f"order {order.order_id} is on the side of the level ({self.side.value})")
        crosses = order.limit_price >= self.price if order.side is Side.BID else order.limit_price <= self.price
        return crosses and not (order.is_post_only and self.total_quantity == 0)

    def order_has_better_price(self, order: LimitOrder) -> bool:
        """Return whether an order of this side is more aggressive than the level.

        Raises:
            ValueError: If the order is of the other side.
        """
        self._require_same_side(order)
        return order.limit_price > self.price if self.side is Side.BID else order.limit_price < self.price

    def order_has_worse_price(self, order: LimitOrder) -> bool:
        """Return whether an order of this side is less aggressive than the level.

        Raises:
            ValueError: If the order is of the other side.
        """
        self._require_same_side(order)
        return order.limit_price < self.price if self.side is Side.BID else order.limit_price > self.price

    def order_has_equal_price(self, order: LimitOrder) -> bool:
        """Return whether an order of this side has the level's price.

        Raises:
            ValueError: If the order is of the other side.
        """
        self._require_same_side(order)
        return order.limit_price == self.price

    def _require_same_side(self, order: LimitOrder) -> None:
        if order.side is not self.side:
            raise ValueError(f"order {order.order_id} is not on the side of the level ({self.side.value})")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PriceLevel):
            raise NotImplementedError(f"a price level cannot be compared with {type(other).__name__}")
        return self._visible == other._visible and self._hidden == other._hidden

    # Not hashable: equality is by value and levels change.
    __hash__ = None  # type: ignore[assignment]
