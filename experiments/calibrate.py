"""Measure the market on calibration seeds: `python -m experiments.calibrate CONFIG`, or `make calibrate`.

Volume profile and volatility are those of the market in which nobody trades a parent order. Impact is measured with
TWAP orders of several sizes, buying and selling, in the same markets. Each seed gives one line by least squares; a
coefficient is the mean over seeds, and its interval is Student's t on them. With the same sizes on every seed that
mean is the coefficient of the pooled regression too.

- Temporary impact (Almgren and Chriss 2001, section 1.5: `h(v) = ε sign(v) + η v`): the cost of a fill against the mid
  just before it, mean of buy and sell, on the rate v = size / window: slope η, intercept ε.
- Permanent impact (the same section: `g(v) = γ v`): half the difference between the mids at the end of the window after
  buying and after selling, on the size, through the origin: slope γ. What the market did by itself cancels. The mid is
  taken right at the end of the window, so that impact which would have faded later is counted as permanent.
- Volatility σ: root mean square of the mid's change over the window, by √seconds; the mean change is taken as zero.
  Over a minute it is smaller, because the market's returns are positively correlated, and it is given beside it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abides_core.abides import new_kernel
from abides_core.engines import AUTO
from abides_core.utils import str_to_ns
from abides_markets.tape import MarketTape
from agents.market import SYMBOL
from agents.market import build_market
from agents.market import exchange_of
from analysis.files import write_json
from analysis.stats import estimate
from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from configs import load_seed_ranges
from configs import parse_seeds
from configs.calibration import CALIBRATION
from configs.calibration import MINUTE
from configs.calibration import Calibration
from configs.calibration import Coefficient
from configs.calibration import SizeEffect
from configs.calibration import VolumeProfile
from configs.models import SECOND
from experiments.console import parse_settings
from experiments.console import run_command
from experiments.episode import run_episode
from experiments.gate import judge_each
from experiments.gate import passed
from experiments.per_seed import QUICK_SEEDS
from experiments.per_seed import SEEDS
from experiments.per_seed import Options
from experiments.per_seed import check_workers
from experiments.per_seed import measure_each
from experiments.run_folder import RunFolder
from experiments.run_folder import git_state

FRACTIONS = (0.25, 0.5, 1.0, 1.5)
"""Sizes of the orders, in sizes of the experiment's parent order."""
OPEN = str_to_ns("09:30:00")

Floats = NDArray[np.float64]


@dataclass
class Args(Options):
    """Options of `experiments.calibrate`."""

    seeds: str | None = None
    """Seeds of the markets, A:B with B excluded; by default the first 200 calibration seeds of configs/seeds.yaml."""
    quick: bool = False
    """Use 20 seeds (under a minute) and leave the strategies' calibration as it is."""
    output: Path | None = None
    """File to write; by default the one that strategies read, configs/calibration.json."""


def main(args: Args) -> None:
    """Measure what is not measured yet, and write the calibration."""
    experiment = load_experiment(args.config, parse_settings(args.settings))
    seeds = choose_seeds(args.seeds, quick=args.quick)
    check_workers(args.workers)
    output = args.output if args.output is not None or args.quick else CALIBRATION
    arguments = {"seeds": f"{seeds.start}:{seeds.stop}"}
    with RunFolder.open(args.out, "calibrate", experiment, run_id=args.run_id, arguments=arguments) as run:
        verb = "resuming" if run.resumed else "measuring"
        print(f"{verb} {len(seeds)} markets, {2 * len(FRACTIONS)} orders in each, in {run.path}", flush=True)
        calibration = calibrate(experiment, seeds, run.path, args.workers, progress=True)
        for path in filter(None, (run.file("calibration.json"), output)):
            write_json(path, calibration.model_dump(mode="json"))
            print(f"calibration: {path}", flush=True)
        run.finish()
    print_calibration(calibration)


def choose_seeds(text: str | None, *, quick: bool = False) -> range:
    """The seeds of the option, or else the first of the calibration range.

    Raises:
        ConfigError: If they are not a range, fewer than two, or not calibration seeds.
    """
    allowed = parse_seeds(load_seed_ranges().calibration)
    if text is None:
        return range(allowed.start, allowed.start + (QUICK_SEEDS if quick else SEEDS))
    seeds = parse_seeds(text)
    if seeds.start < allowed.start or seeds.stop > allowed.stop:
        raise ConfigError(f"seeds {text} are not calibration seeds: take them from {allowed.start}:{allowed.stop}")
    if len(seeds) < 2:
        raise ConfigError(f"seeds {text}: an interval needs at least two")
    return seeds


def calibrate(
    experiment: Experiment, seeds: range, folder: Path, workers: int = 1, *, progress: bool = False
) -> Calibration:
    """Measure the market of an experiment.

    Args:
        experiment: Names market, parent order and decision interval.
        seeds: Seeds of the markets, at least two.
        folder: Each seed's measurements are kept in its `seeds/`; what is there is not measured again.
        workers: Number of processes.
        progress: Whether to show how far it is.

    Raises:
        RuntimeError: If a market could not be measured.
        ConfigError: If fewer than two passed the gate.
    """
    validity = judge_each(experiment, seeds, folder, workers, progress=progress)
    found = measure_each(partial(measure, experiment), seeds, folder, workers, progress=progress)
    return _summarise(experiment, seeds, passed(found, seeds, validity), validity["invalid"])


def order_sizes(experiment: Experiment) -> list[int]:
    """Sizes of the parent orders that are measured, shares."""
    return [max(1, round(fraction * experiment.order.quantity)) for fraction in FRACTIONS]


def measure(experiment: Experiment, seed: int) -> dict[str, Any]:
    """Measure the market of one seed.

    Returns:
        `volume` (shares by minute), `changes` (of the mid over each minute of the window, cents), `cost`, `move` and
        `completion` (by size: cents, cents, share).
    """
    found = measure_background(experiment, seed)
    found |= {"cost": [], "move": [], "completion": []}
    for size in order_sizes(experiment):
        order = experiment.order.model_copy(update={"quantity": size})
        runs = [
            run_episode(experiment.model_copy(update={"order": order}), "twap", seed, side)["episodes"].to_pylist()[0]
            for side in ("buy", "sell")
        ]
        filled = sum(run["filled"] for run in runs)
        paid = sum(-run["execution_cents"] * run["quantity"] for run in runs)
        found["cost"].append(paid / filled if filled else math.nan)
        found["move"].append((runs[0]["end_mid2"] - runs[1]["end_mid2"]) / 4)
        found["completion"].append(filled / (2 * size))
    return found


def measure_background(experiment: Experiment, seed: int) -> dict[str, Any]:
    """Measure volume and changes of the mid of one seed's market in which nobody trades a parent order."""
    config = build_market(experiment.market, seed)
    tape = exchange_of(config).order_books[SYMBOL].tape = MarketTape(-1)
    kernel = new_kernel(config, config["random_state_kernel"], AUTO)
    kernel.initialize()
    kernel.runner()
    midnight = config["start_time"]
    times = np.array([trade.time for trade in tape.trades], dtype=np.int64) - midnight
    sizes = np.array([trade.quantity for trade in tape.trades], dtype=np.int64)
    edges = np.arange(OPEN, experiment.market.end_time + 1, MINUTE)
    volume, _ = np.histogram(times, edges, weights=sizes)
    start, window = experiment.order.start, experiment.order.window
    grid = np.append(np.arange(start, start + window, MINUTE), start + window)
    return {"volume": volume.tolist(), "changes": (np.diff(tape.mid2_at(midnight + grid)) / 2).tolist()}


def _summarise(
    experiment: Experiment, seeds: range, found: Sequence[dict[str, Any]], invalid: dict[str, str]
) -> Calibration:
    sizes = np.array(order_sizes(experiment), dtype=np.float64)
    window_s = experiment.order.window / SECOND
    cost, move, completion = (
        np.array([one[name] for one in found], dtype=np.float64) for name in ("cost", "move", "completion")
    )
    volume = np.array([one["volume"] for one in found], dtype=np.float64)
    changes = np.array([one["changes"] for one in found], dtype=np.float64)
    eta, epsilon = lines(sizes / window_s, cost)
    gamma = move @ sizes / (sizes @ sizes)
    state = git_state()
    return Calibration(
        commit=state["commit"],
        dirty=state["dirty"],
        seeds=f"{seeds.start}:{seeds.stop}",
        invalid=invalid,
        digest=market_digest(experiment),
        interval_ns=experiment.decision_interval,
        window_ns=experiment.order.window,
        volume=VolumeProfile(
            first=OPEN,
            shares=tuple(volume.mean(axis=0).round(2).tolist()),
            standard_errors=tuple((volume.std(axis=0, ddof=1) / math.sqrt(len(volume))).round(2).tolist()),
        ),
        volatility=_volatility(changes.sum(axis=1, keepdims=True), window_s, "the window"),
        volatility_1min=_volatility(changes, window_s / changes.shape[1], "a minute"),
        half_spread=_mean(epsilon, "cents/share", "intercept of cost on rate, a line a seed"),
        temporary_impact=_mean(eta, "cents*s/share", "slope of cost (cents/share) on rate (shares/s), a line a seed"),
        permanent_impact=_mean(
            gamma, "cents/share", "slope of (end mid after buying - after selling)/2 on size, through the origin"
        ),
        sizes=tuple(_size_effect(int(size), cost[:, i], move[:, i], completion[:, i]) for i, size in enumerate(sizes)),
    )


def lines(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Fit a line to each row by least squares.

    Args:
        x: Shape `(K,)`.
        y: Shape `(N, K)`.

    Returns:
        Slopes `(N,)` and intercepts `(N,)`.
    """
    centred = x - x.mean()
    slopes = y @ centred / (centred @ centred)
    return slopes, y.mean(axis=1) - slopes * x.mean()


def market_digest(experiment: Experiment) -> str:
    """First 12 hexadecimal digits of the SHA-256 of what a calibration depends on."""
    resolved = experiment.model_dump(mode="json", include={"market", "order", "decision_interval"})
    del resolved["market"]["regime"]  # a name; its values are resolved
    return hashlib.sha256(json.dumps(resolved, sort_keys=True).encode()).hexdigest()[:12]


def _mean(values: Floats, unit: str, method: str) -> Coefficient:
    mean, ci95 = _interval(values)
    return Coefficient(value=mean, ci95=ci95, n=len(values), unit=unit, method=method)


def _interval(values: Floats) -> tuple[float, tuple[float, float]]:
    """Mean of one value a seed, and its interval."""
    found = estimate(values)
    assert found.ci95 is not None, "at least two seeds"
    assert found.mean is not None
    return found.mean, found.ci95


def _volatility(changes: Floats, seconds: float, over: str) -> Coefficient:
    """Root mean square of changes `(N, K)` by √seconds, its interval from the mean squares of the N seeds."""
    mean, ci95 = _interval((changes**2).mean(axis=1) / seconds)
    return Coefficient(
        value=math.sqrt(mean),
        ci95=(math.sqrt(max(0.0, ci95[0])), math.sqrt(ci95[1])),
        n=len(changes),
        unit="cents/sqrt(s)",
        method=f"root mean square change of the mid over {over}",
    )


def _size_effect(shares: int, cost: Floats, move: Floats, completion: Floats) -> SizeEffect:
    (paid, paid_ci95), (moved, moved_ci95) = _interval(cost), _interval(move)
    return SizeEffect(
        shares=shares,
        completion=float(completion.mean()),
        cost_cents=paid,
        cost_ci95=paid_ci95,
        move_cents=moved,
        move_ci95=moved_ci95,
    )


def print_calibration(calibration: Calibration) -> None:
    """Print what was measured, with intervals."""
    print(f"Seeds {calibration.seeds}; intervals at 95 %.")
    for seed, reason in calibration.invalid.items():
        print(f"  left out: seed {seed}, whose market failed the gate: {reason}")
    for name in ("volatility", "volatility_1min", "half_spread", "temporary_impact", "permanent_impact"):
        found: Coefficient = getattr(calibration, name)
        low, high = found.ci95
        title = name.replace("_", " ").replace("1min", "over a minute")
        print(f"  {title}: {found.value:.4g} [{low:.4g}, {high:.4g}] {found.unit}, n = {found.n}")
    for effect in calibration.sizes:
        cost, move = (
            _with_interval(*pair)
            for pair in ((effect.cost_cents, effect.cost_ci95), (effect.move_cents, effect.move_ci95))
        )
        print(f"  {effect.shares} shares: cost {cost} cents/share, moves the mid {move} cents")
    volume = calibration.volume
    print(f"  volume: {np.mean(volume.shares):.0f} shares a minute, {len(volume.shares)} minutes")


def _with_interval(value: float, ci95: tuple[float, float]) -> str:
    return f"{value:.2f} [{ci95[0]:.2f}, {ci95[1]:.2f}]"


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.calibrate", "Measure volume, volatility and impact of the market.")
