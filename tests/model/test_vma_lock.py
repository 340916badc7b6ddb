# SPDX-License-Identifier: GPL-2.0-only
"""The per-VMA lock in both forms (spec 3.1, 3.2), and mmap_lock with it."""

from __future__ import annotations

import pytest

from tests.model.run import Run
from tests.model.table import drives

SCENE = """
@setup
def start():
    mm = boot_mm()
    boot_map(mm, None, 0, 2, 0, VM_READ | VM_WRITE)
    boot_map(mm, None, 4, 2, 0, VM_READ | VM_WRITE)

@thread("reader", count=2)
def reader():
    vma = lock_vma_under_rcu(current.mm, 0)
    if vma is not None:
        current.vmf_address = 1
        vma_end_read(vma)

@thread("writer")
def writer():
    {lock}
    vma = find_vma(current.mm, 0)
    {start}
    current.vmf_address = 1
    {end}

@thread("other")
def other():
    vma = lock_vma_under_rcu(current.mm, 4)
    if vma is not None:
        current.vmf_address = 1
        vma_end_read(vma)
"""
INSIDE = "current.vmf_address = 1"
FORMS = pytest.mark.parametrize("version", [612, 700])


def scene(
    version: int,
    start: str = "vma_start_write(vma)",
    lock: str = "mmap_write_lock(current.mm)",
    end: str = "mmap_write_unlock(current.mm)",
) -> Run:
    """Threads 1 and 2 read-lock VMA 1, thread 3 write-locks it, thread 4 read-locks VMA 2."""
    return Run(SCENE.format(start=start, lock=lock, end=end), KERNEL_VERSION=version)


def readers(run: Run) -> int:
    if run.machine.parameters["KERNEL_VERSION"] < 615:
        return run.get("RwSemaphore", run.semaphore("VMA", "vm_lock"), "readers")
    return run.get("VMA", 1, "vm_refcnt") - 1


def enter(run: Run, thread: int) -> bool:
    """Run until inside the lock, asleep, or finished; is the thread inside?"""
    for _ in range(200):
        if INSIDE in run.where(thread):
            return True
        if run.step(thread).code in (0, 3):
            return False
    raise AssertionError("runs for ever")


@FORMS
@drives("3.1.5", "3.2.1", "3.2.2", "3.1.7")
def test_readers_share_and_leave_both(version: int) -> None:
    for each in (612, 700):  # both forms: the decorator wants the labels of both
        run = scene(each)
        assert enter(run, 1) and enter(run, 2) and readers(run) == 2
        run.go(1, 2)
        assert readers(run) == 0 and run.get("VMA", 1, "rcu_readers") == 0
    run = scene(version)
    assert enter(run, 1) and run.get("Thread", 1, "holds_vma_lock") == 1


@drives("3.1.1", "3.1.3", "3.1.4")
def test_6_12_writer_waits_for_readers_uninterruptibly() -> None:
    run = scene(612)
    assert enter(run, 1)
    assert not enter(run, 3)
    run.set("Thread", 3, "fatal_signal_pending", 1)
    assert not enter(run, 3)
    run.go(1)
    assert enter(run, 3) and run.get("VMA", 1, "write_locked") == 1
    vl = run.semaphore("VMA", "vm_lock")
    assert run.get("RwSemaphore", vl, "writer") == 0, "held only for an instant"


@drives("3.2.3")
def test_7_0_writer_excludes_readers_and_waits() -> None:
    run = scene(700)
    assert enter(run, 1)
    assert not enter(run, 3)
    assert run.get("VMA", 1, "exclude_readers") == 1 and run.get("MM", 1, "vma_writer_wait") == 3
    assert not enter(run, 2), "refused from the instant X is added"
    assert run.count("VMA_LOCK_ABORT") == 1
    run.go(1)
    assert enter(run, 3)
    assert run.get("VMA", 1, "exclude_readers") == 0 and run.get("VMA", 1, "write_locked") == 1


@drives("3.1.6")
def test_6_12_new_readers_are_refused_once_the_writer_queues() -> None:
    run = scene(612)
    assert enter(run, 1) and not enter(run, 3)
    assert not enter(run, 2) and run.count("VMA_LOCK_ABORT") == 1


@FORMS
def test_write_locked_vma_refuses_readers_until_mmap_lock_is_released(version: int) -> None:
    run = scene(version)
    assert enter(run, 3) and not enter(run, 1)
    assert enter(run, 4), "another VMA is not affected"
    run.go(3)
    assert run.get("VMA", 1, "write_locked") == 0
    assert enter(run, 2)


@drives("3.1.2", "3.2.6")
def test_all_write_locks_end_together() -> None:
    both = "vma_start_write(vma)\n    other = find_vma(current.mm, 4)\n    vma_start_write(other)"
    run = scene(700, start=both)
    assert enter(run, 3)
    assert run.get("VMA", 1, "write_locked") and run.get("VMA", 2, "write_locked")
    run.go(3)
    assert not run.get("VMA", 1, "write_locked") and not run.get("VMA", 2, "write_locked")
    assert run.get("MM", 1, "write_locked_vmas") == 0


@FORMS
def test_downgrade_ends_write_locks_and_keeps_mmap_lock(version: int) -> None:
    end = """mmap_write_downgrade(current.mm)
    current.vmf_address = 2
    mmap_read_unlock(current.mm)"""
    run = scene(version, end=end)
    run.until(3, "current.vmf_address = 2")
    assert run.get("Thread", 3, "mmap_lock_mode") == 1 and enter(run, 1)


@FORMS
def test_second_look_after_locking(version: int) -> None:
    """The writer marks the VMA between the reader's first look and its lock."""
    run = scene(version)
    while "vma.write_locked" not in run.where(1):
        run.step(1)
    run.step(1)
    assert enter(run, 3)
    assert not enter(run, 1) and readers(run) == 0


DETACH = "vma_start_write(vma)\n    vma_erase(current.mm, vma)\n    vma_mark_detached(vma)"


@drives("3.1.8")
def test_6_12_detached_vma_is_looked_up_again() -> None:
    run = scene(612, start=DETACH)
    while "vma_start_read" not in run.where(1):
        run.step(1)
    run.go(3)  # detached and unlocked before the reader tries
    assert not enter(run, 1)
    assert run.count("VMA_LOCK_MISS") == 1 and run.count("VMA_LOCK_ABORT") == 1


@drives("3.2.4")
def test_7_0_detaching_waits_for_late_readers() -> None:
    run = scene(700, start=DETACH)
    while "vma_refcount_get" not in run.where(1):
        run.step(1)
    run.until(3, "vma_mark_detached")
    run.step(1)  # counted in, and will find the VMA write-locked
    assert not enter(run, 3)
    assert not enter(run, 1)
    assert enter(run, 3) and run.get("VMA", 1, "vm_refcnt") == 0
    run.go(2)
    assert run.count("VMA_LOCK_MISS") == 0, "the tree no longer has it"


def test_7_0_reader_of_a_detached_vma_looks_again() -> None:
    run = scene(700, start=DETACH)
    while "vma_start_read" not in run.where(1):
        run.step(1)
    run.go(3)
    assert not enter(run, 1)
    assert run.count("VMA_LOCK_MISS") == 1


def test_freed_vma_stays_until_its_last_rcu_reader() -> None:
    run = scene(612, start=DETACH + "\n    vma_forget_write_lock(vma)\n    vm_area_free(vma)")
    while "vma_start_read" not in run.where(1):
        run.step(1)
    run.go(3)
    assert run.machine.get(("free", "VMA", 1)) == 1, "still allocated"
    assert not enter(run, 1)
    assert run.machine.get(("free", "VMA", 1)) == 0


@pytest.mark.parametrize("version", [700])
def test_7_0_killable_variant_backs_out(version: int) -> None:
    killable = "locked = vma_start_write_killable(vma)"
    run = scene(version, start=killable)
    assert enter(run, 1) and not enter(run, 3)
    run.set("Thread", 3, "fatal_signal_pending", 1)
    assert enter(run, 3)
    assert run.get("VMA", 1, "exclude_readers") == 0 and run.get("VMA", 1, "write_locked") == 0
    assert enter(run, 2), "readers are let in again"


@drives("3.2.5")
def test_7_0_read_lock_for_a_holder_of_mmap_lock() -> None:
    run = scene(700, lock="mmap_read_lock(current.mm)",
                start="locked = vma_start_read_locked(vma)\n    mmap_read_unlock(current.mm)",
                end="vma_end_read(vma)")
    assert enter(run, 3)
    assert run.get("Thread", 3, "holds_vma_lock") == 1
    assert run.get("Thread", 3, "holds_mmap_lock") == 0
    run.go(3)
    assert readers(run) == 0


def test_s15_blocking_on_mmap_lock_with_a_vma_lock() -> None:
    text = SCENE.format(start="pass", lock="pass", end="pass")
    inside = "    if vma is not None:\n        current.vmf_address = 1\n"
    text = text.replace(inside, "    mmap_read_lock(current.mm)\n" + inside, 1)
    run = Run(text)
    assert run.go(1) == "violated" and run.violation.startswith("S15 ")


def test_s9_write_lock_without_mmap_lock() -> None:
    run = scene(700, lock="pass")
    assert run.go(3) == "violated" and run.violation.startswith("S9 ")
