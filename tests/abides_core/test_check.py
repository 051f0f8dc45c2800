from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abides_core import Agent
from abides_core import Message
from abides_core.check import Report
from abides_core.check import World
from abides_core.check import check_agent
from abides_core.monitor import Finding
from abides_core.monitor import Observed
from abides_core.options import OptionError

ROOT = Path(__file__).resolve().parents[2]
SECOND = 1_000_000_000


class Steady(Agent):
    """Answers every message with a random but reproducible delay, and wakes every minute."""

    def __init__(self, id: int, pace: int = 60, **parameters: Any) -> None:
        super().__init__(id, **parameters)
        self.pace = pace

    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        self.set_wakeup(current_time + self.pace * SECOND)

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        self.send_message(sender_id, Message(), delay=int(self.random_state.randint(100)))


class CountsInItsClass(Steady):
    made = itertools.count()

    def __init__(self, id: int, **parameters: Any) -> None:
        super().__init__(id, **parameters)
        self.pace = 60 + next(self.made)


class FollowsASet(Steady):
    def wakeup(self, current_time: int) -> None:
        Agent.wakeup(self, current_time)
        if current_time == 0:
            for name in {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"}:
                self.set_wakeup(SECOND * len(name))


class DrawsGlobally(Steady):
    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        if current_time > 5 * SECOND:
            random.random()


class SeedsGlobally(Steady):
    def __init__(self, id: int, **parameters: Any) -> None:
        super().__init__(id, **parameters)
        np.random.seed(3)


class WakesInThePast(Steady):
    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        if current_time > 0:
            self.set_wakeup(current_time - 5)


class WakesBetweenNanoseconds(Steady):
    def wakeup(self, current_time: int) -> None:
        super().wakeup(current_time)
        self.set_wakeup(current_time + 0.5)  # type: ignore[arg-type]


class SendsIntoThePast(Steady):
    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        self.current_time = current_time
        self.send_message(sender_id, Message(), delay=-10_000)


class SendsText(Steady):
    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        self.current_time = current_time
        self.send_message(sender_id, "hello")  # type: ignore[arg-type]


class SendsAsAnother(Steady):
    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        self.current_time = current_time
        assert self.kernel is not None
        self.kernel.send_message(1, 0, Message())


class SendsToNobody(Steady):
    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        self.current_time = current_time
        self.send_message(99, Message())


class StandsStill(Steady):
    def wakeup(self, current_time: int) -> None:
        Agent.wakeup(self, current_time)
        self.set_wakeup(current_time + (10 if current_time < SECOND else 0))

    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)

    def get_computation_delay(self) -> int:
        return 0

    def kernel_starting(self, start_time: int) -> None:
        super().kernel_starting(SECOND)
        self.set_computation_delay(0)


class Multiplies(Steady):
    def wakeup(self, current_time: int) -> None:
        Agent.wakeup(self, current_time)
        for seconds in (1, 2, 3):
            self.set_wakeup(current_time + seconds * SECOND)


class Fails(Steady):
    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        super().receive_message(current_time, sender_id, message)
        if current_time > 10 * SECOND:
            raise KeyError("no such thing")


class ForgetsItsBase(Steady):
    def receive_message(self, current_time: int, sender_id: int, message: Message) -> None:
        pass


class CannotBeMade(Agent):
    def __init__(self, id: int) -> None:
        raise RuntimeError("no")


class CoreGymAgent:
    """Marks an agent that takes its decisions from outside."""


class DecidesOutside(Agent, CoreGymAgent):
    pass


def make_steady(id: int, random_state: np.random.RandomState) -> Steady:
    return Steady(id, pace=30, random_state=random_state)


def failed(agent: Any, **parameters: Any) -> dict[str, Finding]:
    """What failed, by check."""
    return {finding.check: finding for finding in check_agent(agent, **parameters).failures()}


@pytest.mark.parametrize("agent", [Steady, Agent, make_steady])
def test_a_sound_agent_passes_every_check(agent: Any) -> None:
    report = check_agent(agent)
    report.raise_for_failures()
    assert [(finding.check, finding.passed) for finding in report.findings] == [
        ("determinism", True),
        ("process", True),
        ("random", True),
        ("timing", True),
    ]


def test_arguments_reach_the_constructor() -> None:
    assert check_agent(Steady, pace=30).passed
    with pytest.raises(OptionError, match=r"Steady has no option --pase \(do you mean --pace\?\); allowed: .*pace"):
        check_agent(Steady, pase=30)


def test_state_that_outlives_a_run_is_found() -> None:
    found = failed(CountsInItsClass)
    assert set(found) >= {"determinism"}
    assert found["determinism"].when == 0
    assert "asked for a wake-up at 6" in found["determinism"].what
    assert "class" in found["determinism"].mend


def test_the_order_of_a_set_is_found_by_another_process() -> None:
    found = failed(FollowsASet)
    assert set(found) == {"process"}
    assert "another process" in found["process"].what
    assert "set" in found["process"].mend


def test_global_random_streams_are_watched_from_the_constructor_on() -> None:
    found = failed(DrawsGlobally)
    assert set(found) == {"random"}
    assert found["random"].when is not None
    assert 5 * SECOND < found["random"].when < 7 * SECOND
    assert found["random"].mend == "draw from self.random_state only"
    assert "constructor" in failed(SeedsGlobally)["random"].what


@pytest.mark.parametrize(
    ("agent", "what", "mend"),
    [
        (WakesInThePast, "it asked for a wake-up 5 ns in the past", "from current_time on"),
        (WakesBetweenNanoseconds, "it asked for a wake-up at 0.5", "whole nanoseconds"),
        (SendsIntoThePast, "it sent a Message with a delay of -10000, to arrive before it is sent", "not negative"),
        (SendsText, "it sent 'hello', which is not a message", "subclasses of abides_core.Message"),
        (SendsAsAnother, "it sent a Message as agent 1", "self.send_message"),
        (SendsToNobody, "it sent a Message to agent 99, of 0 to 1", "find_agents_by_type"),
        (StandsStill, "it was activated 10000 times at one instant", "later than now"),
        (Multiplies, "busy with 200000 entries, more than are watched", "one wake-up at a time"),
        (Fails, "receive_message failed with KeyError: 'no such thing'", "without an error"),
        (ForgetsItsBase, "receive_message left the agent's clock at 0", "call super().receive_message(...) first"),
        (CannotBeMade, "its constructor failed with RuntimeError: no", "be made without an error"),
    ],
)
def test_what_is_wrong_in_time_is_named_with_its_remedy(agent: Any, what: str, mend: str) -> None:
    found = failed(agent)
    assert set(found) == {"timing"}
    assert what in found["timing"].what
    assert mend in found["timing"].mend


def test_an_error_elsewhere_is_a_fault_too() -> None:
    def run() -> None:
        raise ZeroDivisionError("in another agent")

    observed = Observed()
    assert World().attempt(run, observed) is None
    assert observed.faults[0].what == "the run ended with ZeroDivisionError: in another agent"


def test_the_time_of_a_fault_is_told() -> None:
    when = failed(Fails)["timing"].when
    assert when is not None
    assert 10 * SECOND < when < 12 * SECOND


def test_a_class_that_cannot_be_imported_is_not_checked_elsewhere() -> None:
    class Local(Steady):
        pass

    report = check_agent(Local)
    assert report.passed
    (process,) = [finding for finding in report.findings if finding.check == "process"]
    assert process.passed is None
    assert "cannot be imported" in process.what


def test_an_agent_that_decides_outside_is_refused() -> None:
    with pytest.raises(OptionError, match="DecidesOutside takes its decisions from outside"):
        check_agent(DecidesOutside)


def test_a_report_raises_with_its_text() -> None:
    report = Report("A", "a world", (Finding("timing", False, "late", 1_500_000_000, "be early"),))
    with pytest.raises(AssertionError) as caught:
        report.raise_for_failures()
    assert str(caught.value).splitlines() == [
        "A in a world",
        "FAILED  timing       at 1970-01-01 00:00:01.500000000: late",
        "                     be early",
    ]


AGENTS = """
from abides_core import Agent

class Sound(Agent):
    def __init__(self, id, gap: int, random_state=None):
        super().__init__(id, random_state=random_state)
        self.gap = gap
    def wakeup(self, current_time):
        super().wakeup(current_time)
        self.set_wakeup(current_time + self.gap)

class Late(Sound):
    def wakeup(self, current_time):
        self.set_wakeup(current_time - 1)
"""


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the conformance command."""
    return subprocess.run(
        [sys.executable, "-m", "abides_core.check", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_command_reports_and_its_status_says_whether_all_passed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(AGENTS)
    done = command("mine:Sound", "--gap", "1_000_000_000", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("Sound in a simulation of ten minutes")
    assert re.findall(r"^(\w+) +(\w+)", done.stdout, flags=re.MULTILINE)[1:] == [
        ("passed", check) for check in ("determinism", "process", "random", "timing")
    ]
    done = command("mine.py:Late", "--gap=5", cwd=tmp_path)
    assert done.returncode == 1
    assert "FAILED  timing" in done.stdout
    assert "1 ns in the past" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "no agent given; usage: python -m abides_core.check MODULE:AGENT"),
        (["mine"], "'mine' is not MODULE:AGENT"),
        (["nothing:Sound"], "no module 'nothing'"),
        (["mine:Sond"], "mine has no agent 'Sond'; it has: Agent, Sound, Late"),
        (["mine:Sound"], "Sound needs --gap"),
        (["mine:Sound", "--gap", "x"], "--gap must be a whole number, got 'x'"),
        (["mine:Sound", "--gab", "5"], "Sound has no option --gab (do you mean --gap?); allowed: "),
        (["mine:Sound", "5"], "'5' belongs to no option"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_said_in_one_line(
    tmp_path: Path, arguments: list[str], error: str
) -> None:
    (tmp_path / "mine.py").write_text(AGENTS)
    done = command(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"abides_core.check: error: {error}")
    assert done.stderr.count("\n") == 1


def test_help(tmp_path: Path) -> None:
    done = command("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "usage: python -m abides_core.check MODULE:AGENT" in done.stdout
    assert "- determinism:" in done.stdout
