"""Helpers of the market layer."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from abides_core.latency_model import LatencyModel
from abides_core.streams import random_state as new_random_state
from abides_core.utils import restrictdict
from abides_core.utils import subdict
from abides_markets.utils.money import dollarize

__all__ = [
    "config_add_agents",
    "config_append_agents",
    "delist",
    "dollarize",
    "generate_latency_model",
    "generate_uniform_random_pairwise_dist_on_line",
    "get_value_from_timestamp",
    "ignored",
    "meters_to_light_ns",
    "numeric",
    "restrictdict",
    "sigmoid",
    "subdict",
    "validate_window_size",
]

LIGHT_METERS_PER_NS = 299792458 * 10**-9
LINE_METERS = 3_866_660
"""Length of the line on which agents are placed: roughly from one coast of North America to the other."""


def delist(ll: list[list[Any]]) -> list[Any]:
    """Flatten a list of lists by one level."""
    return [item for inner in ll for item in inner]


def numeric(s: str) -> int | float | str:
    """Return text as an integer if it is one, else as a float, else as it is; trailing commas are dropped."""
    text = s.rstrip(",")
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def get_value_from_timestamp(s: pd.Series, ts: Any) -> Any:
    """Return the value of a time-indexed series nearest to `ts` cut to whole seconds; of duplicates, the last."""
    unique = s.loc[~s.index.duplicated(keep="last")]
    position = unique.index.get_indexer(pd.DatetimeIndex([pd.Timestamp(ts).floor("s")]), method="nearest")[0]
    return unique.iloc[position]


@contextmanager
def ignored(warning_str: str, *exceptions: type[BaseException]) -> Iterator[None]:
    """Swallow the given exceptions, with a warning."""
    try:
        yield
    except exceptions:
        warnings.warn(warning_str, UserWarning, stacklevel=3)
        print(warning_str)


def generate_uniform_random_pairwise_dist_on_line(
    left: float, right: float, num_points: int, random_state: np.random.RandomState
) -> Any:
    """Place points uniformly on a line and return the matrix of their distances.

    The first n points of one stream do not depend on how many follow.
    """
    points = random_state.uniform(low=left, high=right, size=num_points)
    return np.abs(points[:, None] - points[None, :])


def meters_to_light_ns(x: Any) -> Any:
    """Return the time that light takes for distances in metres, whole ns (cut, not rounded)."""
    return (np.asarray(x) / LIGHT_METERS_PER_NS).astype(np.int64)


def validate_window_size(s: Any) -> int | str:
    """Return a window size as an integer, or `"adaptive"`.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(s, str) and s.lower() == "adaptive":
        return "adaptive"
    try:
        return int(s)
    except (TypeError, ValueError) as error:
        raise ValueError(f"window size must be a whole number or 'adaptive', got {s!r}") from error


def sigmoid(x: float, beta: float) -> float:
    """Return 1 / (1 + e^(−βx)), without overflow."""
    z = beta * x
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    exponential = math.exp(z)
    return exponential / (1 + exponential)


class LineLatencyModel(LatencyModel):
    """The time that light takes between agents on a line.

    The matrix of all latencies (10 MB for a thousand agents) is made when it is first asked for.

    Args:
        random_state: Stream of the positions, from which one uniform value an agent is drawn.
        agent_count: Number of agents.

    Attributes:
        positions: Place of each agent, metres.
    """

    def __init__(self, random_state: np.random.RandomState, agent_count: int) -> None:
        self.positions = random_state.uniform(low=0, high=LINE_METERS, size=agent_count)
        self._matrix: Any = None
        super().__init__(random_state, None, latency_model="deterministic")
        self._places: list[float] = self.positions.tolist()

    @property
    def min_latency(self) -> Any:
        """Latencies [sender, recipient], ns; once made, or set, they are what counts."""
        if self._matrix is None:
            self._matrix = meters_to_light_ns(np.abs(self.positions[:, None] - self.positions[None, :]))
        return self._matrix

    @min_latency.setter
    def min_latency(self, matrix: Any) -> None:
        self._matrix = matrix

    def get_latency(self, sender_id: int, recipient_id: int) -> float:
        """Return the latency of one message, ns."""
        if self._matrix is not None:
            return float(self._element(self._matrix, sender_id, recipient_id))
        return int(abs(self._places[sender_id] - self._places[recipient_id]) / LIGHT_METERS_PER_NS)

    def to_and_from(self, agent_id: int, count: int) -> Any:
        """See `LatencyModel.to_and_from`."""
        if self._matrix is not None:
            return super().to_and_from(agent_id, count)
        distances = np.abs(self.positions[np.arange(count)] - self.positions[agent_id])
        return np.tile(meters_to_light_ns(distances), (2, 1))


def generate_latency_model(
    agent_count: int,
    latency_type: str = "deterministic",
    random_state: np.random.RandomState | None = None,
) -> LatencyModel:
    """Return constant latencies between agents placed at random on a line.

    Args:
        agent_count: Number of agents.
        latency_type: `deterministic` (light travels the distance: at most 12.9 ms) or `no_latency`.
        random_state: Stream of the positions, by default one seeded with 0.

    Raises:
        AssertionError: If the type is neither.
    """
    assert latency_type in ("deterministic", "no_latency"), (
        f"latency_type must be 'deterministic' or 'no_latency', got {latency_type!r}"
    )
    stream = random_state if random_state is not None else new_random_state(0)
    if latency_type == "deterministic":
        return LineLatencyModel(stream, agent_count)
    matrix = np.zeros((agent_count, agent_count), dtype=np.int64)
    return LatencyModel(stream, matrix, latency_model="deterministic", connected=True)


def config_add_agents(
    config: dict[str, Any], agents: list[Any], random_state: np.random.RandomState | None = None
) -> dict[str, Any]:
    """Append agents to a configuration and draw all latencies anew, as the reference market does.

    Every agent's latency changes, so the market with and without the new agents is not the same market; see
    `config_append_agents`.

    Args:
        config: What a `build_config` returned; changed in place.
        agents: Agents whose ids continue the configuration's.
        random_state: Stream of the positions, by default one seeded from the configuration's own stream.

    Returns:
        The configuration.
    """
    config["agents"] = [*config["agents"], *agents]
    if random_state is None:
        random_state = new_random_state(int(config["random_state"].randint(0, 2**32, dtype=np.uint64)))
    config["agent_latency_model"] = generate_latency_model(len(config["agents"]), random_state=random_state)
    return config


def config_append_agents(config: dict[str, Any], agents: list[Any]) -> dict[str, Any]:
    """Append agents to a configuration and leave the latencies of the others as they are.

    Args:
        config: What a `build_config` returned; changed in place.
        agents: Agents whose ids continue the configuration's.

    Returns:
        The configuration.
    """
    config["agents"] = [*config["agents"], *agents]
    config["agent_latency_model"] = generate_latency_model(
        len(config["agents"]), random_state=new_random_state(config["latency_seed"])
    )
    return config
