"""The tables of a summary as text: for the terminal, Markdown and the report."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Literal

MISSING = "–"


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text cells; the first column is a name, the others are numbers.

    Attributes:
        title: What it shows.
        header: Name of each column.
        rows: Cells, as wide as the header.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def number(value: float | None, digits: int = 2, *, signed: bool = True) -> str:
    """Write a number with a true minus sign; None is a dash."""
    if value is None:
        return MISSING
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def share(value: float | None) -> str:
    """Write a share of one as a percentage."""
    return MISSING if value is None else f"{value:.1%}".replace("%", " %").replace("-", "−")


def with_interval(entry: Mapping[str, Any], digits: int = 2, *, signed: bool = True) -> str:
    """Write a mean with its 95 % interval."""
    mean = number(entry["mean"], digits, signed=signed)
    if entry["ci95"] is None:
        return mean
    low, high = (number(end, digits, signed=signed) for end in entry["ci95"])
    return f"{mean} [{low}, {high}]"


def probability(value: float | None) -> str:
    """Write a p value, three digits."""
    if value is None:
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def count(value: int | None) -> str:
    """Write a whole number, thousands apart."""
    return MISSING if value is None else f"{value:,}".replace(",", "\u00a0")


def pair_label(key: str) -> str:
    """Write the key of a pair as a difference; names hold no hyphen, so the first one parts them."""
    a, _, b = key.partition("-")
    return f"{a} − {b}"


def strategy_table(strategies: Mapping[str, Any], title: str = "Gain over arrival, cents per share") -> TextTable:
    """Return the costs and completion of every strategy."""
    header = (
        "strategy",
        "n",
        "completion",
        "shortfall [95 %]",
        "sd",
        "execution [95 %]",
        "drift",
        "opportunity",
        "finish",
    )
    rows = tuple(
        (
            name,
            count(entry["n"]),
            share(entry["completion"]["mean"]),
            with_interval(entry["shortfall_cents"]),
            number(entry["shortfall_cents"]["sd"], signed=False),
            with_interval(entry["execution_cents"]),
            number(entry["drift_cents"]["mean"]),
            number(entry["opportunity_cents"]["mean"]),
            number(entry["finish_fraction"]["mean"], signed=False),
        )
        for name, entry in strategies.items()
    )
    return TextTable(title, header, rows)


def pair_table(paired: Mapping[str, Any], title: str = "Paired differences, cents per share") -> TextTable:
    """Return the differences of every strategy from the reference."""
    header = (
        "difference",
        "n",
        "shortfall [95 %]",
        "sd",
        "p",
        "p (Holm)",
        "n for 1 cent",
        "execution [95 %]",
        "drift",
    )
    rows = tuple(
        (
            pair_label(key),
            count(entry["n"]),
            with_interval(entry["shortfall_cents"]),
            number(entry["shortfall_cents"]["sd"], signed=False),
            probability(entry["shortfall_cents"]["p"]),
            probability(entry["shortfall_cents"]["p_holm"]),
            count(entry["shortfall_cents"]["n_for_1_cent"]),
            with_interval(entry["execution_cents"]),
            number(entry["drift_cents"]["mean"]),
        )
        for key, entry in paired.items()
    )
    return TextTable(title, header, rows)


def parts_table(strategies: Mapping[str, Any]) -> TextTable:
    """Return the parts of every strategy's shortfall with their intervals, and the shortfall in basis points."""
    parts = {
        "execution [95 %]": "execution_cents",
        "of it delay [95 %]": "delay_cents",
        "drift [95 %]": "drift_cents",
        "opportunity [95 %]": "opportunity_cents",
        "shortfall, bp of arrival": "shortfall_bps",
    }
    rows = tuple((name, *(with_interval(entry[part]) for part in parts.values())) for name, entry in strategies.items())
    return TextTable("Parts of the shortfall, cents per share", ("strategy", *parts), rows)


GATE = {
    "two_sided": "two-sided at least {:.0%} of the window",
    "makers_alive": "at least {:g} market makers awake at its end",
    "volume": "volume of at least {:,g} shares",
    "discarded": "at most {:g} orders discarded silently",
}
"""What each threshold of the validity gate asks of a market."""


def gate_sentence(gate: Mapping[str, float]) -> str:
    """Say what a market must be like to count; empty if no thresholds are known."""
    if not gate:
        return ""
    asked = ", ".join(GATE[name].format(limit).replace(",", "\u00a0") for name, limit in gate.items())
    return f"The gate asks of each seed's do-nothing market: {asked}."


def examination_table(examination: Mapping[str, Any]) -> TextTable:
    """Return whether a policy is degenerate, check by check.

    Args:
        examination: `policy.examination` of a summary.
    """
    words = {True: "degenerate", False: "no", None: "does not apply"}
    rows = tuple((check["name"], check["found"], words[check["degenerate"]]) for check in examination["checks"])
    seeds = ", ".join(map(str, examination["seeds"]))
    title = f"Has it collapsed? Its greedy decisions in {examination['episodes']} episodes, seeds {seeds}"
    return TextTable(title, ("way to collapse", "seen", "verdict"), rows)


def examination_sentence(examination: Mapping[str, Any]) -> str:
    """Say whether a policy is degenerate, and in what."""
    verdicts = examination["degenerate"]
    return f"The policy is degenerate: {'; '.join(verdicts)}." if verdicts else "The policy is not degenerate."


def side_table(summary: Mapping[str, Any]) -> TextTable | None:
    """Return the shortfall of every strategy and pair by side; None if only one side was run."""
    sides = summary["sides"]
    if len(sides) < 2:
        return None
    entries = {**summary["strategies"], **{pair_label(key): entry for key, entry in summary["paired"].items()}}
    rows = tuple(
        (
            name,
            *(
                cell
                for side in sides
                for cell in (
                    count(entry["sides"][side]["n"]),
                    with_interval(entry["sides"][side]["shortfall_cents"]),
                    number(entry["sides"][side]["execution_cents"]["mean"]),
                )
            ),
        )
        for name, entry in entries.items()
    )
    header = ("", *(f"{side} {what}" for side in sides for what in ("n", "shortfall [95 %]", "execution")))
    return TextTable("By side, cents per share", header, rows)


def headline_sentence(summary: Mapping[str, Any], key: str | None = None) -> str:
    """Say the result of one pair in one sentence.

    Args:
        summary: As `analysis.summary.summarise` returns it.
        key: Key of the pair; by default the headline strategy against the reference.
    """
    paired = summary["paired"]
    if key is None:
        key = f"{summary['headline']}-{summary['reference']}"
        key = key if key in paired else next(iter(paired), None)
    if key is None:
        name = summary["reference"]
        entry = summary["strategies"][name]
        return f"{name}: {_measured(entry['shortfall_cents'], entry['n'])}."
    entry = paired[key]
    found = entry["shortfall_cents"]
    sentence = f"{pair_label(key)}: {_measured(found, entry['n'])}"
    if found["n_for_1_cent"] is not None:
        seeds = count(found["n_for_1_cent"])
        sentence += f"; a difference of 1 cent would take {seeds} seeds to be seen at 80 % power"
    return sentence + "." + _completion_caveat(summary, key)


def _completion_caveat(summary: Mapping[str, Any], key: str) -> str:
    """Say when the two of a pair did not fill the same part of their orders: the comparison is not a fair one then."""
    filled = {name: summary["strategies"][name]["completion"]["mean"] for name in key.split("-")}
    if None in filled.values() or len({share(mean) for mean in filled.values()}) == 1:
        return ""
    return " Unequal completion: " + ", ".join(f"{name} {share(mean)}" for name, mean in filled.items()) + "."


def reading(summary: Mapping[str, Any], key: str) -> str:
    """Say in plain words what one pair's interval allows to conclude about the shortfall."""
    found = summary["paired"][key]["shortfall_cents"]
    a, _, b = key.partition("-")
    if found["ci95"] is None:
        return f"{found['n']} seed{'' if found['n'] == 1 else 's'}: nothing can be said about {a} against {b}."
    low, high = found["ci95"]
    if low > 0 or high < 0:
        holm = found["p_holm"]
        pairs = len(summary["paired"])
        adjusted = "" if holm is None or pairs == 1 else f" Corrected for {pairs} pairs, p {_equals(holm)}."
        return f"The interval leaves out 0: {a} does {'better' if low > 0 else 'worse'} than {b} here.{adjusted}"
    smallest = summary["power"]["pairs"][key]["smallest_effect_cents"]
    power = f" They would see {smallest:.1f} cents or more at 80 % power." if smallest is not None else ""
    return f"The interval holds 0: these {found['n']} seeds do not tell {a} from {b}.{power}"


def _equals(p: float) -> str:
    text = probability(p)
    return text if text.startswith("<") else f"= {text}"


def _measured(found: Mapping[str, Any], n: int) -> str:
    if found["mean"] is None:
        return f"no result ({found['reason']})"
    text = f"{number(found['mean'])} cents per share"
    if found["ci95"] is not None:
        text += f", 95 % interval {number(found['ci95'][0])} to {number(found['ci95'][1])}"
    if found.get("p") is not None:
        text += f", p {_equals(found['p'])}"
    text += f", {n} seed{'' if n == 1 else 's'}"
    return text + (f" ({found['reason']})" if found.get("reason") else "")


def format_table(summary: Mapping[str, Any], style: Literal["plain", "markdown"] = "plain") -> str:
    """Write the tables of a summary as text, with n, seeds, commit, method and warnings.

    Args:
        summary: As `analysis.summary.summarise` returns it.
        style: `plain` for a terminal, `markdown` for a README.
    """
    tables = [strategy_table(summary["strategies"])]
    if summary["paired"]:
        tables.append(pair_table(summary["paired"]))
    render = markdown if style == "markdown" else plain
    blocks = [headline_sentence(summary), *(render(table) for table in tables), source_line(summary)]
    blocks += [f"Warning: {warning}" for warning in summary["warnings"]]
    return "\n\n".join(blocks) + "\n"


def source_line(summary: Mapping[str, Any]) -> str:
    """Say where the numbers come from: experiment, seeds, sides, commit and method, in a line."""
    seeds = summary["seeds"]
    parts = [
        f"{summary['experiment']}: " if summary["experiment"] else "",
        f"seeds {seeds['asked']} ({seeds['used']} of {seeds['run']} used), {' and '.join(summary['sides'])}",
        f", commit {summary['commit'][:12]}" if summary["commit"] else "",
        ". Positive is better; 95 % Student t intervals over seeds, pairs over per-seed differences.",
    ]
    return "".join(parts)


def plain(table: TextTable) -> str:
    """Write a table for a terminal."""
    lines = [table.header, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]

    def write(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    rule = "  ".join("─" * width for width in widths)
    return "\n".join([table.title, write(table.header), rule, *(write(row) for row in table.rows)])


def markdown(table: TextTable) -> str:
    """Write a table as Markdown."""
    lines = [
        f"| {' | '.join(table.header)} |",
        f"|---|{'---:|' * (len(table.header) - 1)}",
        *(f"| {' | '.join(row)} |" for row in table.rows),
    ]
    return f"**{table.title}**\n\n" + "\n".join(lines)
