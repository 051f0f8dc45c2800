"""Train a stock RLlib algorithm on a Gymnasium environment: `python -m experiments.gym_rllib_runner [ID]`.

A starting point for own experiments, and a check that the environments work under RLlib; `experiments.train` is what
trains the policies that are compared.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from math import nan
from pathlib import Path
from typing import Any
from typing import Literal

import torch
import tyro
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.connectors.env_to_module import FlattenObservations
from ray.rllib.connectors.env_to_module import MeanStdFilter
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from rich.console import Console
from rich.table import Table

from configs import ConfigError
from experiments.console import Progress
from experiments.console import Settings
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.gym_environments import EnvironmentId
from experiments.gym_environments import make_environment
from experiments.gym_rllib import CUSTOM_METRICS
from experiments.gym_rllib import MyCallbacks
from experiments.gym_rllib import register_environments
from experiments.ray_session import local_ray

AlgorithmName = Literal["DQN", "PPO"]
HIDDEN = [50, 20]
LEARNING_RATE = 1e-4
SHOWN = ("slippage_reward", "late_penalty_reward", "executed_quantity")


@dataclass
class Args:
    """Options of the command."""

    env: tyro.conf.Positional[EnvironmentId] = "markets-execution-v0"
    """Id of the environment."""
    algorithm: AlgorithmName = "DQN"
    """Algorithm of RLlib."""
    iterations: int = 3
    """Training iterations."""
    steps: int = 200
    """Environment steps an iteration."""
    seed: int = 0
    """Seed of the networks, of the exploration and of the first market."""
    out: Path | None = None
    """Folder for the checkpoint of the trained algorithm; it must not exist yet."""
    settings: Settings = ()
    """Parameters of the environment, as timestep_duration=10s direction=SELL."""


def main(args: Args) -> None:
    """Train as the options say, and print a table."""
    for name, least in (("iterations", 1), ("steps", 1), ("seed", 0)):
        if getattr(args, name) < least:
            raise ConfigError(f"--{name} {getattr(args, name)}: a whole number, {least} or more")
    if args.out is not None and args.out.exists():
        raise ConfigError(f"--out {args.out}: exists already")
    parameters = parse_settings(args.settings)
    has_tracker = args.env == "markets-execution-v0" and not parameters.get("debug_mode", False)
    make_environment(args.env, parameters).close()
    results: list[Mapping[str, Any]] = []
    with local_ray(cpus=1), Progress(f"{args.algorithm} on {args.env}", args.iterations, unit="iterations") as progress:
        register_environments()
        config = build_config(args.algorithm, args.env, parameters, args.steps, args.seed)
        algorithm = (config.callbacks(MyCallbacks) if has_tracker else config).build_algo()
        try:
            while len(results) < args.iterations:
                results.append(algorithm.train()["env_runners"])
                progress.update(len(results), reward=_number(results[-1].get("episode_return_mean")))
            if args.out is not None:
                save_checkpoint(algorithm, args.out)
        finally:
            algorithm.stop()
    print_results(results, SHOWN if has_tracker else ())
    if args.out is not None:
        print(f"checkpoint: {args.out}")


def build_config(
    algorithm: AlgorithmName, id: EnvironmentId, parameters: Mapping[str, Any], steps: int, seed: int
) -> AlgorithmConfig:
    """Return RLlib's configuration, with upstream's network and rates; everything runs in this process.

    Args:
        algorithm: Which algorithm.
        id: Id of the environment, registered with RLlib.
        parameters: Its parameters.
        steps: Environment steps an iteration.
        seed: Seed of the networks, of the exploration and of the first market.
    """
    # Importing RLlib sets its own level, at which it warns about its API stacks each time.
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    # Networks this small are slowed down by a second thread.
    torch.set_num_threads(1)
    made: AlgorithmConfig
    if algorithm == "DQN":
        made = DQNConfig().training(num_steps_sampled_before_learning_starts=min(steps, 1000))
    else:
        made = PPOConfig().training(train_batch_size_per_learner=steps, minibatch_size=min(steps, 128))
    return (
        made.environment(id, env_config=dict(parameters))
        .env_runners(
            num_env_runners=0,
            env_to_module_connector=lambda env, spaces, device: [FlattenObservations(), MeanStdFilter()],
        )
        .training(lr=LEARNING_RATE, gamma=1.0)
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=HIDDEN))
        .reporting(min_sample_timesteps_per_iteration=steps, min_time_s_per_iteration=0)
        .debugging(seed=seed, log_level="ERROR")
    )


def save_checkpoint(algorithm: Any, folder: Path) -> None:
    """Save an algorithm into a folder, whole or not at all."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        algorithm.save_to_path(str(temporary.resolve()))
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def print_results(results: list[Mapping[str, Any]], shown: tuple[str, ...]) -> None:
    """Print a table with a row an iteration.

    Args:
        results: What the environment runners reported.
        shown: Names of the custom metrics to show.
    """
    table = Table()
    for column in ("iteration", "steps", "episodes", "reward", *(name.replace("_", " ") for name in shown)):
        table.add_column(column, justify="right")
    for index, result in enumerate(results, start=1):
        custom = result.get(CUSTOM_METRICS, {})
        values = [result.get("episode_return_mean"), *(custom.get(name) for name in shown)]
        counts = (f"{index}", f"{result['num_env_steps_sampled']:.0f}", f"{result.get('num_episodes', 0):.0f}")
        table.add_row(*counts, *(_number(value) for value in values))
    Console(highlight=False, width=100).print(table)


def _number(value: float | None) -> str:
    number = nan if value is None else float(value)
    return f"{number:.3f}" if isfinite(number) else "–"


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.gym_rllib_runner", "Train a stock RLlib algorithm.")
