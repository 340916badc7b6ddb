# SPDX-License-Identifier: GPL-2.0-only
"""The architecture's entry (spec 2.2 and 2.3) and handle_mm_fault (4.1): attempts, counters."""

from __future__ import annotations

import pytest

from tests.model.run import Run
from tests.model.table import drives
from tests.model.test_drop import FAULT_LOCK, KILL, NOTHING, UPTODATE, scene

MAPPED, SIGNAL, SIGSEGV_TRAP, SIGBUS_TRAP, OOM_TRAP, FIXUP = range(6)
WRITER = """    mmap_write_lock(current.mm)
    vma = find_vma(current.mm, 0)
    vma_start_write(vma)
    mmap_write_unlock(current.mm)
"""


def trap(run: Run, thread: int = 1) -> int:
    """What do_user_addr_fault returned to touch()."""
    run.until(thread, "if result != Trap.MAPPED and result != Trap.SIGNAL")
    return run.local(thread, "touch", "result")


@drives("2.2.1", "2.2.2", "2.2.3", "2.2.5", "2.2.6", "2.2.13", "4.1.1", "4.1.2", "4.1.3", "4.1.4",
        "4.1.5")
def test_first_attempt_under_the_vma_lock() -> None:
    run = scene(more=UPTODATE)
    run.past(1, "2.2.3")
    run.to(1, "2.2.4")
    assert run.holds(1) == FAULT_LOCK and run.get("Thread", 1, "holds_vma_lock") == 1
    run.to(1, "2.2.6")
    assert run.holds(1) == NOTHING, "the lock was released after handle_mm_fault"
    assert trap(run) == MAPPED
    assert run.get("Thread", 1, "kernel_depth") == 0
    assert (run.count("VMA_LOCK_SUCCESS"), run.count("PGFAULT"), run.count("MIN_FLT")) == (1, 1, 1)
    assert run.get("Thread", 1, "vmf_vma") == 0, "4.1.4: the VMA is forgotten"


@drives("2.2.4")
def test_permission_error_under_the_vma_lock() -> None:
    run = scene(more=UPTODATE, write=True)
    assert trap(run) == SIGSEGV_TRAP
    assert run.holds(1) == NOTHING
    assert run.count("VMA_LOCK_SUCCESS") == 1 and run.count("PGFAULT") == 0


@drives("2.2.7", "2.2.8", "2.2.10", "2.2.12")
def test_retry_goes_to_mmap_lock_tried_only_after_major() -> None:
    run = scene(ra=4)
    run.go(1)
    run.go(2)
    run.to(1, "2.2.10")
    assert run.local(1, "fault_with_mmap_lock", "flags") & 0x20, "TRIED"
    assert run.get("Thread", 1, "holds_mmap_lock") == 1
    assert trap(run) == MAPPED
    assert run.holds(1) == NOTHING and run.count("VMA_LOCK_RETRY") == 1
    run = scene(more="    boot_read(mapping, 0, 1)\n")
    run.go(1)
    run.go(2)
    run.to(1, "2.2.10")
    assert not run.local(1, "fault_with_mmap_lock", "flags") & 0x20, "no MAJOR, no TRIED"


@drives("2.2.7")
def test_killed_after_retry_returns_unmapped() -> None:
    run = scene(ra=4, other=KILL)
    run.go(1)
    run.go(3)
    assert trap(run) == SIGNAL
    assert run.holds(1) == NOTHING and run.get("MM", 1, "pte") == 0


@drives("2.2.3", "2.2.8")
def test_no_vma_lock_means_abort_and_mmap_lock() -> None:
    run = scene(more=UPTODATE)
    run.set("VMA", 1, "write_locked", 1)
    run.to(1, "2.2.8")
    assert run.count("VMA_LOCK_ABORT") == 1
    run.past(1, "2.2.8")
    run.to(1, "2.2.9")
    assert run.get("Thread", 1, "mmap_lock_mode") == 1
    run.set("VMA", 1, "write_locked", 0)
    assert trap(run) == MAPPED


@drives("2.2.8")
def test_no_mapping_is_sigsegv_without_a_lock() -> None:
    run = scene(page=6)
    assert trap(run) == SIGSEGV_TRAP
    assert run.holds(1) == NOTHING and run.count("VMA_LOCK_ABORT") == 1


@drives("2.2.8")
def test_killed_while_waiting_for_mmap_lock() -> None:
    run = scene(more=UPTODATE, other=WRITER, user=False)
    run.until(3, "mmap_write_unlock")
    assert run.go(1) == "blocked"
    run.set("Thread", 1, "fatal_signal_pending", 1)
    assert trap(run) == FIXUP
    assert run.holds(1) == NOTHING


@drives("2.2.9")
def test_permission_error_under_mmap_lock() -> None:
    run = scene(more=UPTODATE, write=True, user=False)
    run.to(1, "2.2.9")
    assert run.holds(1) == FAULT_LOCK
    assert trap(run) == FIXUP
    assert run.holds(1) == NOTHING


@drives("2.2.11")
def test_kernel_mode_fault_skips_the_vma_lock_and_is_fixed_up_when_killed() -> None:
    run = scene(ra=4, user=False, other=KILL)
    run.go(1)
    assert run.holds(1) == "ref, invalidate_lock, pin"
    assert run.count("VMA_LOCK_RETRY") + run.count("VMA_LOCK_SUCCESS") == 0
    run.go(3)
    assert trap(run) == FIXUP
    assert run.holds(1) == NOTHING


@drives("2.2.12")
def test_throttled_write_completes_with_the_lock_released() -> None:
    run = scene(more=UPTODATE, flags="VM_READ | VM_WRITE | VM_SHARED", write=True,
                DIRTY_EXCEEDED=1, user=False)
    run.until(1, "emit(\"THROTTLE\")")
    assert run.holds(1) == "pin"
    run.to(1, "2.2.12")
    assert run.local(1, "fault_with_mmap_lock", "fault") & 0x4000, "COMPLETED"
    assert run.holds(1) == NOTHING
    assert trap(run) == MAPPED


@drives("2.2.13")
@pytest.mark.parametrize("user, expected", [(True, SIGBUS_TRAP), (False, FIXUP)])
def test_beyond_the_end(user: bool, expected: int) -> None:
    run = scene(size=1, page=2, user=user)
    assert trap(run) == expected


STACK = """
@setup
def start():
    mm = boot_mm()
    boot_map(mm, None, 4, 2, 0, VM_READ | VM_WRITE | VM_GROWSDOWN)

@thread("T1")
def grow():
    touch(2, True, True)
"""


@drives("2.2.8")
def test_stack_grows_down_under_the_write_lock() -> None:
    run = Run(STACK)
    run.until(1, "vma.vm_start = address")
    assert run.get("Thread", 1, "mmap_lock_mode") == 2
    assert run.get("VMA", 1, "write_locked") == 1
    run.go(1)
    assert run.get("VMA", 1, "vm_start") == 2
    assert run.get("MM", 1, "pte_flags", 2) & 4
    assert run.holds(1) == NOTHING and run.get("VMA", 1, "write_locked") == 0


def test_ordinary_signal_with_retry_repeats_the_instruction() -> None:
    """L9: one signal costs one more trap."""
    run = scene(ra=4)
    run.go(1)
    run.set("Thread", 1, "signal_pending", 1)
    run.go(2, 1)
    assert run.pc(1) == 0
    assert run.count("FAULT_BEGIN") == 2 and run.get("Thread", 1, "signal_pending") == 0


def test_nowait_under_the_vma_lock_is_refused() -> None:
    other = """    vma = lock_vma_under_rcu(current.mm, 0)
    flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT | FAULT_FLAG_VMA_LOCK
    result = handle_mm_fault(vma, 0, flags)
"""
    run = scene(other=other)
    assert run.go(3) == "violated"
    assert run.violation.startswith("S16 ")
