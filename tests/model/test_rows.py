# SPDX-License-Identifier: GPL-2.0-only
"""Rows of table 6.2 that are about one moment: what DROP and HOLD hold, count and answer then."""

from __future__ import annotations

import pytest

from faultlock.lang.model import POLICY_FOLDER
from tests.model.run import Run
from tests.model.table import row
from tests.model.test_drop import (
    FAULT_LOCK,
    IN_FLIGHT,
    LOCKED,
    NOTHING,
    result,
    scene,
)
from tests.model.test_hold import cold_fault
from tests.model.test_steps_drop import (
    MARKED,
    RANDOM,
    cached,
)

# ---- rows of 6.2 that are about one moment -------------------------------------------------------


@row(1, 3)
@pytest.mark.parametrize("policy, held", [("drop-retry", NOTHING), ("hold", FAULT_LOCK)])
def test_rows_1_and_3_the_fault_lock_while_readahead_waits(policy: str, held: str) -> None:
    """Submission waits for invalidate_lock; so does retry_find after it."""
    for text in ("page_cache_ra_unbounded", "__filemap_get_folio"):
        run = scene(ra=4, policy=policy)
        lock = run.semaphore("Mapping", "invalidate_lock")
        run.until(1, "do_sync_mmap_readahead(file)")
        if text == "__filemap_get_folio":
            run.to(1, "F13" if policy == "drop-retry" else "H13")
        run.set("RwSemaphore", lock, "writer", 3)
        assert run.go(1) == "blocked" and run.queue(lock) == [1]
        assert run.holds(1).replace("pin", "") == held


@row(2, 6, 7)
@pytest.mark.parametrize("policy", ["drop-retry", "hold"])
def test_rows_2_6_7_the_wait_for_the_folio(policy: str) -> None:
    run = cold_fault(policy)
    holding = policy == "hold"
    assert (FAULT_LOCK in run.holds(1)) == holding
    assert run.get("File", 1, "f_count") == (1 if holding else 2)
    assert run.get("Thread", 1, "vmf_vma") == (1 if holding else 0), "row 7: looked up again"


@row(4, 5, 19)
@pytest.mark.parametrize("more", ["", IN_FLIGHT, MARKED])
@pytest.mark.parametrize("policy, retries", [("drop-retry", 1), ("hold", 0)])
def test_rows_4_5_19_retry_and_mmap_lock(policy: str, retries: int, more: str) -> None:
    run = scene(ra=4, more=more, policy=policy)
    for _ in range(3):
        run.go(1)
        run.go(2)
    assert run.pc(1) == 0 and run.get("MM", 1, "pte") != 0
    assert run.count("VMA_LOCK_RETRY") == retries
    assert run.count("VMA_LOCK_SUCCESS") == 1 - retries
    took_mmap_lock = [e for e in run.events if e[:2] == ("LOCK_ACQUIRED", 1)]
    assert len(took_mmap_lock) == retries


@row(8)
@pytest.mark.parametrize("policy, references", [("drop-retry", {1}), ("hold", {2})])
def test_row_8_the_window_in_which_reclaim_can_evict(policy: str, references: set[int]) -> None:
    """References of the folio from the end of the I/O until its PTE is set."""
    run = cold_fault(policy)
    folio = cached(run)
    run.go(2)
    assert result(run) & (LOCKED | 0x400)
    seen = set()
    while run.get("MM", 1, "pte") == 0:
        if policy == "hold" or "find_vma" in run.where(1) or run.fault_lock(1) == "":
            seen.add(run.get("Folio", folio, "refcount"))
        run.step(1)
    assert seen == references, "1: nobody but the page cache; reclaim may take it"


@row(16)
@pytest.mark.parametrize("policy, reads", [("drop-retry", 3), ("hold", 2)])
def test_row_16_reads_of_a_bad_block(policy: str, reads: int) -> None:
    run = scene(ra=1, IO_ERRORS=1, policy=policy)
    run.choices["io_error"] = lambda thread: 1
    for _ in range(6):
        run.go(1)
        run.go(2)
    assert run.pc(1) == 0 and run.count("IO_SUBMIT") == reads
    assert run.get("MM", 1, "pte") == 0 and run.count("PGFAULT") == 1


@row(22)
@pytest.mark.parametrize("policy, vma", [("drop-retry", 0), ("hold", 1)])
def test_row_22_what_a_wrapper_of_filemap_fault_finds(policy: str, vma: int) -> None:
    """vmf->vma after ->fault of a cold page: gone with the lock, or still there."""
    run = cold_fault(policy)
    run.go(2)
    result(run)
    assert run.get("Thread", 1, "vmf_vma") == vma
    assert (run.fault_lock(1) == "vma") == bool(vma)


@row(23)
def test_row_23_nobody_passes_fgp_for_mmap() -> None:
    """The RFC removes the flag: find-or-create of HOLD asks for FGP_CREAT and FGP_LOCK."""
    assert "FGP_FOR_MMAP)" not in (POLICY_FOLDER / "hold.py").read_text(encoding="utf-8")
    for policy, flags in (("drop-retry", 1 << 1 | 1 << 3), ("hold", 1 << 0 | 1 << 1)):
        run: Run = scene(flags=RANDOM, policy=policy)
        run.until(1, "filemap_get_entry(mapping, index)")  # F2
        run.over(1, "F2" if policy == "drop-retry" else "H2")
        run.until(1, "filemap_get_entry(mapping, index)")
        assert run.local(1, "__filemap_get_folio", "fgp_flags") == flags
    assert run.holds(1) != NOTHING
