"""The gate before a result that is measured market by market: which of the markets may count.

A comparison judges its markets with its units (`experiments.evaluation`); what measures one thing a seed does it here,
by the same thresholds, `comparison.validity` of the experiment.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from configs import ConfigError
from configs import Experiment
from experiments.episode import run_do_nothing
from experiments.per_seed import measure_each

Found = Sequence[dict[str, Any]]


def judge_each(
    experiment: Experiment, seeds: Sequence[int], folder: Path, workers: int = 1, *, progress: bool = False
) -> dict[str, Any]:
    """Judge the do-nothing market of every seed.

    Args:
        experiment: Names market, window and thresholds.
        seeds: Seeds of the markets.
        folder: Each seed's verdict is kept in its `validity/`.
        workers: Number of processes.
        progress: Whether to show how far it is.

    Returns:
        `judged` and `valid` (numbers of seeds), `invalid` (reason by seed, as text) and `gate` (the thresholds), as
        `validity` of a comparison's summary.

    Raises:
        ConfigError: If fewer than two passed: before anything else is measured.
    """
    judge = partial(run_do_nothing, experiment)
    judged = measure_each(judge, seeds, folder / "validity", workers, progress=progress, doing="judging")
    invalid = {str(one["seed"]): one["reason"] for one in judged if not one["valid"]}
    valid = len(judged) - len(invalid)
    if invalid and valid < 2:
        seed, reason = next(iter(invalid.items()))
        raise ConfigError(
            f"{valid} of {len(judged)} markets passed the gate, and an interval needs two"
            f" (seed {seed}: {reason}): change the market or its thresholds, comparison.validity"
        )
    gate = experiment.comparison.validity.model_dump()
    return {"judged": len(judged), "valid": valid, "invalid": invalid, "gate": gate}


def passed(found: Found, seeds: Sequence[int], validity: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the measurements of the seeds whose markets passed."""
    return [one for seed, one in zip(seeds, found, strict=True) if str(seed) not in validity["invalid"]]


def summarise_passed(
    summarise: Callable[[list[dict[str, Any]]], dict[str, Any]],
    found: Found,
    seeds: Sequence[int],
    validity: Mapping[str, Any],
) -> dict[str, Any]:
    """Summarise the seeds whose markets passed and, where some failed, every seed too.

    Returns:
        What `summarise` returns of those that passed, with their number `n`, `validity`, and `with_invalid_seeds`:
        the same of every seed, or None if all passed.
    """
    kept = passed(found, seeds, validity)
    every = {"n": len(found), **summarise(list(found))} if len(kept) < len(found) else None
    return {"n": len(kept), **summarise(kept), "validity": validity, "with_invalid_seeds": every}


def with_and_without(table: Callable[[Mapping[str, Any]], str], summary: Mapping[str, Any]) -> str:
    """Return the table of the markets that passed and, where some failed, the same table with every seed below it."""
    every = summary["with_invalid_seeds"]
    if every is None:
        return table(summary)
    title = f"With the markets that failed the gate, n = {every['n']}:"
    return f"{table(summary)}\n\n{title}\n\n{table({**summary, **every})}"
