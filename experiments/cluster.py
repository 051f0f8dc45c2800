"""Work on the nodes of a Ray cluster: `docs/cluster.md`. Needs Ray running (`experiments.ray_session`).

Results are files in the run folder, as on one machine: every node must see it under the same path. A task whose node is
lost is run again on another.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import TypeVar

import ray

from agents.numpy_policy import NumpyPolicy
from analysis.files import write_json
from configs import Experiment
from experiments.parallel import Outcome
from experiments.parallel import attempt
from experiments.rollouts import MarketKind
from experiments.run_folder import MANIFEST
from experiments.trainer import Report
from experiments.trainer import train_policy

Task = TypeVar("Task")

RETRIES = 5
"""How often a task or a trial may lose its node."""
BATCH = 8
"""Tasks that are sent together: one alone may take less time than the way there."""
PROGRESS = "progress.json"
LOOK_SECONDS = 0.5


def check_sees(folder: Path) -> None:
    """Make sure, on a node, that it sees the run folder.

    Raises:
        RuntimeError: If it does not.
    """
    if not (folder / MANIFEST).exists():
        raise RuntimeError(f"node {ray.util.get_node_ip_address()} does not see {folder}: --out must be shared")


def run_on_cluster(function: Callable[[Task], None], tasks: Iterable[Task], folder: Path) -> Iterator[Outcome[Task]]:
    """Call `function` with every task, on as many processors as the cluster has at the time.

    Args:
        function: What to do: a function of a module, or a `partial` of one.
        tasks: Arguments of the calls, begun in this order.
        folder: Run folder, which the nodes must see.

    Yields:
        Each task as it ends.
    """
    remote = ray.remote(num_cpus=1, max_retries=RETRIES)(_attempt_all)
    waiting = deque(tasks)
    running: dict[Any, list[Task]] = {}
    while waiting or running:
        # One batch beside each that runs, so that no processor waits for the next.
        while waiting and len(running) < 2 * ray.cluster_resources().get("CPU", 1):
            batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
            running[remote.remote(function, batch, folder)] = batch
        (ended,), _ = ray.wait(list(running))
        batch = running.pop(ended)
        try:
            errors = ray.get(ended)
        except ray.exceptions.RayError as error:
            errors = [str(error)] * len(batch)
        for task, failure in zip(batch, errors, strict=True):
            yield Outcome(task, failure)


def _attempt_all(function: Callable[[Task], None], tasks: list[Task], folder: Path) -> list[str | None]:
    check_sees(folder)
    return [attempt(function, task) for task in tasks]


def gpus_for(experiment: Experiment) -> int:
    """GPUs that a training of the experiment takes of this Ray: 1 if it asks for one, or may have one that is there."""
    wanted = experiment.training.device
    return int(wanted == "cuda" or (wanted == "auto" and ray.cluster_resources().get("GPU", 0) > 0))


def train_on_cluster(
    experiment: Experiment,
    market: MarketKind,
    folder: Path,
    on_report: Callable[[Report], None],
    code: Mapping[str, Any],
    gpus: int,
) -> NumpyPolicy:
    """Train on a node of the cluster; see `experiments.trainer.train_policy`.

    If the node is lost, the training goes on from its last checkpoint on another.

    Args:
        experiment: The experiment.
        market: Which market the environments run on.
        folder: Run folder.
        on_report: Called with what the node tells of the training.
        code: Commit of the code.
        gpus: GPUs that the training takes.
    """
    remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(_train_here)
    running = remote.remote(experiment, market, folder, code)
    told: dict[str, Any] = {}
    while True:
        ended, _ = ray.wait([running], timeout=LOOK_SECONDS)
        found = json.loads((folder / PROGRESS).read_text()) if (folder / PROGRESS).exists() else {}
        if found != told:
            told = found
            values: dict[str, Any] = {name: math.nan if value is None else value for name, value in found.items()}
            on_report(Report(**values))
        if ended:
            ray.get(running)
            (folder / PROGRESS).unlink(missing_ok=True)
            return NumpyPolicy.load(folder / "policy.npz")


def _train_here(experiment: Experiment, market: MarketKind, folder: Path, code: Mapping[str, Any]) -> None:
    check_sees(folder)

    def tell(report: Report) -> None:
        values = {name: value if math.isfinite(value) else None for name, value in vars(report).items()}
        write_json(folder / PROGRESS, values)

    train_policy(experiment, market, folder, tell, code)
