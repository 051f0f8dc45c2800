"""The conformance command: `python -m abides_core.check MODULE:AGENT [--parameter value ...]`.

Runs an agent of yours several times in a small simulation and watches what it does:

- determinism: the same seed gives the same actions, run after run;
- process: and in another process, where sets are in another order;
- random: nothing is drawn from the global random streams of Python and NumPy;
- timing: no wake-up in the past, no message that arrives before it is sent, no error, no standing still;

and, for an agent that trades (`abides_markets.check`):

- accounting: its cash and shares are those of its fills, its orders are valid and known to it;
- engines: the compiled engine gives the same tape, if it supports the agent.

From a test: `check_agent(MyAgent).raise_for_failures()`.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import json
import os
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from abides_core.agent import Agent
from abides_core.engines import UnsupportedError
from abides_core.kernel import Kernel
from abides_core.loading import load_module
from abides_core.message import Message
from abides_core.monitor import OWN_STREAM
from abides_core.monitor import RANDOM
from abides_core.monitor import SECOND
from abides_core.monitor import TIMING
from abides_core.monitor import Finding
from abides_core.monitor import Monitor
from abides_core.monitor import Observed
from abides_core.monitor import StopRun
from abides_core.monitor import global_state
from abides_core.options import Option
from abides_core.options import OptionError
from abides_core.options import given_options
from abides_core.options import options_of
from abides_core.options import takes_any
from abides_core.options import unknown_option

USAGE = "usage: python -m abides_core.check MODULE:AGENT [--parameter value ...]"
OBSERVED = "observed"
"""A flag: run once and print what was observed, as JSON, for another process to compare."""
SEED = 1

Make = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Report:
    """What all checks have found.

    Attributes:
        agent: Name of the agent's class.
        world: The simulation it ran in.
        findings: At least one for every check.
    """

    agent: str
    world: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether no check has failed."""
        return not self.failures()

    def failures(self) -> list[Finding]:
        """Return what failed."""
        return [finding for finding in self.findings if finding.passed is False]

    def raise_for_failures(self) -> None:
        """Do nothing if no check has failed.

        Raises:
            AssertionError: With the report as its text.
        """
        if not self.passed:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        return "\n".join([f"{self.agent} in {self.world}", *map(str, self.findings)])


class World:
    """A small simulation for an agent that needs a kernel and nothing else."""

    name = "a simulation of ten minutes with a partner that sends a message every second"
    monitor: type[Monitor] = Monitor

    @classmethod
    def takes(cls, kind: type | None) -> bool:
        """Return whether this is a simulation for agents of a class, or of one that is not known."""
        return True

    def parameters(self) -> dict[str, Any]:
        """Return what there is for the agent's constructor, as far as it takes it."""
        return {"id": 0, "random_state": np.random.RandomState(SEED)}

    def run(self, make: Make) -> Observed:
        """Run the simulation once."""
        observed = Observed()
        monitor = self.watched(make, observed)
        if monitor is not None:
            agents = [monitor.agent, _Partner(1)]
            kernel = Kernel(agents, 0, 600 * SECOND, default_latency=1000, trace=monitor.trace)
            self.attempt(kernel.run, observed)
        return observed

    def own_findings(self, make: Make, first: Observed) -> list[Finding]:
        """Return what checks of this simulation's own have found."""
        return []

    def watched(self, make: Make, observed: Observed) -> Monitor | None:
        """Return the monitor of a new agent, or `None` if the agent cannot be made."""
        before = global_state()
        try:
            agent = make(**self.parameters())
        except Exception as error:
            what = f"its constructor failed with {type(error).__name__}: {error}"
            observed.faults.append(Finding(TIMING, False, what, None, "let it be made without an error"))
            return None
        if global_state() != before:
            what = "its constructor drew from, or seeded, the global random stream of Python or NumPy"
            observed.faults.append(Finding(RANDOM, False, what, None, OWN_STREAM))
        return self.monitor(agent, observed)

    def attempt(self, run: Callable[[], Any], observed: Observed) -> Any:
        """Run something to its end, or to the first fault after which that makes no sense."""
        try:
            result = run()
        except StopRun:
            return None
        except UnsupportedError:
            raise
        except Exception as error:
            what = f"the run ended with {type(error).__name__}: {error}"
            observed.faults.append(Finding(TIMING, False, what, None, "send nothing that others cannot handle"))
            return None
        observed.complete = True
        return result


class _Partner(Agent):
    """Sends agent 0 a message every second."""

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        self.send_message(0, Message())
        self.set_wakeup(current_time + SECOND)


_WORLDS: list[Callable[[], type[World]]] = []


def register(load: Callable[[], type[World]]) -> None:
    """Make a simulation for agents of another kind known; the latest is asked first. `load` is called when needed."""
    _WORLDS.append(load)


def check_agent(agent: Any, **parameters: Any) -> Report:
    """Take an agent through all checks.

    Args:
        agent: Its class, or a function that makes one.
        parameters: Arguments of its constructor beside those that the simulation has: `id`, `random_state` and, for an
            agent that trades, `symbol` and `starting_cash`.

    Raises:
        OptionError: If arguments are missing or unknown, or if the agent takes its decisions from outside.
    """
    world = _world_for(agent)
    make = _maker(agent, parameters, world)
    first, second = world.run(make), world.run(make)
    findings = [
        compared(
            "determinism", first, second, "a second run", "keep no state in the class, use no clock but the kernel's"
        ),
        _in_another_process(agent, parameters, first),
        *faults(RANDOM, first, "the global random streams were left alone"),
        *faults(TIMING, first, "everything in its time"),
        *world.own_findings(make, first),
    ]
    return Report(_name(agent), world.name, tuple(findings))


def faults(check: str, observed: Observed, otherwise: str) -> list[Finding]:
    """Return the faults of one kind, or that there are none."""
    return [fault for fault in observed.faults if fault.check == check] or [Finding(check, True, otherwise)]


def compared(check: str, expected: Observed, found: Observed, whose: str, mend: str) -> Finding:
    """Return whether two runs were the same, and if not, the first difference."""
    for one, other in ((expected.actions, found.actions), (expected.market, found.market)):
        index = next((i for i, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
        if index is None and len(one) != len(other):
            index = min(len(one), len(other))
        if index is not None:
            here, there = (_without_time(rows[index]) if index < len(rows) else "nothing" for rows in (one, other))
            when = int((one if index < len(one) else other)[index].partition(" ")[0])
            return Finding(check, False, f"{here}; in {whose}: {there}", when, mend)
    return Finding(check, True, f"{whose} shows the same actions ({len(expected.actions)})")


def _without_time(row: str) -> str:
    return row.partition(" ")[2]


def _in_another_process(agent: Any, parameters: dict[str, Any], first: Observed) -> Finding:
    check, whose = "process", "another process"
    target = _target(agent)
    if target is None:
        return Finding(check, None, f"{_name(agent)} cannot be imported by {whose}: define it at the top of a module")
    # Sets of texts are in an order of their own in every process: here in one that is known not to be this one's.
    other_order = {"PYTHONHASHSEED": "4242", "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    options = [f"--{name}={value}" for name, value in parameters.items()]
    done = subprocess.run(
        [sys.executable, "-m", "abides_core.check", target, *options, f"--{OBSERVED}"],
        env={**os.environ, **other_order},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Finding(check, None, f"{whose} could not run it: {reason}")
    other = json.loads(done.stdout.splitlines()[-1])
    mend = "put what comes from a set in order; decide by no hash, address or environment"
    return compared(check, first, Observed(other["actions"], other["market"]), whose, mend)


def _target(agent: Any) -> str | None:
    """Return `MODULE:AGENT` by which another process finds an agent's class or function, if it can."""
    name = getattr(agent, "__qualname__", "<>")
    file = getattr(sys.modules.get(getattr(agent, "__module__", "")), "__file__", None)
    if "<" in name or file is None:
        return None
    try:
        spec = importlib.util.find_spec(agent.__module__)
    except (ImportError, ValueError):
        spec = None
    found = spec is not None and spec.origin == file and agent.__module__ != "__main__"
    return f"{agent.__module__ if found else Path(file).resolve()}:{name}"


def _world_for(agent: Any) -> World:
    """Return the simulation for an agent.

    Raises:
        OptionError: If the agent takes its decisions from outside.
    """
    kind = agent if isinstance(agent, type) else typing.get_type_hints(agent).get("return")
    kind = kind if isinstance(kind, type) else None
    if kind is not None and any(base.__name__ == "CoreGymAgent" for base in kind.__mro__):
        raise OptionError(f"{_name(agent)} takes its decisions from outside: check its environment instead")
    return next((world() for world in (load() for load in reversed(_WORLDS)) if world.takes(kind)), World())


def _maker(agent: Any, parameters: dict[str, Any], world: World) -> Make:
    """Return a function that makes the agent from what a simulation has for it."""
    options = constructor_options(agent)
    for name in parameters:
        if name not in options:
            raise unknown_option(name, options, _name(agent))
    there = {*world.parameters(), *parameters}
    missing = [
        f"--{name}"
        for name, parameter in inspect.signature(agent).parameters.items()
        if parameter.default is parameter.empty and name in options and name not in there
    ]
    if missing:
        raise OptionError(f"{_name(agent)} needs {', '.join(missing)}")
    return lambda **given: agent(**{name: value for name, value in {**given, **parameters}.items() if name in options})


def constructor_options(agent: Any) -> dict[str, Option]:
    """Return the arguments of a function or a class; `**arguments` of a constructor are those of the base class's."""
    if not isinstance(agent, type):
        return options_of(agent)
    options: dict[str, Option] = {}
    for kind in agent.__mro__:
        constructor = kind.__dict__.get("__init__")
        if inspect.isfunction(constructor):
            options = {**options_of(constructor), **options}
            if not takes_any(constructor):
                break
    options.pop("self", None)
    return options


def _name(agent: Any) -> str:
    return getattr(agent, "__qualname__", None) or type(agent).__name__


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Words after the command's name, by default those of this process.

    Returns:
        The exit status: 0 if no check has failed, 1 if one has, 2 if the command line is wrong.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in ("-h", "--help"):
        print(f"{USAGE}\n\n{(__doc__ or '').split(chr(10), 2)[2].strip()}")
        return 0
    try:
        if not words:
            raise OptionError(f"no agent given; {USAGE}")
        agent = _load(words[0])
        given = given_options(words[1:])
        only_observe = OBSERVED in given
        given.pop(OBSERVED, None)
        options = constructor_options(agent)
        for name in given:
            if name not in options:
                raise unknown_option(name, options, _name(agent))
        parameters = {name: options[name].value(text) for name, text in given.items()}
        if only_observe:
            world = _world_for(agent)
            observed = world.run(_maker(agent, parameters, world))
            print(json.dumps({"actions": observed.actions, "market": observed.market}))
            return 0
        report = check_agent(agent, **parameters)
    except OptionError as error:
        print(f"abides_core.check: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(report)
    return 0 if report.passed else 1


def _load(target: str) -> Any:
    module_name, _, name = target.rpartition(":")
    if not module_name or not name:
        raise OptionError(f"{target!r} is not MODULE:AGENT, as in my_agents:MyAgent or my_agents.py:MyAgent")
    module = load_module(module_name, f"no module {module_name!r}")
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found) or (isinstance(found, type) and not issubclass(found, Agent)):
        own = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, Agent)]
        raise OptionError(f"{module_name} has no agent {name!r}; it has: {', '.join(own) or 'none'}")
    return found


if __name__ == "__main__":
    from abides_core import check  # the module by which packages make their simulations known, which this is not

    raise SystemExit(check.main())
