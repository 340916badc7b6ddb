# SPDX-License-Identifier: GPL-2.0-only
"""Section 2.2 step by step: what each step takes, releases, counts and answers, both ways."""

from __future__ import annotations

import pytest

from tests.model.run import Run
from tests.model.table import drives
from tests.model.test_drop import (
    FAULT_LOCK,
    IN_FLIGHT,
    MAJOR,
    NOTHING,
    NOWAIT_CALL,
    RETRY,
    UPTODATE,
    scene,
)
from tests.model.test_fault_entry import (
    FIXUP,
    MAPPED,
    OOM_TRAP,
    SIGBUS_TRAP,
    SIGNAL,
    SIGSEGV_TRAP,
    trap,
)

WRITE, TRIED, USER, VMA_LOCK, DEFAULT = 0x1, 0x20, 0x40, 0x1000, 0x4 | 0x10 | 0x200
SHARED = "VM_READ | VM_WRITE | VM_SHARED"
COUNTERS = ("VMA_LOCK_SUCCESS", "VMA_LOCK_RETRY", "VMA_LOCK_ABORT", "PGFAULT", "MIN_FLT", "MAJ_FLT")


def counters(run: Run) -> str:
    """The counters of 2.3 that are not 0, with their values."""
    return ", ".join(f"{name} {run.count(name)}" for name in COUNTERS if run.count(name))


def waits_in_a2(run: Run, more: str = "") -> None:
    """Thread 1 sleeps in an attempt under mmap_lock that has released it."""
    assert run.go(1) == "blocked"
    assert run.holds(1) == "ref, invalidate_lock, pin"
    assert run.get("Thread", 1, "vmf_vma") == 0, "S7: the VMA is forgotten"


@drives("2.2.1")
@pytest.mark.parametrize("write, flags", [(False, DEFAULT | USER), (True, DEFAULT | USER | WRITE)])
def test_2_2_1_builds_the_flags_and_counts_the_trap_once(write: bool, flags: int) -> None:
    run = scene(ra=4, flags=SHARED, write=write)
    run.to(1, "2.2.1")
    assert run.get("Thread", 1, "kernel_depth") == 0
    run.over(1, "2.2.1")
    assert run.get("Thread", 1, "kernel_depth") == 1
    run.to(1, "2.2.3")
    assert run.local(1, "fault_with_vma_lock", "flags") == flags
    assert run.holds(1) == NOTHING and counters(run) == ""
    run.go(1, 2)
    assert run.count("FAULT_BEGIN") == run.count("FAULT_END") == 1, "two attempts, one trap"
    assert run.get("Thread", 1, "kernel_depth") == 0


@drives("2.2.2", "2.2.8", "2.2.10")
def test_2_2_2_a_kernel_mode_trap_goes_straight_to_mmap_lock() -> None:
    run = scene(more=UPTODATE, user=False)
    run.over(1, "2.2.2")
    run.to(1, "2.2.8")
    assert run.local(1, "fault_with_mmap_lock", "flags") == DEFAULT, "no USER, no TRIED"
    assert run.holds(1) == NOTHING
    run.over(1, "2.2.8")
    assert run.fault_lock(1) == "mmap read"
    run.over(1, "2.2.10")
    assert run.get("Thread", 1, "attempts") == 1 and run.fault_lock(1) == "mmap read"
    assert trap(run) == MAPPED and run.holds(1) == NOTHING
    assert counters(run) == "PGFAULT 1, MIN_FLT 1", "no vma_lock event at all"


@drives("2.2.2", "2.2.3", "2.2.4", "2.2.5", "2.2.6")
def test_2_2_3_to_6_a_user_mode_trap_needs_only_the_vma_lock() -> None:
    run = scene(more=UPTODATE)
    run.over(1, "2.2.3")
    assert run.fault_lock(1) == "vma" and run.get("Thread", 1, "attempts") == 0
    run.to(1, "2.2.5")
    assert run.fault_lock(1) == "vma", "2.2.4 permits the access"
    run.until(1, "do_read_fault")
    assert run.get("Thread", 1, "vmf_flags") == DEFAULT | USER | VMA_LOCK
    run.over(1, "2.2.5")
    assert run.fault_lock(1) == "vma", "handle_mm_fault came back without RETRY"
    assert run.get("Thread", 1, "attempts") == 1
    run.to(1, "2.2.6")
    assert run.fault_lock(1) == "" and counters(run) == "PGFAULT 1, MIN_FLT 1"
    assert trap(run) == MAPPED
    assert counters(run) == "VMA_LOCK_SUCCESS 1, PGFAULT 1, MIN_FLT 1"
    assert not [e for e in run.events if e[:2] == ("LOCK_ACQUIRED", 1)], "never mmap_lock"


@drives("2.2.3")
def test_2_2_3_null_counts_an_abort_and_calls_no_handler() -> None:
    run = scene(more=UPTODATE)
    run.set("VMA", 1, "write_locked", 1)
    run.to(1, "2.2.8")
    assert counters(run) == "VMA_LOCK_ABORT 1" and run.holds(1) == NOTHING
    assert run.get("Thread", 1, "attempts") == 0
    assert run.local(1, "fault_with_mmap_lock", "flags") == DEFAULT | USER, "no TRIED"


@drives("2.2.4")
def test_2_2_4_a_forbidden_access_ends_before_the_handler() -> None:
    run = scene(more=UPTODATE, write=True)
    run.to(1, "2.2.4")
    assert run.fault_lock(1) == "vma"
    assert trap(run) == SIGSEGV_TRAP and run.holds(1) == NOTHING
    assert counters(run) == "VMA_LOCK_SUCCESS 1"


@drives("2.2.5", "2.2.6")
def test_2_2_5_completed_has_released_the_vma_lock_already() -> None:
    run = scene(more=UPTODATE, flags=SHARED, write=True, DIRTY_EXCEEDED=1)
    run.over(1, "2.2.5")
    assert run.local(1, "fault_with_vma_lock", "fault") & 0x4000, "COMPLETED"
    assert run.holds(1) == NOTHING
    assert trap(run) == MAPPED
    assert counters(run) == "VMA_LOCK_SUCCESS 1, PGFAULT 1, MIN_FLT 1"


@drives("2.2.6", "2.2.7", "2.2.8", "2.2.10", "2.2.12")
@pytest.mark.parametrize("more, tried", [("", TRIED), (IN_FLIGHT, 0)])
def test_2_2_7_retry_falls_to_mmap_lock_with_tried_after_major(more: str, tried: int) -> None:
    run = scene(ra=4, more=more)
    run.go(1)
    run.go(2)
    run.to(1, "2.2.6")
    assert run.holds(1) == NOTHING
    run.to(1, "2.2.7")
    assert counters(run) == "VMA_LOCK_RETRY 1"
    run.over(1, "2.2.8")
    assert run.fault_lock(1) == "mmap read"
    assert run.local(1, "fault_with_mmap_lock", "flags") == DEFAULT | USER | tried
    run.to(1, "2.2.12")
    assert run.fault_lock(1) == "mmap read"
    assert trap(run) == MAPPED and run.fault_lock(1) == ""
    assert run.get("MM", 1, "pte") != 0


@drives("2.2.7")
@pytest.mark.parametrize("signal", ["fatal_signal_pending", "signal_pending"])
def test_2_2_7_looks_for_signals_only_when_retry_is_set(signal: str) -> None:
    run = scene(more=UPTODATE)
    run.set("Thread", 1, signal, 1)
    assert trap(run) == MAPPED and run.get("MM", 1, "pte") != 0
    run = scene(ra=4)
    run.go(1)
    run.set("Thread", 1, signal, 1)
    run.go(2)
    run.to(1, "2.2.7")
    assert trap(run) == SIGNAL
    assert run.holds(1) == NOTHING and run.get("MM", 1, "pte") == 0
    assert counters(run) == "VMA_LOCK_RETRY 1", "no attempt under mmap_lock"


@drives("2.2.9")
def test_2_2_9_permission_is_checked_under_mmap_lock() -> None:
    run = scene(more=UPTODATE, flags=SHARED, write=True, user=False)
    run.to(1, "2.2.9")
    assert run.fault_lock(1) == "mmap read"
    run.to(1, "2.2.10")
    assert run.fault_lock(1) == "mmap read", "allowed: go on with the lock"
    run = scene(more=UPTODATE, write=True, user=False)
    assert trap(run) == FIXUP
    assert run.holds(1) == NOTHING and counters(run) == "" and run.get("Thread", 1, "attempts") == 0


@drives("2.2.11", "2.2.12")
def test_2_2_11_retry_without_a_signal_locks_again_with_tried() -> None:
    run = scene(ra=4, user=False)
    waits_in_a2(run)
    run.go(2)
    run.to(1, "2.2.11")
    assert run.holds(1) == NOTHING, "mmap_lock is not held here"
    run.to(1, "2.2.8")
    assert run.local(1, "fault_with_mmap_lock", "flags") == DEFAULT | TRIED
    run.over(1, "2.2.8")
    assert run.fault_lock(1) == "mmap read"
    assert trap(run) == MAPPED and counters(run) == "PGFAULT 1, MAJ_FLT 1"
    assert ("FAULT_END", 0, 0x100, 0, 1) in run.events, "NOPAGE of fault-around comes through"


@drives("2.2.11")
@pytest.mark.parametrize("signal, user, ends", [
    ("fatal_signal_pending", 0, True), ("signal_pending", 0, False),
    ("fatal_signal_pending", 1, True), ("signal_pending", 1, True)])
def test_2_2_11_which_signal_ends_the_trap(signal: str, user: int, ends: bool) -> None:
    """An ordinary signal only when the trap came from user mode."""
    run = scene(ra=4, user=bool(user))
    run.set("VMA", 1, "write_locked", 1)  # user mode too goes to A2
    run.to(1, "2.2.8")
    run.set("VMA", 1, "write_locked", 0)
    waits_in_a2(run)
    run.set("Thread", 1, signal, 1)
    run.go(2)
    run.to(1, "2.2.11")
    expected = (SIGNAL if user else FIXUP) if ends else MAPPED
    assert trap(run) == expected and run.holds(1) == NOTHING
    assert (run.get("MM", 1, "pte") == 0) == ends


@drives("2.2.12")
def test_2_2_12_completed_ends_without_the_lock() -> None:
    run = scene(more=UPTODATE, flags=SHARED, write=True, DIRTY_EXCEEDED=1, user=False)
    run.to(1, "2.2.12")
    assert run.holds(1) == NOTHING
    assert trap(run) == MAPPED and run.get("Thread", 1, "attempts") == 0
    assert counters(run) == "PGFAULT 1, MIN_FLT 1"
    assert [event[2] & 0x4000 for event in run.events if event[0] == "FAULT_END"] == [0x4000]


@drives("2.2.13")
def test_2_2_13_what_the_task_gets_for_each_result() -> None:
    run = scene(more=UPTODATE)
    run.to(1, "2.2.13")
    assert run.holds(1) == NOTHING and run.get("Thread", 1, "kernel_depth") == 0
    oom, sigbus, sigsegv, nopage, completed = 0x1, 0x2, 0x40, 0x100, 0x4000
    user = {0: MAPPED, nopage: MAPPED, MAJOR: MAPPED, completed: MAPPED, oom: OOM_TRAP,
            sigbus: SIGBUS_TRAP, sigsegv: SIGSEGV_TRAP, RETRY: SIGNAL}
    for fault, expected in user.items():
        assert run.call("trap_result", fault, 1) == expected
        kernel = MAPPED if expected == MAPPED else FIXUP
        assert run.call("trap_result", fault, 0) == kernel
    assert trap(run) == MAPPED


@drives("2.2.13")
@pytest.mark.parametrize("user", [True, False])
def test_2_2_13_out_of_memory(user: bool) -> None:
    run = scene(N_FOLIOS=1, flags="VM_READ | VM_RAND_READ", user=user,
                more="    boot_cache(mapping, 3, 0)\n")
    assert trap(run) == (OOM_TRAP if user else FIXUP)
    assert run.holds(1) == NOTHING and run.count("PGFAULT") == 1
    assert run.count("MIN_FLT") + run.count("MAJ_FLT") == 0, "an error is no maj_flt or min_flt"


# ---- 4.1 -----------------------------------------------------------------------------------------


@drives("4.1.1")
def test_4_1_1_refuses_nowait_under_the_vma_lock() -> None:
    """sanitize_fault_flags; the model's S16 says so first."""
    run = scene(more=UPTODATE)
    run.to(1, "4.1.1")
    run.over(1, "4.1.1")
    assert run.get("Thread", 1, "vmf_vma") == 1 and run.get("Thread", 1, "vmf_address") == 0
    assert run.get("Thread", 1, "vmf_flags") == DEFAULT | USER | VMA_LOCK
    run = scene(other=NOWAIT_CALL.replace("mmap_read_lock(current.mm)", "pass")
                .replace("find_vma", "lock_vma_under_rcu").replace("NOWAIT)", "NOWAIT | 1 << 12)"))
    run.to(3, "4.1.1")
    assert run.fault_lock(3) == "vma"
    assert run.go(3) == "violated" and run.violation.startswith("S16 ")
    run = scene(more=IN_FLIGHT, other=NOWAIT_CALL)
    run.over(3, "4.1.1")
    assert run.get("Thread", 3, "vmf_flags") == 0x4 | 0x8


@drives("4.1.2")
def test_4_1_2_is_paid_once_for_each_attempt() -> None:
    """memcg OOM handling is left out; its place is the cost of handle_mm_fault."""
    run = scene(ra=4)
    run.over(1, "4.1.2")
    assert run.costs[-1] == ("handle_mm_fault", 1, 1)
    assert run.holds(1) == FAULT_LOCK and counters(run) == ""
    run.go(1, 2)
    assert [name for name, _, thread in run.costs].count("handle_mm_fault") == 2, "A1 and A2"


@drives("4.1.3")
def test_4_1_3_makes_the_result() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "4.1.3")
    assert run.get("MM", 1, "pte") == 0
    run.over(1, "4.1.3")
    assert run.local(1, "handle_mm_fault", "ret") == 0x200, "LOCKED comes through"
    assert run.get("MM", 1, "pte") == 1 and run.holds(1) == FAULT_LOCK


@drives("4.1.4", "4.1.5")
@pytest.mark.parametrize("arguments, counted", [
    ({"more": UPTODATE}, "PGFAULT 1, MIN_FLT 1"),
    ({"size": 1, "page": 2}, "PGFAULT 1"),  # SIGBUS
    ({"ra": 4}, ""),  # RETRY
])
def test_4_1_5_counts_by_the_result(arguments: dict[str, object], counted: str) -> None:
    run = scene(**arguments)  # type: ignore[arg-type]
    if not counted:
        assert run.go(1) == "blocked"
        run.go(2)
    run.to(1, "4.1.5")
    assert counters(run) == ""
    run.over(1, "4.1.5")
    assert counters(run) == counted
    run.over(1, "4.1.4")
    for field in ("vmf_vma", "vmf_flags", "vmf_page", "vmf_address", "vmf_pgoff"):
        assert run.get("Thread", 1, field) == 0, "4.1.4: the VMA may be gone"


@drives("4.1.5")
def test_4_1_5_tried_makes_it_major() -> None:
    run = scene(more=IN_FLIGHT, user=False)
    waits_in_a2(run)
    run.go(2, 1)
    assert counters(run) == "PGFAULT 1, MAJ_FLT 1", "no MAJOR in the result, but TRIED"
