"""The report of a run: one HTML file that needs nothing else, built from the run folder's records.

    python -m analysis.report RUN_FOLDER

builds it again. The same run folder gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment
from jinja2 import FileSystemLoader
from jinja2 import StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis import plots
from analysis import tables
from analysis.files import write_bytes
from analysis.records import RecordsError
from analysis.records import read_frame
from analysis.records import table_path
from analysis.schema import SCHEMA_VERSION
from analysis.schema import SchemaError
from analysis.summary import excluded_seeds

TEMPLATE = "report.html.j2"
NEEDED_TABLES = ("episodes", "orders", "fills", "market")
SHORT_MANIFEST_LINES = 40

CAPTIONS = {
    "shortfall": "Shortfall of every strategy and its difference from {reference}, one point a seed (mean of its"
    " sides); bars are 95 % Student t intervals of the mean.",
    "cost_against_time": "How the gain of the executed shares adds up over the window: left against the mid just before"
    " each fill, right against the arrival price. Mean over seeds, band: 95 % interval of that mean. Shares left at"
    " the end of the window are not in it.",
    "inventory": "Share of the parent order still to trade: mean over episodes; the band holds their middle 80 %.",
    "market": "One market as two strategies lived it (seed {seed}, {side}). The dashed line is the end of the"
    " window. Quotes and depth are thinned to at most"
    " {points} times a panel, trades and own fills are all there; own fills are larger where more shares traded."
    " The paths part from the first different order on.",
}

LIFE_CYCLE = ("status", "finished", "sessions")
"""What the manifest says of the process that is still at work when the report is written."""

METHOD_TERMS = {
    "unit": "Unit",
    "interval": "Interval",
    "test": "Test",
    "multiple_comparisons": "Several pairs",
    "power": "Power",
    "exclusion": "What is left out",
    "costs": "Costs",
}


class ReportError(ValueError):
    """A run folder from which no report can be built; its text is one line that names what is missing or wrong."""


@dataclass(frozen=True, slots=True)
class FigureBlock:
    """A figure as it stands in the report."""

    svg: Markup
    caption: str


def build_report(run_folder: Path | str) -> Path:
    """Build `report.html` and `figures/*.svg` of a run.

    Args:
        run_folder: Folder with `manifest.json`, `summary.json` and the record tables.

    Returns:
        The report.

    Raises:
        ReportError: If the folder, a file or a table is missing or cannot be read.
    """
    folder = Path(run_folder)
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such run folder")
    files = [folder / "manifest.json", folder / "summary.json", *(table_path(folder, name) for name in NEEDED_TABLES)]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise ReportError(f"{folder}: not a finished run folder, it lacks {', '.join(missing)}")
    manifest = _read_json(folder / "manifest.json")
    summary = _read_json(folder / "summary.json")
    version = summary.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ReportError(f"{folder / 'summary.json'}: schema version: expected {SCHEMA_VERSION}, found {version}")
    try:
        figures = _figures(folder, summary)
    except (RecordsError, SchemaError) as error:
        raise ReportError(f"{folder}: {error}") from error
    for name, (figure, _) in figures.items():
        plots.save(figure, folder / "figures" / f"{name}.svg")
    blocks = [FigureBlock(_inline(name, figure, caption), caption) for name, (figure, caption) in figures.items()]
    return write_bytes(folder / "report.html", render(summary, manifest, blocks).encode())


def render(summary: Mapping[str, Any], manifest: Mapping[str, Any], figures: Sequence[FigureBlock]) -> str:
    """Return the report as HTML.

    Args:
        summary: Content of `summary.json`.
        manifest: Content of `manifest.json`, shown but for what changes while the run ends.
        figures: The figures, in order.
    """
    # Everything that comes from a run is escaped; only our own SVG goes in as it is.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    key = f"{summary['headline']}-{summary['reference']}"
    meaning = tables.reading(summary, key) if key in summary["paired"] else ""
    text = json.dumps({key: manifest[key] for key in manifest if key not in LIFE_CYCLE}, indent=2, ensure_ascii=False)
    shown = [tables.strategy_table(summary["strategies"])]
    if summary["paired"]:
        shown.append(tables.pair_table(summary["paired"]))
    shown.append(tables.parts_table(summary["strategies"]))
    by_side = tables.side_table(summary)
    return environment.get_template(TEMPLATE).render(
        title=f"{summary['experiment'] or 'A run'}: {', '.join(summary['strategies'])}",
        facts=_facts(summary),
        headline=tables.headline_sentence(summary),
        meaning=f"Gain over arrival, positive is better. {meaning}".rstrip(),
        warnings=summary["warnings"],
        tables=[*shown, *([by_side] if by_side else [])],
        source=tables.source_line(summary),
        figures=figures,
        markets=_markets(summary),
        all_seed_tables=_all_seed_tables(summary),
        method=[(term, summary["method"][name]) for name, term in METHOD_TERMS.items() if name in summary["method"]],
        manifest=text,
        short_manifest=text.count("\n") < SHORT_MANIFEST_LINES,
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ReportError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ReportError(f"{path}: expected an object, found {type(value).__name__}")
    return value


def _figures(folder: Path, summary: Mapping[str, Any]) -> dict[str, tuple[Figure, str]]:
    """Draw the figures of the seeds that the main table uses, each with its caption; none without such a seed."""
    gated = excluded_seeds(summary)
    frames = {name: read_frame(folder, name) for name in ("episodes", "fills")}
    frames = {name: frame[~frame["seed"].isin(gated)] for name, frame in frames.items()}
    strategies = list(summary["strategies"])
    episodes = frames["episodes"]
    shown = list(dict.fromkeys([summary["reference"], summary["headline"]]))
    if len(shown) == 1 and len(strategies) > 1:
        shown.append(strategies[1])
    choice = _snapshot_episode(episodes, shown)
    if choice is None:
        return {}
    seed, side = choice
    frames["market"] = read_frame(
        folder, "market", filters=[("seed", "=", seed), ("side", "=", side), ("strategy", "in", shown)]
    )
    words = {"reference": summary["reference"], "seed": seed, "side": side, "points": plots.SNAPSHOT_POINTS}
    drawn = plots.all_figures(frames, strategies, shown, seed, side)
    return {name: (figure, CAPTIONS[name].format(**words)) for name, figure in drawn.items()}


def _snapshot_episode(episodes: pd.DataFrame, shown: Sequence[str]) -> tuple[int, str] | None:
    """Return the first seed and side that all the strategies shown have run."""
    some = episodes[episodes["strategy"].isin(list(shown))]
    counts = some.groupby(["seed", "side"])["strategy"].nunique()
    complete = counts.index[counts == len(shown)]
    return (int(complete[0][0]), str(complete[0][1])) if len(complete) else None


def _inline(name: str, figure: Figure, caption: str) -> Markup:
    """Return a figure as inline SVG: no XML header, no size of its own, ids that no other figure has, and a label."""
    text = plots.svg(figure)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
    head, rest = text.split(">", 1)
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    return Markup('{} role="img" aria-label="{}">{}').format(Markup(head), caption, Markup(rest))


def _facts(summary: Mapping[str, Any]) -> str:
    seeds = summary["seeds"]
    commit = f" · commit {summary['commit'][:12]}" if summary["commit"] else ""
    sides = " and ".join(summary["sides"])
    return f"seeds {seeds['asked']} · {seeds['used']} of {seeds['run']} used · {sides}{commit}"


def _markets(summary: Mapping[str, Any]) -> list[str]:
    validity = summary["validity"]
    if validity is None:
        return ["No do-nothing market was judged."]
    if not validity["invalid"]:
        return [f"All {validity['judged']} do-nothing markets passed the gate; the tables hold every seed."]
    listed = "; ".join(f"seed {seed}: {reason}" for seed, reason in validity["invalid"].items())
    return [
        f"{validity['valid']} of {validity['judged']} do-nothing markets passed the gate. Left out of the tables and"
        f" figures above: {listed}.",
        "The same tables with every seed, those included:",
    ]


def _all_seed_tables(summary: Mapping[str, Any]) -> list[tables.TextTable]:
    if not excluded_seeds(summary):
        return []
    every = summary["with_invalid_seeds"]
    shown = [tables.strategy_table(every["strategies"], "Every seed: gain over arrival, cents per share")]
    if every["paired"]:
        shown.append(tables.pair_table(every["paired"], "Every seed: paired differences, cents per share"))
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the report of a run folder; 0, or 2 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m analysis.report", description="Build a run's report again.")
    parser.add_argument("run_folder", type=Path, help="folder of the run, for example results/latest")
    try:
        print(build_report(parser.parse_args(arguments).run_folder))
    except ReportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
