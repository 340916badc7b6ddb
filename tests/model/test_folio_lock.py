# SPDX-License-Identifier: GPL-2.0-only
"""The folio lock and its waiters (spec 3.4)."""

from __future__ import annotations

from tests.model.run import Run
from tests.model.table import drives

HEAD = """
@setup
def start():
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_cache(mapping, 0, 0)

@atomic
def get_it() -> Folio:
    for folio in each(Folio):
        folio_get(folio)
        return folio
    return None
"""
BODIES = {
    "l": "    folio_lock(folio)\n    {work}\n    folio_unlock(folio)\n    folio_put(folio)\n",
    "k": "    if __folio_lock_killable(folio):\n        {work}\n        folio_unlock(folio)\n"
         "    folio_put(folio)\n",
    "s": "    unlocked = folio_wait_locked_killable(folio)\n    {work}\n    folio_put(folio)\n",
    "p": "    unlocked = folio_put_wait_locked_killable(folio)\n    {work}\n",
    "t": "    taken = folio_trylock(folio)\n    {work}\n"
         "    if taken:\n        folio_unlock(folio)\n    folio_put(folio)\n",
}
WORK = "current.vmf_address = 1"


class Waiters(Run):
    """One folio; a letter of `roles` per thread."""

    def __init__(self, roles: str, **parameters: int) -> None:
        text = HEAD
        for number, role in enumerate(roles, start=1):
            text += f'\n@thread("T{number}")\ndef t{number}():\n    folio = get_it()\n'
            text += BODIES[role].format(work=WORK)
        super().__init__(text, "drop-retry", MAX_REFCOUNT=30, **parameters)

    def inside(self, thread: int) -> bool:
        for _ in range(200):
            if WORK in self.where(thread):
                return True
            if self.step(thread).code in (0, 3):
                return False
        raise AssertionError("runs for ever")

    def waiting(self) -> list[int]:
        threads, thread = [], self.get("Folio", 1, "first_waiter")
        while thread:
            threads.append(thread)
            thread = self.get("Thread", thread, "wait_next")
        return threads

    def locked_by(self) -> int:
        return self.get("Folio", 1, "locked_by")


@drives("3.4.1")
def test_trylock() -> None:
    run = Waiters("tt")
    assert run.inside(1) and run.locked_by() == 1
    assert run.inside(2) and run.locked_by() == 1 and not run.get("Thread", 2, "holds_folio_lock")
    run.go(1)
    assert run.get("Folio", 1, "locked") == 0


@drives("3.4.2")
def test_unlock_wakes_up_to_the_first_that_wants_the_lock() -> None:
    run = Waiters("lslsl")
    assert run.inside(1)
    assert not any(run.inside(thread) for thread in (2, 3, 4, 5))
    assert run.waiting() == [2, 3, 4, 5]
    run.go(1)
    assert run.waiting() == [4, 5]
    assert run.inside(2) and run.inside(3) and not run.inside(4)
    assert run.locked_by() == 3


@drives("3.4.3")
def test_a_waiter_may_lose_the_lock_five_times_then_gets_it_handed_over() -> None:
    run = Waiters("ll" + "t" * 6)
    assert run.inside(1) and not run.inside(2)
    run.go(1)
    for thief in range(3, 8):  # five times somebody else is faster
        assert run.inside(thief) and run.locked_by() == thief
        assert not run.inside(2), "lost it, waits again"
        run.go(thief)
    assert run.locked_by() == 2, "the sixth time the unlock hands it over"
    assert run.inside(8) and run.locked_by() == 2
    assert run.inside(2)


@drives("3.4.4")
def test_killable_waits_end_without_the_lock() -> None:
    run = Waiters("lksl")
    assert run.inside(1) and not any(run.inside(thread) for thread in (2, 3, 4))
    for thread in (2, 3, 4):
        run.set("Thread", thread, "fatal_signal_pending", 1)
    run.go(2)
    assert run.pc(2) == 0 and run.waiting() == [3, 4]
    assert run.inside(3) and run.local(3, "t3", "unlocked") == 0
    assert not run.inside(4), "folio_lock is not killable"
    run.go(1)
    assert run.inside(4)


@drives("3.4.5")
def test_put_and_wait_keeps_no_reference() -> None:
    run = Waiters("lps")
    assert run.inside(1) and not run.inside(2) and not run.inside(3)
    assert run.get("Thread", 2, "holds_folio") == 0 and run.get("Thread", 3, "holds_folio") == 1
    assert run.get("Folio", 1, "refcount") == 3, "the cache, thread 1 and thread 3"
    run.go(1)
    assert run.inside(2) and run.inside(3)


READ = """
@setup
def start():
    mm = boot_mm()
    mapping = boot_mapping(2)
    boot_map(mm, boot_file(mapping, 0), 0, 2, 0, VM_READ)
    boot_read(mapping, 0, 2)

@atomic
def get_it() -> Folio:
    for folio in each(Folio):
        folio_get(folio)
        return folio
    return None

@thread("T1")
def waiter():
    folio = get_it()
    unlocked = folio_wait_locked_killable(folio)
    folio_put(folio)

@thread("disk", daemon=True)
def disk():
    blk_done()
"""


@drives("3.4.6")
def test_completion_sets_uptodate_unlocks_and_wakes_in_one_step() -> None:
    run = Run(READ, IO_ERRORS=1)
    assert run.go(1) == "blocked"
    run.until(2, "bio_endio")
    assert run.get("Folio", 1, "locked") == 1
    run.step(2)
    assert [run.get("Folio", i, "locked") for i in (1, 2)] == [0, 0]
    assert [run.get("Folio", i, "uptodate") for i in (1, 2)] == [1, 1]
    assert run.go(1) == "finished"


def test_failed_read_unlocks_without_uptodate() -> None:
    run = Run(READ, IO_ERRORS=1)
    run.choices["io_error"] = lambda thread: 1
    run.go(1, 2)
    assert run.get("Folio", 1, "locked") == 0 and run.get("Folio", 1, "uptodate") == 0
    assert run.pc(1) == 0


def test_unlocking_somebody_elses_folio_is_found() -> None:
    run = Waiters("t")
    run.inside(1)
    run.set("Folio", 1, "locked_by", 0)
    assert run.go(1) == "violated" and run.violation.startswith("S14 ")


def test_dropping_a_reference_twice_is_found() -> None:
    run = Waiters("t")
    run.inside(1)
    run.set("Thread", 1, "holds_folio", 0)
    assert run.go(1) == "violated" and run.violation.startswith("S3 ")
