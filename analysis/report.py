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
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis import plots
from analysis import tables
from analysis.costs import costs_by_role
from analysis.files import read_json
from analysis.files import write_bytes
from analysis.files import write_json
from analysis.pages import template
from analysis.records import RecordsError
from analysis.records import read_frame
from analysis.records import table_path
from analysis.schema import SCHEMA_VERSION
from analysis.summary import excluded_seeds
from analysis.summary import pair_name
from analysis.summary import unequal_completion
from analysis.tca import comparison_tables
from analysis.tca import episode_metrics
from analysis.tca import metrics_table
from analysis.tca import summarise_metrics

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
    "markouts": "What the price did after a fill: the mid 1, 10, 60 and 300 s later against the price paid, mean over"
    " seeds with 95 % intervals. From a minute on the order's own further trading is in it.",
}

PAGE_CAPTION = (
    "How the gain of the shares that {name} executed adds up over the window, beside the reference: left against the"
    " mid just before each fill, right against the arrival price. Mean over seeds, band: 95 % interval of that mean."
)

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


class ReportError(RecordsError):
    """A run folder from which no report can be built; its text is one line that names what is missing or wrong."""


@dataclass(frozen=True, slots=True)
class FigureBlock:
    """A figure as it stands in the report."""

    svg: Markup
    caption: str


@dataclass(frozen=True, slots=True)
class Page:
    """What the report says of one strategy.

    Attributes:
        name: The strategy.
        facts: n, seeds, sides, completion, commit.
        sentences: Its result, in words.
        tables: Its tables.
        figures: Its figures.
    """

    name: str
    facts: str
    sentences: tuple[str, ...]
    tables: tuple[tables.TextTable, ...]
    figures: tuple[FigureBlock, ...]


def build_report(run_folder: Path | str) -> Path:
    """Build `report.html`, `tca.json` and `figures/*.svg` of a run.

    Args:
        run_folder: Folder with `manifest.json`, `summary.json` and the record tables.

    Returns:
        The report.

    Raises:
        ReportError: If the folder or a file is missing or cannot be read.
        RecordsError: If a record table cannot be read or contradicts another one.
    """
    folder = Path(run_folder)
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such run folder")
    files = [folder / "manifest.json", folder / "summary.json", *(table_path(folder, name) for name in NEEDED_TABLES)]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise ReportError(f"{folder}: not a finished run folder, it lacks {', '.join(missing)}")
    try:
        manifest, summary = (read_json(folder / name) for name in ("manifest.json", "summary.json"))
    except ValueError as error:
        raise ReportError(str(error)) from error
    version = summary.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ReportError(f"{folder / 'summary.json'}: schema version: expected {SCHEMA_VERSION}, found {version}")
    found = _analyse(folder, summary)
    gated = excluded_seeds(summary)
    frames = {name: read_frame(folder, name) for name in ("episodes", "fills")}
    frames = {name: frame[~frame["seed"].isin(gated)] for name, frame in frames.items()}
    figures = _figures(folder, summary, frames, found)
    blocks = []
    for name, (figure, caption) in figures.items():
        text = plots.svg(figure)
        write_bytes(folder / "figures" / f"{name}.svg", text.encode())
        blocks.append(FigureBlock(_inline(name, text, caption), caption))
    pages = [_page(name, summary, frames, found) for name in summary["strategies"]]
    write_json(folder / "tca.json", found)
    return write_bytes(folder / "report.html", render(summary, manifest, found, blocks, pages).encode())


def render(
    summary: Mapping[str, Any],
    manifest: Mapping[str, Any],
    found: Mapping[str, Any],
    figures: Sequence[FigureBlock],
    pages: Sequence[Page],
) -> str:
    """Return the report as HTML.

    Args:
        summary: Content of `summary.json`.
        manifest: Content of `manifest.json`, shown but for what changes while the run ends.
        found: Content of `tca.json`.
        figures: The figures of the comparison, in order.
        pages: A page a strategy, in order.
    """
    key = pair_name(summary["headline"], summary["reference"])
    meaning = tables.reading(summary, key) if key in summary["paired"] else ""
    text = json.dumps({key: manifest[key] for key in manifest if key not in LIFE_CYCLE}, indent=2, ensure_ascii=False)
    shown = [tables.strategy_table(summary["strategies"])]
    if summary["paired"]:
        shown.append(tables.pair_table(summary["paired"]))
    shown.append(tables.parts_table(summary["strategies"]))
    by_side = tables.side_table(summary)
    # Everything that comes from a run is escaped; only our own SVG goes in as it is.
    return template(TEMPLATE).render(
        title=f"{summary['experiment'] or 'A run'}: {', '.join(summary['strategies'])}",
        facts=_facts(summary),
        headline=tables.headline_sentence(summary),
        meaning=f"Gain over arrival, positive is better. {meaning}".rstrip(),
        warnings=summary["warnings"],
        tables=[*shown, *([by_side] if by_side else [])],
        cost_tables=comparison_tables(found),
        source=tables.source_line(summary),
        figures=figures,
        markets=_markets(summary),
        invalid=_invalid_table(summary),
        all_seed_tables=_all_seed_tables(summary, found),
        pages=pages,
        method=[(term, summary["method"][name]) for name, term in METHOD_TERMS.items() if name in summary["method"]],
        manifest=text,
        short_manifest=text.count("\n") < SHORT_MANIFEST_LINES,
    )


def _analyse(folder: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the transaction-cost analysis, without the seeds that the gate leaves out and with them."""
    strategies, sides = list(summary["strategies"]), summary["sides"]
    metrics = episode_metrics(folder, strategies)
    kept = metrics[~metrics["seed"].isin(excluded_seeds(summary))]
    return {
        "schema_version": SCHEMA_VERSION,
        "commit": summary["commit"],
        "seeds": summary["seeds"],
        **summarise_metrics(kept, strategies, sides),
        "with_invalid_seeds": summarise_metrics(metrics, strategies, sides),
    }


def _figures(
    folder: Path, summary: Mapping[str, Any], frames: Mapping[str, pd.DataFrame], found: Mapping[str, Any]
) -> dict[str, tuple[Figure, str]]:
    """Draw the figures of the seeds that the main table uses, each with its caption; none without such a seed."""
    strategies = list(summary["strategies"])
    shown = list(dict.fromkeys([summary["reference"], summary["headline"]]))
    if len(shown) == 1 and len(strategies) > 1:
        shown.append(strategies[1])
    choice = _snapshot_episode(frames["episodes"], shown)
    if choice is None:
        return {}
    seed, side = choice
    market = read_frame(folder, "market", filters=[("seed", "=", seed), ("side", "=", side), ("strategy", "in", shown)])
    words = {"reference": summary["reference"], "seed": seed, "side": side, "points": plots.SNAPSHOT_POINTS}
    drawn = plots.all_figures({**frames, "market": market}, strategies, shown, seed, side)
    drawn["markouts"] = plots.markouts(found, strategies)
    return {name: (figure, CAPTIONS[name].format(**words)) for name, figure in drawn.items()}


def _page(name: str, summary: Mapping[str, Any], frames: Mapping[str, pd.DataFrame], found: Mapping[str, Any]) -> Page:
    """Put together what the records say of one strategy."""
    reference = summary["reference"]
    own = summary["strategies"][name]
    sentences = []
    key = pair_name(name, reference)
    if key in summary["paired"]:
        sentences += [tables.headline_sentence(summary, key), tables.reading(summary, key)]
    unequal = unequal_completion(summary)
    if name in unequal:
        sentences.append(unequal[name])
    facts = (
        f"n = {own['n']} · {_facts(summary)} · completion {tables.share(own['completion']['mean'])}"
        f" · its market two-sided {tables.share(own['two_sided']['mean'])} of the window"
    )
    two = list(dict.fromkeys([reference, name]))
    some = {kind: frame[frame["strategy"].isin(two)] for kind, frame in frames.items()}
    fills = frames["fills"][frames["fills"]["strategy"] == name]
    shown = [metrics_table(found, name, reference)]
    if len(fills):
        shown.append(_role_table(costs_by_role(fills, frames["episodes"])))
    figures = []
    if len(fills):
        caption = PAGE_CAPTION.format(name=name)
        figure = plots.cost_against_time(some["episodes"], some["fills"], two)
        figures.append(FigureBlock(_inline(f"cost-{name}", plots.svg(figure), caption), caption))
    return Page(name, facts, tuple(sentences), tuple(shown), tuple(figures))


def _role_table(roles: pd.DataFrame) -> tables.TextTable:
    rows = tuple(
        (role, tables.share(share), tables.number(execution), tables.number(traded))
        for (_, role), (share, execution, traded) in zip(roles.index, roles.to_numpy(), strict=True)
    )
    header = ("fills", "of the shares", "execution", "execution + drift")
    return tables.TextTable("Resting and taking fills, cents per share filled that way", header, rows)


def _snapshot_episode(episodes: pd.DataFrame, shown: Sequence[str]) -> tuple[int, str] | None:
    """Return the first seed and side that all the strategies shown have run."""
    some = episodes[episodes["strategy"].isin(list(shown))]
    counts = some.groupby(["seed", "side"])["strategy"].nunique()
    complete = counts.index[counts == len(shown)]
    return (int(complete[0][0]), str(complete[0][1])) if len(complete) else None


def _inline(name: str, text: str, caption: str) -> Markup:
    """Make a figure's SVG inline: no XML header, no size of its own, ids that no other figure has, and a label."""
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
    gate = [sentence] if (sentence := tables.gate_sentence(validity["gate"])) else []
    if not validity["invalid"]:
        return [*gate, f"All {validity['judged']} do-nothing markets passed the gate; the tables hold every seed."]
    return [
        *gate,
        f"{validity['valid']} of {validity['judged']} do-nothing markets passed the gate. The others are left out of"
        " everything above, and the same tables with every seed, those included, follow.",
    ]


def _invalid_table(summary: Mapping[str, Any]) -> tables.TextTable | None:
    """Name the markets that failed the gate, and why; None if there is none."""
    invalid = summary["validity"]["invalid"] if summary["validity"] else {}
    if not invalid:
        return None
    return tables.TextTable("Markets that failed the gate", ("seed", "reason"), tuple(invalid.items()))


def _all_seed_tables(summary: Mapping[str, Any], found: Mapping[str, Any]) -> list[tables.TextTable]:
    if not excluded_seeds(summary):
        return []
    every = summary["with_invalid_seeds"]
    shown = [tables.strategy_table(every["strategies"], "Every seed: gain over arrival, cents per share")]
    if every["paired"]:
        shown.append(tables.pair_table(every["paired"], "Every seed: paired differences, cents per share"))
    costs = comparison_tables(found["with_invalid_seeds"])
    return [*shown, *(tables.TextTable(f"Every seed: {one.title}", one.header, one.rows) for one in costs)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the report of a run folder; 0, or 2 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m analysis.report", description="Build a run's report again.")
    parser.add_argument("run_folder", type=Path, help="folder of the run, for example results/latest")
    try:
        print(build_report(parser.parse_args(arguments).run_folder))
    except RecordsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
