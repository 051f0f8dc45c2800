"""A trained policy as plain arrays: what `experiments.train` exports and an agent trades with, without Ray or torch."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs import ConfigError

FORMAT = "shortfall-policy"
FORMAT_VERSION = 1

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """An affine map `x @ weight + bias`.

    Attributes:
        weight: Shape `[inputs, outputs]`, float32.
        bias: Shape `[outputs]`, float32.
    """

    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        """Map rows `[N, inputs]` to `[N, outputs]`."""
        return x @ self.weight + self.bias


class NumpyPolicy:
    """A Q-network of hidden layers with ReLU and either one linear head or dueling heads.

    Dueling (Wang et al. 2016, equation 9): `Q = V + A − mean(A)` over the actions.

    Args:
        hidden: Hidden layers, each followed by a ReLU.
        advantage: Linear head with one output an action: the advantages, or Q itself without `value`.
        value: Linear head with one output; None without dueling.
        metadata: JSON values about the training: `experiment`, seed ranges, steps, versions, git commit.
    """

    def __init__(
        self,
        hidden: Sequence[Layer],
        advantage: Layer,
        value: Layer | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.hidden = tuple(hidden)
        self.advantage = advantage
        self.value = value
        self._check_shapes()
        self.metadata: dict[str, Any] = {
            **(metadata or {}),
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "hidden_layers": len(self.hidden),
            "digest": self.digest(),
        }

    @property
    def observation_size(self) -> int:
        """Length of an observation."""
        first = self.hidden[0] if self.hidden else self.advantage
        return int(first.weight.shape[0])

    @property
    def action_count(self) -> int:
        """Number of actions."""
        return int(self.advantage.weight.shape[1])

    def q_values(self, observations: NDArray[np.floating[Any]]) -> Floats:
        """Value of each action.

        Args:
            observations: Shape `[N, observation_size]`.

        Returns:
            Shape `[N, action_count]`, float32, in the units of the reward.
        """
        x = np.asarray(observations, dtype=np.float32)
        if x.ndim != 2 or x.shape[1] != self.observation_size:
            raise ValueError(f"observations must have the shape [N, {self.observation_size}], got {list(x.shape)}")
        for layer in self.hidden:
            x = np.maximum(layer(x), np.float32(0))
        q = self.advantage(x)
        if self.value is not None:
            q = self.value(x) + q - q.mean(axis=1, keepdims=True)
        return q

    def act(self, observations: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
        """The greedy action of each row of `observations` (the first of equals)."""
        return self.q_values(observations).argmax(axis=1)

    def digest(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the weights."""
        state = hashlib.sha256()
        for name, array in self._arrays().items():
            state.update(f"{name}{array.shape}".encode())
            state.update(array.tobytes())
        return state.hexdigest()[:12]

    def save(self, path: str | Path) -> None:
        """Write the policy atomically; equal policies give equal bytes."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        content: dict[str, Any] = {"metadata": np.array(json.dumps(self.metadata, sort_keys=True)), **self._arrays()}
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                np.savez(file, **content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> NumpyPolicy:
        """Read a policy.

        Args:
            path: A file written by `save`.

        Returns:
            The policy.

        Raises:
            ConfigError: If there is no such file, or it is not such a policy; one line that names it.
        """
        path = Path(path)
        if not path.is_file():
            raise ConfigError(f"no policy {str(path)!r}: give a policy.npz written by experiments.train")
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            metadata = json.loads(str(arrays.pop("metadata")))
            if metadata["format"] != FORMAT or metadata["format_version"] != FORMAT_VERSION:
                raise ValueError(f"format {metadata['format']} {metadata['format_version']}")
            policy = cls(
                [_layer(arrays, f"hidden_{i}") for i in range(int(metadata["hidden_layers"]))],
                _layer(arrays, "advantage"),
                _layer(arrays, "value") if "value_weight" in arrays else None,
                metadata,
            )
        except (OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"{str(path)!r} is not a policy written by experiments.train: {reason}") from error
        if policy.metadata["digest"] != metadata.get("digest"):
            raise ConfigError(f"{str(path)!r} is damaged: the digest of its weights is not the one it states")
        return policy

    def _arrays(self) -> dict[str, Floats]:
        layers = {f"hidden_{i}": layer for i, layer in enumerate(self.hidden)} | {"advantage": self.advantage}
        if self.value is not None:
            layers["value"] = self.value
        arrays = {}
        for name, layer in layers.items():
            arrays[f"{name}_weight"] = np.ascontiguousarray(layer.weight, dtype=np.float32)
            arrays[f"{name}_bias"] = np.ascontiguousarray(layer.bias, dtype=np.float32)
        return arrays

    def _check_shapes(self) -> None:
        size = None
        for layer in (*self.hidden, self.advantage):
            _check_layer(layer, size)
            size = layer.weight.shape[1]
        if self.value is not None:
            _check_layer(self.value, self.advantage.weight.shape[0])
            if self.value.weight.shape[1] != 1:
                raise ValueError(f"the value head must have one output, got {self.value.weight.shape[1]}")


def _check_layer(layer: Layer, inputs: int | None) -> None:
    weight, bias = layer.weight, layer.bias
    if weight.ndim != 2 or bias.shape != (weight.shape[1],) or (inputs is not None and weight.shape[0] != inputs):
        raise ValueError(f"layers do not fit: weight {weight.shape}, bias {bias.shape}, inputs {inputs}")
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ValueError("a weight is not finite")


def _layer(arrays: Mapping[str, NDArray[Any]], name: str) -> Layer:
    weight, bias = arrays[f"{name}_weight"], arrays[f"{name}_bias"]
    if weight.dtype != np.float32 or bias.dtype != np.float32:
        raise ValueError(f"{name} is {weight.dtype}, not float32")
    return Layer(weight, bias)
