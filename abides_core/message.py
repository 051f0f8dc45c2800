"""Messages between agents."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from abides_core.ids import Counter

MESSAGE_IDS = Counter(first=1)


@dataclass(slots=True)
class Message:
    """Base of all messages.

    Attributes:
        message_id: Number of the message in its run, from 1, in order of creation; the last part of an event's key.
    """

    message_id: int = field(init=False)

    def __post_init__(self) -> None:
        self.message_id = MESSAGE_IDS.value  # `next`, without a call: every message comes by here
        MESSAGE_IDS.value += 1

    def __lt__(self, other: Message) -> bool:
        return self.message_id < other.message_id

    def type(self) -> str:
        """Return the name of the message's class."""
        return self.__class__.__name__


@dataclass(slots=True)
class MessageBatch(Message):
    """Several messages from one sender to one recipient, delivered together."""

    messages: list[Message]


@dataclass(slots=True)
class WakeupMsg(Message):
    """A wake-up that the kernel delivers to the agent that asked for it."""
