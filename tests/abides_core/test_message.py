from __future__ import annotations

from dataclasses import dataclass

from abides_core import Message
from abides_core import MessageBatch


@dataclass
class Note(Message):
    text: str
    copies: int = 1


def test_messages_are_numbered_in_order_of_creation_across_kinds() -> None:
    first, note, batch = Message(), Note("a"), MessageBatch([])
    assert [note.message_id - first.message_id, batch.message_id - first.message_id] == [1, 2]
    assert first < note < batch


def test_fields_are_constructor_arguments_and_the_number_is_not() -> None:
    note = Note("a", copies=3)
    assert (note.text, note.copies) == ("a", 3)
    assert note.type() == "Note"
    assert note != Note("a", copies=3)
    assert "message_id" in repr(note)
