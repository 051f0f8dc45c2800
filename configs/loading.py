"""Reading experiments: a YAML file, with values from a command line in it, becomes a model, or an error of one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic import ValidationError

from configs.models import CONFIG_DIR
from configs.models import Experiment
from configs.models import LotActions
from configs.models import ParticipationActions
from configs.models import PlacementActions
from configs.models import SeedRanges
from configs.models import StrategyConfig
from configs.parsing import ConfigError
from configs.parsing import parse_yaml


def _read_yaml(path: Path) -> Any:
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(sorted(p.stem for p in CONFIG_DIR.glob("*.yaml") if p.stem != "seeds"))
        raise ConfigError(f"no configuration {str(path)!r}: give a YAML file or one of {known}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error


_ACTIONS: dict[Any, type[BaseModel]] = {
    model.model_fields["kind"].default: model for model in (LotActions, ParticipationActions, PlacementActions)
}


def _first_error(path: Path | str, error: ValidationError, model: type[BaseModel]) -> ConfigError:
    errors = error.errors(include_url=False)
    # A misspelt key explains a missing one better than the other way round.
    first = next((found for found in errors if found["type"] == "extra_forbidden"), errors[0])
    location = first["loc"]
    if location[:1] == ("actions",):  # without the kind, which is no key of its own
        location = ("actions", *location[2:])
    where = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        allowed = _allowed_keys(model, first["loc"][:-1])
        return ConfigError(f"{path}: unknown key {where!r}; allowed: {', '.join(allowed)}")
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        got = f", got {first['input'].get('kind')!r}" if isinstance(first["input"], dict) else ""
        return ConfigError(f"{path}: {where}.kind: must be one of {', '.join(_ACTIONS)}{got}")
    message = first["msg"].removeprefix("Value error, ")
    value = first.get("input")
    # Errors of our own name the value themselves.
    got = "" if first["type"] == "value_error" or isinstance(value, dict | BaseModel) else f", got {value!r}"
    return ConfigError(": ".join(filter(None, (str(path), where, f"{message}{got}"))))


def _allowed_keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Names of the fields of the model at `location` inside `model`."""
    if location[:1] == ("actions",):
        return sorted(_ACTIONS[location[1]].model_fields)
    for part in location:
        field = model.model_fields.get(part)
        annotation = field.annotation if field is not None else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
        elif part == "strategies":
            model = StrategyConfig
    return sorted(model.model_fields)


def load_experiment(config: str | Path, overrides: dict[str, Any] | None = None) -> Experiment:
    """Read an experiment.

    Args:
        config: A YAML file, or the bare name of one in `configs/` (for example `quick`).
        overrides: Values that replace the file's, by dotted path (`{"training.steps": 1000}`).

    Returns:
        The experiment, resolved.

    Raises:
        ConfigError: One line that names the file, the key, the value and what is allowed.
    """
    path = Path(config)
    if path.suffix not in (".yaml", ".yml"):
        path = CONFIG_DIR / f"{config}.yaml"
    data = _read_yaml(path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: an experiment is a mapping of keys, got {type(data).__name__}")
    for dotted, value in (overrides or {}).items():
        target = data
        *parents, last = dotted.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise ConfigError(f"{path}: cannot set {dotted!r}: {parent!r} is {target!r}, not a mapping of keys")
        target[last] = value
    return experiment_from(data, path)


def experiment_from(data: dict[str, Any], source: Path | str = "experiment") -> Experiment:
    """Build an experiment from a mapping; see `load_experiment` for errors."""
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        raise _first_error(source, error, Experiment) from error


def load_seed_ranges() -> SeedRanges:
    """Read `configs/seeds.yaml`."""
    path = CONFIG_DIR / "seeds.yaml"
    try:
        return SeedRanges.model_validate(_read_yaml(path))
    except ValidationError as error:
        raise _first_error(path, error, SeedRanges) from error
