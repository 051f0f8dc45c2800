"""One entry to run a configuration."""

from __future__ import annotations

import datetime
import logging
from typing import Any

import numpy as np

from abides_core.kernel import Kernel
from abides_core.kernel import Trace
from abides_core.streams import random_state
from abides_core.utils import subdict

logger = logging.getLogger("abides")

KERNEL_KEYS = (
    "start_time",
    "stop_time",
    "agents",
    "agent_latency_model",
    "default_computation_delay",
    "custom_properties",
    "per_agent_computation_delays",
    "skip_log",
)


def run(
    config: dict[str, Any],
    log_dir: str = "",
    kernel_seed: int = 0,
    kernel_random_state: np.random.RandomState | None = None,
    trace: Trace | None = None,
) -> dict[str, Any]:
    """Run a configuration to its end.

    The agents and the oracle in the configuration are consumed: build it again for another run.

    Args:
        config: What a `build_config` returned.
        log_dir: Folder below `./log` for the summary log; by default nothing is written.
        kernel_seed: Seed of the kernel's stream.
        kernel_random_state: The kernel's stream; takes precedence.
        trace: Called for every entry taken from the event queue.

    Returns:
        The end state: `agents`, wall time, and what agents left in it.
    """
    kernel = Kernel(
        random_state=kernel_random_state or random_state(kernel_seed),
        log_dir=log_dir,
        trace=trace,
        **subdict(config, KERNEL_KEYS),
    )
    started = datetime.datetime.now()
    logger.info("simulation start: %s", started)
    end_state = kernel.run()
    ended = datetime.datetime.now()
    logger.info("simulation end: %s, took %s", ended, ended - started)
    return end_state
