"""Progress of a sweep, told by Ray Tune."""

from __future__ import annotations

from typing import Any

from ray.tune import Callback

from experiments.console import Progress


class ProgressCallback(Callback):
    """Adds up the steps of all trials.

    Args:
        progress: The line to update.
        trials: Number of trials in all; Tune itself makes them as it goes.
    """

    def __init__(self, progress: Progress, trials: int) -> None:
        self._progress = progress
        self._trials = trials
        self._steps: dict[str, int] = {}
        self._finished = 0

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its callbacks to resume by itself, which a sweep here does not use; a terminal has no pickle.
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Count the steps of one trial."""
        self._steps[trial.trial_id] = result["steps"]
        self._show()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Count a finished trial."""
        self._finished += 1
        self._show()

    def _show(self) -> None:
        self._progress.update(sum(self._steps.values()), trials=f"{self._finished} of {self._trials} finished")
