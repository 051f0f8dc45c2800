"""Experiments as YAML, and the typed models that read them."""

from configs.loading import experiment_from
from configs.loading import load_experiment
from configs.loading import load_seed_ranges
from configs.models import CONFIG_DIR
from configs.models import Experiment
from configs.models import Side
from configs.models import regimes
from configs.parsing import ConfigError
from configs.parsing import parse_seeds
from configs.parsing import parse_yaml

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
