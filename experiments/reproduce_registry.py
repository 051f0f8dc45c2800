"""What stands behind the numbers of README and docs: `docs/reproduce.yaml`, and what it does not cover."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from typing import Any

from pydantic import AfterValidator
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import ValidationError

from analysis.printed import Passage
from analysis.printed import Table
from analysis.printed import expand
from analysis.printed import interval
from analysis.printed import markdown_tables
from analysis.printed import passages
from analysis.printed import plain
from analysis.printed import row_name
from analysis.printed import sentence_pattern
from configs import ConfigError
from configs import parse_yaml
from experiments.run_folder import REPOSITORY

REGISTRY = REPOSITORY / "docs" / "reproduce.yaml"
EACH = "$each"
NO_REASON = "no entry in docs/reproduce.yaml"

Template = Annotated[str, AfterValidator(expand)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableCheck(_Entry):
    """A printed table, held against a run.

    Attributes:
        page: Document that it stands in.
        header: How its header begins, cells joined by ` | `.
        file: Markdown file of the run with the same table, its columns in the same order; or
        columns: Templates of the cells by column, filled in from the run's JSON, `$row` being the row's key
            (`analysis.printed.expand` has the short forms).
        only: With `file`, the columns to compare; by default all.
        reference: Strategy that paired differences are taken from, where it is not the first of the run.
        labels: Number of leading cells that name a row.
        rows: Key of each row by its name; by default the name itself. Rows that it lacks are not compared.
        whole: Columns that depend on all rows, left out where a quick run has only some.
        retrained: Whether a policy was trained again.
    """

    page: str
    header: str
    file: str | None = None
    columns: dict[str, Template] = {}
    only: tuple[str, ...] = ()
    reference: str | None = None
    labels: int = 1
    rows: dict[str, str] = {}
    whole: tuple[str, ...] = ()
    retrained: bool = False

    def compares(self, column: str) -> bool:
        """Whether a column is compared."""
        return plain(column) in self.columns if self.file is None else not self.only or plain(column) in self.only

    def covers(self, table: Table, row: tuple[str, ...], place: int) -> bool:
        """Whether a cell is compared: its column, its row, and of a policy trained again if it has an interval."""
        if self.rows and table.label(row, self.labels) not in map(row_name, self.rows):
            return False
        return self.compares(table.columns[place]) and (not self.retrained or interval(row[place]) is not None)


class SentenceCheck(_Entry):
    """A printed sentence, as a template whose fields are its numbers.

    Attributes:
        page: Document that it stands in.
        text: The template.
        retrained: Whether a policy was trained again; the numbers are then mean, low, high.
    """

    page: str
    text: Template
    retrained: bool = False


class Run(_Entry):
    """A run and what it stands behind.

    Attributes:
        command: Module and options. It makes a run folder, or writes the JSON file `$FILE`, or the figure `$FIGURE`;
            `$OUT` is the folder of everything, `$TRAININGS` the run folders of its trainings.
        trainings: Names of trainings of the registry that it needs.
        minutes: About how long it takes on two idle cores, its trainings included.
        quick: The options of a run for `--quick`, which gives some of the rows on the same seeds; none: left out.
        quick_minutes: About how long that takes, where it is not the same.
        tables: Tables.
        sentences: Sentences.
        figures: Figures of documents by the run's file.
        drawn: Figures of documents by the run's file, or `$FIGURE`, of policies that are trained again: another
            processor takes them elsewhere, so they are drawn again, to be looked at, and not compared.

    In the file `each` may list words that `$each` stands for: one run for each of them, named `NAME.WORD`.
    """

    command: str
    trainings: tuple[str, ...] = ()
    minutes: float
    quick: str | None = None
    quick_minutes: float | None = None
    tables: tuple[TableCheck, ...] = ()
    sentences: tuple[SentenceCheck, ...] = ()
    figures: dict[str, str] = {}
    drawn: dict[str, str] = {}


class LeftOut(_Entry):
    """What is printed and no run stands behind, and why: tables, or running text.

    Attributes:
        page: Document.
        header: How the table's header begins; by default all tables of the page that no run names.
        section: How the heading begins whose running text is meant, or
        text: how the paragraph or item itself begins.
        why: The reason.
    """

    page: str
    header: str = ""
    section: str | None = None
    text: str | None = None
    why: str

    def means_table(self, page: str, table: Table) -> bool:
        """Whether a table is meant."""
        is_table = self.section is None and self.text is None
        return is_table and self.page == page and table.header.startswith(self.header)

    def means_text(self, page: str, passage: Passage) -> bool:
        """Whether a passage is meant."""
        named = [
            given.startswith(wanted)
            for given, wanted in ((passage.section, self.section), (passage.text, self.text))
            if wanted is not None
        ]
        return self.page == page and bool(named) and all(named)


class Registry(_Entry):
    """The content of `docs/reproduce.yaml`.

    Attributes:
        trainings: Options of `experiments.train` by name. Each is trained once, whatever number of runs need it.
        runs: The runs by name.
        left_out: What no run stands behind.
    """

    trainings: dict[str, str] = {}
    runs: dict[str, Run]
    left_out: tuple[LeftOut, ...] = ()


def load_registry(path: Path = REGISTRY) -> Registry:
    """Read the registry.

    Raises:
        ConfigError: If an entry is not as declared; one line.
    """
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
        runs: dict[str, Any] = {}
        for name, run in content["runs"].items():
            words = run.get("each", ())
            runs |= {f"{name}.{word}": _put(run, str(word)) for word in words} if words else {name: run}
        registry = Registry.model_validate({**content, "runs": runs})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    for name, run in registry.runs.items():
        if unknown := set(run.trainings) - set(registry.trainings):
            allowed = ", ".join(registry.trainings)
            raise ConfigError(f"{path.name}: {name}: unknown training {min(unknown)!r}; allowed: {allowed}")
    return registry


def _put(value: Any, word: str) -> Any:
    """Return YAML values with `$each` replaced in every text and key."""
    if isinstance(value, dict):
        return {_put(key, word): _put(one, word) for key, one in value.items() if key != "each"}
    if isinstance(value, list):
        return [_put(one, word) for one in value]
    return value.replace(EACH, word) if isinstance(value, str) else value


def pages() -> list[str]:
    """Return README and docs, as paths from the repository's top."""
    found = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
    return [path.relative_to(REPOSITORY).as_posix() for path in found]


def tables_not_compared(registry: Registry) -> list[tuple[str, Table, str]]:
    """Return every table with numbers in README and docs, or columns of it, that no run stands behind, and why."""
    checks = [check for run in registry.runs.values() for check in run.tables]
    found = []
    for page in pages():
        for table in markdown_tables(page_text(page)):
            if not table.has_numbers:
                continue
            own = [check for check in checks if check.page == page and table.header.startswith(check.header)]
            why = next((one.why for one in registry.left_out if one.means_table(page, table)), NO_REASON)
            missing = [
                name
                for place, name in enumerate(table.columns)
                if place
                and not all(any(check.covers(table, row, place) for check in own) for row in table.rows if row[place])
            ]
            if not own:
                found.append((page, table, why))
            elif missing:
                found.append((page, table, f"only {', '.join(map(plain, missing))}: {why}"))
    return found


def text_not_compared(registry: Registry) -> list[tuple[str, Passage, str]]:
    """Return the running text of README and docs with numbers that no run stands behind, without the rest, and why."""
    found = []
    for page in pages():
        patterns = [
            sentence_pattern(check.text)
            for run in registry.runs.values()
            for check in run.sentences
            if check.page == page
        ]
        for passage in passages(page_text(page)):
            rest = passage.text
            for pattern in patterns:
                rest = re.sub(pattern, "", rest)
            left = Passage(passage.section, rest)
            if left.measured:
                why = next((one.why for one in registry.left_out if one.means_text(page, passage)), NO_REASON)
                found.append((page, left, why))
    return found


def page_text(page: str) -> str:
    """Return the text of a document."""
    return (REPOSITORY / page).read_text(encoding="utf-8")
