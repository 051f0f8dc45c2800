from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.distil import Leaf
from experiments.distil import Split
from experiments.distil import Tree
from experiments.distil import linear_rule

RANDOM = np.random.default_rng(0)
SEEN = RANDOM.uniform(-1, 1, (4_000, 3)).astype(np.float32)


def test_a_tree_finds_the_questions_that_were_asked() -> None:
    seen = np.rint(2 * SEEN) / 2
    actions = np.where(seen[:, 1] < 0, np.where(seen[:, 0] < 0.5, 0, 1), 4)
    tree = Tree.fit(seen, actions, depth=2)
    assert (tree.act(seen) == actions).all()
    none, some, everything = (f"{(actions == action).mean():.0%} of decisions" for action in (0, 1, 4))
    assert tree.text(["a", "b", "c"], ["none", "some", "", "", "all"]).splitlines() == [
        "if b < 0:",
        "    if a < 0.5:",
        f"        none  ({none})",
        "    else:",
        f"        some  ({some})",
        "else:",
        f"    all  ({everything})",
    ]


def walk(node: Split | Leaf, depth: int = 0) -> list[tuple[int, Leaf]]:
    """All leaves with their depth."""
    if isinstance(node, Leaf):
        return [(depth, node)]
    return walk(node.below, depth + 1) + walk(node.above, depth + 1)


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_a_tree_is_no_deeper_than_asked_and_its_leaves_are_not_tiny(depth: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    seen, actions = random.normal(size=(300, 2)).astype(np.float32), random.integers(0, 5, 300)
    leaves = walk(Tree.fit(seen, actions, depth).root)
    assert max(at for at, _ in leaves) <= depth
    assert min(leaf.share for _, leaf in leaves) >= 0.01
    assert sum(leaf.share for _, leaf in leaves) == pytest.approx(1)


def test_what_is_always_done_needs_no_question() -> None:
    assert Tree.fit(SEEN, np.full(len(SEEN), 3), depth=4).root == Leaf(3, 1.0)


def test_a_deeper_tree_is_no_worse() -> None:
    actions = np.clip(np.rint(3 + 2 * SEEN.sum(axis=1)), 0, 6).astype(np.int64)
    errors = [float(((Tree.fit(SEEN, actions, depth).act(SEEN) - actions) ** 2).mean()) for depth in range(1, 6)]
    assert errors == sorted(errors, reverse=True)


def test_a_line_takes_the_strongest_elements_first_and_the_nearest_action() -> None:
    rate = 3 + 2.0 * SEEN[:, 2] + 0.5 * SEEN[:, 0]
    actions = np.rint(rate).astype(np.int64)
    policy, chosen = linear_rule(SEEN, actions, action_count=7, features=2)
    assert chosen == [2, 0]
    assert (policy.act(SEEN) == actions).mean() > 0.95
    assert (policy.advantage.weight[1] == 0).all()
    assert linear_rule(SEEN, actions, action_count=7, features=1)[1] == [2]


def test_an_element_that_never_changes_is_not_chosen() -> None:
    seen = np.column_stack([np.ones(len(SEEN), dtype=np.float32), SEEN[:, 0]])
    assert linear_rule(seen, np.rint(2 + SEEN[:, 0]).astype(np.int64), action_count=4, features=2)[1] == [1]
