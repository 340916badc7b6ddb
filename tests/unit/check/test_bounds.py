# SPDX-License-Identifier: GPL-2.0-only
"""How many reads an operation can wait for: by scenario and policy, and on a cycle."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultlock.check.bounds import io_bounds
from faultlock.check.explore import Options, explore
from faultlock.check.run import check_scenario
from faultlock.check.scenarios import find_scenario
from tests.unit.check.models import native_of

FUSED = Options(partial_order=False)

# A disk that completes one read after another; a reader that waits for ROUNDS of them, or for
# ever; a writer that needs the reader's lock.
READS = """
N_THREADS: Param = 3
ROUNDS: Param = 1

class Folio(Struct, count=1):
    reading: bool

class MM(Struct, count=1):
    taken: bool

class Thread(Struct, count=N_THREADS):
    fatal_signal_pending: bool
    rwsem_granted: bool
    woken: bool
    kernel_depth: Private[Range[0, 1]]
    holds_mmap_lock: Private[MM]

class the(Struct, count=1):
    reader: Thread
    writer: Thread

@atomic
def folio() -> Folio:
    for each_folio in each(Folio):
        return each_folio
    return None

@atomic
def mm() -> MM:
    for each_mm in each(MM):
        return each_mm
    return None

@atomic
def submit():
    folio().reading = True
    current.woken = False
    the.reader = current

@atomic
def lock() -> bool:
    if mm().taken:
        current.woken = False
        the.writer = current
        return False
    mm().taken = True
    current.holds_mmap_lock = mm()
    return True

@atomic
def unlock():
    mm().taken = False
    current.holds_mmap_lock = None
    if the.writer is not None:
        the.writer.woken = True
        the.writer = None

@thread("reader")
def read():
    with atomic:
        current.kernel_depth = 1
    while not lock():
        wait(current.woken, on=mm())
    i: Range[0, 4] = 0
    while i < ROUNDS or ROUNDS == 0:
        submit()
        wait(current.woken, on=folio())
        if ROUNDS > 0:
            i = i + 1
    unlock()
    with atomic:
        current.kernel_depth = 0

@thread("writer")
def write():
    with atomic:
        current.kernel_depth = 1
    while not lock():
        wait(current.woken, on=mm())
    unlock()
    with atomic:
        current.kernel_depth = 0

@thread("disk", daemon=True)
def disk():
    while True:
        x = choose(0, 1, "done", where=folio().reading)
        with atomic:
            folio().reading = False
            the.reader.woken = True

@always("S3 known")
def depth_is_known() -> bool:
    '''Keeps the fields that the bound reads.'''
    for thread in each(Thread):
        if thread.kernel_depth == 0 and thread.holds_mmap_lock is not None:
            return False
    return True
"""


def bounds(scenario: str, policy: str) -> dict[str, int | None]:
    """Thread -> reads."""
    result = check_scenario(policy, find_scenario(scenario))
    assert result.io_bounds is not None
    return {bound.thread: bound.reads for bound in result.io_bounds}


@pytest.mark.parametrize(("rounds", "reads"), [(1, 1), (3, 3), (0, None)])
def test_operations_wait_as_often_as_they_can(
    tmp_path: Path, rounds: int, reads: int | None
) -> None:
    run = explore(native_of(tmp_path, READS, ROUNDS=rounds), options=FUSED)
    found = {bound.thread: bound.reads for bound in io_bounds(run)}
    assert found == {"reader": reads, "writer": reads}


def test_fork_waits_for_the_reads_of_faults_only_when_they_hold_the_lock() -> None:
    assert bounds("fault+fork", "hold") == {"T1": 1, "fork": 1}
    assert bounds("fault+fork", "drop-retry") == {"T1": 1, "fork": 0}
    assert bounds("fault+fork", "fork-fix") == {"T1": 1, "fork": 0}


def test_who_queues_behind_fork_waits_too() -> None:
    assert bounds("fault+fork+exit", "hold") == {"T1": 1, "fork": 1, "exit": 1}
    assert bounds("fault+fork+exit", "drop-retry") == {"T1": 1, "fork": 0, "exit": 0}


def test_populate_keeps_mmap_waiting_for_every_page_of_the_range() -> None:
    assert bounds("populate+mmap", "hold")["mmap"] == 2
    assert bounds("populate+mmap", "drop-retry")["mmap"] == 0


def test_reads_behind_a_failed_assertion_count() -> None:
    assert bounds("nowait+io", "hold") == {"T1": 1}


def test_fork_waits_for_each_vma_once() -> None:
    assert bounds("faults-forever+fork", "hold") == {"fork": 2}
    assert bounds("faults-forever+fork", "drop-retry") == {"fork": 0}
