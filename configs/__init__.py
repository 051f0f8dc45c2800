"""Experiments as YAML, and the typed models that read them."""

from configs.models import CONFIG_DIR
from configs.models import ConfigError
from configs.models import Experiment
from configs.models import Side
from configs.models import experiment_from
from configs.models import load_experiment
from configs.models import load_seed_ranges
from configs.models import parse_seeds
from configs.models import parse_yaml
from configs.models import regimes

__all__ = [
    "CONFIG_DIR",
    "ConfigError",
    "Experiment",
    "Side",
    "experiment_from",
    "load_experiment",
    "load_seed_ranges",
    "parse_seeds",
    "parse_yaml",
    "regimes",
]
