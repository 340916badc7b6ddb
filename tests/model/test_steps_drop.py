# SPDX-License-Identifier: GPL-2.0-only
"""Section 5.1 step by step: each condition of F1 to F15 both ways, with what is held."""

from __future__ import annotations

import pytest

from tests.model.run import Run
from tests.model.table import drives
from tests.model.test_drop import (
    FAULT_LOCK,
    LOCKED,
    MAJOR,
    NOPAGE,
    NOT_UPTODATE,
    NOTHING,
    NOWAIT_CALL,
    OOM,
    RETRY,
    SIGBUS,
    UPTODATE,
    result,
    scene,
)

RANDOM = "VM_READ | VM_RAND_READ"
NOWAIT_FLAGS = "FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT"
FIRST, TRIED, NO_RETRY = "FAULT_FLAG_DEFAULT", "FAULT_FLAG_DEFAULT | FAULT_FLAG_TRIED", "0"
MARKED = UPTODATE.replace("    boot", "    folio = boot") + """    folio.readahead = True
    for file in each(File):
        file.ra_size = 1
        file.ra_async_size = 1
"""
SHADOW = """    shadow = alloc(Folio)
    page_cache.shadow = shadow
    mapping.pages[0] = shadow
"""


def attempt(flags: str, page: int = 0) -> str:
    """Thread 3: one call of handle_mm_fault under mmap_lock with these flags."""
    call = NOWAIT_CALL.replace(NOWAIT_FLAGS, flags).replace("vma, 0,", f"vma, {page},")
    return call.replace("    mmap_read_unlock(current.mm)\n", "")


def cached(run: Run, page: int = 0) -> int:
    return run.get("Mapping", 1, "pages", page)


@drives("F1")
@pytest.mark.parametrize("page, beyond", [(0, False), (1, True)])
def test_f1_compares_with_the_end_of_the_file(page: int, beyond: bool) -> None:
    run = scene(size=1, page=page, more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "F1")
    assert run.holds(1) == FAULT_LOCK
    run.over(1, "F1")
    assert ("F2" in run.here(1)) != beyond and run.holds(1) == FAULT_LOCK
    assert result(run) == (SIGBUS if beyond else LOCKED)


@drives("F2", "F10", "F11")
def test_f2_takes_a_reference_only_on_a_real_folio() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.over(1, "F2")
    assert run.holds(1) == "ref, fault lock" and run.get("Folio", 1, "refcount") == 2
    for more in ("", SHADOW):
        run = scene(more=more)
        run.over(1, "F2")
        run.to(1, "F10")
        assert run.holds(1) == FAULT_LOCK
        assert run.count("PGMAJFAULT") == 0
        run.over(1, "F11")
        assert run.count("PGMAJFAULT") == 1 and run.holds(1) == FAULT_LOCK
        run.to(1, "F12")
        assert run.local(1, "filemap_fault", "ret") == MAJOR


@drives("F3")
@pytest.mark.parametrize("flags, held, mark", [
    (FIRST, "ref, pin", 0), (TRIED, "ref, fault lock", 1)])
def test_f3_readahead_and_release_unless_tried(flags: str, held: str, mark: int) -> None:
    run = scene(ra=2, more=MARKED, other=attempt(flags), FAULT_AROUND_PAGES=1)
    run.over(3, "F3")
    run.to(3, "F4")
    assert run.holds(3) == held
    assert run.get("Folio", 1, "readahead") == mark and run.count("IO_SUBMIT") == 1 - mark


@drives("F3")
def test_f3_a_hit_without_the_mark_only_counts() -> None:
    run = scene(ra=2, more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.set("File", 1, "mmap_miss", 3)
    run.to(1, "F4")
    assert run.get("File", 1, "mmap_miss") == 2
    assert run.holds(1) == "ref, fault lock" and run.count("IO_SUBMIT") == 0


@drives("F4", "F5")
@pytest.mark.parametrize("more, held", [
    (UPTODATE, "ref, fault lock"), (NOT_UPTODATE, "ref, invalidate_lock, fault lock")])
def test_f4_invalidate_lock_only_when_not_uptodate(more: str, held: str) -> None:
    run = scene(more=more, FAULT_AROUND_PAGES=1)
    run.to(1, "F4")
    assert run.holds(1) == "ref, fault lock"
    run.to(1, "F5")
    assert run.holds(1) == held
    run.to(1, "F20")
    assert run.holds(1) == held, "F5 takes nothing itself"


@drives("F4")
def test_f4_waits_uninterruptibly_behind_a_hole_punch() -> None:
    run = scene(more=NOT_UPTODATE)
    run.to(1, "F4")
    lock = run.semaphore("Mapping", "invalidate_lock")
    run.set("RwSemaphore", lock, "writer", 3)
    run.set("Thread", 1, "fatal_signal_pending", 1)
    assert run.go(1) == "blocked" and run.queue(lock) == [1]
    assert run.holds(1) == "ref, fault lock"


@drives("F10")
@pytest.mark.parametrize("flags, table, nopage", [
    ("VM_READ | VM_LOCKED", 1, True), ("VM_READ | VM_LOCKED", 0, False), ("VM_READ", 1, False)])
def test_f10_only_for_locked_vmas_with_a_sampled_pte(flags: str, table: int, nopage: bool) -> None:
    run = scene(flags=flags, FAULT_AROUND_PAGES=1)
    run.set("MM", 1, "page_table", table)
    run.to(1, "F10")
    run.set("MM", 1, "pte_flags", 4)  # somebody maps a private page
    if nopage:
        assert result(run) == NOPAGE and run.count("PGMAJFAULT") == 0
    else:
        run.to(1, "F11")
    assert run.holds(1) == FAULT_LOCK


@drives("F12", "F13")
@pytest.mark.parametrize("arguments", [{"ra": 0}, {"ra": 4, "flags": RANDOM},
                                       {"ra": 4, "misses": 100}])
def test_f12_without_action_keeps_the_fault_lock(arguments: dict[str, object]) -> None:
    misses = int(str(arguments.get("misses", 0)))
    run = scene(**{k: v for k, v in arguments.items() if k != "misses"})  # type: ignore[arg-type]
    run.set("File", 1, "mmap_miss", misses)
    run.over(1, "F12")
    assert run.holds(1) == FAULT_LOCK and run.count("IO_SUBMIT") == 0 and cached(run) == 0
    run.over(1, "F13")
    assert run.holds(1) == "invalidate_lock, fault lock"


@drives("F12", "F13")
def test_f12_with_action_releases_first_and_submits_under_invalidate_lock() -> None:
    run = scene(ra=4)
    run.until(1, "blk_get_request")
    assert run.holds(1) == "invalidate_lock, pin", "fault lock released, +pin"
    run.to(1, "F13")
    assert run.holds(1) == "pin" and run.count("IO_SUBMIT") == 1
    assert run.get("File", 1, "f_count") == 2, "the VMA's reference and ours"
    assert run.get("Folio", cached(run), "locked_by") == 0, "the read owns the lock"
    run.over(1, "F13")
    assert run.holds(1) == "invalidate_lock, pin"


@drives("F14")
def test_f14_finds_or_creates_unlocked() -> None:
    run = scene(flags=RANDOM)
    run.to(1, "F14")
    assert cached(run) == 0 and run.holds(1) == "invalidate_lock, fault lock"
    run.over(1, "F14")
    folio = cached(run)
    assert run.get("Folio", folio, "refcount") == 2 and run.get("Folio", folio, "locked") == 0
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    run = scene(ra=4)
    run.over(1, "F14")
    assert run.holds(1) == "ref, invalidate_lock, pin"
    assert run.get("Folio", cached(run), "locked") == 1, "found: the window's, in flight"


@drives("F15")
@pytest.mark.parametrize("arguments, answer, held", [
    ({"flags": RANDOM}, OOM, FAULT_LOCK), ({"ra": 1}, RETRY | MAJOR, NOTHING)])
def test_f15_out_of_memory(arguments: dict[str, object], answer: int, held: str) -> None:
    run = scene(N_FOLIOS=1, more="    boot_cache(mapping, 3, 0)\n", **arguments)  # type: ignore[arg-type]
    run.to(1, "F15")
    assert "invalidate_lock" in run.holds(1) and "ref" not in run.holds(1)
    assert result(run) == answer and run.holds(1) == held
    assert run.get("File", 1, "f_count") == 1
