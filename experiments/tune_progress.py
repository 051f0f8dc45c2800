"""Progress of a sweep, told by Ray Tune."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.tune import Callback

from experiments.console import Progress


class ProgressCallback(Callback):
    """Adds up the steps of all trials; one that a scheduler stops counts as if it had made them all.

    Args:
        progress: The line to update.
        steps: Steps of a trial.
        trials: Number of trials in all; Tune itself makes them as it goes.
        done: Steps that trials made before, by name.
    """

    def __init__(self, progress: Progress, steps: int, trials: int, done: Mapping[str, int]) -> None:
        self._progress = progress
        self._whole = steps
        self._trials = trials
        self._steps = dict(done)
        self._ended: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its callbacks with its own state; a terminal has no pickle, and the next process has its own.
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Count the steps of one trial."""
        if str(trial) not in self._ended:
            self._steps[str(trial)] = result["steps"]
        self._show()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Count a trial that is over."""
        self._ended.add(str(trial))
        self._steps[str(trial)] = self._whole
        self._show()

    def _show(self) -> None:
        self._progress.update(sum(self._steps.values()), trials=f"{len(self._ended)} of {self._trials} over")
