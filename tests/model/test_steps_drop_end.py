# SPDX-License-Identifier: GPL-2.0-only
"""Section 5.1 step by step: each condition of F20 to F40 both ways, with what is held."""

from __future__ import annotations

import pytest

from tests.model.table import drives
from tests.model.test_drop import (
    FAULT_LOCK,
    IN_FLIGHT,
    LOCKED,
    MAJOR,
    NOT_UPTODATE,
    NOTHING,
    REMOVE,
    RETRY,
    SIGBUS,
    UPTODATE,
    result,
    scene,
)
from tests.model.test_steps_drop import (
    FIRST,
    MARKED,
    NO_RETRY,
    NOWAIT_FLAGS,
    RANDOM,
    TRIED,
    attempt,
    cached,
)

EINTR, EIO = -4, -5


@drives("F20", "F25")
def test_f20_trylock_keeps_the_fault_lock() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "F20")
    assert run.get("Folio", 1, "locked") == 0
    run.to(1, "F25")
    assert run.holds(1) == "ref, folio lock, fault lock"
    assert run.get("Folio", 1, "locked_by") == 1
    run.over(1, "F25")


@drives("F21", "F40")
@pytest.mark.parametrize("flags", [NOWAIT_FLAGS, FIRST])
def test_f21_only_nowait_answers_at_once(flags: str) -> None:
    run = scene(more=IN_FLIGHT, other=attempt(flags))
    run.to(3, "F21")
    assert run.holds(3) == "ref, invalidate_lock, fault lock"
    if flags == FIRST:
        assert run.go(3) == "blocked" and run.holds(3) == "ref, invalidate_lock, pin"
        run.go(2)
    assert result(run, 3) == RETRY
    assert run.holds(3) == (FAULT_LOCK if flags == NOWAIT_FLAGS else NOTHING)


@drives("F22", "F23")
@pytest.mark.parametrize("flags, held", [
    (FIRST, "ref, invalidate_lock, pin"), (TRIED, "ref, invalidate_lock, fault lock")])
def test_f22_releases_on_a_first_attempt_only(flags: str, held: str) -> None:
    run = scene(more=IN_FLIGHT, other=attempt(flags))
    run.to(3, "F22")
    assert run.holds(3) == "ref, invalidate_lock, fault lock"
    run.over(3, "F22")
    assert run.holds(3) == held
    assert run.go(3) == "blocked" and run.holds(3) == held
    run.go(2)
    assert result(run, 3) == (RETRY if flags == FIRST else LOCKED)


@drives("F23")
@pytest.mark.parametrize("flags, killable", [(FIRST, True), (TRIED, True), (NO_RETRY, False)])
def test_f23_killable_only_with_the_flag(flags: str, killable: bool) -> None:
    run = scene(more=IN_FLIGHT, other=attempt(flags))
    assert run.go(3) == "blocked"
    run.set("Thread", 3, "fatal_signal_pending", 1)
    if killable:
        assert result(run, 3) == RETRY and run.holds(3) == NOTHING
        assert run.get("File", 1, "f_count") == 1 and run.get("Folio", 1, "refcount") == 1
    else:
        assert run.go(3) == "blocked" and run.holds(3) == "ref, invalidate_lock, fault lock"
        run.go(1)  # reaches F23
        run.go(2)
        assert result(run, 3) == LOCKED


@drives("F25", "F26", "F27", "F28", "F29")
def test_f25_to_f29_go_straight_on_when_nothing_changed() -> None:
    run = scene(more=NOT_UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "F25")
    run.set("Folio", 1, "uptodate", 1)  # read by somebody since F4
    run.over(1, "F25")
    run.over(1, "F26")
    run.over(1, "F27")
    assert run.holds(1) == "ref, folio lock, invalidate_lock, fault lock"
    run.to(1, "F28")
    run.to(1, "F29")
    assert run.holds(1) == "ref, folio lock, fault lock", "F28 released invalidate_lock"
    assert result(run) == LOCKED and run.get("Thread", 1, "vmf_page") == 1


@drives("F25", "F13")
def test_f25_truncated_gives_lock_and_reference_back_and_looks_again() -> None:
    run = scene(more=UPTODATE, other=REMOVE, FAULT_AROUND_PAGES=1)
    run.to(1, "F5")
    run.go(3)
    assert cached(run) == 0
    run.to(1, "F13")
    assert run.holds(1) == FAULT_LOCK and run.get("Folio", 1, "refcount") == 0, "the last one frees"
    assert run.count("PGMAJFAULT") == 0, "F13, not F11"
    run.over(1, "F13")
    assert run.holds(1) == "invalidate_lock, fault lock"


@drives("F26", "F13")
def test_f26_not_uptodate_without_invalidate_lock_goes_back() -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "F5")
    run.set("Folio", 1, "uptodate", 0)
    run.to(1, "F26")
    assert run.holds(1) == "ref, folio lock, fault lock"
    run.to(1, "F13")
    assert run.holds(1) == FAULT_LOCK and run.get("Folio", 1, "locked") == 0
    run.to(1, "F14")
    assert run.holds(1) == "invalidate_lock, fault lock"


@drives("F27", "F40")
def test_f27_a_released_fault_lock_means_retry_although_the_folio_is_there() -> None:
    run = scene(ra=2, more=MARKED)
    run.to(1, "F27")
    assert run.holds(1) == "ref, folio lock, pin"
    run.to(1, "F40")
    assert run.holds(1) == "ref, pin" and run.get("Folio", 1, "locked") == 0
    assert result(run) == RETRY and run.holds(1) == NOTHING


@drives("F29")
@pytest.mark.parametrize("size, answer, held", [
    (1, LOCKED, "ref, folio lock, fault lock"), (0, SIGBUS, FAULT_LOCK)])
def test_f29_rechecks_the_size_under_the_folio_lock(size: int, answer: int, held: str) -> None:
    run = scene(more=UPTODATE, FAULT_AROUND_PAGES=1)
    run.to(1, "F29")
    run.set("Mapping", 1, "i_size", size)
    assert result(run) == answer and run.holds(1) == held
    assert run.get("Folio", 1, "locked") == (answer == LOCKED)


@drives("F30", "F31")
@pytest.mark.parametrize("flags, held", [
    (FIRST, "ref, invalidate_lock, pin"), (TRIED, "ref, invalidate_lock, fault lock"),
    (NO_RETRY, "ref, invalidate_lock, fault lock")])
def test_f30_releases_on_a_first_attempt_only(flags: str, held: str) -> None:
    run = scene(flags=RANDOM, other=attempt(flags))
    run.to(3, "F30")
    assert run.holds(3) == "ref, folio lock, invalidate_lock, fault lock"
    run.over(3, "F30")
    assert run.holds(3) == held.replace("ref, ", "ref, folio lock, ")
    assert run.go(3) == "blocked" and run.holds(3) == held, "the folio lock is the read's"
    run.go(2)
    run.over(3, "F31")
    assert run.local(3, "filemap_fault", "error") == 0 and run.holds(3) == held


@drives("F31", "F33")
@pytest.mark.parametrize("failure, error, ra_pages", [("killed", EINTR, 8), ("failed", EIO, 2)])
def test_f31_and_f33_errors(failure: str, error: int, ra_pages: int) -> None:
    """Killed or failed with the fault lock held: SIGBUS; an error makes the windows smaller."""
    run = scene(ra=8, flags=RANDOM, other=attempt(TRIED), IO_ERRORS=1)
    run.choices["io_error"] = lambda thread: 1
    assert run.go(3) == "blocked"
    if failure == "killed":
        run.set("Thread", 3, "fatal_signal_pending", 1)
    else:
        run.go(2)
    run.over(3, "F31")
    assert run.local(3, "filemap_fault", "error") == error
    assert run.get("File", 1, "ra_pages") == ra_pages
    run.to(3, "F33")
    assert run.holds(3) == "ref, invalidate_lock, fault lock"
    assert result(run, 3) == SIGBUS and run.holds(3) == FAULT_LOCK


@drives("F33", "F14")
def test_f33_without_an_error_looks_again_with_invalidate_lock_held() -> None:
    run = scene(flags=RANDOM, other=attempt(TRIED))
    run.go(3)
    run.go(2)
    run.over(3, "F33")
    assert run.holds(3) == "invalidate_lock, fault lock"
    run.to(3, "F14")
    assert run.holds(3) == "invalidate_lock, fault lock"
    run.over(3, "F14")
    lock = run.semaphore("Mapping", "invalidate_lock")
    assert run.get("RwSemaphore", lock, "readers") == 1, "not taken twice"
    assert result(run, 3) == LOCKED | MAJOR


@drives("F32", "F40")
def test_f32_forgets_the_error_of_a_first_attempt() -> None:
    run = scene(flags=RANDOM, IO_ERRORS=1)
    run.choices["io_error"] = lambda thread: 1
    run.go(1)
    run.go(2)
    run.to(1, "F32")
    assert run.local(1, "filemap_fault", "error") == EIO
    assert run.holds(1) == "ref, invalidate_lock, pin"
    run.to(1, "F40")
    assert result(run) == RETRY | MAJOR and run.holds(1) == NOTHING


@drives("F32", "F33")
def test_f32_goes_on_when_the_fault_lock_is_held() -> None:
    run = scene(flags=RANDOM, other=attempt(TRIED))
    run.go(3)
    run.go(2)
    run.over(3, "F32")
    assert "F33" in run.here(3) and run.holds(3) == "ref, invalidate_lock, fault lock"
    assert result(run, 3) == LOCKED | MAJOR


@drives("F40")
def test_f40_gives_back_reference_invalidate_lock_and_pin_in_this_order() -> None:
    run = scene(more=IN_FLIGHT)
    run.go(1)
    run.set("Thread", 1, "fatal_signal_pending", 1)
    run.to(1, "F40")
    seen = [run.holds(1)]
    while run.holds(1):
        run.step(1)
        if run.holds(1) != seen[-1]:
            seen.append(run.holds(1))
    assert seen == ["ref, invalidate_lock, pin", "invalidate_lock, pin", "pin", NOTHING]
    assert run.get("Folio", 1, "refcount") == 1 and run.get("File", 1, "f_count") == 1
    assert run.get("RwSemaphore", run.semaphore("Mapping", "invalidate_lock"), "readers") == 0
    assert result(run) == RETRY and run.count("FAULT_REDO") == 1
