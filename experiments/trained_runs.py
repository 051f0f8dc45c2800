"""Run folders of trainings, by configuration: what differs in the seed alone belongs together."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from configs import ConfigError
from configs import Experiment
from configs import experiment_from
from configs.models import dotted
from experiments.rollouts import MarketKind
from experiments.run_folder import read_manifest

SEED = "training.seed"
MARKET = "market kind"


@dataclass(frozen=True)
class TrainedRun:
    """A training's folder.

    Attributes:
        path: The folder.
        manifest: Content of its `manifest.json`.
        settings: What decides the training but for its seed: values of the resolved configuration by dotted name, and
            the kind of market.
    """

    path: Path
    manifest: dict[str, Any]
    settings: dict[str, Any]

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return int(self.manifest["experiment"]["training"]["seed"])

    @property
    def experiment(self) -> Experiment:
        """The configuration that it was trained with."""
        return experiment_from(self.manifest["experiment"], str(self.path))

    @property
    def market(self) -> MarketKind:
        """The kind of market that it was trained on."""
        kind: MarketKind = self.settings[MARKET]
        return kind


def read_runs(paths: Iterable[Path]) -> dict[str, list[TrainedRun]]:
    """Read run folders and group them by configuration.

    Args:
        paths: The folders.

    Returns:
        The runs of each configuration, by seed, under its name; where several configurations have the same name, with
        the settings in which they differ.

    Raises:
        ConfigError: If a folder is not of a training, or two runs of a configuration have the same seed.
    """
    groups: dict[str, list[TrainedRun]] = {}
    for path in paths:
        run = _read(path)
        groups.setdefault(json.dumps(run.settings, sort_keys=True), []).append(run)
    found = {}
    for runs in groups.values():
        runs.sort(key=lambda run: run.seed)
        for one, other in pairwise(runs):
            if one.seed == other.seed:
                raise ConfigError(f"{one.path} and {other.path} are trainings with one seed, {one.seed}: give one")
        found[_title(runs[0], [others[0] for others in groups.values()])] = runs
    return found


def _read(path: Path) -> TrainedRun:
    manifest = read_manifest(path)
    if manifest is None or manifest.get("command") != "train":
        raise ConfigError(f"{str(path)!r} is not the folder of a training (`make train` makes one)")
    settings = {**dotted(manifest["experiment"]), MARKET: manifest["arguments"]["market"]}
    del settings[SEED]
    return TrainedRun(path, manifest, settings)


def _title(run: TrainedRun, groups: list[TrainedRun]) -> str:
    """The name of a configuration, with the settings in which others of the same name differ from it."""
    name = str(run.manifest["name"])
    alike = [other.settings for other in groups if other.manifest["name"] == name]
    keys = dict.fromkeys(key for settings in alike for key in settings)
    different = [key for key in keys if any(one.get(key) != alike[0].get(key) for one in alike)]
    return ", ".join([name, *(f"{key} {run.settings.get(key)}" for key in different)])
