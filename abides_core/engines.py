"""Engines: other ways to run a configuration than the kernel in plain Python.

The kernel is the reference engine. Another engine is made known here by the package that has it, when that package is
imported: the market layer offers `compiled`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from typing import Protocol

import numpy as np

logger = logging.getLogger("abides")

AUTO = "auto"
REFERENCE = "reference"
COMPILED = "compiled"
"""The name that the market layer makes its engine known by."""


class UnsupportedError(ValueError):
    """A configuration that an engine cannot run; the text names what is in the way."""


class Engine(Protocol):
    """What an engine can do."""

    def fault(self, config: dict[str, Any]) -> str | None:
        """Return what in a configuration the engine does not support, as a noun, or `None` if it runs it."""

    def kernel(self, config: dict[str, Any], random_state: np.random.RandomState) -> Any:
        """Return a kernel, not yet started, for a configuration without a fault."""

    def run(self, config: dict[str, Any], random_state: np.random.RandomState) -> dict[str, Any]:
        """Run a configuration without a fault to its end; `random_state` is the kernel's stream."""


_LOADERS: dict[str, Callable[[], Engine]] = {}


def register(name: str, load: Callable[[], Engine]) -> None:
    """Make an engine known; `load` is called when the engine is first asked for."""
    _LOADERS[name] = load


def names() -> tuple[str, ...]:
    """Return what may be asked for: `auto`, `reference` and the engines made known so far."""
    return AUTO, REFERENCE, *_LOADERS


def choose(name: str, config: dict[str, Any], log_dir: str = "", traced: bool = False) -> tuple[str, Engine | None]:
    """Return the name of the engine that is to run a configuration, and the engine; `None` for the kernel.

    `auto` takes an engine other than the reference one only if nothing is lost by it that was asked for: nobody keeps
    an event log, no log is written, and no trace is wanted.

    Args:
        name: `auto`, `reference`, or a registered engine.
        config: What a `build_config` returned.
        log_dir: Folder below `./log` for the summary log.
        traced: Whether the entries taken from the event queue are wanted.

    Raises:
        ValueError: If the name is not one of those.
        UnsupportedError: If the engine was named and does not support the configuration.
    """
    if name not in names():
        raise ValueError(f"unknown engine {name!r}; allowed: {', '.join(names())}")
    if name == REFERENCE:
        return name, None
    refused = _kernel_only(config, log_dir, traced)
    if name != AUTO:
        engine = _LOADERS[name]()
        fault = refused or engine.fault(config)
        if fault is not None:
            raise UnsupportedError(f"the {name} engine does not support {fault}: use engine={REFERENCE!r}")
        return name, engine
    reason: str | None = refused or _logging_agent(config)
    if reason is None:
        for candidate, load in _LOADERS.items():
            engine = load()
            reason = engine.fault(config)
            if reason is None:
                return candidate, engine
    if reason is not None:
        logger.info("the configuration has %s, which takes the %s engine", reason, REFERENCE)
    return REFERENCE, None


def _kernel_only(config: dict[str, Any], log_dir: str, traced: bool) -> str | None:
    if traced:
        return "a trace"
    if log_dir or not config.get("skip_log", True):
        return "logs on disk"
    if not config.get("overshoot", True):
        return "overshoot=False"
    return None


def _logging_agent(config: dict[str, Any]) -> str | None:
    for agent in config["agents"]:
        if agent.log_events:
            return f"agent {agent.id}, which keeps an event log (log_events)"
    return None
