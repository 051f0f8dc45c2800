"""Speed of training: `python -m benchmarks.training [--seeds 0] [--steps 20000] [--json FILE]`.

Trains a DQN on the execution market (20 000 shares in 30 minutes, a decision every 10 seconds, the compiled engine) in
two ways in one process, and reports environment steps a CPU second of this process: `ours` is `experiments.rllib_dqn`,
`stock` is RLlib's own DQN with its `PrioritizedEpisodeReplayBuffer` on the same `OptimalExecEnv`. Both have a network
of [64, 64], batches of 32 and one update every 4 environment steps, and each its own best number of environments of 1,
4, 8 and 16, found by short runs. Both are measured over 20 000 steps after the warm-up: three minutes in all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from time import process_time
from typing import Any

from ray.rllib.algorithms.dqn import DQNConfig

from benchmarks.machine import OneLineParser
from benchmarks.machine import count
from benchmarks.machine import describe
from benchmarks.machine import seed
from benchmarks.machine import write_json
from configs import Experiment
from configs import load_experiment
from experiments.algorithms import build_algorithm
from experiments.ray_session import local_ray
from experiments.rllib_dqn import build_config

ENVS = (1, 4, 8, 16)
STEPS_AN_UPDATE = 4
BATCH = 32
WARM_UP = 600
"""Steps before measuring: learning has started, and everything is compiled and loaded."""

Trained = tuple[Callable[[int], int], Callable[[], None]]
"""Trains for about so many environment steps and returns how many they were; and ends the training."""


def experiment(envs: int, training_seed: int) -> Experiment:
    """Return what is trained, with so many environments."""
    return load_experiment(
        "quick",
        {
            "training.envs": envs,
            "training.seed": training_seed,
            "training.hidden": [64, 64],
            "training.batch_size": BATCH,
            "training.updates_per_step": 1 / STEPS_AN_UPDATE,
            "training.learning_starts": WARM_UP // 2,
            "training.buffer": 50_000,
        },
    )


def ours(envs: int, training_seed: int) -> Trained:
    """Return the training of `experiments.rllib_dqn`."""
    algorithm = build_algorithm(experiment(envs, training_seed), "abides")

    def train(steps: int) -> int:
        before = algorithm.steps
        algorithm.advance(steps)
        return algorithm.steps - before

    return train, algorithm.stop


def stock(envs: int, training_seed: int) -> Trained:
    """Return RLlib's own training with the same settings."""
    known = build_config(experiment(envs, training_seed), "abides")
    config = (
        DQNConfig()
        .environment(known.env, env_config=known.env_config)
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=envs,
            rollout_fragment_length=max(1, STEPS_AN_UPDATE // envs),
            gym_env_vectorize_mode="sync",
        )
        .training(
            lr=1e-3,
            train_batch_size_per_learner=BATCH,
            # Of the steps trained on to those sampled: 32 to 4.
            training_intensity=BATCH / STEPS_AN_UPDATE,
            double_q=True,
            dueling=True,
            num_steps_sampled_before_learning_starts=WARM_UP // 2,
            replay_buffer_config={
                "type": "PrioritizedEpisodeReplayBuffer",
                "capacity": 50_000,
                "alpha": 0.6,
                "beta": 0.4,
            },
        )
        .rl_module(model_config=known.rl_module_spec.model_config if known.rl_module_spec else known.model_config)
        .reporting(min_sample_timesteps_per_iteration=0, min_time_s_per_iteration=0)
        .debugging(seed=training_seed, log_level="ERROR")
    )
    algorithm = config.build_algo()
    lifetime = 0

    def train(steps: int) -> int:
        nonlocal lifetime
        before = lifetime
        while lifetime < before + steps:
            lifetime = int(algorithm.train()["env_runners"]["num_env_steps_sampled_lifetime"])
        return lifetime - before

    return train, algorithm.stop


def speed(make: Callable[[int, int], Trained], envs: int, training_seed: int, steps: int) -> float:
    """Return environment steps a CPU second, over about so many steps after the warm-up."""
    train, stop = make(envs, training_seed)
    try:
        train(WARM_UP)
        begin = process_time()
        made = train(steps)
        return made / (process_time() - begin)
    finally:
        stop()


def measure(name: str, make: Callable[[int, int], Trained], steps: int, seeds: list[int]) -> dict[str, Any]:
    """Find the best number of environments by runs of a tenth of the steps, and measure with it: mean of the seeds."""
    tried = {envs: speed(make, envs, seeds[0], steps // 10) for envs in ENVS}
    best = max(tried, key=lambda envs: tried[envs])
    rate = fmean(speed(make, best, training_seed, steps) for training_seed in seeds)
    trials = "  ".join(f"{envs}: {value:,.0f}" for envs, value in tried.items())
    print(f"{name:<6}{rate:>10,.0f} steps/CPU s with {best} environments, {steps:,} steps   (first tries {trials})")
    return {"steps_per_cpu_s": rate, "envs": best, "steps": steps, "tried": tried}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the two speeds and, if asked, write the numbers."""
    parser = OneLineParser(prog="benchmarks.training", description="Speed of DQN training, ours and stock RLlib's.")
    parser.add_argument("--seeds", type=seed, nargs="+", default=[0], metavar="SEED", help="of training (default: 0)")
    parser.add_argument("--steps", type=count, default=20_000, metavar="N", help="steps of each (default: 20000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    args = parser.parse_args(arguments)
    if args.json is not None and not args.json.parent.is_dir():
        parser.error(f"no folder {str(args.json.parent)!r} for --json")

    machine = describe()
    print(f"DQN, network [64, 64], batch {BATCH}, an update every {STEPS_AN_UPDATE} steps, {machine['date']}")
    print(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}\n", flush=True)
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    with local_ray(cpus=1):
        result = {
            "ours": measure("ours", ours, args.steps, args.seeds),
            "stock": measure("stock", stock, args.steps, args.seeds),
        }
    ratio = result["ours"]["steps_per_cpu_s"] / result["stock"]["steps_per_cpu_s"]
    print(f"\nours makes {ratio:.1f} times as many steps a CPU second")
    if args.json is not None:
        write_json(args.json, "training", {"machine": machine, "seeds": args.seeds, "ratio": ratio, **result})


if __name__ == "__main__":
    main()
