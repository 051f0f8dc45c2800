"""Distillation: a simple rule that does what a policy does, learnt from the decisions that the policy takes.

Both rules here learn the number of the policy's action by least squares, which has a meaning where actions are numbered
from the one that trades least to the one that trades most, as those of every action set are. How much of the policy's
result a rule keeps is for the market to say (`experiments.explain`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy

CANDIDATES = 63
"""Thresholds tried for each feature: quantiles, evenly spaced."""
LEAF_SHARE = 0.01
"""Least share of all decisions in a leaf: a rule for fewer is not worth reading."""
DIGITS = 3
"""Significant digits of a threshold."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Leaf:
    """What is done in one part of the observations.

    Attributes:
        action: Number of the action.
        share: Share of the decisions learnt from that end here.
    """

    action: int
    share: float


@dataclass(frozen=True)
class Split:
    """A question about one element of the observation.

    Attributes:
        column: Which element.
        threshold: What it is compared with.
        below: Where observations go whose element is less.
        above: Where the others go.
    """

    column: int
    threshold: float
    below: Split | Leaf
    above: Split | Leaf


class Tree:
    """A regression tree that chooses actions (Breiman, Friedman, Olshen and Stone 1984, chapter 8).

    Attributes:
        root: The first question.
    """

    def __init__(self, root: Split | Leaf) -> None:
        self.root = root

    @classmethod
    def fit(cls, observations: NDArray[np.float32], actions: NDArray[np.int64], depth: int) -> Tree:
        """Grow a tree: each split is the one that leaves the least squared error.

        Args:
            observations: Shape `(M, F)`.
            actions: What was done, `(M,)`.
            depth: Most questions on the way to a leaf, at least 1.
        """
        x, y = np.asarray(observations, dtype=np.float64), np.asarray(actions, dtype=np.float64)
        return cls(_grow(x, y, depth, least=max(1, round(LEAF_SHARE * len(y))), total=len(y)))

    def act(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """The action of each row of `observations`."""
        found = np.zeros(len(observations), dtype=np.int64)
        _fill(self.root, np.asarray(observations, dtype=np.float64), np.arange(len(observations)), found)
        return found

    def text(self, names: Sequence[str], labels: Sequence[str]) -> str:
        """Write the tree as a rule, a line a question or leaf.

        Args:
            names: Names of the elements of the observation.
            labels: Names of the actions.
        """
        return "\n".join(_lines(self.root, names, labels, ""))


def _grow(x: Floats, y: Floats, depth: int, least: int, total: int) -> Split | Leaf:
    best = _best_split(x, y, least) if depth > 0 else None
    if best is None:
        return Leaf(int(np.rint(y.mean())), len(y) / total)
    column, threshold = best
    below = x[:, column] < threshold
    children = (_grow(x[part], y[part], depth - 1, least, total) for part in (below, ~below))
    low, high = children
    if isinstance(low, Leaf) and isinstance(high, Leaf) and low.action == high.action:
        return Leaf(low.action, low.share + high.share)
    return Split(column, threshold, low, high)


def _best_split(x: Floats, y: Floats, least: int) -> tuple[int, float] | None:
    """Return column and threshold of the split that takes most off the squared error; None if none takes any off."""
    best, found = 1e-12 * max(1.0, float(y @ y)), None
    for column in range(x.shape[1]):
        quantiles = np.quantile(x[:, column], np.linspace(0, 1, CANDIDATES + 2)[1:-1])
        for threshold in sorted({float(f"{value:.{DIGITS}g}") for value in quantiles.tolist()}):
            below = x[:, column] < threshold
            count = int(below.sum())
            if count < least or len(y) - count < least:
                continue
            # The error falls by n₁n₂/n times the squared difference of the two means.
            difference = y[below].mean() - y[~below].mean()
            taken = count * (len(y) - count) / len(y) * difference**2
            if taken > best:
                best, found = taken, (column, threshold)
    return found


def _fill(node: Split | Leaf, x: Floats, rows: NDArray[np.int64], found: NDArray[np.int64]) -> None:
    if isinstance(node, Leaf):
        found[rows] = node.action
        return
    below = x[rows, node.column] < node.threshold
    _fill(node.below, x, rows[below], found)
    _fill(node.above, x, rows[~below], found)


def _lines(node: Split | Leaf, names: Sequence[str], labels: Sequence[str], indent: str) -> list[str]:
    if isinstance(node, Leaf):
        return [f"{indent}{labels[node.action]}  ({node.share:.0%} of decisions)"]
    question = f"{names[node.column]} < {node.threshold:g}"
    deeper = indent + "    "
    return [
        f"{indent}if {question}:",
        *_lines(node.below, names, labels, deeper),
        f"{indent}else:",
        *_lines(node.above, names, labels, deeper),
    ]


def linear_rule(
    observations: NDArray[np.float32], actions: NDArray[np.int64], action_count: int, features: int
) -> tuple[NumpyPolicy, list[int]]:
    """Fit the number of the action by a line in a few elements of the observation.

    They are chosen one after the other, each time the one with which the squared error falls most (forward selection).

    Args:
        observations: Shape `(M, F)`.
        actions: What was done, `(M,)`.
        action_count: Number of actions.
        features: Most elements to use.

    Returns:
        The policy that takes the action nearest to the line, and the elements in the order of their choice.
    """
    x, y = np.asarray(observations, dtype=np.float64), np.asarray(actions, dtype=np.float64)
    spread = x.std(axis=0)
    chosen: list[int] = []
    for _ in range(min(features, int((spread > 0).sum()))):
        errors = {
            column: _fit(x[:, [*chosen, column]], y)[2]
            for column in range(x.shape[1])
            if column not in chosen and spread[column] > 0
        }
        chosen.append(min(errors, key=lambda column: errors[column]))
    slopes, intercept, _ = _fit(x[:, chosen], y)
    # −(a − ŷ)² for action a, up to what all actions have in common.
    numbers = np.arange(action_count)
    weight = np.zeros((x.shape[1], action_count))
    weight[chosen] = 2 * np.outer(slopes, numbers)
    bias = 2 * intercept * numbers - numbers**2
    return NumpyPolicy([], Layer(weight.astype(np.float32), bias.astype(np.float32))), chosen


def _fit(x: Floats, y: Floats) -> tuple[Floats, float, float]:
    """Return slopes, intercept and squared error of the least-squares line."""
    centre = x.mean(axis=0)
    slopes = np.linalg.lstsq(x - centre, y - y.mean(), rcond=None)[0]
    residual = y - y.mean() - (x - centre) @ slopes
    return slopes, float(y.mean() - centre @ slopes), float(residual @ residual)
