"""The summary of a comparison: every strategy with its costs, every strategy against the first, in plain JSON types."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypedDict

import pandas as pd

from analysis.schema import SCHEMA_VERSION
from analysis.schema import SIDES
from analysis.stats import ALPHA
from analysis.stats import POWER
from analysis.stats import correct_family
from analysis.stats import effect_for_n
from analysis.stats import estimate
from analysis.stats import estimate_sd_ratio
from analysis.stats import n_for_effect
from analysis.stats import per_seed
from analysis.tables import format_table as format_table
from analysis.tables import headline_sentence as headline_sentence

COSTS = ("shortfall_cents", "execution_cents", "drift_cents", "opportunity_cents", "delay_cents", "shortfall_bps")
OUTCOMES = ("completion", "finish_fraction", "left", "two_sided")
RISK = "shortfall_cents"
"""The cost whose standard deviation is held against the reference's, as `sd_ratio` of a pair."""
EFFECT_CENTS = 1.0
COMPLETION_TOLERANCE = 0.001
RUNAWAY_BPS = 1000.0
"""Distance of an order's mean price from its arrival price, basis points, at which an exchange would long have halted:
the bands of the US limit-up limit-down plan are 5 and 10 % for most of the day. Simulated markets have no bands."""
IDENTITY_TOLERANCE_CENTS = 1e-6

METHOD = {
    "unit": "per seed, the mean of the sides (buy and sell on one seed are antithetic)",
    "interval": "95 % Student t interval of the mean over seeds; for pairs, over differences on the same seeds",
    "test": "two-sided paired t test of a mean difference of zero",
    "multiple_comparisons": "Holm's step-down correction over the pairs (p_holm), for each measure by itself",
    "power": "seeds with which the paired t test sees a mean difference of 1 cent at 80 % power and alpha 0.05"
    " (n_for_1_cent), by the noncentral t distribution and the sd seen here",
    "risk": "sd_ratio: sd of the shortfall over seeds, multiple of the reference's on the same seeds; 95 % interval by"
    " the jackknife on its logarithm",
    "exclusion": "a seed without every side of a strategy (of both strategies, for a pair) is left out and counted;"
    " seeds whose do-nothing market failed the gate are left out of `strategies` and `paired`"
    " and kept in `with_invalid_seeds`",
    "costs": "cents per share of the parent order, positive is better; shortfall = execution + drift + opportunity;"
    " delay is a part of execution",
}


class Meta(TypedDict, total=False):
    """What a summary needs to know beside the tables.

    Attributes:
        experiment: Name of the experiment.
        strategies: Strategies in order, the first is the reference; by default as they first appear in the table.
        headline: The strategy of the result sentence; by default the last one listed.
        seeds: The seeds asked for, as text `A:B`; by default from the table.
        sides: The sides asked for; by default those in the table.
        commit: Git commit of the code that ran.
        gate: Thresholds that a do-nothing market must pass, by name of the value in the `validity` table.
        training_seeds: By strategy, the half-open ranges `[first, end)` of seeds that its policy was trained on.
        warnings: Further warnings, shown first.
    """

    experiment: str
    strategies: Sequence[str]
    headline: str
    seeds: str
    sides: Sequence[str]
    commit: str
    gate: Mapping[str, float]
    training_seeds: Mapping[str, Sequence[tuple[int, int]]]
    warnings: Sequence[str]


def pair_name(strategy: str, reference: str) -> str:
    """Return the key of a pair: `a-b` is a minus b, positive means that a is better."""
    return f"{strategy}-{reference}"


def summarise(
    episodes: pd.DataFrame, seeds_validity: pd.DataFrame | None = None, meta: Meta | None = None
) -> dict[str, Any]:
    """Summarise a comparison.

    Args:
        episodes: Rows of the `episodes` table.
        seeds_validity: Rows of the `validity` table; None if no market was judged. A seed that it lacks is invalid.
        meta: What is known beside the tables.

    Returns:
        The content of `summary.json`: finite numbers, text, lists and mappings only. A value that cannot be given is
        None, and `reason` beside it says why.

    Raises:
        ValueError: If an episode appears twice, or a listed strategy or side is unknown.
    """
    meta = meta or {}
    _check_once(episodes)
    rows = episodes.assign(shortfall_bps=episodes["shortfall_cents"] / (episodes["arrival_mid2"] / 2) * 1e4)
    strategies = list(meta.get("strategies", rows["strategy"].unique()))
    sides = [side for side in SIDES if side in set(meta.get("sides", rows["side"].unique()))]
    if not strategies:
        raise ValueError("nothing to summarise: no strategy is listed and there are no episodes")
    headline = meta.get("headline", strategies[-1])
    if headline not in strategies:
        raise ValueError(f"headline {headline!r} is not listed; allowed: {', '.join(strategies)}")
    all_seeds = sorted(int(seed) for seed in rows["seed"].unique())
    validity = _validity(all_seeds, seeds_validity, meta.get("gate", {}))
    invalid = set(map(int, validity["invalid"])) if validity else set()
    kept = rows[~rows["seed"].isin(invalid)]
    result: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "experiment": meta.get("experiment", ""),
        "commit": meta.get("commit", ""),
        "seeds": {
            "asked": meta.get("seeds", _seed_text(all_seeds)),
            "run": len(all_seeds),
            "used": len(all_seeds) - len(invalid),
        },
        "sides": sides,
        "reference": strategies[0],
        "headline": headline,
        **_tables(kept, strategies, sides),
        "with_invalid_seeds": _tables(rows, strategies, sides),
        "validity": validity,
        "method": dict(METHOD),
    }
    result["power"] = _power(result["paired"])
    result["warnings"] = [
        *meta.get("warnings", []),
        *_warnings(result, kept, all_seeds, meta.get("training_seeds", {})),
    ]
    return result


def _check_once(episodes: pd.DataFrame) -> None:
    twice = episodes[episodes.duplicated(["strategy", "seed", "side"])]
    if len(twice):
        strategy, seed, side = twice[["strategy", "seed", "side"]].iloc[0]
        raise ValueError(f"episodes: {strategy}, seed {seed}, {side} appears more than once")


def _seed_text(seeds: Sequence[int]) -> str:
    if not seeds:
        return ""
    consecutive = seeds[-1] - seeds[0] + 1 == len(seeds)
    return f"{seeds[0]}:{seeds[-1] + 1}" if consecutive else ",".join(str(seed) for seed in seeds)


def _validity(seeds: Sequence[int], table: pd.DataFrame | None, gate: Mapping[str, float]) -> dict[str, Any] | None:
    """Count the seeds that passed the gate and give the reasons of the others."""
    if table is None:
        return None
    judged = dict(
        zip(table["seed"].tolist(), zip(table["valid"].tolist(), table["reason"].tolist(), strict=True), strict=True)
    )
    reasons: dict[str, str] = {}
    for seed in seeds:
        valid, reason = judged.get(seed, (False, "not judged"))
        if not valid:
            reasons[str(seed)] = reason
    return {"judged": len(seeds), "valid": len(seeds) - len(reasons), "invalid": reasons, "gate": dict(gate)}


def _tables(rows: pd.DataFrame, strategies: Sequence[str], sides: Sequence[str]) -> dict[str, Any]:
    """Return `strategies` and `paired` of these episodes, with each side by itself where there are two."""
    result: dict[str, Any] = {"strategies": {}, "paired": {}}
    reference = strategies[0]
    for name in strategies:
        entry = _strategy(rows, name, sides)
        if len(sides) > 1:
            entry["sides"] = {side: _strategy(rows, name, [side]) for side in sides}
        result["strategies"][name] = entry
    for name in strategies[1:]:
        entry = _pair(rows, name, reference, sides)
        if len(sides) > 1:
            entry["sides"] = {side: _pair(rows, name, reference, [side]) for side in sides}
        result["paired"][pair_name(name, reference)] = entry
    for group in ([], *[["sides", side] for side in sides if len(sides) > 1]):
        _correct([_at(entry, group) for entry in result["paired"].values()])
    return result


def _at(entry: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    for key in path:
        entry = entry[key]
    return entry


def _correct(pairs: Sequence[dict[str, Any]]) -> None:
    """Add `p_holm` to one family of pairs."""
    for measure in COSTS:
        correct_family([entry[measure] for entry in pairs])


def _strategy(rows: pd.DataFrame, name: str, sides: Sequence[str]) -> dict[str, Any]:
    own = rows[rows["strategy"] == name]
    values = {measure: per_seed(own, name, sides, measure) for measure in (*COSTS, *OUTCOMES)}
    n = len(values["shortfall_cents"])
    entry: dict[str, Any] = {"n": n, "excluded": int(rows["seed"].nunique()) - n}
    orders = own[own["side"].isin(sides)]
    entry["incomplete"] = int((orders["completion"] < 1).sum())
    entry["runaways"] = int((orders["shortfall_bps"].abs() > RUNAWAY_BPS).sum())
    for measure, series in values.items():
        key = "left_shares" if measure == "left" else measure
        entry[key] = estimate(series.to_numpy()).as_dict()
    return entry


def _pair(rows: pd.DataFrame, name: str, reference: str, sides: Sequence[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for measure in COSTS:
        a = per_seed(rows, name, sides, measure)
        b = per_seed(rows, reference, sides, measure)
        seeds = a.index.intersection(b.index)
        difference = (a.loc[seeds] - b.loc[seeds]).to_numpy(dtype="float64")
        if not entry:
            entry = {"n": len(seeds), "excluded": int(rows["seed"].nunique()) - len(seeds)}
        found = estimate(difference)
        entry[measure] = found.as_dict(test=True)
        if measure.endswith("_cents"):
            entry[measure]["n_for_1_cent"] = n_for_effect(found.sd, EFFECT_CENTS)
        if measure == RISK:
            entry["sd_ratio"] = estimate_sd_ratio(a.loc[seeds], b.loc[seeds]).as_dict()
    return entry


def _power(paired: Mapping[str, Any]) -> dict[str, Any]:
    """Return what this run could have seen in the shortfall, and what seeing 1 cent would take."""
    pairs = {}
    for key, entry in paired.items():
        shortfall = entry["shortfall_cents"]
        pairs[key] = {
            "n": shortfall["n"],
            "n_for_1_cent": shortfall["n_for_1_cent"],
            "smallest_effect_cents": effect_for_n(shortfall["n"], shortfall["sd"]),
        }
    return {"effect_cents": EFFECT_CENTS, "power": POWER, "alpha": ALPHA, "pairs": pairs}


def _warnings(
    result: Mapping[str, Any],
    rows: pd.DataFrame,
    seeds: Sequence[int],
    training: Mapping[str, Sequence[tuple[int, int]]],
) -> list[str]:
    """Return what a reader must know before believing the table, one sentence each."""
    found = []
    validity = result["validity"]
    if validity and validity["invalid"]:
        reasons = pd.Series(list(validity["invalid"].values())).value_counts(sort=False)
        listed = "; ".join(f"{reason} ({count})" for reason, count in reasons.items())
        found.append(
            f"{len(validity['invalid'])} of {validity['judged']} seeds have an invalid do-nothing market and are left"
            f" out of the main table: {listed}."
        )
    if validity is None:
        found.append("No do-nothing market was judged: the table may hold seeds whose market was not usable.")
    found += unequal_completion(result).values()
    found += _without_fills(rows, result["strategies"])
    for name, entry in result["strategies"].items():
        if entry["runaways"]:
            found.append(
                f"{name}: {entry['runaways']} orders at a mean price more than {RUNAWAY_BPS / 100:.0f} % from their"
                " arrival price: the market ran away, where an exchange would have halted; means with them say little."
            )
        if entry["excluded"]:
            found.append(f"{name}: {entry['excluded']} seeds are left out because a side is missing.")
        missing = entry["n"] - entry["shortfall_cents"]["n"]
        if missing:
            found.append(f"{name}: {missing} seeds have a shortfall that is not a finite number and are left out.")
    for name, ranges in training.items():
        overlap = sum(any(first <= seed < end for first, end in ranges) for seed in seeds)
        if overlap:
            found.append(f"{name}: {overlap} of {len(seeds)} seeds overlap the seeds that its policy was trained on.")
    parts = rows["execution_cents"] + rows["drift_cents"] + rows["opportunity_cents"]
    broken = int(((rows["shortfall_cents"] - parts).abs() > IDENTITY_TOLERANCE_CENTS).sum())
    if broken:
        found.append(f"{broken} episodes have a shortfall that is not the sum of its parts.")
    return found


def _without_fills(rows: pd.DataFrame, strategies: Mapping[str, Any]) -> list[str]:
    """Say which strategies have episodes in which nothing was filled: what is measured at fills has no value there."""
    found = []
    for name in strategies:
        filled = rows.loc[rows["strategy"] == name, "filled"]
        empty = int((filled == 0).sum())
        if empty:
            found.append(
                f"{name}: no fill in {empty} of {len(filled)} episodes (episodes.parquet, column 'filled'): they count"
                " with the opportunity cost alone, and not at all in what is measured at fills."
            )
    return found


def unequal_completion(result: Mapping[str, Any]) -> dict[str, str]:
    """Return a sentence for every strategy that fills another part of its orders than the reference does.

    Args:
        result: As `summarise` returns it.
    """
    reference = result["reference"]
    base = result["strategies"][reference]["completion"]["mean"]
    found = {}
    for name, entry in result["strategies"].items():
        mean = entry["completion"]["mean"]
        if base is not None and mean is not None and abs(mean - base) > COMPLETION_TOLERANCE:
            found[name] = (
                f"Unequal completion: {name} fills {mean:.1%} of its orders, {reference} {base:.1%}; the shares left"
                " are charged at the mid at the end of the window, so compare their shortfall with care."
            )
    return found


def excluded_seeds(summary: Mapping[str, Any]) -> set[int]:
    """Return the seeds that the main table leaves out because their market was invalid."""
    validity = summary["validity"]
    return {int(seed) for seed in validity["invalid"]} if validity else set()
