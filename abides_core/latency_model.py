"""Network latency between agents."""

from __future__ import annotations

from typing import Any

import numpy as np


class LatencyModel:
    """Latency in nanoseconds from a sender to a recipient.

    Args:
        random_state: Stream of the cubic model's draws.
        min_latency: Least latency, ns: a scalar, an array by sender, or a matrix [sender, recipient].
        latency_model: `deterministic` (always the least latency) or `cubic` (a heavy-tailed addition).
        connected: Whether sender and recipient are connected, same shapes; a message between agents that are not
            connected is not delivered.
        jitter: Scale a of the cubic addition, same shapes.
        jitter_clip: Least uniform draw of the cubic model, same shapes; bounds the addition.
        jitter_unit: Divisor u of the least latency in the cubic model, same shapes.

    Raises:
        ValueError: If `latency_model` is neither of the two.
    """

    def __init__(
        self,
        random_state: np.random.RandomState,
        min_latency: Any,
        latency_model: str = "cubic",
        connected: Any = True,
        jitter: Any = 0.5,
        jitter_clip: Any = 0.1,
        jitter_unit: Any = 10.0,
    ) -> None:
        self.latency_model = latency_model.lower()
        if self.latency_model not in ("cubic", "deterministic"):
            raise ValueError(f"latency_model must be 'cubic' or 'deterministic', got {latency_model!r}")
        self.random_state = random_state
        self.min_latency = min_latency
        # The usual case, asked for every message.
        self._is_plain_matrix = (
            self.latency_model == "deterministic" and isinstance(min_latency, np.ndarray) and min_latency.ndim == 2
        )
        if self.latency_model == "cubic":
            self.connected = connected
            self.jitter = jitter
            self.jitter_clip = jitter_clip
            self.jitter_unit = jitter_unit

    def get_latency(self, sender_id: int, recipient_id: int) -> float:
        """Return the latency of one message in ns, or −1 if the agents are not connected.

        The cubic model draws x ~ U[clip, 1) and returns m + (a / x³) · (m / u), m being the least latency.
        """
        if self._is_plain_matrix:
            return self.min_latency[sender_id, recipient_id]
        least = self._element(self.min_latency, sender_id, recipient_id)
        if self.latency_model == "deterministic":
            return float(least)
        if not self._element(self.connected, sender_id, recipient_id):
            return -1
        clip = self._element(self.jitter_clip, sender_id, recipient_id)
        jitter = self._element(self.jitter, sender_id, recipient_id)
        unit = self._element(self.jitter_unit, sender_id, recipient_id)
        x = self.random_state.uniform(low=clip, high=1.0)
        return float(least + (jitter / x**3) * (least / unit))

    def to_and_from(self, agent_id: int, count: int) -> Any:
        """Return the latencies of the first `count` agents to one agent, and from it to them: [2, count], whole ns.

        Raises:
            IndexError: If the model knows fewer agents.
        """
        others = range(count)
        to = [int(self.get_latency(other, agent_id)) for other in others]
        return np.array([to, [int(self.get_latency(agent_id, other)) for other in others]], dtype=np.int64)

    @staticmethod
    def _element(value: Any, sender_id: int, recipient_id: int) -> Any:
        dimensions = np.ndim(value)
        if dimensions == 0:
            return value
        if dimensions == 1:
            return value[sender_id]
        if dimensions == 2:
            return value[sender_id, recipient_id] if isinstance(value, np.ndarray) else value[sender_id][recipient_id]
        raise ValueError(f"a latency parameter has at most two dimensions, got {dimensions}")
