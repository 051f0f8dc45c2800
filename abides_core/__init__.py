"""Discrete-event simulation kernel: clock, event queue, messages, latency, agents and logs.

An independent implementation of the ABIDES core API. Times are whole nanoseconds everywhere; every event is keyed by
`(time, sender, recipient, message id)`, which is a total order.
"""

NanosecondTime = int
"""A point in time (nanoseconds since the Unix epoch) or a duration (nanoseconds)."""

from abides_core.agent import Agent  # noqa: E402  the alias above must exist before the modules that import it
from abides_core.kernel import Kernel  # noqa: E402
from abides_core.latency_model import LatencyModel  # noqa: E402
from abides_core.message import Message  # noqa: E402
from abides_core.message import MessageBatch  # noqa: E402

__all__ = ["Agent", "Kernel", "LatencyModel", "Message", "MessageBatch", "NanosecondTime"]
