"""Independent tasks over processes: one that fails, or kills its process, does not stop the others.

A task's result is what it writes; only its failure comes back. Every process is started afresh (spawn), so that a task
sees the same interpreter whatever ran before it, and ends by itself when the process that started it dies.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import Future
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_handles
from typing import Generic
from typing import TypeVar

Task = TypeVar("Task")


@dataclass(frozen=True)
class Outcome(Generic[Task]):
    """A task that is over.

    Attributes:
        task: The task.
        error: Traceback of its failure; None if it succeeded.
    """

    task: Task
    error: str | None


def run_tasks(function: Callable[[Task], None], tasks: Iterable[Task], workers: int) -> Iterator[Outcome[Task]]:
    """Call `function` with every task.

    Args:
        function: What to do; with more than one worker importable: a module's function, or a `partial` of one.
        tasks: Arguments of the calls, begun in this order.
        workers: Number of processes, ≥ 1; with 1, everything runs in this one.

    Yields:
        Each task as it ends. When the caller stops, running tasks are ended properly and no other is begun.

    Raises:
        ValueError: If `workers` is less than 1.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if workers == 1:
        return (Outcome(task, attempt(function, task)) for task in tasks)
    return _run_in_pools(function, deque(tasks), workers)


def _run_in_pools(function: Callable[[Task], None], waiting: deque[Task], workers: int) -> Iterator[Outcome[Task]]:
    """Run the waiting tasks in a pool of processes, and go on in a new one when a process dies.

    A process that dies takes the pool with it, and the tasks that ran beside its own. Each of them is run again, alone:
    the one to blame is the one that dies again.
    """
    while waiting:
        for task in (yield from _run_pool(function, waiting, workers)):
            if (yield from _run_pool(function, deque([task]), 1)):
                yield Outcome(task, "its process died, twice: killed, or out of memory\n")


def _run_pool(
    function: Callable[[Task], None], waiting: deque[Task], workers: int
) -> Generator[Outcome[Task], None, list[Task]]:
    """Take tasks off `waiting` until it is empty or a process dies; return the tasks that were running then."""
    running: dict[Future[str | None], Task] = {}
    suspects: list[Task] = []
    alive = True
    context = multiprocessing.get_context("spawn")
    # Read by the new processes when they load their numerical libraries: the processes already use the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    processes = min(workers, len(waiting))
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin_worker, initargs=(function,)) as pool:
        while running or (waiting and alive):
            # No task waits inside the pool, so that those of a broken pool are the ones that ran.
            while waiting and alive and len(running) < workers:
                try:
                    running[pool.submit(attempt, function, waiting[0])] = waiting[0]
                    waiting.popleft()
                except BrokenProcessPool:
                    alive = False
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task = running.pop(future)
                try:
                    yield Outcome(task, future.result())
                except BrokenProcessPool:
                    alive = False
                    suspects.append(task)
    return suspects


def attempt(function: Callable[[Task], None], task: Task) -> str | None:
    """Call the function; return the traceback of its failure as text, which passes between processes in any case."""
    try:
        function(task)
    except (Exception, SystemExit):
        return traceback.format_exc()
    return None


def _begin_worker(function: Callable[[Task], None]) -> None:
    """Leave an interrupt to the parent, and end with it: no process goes on writing after its parent was killed.

    What the function needs was imported with it and stays: the garbage collector need not look at it again, which takes
    a quarter off an episode.
    """
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for_handles([sentinel])
    os._exit(1)
