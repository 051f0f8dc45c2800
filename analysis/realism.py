"""How real a market is: stylised facts held against the literature's, and rmsc04 against upstream's own figures of it.

A market is judged by the mean of a fact over seeds and its 95 % interval. The verdict is `pass` or `fail` where the
whole interval lies in the band or outside of it, and `open` where it crosses an edge.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.facts import FACTS
from analysis.facts import LAGS
from analysis.facts import LEVELS
from analysis.facts import STEP
from analysis.plots import ASK
from analysis.plots import BID
from analysis.plots import laid_out
from analysis.plots import new_figure
from analysis.plots import style
from analysis.stats import estimate

Floats = NDArray[np.float64]
UPSTREAM = Path(__file__).with_name("rmsc04_facts.csv")
"""Statistics of upstream ABIDES, configuration rmsc04, 09:30–10:30, one row a seed, to four digits."""


def read_upstream() -> dict[int, dict[str, float]]:
    """Return upstream's statistics by seed."""
    with UPSTREAM.open(encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    return {int(row.pop("seed")): {name: float(value) for name, value in row.items()} for row in rows}


def summarise_realism(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Summarise the facts of several markets.

    Args:
        found: One mapping a seed with `facts` (`facts_of`) and `curves` (`curves_of`).

    Returns:
        `facts` by name, each with its estimate, band, verdict and source, and `curves`, their means over seeds.
    """
    facts = {}
    for fact in FACTS:
        values = [one["facts"][fact.name] for one in found]
        estimated = estimate([math.nan if value is None else value for value in values])
        facts[fact.name] = {
            **estimated.as_dict(),
            "low": fact.low,
            "high": fact.high if math.isfinite(fact.high) else None,
            "verdict": verdict(estimated.ci95, fact.low, fact.high),
            "description": fact.description,
            "source": fact.source,
        }
    curves = {}
    for name in found[0]["curves"]:
        rows = np.array([one["curves"][name] for one in found], dtype=np.float64)
        known = [column[np.isfinite(column)] for column in rows.T]
        curves[name] = [float(column.mean()) if len(column) else None for column in known]
    return {"facts": facts, "curves": curves}


def verdict(ci95: tuple[float, float] | None, low: float, high: float) -> str:
    """Return `pass` if an interval lies in a band, `fail` if it lies outside of it, else `open`."""
    if ci95 is None:
        return "open"
    if low <= ci95[0] and ci95[1] <= high:
        return "pass"
    return "fail" if ci95[1] < low or ci95[0] > high else "open"


def compare_with_upstream(found: Mapping[int, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Compare statistics of rmsc04 with upstream's on the same seeds.

    Args:
        found: Statistics by seed, `upstream_facts_of`.

    Returns:
        By name: `mean` here and `upstream` over these seeds, and `equal`, on how many seeds all four digits agree, of
        `n`.
    """
    upstream = read_upstream()
    result = {}
    for name in next(iter(upstream.values())):
        here = [found[seed][name] for seed in found]
        there = [upstream[seed][name] for seed in found]
        result[name] = {
            "mean": float(np.mean(here)),
            "upstream": float(np.mean(there)),
            "equal": sum(_digits(a) == _digits(b) for a, b in zip(here, there, strict=True)),
            "n": len(here),
        }
    return result


def _digits(value: float) -> str:
    return f"{value:.3e}"


def facts_table(summary: Mapping[str, Any]) -> str:
    """Return the facts, their bands and verdicts as Markdown."""
    lines = ["| Fact | What | Here, 95 % | Markets | Verdict |", "|---|---|---:|---|---|"]
    for name, fact in summary["facts"].items():
        low = f"{fact['low']:g}"
        band = f"{low} or more" if fact["high"] is None else f"{low} to {fact['high']:g}"
        cells = (name.replace("_", " "), fact["description"], _with_interval(fact), f"{band} ({fact['source']})")
        lines.append(f"| {' | '.join(cells)} | {fact['verdict']} |")
    return "\n".join(lines)


def _with_interval(found: Mapping[str, Any]) -> str:
    if found["mean"] is None:
        return "not known"
    if found["ci95"] is None:
        return f"{found['mean']:.2f}"
    return f"{found['mean']:.2f} ({found['ci95'][0]:.2f} to {found['ci95'][1]:.2f})"


def upstream_table(comparison: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the comparison with upstream as Markdown."""
    lines = ["| rmsc04, 09:30 to 10:30 | Here | Upstream | Seeds equal to four digits |", "|---|---:|---:|---:|"]
    for name, one in comparison.items():
        lines.append(f"| `{name}` | {one['mean']:.4g} | {one['upstream']:.4g} | {one['equal']} of {one['n']} |")
    return "\n".join(lines)


def realism_figure(summary: Mapping[str, Any]) -> Figure:
    """Draw what the facts are about: autocorrelations, order signs, depth and the volume of the session.

    Args:
        summary: What `summarise_realism` returned.
    """
    curves = {name: np.array(values, dtype=np.float64) for name, values in summary["curves"].items()}
    with style():
        figure, axes = new_figure(5.6, 2, 2)
        _draw_returns(axes[0, 0], curves)
        _draw_signs(axes[0, 1], curves["signs"])
        ax = axes[1, 0]
        ax.bar(np.arange(1, LEVELS + 1), curves["depth"], color=BID, width=0.7)
        ax.set_title("Depth")
        ax.set_xlabel("best price, second best, …")
        ax.set_ylabel("mean shares, a side")
        ax = axes[1, 1]
        ax.step(np.arange(len(curves["volume"])), curves["volume"], where="post", color=BID)
        ax.set_ylim(bottom=0)
        ax.set_title("Volume")
        ax.set_xlabel("minutes since the open")
        ax.set_ylabel("shares a minute")
        return laid_out(figure)


def _draw_returns(ax: Axes, curves: Mapping[str, Floats]) -> None:
    lags = STEP * np.arange(1, LAGS + 1)
    ax.plot(lags, curves["returns"], "o-", color=BID, markersize=3, label="returns")
    ax.plot(lags, curves["absolute_returns"], "s-", color=ASK, markersize=3, label="absolute returns")
    ax.axhline(0, color="#888888", linewidth=1.0)
    ax.set_title(f"{STEP}-second returns")
    ax.set_xlabel("lag, seconds")
    ax.set_ylabel("autocorrelation")
    ax.legend()


def _draw_signs(ax: Axes, signs: Floats) -> None:
    lags = np.arange(1, len(signs) + 1)
    ax.fill_between(lags, 0.2 * lags**-0.7, 0.6 * lags**-0.2, color="#cccccc", alpha=0.6, linewidth=0, label="markets")
    ax.plot(lags, np.where(signs > 0, signs, np.nan), "o", color=BID, markersize=3, label="here, where positive")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_title("Signs of orders that trade")
    ax.set_xlabel("lag, orders")
    ax.set_ylabel("autocorrelation")
    ax.legend(loc="lower left")
