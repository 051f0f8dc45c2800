"""A backtest's blind spot: what a backtest says an order costs, against what it costs in the market that reacts.

Costs are implementation shortfalls in cents per share of the parent order, positive is better. The blind spot is the
backtest's shortfall less the market's, per seed the mean of buy and sell: by so much the backtest flatters.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analysis.impact import with_interval
from analysis.plots import ASK
from analysis.plots import BID
from analysis.plots import GAIN
from analysis.plots import laid_out
from analysis.plots import new_figure
from analysis.plots import style
from analysis.stats import estimate

KINDS = ("backtest", "market")
TICKS = (-500, -200, -100, -50, -20, -10, -5, -2, 0, 2, 5, 10, 20, 50)


def summarise_backtest(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Summarise what `experiments.backtest` measured.

    Args:
        found: One mapping a seed, as `experiments.backtest.measure` returns it.

    Returns:
        `strategies` by name: estimates of `backtest`, `market` and `flattery` (their paired difference, with p), and
        the mean completions.
    """
    summary: dict[str, Any] = {}
    for name in found[0]["strategies"]:
        costs = {
            kind: np.array([one["strategies"][name][kind]["shortfall_cents"] for one in found], dtype=np.float64).mean(
                axis=1
            )
            for kind in KINDS
        }
        entry: dict[str, Any] = {kind: estimate(costs[kind]).as_dict() for kind in KINDS}
        entry["flattery"] = estimate(costs["backtest"] - costs["market"]).as_dict(test=True)
        entry["completion"] = {
            kind: float(np.mean([one["strategies"][name][kind]["completion"] for one in found])) for kind in KINDS
        }
        summary[name] = entry
    return {"strategies": summary}


def headline(summary: Mapping[str, Any]) -> str:
    """Return one sentence: by how much a backtest flatters the first strategy."""
    name, entry = next(iter(summary["strategies"].items()))
    return (
        f"A backtest on the recorded market flatters {name} by {with_interval(entry['flattery'])} cents a share"
        f" (95 %, n = {summary['n']}): it says {with_interval(entry['backtest'])}, the market that reacts says"
        f" {with_interval(entry['market'])}."
    )


def backtest_table(summary: Mapping[str, Any]) -> str:
    """Return the strategies as Markdown."""
    lines = [
        "| | Backtest says, cents a share | The market says | The backtest flatters by | Completion of the two |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, entry in summary["strategies"].items():
        cells = [with_interval(entry[kind]) for kind in (*KINDS, "flattery")]
        completion = " / ".join(f"{100 * entry['completion'][kind]:.1f} %" for kind in KINDS)
        lines.append(f"| `{name}` | {' | '.join(cells)} | {completion} |")
    return "\n".join(lines)


def backtest_figure(summary: Mapping[str, Any]) -> Figure:
    """Draw for each strategy what the backtest says and what the market says, joined by a line.

    Args:
        summary: What `summarise_backtest` returned.
    """
    names = list(summary["strategies"])
    with style():
        figure, axes = new_figure(1.4 + 0.34 * len(names))
        ax = axes[0, 0]
        for place, name in enumerate(names):
            entry = summary["strategies"][name]
            ax.plot([entry[kind]["mean"] for kind in KINDS], [place, place], color="#bbbbbb", linewidth=2.5, zorder=1)
            for kind, colour, marker in (("backtest", BID, "o"), ("market", ASK, "s")):
                found = entry[kind]
                if found["ci95"] is not None:
                    ax.plot(found["ci95"], [place, place], color=colour, linewidth=1.4, zorder=2)
                label = {"backtest": "backtest on the record", "market": "market that reacts"}[kind]
                ax.plot(
                    found["mean"], place, marker, color=colour, markersize=6, zorder=3,
                    label=label if place == 0 else None,
                )  # fmt: skip
        ax.axvline(0, color="#888888", linewidth=1.0)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.grid(axis="y", visible=False)
        ax.set_xscale("symlog", linthresh=10, linscale=1.5)
        ends = [end for entry in summary["strategies"].values() for kind in KINDS for end in entry[kind]["ci95"] or ()]
        ax.set_xlim(left=min([-10.0, *ends]) * 1.15, right=max([0.0, *ends]) + 1)
        ax.set_xticks([tick for tick in TICKS if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]], minor=False)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.set_xlabel(f"{GAIN}; logarithmic beyond ±10")
        handles, labels = ax.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
        return laid_out(figure)
