"""What the documents say is what the code does."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

from agents.features import FEATURES
from agents.reward import Reward
from analysis.printed import numbers
from envs import MarketSimulator
from envs import OptimalExecEnv
from experiments.compare import evaluate_all_strategies

ROOT = Path(__file__).resolve().parents[1]


def between(text: str, begin: str, end: str) -> str:
    """The part of a text between two marks."""
    return text.split(begin, 1)[1].split(end, 1)[0]


def test_the_agent_in_the_readme_runs_and_is_short(tmp_path: Path) -> None:
    code = between((ROOT / "README.md").read_text(encoding="utf-8"), "```python\n", "```")
    assert len([line for line in code.splitlines() if line.strip() and not line.startswith(("from ", "import "))]) <= 30
    script = tmp_path / "custom_agent.py"
    script.write_text(code.replace("1_000_004", "1_000_002"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = dict(re.findall(r"(\w+_cents): ([+-][\d.]+)", done.stdout))
    assert set(found) == {"shortfall_cents", "execution_cents"}
    assert float(found["execution_cents"]) > 0, "a resting order saves part of the spread"


def test_the_gym_example_runs_and_sells_its_order(tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(between((ROOT / "docs" / "abides_gym.md").read_text(encoding="utf-8"), "```python\n", "```"))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"sold 50 of 50, reward of the last step -?\d+\.\d{3}\n", done.stdout)


def test_every_feature_is_documented_with_its_formula_and_range() -> None:
    table = between(
        (ROOT / "docs" / "environment.md").read_text(encoding="utf-8"), "checked by a test -->", "<!-- end -->"
    )
    rows = [f"| `{name}` | {f.formula} | [{f.low:g}, {f.high:g}] |" for name, f in FEATURES.items()]
    assert table.strip().splitlines()[2:] == rows


def test_every_link_between_documents_leads_somewhere() -> None:
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        named = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
        named_in_code = re.findall(r"`(docs/[\w-]+\.md)`", text)
        for target in named:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
        for target in named_in_code:
            assert (ROOT / target).exists(), f"{document.name} names {target}"


def test_every_name_that_the_guide_links_to_is_there() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    named = re.findall(r"\[`([\w.]+)`\]\(\.\./([\w/]+)\.py\)", guide)
    assert len(named) > 15
    for name, file in named:
        found = importlib.import_module(file.replace("/", "."))
        for part in name.split("."):
            found = getattr(found, part)


def test_every_number_of_the_guide_stands_on_the_page_beside_it() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    checked = 0
    for paragraph in re.split(r"\n\n|\n- ", guide):
        pages = re.findall(r"\]\(((?:\.\./)?\w+\.md)\)", paragraph)
        text = "\n".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in pages)
        known = {number.lstrip("-") for number in numbers(text)}
        # A difference may be named from its other side: the sign is in the words.
        prose = re.sub(r"\]\([^)]*\)|`[^`]*`|arXiv [\d.]+|equation \d+", "", paragraph)
        told = {number.lstrip("-") for number in numbers(prose) if "." in number}
        assert told <= known, f"not on {', '.join(pages) or 'any page'}: {', '.join(sorted(told - known))}"
        checked += len(told)
    assert checked > 40


def test_the_three_places_are_where_the_guide_says_to_look() -> None:
    opening = inspect.getsource(OptimalExecEnv.__init__)
    assert "self.observation_space = " in opening
    assert "self.action_space = " in opening
    assert "implementation_shortfall - impact_penalty" in inspect.getsource(OptimalExecEnv.step)
    assert "return implementation_shortfall - impact_penalty" in inspect.getsource(Reward.of_step)
    assert inspect.signature(MarketSimulator.execute_trade).parameters.keys() == {"self", "quantity", "side"}
    assert list(inspect.signature(evaluate_all_strategies).parameters)[:3] == ["experiment", "strategies", "seeds"]
