"""Ray for one command: a quiet one on this machine, or a cluster that is there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from configs import ConfigError
from experiments.run_folder import REPOSITORY

OBJECT_STORE_BYTES = 128 * 2**20
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Networks this small are slowed down by a second thread.
    "OMP_NUM_THREADS": "1",
    # A sweep writes its own tables, progress and TensorBoard logs, and leaves an interrupt to the command.
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1",
}
NOT_SENT = [".git", ".venv", "results", "docs", "tests", "benchmarks", "*.ipynb"]
"""What the nodes of a cluster do not get of the clone."""


@contextmanager
def local_ray(cpus: int, gpus: int = 0) -> Iterator[None]:
    """Run Ray on this machine only, and end it.

    Without an address Ray would join any cluster it finds; its own logs stay in its session folder.

    Args:
        cpus: Processors that its tasks and actors may use.
        gpus: GPUs, likewise.
    """
    _prepare()
    search_path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    # The harness is not installed: workers import it from the clone.
    environment = {"env_vars": {"PYTHONPATH": search_path}}
    with _session(
        address="local",
        num_cpus=cpus,
        num_gpus=gpus,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        runtime_env=environment,
    ):
        yield


@contextmanager
def ray_at(address: str | None, cpus: int, gpus: int = 0) -> Iterator[None]:
    """Join the Ray cluster at an address, or without one run Ray on this machine only.

    The nodes get a copy of the clone as their working directory; packages they must have (`docs/cluster.md`).

    Args:
        address: `host:port` of the cluster's head, or `auto` for the one that runs on this machine.
        cpus: Without an address, processors that tasks and actors may use.
        gpus: GPUs, likewise.

    Raises:
        ConfigError: If there is no such cluster.
    """
    if address is None:
        with local_ray(cpus, gpus):
            yield
        return
    _prepare()
    environment = {"working_dir": str(REPOSITORY), "excludes": NOT_SENT, "env_vars": ENVIRONMENT}
    try:
        session = _session(address=address, runtime_env=environment)
        session.__enter__()
    except (ConnectionError, ValueError) as error:
        raise ConfigError(f"--address {address!r}: no Ray cluster there: {str(error).splitlines()[0]}") from error
    try:
        yield
    finally:
        session.__exit__(None, None, None)


def _prepare() -> None:
    """Set what Ray, Tune and the libraries of workers read when they start."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@contextmanager
def _session(**options: Any) -> Iterator[None]:
    ray.init(log_to_driver=False, configure_logging=True, logging_level=logging.ERROR, **options)
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
