# SPDX-License-Identifier: GPL-2.0-only
"""Work in processes of their own: one home for how they begin, and how they end on Ctrl-C.

Each worker has a pipe of its own.  A pool of the standard library shares one pipe for all results:
a worker that is ended while it writes leaves a thread that reads for ever, and Python waits for
that thread when it exits.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Generic, TypeVar

from faultlock.errors import EnvironmentMissing

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkersDied(EnvironmentMissing):
    """A worker process was killed, most often for want of memory."""


def cores() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers(Generic[Task, Result]):
    """`count` processes that do `function`; a context, which ends them on any error at once."""

    def __init__(self, count: int, function: Callable[[Task], Result]) -> None:
        self.count = count
        self.function = function
        self.processes: list[Any] = []
        self.connections: list[Connection] = []

    def __enter__(self) -> Workers[Task, Result]:
        context = multiprocessing.get_context("spawn")
        resource_tracker.ensure_running()  # which would take the mask off again
        with _without_ctrl_c():
            for _ in range(self.count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs, self.function), daemon=True)
                process.start()
                theirs.close()  # so that a dead worker's pipe ends
                self.processes.append(process)
                self.connections.append(ours)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        for process in self.processes:
            if kind is not None:
                process.terminate()
        for connection in self.connections:
            connection.close()
        for process in self.processes:
            process.join()

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """(number, result) of each task, in the order in which they end.

        Raises what a task raises, and WorkersDied."""
        left = iter(enumerate(tasks))
        doing: dict[Connection, int] = {}
        for connection in self.connections:
            self._next(connection, left, doing)
        while doing:
            ready = wait(list(doing))
            for connection in [each for each in doing if each in ready]:
                number = doing.pop(connection)
                error, result = _received(connection)
                if error is not None:
                    raise error
                self._next(connection, left, doing)
                yield number, result

    def in_order(self, tasks: Sequence[Task], tell: Callable[[int, int], None]) -> list[Result]:
        """The results in the order of the tasks; tell(ended so far, number of the one that did).

        Raises as results()."""
        found: dict[int, Result] = {}
        for number, result in self.results(tasks):
            found[number] = result
            tell(len(found), number)
        return [found[number] for number in range(len(tasks))]

    def _next(self, connection: Connection, left: Iterator[tuple[int, Task]],
              doing: dict[Connection, int]) -> None:
        for number, task in left:
            try:
                connection.send(task)
            except OSError:
                raise _died() from None
            doing[connection] = number
            return


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Processes that begin here never see Ctrl-C, which is their parent's business: they inherit
    a mask.  The parent, which any of its threads may tell, sees it when the block is over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    old = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, old)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if pressed:
        raise KeyboardInterrupt


def _received(connection: Connection) -> tuple[Exception | None, Any]:
    try:
        answer: tuple[Exception | None, Any] = connection.recv()
    except (EOFError, OSError):
        raise _died() from None
    return answer


def _died() -> WorkersDied:
    return WorkersDied("a worker process died; there may be too little memory: try --workers 1")


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """A worker: task after task, until the parent closes the pipe or is gone."""
    try:
        while True:
            task = connection.recv()
            answer: tuple[Exception | None, Any]
            try:
                answer = None, function(task)
            except Exception as error:
                answer = error, None
            connection.send(answer)
    except (EOFError, OSError):
        return
