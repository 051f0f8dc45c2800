from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from abides_core.options import OptionError
from abides_core.options import given_options
from abides_core.options import options_of
from abides_core.options import takes_any
from abides_core.options import unknown_option


@dataclass(frozen=True)
class Repairs:
    one: bool = False
    two: bool = False


def typed(
    text: str = "a",
    either: str | int = "10:00:00",
    whole: int = 1,
    number: float = 0,
    flag: bool = True,
    maybe: int | None = None,
    maybe_text: str | None = None,
    items: list[int] | None = None,
    repairs: Repairs = Repairs(),
) -> None:
    """Do nothing.

    Args:
        text: Some text
            on two lines.
        whole: A number.

    Returns:
        text: not an argument.
    """


def untyped(text="a", whole=1, number=0.5, flag=False, anything=None, required=None):
    pass


def value(function: Callable[..., Any], name: str, text: str | None) -> Any:
    return options_of(function)[name].value(text)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("text", "20210205", "20210205"),
        ("either", "36000", "36000"),
        ("whole", "12", 12),
        ("whole", "-3", -3),
        ("whole", "1_000", 1000),
        ("whole", "12e5", 1_200_000),
        ("number", "1e-3", 0.001),
        ("number", "2", 2.0),
        ("flag", "False", False),
        ("flag", "true", True),
        ("flag", "0", False),
        ("flag", None, True),
        ("maybe", "None", None),
        ("maybe", "5", 5),
        ("maybe_text", "none", None),
        ("maybe_text", "x", "x"),
        ("items", "[1, 2]", [1, 2]),
        ("repairs", "{'two': True}", Repairs(two=True)),
    ],
)
def test_texts_become_values_of_the_annotated_type(name: str, text: str | None, expected: Any) -> None:
    converted = value(typed, name, text)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("text", "20210205", "20210205"),
        ("whole", "3", 3),
        ("whole", "0.5", 0.5),  # a default of 1 does not say that halves are wrong
        ("number", "3", 3),
        ("flag", "true", True),
        ("anything", "3", 3),
        ("anything", "10:00:00", "10:00:00"),
        ("anything", "None", None),
        ("anything", None, True),
    ],
)
def test_without_annotations_the_default_says_the_type(name: str, text: str | None, expected: Any) -> None:
    assert value(untyped, name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("whole", "x", "--whole must be a whole number, got 'x'"),
        ("whole", "1.5", "--whole must be a whole number, got '1.5'"),
        ("whole", "true", "--whole must be a whole number, got 'true'"),
        ("whole", "nan", "--whole must be a whole number, got 'nan'"),
        ("number", "10:00", "--number must be a number, got '10:00'"),
        ("flag", "yes", "--flag must be true or false, got 'yes'"),
        ("flag", "2", "--flag must be true or false, got '2'"),
        ("maybe", "x", "--maybe must be a whole number or none, got 'x'"),
        ("text", None, "--text needs a value: text"),
        ("whole", None, "--whole needs a value: a whole number"),
        ("repairs", "all", "--repairs must be a dict such as \"{'one': ...}\", got 'all'"),
        ("repairs", "{'three': True}", "--repairs has no 'three'; allowed: one, two"),
    ],
)
def test_what_is_of_another_type_is_refused(name: str, text: str | None, error: str) -> None:
    with pytest.raises(OptionError) as caught:
        value(typed, name, text)
    assert str(caught.value) == error


def test_what_the_docstring_says() -> None:
    options = options_of(typed)
    assert options["text"].help == "Some text on two lines."
    assert options["whole"].help == "A number."
    assert options["number"].help == ""


def test_an_annotation_that_cannot_be_evaluated_does_no_harm() -> None:
    def odd(whole: NoSuchType = 3) -> None:  # noqa: F821  # type: ignore[name-defined]
        pass

    assert value(odd, "whole", "4") == 4


def test_options_on_the_command_line() -> None:
    given = given_options(["--a", "1", "--flag", "--b=x=y", "--end-time", "-00:30:00"])
    assert given == {"a": "1", "flag": None, "b": "x=y", "end_time": "-00:30:00"}
    with pytest.raises(OptionError, match="'5' belongs to no option: write --name 5"):
        given_options(["5"])
    with pytest.raises(OptionError, match="'6' belongs to no option"):
        given_options(["--a", "5", "6"])
    with pytest.raises(OptionError, match="--a is given twice"):
        given_options(["--a", "5", "--a=6"])


def test_an_unknown_option_is_told_what_there_is() -> None:
    assert str(unknown_option("sed", ["seed", "date"], "x")) == (
        "x has no option --sed (do you mean --seed?); allowed: seed, date"
    )
    assert str(unknown_option("zzz", [], "x")) == "x has no option --zzz; allowed: none"


def test_arguments_of_any_name() -> None:
    assert takes_any(lambda a, **rest: None)
    assert not takes_any(lambda a, *rest: None)
    assert list(options_of(lambda a, *rest, b=1, **more: None)) == ["a", "b"]
