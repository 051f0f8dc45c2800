"""Numbers as they are printed in the documents, and whether what a run gave agrees with them.

Two texts agree if their numbers are the same to the printed digit, in the same order (a printed mean without its
interval is held against the mean alone); a plus sign, bold type, the kind of minus sign and the gap between thousands
do not count. For a policy that was trained again the first number, a mean, must lie in the printed 95 % interval: that
is the equivalence margin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
from matplotlib.image import imread

ROW = "$row"
SAME_PIXELS = 0.001
"""Share of pixels up to which two figures are the same: a font may be drawn a shade otherwise."""
_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_WITH_INTERVAL, _WITH_HALF = (re.compile(rf"{{([^{{}}:]+):(\.\d+[f%]) {sign}}}") for sign in ("95%", "±"))
_MEASURED = re.compile(r"(?<![\w.,:/§-])[+-]?(?:\d+\.\d+(?!\w|\.\d|\s?%)|\d+(?:\.\d+)?\s?%)")
"""A number that looks measured: it has decimals, or is a percentage."""
_NOT_TEXT = re.compile(r"^```.*?^```|^\|.*?$|^!\[.*?$|<!--.*?-->|(?<=\])\([^)\s]*\)", re.MULTILINE | re.DOTALL)
"""Listings, tables, figures, remarks, the targets of links."""
_IN_CODE = re.compile(r"`[^`\n]*`")
_SAID_OTHERWISE = re.compile(r"95\s?%|(?:arXiv|Python)\s[\d.]+")
"""The level of all intervals, and what has decimals and is a name."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a Markdown document.

    Attributes:
        header: Its header, cells joined by ` | `.
        columns: Names of its columns.
        rows: Its rows, as wide as the header.
    """

    header: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def label(self, row: tuple[str, ...], labels: int = 1) -> str:
        """Return the name of a row: its first cells."""
        return row_name(" | ".join(row[:labels]))

    @property
    def has_numbers(self) -> bool:
        """Whether a cell beyond the first column begins with a number."""
        return any(re.match(rf"<?{_NUMBER}", plain(cell)) for row in self.rows for cell in row[1:])


def plain(text: str) -> str:
    """Return a text without its type: bold, code, wrapped lines, true minus signs, gaps between thousands."""
    text = " ".join(re.sub(r"[*`]", "", text).replace("−", "-").split())
    return re.sub(r"(?<=\d) (?=\d{3}(?!\d))", "", text)


def row_name(text: str) -> str:
    """Return a row's name as it is looked up: plain, hyphens within words as spaces."""
    return re.sub(r"(?<=\w)-(?=\w)", " ", plain(text))


def numbers(text: str) -> tuple[str, ...]:
    """Return the numbers of a text, digit for digit; zero has no sign."""
    found = (number.removeprefix("+") for number in re.findall(_NUMBER, plain(text)))
    return tuple(number.lstrip("-") if float(number) == 0 else number for number in found)


def agrees(printed: str, found: str, *, retrained: bool = False) -> bool:
    """Whether a printed text and one from a run say the same.

    Args:
        printed: `7.9`, `7.9 (7.1 to 8.7)`, `7.9 ± 0.8`, `< 0.001`, or words.
        found: The same from the run.
        retrained: Whether the first number found need only lie in the printed interval.
    """
    asked, got = numbers(printed), numbers(found)
    if not asked:
        return plain(printed) == plain(found)
    if _starred(printed) != _starred(found):
        return False
    below, found_below = (plain(text).startswith("<") for text in (printed, found))
    if found_below:
        return below and asked == got
    if below:
        return bool(got) and float(got[0]) < float(asked[0])
    if not retrained:
        got = got[: len(asked)]
        return asked == tuple(_rounded(number, like) for number, like in zip(got, asked, strict=False))
    bounds = interval(printed)
    return bounds is not None and bool(got) and bounds[0] <= float(got[0]) <= bounds[1]


def _starred(text: str) -> bool:
    """Whether a number carries the star of a significant one."""
    return re.search(r"\d\\?\*(?!\*)\s*$", text) is not None and not text.strip().startswith("*")


def _rounded(number: str, like: str) -> str:
    """Return a number with as many decimals as another one, if it has more."""
    decimals = len(like.partition(".")[2])
    return numbers(f"{float(number):.{decimals}f}")[0] if len(number.partition(".")[2]) > decimals else number


def interval(printed: str) -> tuple[float, float] | None:
    """Return the interval of `mean ± half` or of `mean (low to high)`; None if a text has none."""
    values = [float(number) for number in numbers(printed)]
    if "±" in printed and len(values) >= 2:
        return values[0] - values[1], values[0] + values[1]
    return (values[1], values[2]) if len(values) >= 3 else None


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph, or an item of a list, of a Markdown document.

    Attributes:
        section: The last heading before it.
        text: Its text, plain, without tables, figures, the targets of links and decimals in code.
    """

    section: str
    text: str

    @property
    def measured(self) -> tuple[str, ...]:
        """The numbers that look measured: those with decimals, and percentages."""
        return tuple(_MEASURED.findall(_SAID_OTHERWISE.sub("", self.text)))


def passages(text: str) -> list[Passage]:
    """Return the running text of a Markdown document."""
    found, section = [], ""
    text = _IN_CODE.sub(lambda code: re.sub(r"\d+\.\d+", "#", code[0]), _NOT_TEXT.sub("", text))
    for part in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.)\s)|(?<=\n)(?=#)", text):
        if heading := re.match(r"#+ (.*)", part):
            section = plain(heading[1])
            part = part[heading.end() :]
        if shown := plain(part):
            found.append(Passage(section, shown))
    return found


def markdown_tables(text: str) -> list[Table]:
    """Return the tables of a Markdown document."""
    found, block = [], list[tuple[str, ...]]()
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            block.append(tuple(cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")))
        elif block:
            if len(block) > 2:
                found.append(Table(" | ".join(block[0]), block[0], tuple(block[2:])))
            block = []
    return found


def find_table(text: str, header: str) -> Table | None:
    """Return the first table whose header begins so; None if there is none."""
    return next((table for table in markdown_tables(text) if table.header.startswith(header)), None)


def expand(template: str) -> str:
    """Write out the short forms of a template.

    `{pair[shortfall_cents]:.2f 95%}` stands for the mean with its interval, `{…:.2f ±}` for the mean with half of it.
    """
    mean = r"{\1[mean]:\2}"
    template = re.sub(_WITH_INTERVAL, rf"{mean} ({{\1[ci95][0]:\2}} to {{\1[ci95][1]:\2}})", template)
    return re.sub(_WITH_HALF, rf"{mean} ± {{\1[half]:\2}}", template)


def fill_in(template: str, content: Mapping[str, Any], row: str = "") -> str:
    """Return a template such as `{strategies[$row][sd]:.1f}` with the values of a run; a dash for a value it lacks."""
    try:
        return template.replace(ROW, row).format(**content)
    except (KeyError, IndexError, TypeError, ValueError):
        return "–"


def sentence_pattern(template: str) -> str:
    """Return the regular expression of a plain sentence whose fields are numbers."""
    parts = []
    for literal, field, spec, _ in Formatter().parse(template):
        parts.append(re.escape(re.sub(r"[*`]", "", literal).replace("−", "-")).replace(r"\ ", r"\s"))
        if field is not None:
            # Of "61 % (55 to 67)" each number is filled in with its sign.
            parts.append(rf"({_NUMBER})(?:\s?%)?" if (spec or "").endswith("%") else f"({_NUMBER})")
    return "".join(parts)


def with_halves(value: Any) -> Any:
    """Return JSON values in which every mapping with `ci95` has its half width as `half` too."""
    if isinstance(value, list):
        return [with_halves(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: with_halves(one) for key, one in value.items()}
    if isinstance(found.get("ci95"), list) and None not in found["ci95"]:
        low, high = found["ci95"]
        found["half"] = (high - low) / 2
    return found


def same_figure(printed: Path, found: Path) -> bool:
    """Whether two PNG files show the same."""
    a, b = imread(printed), imread(found)
    return a.shape == b.shape and float((np.abs(a - b).max(axis=-1) > 0.02).mean()) <= SAME_PIXELS
