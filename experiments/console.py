"""What every command shares on the terminal: options, progress, and one line for an error.

An error that the user can mend is a `ConfigError`, or a `RecordsError` where a file of a run is broken: one line on
standard error, exit status 2.
"""

from __future__ import annotations

import gc
import signal
import socket
import sys
import time
from collections.abc import Callable
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated
from typing import Any
from typing import NoReturn
from typing import TypeVar

import tyro
import yaml
from rich.console import Console
from rich.live import Live
from rich.text import Text

from analysis.records import RecordsError
from configs import ConfigError
from configs import parse_yaml

Args = TypeVar("Args")

PLAIN_INTERVAL = 5.0
CONNECT_SECONDS = 5.0

# `--set a=1 b=2` and `--set a=1 --set b=2` mean the same.
Settings = Annotated[
    tuple[tuple[str, ...], ...], tyro.conf.arg(name="set", metavar="KEY=VALUE ..."), tyro.conf.UseAppendAction
]


def fail(message: str) -> NoReturn:
    """Print one line on standard error and exit with status 2 (wrong use)."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2)


def run_command(main: Callable[[Args], None], args: type[Args], prog: str, description: str) -> None:
    """Parse the command line into `args` and run `main` with it.

    Args:
        main: The command.
        args: A dataclass whose fields are the options (read by tyro).
        prog: Name of the command, as typed.
        description: What the command does, for `--help`.

    Raises:
        SystemExit: Status 2 after a wrong option, a `ConfigError` or a `RecordsError`, 130 after an interrupt.
    """
    # What has been imported stays: the garbage collector need not look at it again, which takes a sixth off a market.
    gc.freeze()
    try:
        main(tyro.cli(args, prog=prog, description=description))
    except (ConfigError, RecordsError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from None


def parse_settings(settings: Settings) -> dict[str, Any]:
    """Values by dotted key of all `--set` options of a command; see `parse_overrides`."""
    return parse_overrides([setting for given in settings for setting in given])


def parse_overrides(settings: Sequence[str]) -> dict[str, Any]:
    """Parse options such as `training.steps=1000`.

    Args:
        settings: Texts `dotted.key=value`; the value is read as YAML (`[0, 1]`, `true`, `10s`).

    Returns:
        Values by dotted key, for `configs.load_experiment`.

    Raises:
        ConfigError: If a text has no key or its value is not YAML.
    """
    overrides: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not all(key.split(".")):
            raise ConfigError(f"--set {setting!r}: write key=value, for example training.steps=1000")
        try:
            overrides[key] = parse_yaml(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {key}: {value!r} is not a YAML value") from error
    return overrides


def check_address(address: str | None) -> None:
    """Make sure that something answers at the address of a Ray cluster: Ray itself would try for minutes.

    Args:
        address: `host:port`; `auto` and None, which need no connection, pass.

    Raises:
        ConfigError: If it is no address or nothing answers.
    """
    if address is None or address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit():
        raise ConfigError(f"--address {address!r}: write host:port, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--address {address!r}: no Ray cluster there: {error}") from error


def format_duration(seconds: float) -> str:
    """Format a duration in seconds as `M:SS` or `H:MM:SS`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _significant(value: float) -> str:
    """Three significant digits, never in powers of ten."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


class Progress:
    """A line that tells how far a long piece of work is: done, rate, further fields, time left.

    On a terminal the line is redrawn in place; elsewhere a plain line is printed every few seconds, so that a log file
    shows progress too.

    Args:
        title: What is going on.
        total: Number of units in all.
        unit: Name of a unit, in the plural.
        start: Units that were done before (a resumed run); they do not count in the rate.
        interval: Seconds between plain lines.
        console: Where to draw; standard output by default.
    """

    def __init__(
        self,
        title: str,
        total: int,
        *,
        unit: str = "steps",
        start: int = 0,
        interval: float = PLAIN_INTERVAL,
        console: Console | None = None,
    ) -> None:
        self.title = title
        self.total = total
        self.unit = unit
        self.start = start
        self.done = start
        self.interval = interval
        self.console = console if console is not None else Console(highlight=False, soft_wrap=True)
        self._fields: dict[str, str] = {}
        self._began = time.monotonic()
        self._printed = float("-inf")
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        self._began = time.monotonic()
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=4, get_renderable=self._render)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        elif kind is None:
            self._print()

    @property
    def rate(self) -> float:
        """Units a second since the work began (0 before the first)."""
        elapsed = time.monotonic() - self._began
        return (self.done - self.start) / elapsed if elapsed > 0 else 0.0

    def update(self, done: int, **fields: str) -> None:
        """Tell how many units are done in all, and set further fields of the line, already formatted."""
        self.done = done
        self._fields.update(fields)
        if self._live is None and time.monotonic() - self._printed >= self.interval:
            self._print()

    def line(self) -> str:
        """The line as plain text."""
        # Work in whole batches may do a little more than was asked for.
        done = min(self.done, self.total)
        share = done / self.total if self.total else 1.0
        rate = self.rate
        parts = [f"{self.title} {done:,}/{self.total:,} {self.unit} {share:4.0%}"]
        if self.done < self.total:
            parts.append(f"left {format_duration((self.total - self.done) / rate) if rate > 0 else '?'}")
        else:
            parts.append(f"took {format_duration(time.monotonic() - self._began)}")
        parts.append(f"{_significant(rate)} {self.unit}/s")
        parts += [f"{name.replace('_', ' ')} {value}" for name, value in self._fields.items()]
        return "  ".join(parts)

    def _render(self) -> Text:
        return Text(self.line())

    def _print(self) -> None:
        self._printed = time.monotonic()
        self.console.print(self.line(), markup=False)
        self.console.file.flush()
