"""The mark of an agent whose decisions are taken outside."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from typing import Any


class CoreGymAgent(ABC):
    """Makes an agent a gym agent when it stands among its direct base classes.

    Whatever such an agent returns from `wakeup` or `receive_message`, other than `None`, interrupts the kernel and is
    handed to the environment. It continues with `apply_actions`, given what the environment decided.
    """

    @abstractmethod
    def update_raw_state(self) -> None:
        """Bring the raw state up to date at the end of the simulation."""

    @abstractmethod
    def get_raw_state(self) -> Any:
        """Return the raw state."""

    @abstractmethod
    def apply_actions(self, actions: Any) -> None:
        """Carry out what the environment decided."""
