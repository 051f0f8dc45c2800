"""What a configuration and a command line are written in: YAML, and ranges of seeds."""

from __future__ import annotations

import re
from typing import Any

import yaml


class ConfigError(ValueError):
    """A configuration or a command-line value that cannot be used; its text is one line that names the value."""


def parse_seeds(text: str) -> range:
    """Parse a half-open range of seeds.

    Args:
        text: `A:B` with integers 0 ≤ A < B; B is excluded.

    Returns:
        The seeds, in order.

    Raises:
        ConfigError: If the text is not such a range or the range is empty.
    """
    match = re.fullmatch(r"\s*(\d+)\s*:\s*(\d+)\s*", text)
    if match is None:
        raise ConfigError(f"seeds {text!r} is not a range: write A:B with integers 0 <= A < B (B is excluded)")
    first, end = int(match[1]), int(match[2])
    if first >= end:
        raise ConfigError(f"seeds {text!r} is empty: write A:B with A < B (B is excluded)")
    return range(first, end)


class _Loader(yaml.SafeLoader):
    """YAML without numbers to base 60 (`10:20:00` is a time of day, not 37 200), with `5e-5`, and each key once."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse a key that is given twice: one of its values would silently not count."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            if key.value in seen:
                problem = f"{key.value!r} is given twice, in line {seen[key.value]} too"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
            seen[key.value] = key.start_mark.line + 1
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:int"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$"), list("-+0123456789"))


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_yaml(text: str) -> Any:
    """Read YAML: plain data only, and times of day stay text.

    Raises:
        yaml.YAMLError: If the text is not YAML, or a mapping has a key twice.
    """
    return yaml.load(text, Loader=_Loader)
