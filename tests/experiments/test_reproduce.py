"""`make reproduce` finds what it names on the pages, notices a wrong digit, and runs nothing twice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from analysis.files import read_json
from analysis.printed import Table
from analysis.printed import find_table
from analysis.printed import plain
from analysis.printed import row_name
from analysis.printed import sentence_pattern
from configs import ConfigError
from configs import load_experiment
from experiments import reproduce
from experiments import reproduce_registry
from experiments import run_folder
from experiments.console import parse_overrides
from experiments.reproduce import AGREES
from experiments.reproduce import DIFFERS
from experiments.reproduce import MISSING
from experiments.reproduce_registry import Registry
from experiments.reproduce_registry import Run
from experiments.reproduce_registry import load_registry
from experiments.run_folder import RunFolder
from experiments.run_folder import find_runs
from tests.analysis.test_report import make_run

REGISTRY = load_registry()
PAGE = """# A page

By **+1.16 cents a share, 95 % interval
0.68 to 1.64**, on markets.

| strategy | shortfall | sd |
|---|---|---|
| `a` | **−8.41** (−8.75 to −8.08) | 1 010 |
| b | −9.58 (−9.92 to −9.23) | 11.2 |
"""
RUN = Run.model_validate(
    {
        "command": "experiments.compare quick",
        "quick": "--strategies a",
        "minutes": 1,
        "tables": [
            {
                "page": "docs/page.md",
                "header": "strategy | shortfall",
                "columns": {
                    "shortfall": "{s[$row][mean]:.2f} ({s[$row][ci95][0]:.2f} to {s[$row][ci95][1]:.2f})",
                    "sd": "{s[$row][sd]:.0f}",
                },
                "rows": {"a": "a"},
                "whole": ["sd"],
            }
        ],
        "sentences": [
            {
                "page": "docs/page.md",
                "text": "By {p[mean]:.2f} cents a share, 95 % interval {p[ci95][0]:.2f} to {p[ci95][1]:.2f}, on",
            }
        ],
    }
)
FOUND = {"s": {"a": {"mean": -8.413, "sd": 1010.2, "ci95": [-8.75, -8.08]}}, "p": {"mean": 1.16, "ci95": [0.68, 1.64]}}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one page, in place of ours."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "README.md").write_text("# Nothing\n", encoding="utf-8")
    for module in (reproduce, reproduce_registry):
        monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    return tmp_path


def verdicts(house: Path, found: dict[str, Any], run: Run = RUN, *, quick: bool = False) -> list[str]:
    file = house / "run.json"
    file.write_text(json.dumps(found), encoding="utf-8")
    return [finding.verdict for finding in reproduce.compare(run, file, quick=quick)]


def changed(**values: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(FOUND))
    content["s"]["a"].update(values)
    return content


@pytest.mark.parametrize("name", REGISTRY.runs)
def test_all_that_the_registry_names_stands_on_the_pages(name: str) -> None:
    run = REGISTRY.runs[name]
    assert run.tables or run.sentences or run.drawn
    for check in run.tables:
        table = find_table(reproduce_registry.page_text(check.page), check.header)
        assert table is not None, f"{check.page} has no table {check.header!r}"
        columns = {plain(column) for column in table.columns}
        assert {*check.columns, *check.only, *check.whole} <= columns
        assert set(map(row_name, check.rows)) <= {table.label(row, check.labels) for row in table.rows}
        assert bool(check.columns) != bool(check.file)
    for sentence in run.sentences:
        page = plain(reproduce_registry.page_text(sentence.page))
        assert re.search(sentence_pattern(sentence.text), page), f"{sentence.page} does not say {sentence.text!r}"
    for figure in (*run.figures.values(), *run.drawn.values()):
        assert (reproduce.REPOSITORY / figure).is_file()


def test_every_number_has_a_run_or_a_reason_and_every_reason_is_needed() -> None:
    tables, text = reproduce_registry.tables_not_compared(REGISTRY), reproduce_registry.text_not_compared(REGISTRY)
    unexplained = [
        (page, one.header if isinstance(one, Table) else reproduce.shown(one))
        for page, one, why in (*tables, *text)
        if why.endswith(reproduce_registry.NO_REASON)
    ]
    assert unexplained == []
    passages = [(page, passage) for page, passage, _ in text]
    for reason in REGISTRY.left_out:
        needed = any(reason.means_table(page, table) for page, table, _ in tables)
        assert needed or any(reason.means_text(page, passage) for page, passage in passages), reason


def test_every_figure_of_the_pages_is_drawn_by_a_run() -> None:
    drawn = {figure for run in REGISTRY.runs.values() for figure in (*run.figures.values(), *run.drawn.values())}
    for page in reproduce_registry.pages():
        for target in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", reproduce_registry.page_text(page)):
            assert f"{Path(page).parent.as_posix()}/{target}" in drawn


def test_the_quick_form_is_under_ten_minutes_and_compares_printed_numbers() -> None:
    quick = [run for run in REGISTRY.runs.values() if run.quick is not None]
    assert sum(run.quick_minutes or run.minutes for run in quick) < 10
    assert len({check.page for run in quick for check in (*run.tables, *run.sentences)}) >= 4


def test_the_same_digits_agree_and_another_digit_does_not(house: Path) -> None:
    assert verdicts(house, FOUND) == [AGREES] * 3
    assert verdicts(house, changed(mean=-8.42)) == [DIFFERS, AGREES, AGREES]
    assert verdicts(house, changed(sd=1011)) == [AGREES, DIFFERS, AGREES]
    assert verdicts(house, FOUND | {"p": {"mean": 1.16, "ci95": [0.67, 1.64]}}) == [AGREES, AGREES, DIFFERS]


def test_what_the_run_or_the_page_lacks_is_not_taken_for_agreement(house: Path) -> None:
    assert verdicts(house, {"p": FOUND["p"]}) == [DIFFERS, DIFFERS, AGREES]
    (house / "docs" / "page.md").write_text("# Another page\n", encoding="utf-8")
    assert verdicts(house, FOUND) == [MISSING, MISSING]


def test_a_quick_run_is_held_against_what_it_has(house: Path) -> None:
    assert verdicts(house, {"s": FOUND["s"]}, quick=True) == [AGREES]


def test_a_policy_trained_again_may_differ_within_the_printed_interval(house: Path) -> None:
    table = RUN.tables[0].model_copy(update={"retrained": True})
    run = RUN.model_copy(update={"tables": (table,), "sentences": ()})
    assert verdicts(house, changed(mean=-8.2), run) == [AGREES]
    assert verdicts(house, changed(mean=-8.0), run) == [DIFFERS]


def test_differences_can_be_taken_from_another_strategy_than_the_runs_first(house: Path) -> None:
    folder = make_run(house / "run")
    other = read_json(folder / "summary.json")["paired"]["passive-twap"]["shortfall_cents"]["mean"]
    page = f"| against | mean |\n|---|---|\n| passive | {-other:.3f} |\n"
    (house / "docs" / "page.md").write_text(page, encoding="utf-8")
    column = {"mean": "{paired[twap-$row][shortfall_cents][mean]:.3f}"}
    check = {"page": "docs/page.md", "header": "against", "columns": column, "reference": "passive"}
    run = Run.model_validate({"command": "experiments.compare quick", "minutes": 1, "tables": [check]})
    assert [finding.verdict for finding in reproduce.compare(run, folder)] == [AGREES]
    run = run.model_copy(update={"tables": (run.tables[0].model_copy(update={"reference": None}),)})
    assert [finding.verdict for finding in reproduce.compare(run, folder)] == [DIFFERS]


@pytest.mark.parametrize(("found", "status"), [(FOUND, 0), (changed(mean=-8.0), 1)])
def test_the_command_ends_with_what_it_found(
    house: Path, monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], status: int
) -> None:
    file = house / "run.json"
    file.write_text(json.dumps(found), encoding="utf-8")
    monkeypatch.setattr(reproduce, "load_registry", lambda: Registry(runs={"mine": RUN}))
    monkeypatch.setattr(reproduce, "make", lambda *_, **__: file)
    with pytest.raises(SystemExit) if status else nullcontext() as ended:
        reproduce.main(reproduce.Args(out=house / "out"))
    assert ended is None or ended.value.code == status
    assert ("does not agree" in (house / "out" / "reproduce.md").read_text(encoding="utf-8")) == bool(status)


def test_a_finished_run_is_not_run_again(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[list[str]] = []

    def pretend(line: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        lines.append(line)
        Path(line[line.index("--json") + 1]).write_text(json.dumps(FOUND), encoding="utf-8")
        return subprocess.CompletedProcess(line, 0)

    monkeypatch.setattr(subprocess, "run", pretend)
    run = RUN.model_copy(update={"command": "benchmarks.switches --json $FILE", "quick": ""})
    for commit in ("abc", "abc", "def"):
        made = reproduce.make("switches", run, house / "out", commit, 1, quick=False)
        assert made == house / "out" / f"switches-{commit}.json"
    assert len(lines) == 2
    assert lines[0][1:3] == ["-m", "benchmarks.switches"]


def test_trainings_come_first_and_once(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"commit": "abc", "dirty": False}
    monkeypatch.setattr(run_folder, "git_state", lambda: state)
    lines: list[list[str]] = []
    run_really = subprocess.run

    def pretend(line: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if line[0] != sys.executable:  # git
            return run_really(line, **options)
        lines.append(line[2:])
        if line[2] == "experiments.train":
            given = line[line.index("--set") + 1 : line.index("--out")] if "--set" in line else []
            settings = parse_overrides(given)
            run_id = line[line.index("--run-id") + 1]
            with RunFolder.open(house / "out", "train", load_experiment(line[3], settings), run_id=run_id) as run:
                run.finish()
        else:
            Path(line[line.index("--json") + 1]).write_text(json.dumps(FOUND), encoding="utf-8")
        return subprocess.CompletedProcess(line, 0)

    monkeypatch.setattr(subprocess, "run", pretend)
    command = "experiments.validate $TRAININGS --policy $TRAININGS/policy.npz --json $FILE"
    run = RUN.model_copy(update={"command": command, "quick": ""})
    options = {f"paper_{seed}": f"paper --set training.seed={seed}" for seed in (0, 1)}
    for name, trainings in (("both", options), ("one", {"paper_1": options["paper_1"]})):
        reproduce.make(name, run, house / "out", "abc", 1, trainings, quick=False)
    assert [line[0].removeprefix("experiments.") for line in lines] == ["train", "train", "validate", "validate"]
    (first,), (second,) = (find_runs(house / "out", f"{name}-abc") for name in options)
    assert lines[2][1:3] == [str(first), str(second)]
    assert lines[3][1:4] == [str(second), "--policy", f"{second}/policy.npz"]
    # What was made by other code than the commit's is not taken for its.
    state["dirty"] = True
    made = [reproduce.make("dirty", run, house / "out", "abc", 1, {"own": "paper"}, quick=False) for _ in range(2)]
    assert [line[0] for line in lines[4:]] == ["experiments.train", "experiments.validate", "experiments.train"]
    assert made[0] == made[1]


def test_a_figure_of_trainings_is_drawn_again_and_not_compared(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[list[str]] = []

    def pretend(line: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        lines.append(line[2:])
        Path(line[line.index("--figure") + 1]).write_bytes(b"a picture")
        return subprocess.CompletedProcess(line, 0)

    monkeypatch.setattr(subprocess, "run", pretend)
    command = "experiments.curves --figure $FIGURE"
    run = Run.model_validate({"command": command, "minutes": 1, "drawn": {"$FIGURE": "docs/figures/curves.png"}})
    for _ in range(2):
        made = reproduce.make("curves", run, house / "out", "abc", 1, quick=False)
    assert lines == [["experiments.curves", "--figure", str(house / "out" / "curves-abc.png")]]
    assert reproduce.compare(run, made) == []
    reproduce.copy_figures(run, made, house / "figures")
    assert (house / "figures" / "curves.png").read_bytes() == b"a picture"
    text = reproduce.report(Registry(runs={"curves": run}), {"curves": []}, "abc")
    assert "| docs/figures/curves.png | figure | of policies trained again: drawn again, to be looked at |" in text


def test_an_unknown_training_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "reproduce.yaml"
    run = "{command: experiments.validate $TRAININGS, minutes: 1, trainings: [other]}"
    file.write_text(f"trainings: {{mine: paper}}\nruns: {{judged: {run}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"reproduce.yaml: judged: unknown training 'other'; allowed: mine"):
        load_registry(file)


def test_the_report_names_what_differs_and_what_nobody_compares(house: Path) -> None:
    registry = Registry(runs={"mine": RUN})
    page = house / "docs" / "page.md"
    page.write_text(PAGE + "\n| machine | speed |\n|---|---|\n| mine | 3.1 |\n", encoding="utf-8")
    file = house / "run.json"
    file.write_text(json.dumps(changed(sd=7)), encoding="utf-8")
    text = reproduce.report(registry, {"mine": reproduce.compare(RUN, file)}, "abc")
    assert "| mine | docs/page.md | 3 | 2 |" in text
    assert "| mine | docs/page.md | a, sd | 1 010 | 7 | differs |" in text
    assert "| docs/page.md | machine, speed | no entry in docs/reproduce.yaml |" in text


def test_cells_that_no_run_is_held_against_are_named(house: Path) -> None:
    def named(**changes: Any) -> list[str]:
        table = RUN.tables[0].model_copy(update=changes)
        run = RUN.model_copy(update={"tables": (table,)})
        return [why for _, _, why in reproduce_registry.tables_not_compared(Registry(runs={"mine": run}))]

    assert named(rows={}) == []
    # Of one row only; and of a policy trained again, only cells with an interval.
    assert named() == [f"only shortfall, sd: {reproduce_registry.NO_REASON}"]
    assert named(rows={}, retrained=True) == [f"only sd: {reproduce_registry.NO_REASON}"]


def test_running_text_needs_a_run_or_a_reason(house: Path) -> None:
    page = house / "docs" / "page.md"
    page.write_text(f"{PAGE}\n## Speed\n\nA run takes 0.2 s, twenty 3.1 s.\n\n- Kept: 61 % of it.\n", encoding="utf-8")
    registry = Registry(runs={"mine": RUN})
    found = reproduce_registry.text_not_compared(registry)
    assert [(passage.measured, why) for _, passage, why in found] == [
        (("0.2", "3.1"), reproduce_registry.NO_REASON),
        (("61 %",), reproduce_registry.NO_REASON),
    ]
    reasons = (
        {"page": "docs/page.md", "section": "Speed", "text": "- Kept", "why": "words"},
        {"page": "docs/other.md", "section": "Speed", "why": "another page"},
        {"page": "docs/page.md", "section": "Speed", "why": "timings"},
    )
    registry = Registry.model_validate({"runs": {"mine": RUN}, "left_out": reasons})
    assert [why for _, _, why in reproduce_registry.text_not_compared(registry)] == ["timings", "words"]
    text = reproduce.report(registry, {}, "abc")
    assert "| docs/page.md | A run takes 0.2 s, twenty 3.1 s. (0.2, 3.1) | timings |" in text


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"only": "nothing"}, "unknown run 'nothing'; allowed: realism, "),
        ({"only": "impact", "quick": True}, "of impact there is no quick form"),
    ],
)
def test_what_cannot_be_run_is_said(named: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        reproduce.choose(REGISTRY, reproduce.Args(**named))


def test_the_name_of_several_runs_means_them_all() -> None:
    chosen = reproduce.choose(REGISTRY, reproduce.Args(only="tactical_trained,impact,tactical_trained.2"))
    assert chosen[-1] == "impact"
    assert len(chosen) == len(set(chosen)) == 1 + sum(name.startswith("tactical_trained.") for name in REGISTRY.runs)
    assert reproduce.choose(REGISTRY, reproduce.Args(only="tactical_trained.2")) == ["tactical_trained.2"]


def test_a_wrong_registry_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "reproduce.yaml"
    file.write_text("runs: {mine: {command: experiments.compare quick, minute: 1}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"reproduce.yaml: runs.mine.minutes: Field required"):
        load_registry(file)
