# SPDX-License-Identifier: GPL-2.0-only
"""filemap_fault, variant HOLD: steps H1 to H31, its defects, and the differences of table 6.2."""

from __future__ import annotations

import pytest

from tests.model.run import Run, StuckError
from tests.model.table import drives, row
from tests.model.test_drop import (
    FAULT_LOCK,
    IN_FLIGHT,
    KILL,
    LOCKED,
    MAJOR,
    NOPAGE,
    NOTHING,
    NOWAIT_CALL,
    OOM,
    REMOVE,
    RETRY,
    SIGBUS,
    UPTODATE,
    result,
    scene,
)

HOLDING = ("hold", "hold-fix")


def hold(**arguments: object) -> Run:
    return scene(policy="hold", **arguments)  # type: ignore[arg-type]


@drives("H1")
def test_beyond_the_end_is_sigbus() -> None:
    run = hold(size=1, page=2)
    assert result(run) == SIGBUS
    assert run.holds(1) == FAULT_LOCK


@drives("H2", "H5", "H6", "H20", "H21", "H22")
def test_cached_and_uptodate_is_locked_and_returned() -> None:
    run = hold(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.past(1, "H2")
    assert run.holds(1) == "ref, fault lock"
    run.to(1, "H22")
    assert run.holds(1) == "ref, folio lock, fault lock"
    assert result(run) == LOCKED
    assert run.holds(1) == "ref, folio lock, fault lock"
    run.go(1)
    assert run.holds(1) == NOTHING and run.count("VMA_LOCK_SUCCESS") == 1


@drives("H3")
def test_marked_folio_starts_the_next_window_under_the_lock() -> None:
    more = UPTODATE.replace("    boot", "    folio = boot") + """    folio.readahead = True
    for file in each(File):
        file.ra_size = 1
        file.ra_async_size = 1
"""
    run = hold(ra=2, more=more)
    run.past(1, "H3")
    run.to(1, "H5")
    assert run.count("IO_SUBMIT") == 1
    assert run.holds(1) == "ref, fault lock"
    assert result(run) == LOCKED
    run.go(1)
    assert run.count("VMA_LOCK_RETRY") == 0 and run.count("MIN_FLT") == 1


@drives("H4", "H5")
def test_in_flight_waits_with_everything_held() -> None:
    run = hold(more=IN_FLIGHT)
    run.to(1, "H5")
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    assert run.go(1) == "blocked"
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    run.go(2, 1)
    assert run.pc(1) == 0 and run.holds(1) == NOTHING


@drives("H5")
def test_killed_waiter_leaks_reference_and_invalidate_lock() -> None:
    """D1 and D2: the RFC as posted."""
    run = hold(more=IN_FLIGHT, other=KILL)
    run.go(1)
    run.go(3)
    assert result(run) == SIGBUS
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    run.go(1)
    assert run.holds(1) == "ref, invalidate_lock"


@drives("H6")
def test_truncated_while_waiting_is_looked_up_again() -> None:
    run = hold(more=UPTODATE, other=REMOVE, FAULT_AROUND_PAGES=1)
    run.to(1, "H5")
    run.go(3)
    run.to(1, "H13")
    assert run.holds(1) == FAULT_LOCK


@drives("H10")
def test_locked_vma_sees_the_pte_that_somebody_set_meanwhile() -> None:
    run = hold(flags="VM_READ | VM_LOCKED", FAULT_AROUND_PAGES=1)
    run.set("MM", 1, "page_table", 1)
    run.to(1, "H10")
    run.set("MM", 1, "pte_flags", 4, 0)
    assert result(run) == NOPAGE


@drives("H11", "H12", "H13", "H14", "H20")
def test_missing_reads_and_waits_unkillably_under_the_lock() -> None:
    """D4: the ordinary major fault sleeps in folio_lock."""
    run = hold(ra=4, other=KILL)
    run.past(1, "H12")
    run.to(1, "H13")
    assert run.holds(1) == FAULT_LOCK and run.count("IO_SUBMIT") == 1
    assert run.go(1) == "blocked"
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    run.go(3)
    assert run.go(1) == "blocked", "a fatal signal does not end this wait"
    run.go(2)
    assert result(run) == LOCKED | MAJOR
    assert run.holds(1) == "ref, folio lock, fault lock"


@drives("H14", "H30", "H31")
def test_new_folio_stays_locked_and_is_read() -> None:
    run = hold(flags="VM_READ | VM_RAND_READ")
    run.past(1, "H14")
    run.to(1, "H30")
    assert run.holds(1) == "ref, folio lock, invalidate_lock, fault lock"
    assert run.go(1) == "blocked"
    run.go(2)
    run.to(1, "H31")
    run.to(1, "H14")
    assert run.holds(1) == "invalidate_lock, fault lock"
    assert result(run) == LOCKED | MAJOR


@drives("H15")
def test_out_of_memory() -> None:
    run = hold(N_FOLIOS=1, flags="VM_READ | VM_RAND_READ", more="    boot_cache(mapping, 3, 0)\n")
    run.to(1, "H15")
    assert result(run) == OOM
    assert run.holds(1) == FAULT_LOCK


@drives("H20", "H13")
def test_no_longer_uptodate_takes_invalidate_lock_first() -> None:
    run = hold(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "H20")
    run.set("Folio", 1, "uptodate", 0)
    run.to(1, "H13")
    assert run.holds(1) == FAULT_LOCK
    run.to(1, "H14")
    assert run.holds(1) == "invalidate_lock, fault lock"


@drives("H22")
def test_file_that_shrank_is_sigbus() -> None:
    run = hold(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "H22")
    run.set("Mapping", 1, "i_size", 0)
    assert result(run) == SIGBUS
    assert run.holds(1) == FAULT_LOCK


@drives("H31")
@row(16)
def test_read_error_is_sigbus_after_window_and_one_read() -> None:
    """6.2 row 16: three reads in DROP, two here."""
    run = hold(ra=1, IO_ERRORS=1)
    run.choices["io_error"] = lambda thread: 1
    for _ in range(4):
        run.go(1)
        run.go(2)
    assert run.pc(1) == 0 and run.holds(1) == NOTHING
    assert run.count("IO_SUBMIT") == 2


# ---- table 6.2, row by row, on all policies ----------------------------------------------------


def cold_fault(policy: str) -> Run:
    """A cold read with a window, up to the sleep."""
    run = scene(ra=4, policy=policy)
    assert run.go(1) == "blocked"
    return run


@pytest.mark.parametrize("policy", HOLDING)
@row(2, 4, 5, 6, 19)
def test_rows_1_to_8_no_release_no_retry_no_pin(policy: str) -> None:
    run = cold_fault(policy)
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    assert run.get("Thread", 1, "holds_vma_lock") != 0
    run.go(2, 1)
    assert run.pc(1) == 0
    assert run.count("VMA_LOCK_SUCCESS") == 1 and run.count("VMA_LOCK_RETRY") == 0  # rows 4, 19
    locks = [r for r in run.events if r[0] == "LOCK_ACQUIRED" and r[1] == 1]
    assert not locks, "mmap_lock was not needed (row 5)"


@row(2, 4, 5, 6, 19)
def test_rows_1_to_8_drop_releases_retries_and_pins() -> None:
    run = cold_fault("drop-retry")
    assert run.holds(1) == "ref, invalidate_lock, pin"
    run.go(2, 1)
    assert run.count("VMA_LOCK_RETRY") == 1 and run.count("VMA_LOCK_SUCCESS") == 0
    assert any(r[0] == "LOCK_ACQUIRED" and r[1] == 1 for r in run.events)


@pytest.mark.parametrize("policy, leaks", [("hold", True), ("hold-fix", False)])
@row(9)
def test_rows_9_signal_in_the_found_branch(policy: str, leaks: bool) -> None:
    run = scene(more=IN_FLIGHT, other=KILL, policy=policy)
    run.go(1)
    run.go(3)
    run.go(1)
    assert run.pc(1) == 0
    assert (run.holds(1) == "ref, invalidate_lock") == leaks
    assert (run.holds(1) == NOTHING) != leaks


@pytest.mark.parametrize(
    "policy, killable",
    [("drop-retry", True), ("hold", False), ("hold-fix", True), ("retry-vma", True),
     ("hold-vma", True), ("hold-until-writer", True)],
)
@row(10)
def test_row_10_signal_in_the_missing_branch(policy: str, killable: bool) -> None:
    run = scene(ra=4, other=KILL, policy=policy)
    assert run.go(1) == "blocked"
    run.go(3)
    assert (run.go(1) == "finished") == killable
    assert (run.holds(1) == NOTHING) == killable


@pytest.mark.parametrize("policy", ["drop-retry", "hold", "hold-fix"])
@row(11)
def test_row_11_own_read_is_killable(policy: str) -> None:
    run = scene(flags="VM_READ | VM_RAND_READ", other=KILL, policy=policy)
    assert run.go(1) == "blocked"
    run.go(3)
    assert run.go(1) == "finished" and run.holds(1) == NOTHING


@pytest.mark.parametrize("policy", ["drop-retry", "hold-fix", "retry-vma", "hold-vma",
                                    "hold-until-writer"])
@row(12)
def test_row_12_nowait_is_honoured(policy: str) -> None:
    run = scene(more=IN_FLIGHT, other=NOWAIT_CALL, policy=policy)
    assert result(run, 3) == RETRY
    assert run.holds(3) == FAULT_LOCK


@row(12)
def test_row_12_nowait_is_ignored_by_hold() -> None:
    """D3."""
    run = scene(more=IN_FLIGHT, other=NOWAIT_CALL, policy="hold")
    with pytest.raises(StuckError, match="S6 NOWAIT"):
        result(run, 3)


@row(13)
def test_row_13_a_new_folio_is_unlocked_in_between_only_by_drop() -> None:
    run = scene(flags="VM_READ | VM_RAND_READ")
    run.past(1, "F14")
    run.to(1, "F5")
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    run = hold(flags="VM_READ | VM_RAND_READ")
    run.past(1, "H14")
    run.to(1, "H20")
    assert run.holds(1) == "ref, folio lock, invalidate_lock, fault lock"


SIGNAL = KILL.replace("send_sigkill", "send_signal")


@row(15)
def test_row_15_ordinary_signal_during_the_read() -> None:
    run = scene(ra=4, other=SIGNAL)
    run.go(1)
    run.go(3, 2)
    run.until(1, "return trap_result")
    assert run.get("MM", 1, "pte") == 0, "drop: the trap returns unmapped"
    run.go(1)
    assert run.get("MM", 1, "pte") != 0, "and the instruction traps again"
    run = hold(ra=4, other=SIGNAL)
    run.go(1)
    run.go(3, 2)
    run.until(1, "return trap_result")
    assert run.get("MM", 1, "pte") != 0, "hold: the page is mapped first"


@pytest.mark.parametrize("policy, mapped", [("drop-retry", 2), ("hold", 1)])
@row(17)
def test_row_17_fault_around_after_the_read(policy: str, mapped: int) -> None:
    run = scene(ra=4, policy=policy)
    run.go(1, 2)
    assert sum(run.get("MM", 1, "pte", i) != 0 for i in range(8)) == mapped


@pytest.mark.parametrize("policy, misses", [("drop-retry", 0), ("hold", 1)])
@row(18)
def test_row_18_mmap_miss_after_a_miss(policy: str, misses: int) -> None:
    run = scene(ra=4, policy=policy)
    run.go(1, 2)
    assert run.get("File", 1, "mmap_miss") == misses


@pytest.mark.parametrize("policy, major", [("drop-retry", 2), ("hold", 1)])
@row(20)
def test_row_20_pgmajfault_counts_each_redo_that_misses(policy: str, major: int) -> None:
    run = scene(ra=1, other=REMOVE, policy=policy)
    run.go(1)
    run.go(2)
    if policy == "drop-retry":
        run.until(1, "lock_mm_and_find_vma")
        run.go(3)
    run.go(1, 2)
    assert run.count("PGMAJFAULT") == major


@pytest.mark.parametrize("policy, major", [("drop-retry", 1), ("hold", 0)])
@row(21)
def test_row_21_wait_for_anothers_read_under_mmap_lock(policy: str, major: int) -> None:
    run = scene(more=IN_FLIGHT, user=False, policy=policy)
    run.go(1, 2)
    assert run.count("MAJ_FLT") == major
