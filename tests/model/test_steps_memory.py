# SPDX-License-Identifier: GPL-2.0-only
"""Sections 4.2 and 4.3 step by step: what each step of the three kinds of fault holds and does."""

from __future__ import annotations

import pytest

from tests.model.run import Run
from tests.model.table import drives
from tests.model.test_drop import (
    FAULT_LOCK,
    IN_FLIGHT,
    LOCKED,
    MAJOR,
    NOTHING,
    OOM,
    RETRY,
    SIGBUS,
    UPTODATE,
    scene,
)
from tests.model.test_memory import (
    ACCESSED,
    PRIVATE,
    PRIVATE_PTE,
    SHARED,
    SLOW,
    WRITABLE,
    pte_flags,
)

NOPAGE, COMPLETED = 0x100, 0x4000
MKWRITE = "    for vma in each(VMA):\n        vma.page_mkwrite = True\n"
ALL = "ref, folio lock, fault lock"


def ret(run: Run, function: str) -> int:
    return run.local(1, function, "ret")


def answer(run: Run, function: str = "handle_mm_fault") -> int:
    """What handle_pte_fault answered."""
    run.to(1, "4.1.5")
    return run.local(1, function, "ret")


# ---- 4.2 -----------------------------------------------------------------------------------------


@drives("4.2.1")
def test_4_2_1_an_empty_pte_asks_the_file_or_makes_anonymous_memory() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "4.2.1")
    assert run.get("MM", 1, "pte") == 0 and run.holds(1) == FAULT_LOCK
    run.over(1, "4.2.1")
    assert run.count("FILEMAP_FAULT") == 1 and run.get("MM", 1, "pte") == 1
    assert run.holds(1) == FAULT_LOCK


@drives("4.2.2")
@pytest.mark.parametrize("flags, private", [(SHARED, False), (PRIVATE, True)])
def test_4_2_2_a_present_pte_that_is_not_writable(flags: str, private: bool) -> None:
    run = scene(more=UPTODATE, flags=flags, other="    touch(0, True, True)\n")
    run.go(1)
    run.to(3, "4.2.2")
    assert run.holds(3) == FAULT_LOCK and run.get("MM", 1, "pte") == 1
    run.over(3, "4.2.2")
    assert run.holds(3) == FAULT_LOCK and pte_flags(run) & WRITABLE
    assert (run.get("MM", 1, "pte") == 0) == private == bool(pte_flags(run) & PRIVATE_PTE)
    assert run.get("Folio", 1, "dirty") == (not private)
    assert run.count("FILEMAP_FAULT") == 0


def test_4_2_2_a_present_pte_that_suffices_only_gets_its_accessed_bit() -> None:
    """Two threads fault; the second finds the PTE set: 0, nothing called."""
    run = scene(more=UPTODATE, other="    touch(0, False, True)\n", FAULT_AROUND_PAGES=1)
    run.until(3, "pte_state()")
    run.go(1)
    run.set("MM", 1, "pte_flags", 0)
    run.go(3)
    assert pte_flags(run) == ACCESSED
    assert run.count("FILEMAP_FAULT") == 1 and run.count("MIN_FLT") == 2


# ---- do_read_fault -------------------------------------------------------------------------------


@drives("4.3r1")
def test_4_3r1_ends_the_fault_when_it_mapped_the_address() -> None:
    run = scene(more=UPTODATE)
    run.to(1, "4.3r1")
    assert run.get("MM", 1, "pte") == 0
    run.over(1, "4.3r1")
    assert ret(run, "do_read_fault") == NOPAGE and run.holds(1) == FAULT_LOCK
    assert run.get("MM", 1, "pte") == 1 and run.get("Folio", 1, "refcount") == 2
    assert answer(run) == NOPAGE and run.count("FILEMAP_FAULT") == 0
    run = scene(more="    boot_cache(mapping, 1, 0)\n")
    run.over(1, "4.3r1")
    assert ret(run, "do_read_fault") == 0, "a neighbour was mapped, not the address"
    assert run.get("MM", 1, "pte", 1) == 1
    run.to(1, "4.3r3")


@drives("4.3r2", "4.3r3")
@pytest.mark.parametrize("slow, user, answered, held", [
    ("", True, 0, FAULT_LOCK), (SLOW, False, 0, FAULT_LOCK)])
def test_4_3r2_permits_with_map_pages_or_under_mmap_lock(
    slow: str, user: bool, answered: int, held: str
) -> None:
    run = scene(more=UPTODATE + slow, user=user, FAULT_AROUND_PAGES=1)
    run.over(1, "4.3r2")
    assert ret(run, "do_read_fault") == answered and run.holds(1) == held
    run.over(1, "4.3r3")
    assert ret(run, "do_read_fault") == LOCKED and run.holds(1) == ALL


@drives("4.3r2", "4.3c1", "4.3s1")
def test_4_3_without_map_pages_the_vma_lock_is_given_up() -> None:
    """vmf_can_call_fault of all three kinds: RETRY without MAJOR, so A2 has no TRIED."""
    for function, label, flags in (("do_read_fault", "4.3r2", "VM_READ"),
                                   ("do_cow_fault", "4.3c1", PRIVATE),
                                   ("do_shared_fault", "4.3s1", SHARED)):
        run = scene(more=UPTODATE + SLOW, flags=flags, write=flags != "VM_READ",
                    FAULT_AROUND_PAGES=1)
        run.to(1, label)
        assert run.fault_lock(1) == "vma"
        run.over(1, label)
        assert ret(run, function) == RETRY and run.holds(1) == NOTHING
        assert run.count("FILEMAP_FAULT") == 0
        run.to(1, "2.2.10")
        assert run.fault_lock(1) == "mmap read"
        assert not run.local(1, "fault_with_mmap_lock", "flags") & 0x20
        run.over(1, label)
        assert ret(run, function) == 0 and run.fault_lock(1) == "mmap read", "permitted there"


@drives("4.3r3", "4.3r4")
@pytest.mark.parametrize("arguments, answered, held", [
    ({"more": UPTODATE}, LOCKED, ALL), ({"size": 0}, SIGBUS, FAULT_LOCK),
    ({"ra": 4}, RETRY | MAJOR, NOTHING)])
def test_4_3r3_and_r4_pass_errors_and_retry_through(
    arguments: dict[str, object], answered: int, held: str
) -> None:
    run = scene(FAULT_AROUND_PAGES=1, **arguments)  # type: ignore[arg-type]
    run.to(1, "4.3r3")
    assert run.holds(1) == FAULT_LOCK
    run.step(1)
    if answered & RETRY:
        run.go(1)
        run.go(2)
    run.to(1, "4.3r4")
    assert ret(run, "do_read_fault") == answered and run.holds(1) == held
    if answered == LOCKED:
        run.to(1, "4.3r5")
    assert answer(run) == answered
    assert (run.get("MM", 1, "pte") != 0) == (answered == LOCKED)


@drives("4.3r5")
def test_4_3r5_sets_the_pte_then_unlocks() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.over(1, "4.3r5")
    assert pte_flags(run) == ACCESSED and run.get("Folio", 1, "mapcount") == 1
    assert run.holds(1) == "folio lock, fault lock" and run.get("Folio", 1, "refcount") == 2
    run.to(1, "4.1.5")
    assert run.holds(1) == FAULT_LOCK and run.get("Folio", 1, "locked") == 0


@drives("4.3r5")
@pytest.mark.parametrize("change, answered", [("pte_flags", NOPAGE), ("unstable", SIGBUS)])
def test_4_3r5_refuses_and_gives_the_reference_back(change: str, answered: int) -> None:
    """Somebody set the PTE; the OOM reaper has been here (private VMAs)."""
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "4.3r5")
    run.set("MM", 1, change, PRIVATE_PTE if change == "pte_flags" else 1)
    run.over(1, "4.3r5")
    assert ret(run, "do_read_fault") & answered and run.holds(1) == ALL
    run.to(1, "4.1.5")
    assert run.holds(1) == FAULT_LOCK and run.get("MM", 1, "pte") == 0
    assert run.get("Folio", 1, "refcount") == 1 and run.get("Folio", 1, "locked") == 0


# ---- do_cow_fault --------------------------------------------------------------------------------


def cow(more: str = UPTODATE, **arguments: object) -> Run:
    return scene(more=more, flags=PRIVATE, write=True, MEMORY_PAGES=4, **arguments)  # type: ignore[arg-type]


@drives("4.3c1", "4.3c2", "4.3c3", "4.3c4", "4.3c5", "4.3c6", "4.3c7")
def test_4_3c_step_by_step() -> None:
    run = cow()
    used = run.get("memory", 1, "used_pages")
    run.over(1, "4.3c1")
    assert ret(run, "do_cow_fault") == 0 and run.fault_lock(1) == "vma"
    run.over(1, "4.3c2")
    assert run.get("VMA", 1, "anon_vma") == 1 and run.fault_lock(1) == "vma"
    assert run.get("Thread", 1, "mmap_lock_mode") == 0, "mmap_lock was tried and released again"
    assert [e[0] for e in run.events if e[1] == 1 and "LOCK" in e[0]] == [
        "LOCK_ACQUIRED", "LOCK_RELEASED"]
    assert run.get("memory", 1, "used_pages") == used
    run.over(1, "4.3c3")
    assert run.get("memory", 1, "used_pages") == used + 1 and run.holds(1) == FAULT_LOCK
    run.over(1, "4.3c4")
    assert ret(run, "do_cow_fault") == LOCKED and run.holds(1) == ALL
    assert run.count("MAP_PAGES") == 0, "no fault-around"
    run.over(1, "4.3c5")
    assert run.costs[-1] == ("copy_page", 1, 1) and run.holds(1) == ALL, "under the folio lock"
    assert pte_flags(run) == 0
    run.over(1, "4.3c6")
    assert pte_flags(run) == PRIVATE_PTE | WRITABLE | ACCESSED and run.holds(1) == ALL
    assert run.get("MM", 1, "pte") == 0 and run.get("Thread", 1, "vmf_cow_page") == 0
    run.over(1, "4.3c7")
    assert run.holds(1) == "ref, fault lock"
    run.to(1, "4.1.5")
    assert run.holds(1) == FAULT_LOCK and run.get("Folio", 1, "refcount") == 1
    assert run.get("memory", 1, "used_pages") == used + 1


@drives("4.3c2")
def test_4_3c2_retry_when_mmap_lock_is_busy() -> None:
    run = cow()
    lock = run.semaphore("MM", "mmap_lock")
    run.set("RwSemaphore", lock, "writer", 3)
    run.over(1, "4.3c2")
    assert ret(run, "do_cow_fault") == RETRY and run.holds(1) == NOTHING
    assert run.queue(lock) == [] and run.get("VMA", 1, "anon_vma") == 0, "tried, never waited"


@drives("4.3c3")
def test_4_3c3_out_of_memory_holds_the_fault_lock() -> None:
    run = cow()
    run.to(1, "4.3c3")
    run.set("memory", 1, "used_pages", 4)
    assert answer(run) == OOM and run.holds(1) == FAULT_LOCK
    assert run.count("FILEMAP_FAULT") == 0 and run.get("memory", 1, "used_pages") == 4


@drives("4.3c4")
@pytest.mark.parametrize("more, ra, answered, held", [
    ("", 1, RETRY | MAJOR, NOTHING), (IN_FLIGHT, 0, RETRY, NOTHING)])
def test_4_3c4_gives_the_copy_back(more: str, ra: int, answered: int, held: str) -> None:
    run = cow(more=more, ra=ra)
    run.go(1)
    before = run.get("memory", 1, "used_pages")
    assert run.get("Thread", 1, "vmf_cow_page") == 1, "allocated before the fault"
    run.go(2)
    run.until(1, "free_cow_page")
    assert ret(run, "do_cow_fault") == answered and run.holds(1) == held
    assert answer(run) == answered
    assert run.get("memory", 1, "used_pages") == before - 1
    run.over(1, "4.3c4")  # the redo
    assert ret(run, "do_cow_fault") == LOCKED


@drives("4.3c6", "4.3c7")
def test_4_3c6_pte_that_was_set_meanwhile_is_nopage() -> None:
    run = cow()
    run.to(1, "4.3c6")
    used = run.get("memory", 1, "used_pages")
    run.set("MM", 1, "pte_flags", PRIVATE_PTE)
    run.over(1, "4.3c6")
    assert ret(run, "do_cow_fault") & NOPAGE and run.holds(1) == ALL
    run.to(1, "4.1.5")
    assert run.holds(1) == FAULT_LOCK and run.get("Folio", 1, "refcount") == 1
    assert run.get("memory", 1, "used_pages") == used - 1, "the copy was not used"


# ---- do_shared_fault -----------------------------------------------------------------------------


def shared_write(more: str = UPTODATE, **arguments: object) -> Run:
    return scene(more=more, flags=SHARED, write=True, **arguments)  # type: ignore[arg-type]


@drives("4.3s1", "4.3s2", "4.3s3", "4.3s4", "4.3s5")
def test_4_3s_step_by_step() -> None:
    run = shared_write(UPTODATE + MKWRITE)
    run.over(1, "4.3s1")
    assert ret(run, "do_shared_fault") == 0 and run.fault_lock(1) == "vma"
    run.over(1, "4.3s2")
    assert ret(run, "do_shared_fault") == LOCKED and run.holds(1) == ALL
    assert run.count("MAP_PAGES") == 0, "no fault-around"
    run.to(1, "4.3s3")
    assert run.holds(1) == "ref, fault lock", "unlocked before page_mkwrite"
    run.over(1, "4.3s3")
    assert run.holds(1) == ALL, "locked again"
    assert ("page_mkwrite", 1, 1) in run.costs
    run.over(1, "4.3s4")
    assert pte_flags(run) == WRITABLE | ACCESSED and run.get("Folio", 1, "dirty") == 0
    assert run.holds(1) == "folio lock, fault lock"
    run.over(1, "4.3s5")
    assert run.get("Folio", 1, "dirty") == 1 and run.holds(1) == FAULT_LOCK
    assert run.get("Folio", 1, "locked") == 0


@drives("4.3s2")
def test_4_3s2_passes_retry_through() -> None:
    run = shared_write("", ra=4)
    run.go(1)
    run.go(2)
    assert answer(run) == RETRY | MAJOR and run.holds(1) == NOTHING
    assert run.get("MM", 1, "pte") == 0
    run.over(1, "4.3s2")  # the redo
    assert ret(run, "do_shared_fault") == LOCKED


@drives("4.3s4")
def test_4_3s4_pte_that_was_set_meanwhile_is_nopage() -> None:
    run = shared_write()
    run.to(1, "4.3s4")
    assert ("page_mkwrite", 1, 1) not in run.costs, "this file has no page_mkwrite"
    run.set("MM", 1, "pte_flags", PRIVATE_PTE)
    run.over(1, "4.3s4")
    run.to(1, "4.1.5")
    assert answer(run) & NOPAGE and run.holds(1) == FAULT_LOCK
    assert run.get("Folio", 1, "refcount") == 1 and run.get("Folio", 1, "dirty") == 0


@drives("4.3s5")
@pytest.mark.parametrize("exceeded, tried, answered, throttled, held", [
    (0, False, 0, 0, FAULT_LOCK), (1, False, COMPLETED, 1, NOTHING), (1, True, 0, 1, FAULT_LOCK)])
def test_4_3s5_throttles_without_the_lock_on_a_first_attempt(
    exceeded: int, tried: bool, answered: int, throttled: int, held: str
) -> None:
    run = shared_write(DIRTY_EXCEEDED=exceeded)
    run.to(1, "4.3s5")
    if tried:
        run.set("Thread", 1, "vmf_flags", run.get("Thread", 1, "vmf_flags") | 0x20)
    run.over(1, "4.3s5")
    assert run.local(1, "do_shared_fault", "tmp") == answered
    assert run.count("THROTTLE") == throttled and run.holds(1) == held
    assert run.get("Folio", 1, "dirty") == 1 and run.get("File", 1, "f_count") == 1
    assert answer(run) & COMPLETED == answered
