from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from abides_core.streams import Seed
from abides_markets.agents import MomentumAgent
from abides_markets.agents import NoiseAgent
from abides_markets.agents import ValueAgent
from abides_markets.models import OrderSizeModel

TRADERS: list[tuple[Any, dict[str, Any], tuple[int, int]]] = [
    (NoiseAgent, {}, (20, 50)),
    (ValueAgent, {}, (20, 50)),
    (MomentumAgent, {"symbol": "X", "starting_cash": 0, "min_size": 3, "max_size": 9}, (3, 9)),
]


@pytest.mark.parametrize(("trader", "parameters", "law"), TRADERS)
@pytest.mark.parametrize("seed", range(5))
def test_the_size_is_the_first_draw_whenever_it_is_looked_at(
    trader: Any, parameters: dict[str, Any], law: tuple[int, int], seed: int
) -> None:
    expected = np.random.RandomState(seed)
    size, following = expected.randint(*law), expected.rand(3)
    early = trader(0, random_state=Seed(seed), **parameters)
    assert early.size == size
    late = trader(0, random_state=Seed(seed), **parameters)
    assert late.random_state.rand(3) == pytest.approx(following, abs=0)
    assert late.size == late.next_size() == size
    given = trader(0, random_state=np.random.RandomState(seed), **parameters)
    assert given.size == size
    assert early.random_state.rand(3) == pytest.approx(following, abs=0)


def test_a_stream_put_in_place_later_does_not_change_the_size() -> None:
    expected = np.random.RandomState(5).randint(20, 50)
    agent = NoiseAgent(0, random_state=Seed(5))
    agent.random_state = np.random.RandomState(6)
    assert agent.size == expected
    assert agent.random_state.rand() == np.random.RandomState(6).rand()


def test_a_size_set_by_hand_stays_and_the_draw_is_taken_all_the_same() -> None:
    agent = NoiseAgent(0, random_state=Seed(5))
    agent.size = 1000
    stream = np.random.RandomState(5)
    stream.randint(20, 50)
    assert agent.random_state.rand() == stream.rand()
    assert agent.next_size() == 1000


def test_with_a_model_every_order_has_a_new_size() -> None:
    model = OrderSizeModel()
    agent = NoiseAgent(0, random_state=Seed(5), order_size_model=model)
    assert agent.size is None
    stream = np.random.RandomState(5)
    sizes = [agent.next_size() for _ in range(20)]
    assert sizes == [model.sample(stream) for _ in range(20)]
    assert agent.size == sizes[-1]
