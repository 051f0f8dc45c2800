"""A configuration in every market regime, for the commands that go through all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from configs import ConfigError
from configs import Experiment
from configs import load_experiment
from configs import regimes

REGIME = "market.regime"


def in_regimes(config: str, settings: Mapping[str, Any], names: str | None = None) -> dict[str, Experiment]:
    """Load a configuration once for each regime.

    Args:
        config: A YAML file, or the name of one in configs/.
        settings: Values by dotted key that replace the configuration's.
        names: Regimes separated by commas; by default every one in configs/regimes/.

    Raises:
        ConfigError: If a regime is unknown, none is named, or the settings name one: it would be overridden.
    """
    if REGIME in settings:
        raise ConfigError(
            f"--set {REGIME}={settings[REGIME]}: this command sets it itself, to one regime after another"
        )
    known = regimes()
    chosen = known if names is None else [word.strip() for word in names.split(",") if word.strip()]
    if not chosen:
        raise ConfigError(f"no regime in {names!r}; allowed: {', '.join(known)}")
    for name in chosen:
        if name not in known:
            raise ConfigError(f"unknown regime {name!r}; allowed: {', '.join(known)}")
    return {name: load_experiment(config, {**settings, REGIME: name}) for name in chosen}
