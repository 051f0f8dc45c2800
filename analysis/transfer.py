"""How a policy does in markets that it was not trained in: against TWAP, and against the best schedule of each.

The unit is a seed: the mean of its sides. The best schedule of a regime is chosen on other seeds than those that it is
compared on, so that nothing is gained by the choice. All differences of all regimes are one family for Holm's
correction.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.plots import ASK
from analysis.plots import BID
from analysis.plots import laid_out
from analysis.plots import new_figure
from analysis.plots import style
from analysis.stats import correct_family
from analysis.stats import estimate
from analysis.tables import TextTable
from analysis.tables import number
from analysis.tables import probability
from analysis.tables import with_interval

POLICY, TWAP, BEST = "policy", "twap", "best"
TRADERS = (POLICY, TWAP, BEST)

Floats = NDArray[np.float64]
Found = Sequence[Mapping[str, Any]]


def choose_best(found: Found) -> dict[str, Any]:
    """Return the schedule with the best mean shortfall.

    Args:
        found: A mapping a seed: by schedule `shortfall_cents`, a value a side.

    Returns:
        `best`, its name, and `chosen_from`, the estimate of each.
    """
    means = {name: estimate(_costs(found, name).mean(axis=1)).as_dict() for name in found[0]}
    return {"best": max(means, key=lambda name: means[name]["mean"]), "chosen_from": means}


def summarise_transfer(sides: Sequence[str], found: Found) -> dict[str, Any]:
    """Summarise how the policy, TWAP and the best schedule traded in one regime.

    Args:
        sides: Names of the sides.
        found: A mapping a seed: of each of `TRADERS` `shortfall_cents` and `completion`, a value a side.

    Returns:
        `strategies` with their estimates of `shortfall_cents`, and the number of orders left `incomplete`; `paired`
        differences `policy-twap` and `policy-best`; each with its `sides`.
    """
    strategies = {}
    for name in TRADERS:
        left = np.array([seed[name]["completion"] for seed in found]) < 1
        strategies[name] = {**_estimates(_costs(found, name), sides), "incomplete": int(left.sum())}
    paired = {
        f"{POLICY}-{name}": _estimates(_costs(found, POLICY) - _costs(found, name), sides, test=True)
        for name in (TWAP, BEST)
    }
    return {"strategies": strategies, "paired": paired}


def _costs(found: Found, name: str) -> Floats:
    """Shortfall of one trader, `(seeds, sides)`."""
    return np.array([seed[name]["shortfall_cents"] for seed in found])


def _estimates(values: Floats, sides: Sequence[str], *, test: bool = False) -> dict[str, Any]:
    one = {side: estimate(own).as_dict(test=test) for side, own in zip(sides, values.T, strict=True)}
    return {"shortfall_cents": estimate(values.mean(axis=1)).as_dict(test=test), "sides": one}


def correct(regimes: Mapping[str, Mapping[str, Any]]) -> None:
    """Add to the shortfall of every pair in all regimes `p_holm`, all of them being one family."""
    correct_family([pair["shortfall_cents"] for regime in regimes.values() for pair in regime["paired"].values()])


def with_invalid_seeds(regimes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the regimes with the markets that failed the gate in: a family of its own, to be corrected by itself.

    Args:
        regimes: By name, each as `experiments.gate.summarise_passed` returns it, with `best`.
    """
    return {
        name: {**(found["with_invalid_seeds"] or deepcopy(dict(found))), "best": found["best"]}
        for name, found in regimes.items()
    }


def transfer_table(regimes: Mapping[str, Mapping[str, Any]]) -> TextTable:
    """Return one row a regime.

    Args:
        regimes: By name what `summarise_transfer` returns, corrected, with `n` and `best`.
    """
    rows = []
    for name, regime in regimes.items():
        strategies, paired = regime["strategies"], regime["paired"]
        row = [name, str(regime["n"]), with_interval(strategies[POLICY]["shortfall_cents"])]
        for other in (TWAP, BEST):
            pair = paired[f"{POLICY}-{other}"]["shortfall_cents"]
            row += [regime["best"]] if other == BEST else []
            row += [number(strategies[other]["shortfall_cents"]["mean"]), with_interval(pair)]
            row += [probability(pair["p_holm"])]
        row += [", ".join(str(strategies[trader]["incomplete"]) for trader in TRADERS)]
        rows.append(tuple(row))
    header = (
        *("regime", "n", "policy [95 %]", "TWAP", "policy − TWAP [95 %]", "p (Holm)"),
        *("best schedule", "its shortfall", "policy − best [95 %]", "p (Holm)", "incomplete"),
    )
    return TextTable("Shortfall, cents per share, positive is better", header, tuple(rows))


def transfer_figure(regimes: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw by how much the policy differs from TWAP and from the best schedule, with intervals, a row a regime."""
    with style():
        figure, axes = new_figure(1.4 + 0.36 * len(regimes))
        ax = axes[0, 0]
        for shift, other, colour in ((-0.14, TWAP, BID), (0.14, BEST, ASK)):
            label = f"against {'TWAP' if other == TWAP else 'the best schedule of the regime'}"
            for row, regime in enumerate(regimes.values()):
                pair = regime["paired"][f"{POLICY}-{other}"]["shortfall_cents"]
                ax.plot(pair["ci95"], [row + shift] * 2, color=colour, linewidth=1.4)
                ax.plot(pair["mean"], row + shift, "o", color=colour, markersize=5, label=label if row == 0 else None)
        ax.axvline(0, color="black", linewidth=0.9)
        ax.set_yticks(range(len(regimes)), list(regimes))
        ax.invert_yaxis()
        ax.set_xlabel("the policy's shortfall minus the other's, cents per share (right: better)")
        ax.legend(loc="lower left", fontsize=9)
        return laid_out(figure)
