"""A policy in every market regime: `python -m experiments.transfer CONFIG`, or `make transfer`.

In each regime of `configs/regimes/` the policy trades the same seeds' markets as TWAP and as the best hand-made
schedule of that regime, the one of `schedules` with the best mean on other seeds. Natively, without records, as
`experiments.side_by_side` does. What is computed from it is in `analysis/transfer.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agents.numpy_policy import NumpyPolicy
from analysis.files import write_bytes
from analysis.files import write_json
from analysis.plots import save_both
from analysis.tables import markdown
from analysis.transfer import BEST
from analysis.transfer import POLICY
from analysis.transfer import TWAP
from analysis.transfer import choose_best
from analysis.transfer import correct
from analysis.transfer import summarise_transfer
from analysis.transfer import transfer_figure
from analysis.transfer import transfer_table
from analysis.transfer import with_invalid_seeds
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from experiments.comparison_table import validity_lines
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.gate import judge_each
from experiments.gate import passed
from experiments.gate import summarise_passed
from experiments.in_regimes import in_regimes
from experiments.per_seed import Options
from experiments.per_seed import check_workers
from experiments.per_seed import measure_each
from experiments.per_seed import validation_seeds
from experiments.policy_check import check_policy
from experiments.policy_check import policy_file
from experiments.policy_check import policy_warnings
from experiments.policy_check import seed_warnings
from experiments.run_folder import RunFolder
from experiments.side_by_side import ActorRule
from experiments.side_by_side import Rule
from experiments.side_by_side import almgren_chriss
from experiments.side_by_side import measure_costs
from experiments.side_by_side import schedule_of

CHOOSING, QUICK_CHOOSING = 100, 10
"""Seeds on which the best schedule is chosen."""
AVERSIONS = (1, 5)
"""Risk aversions of Almgren and Chriss's schedules, per million dollars."""


@dataclass
class Args(Options):
    """Options of `experiments.transfer`."""

    quick: bool = False
    """Use 20 seeds, and choose on 10: two minutes, and wide intervals."""
    policy: Path | None = None
    """Exported policy (policy.npz); by default the released one that the configuration names."""
    choose_on: str | None = None
    """Seeds on which the best schedule is chosen, A:B; by default the first 100 validation seeds beside --seeds."""
    regimes: str | None = None
    """Names separated by commas; by default every one in configs/regimes/."""


def main(args: Args) -> None:
    """Measure what is not measured yet, and write numbers, table and figure."""
    settings = parse_settings(args.settings)
    experiment = load_experiment(args.config, settings)
    seeds = validation_seeds(args.seeds, quick=args.quick)
    others = choosing_seeds(seeds, args.choose_on, QUICK_CHOOSING if args.quick else CHOOSING)
    check_workers(args.workers)
    policy = check_policy(experiment, policy_file(experiment, args.policy))
    experiments = in_regimes(args.config, settings, args.regimes)
    arguments = {
        "policy": policy.digest(),
        "seeds": f"{seeds.start}:{seeds.stop}",
        "choose_on": f"{others.start}:{others.stop}",
        "regimes": {name: of.digest() for name, of in experiments.items()},
    }
    with RunFolder.open(args.out, "transfer", experiment, run_id=args.run_id, arguments=arguments) as run:
        summary: dict[str, Any] = {
            **run.origin([*policy_warnings(policy), *seed_warnings(policy, [*seeds, *others])]),
            **{key: value for key, value in arguments.items() if key != "regimes"},
            "experiment": experiment.name,
            "regimes": {},
        }
        for number, (name, of) in enumerate(experiments.items(), 1):
            print(f"[{number}/{len(experiments)}] {name}, in {run.path}", flush=True)
            folder = run.file(name)
            summary["regimes"][name] = transfer(of, policy, seeds, others, folder, args.workers, progress=True)
        regimes = summary["regimes"]
        correct(regimes)
        table = markdown(transfer_table(regimes))
        if any(found["with_invalid_seeds"] for found in regimes.values()):
            every = with_invalid_seeds(regimes)
            correct(every)
            table = f"{table}\n\nWith the markets that failed the gate:\n\n{markdown(transfer_table(every))}"
        write_json(run.file("summary.json"), summary)
        write_bytes(run.file("transfer.md"), f"{table}\n".encode())
        save_both(transfer_figure(regimes), run.file("transfer"))
        run.point_latest()
        run.finish()
    for name, found in regimes.items():
        for doing, key in (("comparing", "validity"), ("choosing", "choosing_validity")):
            if found[key]["invalid"]:
                print(f"\n{name}, {doing}", *validity_lines(found[key]), sep="\n")
    where = f"seeds {arguments['seeds']}, schedules chosen on {arguments['choose_on']}, incomplete: policy, TWAP, best"
    print(f"\n{where}\n\n{table}\n\nfigure: {run.file('transfer.png')}", flush=True)


def choosing_seeds(seeds: range, text: str | None, count: int) -> range:
    """Return the seeds on which schedules are chosen: validation seeds beside those of the comparison.

    Raises:
        ConfigError: If they are no range, or some are compared on too.
    """
    if text is not None:
        chosen = parse_seeds(text)
    else:
        validation = parse_seeds(load_seed_ranges().validation)
        chosen = validation[:count]
        if set(chosen) & set(seeds):
            chosen = range(seeds.stop, seeds.stop + count)
        if not set(chosen) <= set(validation):
            raise ConfigError(
                f"no {count} validation seeds are left beside {seeds.start}:{seeds.stop}: --choose-on A:B"
            )
    both = set(chosen) & set(seeds)
    if both:
        raise ConfigError(
            f"seed {min(both)} is to choose on and to compare on: a choice must not be judged on its seeds"
        )
    return chosen


def transfer(
    experiment: Experiment,
    policy: NumpyPolicy,
    seeds: Sequence[int],
    choosing: Sequence[int],
    folder: Path,
    workers: int = 1,
    *,
    progress: bool = False,
) -> dict[str, Any]:
    """Choose the best schedule of a regime, and compare the policy with it and with TWAP on other seeds.

    Args:
        experiment: The experiment in the regime.
        policy: The policy.
        seeds: Seeds of the markets that count.
        choosing: Seeds of the markets in which the schedule is chosen.
        folder: Measurements are kept in it; what is there is not measured again.
        workers: Number of processes.
        progress: Whether to show how far it is.

    Returns:
        What `summarise_passed` makes of `summarise_transfer`, with what `choose_best` found and `choosing_validity`.
    """
    options: dict[str, Any] = {"workers": workers, "progress": progress}
    candidates = schedules(experiment)
    before = judge_each(experiment, choosing, folder / "choosing", **options)
    tried = measure_each(partial(measure_costs, experiment, candidates), choosing, folder / "choosing", **options)
    found = {"choosing_validity": before, **choose_best(passed(tried, choosing, before))}
    validity = judge_each(experiment, seeds, folder, **options)
    rules = {POLICY: ActorRule(experiment, policy), TWAP: candidates[TWAP], BEST: candidates[found["best"]]}
    traded = measure_each(partial(measure_costs, experiment, rules), seeds, folder, **options)
    return {**summarise_passed(partial(summarise_transfer, experiment.order.sides), traded, seeds, validity), **found}


def schedules(experiment: Experiment) -> dict[str, Rule]:
    """Return the schedules that the best one is chosen from, all at the experiment's interval."""
    named: dict[str, Rule] = {name: schedule_of(experiment, name) for name in (TWAP, "vwap", "cartea_jaimungal")}
    return named | {f"almgren_chriss_{n}": almgren_chriss(experiment, n) for n in AVERSIONS}


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.transfer", "Trade a policy in every market regime.")
