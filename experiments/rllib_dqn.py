"""RLlib's DQN (new API stack) with sampling, replay memory, update and checkpoints of plain arrays.

RLlib configures the algorithm, builds the network and the optimiser, runs the training loop, under Tune too, and
reports. What stands between the environments and the gradient is ours, for there RLlib's Python takes thirty times as
long as torch: `experiments.env_runner`, `experiments.replay` and `experiments.dqn_learner`. `docs/training.md` has the
numbers.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections import deque
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.dqn import DQN
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS
from ray.rllib.utils.metrics import LEARNER_RESULTS
from ray.tune.registry import register_env

from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from envs import OptimalExecEnv
from experiments.dqn_learner import ExecutionLearner
from experiments.env_runner import EpisodeResult
from experiments.env_runner import ExecutionEnvRunner
from experiments.env_runner import Sample
from experiments.env_runner import policy_of
from experiments.replay import ReplayBuffer

ENVIRONMENT = "shortfall"
EPISODES_REMEMBERED = 100
STATE_VERSION = 2
FIRST_BETA = 0.4
"""Exponent of the importance weights at the first step; it grows to 1 at the last (Schaul et al. 2016, section 3.4)."""


class ExecutionDQN(DQN):
    """DQN whose `training_step` samples the environments, then makes the gradient updates that are due.

    Attributes:
        steps: Environment steps in all, over resumed processes too.
        updates: Gradient updates in all.
        episodes: Results of the last episodes.
        losses: Losses of the last updates.
        buffer: The replay memory.
    """

    def setup(self, config: Any) -> None:
        """Build the algorithm and an empty replay memory; called by the base class."""
        super().setup(config)
        # Networks this small are slowed down by a second thread.
        torch.set_num_threads(1)
        self.experiment: Experiment = self.config.env_config["experiment"]
        training = self.experiment.training
        self.steps = 0
        self.updates = 0
        self._goal = 0
        self._target_updated = 0
        self.episodes: deque[EpisodeResult] = deque(maxlen=EPISODES_REMEMBERED)
        self.losses: deque[float] = deque(maxlen=EPISODES_REMEMBERED)
        observation_space, _ = self.spaces[DEFAULT_MODULE_ID]
        observation_size = int(np.prod(observation_space.shape))
        self.buffer = ReplayBuffer(
            training.buffer, observation_size, prioritised=training.prioritised, seed=training.seed
        )
        self._rates = np.array(training.learning_rate).T
        self._samples_here = self.config.num_env_runners == 0
        if self._samples_here:
            self.env_runner.act_with(self.learner.network)

    def _setup_logdir(self) -> None:
        # RLlib would leave an empty folder under the home directory for each run; nothing is logged there.
        self._logdir = tempfile.gettempdir()

    @property
    def learner(self) -> ExecutionLearner:
        """The learner; it lies in this process."""
        learner: ExecutionLearner = self.learner_group._learner
        return learner

    def advance(self, steps: int) -> dict[str, Any]:
        """Train for `steps` environment steps, rounded up to whole rounds (`round_size`); return RLlib's results."""
        self._goal = self.steps + steps
        results: dict[str, Any] = self.train()
        return results

    def training_step(self) -> None:
        """Sample every environment, remember the steps, make the updates that are due; repeat up to the goal."""
        while True:
            for sample in self._samples():
                self.buffer.add(sample.transitions)
                self.episodes.extend(sample.episodes)
                self.steps += sample.steps
            while self._update_due():
                self._update()
            if self.steps >= self._goal:
                break
        self.metrics.aggregate(self._call_runners("get_metrics"), key=ENV_RUNNER_RESULTS)
        if self.losses:
            self.metrics.log_value((LEARNER_RESULTS, DEFAULT_MODULE_ID, "qf_loss"), self.losses[-1], window=1)

    def _samples(self) -> list[Sample]:
        if self._samples_here:  # it acts with the learner's own network
            return self._call_runners("sample", steps=self.steps)
        return self._call_runners("sample", steps=self.steps, weights=_arrays_of(self.learner.network))

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

    def epsilon(self) -> float:
        """Probability of a random action now."""
        return float(np.interp(self.steps, *np.array(self.experiment.training.epsilon).T))

    def learning_rate(self) -> float:
        """Learning rate now."""
        return float(np.interp(self.steps, *self._rates))

    def beta(self) -> float:
        """Exponent of the importance weights now."""
        return FIRST_BETA + (1 - FIRST_BETA) * min(1.0, self.steps / self.experiment.training.steps)

    def _update_due(self) -> bool:
        training = self.experiment.training
        due = (self.steps - training.learning_starts) * training.updates_per_step
        return self.updates + 1 <= due and self.buffer.size >= training.batch_size

    def _update(self) -> None:
        """Make one gradient update on a batch of the replay memory."""
        training = self.experiment.training
        batch = self.buffer.sample(training.batch_size, self.beta())
        errors, loss = self.learner.learn(batch, self.learning_rate())
        self.buffer.update_priorities(batch.rows, errors.cpu().numpy())
        self.losses.append(loss.item())
        self.updates += 1
        if self.steps - self._target_updated >= training.target_update:
            self.learner.update_target()
            self._target_updated = self.steps

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write everything that training needs to go on as if it had not stopped, in files without pickle.

        `network.npz` (network, target network, optimiser), `buffer.npz` (replay memory), `runner-N.npz` (the running
        markets of a process, its exploration and its waiting steps) and `state.json` (counters).

        Args:
            checkpoint_dir: An existing folder.
        """
        folder = Path(checkpoint_dir)
        arrays = {f"network.{name}": value for name, value in _arrays_of(self.learner.network).items()}
        for index, values in self.learner.optimizer.state_dict()["state"].items():
            arrays |= {f"optimizer.{index}.{name}": value.cpu().numpy() for name, value in values.items()}
        np.savez(folder / "network.npz", **arrays)  # type: ignore[arg-type]
        np.savez(folder / "buffer.npz", **self.buffer.state())  # type: ignore[arg-type]
        runners = self._call_runners("get_arrays")
        for number, runner in enumerate(runners):
            np.savez(folder / f"runner-{number}.npz", **runner)
        state = {
            "state_version": STATE_VERSION,
            "steps": self.steps,
            "updates": self.updates,
            "target_updated": self._target_updated,
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
        runners = max(1, self.config.num_env_runners)
        if state["runners"] != runners:
            raise ValueError(f"{folder} is of {state['runners']} runners, this algorithm has {runners}")
        arrays = _read(folder / "network.npz")
        self.learner.network.load_state_dict(_tensors(arrays, "network."))
        optimizer: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in _tensors(arrays, "optimizer.").items():
            index, key = name.split(".")
            optimizer.setdefault(int(index), {})[key] = tensor
        groups = self.learner.optimizer.state_dict()["param_groups"]
        self.learner.optimizer.load_state_dict({"state": optimizer, "param_groups": groups})
        self.buffer.restore(_read(folder / "buffer.npz"))
        for number in range(runners):
            self._call_runners("set_arrays", number, arrays=_read(folder / f"runner-{number}.npz"))
        self.steps = state["steps"]
        self.updates = state["updates"]
        self._target_updated = state["target_updated"]
        self.episodes.extend(EpisodeResult(**episode) for episode in state["episodes"])
        self.losses.extend(state["losses"])

    def numpy_policy(self, metadata: dict[str, Any]) -> NumpyPolicy:
        """The greedy policy as plain arrays, a copy.

        Args:
            metadata: JSON values stored with it.
        """
        return policy_of(deepcopy(self.learner.network), metadata)


def _arrays_of(network: torch.nn.Module) -> dict[str, NDArray[Any]]:
    return {name: value.cpu().numpy() for name, value in network.state_dict().items()}


def _read(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _tensors(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)
    }


def round_size(experiment: Experiment) -> int:
    """Environment steps between two looks at whether updates are due."""
    return experiment.training.envs


def build_config(experiment: Experiment, market: str) -> DQNConfig:
    """RLlib's configuration of an experiment.

    Args:
        experiment: The experiment.
        market: `abides` or `stand-in`.

    Returns:
        The configuration; `build_algo` makes the algorithm, `env_runners(num_env_runners=…)` lets other processes
        sample.
    """
    training = experiment.training
    register_env(ENVIRONMENT, lambda config: OptimalExecEnv(config["experiment"], market=config["market"]))
    return (
        DQNConfig(algo_class=ExecutionDQN)
        .environment(ENVIRONMENT, env_config={"experiment": experiment, "market": market})
        .env_runners(
            env_runner_cls=ExecutionEnvRunner,
            num_env_runners=0,
            num_envs_per_env_runner=training.envs,
            rollout_fragment_length=1,
        )
        .training(
            learner_class=ExecutionLearner,
            lr=_schedule(training.learning_rate),
            epsilon=_schedule(training.epsilon),
            gamma=training.gamma,
            train_batch_size_per_learner=training.batch_size,
            double_q=training.double,
            dueling=training.dueling,
            td_error_loss_fn="huber",
            target_network_update_freq=training.target_update,
            grad_clip=training.grad_clip,
            grad_clip_by="global_norm",
        )
        .rl_module(
            model_config=DefaultModelConfig(
                fcnet_hiddens=list(training.hidden), fcnet_activation="relu", head_fcnet_hiddens=[]
            )
        )
        .reporting(min_sample_timesteps_per_iteration=0, min_time_s_per_iteration=0)
        .debugging(seed=training.seed, log_level="ERROR")
    )


def _schedule(points: tuple[tuple[int, float], ...]) -> float | list[list[float]]:
    """A schedule as RLlib takes it: a number, or `[[step, value], …]` with at least two points from step 0."""
    if len(points) == 1:
        return points[0][1]
    return [list(point) for point in points]


def build_algorithm(experiment: Experiment, market: str) -> ExecutionDQN:
    """Make the algorithm; see `build_config`. Ray must be running."""
    # Importing RLlib sets its own level, at which it warns about its API stacks each time.
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    return build_config(experiment, market).build_algo()
