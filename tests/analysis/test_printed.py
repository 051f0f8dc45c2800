"""Numbers as documents print them: the same digits agree, others do not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave

from analysis import printed

PAGE = """Text with | a bar.

| | Shortfall [95 %] | sd |
|---|---:|---|
| `twap` | **−8.41** [−8.75, −8.08] | 2 500 |
| high-low | +0.10 | |

| a | b |
|---|---|
| x | words |
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("**+1.16** (0.68 to 1.64)", ("1.16", "0.68", "1.64")),
        ("−8.41 [−8.75, −8.08]", ("-8.41", "-8.75", "-8.08")),
        ("52 034 shares, n = 4\u00a0000", ("52034", "4000")),
        ("−0.00 and +0.0", ("0.00", "0.0")),
        ("1 or 2 and 20", ("1", "2", "20")),
        ("no number", ()),
    ],
)
def test_numbers_are_read_as_printed(text: str, found: tuple[str, ...]) -> None:
    assert printed.numbers(text) == found


@pytest.mark.parametrize(
    ("there", "here", "same"),
    [
        ("−8.41 [−8.75, −8.08]", "-8.41 [-8.75, -8.08]", True),
        ("−8.41 [−8.75, −8.08]", "-8.41 [-8.75, -8.09]", False),
        ("+1.2", "1.2", True),
        ("1.2", "-1.2", False),
        ("11.8 (9.8 to 13.7)", "11.77 (9.83 to 13.71)", True),
        ("11.7 (9.8 to 13.7)", "11.77 (9.83 to 13.71)", False),
        ("1.20", "1.2", False),
        ("−0.10", "-0.10 [-0.40, 0.20]", True),
        ("−0.10 [−0.40, 0.20]", "-0.10", False),
        ("**fail**", "fail", True),
        ("pass", "fail", False),
        ("0.0", "-0.01", True),
        ("1.5", "–", False),
        ("< 0.001", "0.000003", True),
        ("< 0.001", "0.0012", False),
        ("< 0.001", "–", False),
        ("< 0.001", "< 0.001", True),
        ("0.001", "< 0.001", False),
        ("−4.8*", "-4.8*", True),
        ("−4.8*", "-4.8", False),
        ("+1.2", "+1.2*", False),
        ("**+1.16** (0.68 to 1.64)", "1.16 (0.68 to 1.64)", True),
    ],
)
def test_texts_agree_to_the_printed_digit(there: str, here: str, same: bool) -> None:
    assert printed.agrees(there, here) is same


@pytest.mark.parametrize(
    ("there", "here", "same"),
    [
        ("−7.79 ± 0.68", "-8.40 ± 0.10", True),
        ("−7.79 ± 0.68", "-8.48 ± 0.90", False),
        ("+1.95 (0.97 to 2.93)", "1.00 (0.20 to 1.80)", True),
        ("+1.95 (0.97 to 2.93)", "0.90 (0.20 to 1.80)", False),
        ("1.95", "1.95", False),
    ],
)
def test_a_policy_trained_again_agrees_within_the_printed_interval(there: str, here: str, same: bool) -> None:
    assert printed.agrees(there, here, retrained=True) is same


def test_tables_are_found_by_the_beginning_of_their_header() -> None:
    first, second = printed.markdown_tables(PAGE)
    assert printed.find_table(PAGE, " | Shortfall") == first
    assert printed.find_table(PAGE, "a | b") == second
    assert printed.find_table(PAGE, "b") is None
    assert first.columns == ("", "Shortfall [95 %]", "sd")
    assert [first.label(row) for row in first.rows] == ["twap", "high low"]
    assert first.rows[1] == ("high-low", "+0.10", "")
    assert (first.has_numbers, second.has_numbers) == (True, False)


def test_templates_are_filled_from_a_run_and_say_what_it_lacks() -> None:
    run = printed.with_halves(
        {"pairs": {"a-b": {"mean": -1.234, "ci95": [-2.0, 0.0]}, "c-b": {"mean": None, "ci95": None}}}
    )
    template = "{pairs[$row][mean]:.2f} ± {pairs[$row][half]:.1f}"
    assert printed.fill_in(template, run, "a-b") == "-1.23 ± 1.0"
    assert printed.fill_in(template, run, "c-b") == "–"
    assert printed.fill_in(template, run, "d-b") == "–"


def test_figures_are_the_same_pixel_by_pixel(tmp_path: Path) -> None:
    image = np.zeros((40, 50, 3))
    imsave(tmp_path / "a.png", image)
    imsave(tmp_path / "b.png", image)
    image[10:20, 10:20] = 1.0
    imsave(tmp_path / "c.png", image)
    imsave(tmp_path / "d.png", image[:30])
    assert printed.same_figure(tmp_path / "a.png", tmp_path / "b.png")
    assert not printed.same_figure(tmp_path / "a.png", tmp_path / "c.png")
    assert not printed.same_figure(tmp_path / "a.png", tmp_path / "d.png")


def test_short_forms_of_templates_are_written_out() -> None:
    pair = {"mean": 1.2345, "ci95": [0.5, 2.0], "half": 0.75}
    content = {"p": {"a-b": pair}, "kept": {"mean": 0.61, "ci95": [0.55, 0.67]}}
    cases = {
        "by {p[a-b]:.2f 95%} cents": "by 1.23 (0.50 to 2.00) cents",
        "{p[a-b]:.1f ±}": "1.2 ± 0.8",
        "{kept:.0% 95%}": "61% (55% to 67%)",
        "{p[a-b][mean]:.1f}, {kept[mean]:.2f}": "1.2, 0.61",
    }
    for template, expected in cases.items():
        assert printed.fill_in(printed.expand(template), content) == expected
        assert printed.expand(printed.expand(template)) == printed.expand(template)


def test_a_percentage_is_found_with_its_sign_and_without() -> None:
    pattern = printed.sentence_pattern(printed.expand("keeps {kept:.0% 95%} of its gain"))
    for text in ("keeps 61 % (55 to 67) of its gain", "keeps 61% (55% to 67%) of its gain"):
        match = re.search(pattern, text)
        assert match is not None
        assert match.groups() == ("61", "55", "67")


PROSE = """# A page

Ahead by **1.16** cents ([a page](other.md), 95 %: −0.68 to 1.64),
with `alpha=0.5` of arXiv 2411.06389.

| a | b |
|---|---|
| x | 7.5 |

## Results of `tactical`

- One item, 4.5 % of n = 4 000.
- Another, on seeds 1000000:1000200 and 5 s.

![A figure of 3.5](figure.png)

```
make it ARGS="--rate 2.5"
```
1. Numbered, 12.
"""


def test_running_text_is_read_by_passage() -> None:
    found = printed.passages(PROSE)
    assert [(passage.section, passage.measured) for passage in found] == [
        ("A page", ("1.16", "-0.68", "1.64")),
        ("Results of tactical", ("4.5 %",)),
        ("Results of tactical", ()),
        ("Results of tactical", ()),
    ]
    assert found[0].text.startswith("Ahead by 1.16 cents ([a page], 95 %: -0.68 to 1.64), with alpha=")
    assert found[-1].text == "1. Numbered, 12."
