# SPDX-License-Identifier: GPL-2.0-only
"""Section 6.1 step by step (each condition of H1 to H31 both ways), and rows of table 6.2."""

from __future__ import annotations

import pytest

from tests.model.table import drives, row
from tests.model.test_drop import (
    FAULT_LOCK,
    IN_FLIGHT,
    LOCKED,
    MAJOR,
    NOPAGE,
    NOT_UPTODATE,
    OOM,
    REMOVE,
    SIGBUS,
    UPTODATE,
    result,
    scene,
)
from tests.model.test_hold import hold
from tests.model.test_steps_drop import (
    FIRST,
    MARKED,
    NO_RETRY,
    RANDOM,
    TRIED,
    attempt,
    cached,
)
from tests.model.test_steps_drop_end import EINTR, EIO


@drives("H1")
@pytest.mark.parametrize("page, answer", [(0, LOCKED), (1, SIGBUS)])
def test_h1_compares_with_the_end_of_the_file(page: int, answer: int) -> None:
    run = hold(size=1, page=page, more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.over(1, "H1")
    assert ("H2" in run.here(1)) == (answer == LOCKED) and run.holds(1) == FAULT_LOCK
    assert result(run) == answer


@drives("H2", "H10", "H11", "H12", "H13")
def test_h2_absent_counts_a_major_fault_and_keeps_the_lock() -> None:
    run = hold()
    run.over(1, "H2")
    run.to(1, "H10")
    assert run.holds(1) == FAULT_LOCK and run.count("PGMAJFAULT") == 0
    run.over(1, "H11")
    assert run.count("PGMAJFAULT") == 1
    run.over(1, "H12")
    assert run.local(1, "filemap_fault", "ret") == MAJOR
    assert run.holds(1) == FAULT_LOCK and run.count("IO_SUBMIT") == 0, "no readahead: no action"
    run.over(1, "H13")
    assert run.holds(1) == "invalidate_lock, fault lock"


@drives("H2", "H3", "H4", "H5", "H6")
@pytest.mark.parametrize("flags, mark", [(FIRST, 0), (TRIED, 1)])
def test_h3_readahead_unless_tried_without_release(flags: str, mark: int) -> None:
    run = hold(ra=2, more=MARKED, other=attempt(flags), FAULT_AROUND_PAGES=1)
    run.over(3, "H2")
    assert run.holds(3) == "ref, fault lock"
    run.to(3, "H4")
    assert run.holds(3) == "ref, fault lock" and run.get("File", 1, "f_count") == 1, "no pin"
    assert run.get("Folio", 1, "readahead") == mark and run.count("IO_SUBMIT") == 1 - mark
    run.over(3, "H4")
    run.to(3, "H5")
    assert run.holds(3) == "ref, fault lock", "uptodate: no invalidate_lock"
    run.to(3, "H6")
    assert run.holds(3) == "ref, folio lock, fault lock"
    assert result(run, 3) == LOCKED
    run.go(1)  # its own steps H3: this run is a first attempt


@drives("H4", "H5")
@pytest.mark.parametrize("flags, killable", [(FIRST, True), (TRIED, True), (NO_RETRY, False)])
def test_h5_killed_leaks_and_without_killable_waits_on(flags: str, killable: bool) -> None:
    run = hold(more=IN_FLIGHT, other=attempt(flags))
    run.to(3, "H5")
    assert run.holds(3) == "ref, invalidate_lock, fault lock", "H4 took it: not uptodate"
    assert run.go(3) == "blocked"
    run.set("Thread", 3, "fatal_signal_pending", 1)
    if killable:
        assert result(run, 3) == SIGBUS
        assert run.holds(3) == "ref, invalidate_lock, fault lock", "D1, D2"
        assert run.get("Folio", 1, "refcount") == 2
    else:
        assert run.go(3) == "blocked" and run.holds(3) == "ref, invalidate_lock, fault lock"
        run.go(2)
        assert result(run, 3) == LOCKED and run.holds(3) == "ref, folio lock, fault lock"


@row(12)
@drives("H5")
def test_h5_does_not_look_at_nowait() -> None:
    run = scene(more=IN_FLIGHT, other=attempt("FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT"),
                policy="hold")
    run.over(1, "H2")
    assert run.go(1) == "blocked"
    assert run.go(3) == "violated" and run.violation.startswith("S6 NOWAIT")
    nowait = attempt("FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT")
    run = hold(more=UPTODATE, other=nowait, FAULT_AROUND_PAGES=1)
    assert result(run, 3) == LOCKED, "the trylock comes first: nothing to wait for"
    assert run.holds(3) == "ref, folio lock, fault lock"


@drives("H6", "H13")
@row(14)
@pytest.mark.parametrize("removed", [True, False])
def test_h6_changed_mapping_looks_again(removed: bool) -> None:
    run = hold(more=UPTODATE, other=REMOVE, FAULT_AROUND_PAGES=1)
    run.to(1, "H5")
    if removed:
        run.go(3)
    run.to(1, "H6")
    assert run.holds(1) == "ref, folio lock, fault lock"
    run.over(1, "H6")
    if not removed:
        run.to(1, "H20")
        assert run.holds(1) == "ref, folio lock, fault lock"
        run.set("Folio", 1, "uptodate", 0)  # so that H13 is reached this way too
    run.to(1, "H13")
    assert run.holds(1) == FAULT_LOCK and run.get("Folio", 1, "refcount") == (0 if removed else 1)
    assert cached(run) == (0 if removed else 1)
    run.over(1, "H13")
    assert run.holds(1) == "invalidate_lock, fault lock"


@drives("H10")
@pytest.mark.parametrize("flags, table, nopage", [
    ("VM_READ | VM_LOCKED", 1, True), ("VM_READ | VM_LOCKED", 0, False), ("VM_READ", 1, False)])
def test_h10_only_for_locked_vmas_with_a_sampled_pte(flags: str, table: int, nopage: bool) -> None:
    run = hold(flags=flags, FAULT_AROUND_PAGES=1)
    run.set("MM", 1, "page_table", table)
    run.to(1, "H10")
    run.set("MM", 1, "pte_flags", 4)
    if nopage:
        assert result(run) == NOPAGE and run.count("PGMAJFAULT") == 0
    else:
        run.to(1, "H11")
    assert run.holds(1) == FAULT_LOCK


@drives("H12", "H13", "H14")
def test_h12_submits_with_the_fault_lock_held() -> None:
    run = hold(ra=4)
    run.until(1, "blk_get_request")
    assert run.holds(1) == "invalidate_lock, fault lock", "no pin, nothing released"
    run.to(1, "H13")
    assert run.holds(1) == FAULT_LOCK and run.count("IO_SUBMIT") == 1
    run.over(1, "H13")
    assert run.holds(1) == "invalidate_lock, fault lock"
    run.to(1, "H14")
    run.go(2)
    run.over(1, "H14")
    assert run.holds(1) == "ref, folio lock, invalidate_lock, fault lock"


@drives("H14")
@row(13)
def test_h14_a_new_folio_comes_back_locked() -> None:
    run = hold(flags=RANDOM)
    run.to(1, "H14")
    assert cached(run) == 0 and run.holds(1) == "invalidate_lock, fault lock"
    run.over(1, "H14")
    folio = cached(run)
    assert run.get("Folio", folio, "locked_by") == 1 and run.get("Folio", folio, "refcount") == 2
    assert run.holds(1) == "ref, folio lock, invalidate_lock, fault lock"


@drives("H14")
@row(14)
def test_h14_truncated_while_waiting_is_looked_up_again_inside() -> None:
    """Find-or-create itself sees that the folio left the file: new folio, still one step."""
    run = hold(ra=1, other=REMOVE)
    run.go(1)
    old = cached(run)
    run.go(2)
    run.set("Folio", old, "locked", 1)  # taken again before the waiter runs
    run.set("Folio", old, "locked_by", 3)
    run.set("Thread", 3, "holds_folio_lock", old)
    assert run.go(1) == "blocked"
    run.set("Folio", old, "mapping", 0)
    run.set("Mapping", 1, "pages", 0, 0)
    run.set("Folio", old, "refcount", run.get("Folio", old, "refcount") - 1)
    run.call("folio_unlock", old, thread=3)
    run.to(1, "H20")
    new = cached(run)
    assert new != 0 and run.get("Thread", 1, "holds_folio") == new
    assert run.get("Folio", new, "locked_by") == 1 and run.get("Folio", new, "mapping") == 1
    assert run.holds(1) == "ref, folio lock, invalidate_lock, fault lock"


@row(14)
def test_row_14_drop_checks_after_every_lock() -> None:
    """DROP: one check (F25) serves the found and the missing branch."""
    for arguments, major in (({"more": UPTODATE, "FAULT_AROUND_PAGES": 1}, 0), ({"ra": 1}, MAJOR)):
        run = scene(other=REMOVE, **arguments)
        run.to(1, "F5")
        run.go(2)
        run.go(3)
        run.to(1, "F25")
        assert run.local(1, "filemap_fault", "ret") == major
        run.to(1, "F14")
        assert run.holds(1) == "invalidate_lock, " + ("pin" if major else FAULT_LOCK)


@drives("H15")
def test_h15_out_of_memory_releases_invalidate_lock() -> None:
    run = hold(N_FOLIOS=1, flags=RANDOM, more="    boot_cache(mapping, 3, 0)\n")
    run.to(1, "H15")
    assert run.holds(1) == "invalidate_lock, fault lock"
    run.over(1, "H15")
    assert run.holds(1) == FAULT_LOCK
    assert result(run) == OOM


@drives("H20", "H21", "H22")
def test_h20_to_h22_uptodate_goes_straight_on() -> None:
    run = hold(more=NOT_UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "H20")
    run.set("Folio", 1, "uptodate", 1)
    run.over(1, "H20")
    assert run.holds(1) == "ref, folio lock, invalidate_lock, fault lock"
    run.to(1, "H21")
    run.to(1, "H22")
    assert run.holds(1) == "ref, folio lock, fault lock"
    assert result(run) == LOCKED and run.get("Thread", 1, "vmf_page") == 1


@drives("H20")
@pytest.mark.parametrize("more, label, held", [
    (NOT_UPTODATE, "H30", "ref, folio lock, invalidate_lock, fault lock"),
    (UPTODATE, "H13", FAULT_LOCK)])
def test_h20_not_uptodate(more: str, label: str, held: str) -> None:
    """With invalidate_lock: read it.  Without: give everything back and take the lock first."""
    run = hold(more=more, FAULT_AROUND_PAGES=1)
    run.to(1, "H20")
    run.set("Folio", 1, "uptodate", 0)
    run.to(1, label)
    assert run.holds(1) == held


@drives("H22")
@pytest.mark.parametrize("size, answer, held", [
    (1, LOCKED, "ref, folio lock, fault lock"), (0, SIGBUS, FAULT_LOCK)])
def test_h22_rechecks_the_size_under_the_folio_lock(size: int, answer: int, held: str) -> None:
    run = hold(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "H22")
    run.set("Mapping", 1, "i_size", size)
    assert result(run) == answer and run.holds(1) == held


@drives("H30", "H31")
@pytest.mark.parametrize("failure, error", [("killed", EINTR), ("failed", EIO)])
@row(11)
def test_h30_and_h31_errors_are_sigbus(failure: str, error: int) -> None:
    run = hold(flags=RANDOM, IO_ERRORS=1)
    run.choices["io_error"] = lambda thread: 1
    assert run.go(1) == "blocked"
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    if failure == "killed":
        run.set("Thread", 1, "fatal_signal_pending", 1)
    else:
        run.go(2)
    run.to(1, "H31")
    assert run.local(1, "filemap_fault", "error") == error
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    run.over(1, "H31")
    assert run.holds(1) == "invalidate_lock, fault lock"
    assert result(run) == SIGBUS and run.holds(1) == FAULT_LOCK


@drives("H30", "H31", "H14")
def test_h31_without_an_error_looks_again() -> None:
    run = hold(flags=RANDOM)
    run.go(1)
    run.go(2)
    run.over(1, "H31")
    run.to(1, "H14")
    assert run.holds(1) == "invalidate_lock, fault lock"
    run.over(1, "H14")
    lock = run.semaphore("Mapping", "invalidate_lock")
    assert run.get("RwSemaphore", lock, "readers") == 1, "not taken twice"
    assert result(run) == LOCKED | MAJOR and run.holds(1) == "ref, folio lock, fault lock"
