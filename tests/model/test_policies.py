# SPDX-License-Identifier: GPL-2.0-only
"""What each policy changes: retry-vma, hold-vma, hold-until-writer, fork-fix (spec 6.5, 6.6)."""

from __future__ import annotations

import pytest

from tests.model.run import Run
from tests.model.test_drop import (
    FAULT_LOCK,
    IN_FLIGHT,
    KILL,
    MAJOR,
    NOTHING,
    RETRY,
    UPTODATE,
    result,
    scene,
)

RETRY_VMA = 0x8000
TRIED, VMA_LOCK = 0x20, 0x1000
VMA_WRITER = """    mmap_write_lock(current.mm)
    vma = find_vma(current.mm, 0)
    vma_start_write(vma)
    current.vmf_address = 1
    mmap_write_unlock(current.mm)
"""
MMAP_WRITER = """    mmap_write_lock(current.mm)
    current.vmf_address = 1
    mmap_write_unlock(current.mm)
"""
INSIDE = "current.vmf_address = 1"


def gets_in(run: Run, thread: int = 3) -> bool:
    """Does the writer get its lock without the disk?"""
    for _ in range(300):
        if INSIDE in run.where(thread):
            return True
        if run.step(thread).code == 0:
            return False
    raise AssertionError("runs for ever")


# ---- retry-vma ------------------------------------------


def test_retry_vma_redoes_under_the_vma_lock_with_tried() -> None:
    run = scene(ra=4, policy="retry-vma")
    run.go(1)
    run.go(2)
    assert result(run) == RETRY | MAJOR | RETRY_VMA
    assert run.holds(1) == NOTHING
    run.until(1, "count_attempt()")
    assert run.local(1, "fault_with_vma_lock", "flags") & TRIED
    assert run.get("Thread", 1, "holds_vma_lock") == 1
    run.go(1)
    assert not [record for record in run.events if record[:2] == ("LOCK_ACQUIRED", 1)]
    assert (run.count("VMA_LOCK_RETRY"), run.count("VMA_LOCK_SUCCESS")) == (1, 1)
    assert run.count("MAJ_FLT") == 1


def test_retry_vma_under_mmap_lock_is_as_before() -> None:
    run = scene(ra=4, policy="retry-vma", user=False)
    run.go(1)
    run.go(2)
    assert result(run) == RETRY | MAJOR


def test_retry_vma_is_not_set_when_killed_or_after_the_own_read() -> None:
    run = scene(more=IN_FLIGHT, policy="retry-vma", other=KILL)
    run.go(1)
    run.go(3)
    assert result(run) == RETRY
    run = scene(flags="VM_READ | VM_RAND_READ", policy="retry-vma")
    run.go(1)
    run.go(2)
    assert result(run) == RETRY | MAJOR


LOCKER = """    with atomic:
        the_folio: Folio = None
        for folio in each(Folio):
            the_folio = folio
            break
        folio_get(the_folio)
    for i in range(0, 12):
        folio_lock(the_folio)
        current.vmf_address = 1
        folio_unlock(the_folio)
"""


@pytest.mark.parametrize("v2, bounded", [(0, False), (1, True)])
def test_retry_vma_attempts_are_unbounded_without_v2(v2: int, bounded: bool) -> None:
    """6.5: each time somebody else has the folio lock, the fault starts over."""
    run = scene(more=UPTODATE, policy="retry-vma", other=LOCKER, RETRY_VMA_V2=v2,
                FAULT_AROUND_PAGES=1, PAGE_LOCK_UNFAIRNESS=0)
    for attempt in range(1, 7):
        run.until(3, INSIDE)
        assert run.go(1) == "blocked"
        run.until(3, "folio_unlock")
        run.step(3)
        if bounded:
            assert run.go(1) == "finished" and run.count("VMA_LOCK_RETRY") == 0
            return
        run.until(1, "count_attempt()")
        assert run.count("VMA_LOCK_RETRY") == attempt


# ---- hold-vma ------------------------------------------


def test_hold_vma_holds_the_vma_lock() -> None:
    run = scene(ra=4, policy="hold-vma", other=VMA_WRITER)
    run.go(1)
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    assert not gets_in(run), "a writer of the VMA waits for the disk"
    run.go(2, 1)
    assert run.count("VMA_LOCK_SUCCESS") == 1 and gets_in(run)


def test_hold_vma_drops_mmap_lock() -> None:
    run = scene(ra=4, policy="hold-vma", other=MMAP_WRITER, user=False)
    run.go(1)
    assert run.holds(1) == "ref, invalidate_lock, pin"
    assert gets_in(run), "a writer of mmap_lock does not"


@pytest.mark.parametrize("policy, gets", [("hold", False), ("hold-vma", True),
                                          ("hold-until-writer", True), ("drop-retry", True)])
def test_d6_kernel_mode_fault_and_mmap(policy: str, gets: bool) -> None:
    run = scene(ra=4, policy=policy, other=MMAP_WRITER, user=False)
    run.go(1)
    if not gets_in(run):
        run.go(1)  # a sleeper that was told may have to give the lock up first
    assert gets_in(run) == gets


# ---- hold-until-writer ------------------------------------------


@pytest.mark.parametrize("version", [612, 700])
@pytest.mark.parametrize("user, writer", [(True, VMA_WRITER), (False, MMAP_WRITER)])
def test_hold_until_writer(version: int, user: bool, writer: str) -> None:
    run = scene(ra=4, policy="hold-until-writer", other=writer, user=user, KERNEL_VERSION=version)
    assert run.go(1) == "blocked"
    assert run.holds(1) == "ref, invalidate_lock, fault lock"
    assert not gets_in(run)
    assert run.go(1) == "blocked", "woken, gave the lock up, sleeps again"
    assert run.holds(1) == "ref, invalidate_lock, pin"
    assert gets_in(run), "the disk has not answered yet"
    run.go(3)
    run.go(2, 1)
    assert run.pc(1) == 0 and run.holds(1) == NOTHING
    assert run.get("VMA", 1, "first_sleeper") == 0 and run.get("MM", 1, "first_sleeper") == 0
    assert run.get("MM", 1, "writers_announced") == 0


def test_hold_until_writer_without_a_writer_is_hold() -> None:
    run = scene(ra=4, policy="hold-until-writer")
    run.go(1, 2)
    assert run.count("VMA_LOCK_SUCCESS") == 1 and run.count("VMA_LOCK_RETRY") == 0
    assert run.get("VMA", 1, "first_sleeper") == 0


@pytest.mark.parametrize("version", [612, 700])
def test_hold_until_writer_sees_a_writer_that_came_first(version: int) -> None:
    run = scene(ra=4, policy="hold-until-writer", other=VMA_WRITER, KERNEL_VERSION=version)
    run.until(1, "registered = sleeper_register()")
    assert not gets_in(run)
    assert run.go(1) == "blocked" and run.holds(1) == "ref, invalidate_lock, pin"
    assert gets_in(run)


def test_hold_until_writer_killed_while_registered() -> None:
    run = scene(ra=4, policy="hold-until-writer", other=KILL)
    run.go(1)
    run.go(3)
    assert run.go(1) == "finished" and run.holds(1) == NOTHING
    assert run.get("VMA", 1, "first_sleeper") == 0


# ---- fork-fix ------------------------------------------

FORK = "    with atomic:\n        current.vmf_address = 0\n    dup_mmap(None)\n"


@pytest.mark.parametrize("version", [612, 700])
@pytest.mark.parametrize(
    "policy, waits", [("hold", True), ("hold+fork-fix", False), ("drop-retry", False),
                      ("hold-fix+fork-fix", False), ("hold-vma", True)]
)
def test_fork_beside_a_fault(policy: str, version: int, waits: bool) -> None:
    """D5: fork write-locks the VMA whose fault waits for the disk."""
    run = scene(ra=4, policy=policy, other=FORK, KERNEL_VERSION=version)
    run.go(1)
    assert (run.go(3) == "blocked") == waits
    run.go(2, 1, 3)
    assert run.pc(3) == 0 and run.holds(3) == NOTHING


def test_fork_fix_still_locks_what_it_copies() -> None:
    run = scene(ra=4, policy="hold+fork-fix", other=FORK)
    run.set("VMA", 1, "anon_vma", 1)
    run.go(1)
    assert run.go(3) == "blocked"


def test_fork_fix_careful_variant() -> None:
    run = scene(ra=4, flags="VM_READ | VM_MAYWRITE", policy="hold+fork-fix", other=FORK,
                FORK_FIX_ANON_VMA=0)
    run.go(1)
    assert run.go(3) == "blocked", "a private mapping that may become writable is locked"


def test_retry_is_the_only_result_without_the_lock() -> None:
    for policy in ("drop-retry", "retry-vma"):
        run = scene(ra=4, policy=policy)
        run.go(1)
        run.go(2)
        assert result(run) & RETRY and FAULT_LOCK not in run.holds(1)
