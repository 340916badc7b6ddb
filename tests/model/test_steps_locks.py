# SPDX-License-Identifier: GPL-2.0-only
"""Sections 3.3 and 3.4 step by step: the lock words before and after each step."""

from __future__ import annotations

import pytest

from tests.model.run import Run
from tests.model.table import drives
from tests.model.test_folio_lock import READ, Waiters
from tests.model.test_rwsem import Locks

# ---- 3.3: reader/writer semaphores ---------------------------------------------------------------


@drives("3.3.1", "3.3.4")
@pytest.mark.parametrize("word", ["writer", "first_waiter", "handoff"])
def test_3_3_1_and_4_a_reader_counts_itself_in_only_when_all_bits_are_clear(word: str) -> None:
    run = Locks("rtt")
    assert run.call("down_read_trylock", run.lock) == 1 and run.readers() == 1
    assert run.call("down_read_trylock", run.lock) == 1 and run.readers() == 2
    run.set("RwSemaphore", run.lock, word, 1)
    assert run.call("down_read_trylock", run.lock) == 0 and run.readers() == 2
    assert run.inside(2) and run.local(2, "t2", "taken") == 0, "3.3.4"
    run.set("RwSemaphore", run.lock, word, 0)
    assert run.inside(1) and run.readers() == 3, "3.3.1"


@drives("3.3.2")
@pytest.mark.parametrize("steal, inside, taken", [(1, 0, True), (1, 1, False), (0, 0, False)])
def test_3_3_2_steals_only_a_lock_that_nobody_holds(steal: int, inside: int, taken: bool) -> None:
    run = Locks("wwr", RWSEM_STEAL=1)
    assert run.inside(1) and not run.inside(2)
    run.go(1)
    assert run.writer() == 0 and run.waiting() == [2], "free, with a woken writer in the queue"
    run.machine.parameters["RWSEM_STEAL"] = steal
    run.set("RwSemaphore", run.lock, "readers", inside)
    if steal:
        assert run.inside(3) == taken
    else:
        assert run.call("rwsem_read_steal_or_queue", run.lock, thread=3) == taken
        stealer = Locks("wwr", RWSEM_STEAL=1)
        assert stealer.inside(1) and not stealer.inside(2)
        stealer.go(1)
        assert stealer.inside(3) and stealer.readers() == 1
    assert run.readers() == inside + taken
    if steal:
        assert run.waiting() == ([2] if taken else [2, 3])
    else:
        assert run.writer() == 2 and run.waiting() == [3], "the writer at the head gets it"


@drives("3.3.3", "3.3.10")
def test_3_3_3_queues_at_the_tail_and_sleeps_uninterruptibly() -> None:
    run = Locks("rwrr")
    assert run.inside(1) and not run.inside(2) and not run.inside(3) and not run.inside(4)
    assert run.waiting() == [2, 3, 4] and run.readers() == 1
    run.set("Thread", 4, "fatal_signal_pending", 1)
    assert not run.inside(4) and run.waiting() == [2, 3, 4]
    run.go(1)
    assert run.writer() == 2 and run.readers() == 0 and run.waiting() == [3, 4]
    run.go(2)
    assert run.inside(3) and run.inside(4) and run.readers() == 2
    run.go(3, 4)
    assert run.free() and not any(run.get("Thread", t, "wait_granted") for t in (2, 3, 4))


@drives("3.3.5")
@pytest.mark.parametrize("inside, polls", [(1, 10), (4, 12), (40, 25)])
def test_3_3_5_spins_20_plus_readers_halved(inside: int, polls: int) -> None:
    run = Locks("rw" + "t" * 40, RWSEM_SPIN=1)
    run.set("RwSemaphore", run.lock, "readers", inside)
    run.over(2, "3.3.5")
    assert run.local(2, "rwsem_optimistic_spin", "polls_left") == polls
    assert run.go(2) == "blocked" and run.get("RwSemaphore", run.lock, "nonspinnable") == 1
    assert [name for name, _, _ in run.costs].count("rwsem_spin") == polls
    assert run.waiting() == [2], "then it queues"


@drives("3.3.6")
def test_3_3_6_a_release_wakes_one_writer_or_all_readers() -> None:
    run = Locks("wwrrw")
    assert run.inside(1) and not any(run.inside(t) for t in (2, 3, 4, 5))
    run.go(1)
    assert run.writer() == 2 and run.waiting() == [3, 4, 5], "readers behind it stay"
    run.go(2)
    assert run.writer() == 0 and run.readers() == 2 and run.waiting() == [5]
    run.go(3, 4)
    assert run.writer() == 5


@drives("3.3.7")
@pytest.mark.parametrize("due", [0, 1])
def test_3_3_7_handoff_only_after_a_long_wait(due: int) -> None:
    run = Locks("wwr", RWSEM_STEAL=1, RWSEM_HANDOFF=1)
    run.choices["rwsem_handoff_due"] = lambda thread: due
    assert run.inside(1) and not run.inside(2)
    assert run.get("RwSemaphore", run.lock, "handoff") == due
    assert run.get("Thread", 2, "wait_handoff") == due
    run.go(1)
    assert run.inside(3) != bool(due), "no stealing after it"
    again = Locks("wwr", RWSEM_STEAL=1, RWSEM_HANDOFF=1)
    again.choices["rwsem_handoff_due"] = lambda thread: 1
    assert again.inside(1) and not again.inside(2)


@drives("3.3.8")
def test_3_3_8_downgrade_grants_the_head_readers_only() -> None:
    run = Locks("drw")
    while "downgrade_write" not in run.where(1):
        run.step(1)
    assert not run.inside(2) and not run.inside(3) and run.waiting() == [2, 3]
    run.until(1, "current.vmf_address")
    assert run.writer() == 0 and run.readers() == 2 and run.waiting() == [3]
    run = Locks("dwr")
    while "downgrade_write" not in run.where(1):
        run.step(1)
    assert not run.inside(2) and not run.inside(3)
    run.until(1, "current.vmf_address")
    assert run.readers() == 1 and run.waiting() == [2, 3], "a writer at the head: nobody"


@drives("3.3.9")
@pytest.mark.parametrize("roles, killed, left, granted", [
    ("rWr", 2, [], [3]), ("rwRr", 3, [2, 4], []), ("wR", 2, [], [])])
def test_3_3_9_a_killed_waiter_leaves_and_wakes_its_successors(
    roles: str, killed: int, left: list[int], granted: list[int]
) -> None:
    run = Locks(roles)
    others = range(2, len(roles) + 1)
    assert run.inside(1) and not any(run.inside(t) for t in others)
    run.set("Thread", killed, "fatal_signal_pending", 1)
    run.go(killed)
    assert run.pc(killed) == 0 and run.waiting() == left
    assert [t for t in others if run.get("Thread", t, "wait_granted")] == granted
    assert run.get("RwSemaphore", run.lock, "handoff") == 0
    assert run.get("RwSemaphore", run.lock, "last_waiter") == (left[-1] if left else 0)


# ---- 3.4: the folio lock -------------------------------------------------------------------------


@drives("3.4.1")
def test_3_4_1_trylock_is_test_and_set() -> None:
    run = Waiters("tt")
    assert run.get("Folio", 1, "locked") == 0
    assert run.inside(1) and run.local(1, "t1", "taken") == 1
    assert run.get("Folio", 1, "locked") == 1 and run.get("Thread", 1, "holds_folio_lock") == 1
    assert run.inside(2) and run.local(2, "t2", "taken") == 0 and run.locked_by() == 1
    assert run.waiting() == [], "it never waits"


@drives("3.4.2")
def test_3_4_2_shared_waiters_do_not_take_the_lock() -> None:
    run = Waiters("lssl")
    assert run.inside(1) and not any(run.inside(t) for t in (2, 3, 4))
    run.go(1)
    assert run.waiting() == [] and run.get("Folio", 1, "locked") == 0
    assert run.inside(2) and run.inside(3) and run.locked_by() == 0
    assert run.inside(4) and run.locked_by() == 4


@drives("3.4.3")
@pytest.mark.parametrize("unfairness", [0, 2])
def test_3_4_3_asks_for_a_handoff_after_losing(unfairness: int) -> None:
    run = Waiters("ll" + "t" * unfairness, PAGE_LOCK_UNFAIRNESS=unfairness)
    assert run.inside(1) and not run.inside(2)
    kinds = [run.get("Thread", 2, "wait_kind")]
    owner = 1
    for thief in range(3, 3 + unfairness):
        run.go(owner)
        assert run.get("Folio", 1, "locked") == 0, "woken, but it has to take the bit itself"
        assert run.inside(thief) and not run.inside(2)
        kinds.append(run.get("Thread", 2, "wait_kind"))
        owner = thief
    assert len(set(kinds[:-1])) == min(unfairness, 1) and kinds[-1] not in kinds[:-1]
    run.go(owner)
    assert run.get("Folio", 1, "locked") == 1 and run.locked_by() == 2, "handed over"
    assert run.inside(2)


@drives("3.4.4", "3.4.5")
def test_3_4_4_and_5_who_keeps_what_while_it_sleeps_and_when_it_is_killed() -> None:
    run = Waiters("lkslp")
    assert run.inside(1) and not any(run.inside(t) for t in (2, 3, 4, 5))
    assert [run.get("Thread", t, "holds_folio") for t in (2, 3, 4, 5)] == [1, 1, 1, 0]
    assert run.get("Folio", 1, "refcount") == 1 + 1 + 3, "cache, the owner, all but put-and-wait"
    for thread in (2, 3, 4, 5):
        run.set("Thread", thread, "fatal_signal_pending", 1)
        run.go(thread)
    assert run.pc(2) == run.pc(3) == run.pc(5) == 0, "killable"
    assert run.waiting() == [4] and run.locked_by() == 1
    assert run.get("Folio", 1, "refcount") == 3


@drives("3.4.6")
@pytest.mark.parametrize("failed", [0, 1])
def test_3_4_6_completion_needs_no_lock_and_does_it_in_one_step(failed: int) -> None:
    run = Run(READ, IO_ERRORS=1)
    run.choices["io_error"] = lambda thread: failed
    assert run.go(1) == "blocked"
    run.until(2, "bio_endio")
    before = [run.get("Folio", 1, field) for field in ("locked", "reading", "uptodate")]
    assert before == [1, 1, 0] and run.holds(2) == ""
    run.step(2)
    after = [run.get("Folio", 1, field) for field in ("locked", "reading", "uptodate")]
    assert after == [0, 0, 1 - failed] and run.get("Thread", 1, "wait_woken") == 1
    assert run.holds(2) == "" and run.go(1) == "finished"
