"""One entry to run a configuration."""

from __future__ import annotations

import datetime
import logging
from typing import Any

import numpy as np

from abides_core import engines
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
    "overshoot",
)


def new_kernel(config: dict[str, Any], random_state: np.random.RandomState, engine: str = engines.AUTO) -> Any:
    """Return a kernel for a configuration, not yet started: for those who run it step by step.

    Args:
        config: What a `build_config` returned.
        random_state: The kernel's stream.
        engine: As for `run`.

    Raises:
        ValueError: If there is no such engine.
        engines.UnsupportedError: If the engine that was named does not support the configuration.
    """
    _, chosen = engines.choose(engine, config)
    if chosen is not None:
        return chosen.kernel(config, random_state)
    return Kernel(random_state=random_state, **subdict(config, KERNEL_KEYS))


def run(
    config: dict[str, Any],
    log_dir: str = "",
    kernel_seed: int | None = None,
    kernel_random_state: np.random.RandomState | None = None,
    trace: Trace | None = None,
    engine: str = engines.REFERENCE,
) -> dict[str, Any]:
    """Run a configuration to its end.

    The agents and the oracle in the configuration are consumed: build it again for another run.

    Args:
        config: What a `build_config` returned.
        log_dir: Folder below `./log` for the summary log and, if the configuration has `skip_log=False`, the agents'
            logs; by default nothing is written.
        kernel_seed: Seed of the kernel's stream; by default the stream is the configuration's `random_state_kernel` if
            there is one, else that of seed 0.
        kernel_random_state: The kernel's stream; takes precedence.
        trace: Called for every entry taken from the event queue.
        engine: `reference`; an engine by name, such as the market layer's `compiled`; or `auto`: the first engine that
            supports the configuration if nobody keeps an event log (`log_events`), no log is written and there is no
            trace, else `reference`.

    Returns:
        The end state: `agents`, wall time, the `engine` that ran it, and what agents left in it.

    Raises:
        ValueError: If there is no such engine.
        engines.UnsupportedError: If the engine that was named does not support the configuration.
    """
    name, chosen = engines.choose(engine, config, log_dir, trace is not None)
    stream = kernel_random_state
    if stream is None and kernel_seed is None:
        stream = config.get("random_state_kernel")
    if stream is None:
        stream = random_state(kernel_seed or 0)
    started = datetime.datetime.now()
    logger.info("simulation start: %s, %s engine", started, name)
    if chosen is None:
        kernel = Kernel(random_state=stream, log_dir=log_dir, trace=trace, **subdict(config, KERNEL_KEYS))
        end_state = kernel.run()
    else:
        end_state = chosen.run(config, stream)
    end_state["engine"] = name
    ended = datetime.datetime.now()
    logger.info("simulation end: %s, took %s", ended, ended - started)
    return end_state
