"""RLlib's DQN (new API stack) with replay memory and checkpoints of plain arrays, and the exported policy.

RLlib samples the environments, holds the network, computes the loss and takes the gradient step. Replaced is what lies
between: its replay buffer and the connectors that turn episode objects into batches cost about 30 ms of Python an
update and are left out of its checkpoints. Only `training_step` differs from the stock algorithm.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.dqn import DQN
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.execution.rollout_ops import synchronous_parallel_sample
from ray.rllib.policy.sample_batch import MultiAgentBatch
from ray.rllib.policy.sample_batch import SampleBatch
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS
from ray.rllib.utils.metrics import LEARNER_RESULTS
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME
from ray.rllib.utils.metrics import TD_ERROR_KEY
from ray.tune.registry import register_env

from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import load_seed_ranges
from configs import parse_seeds
from envs import OptimalExecEnv
from experiments.replay import NStepCutter
from experiments.replay import ReplayBuffer

ENVIRONMENT = "shortfall"
FRAGMENT = 4
EPISODES_REMEMBERED = 100
STATE_VERSION = 1


@dataclass(frozen=True)
class EpisodeResult:
    """What an episode came to.

    Attributes:
        reward: Undiscounted return, in the units of the reward.
        steps: Decisions taken.
        completion: Share of the parent order that was filled.
        shortfall_cents: Cost, cents per share of the parent order; positive is better.
    """

    reward: float
    steps: int
    completion: float
    shortfall_cents: float


class ExecutionDQN(DQN):
    """DQN whose `training_step` samples the environments, then makes the gradient updates that are due.

    Attributes:
        steps: Environment steps in all, over resumed processes too.
        updates: Gradient updates in all.
        episodes: Results of the last episodes.
        losses: Losses of the updates since the last look.
    """

    def setup(self, config: Any) -> None:
        """Build the algorithm and an empty replay memory; called by the base class."""
        super().setup(config)
        # Networks this small are slowed down by a second thread.
        torch.set_num_threads(1)
        self.experiment: Experiment = self.config.env_config["experiment"]
        training = self.experiment.training
        observation_size = int(np.prod(self.env_runner.env.single_observation_space.shape))
        self.steps = 0
        self.updates = 0
        self._goal = 0
        self.episodes: deque[EpisodeResult] = deque(maxlen=EPISODES_REMEMBERED)
        self.losses: deque[float] = deque(maxlen=EPISODES_REMEMBERED)
        self.buffer = ReplayBuffer(
            training.buffer, observation_size, prioritised=training.prioritised, seed=training.seed
        )
        self._cutter = NStepCutter(training.n_step, training.gamma)
        self._returns: dict[str, tuple[float, int]] = {}

    def _setup_logdir(self) -> None:
        # RLlib would leave an empty folder under the home directory for each run; nothing is logged there.
        self._logdir = tempfile.gettempdir()

    def advance(self, steps: int) -> None:
        """Train for `steps` environment steps, rounded up to whole rounds (see `round_size`)."""
        self._goal = self.steps + steps
        self.train()

    def training_step(self) -> None:
        """Sample every environment a few steps, remember them, make the updates that are due; repeat up to the goal."""
        while True:
            self._sample()
            if self._update_due():
                while self._update_due():
                    self._update()
                self.env_runner_group.sync_weights(from_worker_or_learner_group=self.learner_group, inference_only=True)
            if self.steps >= self._goal:
                return

    def _sample(self) -> None:
        # The stock algorithm tells the runner its step count once an iteration: ε would fall in stairs.
        self.env_runner.num_env_steps_sampled_lifetime = self.steps
        episodes, metrics = synchronous_parallel_sample(
            worker_set=self.env_runner_group, concat=True, _uses_new_env_runners=True, _return_metrics=True
        )
        self.metrics.aggregate(metrics, key=ENV_RUNNER_RESULTS)
        for episode in episodes:
            self._remember(episode)

    def epsilon(self) -> float:
        """Probability of a random action now."""
        steps, values = np.array(self.experiment.training.epsilon).T
        return float(np.interp(self.steps, steps, values))

    def learning_rate(self) -> float:
        """Learning rate now."""
        return float(self._optimizer().param_groups[0]["lr"])

    def _remember(self, episode: Any) -> None:
        """Put a chunk of an episode (RLlib's `SingleAgentEpisode`) into the replay memory."""
        rewards = np.asarray(episode.get_rewards())
        self.buffer.add(
            self._cutter.add(
                episode.id_,
                np.asarray(episode.get_observations()),
                np.asarray(episode.get_actions()),
                rewards,
                terminated=bool(episode.is_terminated),
                truncated=bool(episode.is_truncated),
            )
        )
        self.steps += len(rewards)
        reward, length = self._returns.pop(episode.id_, (0.0, 0))
        reward, length = reward + float(rewards.sum()), length + len(rewards)
        if episode.is_done:
            info = episode.get_infos(-1)
            self.episodes.append(
                EpisodeResult(reward, length, float(info["completion"]), float(info["shortfall_cents"]))
            )
        else:
            self._returns[episode.id_] = (reward, length)

    def _update_due(self) -> bool:
        training = self.experiment.training
        due = (self.steps - training.learning_starts) * training.updates_per_step
        return self.updates + 1 <= due and self.buffer.size >= training.batch_size

    def _update(self) -> None:
        """Make one gradient update on a batch of the replay memory."""
        batch = self.buffer.sample(self.experiment.training.batch_size)
        rows = batch.transitions
        columns = {
            Columns.OBS: rows.obs,
            Columns.NEXT_OBS: rows.next_obs,
            Columns.ACTIONS: rows.actions,
            Columns.REWARDS: rows.rewards,
            Columns.TERMINATEDS: rows.terminated,
            "weights": batch.weights,
            "n_step": rows.n_step,
        }
        tensors = SampleBatch({name: torch.from_numpy(column) for name, column in columns.items()})
        results = self.learner_group.update(
            batch=MultiAgentBatch({DEFAULT_MODULE_ID: tensors}, env_steps=len(rows)),
            timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: self.steps},
        )
        errors = [np.atleast_1d(e) for e in results[0][DEFAULT_MODULE_ID].pop(TD_ERROR_KEY).peek()]
        self.buffer.update_priorities(batch.rows, np.concatenate(errors))
        self.losses.append(float(results[0][DEFAULT_MODULE_ID]["qf_loss"].peek()))
        self.metrics.aggregate(results, key=LEARNER_RESULTS)
        self.updates += 1

    def _module(self) -> Any:
        return self.learner_group._learner.module[DEFAULT_MODULE_ID]

    def _optimizer(self) -> torch.optim.Optimizer:
        return self.learner_group._learner.get_optimizer(DEFAULT_MODULE_ID)

    def save_arrays(self, folder: Path) -> None:
        """Write everything that training needs to continue: `network.npz`, `buffer.npz` and `state.json`.

        Episodes under way are not part of it: a resumed run begins new ones.

        Args:
            folder: An existing folder.
        """
        arrays: dict[str, Any] = {
            f"module.{name}": value.numpy() for name, value in self._module().state_dict().items()
        }
        optimizer = self._optimizer().state_dict()
        for index, values in optimizer["state"].items():
            arrays |= {f"optimizer.{index}.{name}": value.numpy() for name, value in values.items()}
        arrays["torch_random"] = torch.get_rng_state().numpy()
        np.savez(folder / "network.npz", **arrays)
        buffer: dict[str, Any] = self.buffer.state()
        np.savez(folder / "buffer.npz", **buffer)
        state = {
            "state_version": STATE_VERSION,
            "steps": self.steps,
            "updates": self.updates,
            "learning_rate": self.learning_rate(),
            "target_updated": self.learner_group._learner.last_update_ts_by_mid[DEFAULT_MODULE_ID],
            "episodes": [vars(episode) for episode in self.episodes],
        }
        (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")

    def restore_arrays(self, folder: Path) -> None:
        """Continue from a folder written by `save_arrays`.

        Raises:
            ValueError: If the folder was written by another version or does not fit this configuration.
        """
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if state["state_version"] != STATE_VERSION:
            raise ValueError(f"{folder} has version {state['state_version']} of the state, not {STATE_VERSION}")
        with np.load(folder / "network.npz", allow_pickle=False) as file:
            network = {name: file[name] for name in file.files}
        with np.load(folder / "buffer.npz", allow_pickle=False) as file:
            self.buffer.restore(file)
        self._module().load_state_dict(_tensors(network, "module."))
        self._restore_optimizer(_tensors(network, "optimizer."), state["learning_rate"])
        self.learner_group._learner.last_update_ts_by_mid[DEFAULT_MODULE_ID] = state["target_updated"]
        self.env_runner_group.sync_weights(from_worker_or_learner_group=self.learner_group, inference_only=True)
        self.steps = state["steps"]
        self.updates = state["updates"]
        self.episodes.extend(EpisodeResult(**episode) for episode in state["episodes"])
        torch.set_rng_state(torch.from_numpy(network["torch_random"]))

    def _restore_optimizer(self, tensors: dict[str, torch.Tensor], learning_rate: float) -> None:
        optimizer = self._optimizer()
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        for group in groups:
            group["lr"] = learning_rate
        optimizer.load_state_dict({"state": state, "param_groups": groups})

    def numpy_policy(self, metadata: dict[str, Any]) -> NumpyPolicy:
        """The greedy policy as plain arrays.

        Args:
            metadata: JSON values stored with it.
        """
        weights = {name: value.numpy().copy() for name, value in self._module().state_dict().items()}
        hidden = [
            _layer(weights, f"encoder.net.mlp.{2 * index}") for index in range(len(self.experiment.training.hidden))
        ]
        value = _layer(weights, "vf.net.mlp.0") if self.experiment.training.dueling else None
        return NumpyPolicy(hidden, _layer(weights, "af.net.mlp.0"), value, metadata)


def _tensors(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)
    }


def _layer(weights: dict[str, NDArray[np.float32]], name: str) -> Layer:
    return Layer(np.ascontiguousarray(weights[f"{name}.weight"].T), weights[f"{name}.bias"])


def market_seed(training_seed: int, steps: int, envs: int) -> int:
    """First market of the environments of a process that starts at `steps`: one of the train range.

    RLlib resets environment i with this seed + i, and `OptimalExecEnv.reset(seed=s)` runs the market of seed s: the
    configuration's own seed could be one of the test range, and a resumed run would see its first markets twice.
    """
    train = parse_seeds(load_seed_ranges().train)
    drawn = int(np.random.SeedSequence([training_seed, steps]).generate_state(1)[0])
    return train.start + drawn % (len(train) - envs)


def round_size(experiment: Experiment) -> int:
    """Environment steps between two looks at whether updates are due."""
    return experiment.training.envs * FRAGMENT


def build_config(experiment: Experiment, market: str, steps: int = 0) -> DQNConfig:
    """RLlib's configuration of an experiment.

    Args:
        experiment: The experiment.
        market: `abides` or `stand-in`.
        steps: Environment steps already made (a resumed run draws other markets than its beginning).

    Returns:
        The configuration; `build_algo` makes the algorithm.
    """
    training = experiment.training
    register_env(ENVIRONMENT, lambda config: OptimalExecEnv(config["experiment"], market=config["market"]))
    return (
        DQNConfig(algo_class=ExecutionDQN)
        .environment(ENVIRONMENT, env_config={"experiment": experiment, "market": market})
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=training.envs,
            rollout_fragment_length=FRAGMENT,
            gym_env_vectorize_mode="sync",
        )
        .training(
            lr=_schedule(training.learning_rate),
            epsilon=_schedule(training.epsilon),
            gamma=training.gamma,
            n_step=training.n_step,
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
        .debugging(seed=market_seed(training.seed, steps, training.envs), log_level="ERROR")
    )


def _schedule(points: tuple[tuple[int, float], ...]) -> float | list[list[float]]:
    """A schedule as RLlib takes it: a number, or `[[step, value], …]` with at least two points from step 0."""
    if len(points) == 1:
        return points[0][1]
    return [list(point) for point in points]


def build_algorithm(experiment: Experiment, market: str, steps: int = 0) -> ExecutionDQN:
    """Make the algorithm; see `build_config`. Ray must be running."""
    # Importing RLlib sets its own level, at which it warns about its API stacks each time.
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    return build_config(experiment, market, steps).build_algo()
