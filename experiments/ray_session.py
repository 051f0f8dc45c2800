"""A quiet local Ray for one command."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from experiments.run_folder import REPOSITORY

OBJECT_STORE_BYTES = 128 * 2**20


@contextmanager
def local_ray(cpus: int) -> Iterator[None]:
    """Run Ray on this machine only, and end it.

    Without an address Ray would join any cluster it finds; its own logs stay in its session folder.

    Args:
        cpus: Processors that its tasks and actors may use.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Networks this small are slowed down by a second thread; workers inherit it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A sweep writes its own tables, progress and TensorBoard logs.
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    search_path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    ray.init(
        address="local",
        num_cpus=cpus,
        num_gpus=0,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=True,
        logging_level=logging.ERROR,
        object_store_memory=OBJECT_STORE_BYTES,
        # The harness is not installed: workers import it from the clone.
        runtime_env={"env_vars": {"PYTHONPATH": search_path}},
    )
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
