"""The `abides` command: run a configuration with some of its parameters changed."""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
import signal
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

from abides_core import abides
from abides_core import engines
from abides_core.loading import load_module
from abides_core.options import Option
from abides_core.options import OptionError
from abides_core.options import given_options
from abides_core.options import options_of
from abides_core.options import takes_any
from abides_core.options import unknown_option
from abides_core.utils import fmt_ts

CONFIGS = "abides.configs"
"""Group of entry points under which packages name their configurations."""
USAGE = "usage: abides CONFIG [--option value ...]"
RUN_OPTIONS = {
    "engine": Option("engine", engines.AUTO, (str,), "Engine: auto, reference, or one that a package offers."),
    "log_dir": Option("log_dir", None, (str, type(None)), "Write agents' logs and the summary to ./log/LOG_DIR."),
    "traceback": Option("traceback", False, (bool,), "Show where an error comes from."),
    "help": Option("help", False, (bool,), "Show this, and the configuration's options."),
}
REQUIRED = {"agents", "start_time", "stop_time"}
PROGRESS_SECONDS = 0.2


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Words after the command's name, by default those of this process.

    Returns:
        The exit status: 0; 1 if the run failed; 2 if the command line is wrong; 130 after an interrupt.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _main(words)
    except OptionError as error:
        if error.__cause__ is not None and "--traceback" in words:
            traceback.print_exc()
        return _fail(str(error), 2)
    except KeyboardInterrupt:
        return _fail("interrupted", 128 + signal.SIGINT)
    except Exception as error:
        if "--traceback" in words:
            traceback.print_exc()
        frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).exists()]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}"
        return _fail(f"{type(error).__name__}: {error} ({where}; --traceback shows the way there)", 1)


def _main(words: list[str]) -> int:
    if words in (["--help"], ["-h"]):
        print(_help())
        return 0
    if not words or words[0].startswith("-"):
        raise OptionError(f"no configuration given; {USAGE}, where CONFIG is {_configs()}")
    name, *rest = ("--help" if word == "-h" else word for word in words)
    given = given_options(rest)
    build_config = _build_config(_load(name))
    label = Path(name).stem if name.endswith(".py") else name.rpartition(".")[2]
    options = options_of(build_config)
    asked = {key: RUN_OPTIONS[key].value(text) for key, text in given.items() if key in RUN_OPTIONS}
    if asked.get("help"):
        print(_help(label, options))
        return 0
    parameters = {}
    for key, text in given.items():
        if key in options:
            parameters[key] = options[key].value(text)
        elif key not in RUN_OPTIONS:
            if not takes_any(build_config):
                raise unknown_option(key, [*options, *RUN_OPTIONS], label)
            parameters[key] = Option(key, None, (), "").value(text)
    for key, option in options.items():
        if option.default is inspect.Parameter.empty and key not in parameters:
            raise OptionError(f"{label} needs --{key}")
    engine = asked.get("engine", engines.AUTO)
    if engine not in engines.names():
        raise OptionError(f"unknown engine {engine!r}; allowed: {', '.join(engines.names())}")
    try:
        config = build_config(**parameters)
    except ValueError as error:
        raise OptionError(f"{label}: {error}") from error
    if not isinstance(config, dict) or not set(config) >= REQUIRED:
        raise OptionError(f"build_config of {label} must return a dict with {', '.join(sorted(REQUIRED))}")
    try:
        _run(label, config, engine, asked.get("log_dir"))
    except engines.UnsupportedError as error:
        raise OptionError(str(error)) from error
    return 0


def _run(label: str, config: dict[str, Any], engine: str, log_dir: str | None) -> None:
    logging.basicConfig(
        level=config.get("stdout_log_level", "INFO"),
        format="[%(process)d] %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    if log_dir is not None:
        config = {**config, "skip_log": False}
    begin = perf_counter()
    with _progress(config):
        end_state = abides.run(config, log_dir=log_dir or "", engine=engine)
    kernel = config["agents"][0].kernel if config["agents"] else None
    events = f", {kernel.ttl_messages:,} events" if kernel is not None else ""
    print(
        f"{label}: {fmt_ts(config['start_time'])} to {fmt_ts(config['stop_time'])} simulated in"
        f" {perf_counter() - begin:.2f} s, {end_state['engine']} engine{events}"
    )
    if log_dir is not None:
        print(f"logs: {Path('log') / log_dir}")


def _load(name: str) -> ModuleType:
    """Return the module of a configuration, given by its name, its file or its module.

    Raises:
        OptionError: If there is none, or if it cannot be imported.
    """
    entry = next(iter(importlib.metadata.entry_points(group=CONFIGS, name=name)), None)
    return load_module(name if entry is None else entry.module, f"no configuration {name!r}; give {_configs()}")


def _build_config(module: ModuleType) -> Any:
    build_config = getattr(module, "build_config", None)
    if not callable(build_config):
        what = "no build_config" if build_config is None else "a build_config that is not a function"
        raise OptionError(f"{module.__name__} has {what}: a configuration defines build_config(...) -> dict")
    return build_config


def _configs() -> str:
    names = sorted({entry.name for entry in importlib.metadata.entry_points(group=CONFIGS)})
    return ", ".join([*names, "a Python file with a build_config, or such a module's name"])


def _help(label: str | None = None, options: dict[str, Option] | None = None) -> str:
    lines = [USAGE, "", f"CONFIG is {_configs()}.", "", "Options of the run:"]
    lines += [_option_help(option) for option in RUN_OPTIONS.values()]
    if options is None:
        lines += ["", "abides CONFIG --help lists the options of a configuration."]
    else:
        lines += ["", f"Options of {label}:", *(_option_help(option) for option in options.values())]
    return "\n".join(lines)


def _option_help(option: Option) -> str:
    default = "" if option.default is inspect.Parameter.empty else f" [{option.default!r}]"
    text = f"{option.help}{default}".strip()
    first = f"  --{option.name:<26} "
    return textwrap.fill(text, 110, initial_indent=first, subsequent_indent=" " * 31)


@contextmanager
def _progress(config: dict[str, Any]) -> Iterator[None]:
    """Show the simulated time on a terminal for the duration of a block, on one line that goes away."""
    if not sys.stderr.isatty() or not config["agents"]:
        yield
        return
    over = threading.Event()
    end = fmt_ts(config["stop_time"])

    def show() -> None:
        while not over.wait(PROGRESS_SECONDS):
            kernel = config["agents"][0].kernel
            if kernel is not None:
                time, events = fmt_ts(kernel.current_time), f"{kernel.ttl_messages:,}"
                print(f"\r\x1b[Ksimulated {time} of {end}, {events} events", end="", file=sys.stderr, flush=True)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _fail(message: str, status: int) -> int:
    print(f"abides: error: {' '.join(message.split())}", file=sys.stderr)
    return status
