from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from envs import OptimalExecVectorEnv
from experiments.policy_search import PolicySearch
from experiments.policy_search import iteration_length


def small(**training: Any) -> Experiment:
    settings = {f"training.{name}": value for name, value in training.items()}
    return load_experiment(
        "tactical",
        {
            "decision_interval": "20s",
            "order.window": "10min",
            "training.envs": 8,
            "training.search.markets": 4,
            "training.steps": 4_000,
            **settings,
        },
    )


def test_the_exported_policy_takes_the_multiple_nearest_to_the_rate() -> None:
    search = PolicySearch(small(), "stand-in")
    search.advance(2_000)
    policy = search.numpy_policy({})
    x = np.random.default_rng(0).normal(search._mean, 2 * search._sd, (500, len(search._mean))).astype(np.float32)
    rates = 1 + search._weights[0] + ((x - search._mean) / search._sd) @ search._weights[1:]
    multipliers = np.array(small().actions.multipliers)  # type: ignore[union-attr]
    nearest = np.abs(rates[:, np.newaxis] - multipliers).min(axis=1)
    chosen = np.abs(rates - multipliers[policy.act(x)])
    np.testing.assert_allclose(chosen, nearest, atol=1e-4)
    search.stop()


def test_an_iteration_is_four_episodes_a_market() -> None:
    experiment = small()
    search = PolicySearch(experiment, "stand-in")
    search.advance(1)
    measured = search.steps
    assert (search.updates, len(search.episodes)) == (0, 8)
    search.advance(1)
    assert (search.updates, len(search.episodes)) == (1, 16)
    assert search.steps - measured == sum(episode.steps for episode in search.episodes)
    assert search.steps - measured <= iteration_length(experiment)
    search.stop()


def test_it_finds_out_that_waiting_for_a_narrow_spread_pays() -> None:
    """A world with one lesson: the reward of a step is the rate, less what it costs in a wide spread."""
    search = PolicySearch(small(steps=20_000, **{"search.markets": 16}), "stand-in")
    place = list(small().observation.features).index("spread")
    step = search._env.step

    def taught(actions: Any) -> Any:
        wide = search._env._observer._memory[:, -1, place] > search._mean[place]
        observations, _, ended, cut, infos = step(actions)
        return observations, np.where(wide, -1.0, 1.0) * actions, ended, cut, infos

    search._env.step = taught  # type: ignore[method-assign]
    search.advance(20_000)
    weights = search._weights[1:]
    assert weights[place] == weights.min() < -0.2
    search.stop()


def test_a_restored_search_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = PolicySearch(small(), "abides")
    whole.advance(800)
    whole.save_checkpoint(str(tmp_path))
    resumed = PolicySearch(small(), "abides")
    resumed.load_checkpoint(str(tmp_path))
    for search in (whole, resumed):
        search.advance(600)
    assert whole.numpy_policy({}).digest() == resumed.numpy_policy({}).digest()
    assert (whole.steps, whole.updates, whole.episodes) == (resumed.steps, resumed.updates, resumed.episodes)
    (tmp_path / "state.json").write_text('{"algorithm": "dqn"}')
    with pytest.raises(ValueError, match="is of dqn, this is a search"):
        resumed.load_checkpoint(str(tmp_path))
    for search in (whole, resumed):
        search.stop()


def test_the_lanes_of_a_pair_run_the_same_markets() -> None:
    """The two policies of a symmetric pair meet one market, bought and sold: without a change they gain the same."""
    search = PolicySearch(small(), "abides")
    state = search._random.bit_generator.state
    flat = np.zeros((4, 1 + len(search._mean)))
    first = search._run(search._by_weights(flat))
    search._random.bit_generator.state = state
    again = search._run(search._by_weights(flat))
    np.testing.assert_array_equal(first, again)
    assert isinstance(search._env, OptimalExecVectorEnv)
    search.stop()


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"actions": {"kind": "lots"}}, "actions.kind participation, got 'lots'"), ({"training.envs": 1}, "envs.*got 1")],
)
def test_what_cannot_be_searched_is_refused_when_it_is_read(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_experiment("tactical", settings)
