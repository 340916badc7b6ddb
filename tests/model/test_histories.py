# SPDX-License-Identifier: GPL-2.0-only
"""Typical histories of a fault, variant DROP (spec 5.3)."""

from __future__ import annotations

from tests.model.test_drop import IN_FLIGHT, NOTHING, REMOVE, UPTODATE, scene


def test_history_cached_never_reaches_filemap_fault() -> None:
    """5.3: cached, uptodate, unmarked: A1, fault-around maps it."""
    run = scene(more=UPTODATE)
    run.go(1)
    assert run.count("MAP_PAGES") == 1 and run.count("VMA_LOCK_SUCCESS") == 1
    assert run.count("MIN_FLT") == 1 and run.get("MM", 1, "pte") == 1


def test_history_readahead_suppressed() -> None:
    """5.3: A1 reads one folio itself, RETRY+MAJOR; A2 (TRIED) maps it by fault-around."""
    run = scene(flags="VM_READ | VM_RAND_READ")
    assert run.go(1) == "blocked"
    run.go(2, 1)
    assert (run.count("VMA_LOCK_RETRY"), run.count("MAJ_FLT"), run.count("IO_SUBMIT")) == (1, 1, 1)
    assert run.count("PGMAJFAULT") == 1 and run.pc(1) == 0


def test_history_evicted_before_the_redo_waits_under_mmap_lock() -> None:
    """5.3: evicted again before A2 gets mmap_lock: missing again, and the wait holds it."""
    run = scene(ra=1, other=REMOVE)
    run.go(1)
    run.go(2)
    run.until(1, "lock_mm_and_find_vma")
    run.go(3)
    assert run.go(1) == "blocked"
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    assert run.get("Thread", 1, "holds_mmap_lock") != 0
    run.go(2, 1)
    assert run.pc(1) == 0
    assert run.count("PGMAJFAULT") == 2 and run.count("MAJ_FLT") == 1


def test_history_in_flight_read_by_another_is_minor() -> None:
    """5.3: locked by another reader: inv, drop at F22, wait, RETRY without MAJOR, minor."""
    run = scene(more=IN_FLIGHT)
    assert run.go(1) == "blocked"
    assert run.holds(1) == "ref, invalidate_lock, pin"
    run.go(2, 1)
    assert (run.count("MIN_FLT"), run.count("MAJ_FLT"), run.count("VMA_LOCK_RETRY")) == (1, 0, 1)


def test_history_in_flight_met_under_mmap_lock_first_is_major() -> None:
    """5.3: the same, but the first attempt was A2: TRIED makes it major."""
    run = scene(more=IN_FLIGHT, user=False)
    run.go(1, 2)
    assert (run.count("MIN_FLT"), run.count("MAJ_FLT")) == (0, 1)


def test_history_read_error_three_reads_then_sigbus() -> None:
    """5.3: window fails, read_folio fails, the redo reads again and fails: SIGBUS."""
    run = scene(ra=1, IO_ERRORS=1)
    run.choices["io_error"] = lambda thread: 1
    for _ in range(6):
        run.go(1)
        run.go(2)
    assert run.pc(1) == 0 and run.holds(1) == NOTHING
    assert run.count("IO_SUBMIT") == 3
    assert run.count("PGFAULT") == 1 and run.count("MAJ_FLT") == 0
