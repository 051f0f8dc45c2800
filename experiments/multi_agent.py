"""Several learners in one market: `python -m experiments.multi_agent CONFIG --sides buy,sell`, with RLlib's PPO.

Every learner works a parent order of its own in the same market, with one policy for all or one each. Afterwards all of
them trade greedily on validation markets, and the same markets are run with every one of them keeping to an even
schedule (TWAP): the difference is taken market by market.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any
from typing import Literal

import numpy as np
import tyro
from numpy.typing import NDArray

from agents.numpy_policy import NumpyPolicy
from analysis.files import write_json
from analysis.stats import estimate
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from experiments.checkpoints import list_checkpoints
from experiments.checkpoints import save_checkpoint
from experiments.console import Progress
from experiments.console import Settings
from experiments.console import format_duration
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.run_folder import RunFolder
from experiments.run_folder import git_state

SHARED = "shared"
ENVIRONMENT = "shortfall-multi-agent"
STEPS_A_SECOND = 250
"""Decisions of all learners that are trained on in a second on one core, measured in 2026."""
EPISODES_A_SECOND = 6
QUICK_STEPS, QUICK_EPISODES = 2_048, 4

Rule = Callable[[str, Any, NDArray[np.float32]], int]


@dataclass
class Args:
    """Options of the command."""

    config: tyro.conf.Positional[str]
    """An experiment: a YAML file, or the name of one in configs/."""
    sides: str = "buy,sell"
    """Side of each learner's parent order, separated by commas: buy, sell or both (drawn each episode)."""
    policies: Literal["shared", "separate"] = "shared"
    """One policy for all learners, or one each."""
    episodes: int = 100
    """Validation markets to judge on."""
    quick: bool = False
    """Train for 2 048 decisions and judge on 4 markets (under a minute)."""
    out: Path = Path("results")
    """Folder of all results."""
    run_id: str | None = None
    """Name to find the run by; by default a digest of the resolved configuration."""
    settings: Settings = ()
    """Values that replace the configuration's, as training.steps=50000: decisions of all learners."""


def main(args: Args) -> None:
    """Train and judge as the options say."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    if args.quick:
        experiment = experiment.shortened(QUICK_STEPS)
    episodes = QUICK_EPISODES if args.quick else args.episodes
    if episodes < 2:
        raise ConfigError(f"--episodes {episodes}: an interval needs at least 2 markets")
    orders = orders_of(args.sides)
    arguments = {"sides": args.sides, "policies": args.policies, "episodes": episodes}
    with RunFolder.open(args.out, "multi_agent", experiment, run_id=args.run_id, arguments=arguments) as run:
        verb = "resuming" if run.resumed else "training"
        steps = experiment.training.steps
        about = format_duration(steps / STEPS_A_SECOND + 2 * episodes / EPISODES_A_SECOND)
        print(
            f"{verb} {', '.join(orders)} in one market, {args.policies} policies, in {run.path}"
            f"\n  {steps:,} decisions, then {episodes} validation markets: about {about} on an idle core",
            flush=True,
        )
        policies = train(experiment, orders, args.policies == SHARED, run)
        found = judge(experiment, orders, policies, episodes)
        write_json(run.file("multi_agent.json"), found)
        run.finish()
    show(found)
    print(f"result: {run.file('multi_agent.json')}", flush=True)


def orders_of(sides: str) -> dict[str, dict[str, Any]]:
    """Parent orders by name of the learner: `buy_0`, `sell_1`, ….

    Raises:
        ConfigError: If there are fewer than two, or a side is unknown.
    """
    given = [side.strip() for side in sides.split(",") if side.strip()]
    for side in given:
        if side not in ("buy", "sell", "both"):
            raise ConfigError(f"--sides {side!r}: must be one of buy, sell, both")
    if len(given) < 2:
        raise ConfigError(f"--sides {sides!r}: name two or more, as in buy,sell")
    return {f"{side}_{number}": {"side": side} for number, side in enumerate(given)}


def build_config(experiment: Experiment, orders: Mapping[str, Mapping[str, Any]], shared: bool) -> Any:
    """RLlib's configuration of PPO for the learners; Ray must be running.

    Args:
        experiment: The experiment; of `training` it reads what PPO reads, and the learning rate's first value.
        orders: As for `MultiAgentExecEnv`.
        shared: Whether all learners have one policy.
    """
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.tune.registry import register_env

    from envs.multi_agent_exec_env import MultiAgentExecEnv
    from experiments.env_runner import market_seed
    from experiments.rllib_algorithm import network_of
    from experiments.rllib_ppo import update_settings

    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    register_env(ENVIRONMENT, MultiAgentExecEnv)
    names = [SHARED] if shared else list(orders)
    return (
        PPOConfig()
        .environment(ENVIRONMENT, env_config={"experiment": experiment, "orders": dict(orders)})
        .env_runners(num_env_runners=0, num_envs_per_env_runner=1)
        .learners(num_learners=0)
        .multi_agent(policies=set(names), policy_mapping_fn=lambda agent, episode: SHARED if shared else agent)
        .training(**update_settings(experiment))
        .rl_module(model_config=network_of(experiment))
        # RLlib's seed is the first market's too: one of the training range, whatever `training.seed` is.
        .debugging(seed=market_seed(experiment.training.seed, 0, 1), log_level="ERROR")
    )


def train(experiment: Experiment, orders: Mapping[str, Mapping[str, Any]], shared: bool, run: RunFolder) -> Any:
    """Train, from the last checkpoint in the run folder, and write each policy.

    Returns:
        The policy of each learner, by its name.
    """
    from experiments.env_runner import policy_of
    from experiments.ray_session import local_ray

    steps = experiment.training.steps
    checkpoints = run.file("checkpoints")
    done = list_checkpoints(checkpoints)
    made = done[-1][0] if done else 0
    with local_ray(cpus=1), Progress("train", steps, start=made, unit="decisions") as progress:
        algorithm = build_config(experiment, orders, shared).build_algo()
        try:
            if done:
                algorithm.restore_from_path(str(done[-1][1].resolve() / "rllib"))
            while made < steps:
                results = algorithm.train()["env_runners"]
                made = int(results["num_env_steps_sampled_lifetime"])
                save_checkpoint(checkpoints, made, lambda path: algorithm.save_to_path(str(path.resolve() / "rllib")))
                progress.update(made, mean_return=f"{results.get('episode_return_mean', nan):.2f}")
            policies = {}
            for name in orders:
                module = SHARED if shared else name
                metadata = {
                    "experiment": experiment.model_dump(mode="json"),
                    "training_markets": load_seed_ranges().train,
                    "learners": list(orders),
                    "steps": made,
                    **git_state(),
                }
                policies[name] = policy_of(algorithm.get_module(module), metadata)
                policies[name].save(run.file(f"policy-{module}.npz"))
        finally:
            algorithm.stop()
    return {name: NumpyPolicy.load(run.file(f"policy-{SHARED if shared else name}.npz")) for name in orders}


def judge(
    experiment: Experiment,
    orders: Mapping[str, Mapping[str, Any]],
    policies: Mapping[str, NumpyPolicy],
    episodes: int,
) -> dict[str, Any]:
    """Compare the learners with TWAP in their places, on the same validation markets.

    Returns:
        By learner and for their `mean`: `learned`, `twap` and their `difference`, each with `n`, `mean`, `sd`, `ci95`
        over markets of the shortfall (cents a share, positive is better); and the `completion` of the learned.
    """
    from envs.multi_agent_exec_env import MultiAgentExecEnv

    env = MultiAgentExecEnv({"experiment": experiment, "orders": orders})
    seeds = parse_seeds(load_seed_ranges().validation)[:episodes]
    rules: dict[str, Rule] = {
        "learned": lambda name, _, observation: int(policies[name].act(observation[np.newaxis])[0]),
        "twap": lambda name, _, __: int(env.action_set.twap_action(env.rows(name))[0]),
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in rules}
    with Progress("judging", len(rules) * episodes, unit="episodes") as progress:
        for place, seed in enumerate(seeds):
            for name, rule in rules.items():
                found[name].append(play(env, rule, seed))
            progress.update(len(rules) * (place + 1))
    learners = list(orders)
    result: dict[str, Any] = {"seeds": f"{seeds.start}:{seeds.stop}", **git_state(), "learners": {}}
    for name in (*learners, "mean"):
        whose = learners if name == "mean" else [name]
        values = {
            rule: np.array([np.mean([one[who]["shortfall_cents"] for who in whose]) for one in runs])
            for rule, runs in found.items()
        }
        completion = np.mean([[one[who]["completion"] for who in whose] for one in found["learned"]])
        result["learners"][name] = {
            **{rule: estimate(cents).as_dict() for rule, cents in values.items()},
            "difference": estimate(values["learned"] - values["twap"]).as_dict(test=True),
            "completion": float(completion),
        }
    return result


def play(env: Any, rule: Rule, seed: int) -> dict[str, Any]:
    """Play an episode; return each learner's last info."""
    observations, infos = env.reset(seed=seed)
    last = dict(infos)
    done = False
    while not done:
        (name,) = (name for name in observations if name in env.agents)
        observations, _, terminateds, _, infos = env.step({name: rule(name, env, observations[name])})
        last |= infos
        done = terminateds["__all__"]
    return last


def show(found: Mapping[str, Any]) -> None:
    """Print a line a learner."""
    print(f"Shortfall, cents a share, higher is better, on validation markets {found['seeds']}; intervals at 95 %.")
    for name, values in found["learners"].items():
        learned, twap, difference = (_text(values[key]) for key in ("learned", "twap", "difference"))
        print(
            f"  {name:8} learned {learned}  twap {twap}  difference {difference}  completed {values['completion']:.0%}"
        )


def _text(value: Mapping[str, Any]) -> str:
    low, high = value["ci95"]
    return f"{value['mean']:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.multi_agent", "Train several learners in one market.")
