from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from configs import ConfigError


def layer(rng: np.random.Generator, inputs: int, outputs: int) -> Layer:
    return Layer(
        rng.normal(size=(inputs, outputs)).astype(np.float32),
        rng.normal(size=outputs).astype(np.float32),
    )


def policy(seed: int = 0, dueling: bool = True) -> NumpyPolicy:
    rng = np.random.default_rng(seed)
    hidden = [layer(rng, 7, 16), layer(rng, 16, 8)]
    return NumpyPolicy(hidden, layer(rng, 8, 5), layer(rng, 8, 1) if dueling else None, {"steps": 3})


@pytest.mark.parametrize("dueling", [True, False])
def test_the_values_are_those_of_the_same_torch_network(dueling: bool) -> None:
    torch = pytest.importorskip("torch")
    ours = policy(dueling=dueling)

    def linear(one: Layer) -> object:
        module = torch.nn.Linear(*one.weight.shape)
        module.weight.data = torch.from_numpy(one.weight.T.copy())
        module.bias.data = torch.from_numpy(one.bias)
        return module

    x = np.random.default_rng(1).normal(size=(100, 7)).astype(np.float32)
    trunk = torch.nn.Sequential(*[m for one in ours.hidden for m in (linear(one), torch.nn.ReLU())])
    with torch.no_grad():
        features = trunk(torch.from_numpy(x))
        expected = linear(ours.advantage)(features)
        if ours.value is not None:
            expected = linear(ours.value)(features) + expected - expected.mean(dim=1, keepdim=True)
    np.testing.assert_allclose(ours.q_values(x), expected.numpy(), atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(ours.act(x), expected.numpy().argmax(axis=1))


@pytest.mark.parametrize("dueling", [True, False])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, dueling: bool) -> None:
    path = tmp_path / "deep" / "policy.npz"
    ours = policy(dueling=dueling)
    ours.save(path)
    loaded = NumpyPolicy.load(path)
    x = np.random.default_rng(1).normal(size=(10, 7))
    np.testing.assert_array_equal(loaded.q_values(x), ours.q_values(x))
    assert loaded.metadata == ours.metadata
    assert loaded.metadata["steps"] == 3
    assert (loaded.observation_size, loaded.action_count) == (7, 5)
    assert [p.name for p in path.parent.iterdir()] == ["policy.npz"]


def test_equal_policies_give_equal_bytes_and_others_another_digest(tmp_path: Path) -> None:
    policy().save(tmp_path / "a.npz")
    policy().save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert policy(1).digest() != policy().digest()


def test_observations_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[N, 7\], got \[2, 8\]"):
        policy().q_values(np.zeros((2, 8)))


def test_a_missing_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no policy"):
        NumpyPolicy.load(tmp_path / "none.npz")


def write(path: Path, **changes: object) -> None:
    policy().save(path)
    with np.load(path) as file:
        arrays: dict[str, object] = {name: file[name] for name in file.files}
    arrays.update(changes)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": None},
        {"metadata": np.array("{")},
        {"metadata": np.array("[1]")},
        {"metadata": np.array(json.dumps({"format": "other", "format_version": 1}))},
        {"metadata": np.array([{"an": "object"}], dtype=object)},
        {"hidden_1_bias": None},
        {"hidden_1_weight": np.zeros((16, 9), dtype=np.float32)},
        {"hidden_1_bias": np.zeros(8)},
        {"advantage_bias": np.full(5, np.nan, dtype=np.float32)},
        {"value_weight": np.zeros((8, 2), dtype=np.float32), "value_bias": np.zeros(2, dtype=np.float32)},
        {"advantage_bias": np.zeros(5, dtype=np.float32)},
    ],
)
def test_a_file_that_is_no_policy_is_refused_in_one_line(tmp_path: Path, changes: dict[str, object]) -> None:
    path = tmp_path / "policy.npz"
    write(path, **changes)
    with pytest.raises(ConfigError, match=r"policy\.npz") as error:
        NumpyPolicy.load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [b"", b"garbage", b"PK\x03\x04 but no archive", b"\x80\x04K\x01."])
def test_garbage_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "policy.npz"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="is not a policy"):
        NumpyPolicy.load(path)
