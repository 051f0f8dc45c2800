"""Parameters of a function as options of a command line: their texts become values of the parameters' types."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import re
import types
import typing
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

PLAIN = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    types.NoneType: "none",
}
WORDS = {"true": True, "false": False, "none": None}


class OptionError(ValueError):
    """A command line that cannot be understood; one line says why."""


@dataclasses.dataclass(frozen=True)
class Option:
    """One parameter of a function.

    Attributes:
        name: Its name.
        default: Its default, or `inspect.Parameter.empty`.
        kinds: The plain types that it takes, or nothing if it takes something else.
        help: What the function's docstring says of it.
    """

    name: str
    default: Any
    kinds: tuple[type, ...]
    help: str

    def value(self, text: str | None) -> Any:
        """Return the value that a text stands for; `None` is an option without one, a flag.

        Raises:
            OptionError: If the text is not of the parameter's type.
        """
        if text is None:
            if self.kinds and bool not in self.kinds:
                raise OptionError(f"--{self.name} needs a value: {self._allowed()}")
            return True
        if not self.kinds:
            return self._other(text)
        if types.NoneType in self.kinds and text.lower() == "none":
            return None
        if str in self.kinds:
            return text
        value = _literal(text)
        if bool in self.kinds and value in (0, 1):
            return bool(value)
        if not isinstance(value, bool) and isinstance(value, int | float):
            if int in self.kinds and value == int(value):
                return int(value)
            if float in self.kinds:
                return float(value)
        raise OptionError(f"--{self.name} must be {self._allowed()}, got {text!r}")

    def _allowed(self) -> str:
        return " or ".join(name for kind, name in PLAIN.items() if kind in self.kinds)

    def _other(self, text: str) -> Any:
        """Return a literal, else the text itself; for a dataclass, the default with the fields of a dict changed."""
        value = _literal(text)
        if not dataclasses.is_dataclass(self.default) or isinstance(self.default, type):
            return value
        fields = [field.name for field in dataclasses.fields(self.default)]
        if not isinstance(value, dict):
            example = f"{{'{fields[0]}': ...}}"
            raise OptionError(f'--{self.name} must be a dict such as "{example}", got {text!r}')
        for name in value:
            if name not in fields:
                raise OptionError(f"--{self.name} has no {name!r}; allowed: {', '.join(fields)}")
        return dataclasses.replace(self.default, **value)


def options_of(function: Callable[..., Any]) -> dict[str, Option]:
    """Return the parameters of a function that can be given by name, as options."""
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # an annotation that cannot be evaluated says nothing, and is no reason to stop
        hints = {}
    documented = _documented(inspect.getdoc(function) or "")
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: Option(name, parameter.default, _kinds(hints.get(name), parameter.default), documented.get(name, ""))
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in named
    }


def takes_any(function: Callable[..., Any]) -> bool:
    """Return whether a function takes arguments of any name."""
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(function).parameters.values())


def given_options(arguments: list[str]) -> dict[str, str | None]:
    """Return the options on a command line: `--name value`, `--name=value`, or a flag `--name`.

    Raises:
        OptionError: If a value belongs to no option, or an option is given twice.
    """
    given: dict[str, str | None] = {}
    name: str | None = None
    for argument in arguments:
        if argument.startswith("--") and len(argument) > 2:
            key, equals, text = argument[2:].partition("=")
            name = key.replace("-", "_")
            if name in given:
                raise OptionError(f"--{name} is given twice")
            given[name] = text if equals else None
            name = None if equals else name
        elif name is None:
            raise OptionError(f"{argument!r} belongs to no option: write --name {argument}")
        else:
            given[name] = argument
            name = None
    return given


def unknown_option(name: str, allowed: Iterable[str], whose: str) -> OptionError:
    """Return the error for an option that there is not, with those that there are."""
    names = list(allowed)
    near = difflib.get_close_matches(name, names, n=1)
    guess = f" (do you mean --{near[0]}?)" if near else ""
    return OptionError(f"{whose} has no option --{name}{guess}; allowed: {', '.join(names) or 'none'}")


def _kinds(hint: Any, default: Any) -> tuple[type, ...]:
    if hint is None:
        if isinstance(default, bool | str):
            return (type(default),)
        return (int, float) if isinstance(default, int | float) else ()
    parts = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    return tuple(parts) if all(part in PLAIN for part in parts) else ()


def _literal(text: str) -> Any:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _documented(docstring: str) -> dict[str, str]:
    """Return what the section on arguments of a Google docstring says, by name."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", docstring, flags=re.MULTILINE)
    found: dict[str, str] = {}
    name = None
    for line in section[1].splitlines() if section is not None else ():
        entry = re.match(r"    (\w+)(?: \(.*?\))?: (.*)", line)
        if entry is not None:
            name = entry[1]
            found[name] = entry[2].strip()
        elif name is not None and line.strip():
            found[name] += f" {line.strip()}"
    return found
