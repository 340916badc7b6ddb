# SPDX-License-Identifier: GPL-2.0-only
"""Sections 3.1 and 3.2 step by step: the lock words before and after each step."""

from __future__ import annotations

import pytest

from tests.model.run import Run
from tests.model.table import drives
from tests.model.test_vma_lock import DETACH, enter, readers, scene

VL = ("VMA", "vm_lock")


def vl(run: Run, field: str) -> int:
    return run.get("RwSemaphore", run.semaphore(*VL), field)


# ---- 3.1: the per-VMA lock of 6.12 ---------------------------------------------------------------


@drives("3.1.1", "3.1.3", "3.1.4", "3.1.2")
def test_3_1_1_to_4_write_locked_until_mmap_lock_is_released() -> None:
    run = scene(612)
    run.to(3, "3.1.4")
    assert run.get("VMA", 1, "write_locked") == 0 and run.get("MM", 1, "write_locked_vmas") == 0
    run.over(3, "3.1.4")
    assert vl(run, "writer") == 3, "the vl is taken"
    assert enter(run, 3)
    assert vl(run, "writer") == 0, "only for an instant"
    assert run.get("VMA", 1, "write_locked") == 1 and run.get("VMA", 2, "write_locked") == 0
    assert run.get("MM", 1, "write_locked_vmas") == 1, "found again when mmap_lock is released"
    assert not enter(run, 1) and run.count("VMA_LOCK_ABORT") == 1
    run.go(3)
    assert run.get("VMA", 1, "write_locked") == 0 and run.get("MM", 1, "write_locked_vmas") == 0
    assert enter(run, 2), "readers get in again"


@drives("3.1.1")
@pytest.mark.parametrize("end", [
    "mmap_write_unlock(current.mm)",
    "mmap_write_downgrade(current.mm)\n    mmap_read_unlock(current.mm)"])
def test_3_1_2_all_vma_write_locks_end_in_the_step_that_gives_mmap_lock_up(end: str) -> None:
    both = "vma_start_write(vma)\n    other = find_vma(current.mm, 4)\n    vma_start_write(other)"
    run = scene(612, start=both, end=end)
    assert enter(run, 3)
    assert [run.get("VMA", v, "write_locked") for v in (1, 2)] == [1, 1]
    while run.get("VMA", 1, "write_locked"):
        assert run.get("Thread", 3, "mmap_lock_mode") == 2
        run.step(3)
    assert run.get("VMA", 2, "write_locked") == 0, "together"
    assert run.get("Thread", 3, "mmap_lock_mode") == (1 if "downgrade" in end else 0)


@drives("3.1.4")
def test_3_1_4_an_own_write_lock_is_not_taken_twice() -> None:
    run = scene(612, start="vma_start_write(vma)\n    vma_start_write(vma)")
    run.over(3, "3.1.4")
    assert enter(run, 3) and run.get("VMA", 1, "next_write_locked") == 0
    assert [name for name, _, thread in run.costs].count("vma_start_write") == 1


@drives("3.1.5")
@pytest.mark.parametrize("reason", ["write-locked", "writer", "waiters", "write-locked meanwhile"])
def test_3_1_5_read_lock_fails_without_a_trace(reason: str) -> None:
    run = scene(612)
    run.over(2, "3.1.5")
    assert vl(run, "readers") == 1
    lock = run.semaphore(*VL)
    run.to(1, "3.1.5")
    if reason == "write-locked":
        run = scene(612)
        run.set("VMA", 1, "write_locked", 1)
        run.go(1)
        run.over(4, "3.1.5")  # the other VMA is not affected
    elif reason == "writer":
        run.set("RwSemaphore", lock, "writer", 3)
    elif reason == "waiters":
        run.set("RwSemaphore", lock, "first_waiter", 3)
    else:
        run.step(1)
        run.set("VMA", 1, "write_locked", 1)
    before = run.get("RwSemaphore", lock, "readers") - (reason == "write-locked meanwhile")
    run.go(1)
    assert run.get("Thread", 1, "holds_vma_lock") == 0 and run.count("VMA_LOCK_ABORT") == 1
    assert run.get("RwSemaphore", lock, "readers") == before
    assert run.get("VMA", 1, "rcu_readers") == (1 if reason != "write-locked" else 0)


@drives("3.1.6", "3.1.5")
def test_3_1_6_a_queued_writer_refuses_new_readers() -> None:
    run = scene(612)
    assert enter(run, 1) and not enter(run, 3)
    lock = run.semaphore(*VL)
    assert run.queue(lock) == [3], "the waiters bit"
    assert run.get("RwSemaphore", lock, "last_waiter") == 3
    assert run.get("VMA", 1, "write_locked") == 0
    assert not enter(run, 2) and run.count("VMA_LOCK_ABORT") == 1 and readers(run) == 1


@drives("3.1.7")
def test_3_1_7_the_last_reader_wakes_the_writer() -> None:
    run = scene(612)
    assert enter(run, 1) and enter(run, 2) and not enter(run, 3)
    run.go(1)
    assert readers(run) == 1 and not enter(run, 3), "one reader is left"
    run.go(2)
    assert readers(run) == 0 and vl(run, "writer") == 3
    assert enter(run, 3)


@drives("3.1.8")
def test_3_1_8_miss_walks_again_and_bounds_are_checked() -> None:
    run = scene(612, start=DETACH)
    while "vma_start_read" not in run.where(1):
        run.step(1)
    run.go(3)
    run.over(1, "3.1.8")
    assert run.count("VMA_LOCK_MISS") == 1 and run.count("VMA_LOCK_ABORT") == 0, "not terminal"
    assert readers(run) == 0
    run.go(1)
    assert run.count("VMA_LOCK_ABORT") == 1 and run.get("Thread", 1, "holds_vma_lock") == 0


@pytest.mark.parametrize("version", [612, 700])
def test_3_1_8_a_vma_that_shrank_meanwhile_is_refused(version: int) -> None:
    run = scene(version)
    while "vma_contains" not in run.where(1):
        run.step(1)
    run.set("VMA", 1, "vm_start", 1)
    run.go(1)
    assert run.count("VMA_LOCK_ABORT") == 1 and run.count("VMA_LOCK_MISS") == 0
    assert readers(run) == 0 and run.get("VMA", 1, "rcu_readers") == 0


# ---- 3.2: the per-VMA lock of 6.15 and later -----------------------------------------------------


@drives("3.2.1")
@pytest.mark.parametrize("count, exclude, answer, after", [
    (1, 0, 1, 2), (3, 0, 1, 4), (1, 1, 0, 1), (0, 0, -1, 0)])
def test_3_2_1_counts_in_unless_excluded_or_detached(
    count: int, exclude: int, answer: int, after: int
) -> None:
    run = scene(700)
    run.set("VMA", 1, "vm_refcnt", count)
    run.set("VMA", 1, "exclude_readers", exclude)
    run.over(1, "3.2.1")
    assert run.local(1, "vma_start_read", "counted") == answer
    assert run.get("VMA", 1, "vm_refcnt") == after


@drives("3.2.1", "3.2.2")
def test_3_2_1_write_locked_meanwhile_drops_and_fails() -> None:
    run = scene(700)
    run.over(1, "3.2.1")
    assert run.get("VMA", 1, "vm_refcnt") == 2
    run.set("VMA", 1, "write_locked", 1)
    run.go(1)
    assert run.get("VMA", 1, "vm_refcnt") == 1 and run.count("VMA_LOCK_ABORT") == 1


@drives("3.2.2", "3.2.3")
def test_3_2_2_only_the_last_reader_wakes_the_writer() -> None:
    run = scene(700)
    assert enter(run, 1) and enter(run, 2) and not enter(run, 3)
    assert run.get("VMA", 1, "vm_refcnt") == 3 and run.get("VMA", 1, "exclude_readers") == 1
    run.go(1)
    assert run.get("VMA", 1, "vm_refcnt") == 2 and run.get("Thread", 3, "wait_woken") == 0
    run.go(2)
    assert run.get("VMA", 1, "vm_refcnt") == 1 and run.get("Thread", 3, "wait_woken") == 1
    assert enter(run, 3)


@drives("3.2.3")
def test_3_2_3_excludes_marks_admits() -> None:
    run = scene(700)
    run.to(3, "3.2.3")
    assert run.get("VMA", 1, "exclude_readers") == 0
    run.over(3, "3.2.3")
    assert run.get("VMA", 1, "exclude_readers") == 1 and run.get("MM", 1, "vma_writer_wait") == 3
    assert run.get("VMA", 1, "write_locked") == 0
    assert not enter(run, 1) and run.count("VMA_LOCK_ABORT") == 1
    assert enter(run, 3)
    assert run.get("VMA", 1, "exclude_readers") == 0 and run.get("VMA", 1, "write_locked") == 1
    assert run.get("MM", 1, "vma_writer_wait") == 0 and run.get("VMA", 1, "vm_refcnt") == 1


@drives("3.2.3")
@pytest.mark.parametrize("start, ends", [("vma_start_write(vma)", False),
                                         ("locked = vma_start_write_killable(vma)", True)])
def test_3_2_3_only_the_killable_variant_ends_on_a_fatal_signal(start: str, ends: bool) -> None:
    run = scene(700, start=start)
    assert enter(run, 1) and not enter(run, 3)
    run.set("Thread", 3, "fatal_signal_pending", 1)
    assert enter(run, 3) == ends
    assert run.get("VMA", 1, "exclude_readers") == (not ends)
    assert run.get("VMA", 1, "write_locked") == 0 and run.get("VMA", 1, "vm_refcnt") == 2


@drives("3.2.4")
@pytest.mark.parametrize("late", [False, True])
def test_3_2_4_the_base_reference_goes_and_late_readers_are_waited_for(late: bool) -> None:
    run = scene(700, start=DETACH)
    run.to(3, "3.2.4")
    assert run.get("VMA", 1, "vm_refcnt") == 1
    if late:
        run.set("VMA", 1, "vm_refcnt", 2)
    run.over(3, "3.2.4")
    assert run.get("VMA", 1, "vm_refcnt") == late
    assert enter(run, 3) != late
    assert run.get("VMA", 1, "exclude_readers") == late
    if late:
        run.set("Thread", 3, "fatal_signal_pending", 1)
        assert not enter(run, 3), "uninterruptible"
        run.call("vma_refcount_put", 1)
        assert enter(run, 3)
    assert run.get("VMA", 1, "vm_refcnt") == 0 and run.get("VMA", 1, "exclude_readers") == 0


@drives("3.2.5")
@pytest.mark.parametrize("excluded", [0, 1])
def test_3_2_5_a_holder_of_mmap_lock_just_counts_itself_in(excluded: int) -> None:
    run = scene(700, lock="mmap_read_lock(current.mm)",
                start="locked = vma_start_read_locked(vma)\n    mmap_read_unlock(current.mm)",
                end="pass")
    run.until(3, "vma_start_read_locked")
    assert run.get("Thread", 3, "mmap_lock_mode") == 1
    run.set("VMA", 1, "exclude_readers", excluded)
    run.step(3)
    assert run.get("VMA", 1, "vm_refcnt") == 2 - excluded
    assert run.get("Thread", 3, "holds_vma_lock") == 1 - excluded


@drives("3.2.6")
@pytest.mark.parametrize("version", [615, 700])
def test_3_2_6_the_sequence_handling_is_that_of_3_1(version: int) -> None:
    run = scene(version)
    assert enter(run, 3) and run.get("MM", 1, "write_locked_vmas") == 1
    run.go(3)
    assert run.get("VMA", 1, "write_locked") == 0 and run.get("MM", 1, "write_locked_vmas") == 0
    assert enter(run, 1) and run.get("VMA", 1, "vm_refcnt") == 2
