# SPDX-License-Identifier: GPL-2.0-only
"""Worker processes: results, errors, Ctrl-C and workers that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from multiprocessing.context import SpawnProcess

import pytest

from faultlock.errors import FaultlockError, LanguageErrors
from faultlock.sim.processes import Workers, WorkersDied
from tests.unit.sim.worker_functions import (
    die,
    interrupt_oneself,
    refuse_the_model,
    square_or_refuse,
    write_much,
)


def test_each_result_has_the_number_of_its_task() -> None:
    with Workers(2, square_or_refuse) as workers:
        assert sorted(workers.results([3, 1, 2])) == [(0, 9), (1, 1), (2, 4)]


def test_an_error_in_a_worker_comes_out_as_it_was() -> None:
    wanted = pytest.raises(FaultlockError, match="-1 is negative")
    with wanted, Workers(2, square_or_refuse) as workers:
        list(workers.results([1, -1]))


def test_workers_do_not_hear_ctrl_c() -> None:
    """The terminal sends it to all processes; only the parent answers."""
    with Workers(1, interrupt_oneself) as workers:
        assert list(workers.results([7])) == [(0, 7)]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_ctrl_c_while_workers_begin_waits_until_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose beginning is cut off would print a traceback."""
    real = SpawnProcess.start

    def start(process: SpawnProcess) -> None:
        signal.raise_signal(signal.SIGINT)
        real(process)
        begun.append(process)

    begun: list[SpawnProcess] = []
    monkeypatch.setattr(SpawnProcess, "start", start)
    with pytest.raises(KeyboardInterrupt), Workers(2, square_or_refuse):
        pass
    assert len(begun) == 2
    for process in begun:
        process.terminate()


def test_a_killed_worker_is_said_in_one_line() -> None:
    with pytest.raises(WorkersDied, match="too little memory"), Workers(1, die) as workers:
        list(workers.results([1]))


def test_errors_of_the_language_keep_their_places() -> None:
    with pytest.raises(LanguageErrors) as refused, Workers(1, refuse_the_model) as workers:
        list(workers.results([1]))
    assert str(refused.value) == "a.py:1:2: while True"


def test_an_error_here_ends_workers_that_write_what_nobody_reads() -> None:
    """Each result is larger than a pipe holds: the second worker is stuck in it."""
    with pytest.raises(KeyboardInterrupt), Workers(2, write_much) as workers:
        for _ in workers.results([1 << 24] * 4):
            raise KeyboardInterrupt
    assert all(not process.is_alive() for process in workers.processes)


TWICE = """
import os, signal, sys, threading
from faultlock import cli

def carry_out(words):
    def later():  # the second Ctrl-C comes while the interpreter waits for its threads
        main.join()
        os.kill(os.getpid(), signal.SIGINT)
    main = threading.main_thread()
    threading.Thread(target=later).start()
    raise KeyboardInterrupt

cli._carry_out = carry_out
sys.exit(cli.main())
"""


def test_a_second_ctrl_c_while_python_ends_shows_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 130
    assert done.stderr == "faultlock: interrupted\n"
