"""The tables of a comparison on the terminal: every measure with mean, standard deviation and interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from analysis.summary import excluded_seeds
from analysis.tables import MISSING
from analysis.tables import count
from analysis.tables import gate_sentence
from analysis.tables import headline_sentence
from analysis.tables import number
from analysis.tables import probability
from analysis.tables import source_line

COSTS = {
    "shortfall": "shortfall_cents",
    "execution": "execution_cents",
    "drift": "drift_cents",
    "opportunity": "opportunity_cents",
}
SHARES = {"completion": "completion", "finish": "finish_fraction"}
NARROWEST = 80
INVALID_SHOWN = 20


def print_comparison(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the tables of a summary, the validity of its markets, its warnings, and its result in a sentence.

    Args:
        summary: Content of `summary.json`.
        console: Where to print; by default standard output.
    """
    if console is None:
        console = Console(highlight=False)
        console.width = max(console.width, NARROWEST)
    method = summary["method"]
    _print_tables(summary, summary["reference"], console)
    if excluded_seeds(summary):
        console.print("The same with every seed, those of invalid markets included:")
        _print_tables(summary["with_invalid_seeds"], summary["reference"], console)
    lines = [
        f"Intervals: {method['interval']}. Test: {method['test']}; {method['multiple_comparisons']}.",
        f"Unit: {method['unit']}. Power: {method['power']}.",
        source_line(summary),
        *validity_lines(summary["validity"]),
        *(f"warning: {warning}" for warning in summary["warnings"]),
        headline_sentence(summary),
    ]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def validity_lines(validity: Mapping[str, Any] | None) -> list[str]:
    """Say how many markets passed the gate, and name those that did not."""
    if validity is None:
        return ["No market was judged."]
    lines = [f"Markets: {validity['valid']} of {validity['judged']} valid. {gate_sentence(validity['gate'])}".rstrip()]
    invalid = list(validity["invalid"].items())
    lines += [f"  invalid: seed {seed}: {reason}" for seed, reason in invalid[:INVALID_SHOWN]]
    if len(invalid) > INVALID_SHOWN:
        lines.append(f"  and {len(invalid) - INVALID_SHOWN} more, see summary.json")
    return lines


def _print_tables(tables: Mapping[str, Any], reference: str, console: Console) -> None:
    console.print("Gain over arrival, cents per share of the parent order, higher is better")
    console.print(_strategies(tables["strategies"]))
    if tables["paired"]:
        console.print(f"Difference from {reference} on the same markets, cents per share, positive is better")
        console.print(_pairs(tables["paired"]))


def _strategies(strategies: Mapping[str, Any]) -> Table:
    """Every strategy, measure by measure, so that what is to be compared stands together."""
    table = _table("strategy", "n", "mean", "sd", "95 % interval")
    for label, measure in {**COSTS, **SHARES}.items():
        table.add_row(label)
        for name, entry in strategies.items():
            found = entry[measure]
            cells = _estimate(found) if label in COSTS else _estimate(found, digits=3, signed=False)
            table.add_row(f"  {name}", count(found["n"]), *cells)
        table.add_section()
    return table


def _pairs(paired: Mapping[str, Any]) -> Table:
    """Every pair, measure by measure."""
    table = _table("pair", "n", "mean", "sd", "95 % interval", "p", "p Holm", "n for 1 c")
    for label, measure in COSTS.items():
        table.add_row(label)
        for key, entry in paired.items():
            found = entry[measure]
            test = (probability(found["p"]), probability(found["p_holm"]), count(found["n_for_1_cent"]))
            table.add_row(f"  {key.partition('-')[0]}", count(found["n"]), *_estimate(found), *test)
        table.add_section()
    return table


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for header in numbers:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _estimate(found: Mapping[str, Any], digits: int = 2, signed: bool = True) -> tuple[str, str, str]:
    """Mean, standard deviation and interval as cells."""
    interval = MISSING
    if found["ci95"] is not None:
        low, high = (number(end, digits, signed=signed) for end in found["ci95"])
        # Rich reads a bare square bracket as markup.
        interval = f"\\[{low}, {high}]"
    return number(found["mean"], digits, signed=signed), number(found["sd"], digits, signed=False), interval
