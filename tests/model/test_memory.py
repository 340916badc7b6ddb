# SPDX-License-Identifier: GPL-2.0-only
"""handle_pte_fault and what follows (spec 4.2, 4.3): the three kinds of fault, fault-around."""

from __future__ import annotations

import pytest

from tests.model.run import Run, StuckError
from tests.model.table import drives
from tests.model.test_drop import FAULT_LOCK, NOTHING, REMOVE, UPTODATE, scene

PRIVATE = "VM_READ | VM_WRITE | VM_MAYWRITE"
SHARED = "VM_READ | VM_WRITE | VM_SHARED"
ACCESSED, WRITABLE, PRIVATE_PTE = 1, 2, 4
SLOW = "    for vma in each(VMA):\n        vma.map_pages = False\n"


def pte_flags(run: Run, page: int = 0) -> int:
    return run.get("MM", 1, "pte_flags", page)


@drives("4.2.1", "4.3r1")
def test_fault_around_maps_cached_neighbours() -> None:
    more = "".join(f"    boot_cache(mapping, {i}, 0)\n" for i in (0, 1, 3))
    run = scene(more=more, page=1, FAULT_AROUND_PAGES=4)
    run.go(1)
    assert [run.get("MM", 1, "pte", i) != 0 for i in range(5)] == [True, True, False, True, False]
    assert run.count("MAP_PAGES") == 1 and run.count("PGMAJFAULT") == 0
    assert all(run.get("Folio", i, "refcount") == 2 for i in (1, 2, 3))
    assert not any(run.get("Folio", i, "locked") for i in (1, 2, 3))


@pytest.mark.parametrize("field, value", [("locked", 1), ("uptodate", 0), ("readahead", 1)])
def test_fault_around_skips_what_it_would_have_to_wait_for(field: str, value: int) -> None:
    more = "".join(f"    boot_cache(mapping, {i}, 0)\n" for i in (0, 1))
    run = scene(more=more, page=0)
    run.set("Folio", 2, field, value)
    run.go(1)
    assert run.get("MM", 1, "pte", 0) != 0 and run.get("MM", 1, "pte", 1) == 0


def test_fault_around_looks_again_under_the_folio_lock() -> None:
    run = scene(more=UPTODATE, other=REMOVE)
    run.until(1, "filemap_map_lock")
    run.go(3)
    run.until(1, "cpu(\"map_page\"")
    assert run.get("MM", 1, "pte", 0) == 0
    assert run.holds(1) == FAULT_LOCK


def test_fault_around_stops_at_the_end_of_the_file() -> None:
    more = "".join(f"    boot_cache(mapping, {i}, 0)\n" for i in range(3))
    run = scene(size=2, more=more, FAULT_AROUND_PAGES=4)
    run.go(1)
    assert [run.get("MM", 1, "pte", i) != 0 for i in range(4)] == [True, True, False, False]


@drives("4.3r2", "4.3r3", "4.3r4", "4.3r5")
def test_read_fault_maps_one_page_and_unlocks() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "4.3r5")
    assert run.holds(1) == "ref, folio lock, fault lock"
    run.past(1, "4.3r5")
    run.until(1, "folio_unlock(folio)")
    assert run.holds(1) == "folio lock, fault lock", "the reference went to the PTE"
    run.go(1)
    assert pte_flags(run) == ACCESSED and run.get("Folio", 1, "refcount") == 2
    assert run.get("Folio", 1, "mapcount") == 1 and run.holds(1) == NOTHING


@drives("4.3r2")
def test_no_map_pages_means_retry_without_major() -> None:
    run = scene(more=UPTODATE + SLOW)
    run.to(1, "4.3r2")
    assert run.get("Thread", 1, "holds_vma_lock") == 1
    run.go(1)
    assert run.count("VMA_LOCK_RETRY") == 1 and run.count("MIN_FLT") == 1
    assert run.get("MM", 1, "pte") != 0


@drives("4.3r5")
def test_pte_that_was_set_meanwhile_is_nopage() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "4.3r5")
    run.set("MM", 1, "pte_flags", PRIVATE_PTE)
    run.set("MM", 1, "page_table", 2)
    run.go(1)
    assert run.holds(1) == NOTHING and run.get("Folio", 1, "refcount") == 1


@drives("4.3c1", "4.3c2", "4.3c3", "4.3c4", "4.3c5", "4.3c6", "4.3c7")
def test_cow_fault_copies() -> None:
    run = scene(more=UPTODATE, flags=PRIVATE, write=True)
    run.to(1, "4.3c4")
    assert run.holds(1) == FAULT_LOCK and run.get("VMA", 1, "anon_vma") == 1
    assert run.get("Thread", 1, "vmf_cow_page") == 1
    run.to(1, "4.3c6")
    assert run.holds(1) == "ref, folio lock, fault lock"
    run.go(1)
    assert run.holds(1) == NOTHING
    assert run.get("MM", 1, "pte") == 0 and pte_flags(run) == PRIVATE_PTE | WRITABLE | ACCESSED
    assert run.get("Folio", 1, "refcount") == 1 and run.get("Thread", 1, "vmf_cow_page") == 0


@drives("4.3c2")
def test_anon_vma_needs_mmap_lock_and_only_tries_it() -> None:
    writer = "    mmap_write_lock(current.mm)\n    mmap_write_unlock(current.mm)\n"
    run = scene(more=UPTODATE, flags=PRIVATE, write=True, other=writer)
    run.until(3, "mmap_write_unlock")
    run.to(1, "4.3c2")
    assert run.get("Thread", 1, "holds_vma_lock") == 1
    assert run.go(1) == "blocked", "waits for mmap_lock in A2, holding nothing"
    assert run.holds(1) == NOTHING and run.count("VMA_LOCK_RETRY") == 1
    run.go(3, 1)
    assert pte_flags(run) & PRIVATE_PTE


@drives("4.3c4")
def test_cow_fault_gives_the_copy_back_on_retry() -> None:
    run = scene(ra=1, flags=PRIVATE, write=True, MEMORY_PAGES=8)
    run.go(1)
    run.go(2)
    run.until(1, "lock_mm_and_find_vma")
    assert run.get("Thread", 1, "vmf_cow_page") == 0
    assert run.get("memory", 1, "used_pages") == 1, "only the page that was read"


@drives("4.3s1", "4.3s2", "4.3s3", "4.3s4", "4.3s5")
def test_shared_fault_calls_page_mkwrite_without_the_folio_lock() -> None:
    more = UPTODATE + "    for vma in each(VMA):\n        vma.page_mkwrite = True\n"
    run = scene(more=more, flags=SHARED, write=True)
    run.to(1, "4.3s3")
    assert run.holds(1) == "ref, fault lock"
    run.to(1, "4.3s4")
    assert run.holds(1) == "ref, folio lock, fault lock"
    run.to(1, "4.3s5")
    assert run.holds(1) == "folio lock, fault lock"
    run.go(1)
    assert pte_flags(run) == WRITABLE | ACCESSED and run.get("Folio", 1, "dirty") == 1
    assert run.holds(1) == NOTHING


@drives("4.3s3")
def test_page_mkwrite_of_a_truncated_page_faults_again() -> None:
    more = UPTODATE + "    for vma in each(VMA):\n        vma.page_mkwrite = True\n"
    run = scene(more=more, flags=SHARED, write=True, other=REMOVE)
    run.to(1, "4.3s3")
    run.go(3)
    run.until(1, "tmp & VM_FAULT_LOCKED")
    assert run.holds(1) == "ref, fault lock"
    run.until(1, "mm_account_fault")
    assert run.holds(1) == FAULT_LOCK and run.get("MM", 1, "pte") == 0
    assert run.local(1, "handle_mm_fault", "ret") == 0x100, "NOPAGE"


@drives("4.2.2")
def test_write_to_a_read_only_shared_pte_makes_it_writable() -> None:
    run = scene(more=UPTODATE, flags=SHARED, other="    touch(0, True, True)\n")
    run.go(1)
    assert pte_flags(run) == ACCESSED
    run.go(3)
    assert pte_flags(run) == ACCESSED | WRITABLE and run.get("Folio", 1, "dirty") == 1
    assert run.get("Folio", 1, "refcount") == 2 and run.holds(3) == NOTHING


@drives("4.2.2")
def test_write_to_a_read_only_private_pte_copies() -> None:
    run = scene(more=UPTODATE, flags=PRIVATE, other="    touch(0, True, True)\n")
    run.go(1)
    run.go(3)
    assert run.get("MM", 1, "pte") == 0 and pte_flags(run) & PRIVATE_PTE
    assert run.get("Folio", 1, "refcount") == 1 and run.get("VMA", 1, "anon_vma") == 1


ANONYMOUS = """
IS_WRITE: Param = 1

@setup
def start():
    mm = boot_mm()
    boot_map(mm, None, 0, 4, 0, VM_READ | VM_WRITE)

@thread("T1")
def fault():
    touch(1, IS_WRITE == 1, True)
"""


@pytest.mark.parametrize("write, flags", [(True, 7), (False, 5)])
def test_anonymous_memory(write: bool, flags: int) -> None:
    run = Run(ANONYMOUS, IS_WRITE=write, MEMORY_PAGES=4)
    run.go(1)
    assert pte_flags(run, 1) == flags and run.get("VMA", 1, "anon_vma") == int(write)
    assert run.get("memory", 1, "used_pages") == 1


def test_anonymous_memory_runs_out() -> None:
    run = Run(ANONYMOUS, MEMORY_PAGES=1)
    run.set("memory", 1, "used_pages", 1)
    run.until(1, "return trap_result")
    assert run.local(1, "do_user_addr_fault", "fault") == 1, "OOM"
    run.go(1)
    assert run.holds(1) == NOTHING


LARGE = """
@setup
def start():
    mm = boot_mm()
    mapping = boot_mapping(4)
    mapping.max_order = 2
    boot_map(mm, boot_file(mapping, 0), 0, 4, 0, VM_READ)
    boot_cache(mapping, 0, 2)

@thread("T1")
def fault():
    touch(1, False, True)
"""


@pytest.mark.parametrize("version, mapped", [(612, 1), (700, 4)])
def test_finish_fault_maps_a_page_or_since_7_0_the_folio(version: int, mapped: int) -> None:
    run = Run(LARGE, KERNEL_VERSION=version, FAULT_AROUND_PAGES=1)
    run.go(1)
    assert sum(run.get("MM", 1, "pte", i) != 0 for i in range(4)) == mapped
    assert run.get("Folio", 1, "refcount") == 4 + mapped
    assert run.get("Folio", 1, "mapcount") == mapped


@pytest.mark.parametrize("version, mapped", [(612, {0, 1}), (700, {0, 1, 2, 3})])
def test_fault_around_maps_large_folios_whole_since_7_0(version: int, mapped: set[int]) -> None:
    run = Run(LARGE, KERNEL_VERSION=version)
    run.go(1)
    assert {i for i in range(8) if run.get("MM", 1, "pte", i)} == mapped
    assert run.get("Folio", 1, "locked") == 0 and run.holds(1) == NOTHING


def test_s2_and_s10_guard_the_pte() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "4.3r5")
    run.set("Folio", 1, "uptodate", 0)
    with pytest.raises(StuckError, match="S2 uptodate"):
        run.until(1, "cpu(\"finish_fault\")")
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "4.3r5")
    run.set("Thread", 1, "i_size_seen", 0)
    run.set("Mapping", 1, "i_size", 0)
    with pytest.raises(StuckError, match="S10 end of file"):
        run.until(1, "cpu(\"finish_fault\")")
