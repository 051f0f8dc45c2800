"""What our algorithms on RLlib share: sampling runners, counters, checkpoints of plain arrays, the exported policy."""

from __future__ import annotations

import json
import math
import tempfile
from collections import deque
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS
from ray.tune.registry import register_env

from agents.numpy_policy import NumpyPolicy
from configs import ConfigError
from configs import Experiment
from envs import OptimalExecEnv
from experiments.env_runner import EpisodeResult
from experiments.env_runner import policy_of

ENVIRONMENT = "shortfall"
EPISODES_REMEMBERED = 100
STATE_VERSION = 2


class ExecutionAlgorithm(Algorithm):
    """Base of our algorithms; a subclass puts RLlib's own behind it and gives `training_step`.

    Attributes:
        steps: Environment steps in all, over resumed processes too.
        updates: Gradient updates in all.
        episodes: Results of the last episodes.
        losses: Losses of the last updates.
    """

    def setup(self, config: Any) -> None:
        """Build the algorithm; called by the base class."""
        super().setup(config)
        # Networks this small are slowed down by a second thread.
        torch.set_num_threads(1)
        self.experiment: Experiment = self.config.env_config["experiment"]
        self.steps = 0
        self.updates = 0
        self._goal = 0
        self.episodes: deque[EpisodeResult] = deque(maxlen=EPISODES_REMEMBERED)
        self.losses: deque[float] = deque(maxlen=EPISODES_REMEMBERED)
        self._rates = np.array(self.experiment.training.learning_rate).T
        self._samples_here = self.config.num_env_runners == 0
        # A runner in this process acts with the learner's own network, unless that lies on a GPU.
        self._shares_network = self._samples_here and self.device == "cpu"
        if self._shares_network:
            self.env_runner.act_with(self.network)

    def _setup_logdir(self) -> None:
        # RLlib would leave an empty folder under the home directory for each run; nothing is logged there.
        self._logdir = tempfile.gettempdir()

    @property
    def learner(self) -> Any:
        """The learner; it lies in this process."""
        return self.learner_group._learner

    @property
    def network(self) -> Any:
        """The network that is trained."""
        return self.learner.module[DEFAULT_MODULE_ID].unwrapped()

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The network's optimiser."""
        optimizer: torch.optim.Optimizer = self.learner.get_optimizer(DEFAULT_MODULE_ID)
        return optimizer

    @property
    def device(self) -> str:
        """Where the gradient is taken: `cpu` or `cuda`."""
        return str(next(self.network.parameters()).device.type)

    def advance(self, steps: int) -> dict[str, Any]:
        """Train for `steps` environment steps, rounded up to whole rounds (`round_size`); return RLlib's results."""
        self._goal = self.steps + steps
        results: dict[str, Any] = self.train()
        return results

    def _sample(self, **arguments: Any) -> list[Any]:
        """Let every runner sample, with the network as it is now."""
        if not self._shares_network:
            arguments["weights"] = _arrays_of(self.network)
        return self._call_runners("sample", steps=self.steps, **arguments)

    def _call_runners(self, method: str, number: int | None = None, **arguments: Any) -> list[Any]:
        """Call a method of every runner that samples, or of one, and return the results in the runners' order."""
        if self._samples_here:
            return [getattr(self.env_runner, method)(**arguments)]
        results: list[Any] = self.env_runner_group.foreach_env_runner(
            method,
            kwargs=arguments,
            local_env_runner=False,
            remote_worker_ids=None if number is None else [number + 1],
        )
        return results

    def _gather_metrics(self) -> None:
        """Hand RLlib what the runners counted since the last call."""
        self.metrics.aggregate(self._call_runners("get_metrics"), key=ENV_RUNNER_RESULTS)

    def epsilon(self) -> float:
        """Probability of a random action now; NaN where the policy itself is random."""
        return math.nan

    def learning_rate(self) -> float:
        """Learning rate now."""
        return float(np.interp(self.steps, *self._rates))

    def memory(self) -> dict[str, NDArray[Any]]:
        """What the algorithm remembers besides its network, as plain arrays."""
        return {}

    def restore_memory(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Go on from what `memory` returned."""

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write everything that training needs to go on as if it had not stopped, in files without pickle.

        `network.npz` (networks, optimiser), `buffer.npz` (what else the algorithm remembers), `runner-N.npz` (the
        running markets of a process, its random state and its waiting steps) and `state.json` (counters).

        Args:
            checkpoint_dir: An existing folder.
        """
        folder = Path(checkpoint_dir)
        arrays = {f"network.{name}": value for name, value in _arrays_of(self.network).items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            arrays |= {f"optimizer.{index}.{name}": value.cpu().numpy() for name, value in values.items()}
        np.savez(folder / "network.npz", **arrays)  # type: ignore[arg-type]
        np.savez(folder / "buffer.npz", **self.memory())  # type: ignore[arg-type]
        runners = self._call_runners("get_arrays")
        for number, runner in enumerate(runners):
            np.savez(folder / f"runner-{number}.npz", **runner)
        state = {
            "state_version": STATE_VERSION,
            "algorithm": self.experiment.training.algorithm,
            "steps": self.steps,
            "updates": self.updates,
            "episodes": [vars(episode) for episode in self.episodes],
            "losses": list(self.losses),
            "runners": len(runners),
        }
        (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Go on from a folder written by `save_checkpoint`.

        Raises:
            ValueError: If the folder was written by another version or does not fit this configuration.
        """
        folder = Path(checkpoint_dir)
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if state["state_version"] != STATE_VERSION:
            raise ValueError(f"{folder} has version {state['state_version']} of the state, not {STATE_VERSION}")
        if state["algorithm"] != self.experiment.training.algorithm:
            raise ValueError(f"{folder} is of {state['algorithm']}, this is {self.experiment.training.algorithm}")
        runners = max(1, self.config.num_env_runners)
        if state["runners"] != runners:
            raise ValueError(f"{folder} is of {state['runners']} runners, this algorithm has {runners}")
        arrays = _read(folder / "network.npz")
        self.network.load_state_dict(_tensors(arrays, "network."))
        optimizer: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in _tensors(arrays, "optimizer.").items():
            index, key = name.split(".")
            optimizer.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": optimizer, "param_groups": groups})
        self.restore_memory(_read(folder / "buffer.npz"))
        for number in range(runners):
            self._call_runners("set_arrays", number, arrays=_read(folder / f"runner-{number}.npz"))
        self.steps = state["steps"]
        self.updates = state["updates"]
        self.episodes.extend(EpisodeResult(**episode) for episode in state["episodes"])
        self.losses.extend(state["losses"])

    def numpy_policy(self, metadata: dict[str, Any]) -> NumpyPolicy:
        """The greedy policy as plain arrays, a copy.

        Args:
            metadata: JSON values stored with it.
        """
        return policy_of(deepcopy(self.network), metadata)


def _arrays_of(network: torch.nn.Module) -> dict[str, NDArray[Any]]:
    return {name: value.cpu().numpy() for name, value in network.state_dict().items()}


def _read(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _tensors(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)
    }


def device_of(experiment: Experiment) -> str:
    """Where the gradient of an experiment is taken on this machine, `cpu` or `cuda`.

    Raises:
        ConfigError: If it is to be a GPU and there is none.
    """
    wanted = experiment.training.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device: cuda, but torch finds no GPU; allowed here: auto, cpu")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def network_of(experiment: Experiment) -> DefaultModelConfig:
    """RLlib's configuration of the network."""
    return DefaultModelConfig(
        fcnet_hiddens=list(experiment.training.hidden),
        fcnet_activation="relu",
        head_fcnet_hiddens=[],
        vf_share_layers=False,
    )


def configure(config: AlgorithmConfig, experiment: Experiment, market: str, runner: type) -> AlgorithmConfig:
    """Set what RLlib must know whatever the algorithm.

    Args:
        config: RLlib's configuration of the algorithm.
        experiment: The experiment.
        market: `abides` or `stand-in`.
        runner: Class of the environment runners.
    """
    training = experiment.training
    register_env(ENVIRONMENT, lambda config: OptimalExecEnv(config["experiment"], market=config["market"]))
    return (
        config.environment(ENVIRONMENT, env_config={"experiment": experiment, "market": market})
        .env_runners(
            env_runner_cls=runner,
            num_env_runners=0,
            num_envs_per_env_runner=training.envs,
            rollout_fragment_length=1,
        )
        .learners(num_learners=0, num_gpus_per_learner=int(device_of(experiment) == "cuda"))
        .training(gamma=training.gamma, grad_clip=training.grad_clip, grad_clip_by="global_norm")
        .rl_module(model_config=network_of(experiment))
        .reporting(min_sample_timesteps_per_iteration=0, min_time_s_per_iteration=0)
        .debugging(seed=training.seed, log_level="ERROR")
    )
