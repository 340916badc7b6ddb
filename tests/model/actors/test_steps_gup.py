# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.10 and 8.11 step by step: get_user_pages, populate, KVM's asynchronous faults."""

import pytest

from tests.model.actors.scene import Scene
from tests.model.actors.test_gup import PAGES, pages, result, scene
from tests.model.actors.test_kvm import ASYNC, FIXED, HALTED, INTERRUPTED
from tests.model.actors.test_kvm import scene as kvm_scene
from tests.model.table import drives

EINTR, EBUSY, EAGAIN = -4, -16, -11
READ = {"mmap_lock read"}
ALLOW_RETRY, RETRY_NOWAIT, KILLABLE, TRIED, REMOTE, INTERRUPTIBLE = 4, 8, 16, 32, 128, 512
COLD = "FOLL_GET"


@drives("8.10.1")
@pytest.mark.parametrize(("killed", "done", "answer"), [(0, 0, 1), (1, 0, EINTR)])
def test_8_10_1_a_fatal_signal_ends_the_loop(killed: int, done: int, answer: int) -> None:
    s = scene(PAGES.format(n=1, flags=COLD), cache="boot_cache(mapping, 0, 0)")
    s.reach("8.10.1", 1)
    assert s.held(1) == READ
    s.put("Thread", 1, "fatal_signal_pending", killed)
    assert s.run(1) == "" and result(s) == answer and s.held(1) == set()
    assert (s.get("MM", 1, "pte", 0) == 0) == bool(killed), "no fault was made"


@drives("8.10.1")
def test_8_10_1_pages_done_before_the_signal_are_reported() -> None:
    cache = "boot_cache(mapping, 0, 0)\n    boot_cache(mapping, 1, 0)"
    s = scene(PAGES.format(n=2, flags="0"), cache=cache)
    s.reach("8.10.1", 1)
    while s.local(1, "__get_user_pages", "done") == 0:
        assert s.step(1)
    s.put("Thread", 1, "fatal_signal_pending", 1)
    assert s.run(1) == "" and result(s) == 1


@drives("8.10.2")
@pytest.mark.parametrize(("foll", "fault"), [
    ("FOLL_GET", ALLOW_RETRY | KILLABLE),
    ("FOLL_GET | FOLL_INTERRUPTIBLE", ALLOW_RETRY | KILLABLE | INTERRUPTIBLE),
    ("FOLL_GET | FOLL_NOWAIT", ALLOW_RETRY | KILLABLE | RETRY_NOWAIT),
    ("FOLL_GET | FOLL_WRITE", ALLOW_RETRY | KILLABLE | 1),
])  # fmt: skip
def test_8_10_2_translates_the_flags(foll: str, fault: int) -> None:
    s = pages(1, foll)
    s.after("8.10.2", 1)
    s.until(1, "handle_mm_fault")
    assert s.local(1, "handle_mm_fault", "flags") == fault
    assert s.held(1) == READ, "never the VMA lock"


@drives("8.10.2")
def test_8_10_2_without_unlockable_there_is_neither_retry_nor_killable() -> None:
    s = scene("__access_remote_vm(current.mm, 0, 1)")
    s.after("8.10.2", 1)
    s.until(1, "handle_mm_fault")
    assert s.local(1, "handle_mm_fault", "flags") == REMOTE


@drives("8.10.3", "8.10.6", "8.10.7", "8.10.8", "8.10.9")
def test_8_10_3_retry_stops_locked_0_then_one_page_with_tried() -> None:
    s = pages(2)
    assert s.run(1).startswith("folio_wait_bit_common") and "mmap_lock read" not in s.held(1)
    s.run(3)
    s.reach("8.10.3", 1)
    assert s.get("Thread", 1, "gup_locked") == 1
    assert s.after("8.10.3", 1) == set() and s.get("Thread", 1, "gup_locked") == 0
    s.reach("8.10.6", 1)
    assert s.local(1, "__get_user_pages_locked", "result") == 0, "no error"
    s.reach("8.10.7", 1)
    assert s.held(1) == set()
    s.after("8.10.7", 1)
    assert s.held(1) == READ
    s.reach("8.10.8", 1)
    assert s.get("Thread", 1, "gup_locked") == 1
    s.until(1, "__get_user_pages")
    assert s.local(1, "__get_user_pages", "nr_pages") == 1
    assert s.local(1, "__get_user_pages", "foll_flags") & 32, "FOLL_TRIED"
    s.reach("8.10.9", 1)
    assert s.get("MM", 1, "pte", 0) != 0 and s.held(1) >= READ
    assert s.local(1, "__get_user_pages_locked", "done") == 0
    s.step(1)
    assert s.local(1, "__get_user_pages_locked", "done") == 1
    s.run(3)
    assert s.run(1) == "" and result(s) == 2 and s.held(1) == set()


@drives("8.10.6")
@pytest.mark.parametrize(("foll", "signal", "answer"), [
    (COLD, "fatal_signal_pending", EINTR), (COLD, "signal_pending", 1),
    ("FOLL_GET | FOLL_INTERRUPTIBLE", "signal_pending", EINTR)])  # fmt: skip
def test_8_10_6_signals_are_checked_without_the_lock(foll: str, signal: str, answer: int) -> None:
    s = pages(1, foll)
    s.run(1)
    s.run(3)
    s.reach("8.10.6", 1)
    assert s.held(1) == set()
    s.put("Thread", 1, signal, 1)
    s.step(1)
    if answer == EINTR:
        while "gup_retry_page" in s.stack(1):
            assert s.step(1) and s.held(1) == set(), "mmap_lock is not taken again"
    assert s.run(1) == "" and result(s) == answer and s.held(1) == set()


@drives("8.10.7")
def test_8_10_7_mmap_lock_is_taken_killably() -> None:
    s = pages(1)
    s.run(1)
    s.run(3)
    s.reach("8.10.7", 1)
    s.put("RwSemaphore", s.semaphore("MM", "mmap_lock"), "writer", 2)
    assert s.run(1).startswith("rwsem_down_read_slowpath")
    s.put("Thread", 1, "fatal_signal_pending", 1)
    assert s.run(1) == "" and result(s) == EINTR and s.held(1) == set()
    assert s.get("Thread", 1, "gup_locked") == 0
    assert s.saw("8.10.7")


@drives("8.10.4")
def test_8_10_4_completed_stops_with_locked_0() -> None:
    s = scene(PAGES.format(n=1, flags="FOLL_GET | FOLL_WRITE"), DIRTY_EXCEEDED=1,
              cache="boot_cache(mapping, 0, 0)")  # fmt: skip
    s.put("VMA", 1, "vm_flags", s.get("VMA", 1, "vm_flags") | 8)
    s.reach("8.10.4", 1)
    assert s.held(1) == set(), "COMPLETED: the fault released the lock"
    assert s.get("Thread", 1, "gup_locked") == 1
    s.after("8.10.4", 1)
    assert s.get("Thread", 1, "gup_locked") == 0
    assert s.run(1) == "" and result(s) == 1


@drives("8.10.5")
def test_8_10_5_nowait_stops_with_the_lock_held() -> None:
    s = pages(1, "FOLL_GET | FOLL_NOWAIT")
    s.reach("8.10.5", 1)
    assert s.held(1) == READ, "RETRY_NOWAIT: the lock is still held"
    s.step(1)
    s.step(1)
    assert s.get("Thread", 1, "gup_locked") == 1 and s.held(1) == READ
    assert s.local(1, "__get_user_pages", "error") == EBUSY
    assert s.run(1) == "" and result(s) == 0 and s.held(1) == set()


@drives("8.10.10", "8.10.11")
def test_8_10_10_and_11_populate_takes_the_lock_again_and_looks_up_again() -> None:
    s = scene("__mm_populate(0, 2, False)", ra=0)
    s.reach("8.10.10", 1)
    assert s.held(1) == set()
    s.put("RwSemaphore", s.semaphore("MM", "mmap_lock"), "writer", 2)
    s.put("Thread", 1, "fatal_signal_pending", 1)
    where = s.run(1)
    assert where.startswith("rwsem_down_read_slowpath"), "uninterruptible"
    s.put("Thread", 1, "fatal_signal_pending", 0)
    s.put("Thread", 2, "holds_mmap_lock", 1)
    s.machine.call("up_write", s.semaphore("MM", "mmap_lock"), thread=2)
    s.put("Thread", 2, "holds_mmap_lock", 0)
    s.reach("8.10.11", 1)
    assert s.held(1) == READ
    s.until(1, "__get_user_pages")
    assert s.local(1, "__get_user_pages", "foll_flags") & 64, "UNLOCKABLE"
    s.run(1)
    s.run(3)
    s.until(1, "__mm_populate")
    assert s.local(1, "__mm_populate", "done") == 0 and s.get("Thread", 1, "gup_locked") == 0
    assert s.held(1) == set(), "the lock was lost"
    s.reach("8.10.10", 1)
    s.reach("8.10.11", 1)
    assert s.local(1, "__mm_populate", "vma") == 1 and s.held(1) == READ, "looked up again"


# ---- 8.11: KVM -----------------------------------------------------------------------------------


def kvm_end(s: Scene) -> None:
    """Disk and worker do their work until the guest has finished."""
    for _ in range(20):
        if s.run(1) == "":
            return
        s.run(3)
        s.run(2)
    raise AssertionError(s.where(1))


@drives("8.11.1")
def test_8_11_1_a_mapped_page_is_taken_without_mmap_lock() -> None:
    s = kvm_scene()
    s.reach("8.11.1", 1)
    s.put("MM", 1, "pte_flags", 4 | 2, 0)
    s.put("MM", 1, "page_table", 2, 0)
    s.put("RwSemaphore", s.semaphore("MM", "mmap_lock"), "writer", 2)
    assert s.run(1) == "" and result(s) == FIXED, "both accesses, with a writer inside"
    assert s.get("MM", 1, "pte_flags", 0) & 1, "marked as used"
    assert s.events_of("FILEMAP_FAULT") == []


@drives("8.11.1", "8.11.2", "8.11.3", "8.11.5")
def test_8_11_2_to_5_nowait_needs_io_and_a_worker_is_queued() -> None:
    s = kvm_scene()
    assert s.run(2).startswith("kvm_worker: wait")
    s.after("8.11.1", 1)
    assert s.held(1) == set()
    s.until(1, "handle_mm_fault")
    assert s.local(1, "handle_mm_fault", "flags") == ALLOW_RETRY | KILLABLE | RETRY_NOWAIT
    assert s.saw("8.11.2") and s.held(1) == READ
    s.reach("8.11.3", 1)
    assert s.local(1, "hva_to_pfn", "pages") == 0 and s.held(1) == READ
    s.reach("8.11.5", 1)
    assert s.held(1) == set() and s.get("VCPU", 1, "queued") == 0
    assert s.get("Folio", s.get("Mapping", 1, "pages", 0), "reading") == 1, "submitted"
    s.step(1)
    assert s.get("VCPU", 1, "queued") == 1 and s.get("AsyncPf", 1, "is_queued") == 1
    assert s.get("AsyncPf", 1, "address") == 0 and s.get("AsyncPf", 1, "mm") == 1
    assert s.get("Thread", 2, "wait_woken") == 1, "the worker"
    s.until(1, "guest")
    assert len(s.events_of("ASYNC_PF_NOT_PRESENT")) == 1
    s.until(1, "hva_to_pfn")
    assert result(s) == ASYNC and s.get("MM", 1, "pte", 0) == 0


@drives("8.11.3")
def test_8_11_3_only_an_ordinary_mapping_needs_io() -> None:
    s = kvm_scene()
    s.until(1, "handle_mm_fault")
    s.reach("8.11.3", 1)
    s.step(1)
    s.reach("8.11.5", 1)
    s.run(1)
    assert s.events_of("ASYNC_PF_NOT_PRESENT"), "the guest goes on with something else"
    s = kvm_scene()
    s.put("VMA", 1, "vm_flags", 0)
    assert s.run(1) == "" and result(s) == 3, "no permission: an error, nothing queued"
    assert s.get("AsyncPf", 1, "is_queued") == 0


@drives("8.11.4", "8.11.7", "8.11.8")
def test_8_11_4_the_same_page_again_halts_the_vcpu_until_the_worker_is_done() -> None:
    s = kvm_scene()
    s.run(2)
    s.reach("8.11.4", 1)
    assert s.run(1).startswith("kvm_faultin_pfn: wait")
    assert s.get("VCPU", 1, "halted") == 1 and s.held(1) == set()
    s.reach("8.11.7", 2)
    assert s.held(2) == set() and s.get("MM", 1, "users") >= 2
    assert s.after("8.11.7", 2) == READ
    s.until(2, "handle_mm_fault")
    flags = s.local(2, "handle_mm_fault", "flags")
    assert flags & (ALLOW_RETRY | KILLABLE | REMOTE) == ALLOW_RETRY | KILLABLE | REMOTE
    assert not flags & RETRY_NOWAIT
    s.run(2)
    assert s.where(2) and "mmap_lock read" not in s.held(2), "it waits without mmap_lock"
    s.run(3)
    s.reach("8.11.8", 2)
    assert s.held(2) == set() and s.get("VCPU", 1, "queued") == 1
    s.after("8.11.8", 2)
    assert s.get("VCPU", 1, "queued") == 0 and s.get("VCPU", 1, "halted") == 0
    assert s.get("Thread", 1, "wait_woken") == 1 and s.get("AsyncPf", 1, "is_queued") == 0
    assert len(s.events_of("ASYNC_PF_READY")) == 1
    kvm_end(s)
    assert result(s) == HALTED


@drives("8.11.4")
def test_8_11_4_a_fatal_signal_ends_the_halt() -> None:
    s = kvm_scene()
    s.reach("8.11.4", 1)
    s.run(1)
    s.put("Thread", 1, "fatal_signal_pending", 1)
    assert s.run(1) == "" and result(s) == INTERRUPTED and s.held(1) == set()


@drives("8.11.7")
def test_8_11_7_the_worker_waits_for_mmap_lock_uninterruptibly() -> None:
    s = kvm_scene()
    s.run(2)
    s.run(1)
    s.reach("8.11.7", 2)
    s.put("RwSemaphore", s.semaphore("MM", "mmap_lock"), "writer", 1)
    where = s.run(2)
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert where.startswith("rwsem_down_read_slowpath") and s.run(2) == where
    s.machine.call("up_write", s.semaphore("MM", "mmap_lock"))
    s.until(2, "async_pf_execute")
    assert s.held(2) == READ


@drives("8.11.6")
@pytest.mark.parametrize("why", ["not ready", "limit"])
def test_8_11_6_not_possible_means_a_synchronous_wait(why: str) -> None:
    s = kvm_scene(ready=why != "not ready")
    if why == "limit":
        s.put("VCPU", 1, "queued", 1)
        s.put("AsyncPf", 1, "is_queued", 1)  # for another page
        s.put("AsyncPf", 1, "is_running", 1)
        s.put("AsyncPf", 1, "vcpu", 1)
        s.put("AsyncPf", 1, "address", 3)
    s.reach("8.11.6", 1)
    assert s.held(1) == set() and s.events_of("ASYNC_PF_NOT_PRESENT") == []
    s.until(1, "handle_mm_fault")
    flags = s.local(1, "handle_mm_fault", "flags")
    assert not flags & RETRY_NOWAIT and flags & INTERRUPTIBLE
    assert s.run(1).startswith("folio_wait_bit_common"), "the vCPU sleeps itself"
    s.run(3)
    kvm_end(s)
    assert result(s) == FIXED and s.get("MM", 1, "pte", 0) != 0
