"""Rebuild the numbers and figures of README and docs, and hold them against what is printed: `make reproduce`.

`docs/reproduce.yaml` names every run: its command, and the tables, sentences and figures that it stands behind. The
numbers themselves stand in the documents alone; they are read from there. On the same seeds they must be equal to the
printed digit, means of policies that are trained again must lie in the printed 95 % intervals, timings are never
checked.

A run that is finished for a commit is not run again; one that was interrupted resumes.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.files import read_json
from analysis.files import write_bytes
from analysis.printed import Passage
from analysis.printed import agrees
from analysis.printed import fill_in
from analysis.printed import find_table
from analysis.printed import interval
from analysis.printed import plain
from analysis.printed import row_name
from analysis.printed import same_figure
from analysis.printed import sentence_pattern
from analysis.printed import with_halves
from analysis.records import read_frame
from analysis.summary import Meta
from analysis.summary import excluded_seeds
from analysis.summary import summarise
from analysis.tables import TextTable
from analysis.tables import markdown
from configs import ConfigError
from experiments.console import run_command
from experiments.reproduce_registry import Registry
from experiments.reproduce_registry import Run
from experiments.reproduce_registry import SentenceCheck
from experiments.reproduce_registry import TableCheck
from experiments.reproduce_registry import load_registry
from experiments.reproduce_registry import page_text
from experiments.reproduce_registry import tables_not_compared
from experiments.reproduce_registry import text_not_compared
from experiments.run_folder import REPOSITORY
from experiments.run_folder import find_runs
from experiments.run_folder import git_state
from experiments.run_folder import read_manifest

FILE, FIGURE, OUT, TRAININGS = "$FILE", "$FIGURE", "$OUT", "$TRAININGS"
TRAIN = "experiments.train"
RESULTS = ("summary.json", "calibration.json", "explain.json", "frontier.json", "benchmarks.json")
"""What commands call the file of their numbers."""
SHOWN = 60
"""Characters of a passage that is not compared."""
AGREES, DIFFERS, MISSING = "agrees", "differs", "not found"


@dataclass(frozen=True, slots=True)
class Finding:
    """One printed text and what the run gave.

    Attributes:
        page: Document.
        place: Row and column, or the figure.
        printed: As printed.
        found: As found.
        verdict: `agrees`, `differs`, or `not found` where the page or the run lacks it.
    """

    page: str
    place: str
    printed: str
    found: str
    verdict: str


@dataclass
class Args:
    """Options of `experiments.reproduce`."""

    quick: bool = False
    """Only what takes minutes: under ten in all on two idle cores."""
    only: str | None = None
    """Names of runs of docs/reproduce.yaml, separated by commas; `tactical_trained` means `tactical_trained.0` and all
    the others."""
    workers: int = 2
    """Number of processes of each run."""
    out: Path = Path("results/reproduce")
    """Folder of all that is rebuilt."""


def main(args: Args) -> None:
    """Run what is not finished yet, compare, and write and print what agreed; status 1 if anything did not."""
    registry = load_registry()
    names = choose(registry, args)
    state = git_state()
    commit = str(state["commit"] or "no-commit")[:12]
    if state["dirty"]:
        print("warning: files differ from the commit; delete the results folder after changing code", flush=True)
    runs = [(name, registry.runs[name]) for name in names]
    minutes = sum(run.quick_minutes or run.minutes if args.quick else run.minutes for _, run in runs)
    print(f"{len(runs)} runs, about {minutes:.0f} minutes on two idle cores, in {args.out}", flush=True)
    found: dict[str, list[Finding]] = {}
    for number, (name, run) in enumerate(runs, 1):
        print(f"\n[{number}/{len(runs)}] {name}", flush=True)
        trainings = {training: registry.trainings[training] for training in run.trainings}
        made = make(name, run, args.out, commit, args.workers, trainings, quick=args.quick)
        found[name] = compare(run, made, quick=args.quick)
        copy_figures(run, made, args.out / "figures")
        agreed = sum(finding.verdict == AGREES for finding in found[name])
        verdict = f"{agreed} of {len(found[name])} agree" if found[name] else f"drawn again: {made}"
        print(f"[{number}/{len(runs)}] {name}: {verdict}", flush=True)
    text = report(registry, found, commit)
    write_bytes(args.out / "reproduce.md", text.encode())
    print(f"\n{text}\n{args.out / 'reproduce.md'}", flush=True)
    if any(finding.verdict != AGREES for findings in found.values() for finding in findings):
        raise SystemExit(1)


def choose(registry: Registry, args: Args) -> list[str]:
    """Return the names of the runs that the options ask for.

    Raises:
        ConfigError: If a name is unknown, or nothing is left.
    """
    asked = [name.strip() for name in args.only.split(",")] if args.only is not None else list(registry.runs)
    names: list[str] = []
    for one in asked:
        meant = [name for name in registry.runs if name == one or name.startswith(f"{one}.")]
        if not meant:
            raise ConfigError(f"unknown run {one!r}; allowed: {', '.join(registry.runs)}")
        names += [name for name in meant if name not in names]
    if args.quick:
        names = [name for name in names if registry.runs[name].quick is not None]
    if not names:
        raise ConfigError(f"nothing to run: of {args.only} there is no quick form")
    return names


def make(
    name: str,
    run: Run,
    out: Path,
    commit: str,
    workers: int,
    trainings: Mapping[str, str] | None = None,
    *,
    quick: bool,
) -> Path:
    """Make a run, its trainings first, unless it is finished, and return its run folder, or the file that it writes.

    Raises:
        SystemExit: If a command fails.
    """
    trained = [
        str(_make(f"{training}-{commit}", [TRAIN, *shlex.split(options)], out))
        for training, options in (trainings or {}).items()
    ]
    words = []
    for word in shlex.split(f"{run.command} {run.quick or ''}" if quick else run.command):
        found = [word.replace(TRAININGS, folder) for folder in trained] if TRAININGS in word else [word]
        words += [one.replace(OUT, str(out)) for one in found]
    if not {FILE, FIGURE} & set(words):
        words += ["--workers", str(workers)]
    return _make(f"{name}-{'quick-' if quick and run.quick else ''}{commit}", words, out)


def _make(run_id: str, words: Sequence[str], out: Path) -> Path:
    """Run a module with options, unless it is finished, and return its run folder, or the file that it writes."""
    written = {FILE: out / f"{run_id}.json", FIGURE: out / f"{run_id}.png"}
    file = next((path for word, path in written.items() if word in words), None)
    if file is not None:
        made = file if file.exists() else None
        words = [str(written.get(word, word)) for word in words]
    else:
        made = _finished(out, run_id)
        words = [*words, "--out", str(out), "--run-id", run_id]
    if made is not None:
        print(f"finished before: {made}", flush=True)
        return made
    out.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", *words]
    print(shlex.join(["python", *line[1:]]), flush=True)
    status = subprocess.run(line, cwd=REPOSITORY, check=False).returncode
    if status:
        print(f"error: {run_id}: the command failed with status {status}", file=sys.stderr)
        raise SystemExit(status)
    made = file if file is not None and file.exists() else _finished(out, run_id, dirty=True)
    assert made is not None, f"{run_id} ended without an error and without a result"
    return made


def _finished(out: Path, run_id: str, *, dirty: bool = False) -> Path | None:
    """Return the finished run folder of an id, if there is one; with `dirty`, of other code than the commit's too."""
    for path in reversed(find_runs(out, run_id)):
        manifest = read_manifest(path)
        if manifest is not None and manifest["status"] == "finished" and (dirty or not _dirty(manifest)):
            return path
    return None


def _dirty(manifest: Mapping[str, Any]) -> bool:
    """Whether a process that worked on a run had files that differ from the commit."""
    return any(session["dirty"] for session in manifest["sessions"])


def compare(run: Run, made: Path, *, quick: bool = False) -> list[Finding]:
    """Hold what a run gave against what the documents print.

    Args:
        run: The run.
        made: Its folder, or the JSON file that it wrote.
        quick: Whether rows, sentences and figures that the run does not have are left out.
    """
    if FIGURE in run.drawn:
        return []
    content = with_halves(read_json(_content(made)))
    findings: list[Finding] = []
    for table in run.tables:
        values = content if table.reference is None else _with_reference(made, content, table.reference)
        findings += _compare_table(table, made, values, quick)
    for sentence in run.sentences:
        findings += _compare_sentence(sentence, content, quick)
    for name, printed in run.figures.items():
        if not quick or run.quick == "":
            same = same_figure(REPOSITORY / printed, made / name)
            findings.append(Finding(printed, "figure", printed, name, AGREES if same else DIFFERS))
    return findings


def _content(made: Path) -> Path:
    if made.is_file():
        return made
    return next(path for name in RESULTS if (path := made / name).is_file())


def _with_reference(made: Path, content: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Return the summary of a comparison with another strategy as the reference of every pair."""
    others = [name for name in content["strategies"] if name != reference]
    meta: Meta = {"strategies": [reference, *others]}
    episodes = read_frame(made, "episodes")
    found = summarise(episodes[~episodes["seed"].isin(excluded_seeds(content))], None, meta)
    return dict(with_halves(found))


def _compare_table(check: TableCheck, made: Path, content: Mapping[str, Any], quick: bool) -> Iterator[Finding]:
    printed = find_table(page_text(check.page), check.header)
    if printed is None:
        yield Finding(check.page, check.header, "", "", MISSING)
        return
    source = find_table((made / check.file).read_text(encoding="utf-8"), check.header) if check.file else None
    known = {source.label(row, check.labels): row for row in source.rows} if source is not None else {}
    keys = {row_name(name): key for name, key in check.rows.items()}
    for row in printed.rows:
        label = printed.label(row, check.labels)
        if keys and label not in keys:
            continue
        for place, column in enumerate(printed.columns):
            if place < check.labels or not row[place] or not check.compares(column):
                continue
            if quick and plain(column) in check.whole:
                continue
            if check.retrained and interval(row[place]) is None:
                continue
            if check.file:
                found = known[label][place] if label in known else "–"
            else:
                found = fill_in(check.columns[plain(column)], content, keys.get(label, label))
            if found == "–" and quick:
                continue
            verdict = AGREES if agrees(row[place], found, retrained=check.retrained) else DIFFERS
            yield Finding(check.page, f"{label}, {plain(column)}", row[place], found, verdict)


def _compare_sentence(check: SentenceCheck, content: Mapping[str, Any], quick: bool) -> Iterator[Finding]:
    found = fill_in(check.text, content)
    if found == "–" and quick:
        return
    text = plain(page_text(check.page))
    match = re.search(sentence_pattern(check.text), text)
    short = f"“{plain(check.text.split('{')[0])[-50:]}…”"
    if match is None:
        yield Finding(check.page, short, "", "", MISSING)
        return
    printed = " ".join(match.groups())
    # Only the fields count: the words between them may hold numbers too.
    again = re.search(sentence_pattern(check.text), plain(found))
    given = " ".join(again.groups()) if again is not None else "–"
    verdict = AGREES if agrees(printed, given, retrained=check.retrained) else DIFFERS
    yield Finding(check.page, short, printed, given, verdict)


def copy_figures(run: Run, made: Path, folder: Path) -> None:
    """Put the run's figures beside each other, under the names that they have in the documents."""
    for name, printed in (run.figures | run.drawn).items():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made if name == FIGURE else made / name, folder / Path(printed).name)


def report(registry: Registry, found: Mapping[str, list[Finding]], commit: str) -> str:
    """Return as Markdown what agreed, what did not, and what is not compared, with the reasons."""
    rows = [
        (name, ", ".join(dict.fromkeys(one.page for one in findings)), str(len(findings)), str(_agreed(findings)))
        for name, findings in found.items()
    ]
    parts = [
        f"Commit {commit}.",
        markdown(TextTable("Compared", ("run", "pages", "compared", "agree"), tuple(rows))),
    ]
    wrong = [(name, one) for name, findings in found.items() for one in findings if one.verdict != AGREES]
    if wrong:
        cells = tuple((name, one.page, one.place, one.printed, one.found, one.verdict) for name, one in wrong)
        header = ("run", "page", "where", "printed", "found", "verdict")
        parts.append(markdown(TextTable("What does not agree", header, cells)))
    left = [(page, ", ".join(map(plain, table.columns)), why) for page, table, why in tables_not_compared(registry)]
    left += [(page, shown(passage), why) for page, passage, why in text_not_compared(registry)]
    drawn = [figure for run in registry.runs.values() for figure in run.drawn.values()]
    left += [(figure, "figure", "of policies trained again: drawn again, to be looked at") for figure in drawn]
    parts.append(markdown(TextTable("Not compared", ("page", "table or text", "why"), tuple(left))))
    parts.append("Of running text, numbers with decimals and percentages are looked for. Timings are never compared.")
    return "\n\n".join(parts) + "\n"


def _agreed(findings: list[Finding]) -> int:
    return sum(finding.verdict == AGREES for finding in findings)


def shown(passage: Passage) -> str:
    """Return how a passage begins, and its numbers."""
    words = passage.text[:SHOWN].rstrip()
    return f"{words}{'…' if len(passage.text) > SHOWN else ''} ({', '.join(passage.measured)})"


if __name__ == "__main__":
    run_command(main, Args, "python -m experiments.reproduce", "Rebuild the documents' numbers and compare.")
