"""The benchmarks' table: every strategy against the first, in every regime, as one family of comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.schema import SCHEMA_VERSION
from analysis.stats import ALPHA
from analysis.stats import correct_family
from analysis.summary import RUNAWAY_BPS
from analysis.tables import MISSING
from analysis.tables import TextTable
from analysis.tables import count
from analysis.tables import gate_sentence
from analysis.tables import markdown
from analysis.tables import number
from analysis.tables import plain
from analysis.tables import probability
from analysis.tables import share
from analysis.tables import source_line
from analysis.tables import with_interval

SIGNIFICANT = "*"
COMPLETE = 0.999
"""Completion below which a strategy is named: what it left is charged at the mid at the end of the window."""

KEPT = ("seeds", "commit", "warnings", "strategies", "paired", "with_invalid_seeds", "validity")
"""What a regime keeps of the summary of its comparison."""


def collect(summaries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Join the summaries of one comparison in several regimes.

    Args:
        summaries: By regime, as `analysis.summary.summarise` returns them; same strategies, same seeds.

    Returns:
        The content of `benchmarks.json`: `regimes.<name>` with the `strategies`, `paired`, `with_invalid_seeds`,
        `validity` and `seeds` of each, where every shortfall of a pair has `p_holm_table`: Holm's correction over all
        pairs in all regimes, the whole table being one family.
    """
    first = next(iter(summaries.values()))
    regimes = {name: {key: summary[key] for key in KEPT} for name, summary in summaries.items()}
    for tables in (list(regimes.values()), [regime["with_invalid_seeds"] for regime in regimes.values()]):
        tests = [pair["shortfall_cents"] for regime in tables for pair in regime["paired"].values()]
        correct_family(tests, "p_holm_table")
    return {
        "schema_version": SCHEMA_VERSION,
        "experiment": first["experiment"],
        "commit": first["commit"],
        "sides": first["sides"],
        "reference": first["reference"],
        "comparisons": sum(len(regime["paired"]) for regime in regimes.values()),
        "regimes": regimes,
    }


def matrix(found: Mapping[str, Any]) -> TextTable:
    """Return the mean paired difference of every strategy (rows) in every regime (columns).

    Args:
        found: As `collect` returns it.
    """
    regimes = found["regimes"]
    pairs = list(next(iter(regimes.values()))["paired"])
    rows = tuple(
        (key.partition("-")[0], *(_cell(regime["paired"][key]["shortfall_cents"]) for regime in regimes.values()))
        for key in pairs
    )
    title = (
        f"Shortfall minus that of {found['reference']}, cents per share, positive is better;"
        f" {SIGNIFICANT}: p at most {ALPHA} by Holm over all {found['comparisons']} comparisons"
    )
    return TextTable(title, ("strategy", *regimes), rows)


def _cell(pair: Mapping[str, Any]) -> str:
    if pair["mean"] is None:
        return MISSING
    return number(pair["mean"], 1) + (SIGNIFICANT if is_significant(pair) else "")


def is_significant(pair: Mapping[str, Any]) -> bool:
    """Whether the table as a whole, corrected for all its comparisons, tells the two apart."""
    return pair["p_holm_table"] is not None and pair["p_holm_table"] <= ALPHA


def regime_table(found: Mapping[str, Any], regime: str, *, every_seed: bool = False) -> TextTable:
    """Return all that is known of one regime: strategies with their difference from the reference.

    Args:
        found: As `collect` returns it.
        regime: The regime.
        every_seed: Whether the seeds whose market failed the gate are in.
    """
    tables = found["regimes"][regime]["with_invalid_seeds"] if every_seed else found["regimes"][regime]
    rows = []
    for name, own in tables["strategies"].items():
        row = [
            name,
            count(own["n"]),
            share(own["completion"]["mean"]),
            with_interval(own["shortfall_cents"]),
            with_interval(own["execution_cents"]),
        ]
        pair = tables["paired"].get(f"{name}-{found['reference']}")
        if pair is None:
            row += [""] * 5
        else:
            shortfall = pair["shortfall_cents"]
            row += [
                with_interval(shortfall),
                number(shortfall["sd"], signed=False),
                probability(shortfall["p_holm_table"]),
                count(shortfall["n_for_1_cent"]),
                with_interval(pair["execution_cents"]),
            ]
        rows.append(tuple(row))
    minus = f"minus {found['reference']}"
    header = (
        *("strategy", "n", "completion", "shortfall [95 %]", "execution [95 %]"),
        *(f"shortfall {minus} [95 %]", "sd", "p (Holm)", "n for 1 cent", f"execution {minus} [95 %]"),
    )
    return TextTable(f"{regime}{', every seed' if every_seed else ''}", header, tuple(rows))


def as_text(found: Mapping[str, Any]) -> str:
    """Write the matrix for a terminal, with where it comes from."""
    return "\n\n".join([plain(matrix(found)), *_notes(found)]) + "\n"


def as_markdown(found: Mapping[str, Any]) -> str:
    """Write everything as Markdown: the matrix, and a table a regime with n and intervals."""
    blocks = [f"# Benchmarks of {found['experiment']}", markdown(matrix(found)), *_notes(found)]
    for name, regime in found["regimes"].items():
        blocks += [f"## {name}", markdown(regime_table(found, name))]
        invalid = regime["validity"]["invalid"]
        if invalid:
            listed = "; ".join(f"seed {seed}: {reason}" for seed, reason in invalid.items())
            blocks += [f"Left out, because their market failed the gate: {listed}. With them:"]
            blocks += [markdown(regime_table(found, name, every_seed=True))]
    return "\n\n".join(blocks) + "\n"


def _notes(found: Mapping[str, Any]) -> list[str]:
    regimes = found["regimes"]
    first = next(iter(regimes.values()))
    notes = [source_line({**found, "seeds": first["seeds"]})]
    if gate := gate_sentence(first["validity"]["gate"]):
        notes.append(gate)
    failing = {name: regime["validity"]["invalid"] for name, regime in regimes.items() if regime["validity"]["invalid"]}
    if not failing:
        notes.append("Every market passed it.")
    for name, invalid in failing.items():
        judged = regimes[name]["validity"]["judged"]
        notes.append(f"{name}: {len(invalid)} of {judged} markets failed it and are left out.")
    unequal = [
        f"{strategy} in {name} ({share(own['completion']['mean'])})"
        for name, regime in regimes.items()
        for strategy, own in regime["strategies"].items()
        if own["completion"]["mean"] is not None and own["completion"]["mean"] < COMPLETE
    ]
    runaways = [
        f"{strategy} in {name} ({own['runaways']})"
        for name, regime in regimes.items()
        for strategy, own in regime["strategies"].items()
        if own["runaways"]
    ]
    if runaways:
        notes.append(
            f"Orders at a mean price more than {RUNAWAY_BPS / 100:.0f} % from their arrival price, where an exchange"
            f" would have halted and a mean says little: {', '.join(runaways)}."
        )
    if unequal:
        notes.append(f"Unequal completion: not filled to the last tenth of a per cent: {', '.join(unequal)}.")
    return notes
