"""DQN in one file of plain torch: `python -m experiments.dqn_torch CONFIG`, the cross-check of `experiments.train`.

The same configuration, environment, network and schedules, and the same `policy.npz` at the end, but not a line of
RLlib and nothing shared with our own replay memory, runner or learner: if the two disagree, one of them is wrong. It
keeps no run folder and does not resume; for that, and for sweeps, use `experiments.train`. `docs/training.md` compares
the two.

Mnih et al. 2015, with what `training` turns on: double Q-learning (van Hasselt et al. 2016), dueling heads (Wang et al.
2016, equation 9), n-step returns, and proportional prioritised replay (Schaul et al. 2016, α 0.6, β from 0.4 to 1).
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import tyro
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from torch import nn

from agents.numpy_policy import Layer
from agents.numpy_policy import NumpyPolicy
from configs import Experiment
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from configs.models import TrainingConfig
from envs import OptimalExecVectorEnv
from experiments.console import Progress
from experiments.console import Settings
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.rollouts import MarketKind
from experiments.rollouts import check_environment
from experiments.run_folder import git_state
from experiments.run_folder import versions
from experiments.train import show_policy

ALPHA, FIRST_BETA, SMALLEST_ERROR = 0.6, 0.4, 1e-6
REPORT_STEPS = 1_000


@dataclass
class Args:
    """Options of the command."""

    config: tyro.conf.Positional[str]
    """An experiment: a YAML file, or the name of one in configs/."""
    policy: Path = Path("results/dqn-torch.npz")
    """Where the exported policy is written."""
    settings: Settings = ()
    """Values that replace the configuration's, as training.steps=1000."""
    market: MarketKind = "abides"
    """The agent-based market, or the fast statistical stand-in (for tests and teaching)."""


class QNetwork(nn.Module):
    """Hidden layers with ReLU, then one linear head or dueling heads."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], actions: int, dueling: bool) -> None:
        super().__init__()
        sizes = (inputs, *hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.advantage = nn.Linear(sizes[-1], actions)
        self.value = nn.Linear(sizes[-1], 1) if dueling else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values `[B, actions]` of observations `[B, inputs]`."""
        for layer in self.hidden:
            x = torch.relu(layer(x))
        q: torch.Tensor = self.advantage(x)
        if self.value is not None:
            q = self.value(x) + q - q.mean(dim=1, keepdim=True)
        return q


class Replay:
    """The last `capacity` steps of N environments; n-step returns are made when they are sampled.

    Rows are steps of one environment, in a ring of its own; a row can be sampled once the n steps from it are there.
    """

    def __init__(self, capacity: int, envs: int, inputs: int, n_step: int, gamma: float) -> None:
        self.length = -(-capacity // envs)
        shape = (self.length, envs)
        self.obs = np.zeros((*shape, inputs), dtype=np.float32)
        self.next_obs = np.zeros((*shape, inputs), dtype=np.float32)
        self.actions = np.zeros(shape, dtype=np.int64)
        self.rewards = np.zeros(shape)
        self.dones = np.zeros(shape, dtype=np.bool_)
        self.priorities = np.zeros(shape)
        self.largest = 1.0
        self.count = 0  # steps of each environment so far
        self.envs, self.n_step, self.gamma = envs, n_step, gamma

    def add(
        self,
        obs: NDArray[np.float32],
        actions: NDArray[np.int64],
        rewards: NDArray[np.float64],
        next_obs: NDArray[np.float32],
        dones: NDArray[np.bool_],
    ) -> None:
        """Append one step of every environment; its transition can be sampled once n steps from it are there."""
        row = self.count % self.length
        self.obs[row], self.actions[row], self.rewards[row] = obs, actions, rewards
        self.next_obs[row], self.dones[row] = next_obs, dones
        self.priorities[row] = 0.0
        self.count += 1
        if self.count >= self.n_step:
            self.priorities[(self.count - self.n_step) % self.length] = self.largest

    def sample(
        self, rng: np.random.Generator, size: int, prioritised: bool, beta: float
    ) -> dict[str, NDArray[np.generic]]:
        """Draw `size` transitions; `rows` says which they are."""
        flat = self.priorities.reshape(-1)
        chances = flat if prioritised else (flat > 0).astype(np.float64)
        sums = np.cumsum(chances)
        rows = np.minimum(np.searchsorted(sums, rng.random(size) * sums[-1], side="right"), len(flat) - 1)
        weights = (np.count_nonzero(flat) * chances[rows] / sums[-1]) ** -beta
        start, env = np.divmod(rows, self.envs)
        returns, last, alive = np.zeros(size), start, np.ones(size, dtype=np.bool_)
        steps = np.zeros(size, dtype=np.int64)
        for k in range(self.n_step):
            at = (start + k) % self.length
            last = np.where(alive, at, last)
            returns += alive * self.gamma**k * self.rewards[at, env]
            steps += alive
            alive &= ~self.dones[at, env]
        return {
            "rows": rows,
            "obs": self.obs[start, env],
            "actions": self.actions[start, env],
            "returns": returns.astype(np.float32),
            "next_obs": self.next_obs[last, env],
            "discounts": np.where(self.dones[last, env], 0.0, self.gamma**steps).astype(np.float32),
            "weights": (weights / weights.max()).astype(np.float32),
        }

    def update(self, rows: NDArray[np.int64], errors: NDArray[np.float32]) -> None:
        """Set the priorities of sampled rows from their TD errors."""
        new = (np.abs(errors).astype(np.float64) + SMALLEST_ERROR) ** ALPHA
        self.priorities.reshape(-1)[rows] = new
        self.largest = max(self.largest, float(new.max()))


def main(args: Args) -> None:
    """Train as the options say."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    check_environment(experiment, args.market)
    print(f"training {experiment.name} on the {args.market} market with plain torch", flush=True)
    policy = train(experiment, args.market)
    policy.save(args.policy)
    show_policy(experiment, args.market, policy)
    print(f"policy: {args.policy}", flush=True)


def train(experiment: Experiment, market: MarketKind) -> NumpyPolicy:
    """Train, with progress on the terminal, and return the policy."""
    training = experiment.training
    torch.set_num_threads(1)
    torch.manual_seed(training.seed)
    rng = np.random.default_rng(training.seed)

    env = OptimalExecVectorEnv(training.envs, experiment, market=market, autoreset_mode=AutoresetMode.SAME_STEP)
    # A seed would be a market's too: the first markets are drawn from the training range, as all others are.
    train_seeds = parse_seeds(load_seed_ranges().train)
    obs, _ = env.reset(seed=[int(seed) for seed in rng.choice(len(train_seeds), training.envs) + train_seeds.start])
    inputs, actions_count = obs.shape[1], env.action_set.n

    network = QNetwork(inputs, training.hidden, actions_count, training.dueling)
    target = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    replay = Replay(training.buffer, training.envs, inputs, training.n_step, training.gamma)
    steps = updates = synced = 0
    ended: deque[float] = deque(maxlen=100)
    losses: deque[float] = deque(maxlen=100)

    def update() -> None:
        batch = replay.sample(
            rng,
            training.batch_size,
            training.prioritised,
            FIRST_BETA + (1 - FIRST_BETA) * min(1.0, steps / training.steps),
        )
        learning_rate = float(np.interp(steps, *np.array(training.learning_rate).T))
        errors, loss = td_update(network, target, optimizer, batch, training, learning_rate)
        losses.append(loss.item())
        if training.prioritised:
            replay.update(batch["rows"].astype(np.int64), errors.numpy())

    with Progress("train", training.steps) as progress:
        returns = np.zeros(training.envs)
        while steps < training.steps:
            epsilon = np.interp(steps, *np.array(training.epsilon).T)
            with torch.no_grad():
                greedy = network(torch.from_numpy(obs)).argmax(dim=1).numpy()
            random = rng.integers(actions_count, size=training.envs)
            actions = np.where(rng.random(training.envs) < epsilon, random, greedy)
            next_obs, rewards, dones, _, infos = env.step(actions)
            last = next_obs.copy()
            for index in np.flatnonzero(dones):
                last[index] = infos["final_obs"][index]
            replay.add(obs, actions, rewards, last, dones)
            obs = next_obs
            returns += rewards
            ended.extend(returns[dones])
            returns[dones] = 0.0
            steps += training.envs

            while updates + 1 <= (steps - training.learning_starts) * training.updates_per_step:
                update()
                updates += 1
                if steps - synced >= training.target_update:
                    target.load_state_dict(network.state_dict())
                    synced = steps
            if steps % REPORT_STEPS < training.envs and ended and losses:
                progress.update(
                    steps,
                    loss=f"{np.mean(losses):.4g}",
                    mean_return=f"{np.mean(ended):.2f}",
                    epsilon=f"{epsilon:.2f}",
                )
        progress.update(steps)

    metadata = {
        "experiment": experiment.model_dump(mode="json"),
        "market": market,
        "training_seed": training.seed,
        "training_markets": load_seed_ranges().train,
        "steps": steps,
        "updates": updates,
        "versions": versions(),
        **git_state(),
    }
    return NumpyPolicy(
        [layer_of(layer) for layer in network.hidden],
        layer_of(network.advantage),
        layer_of(network.value) if network.value is not None else None,
        metadata,
    )


def td_update(
    network: QNetwork,
    target: QNetwork,
    optimizer: torch.optim.Optimizer,
    batch: dict[str, NDArray[np.generic]],
    training: TrainingConfig,
    learning_rate: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make one gradient step on a batch of `Replay.sample`; return the TD errors `[B]` and the loss."""
    tensors = {name: torch.from_numpy(value) for name, value in batch.items()}
    q = network(tensors["obs"]).gather(1, tensors["actions"][:, None])[:, 0]
    with torch.no_grad():
        next_q = target(tensors["next_obs"])
        judged = network(tensors["next_obs"]) if training.double else next_q
        best = next_q.gather(1, judged.argmax(dim=1, keepdim=True))[:, 0]
        td_target = tensors["returns"] + tensors["discounts"] * best
    loss = (tensors["weights"] * nn.functional.huber_loss(q, td_target, reduction="none")).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), training.grad_clip)
    optimizer.param_groups[0]["lr"] = learning_rate
    optimizer.step()
    return (q - td_target).detach(), loss.detach()


def layer_of(linear: nn.Module) -> Layer:
    """Return a torch layer as arrays."""
    state = linear.state_dict()
    return Layer(np.ascontiguousarray(state["weight"].numpy().T), state["bias"].numpy())


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.dqn_torch", "Train a policy with plain torch, as a cross-check.")
