# SPDX-License-Identifier: GPL-2.0-only
"""filemap_fault, variant DROP: steps F1 to F40, and table 5.2: what is held where."""

from __future__ import annotations

import pytest

from tests.model.run import Run, vm_flags
from tests.model.table import drives

NOTHING = ""
FAULT_LOCK = "fault lock"
RETRY, MAJOR, LOCKED, SIGBUS, NOPAGE, OOM = 0x400, 0x4, 0x200, 0x2, 0x100, 0x1

MAP = """
SIZE: Param = 4
RA_PAGES: Param = 0
VMA_FLAGS: Param = 1
PAGE: Param = 0
IS_WRITE: Param = 0
IS_USER: Param = 1

@setup
def start():
    mm = boot_mm()
    mapping = boot_mapping(SIZE)
    boot_map(mm, boot_file(mapping, RA_PAGES), 0, 4, 0, VMA_FLAGS)
{more}

@thread("T1")
def fault():
    touch(PAGE, IS_WRITE == 1, IS_USER == 1)

@thread("disk", daemon=True)
def disk():
    blk_done()

@thread("other")
def other():
{other}
"""
KILL = """
    with atomic:
        for thread in each(Thread):
            send_sigkill(thread)
            break
"""
FIRST_VMA = """    with atomic:
        mapping: Mapping = None
        for each_mapping in each(Mapping):
            mapping = each_mapping
"""
HOLD_FOLIO = FIRST_VMA + """
        folio = mapping.pages[0]
        folio_get(folio)
        folio_trylock(folio)
    current.vmf_cow_page = False
    with atomic:
        folio_unlock(folio)
        folio_put(folio)
"""
REMOVE = FIRST_VMA + """
        folio = mapping.pages[0]
        folio_get(folio)
        folio_trylock(folio)
        filemap_remove_folio(folio, None)
        folio_unlock(folio)
        folio_put(folio)
"""


def scene(size: int = 4, ra: int = 0, flags: str = "VM_READ", more: str = "", page: int = 0,
          write: bool = False, user: bool = True, other: str = "    pass",
          policy: str = "drop-retry", **parameters: int) -> Run:
    """One file of 4 mapped pages, thread 1 touches a page, thread 2 is the disk, thread 3 other."""
    return Run(MAP.format(more=more, other=other), policy, SIZE=size, RA_PAGES=ra,
               VMA_FLAGS=vm_flags(flags), PAGE=page, IS_WRITE=write, IS_USER=user, **parameters)


def result(run: Run, thread: int = 1) -> int:
    """What filemap_fault is about to hand to __do_fault: run to the check of the contract."""
    run.until(thread, "check_fault_result")
    return run.local(thread, "__do_fault", "ret")


UPTODATE = "    boot_cache(mapping, 0, 0)\n"
IN_FLIGHT = "    boot_read(mapping, 0, 1)\n"
NOT_UPTODATE = "    folio = boot_cache(mapping, 0, 0)\n    folio.uptodate = False\n"


@drives("F1")
def test_beyond_the_end_is_sigbus_with_the_lock_held() -> None:
    run = scene(size=1, page=2)
    assert result(run) == SIGBUS
    assert run.holds(1) == FAULT_LOCK
    run.go(1)
    assert run.holds(1) == NOTHING


@drives("F2", "F5", "F20", "F25", "F26", "F27", "F28", "F29")
def test_cached_and_uptodate_is_locked_and_returned() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "F2")
    assert run.holds(1) == FAULT_LOCK
    run.past(1, "F2")
    assert run.holds(1) == "ref, fault lock"
    run.to(1, "F20")
    run.to(1, "F29")
    assert run.holds(1) == "ref, folio lock, fault lock"
    assert result(run) == LOCKED
    assert run.holds(1) == "ref, folio lock, fault lock"
    run.go(1)
    assert run.holds(1) == NOTHING and run.get("MM", 1, "pte", 0) != 0
    assert run.count("VMA_LOCK_SUCCESS") == 1 and run.count("MIN_FLT") == 1


@drives("F3", "F27", "F40")
def test_marked_folio_drops_the_lock_and_starts_the_next_window() -> None:
    more = UPTODATE.replace("    boot", "    folio = boot") + """    folio.readahead = True
    for file in each(File):
        file.ra_size = 1
        file.ra_async_size = 1
"""
    run = scene(ra=2, more=more)
    run.to(1, "F3")
    assert run.holds(1) == "ref, fault lock"
    run.to(1, "F5")
    assert run.holds(1) == "ref, pin"
    assert run.count("IO_SUBMIT") == 1
    run.to(1, "F27")
    assert result(run) == RETRY
    assert run.holds(1) == NOTHING
    run.go(1)
    # The redo is a first attempt under mmap_lock, and maps by fault-around: a minor fault.
    assert run.count("VMA_LOCK_RETRY") == 1 and run.count("MIN_FLT") == 1
    assert run.count("PGMAJFAULT") == 0


@drives("F4")
def test_not_uptodate_takes_invalidate_lock_with_the_fault_lock_held() -> None:
    run = scene(more=IN_FLIGHT)
    run.past(1, "F4")
    run.to(1, "F5")
    assert run.holds(1) == "ref, invalidate_lock, fault lock"


@drives("F10")
def test_locked_vma_sees_the_pte_that_somebody_set_meanwhile() -> None:
    run = scene(flags="VM_READ | VM_LOCKED", FAULT_AROUND_PAGES=1)
    run.set("MM", 1, "page_table", 1)
    run.to(1, "F10")
    run.set("MM", 1, "pte_flags", 4, 0)  # private page
    assert result(run) == NOPAGE
    assert run.holds(1) == FAULT_LOCK


@drives("F11", "F12", "F13", "F14", "F22", "F23", "F40")
def test_missing_reads_around_and_waits_without_the_fault_lock() -> None:
    run = scene(ra=4)
    run.to(1, "F11")
    assert run.holds(1) == FAULT_LOCK
    run.past(1, "F12")
    run.to(1, "F13")
    assert run.holds(1) == "pin" and run.count("IO_SUBMIT") == 1
    run.past(1, "F14")
    run.to(1, "F5")
    assert run.holds(1) == "ref, invalidate_lock, pin"
    run.past(1, "F22")
    assert run.go(1) == "blocked"
    assert run.where(1).startswith("folio_wait_bit_common")
    assert run.holds(1) == "ref, invalidate_lock, pin"
    run.go(2)
    assert result(run) == RETRY | MAJOR
    assert run.holds(1) == NOTHING
    run.go(1)
    assert run.count("MAJ_FLT") == 1 and run.count("PGMAJFAULT") == 1


@drives("F15")
def test_out_of_memory_with_the_lock_held() -> None:
    run = scene(N_FOLIOS=1, flags="VM_READ | VM_RAND_READ", more="    boot_cache(mapping, 3, 0)\n")
    run.to(1, "F15")
    assert result(run) == OOM
    assert run.holds(1) == FAULT_LOCK


@drives("F15", "F40")
def test_out_of_memory_after_the_lock_was_released_is_retry() -> None:
    run = scene(N_FOLIOS=1, ra=1, more="    boot_cache(mapping, 3, 0)\n")
    assert result(run) == RETRY | MAJOR
    assert run.holds(1) == NOTHING


NOWAIT_CALL = """    mmap_read_lock(current.mm)
    vma = find_vma(current.mm, 0)
    result = handle_mm_fault(vma, 0, FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT)
    mmap_read_unlock(current.mm)
"""


@drives("F21", "F40")
def test_nowait_answers_retry_with_the_lock_held() -> None:
    run = scene(more=IN_FLIGHT, other=NOWAIT_CALL)
    run.to(3, "F21")
    assert result(run, 3) == RETRY
    assert run.holds(3) == FAULT_LOCK
    assert run.go(3) == "finished" and run.holds(3) == NOTHING


@drives("F23", "F40")
def test_killed_waiter_gives_everything_back() -> None:
    run = scene(more=IN_FLIGHT, other=KILL)
    assert run.go(1) == "blocked"
    run.go(3)
    assert result(run) == RETRY
    assert run.holds(1) == NOTHING
    assert run.go(1) == "finished"


@drives("F23", "F40")
def test_killed_waiter_that_kept_the_lock_releases_it() -> None:
    call = NOWAIT_CALL.replace("FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT",
                               "FAULT_FLAG_DEFAULT | FAULT_FLAG_TRIED")
    run = scene(more=IN_FLIGHT, other=call.replace("    mmap_read_unlock(current.mm)\n", ""))
    assert run.go(3) == "blocked"
    assert run.holds(3) == "ref, invalidate_lock, fault lock"
    run.set("Thread", 3, "fatal_signal_pending", 1)
    assert result(run, 3) == RETRY
    assert run.holds(3) == NOTHING


@drives("F25")
def test_truncated_while_waiting_is_looked_up_again() -> None:
    run = scene(more=UPTODATE, other=REMOVE, FAULT_AROUND_PAGES=1)
    run.to(1, "F5")
    run.go(3)
    run.to(1, "F25")
    assert run.holds(1) == "ref, folio lock, fault lock"
    run.to(1, "F13")
    assert run.holds(1) == FAULT_LOCK


@drives("F26")
def test_no_longer_uptodate_takes_invalidate_lock_first() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "F5")
    run.set("Folio", 1, "uptodate", 0)
    run.to(1, "F26")
    run.to(1, "F13")
    assert run.holds(1) == FAULT_LOCK


@drives("F30", "F31", "F32", "F40")
def test_own_read_on_the_first_attempt_without_the_fault_lock() -> None:
    run = scene(flags="VM_READ | VM_RAND_READ")
    run.to(1, "F30")
    assert run.holds(1) == "ref, folio lock, invalidate_lock, fault lock"
    run.to(1, "F31")
    assert run.holds(1) == "ref, folio lock, invalidate_lock, pin"
    assert run.go(1) == "blocked"
    assert run.holds(1) == "ref, invalidate_lock, pin"
    run.go(2)
    run.to(1, "F32")
    assert result(run) == RETRY | MAJOR
    assert run.holds(1) == NOTHING


TRIED_CALL = NOWAIT_CALL.replace("FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT",
                                 "FAULT_FLAG_DEFAULT | FAULT_FLAG_TRIED")


@drives("F31", "F33", "F28")
def test_own_read_when_tried_holds_the_fault_lock() -> None:
    run = scene(flags="VM_READ | VM_RAND_READ", other=TRIED_CALL)
    assert run.go(3) == "blocked"
    assert run.holds(3) == "ref, invalidate_lock, fault lock"
    run.go(2)
    run.to(3, "F33")
    run.to(3, "F14")
    assert run.holds(3) == "invalidate_lock, fault lock"
    assert result(run, 3) == LOCKED | MAJOR
    assert run.holds(3) == "ref, folio lock, fault lock"


@drives("F33")
def test_read_error_when_tried_is_sigbus() -> None:
    run = scene(flags="VM_READ | VM_RAND_READ", other=TRIED_CALL, IO_ERRORS=1)
    run.choices["io_error"] = lambda thread: 1
    assert run.go(3) == "blocked"
    run.go(2)
    assert result(run, 3) == SIGBUS
    assert run.holds(3) == FAULT_LOCK


@drives("F29")
def test_file_that_shrank_is_sigbus_under_the_folio_lock() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "F29")
    run.set("Mapping", 1, "i_size", 0)
    assert result(run) == SIGBUS
    assert run.holds(1) == FAULT_LOCK


@pytest.mark.parametrize("ra", [0, 4])
def test_killed_in_own_read_or_window(ra: int) -> None:
    """Wherever a first attempt is killed, nothing is left."""
    run = scene(ra=ra, flags="VM_READ", other=KILL)
    run.go(1)
    run.go(3)
    assert run.go(1) == "finished"
    assert run.holds(1) == NOTHING
    assert run.get("File", 1, "f_count") == 1
