# SPDX-License-Identifier: GPL-2.0-only
"""Reader/writer semaphores, rule by rule (spec 3.3)."""

from __future__ import annotations

from tests.model.run import Run
from tests.model.table import drives

HEAD = """
@setup
def start():
    mm = boot_mm()
"""
ROLES = {
    "r": "    down_read(current.mm.mmap_lock)\n    {work}\n    up_read(current.mm.mmap_lock)\n",
    "w": "    down_write(current.mm.mmap_lock)\n    {work}\n    up_write(current.mm.mmap_lock)\n",
    "R": "    if down_read_killable(current.mm.mmap_lock):\n        {work}\n"
         "        up_read(current.mm.mmap_lock)\n",
    "W": "    if down_write_killable(current.mm.mmap_lock):\n        {work}\n"
         "        up_write(current.mm.mmap_lock)\n",
    "d": "    down_write(current.mm.mmap_lock)\n    downgrade_write(current.mm.mmap_lock)\n"
         "    {work}\n    up_read(current.mm.mmap_lock)\n",
    "t": "    taken = down_read_trylock(current.mm.mmap_lock)\n    {work}\n"
         "    if taken:\n        up_read(current.mm.mmap_lock)\n",
}
WORK = "current.vmf_address = 1"


class Locks(Run):
    """One mmap_lock; a letter of `roles` per thread."""

    def __init__(self, roles: str, **parameters: int) -> None:
        text = HEAD
        for number, role in enumerate(roles, start=1):
            text += f'\n@thread("T{number}")\ndef t{number}():\n' + ROLES[role].format(work=WORK)
        super().__init__(text, "drop-retry", **parameters)
        self.lock = self.semaphore("MM", "mmap_lock")

    def inside(self, thread: int) -> bool:
        """Let the thread run until it is inside or asleep; is it inside?"""
        for _ in range(100):
            if WORK in self.where(thread):
                return True
            if self.step(thread).code == 0:
                return False
        raise AssertionError("runs for ever")

    def readers(self) -> int:
        return self.get("RwSemaphore", self.lock, "readers")

    def writer(self) -> int:
        return self.get("RwSemaphore", self.lock, "writer")

    def waiting(self) -> list[int]:
        return self.queue(self.lock)

    def free(self) -> bool:
        return not (self.readers() or self.writer() or self.waiting())


@drives("3.3.1")
def test_readers_share() -> None:
    run = Locks("rrr")
    assert all(run.inside(thread) for thread in (1, 2, 3)) and run.readers() == 3
    run.go(1, 2, 3)
    assert run.free()


@drives("3.3.3", "3.3.10")
def test_a_queued_writer_sends_new_readers_to_the_queue() -> None:
    run = Locks("rwr")
    assert run.inside(1)
    assert not run.inside(2) and not run.inside(3)
    assert run.waiting() == [2, 3]
    run.set("Thread", 3, "fatal_signal_pending", 1)
    assert not run.inside(3), "3.3.10: plain down_read is not killable"
    run.go(1)
    assert run.inside(2) and not run.inside(3)
    run.go(2)
    assert run.inside(3)
    run.go(3)
    assert run.free()


@drives("3.3.4")
def test_read_trylock_fails_while_somebody_waits() -> None:
    run = Locks("rwt")
    assert run.inside(1) and not run.inside(2)
    assert run.inside(3) and run.readers() == 1, "did not get it"
    run = Locks("t")
    assert run.inside(1) and run.readers() == 1


@drives("3.3.6")
def test_a_release_to_readers_grants_them_all_wherever_they_stand() -> None:
    run = Locks("wrwr")
    assert run.inside(1)
    assert not any(run.inside(thread) for thread in (2, 3, 4))
    assert run.waiting() == [2, 3, 4]
    run.go(1)
    assert run.readers() == 2 and run.waiting() == [3]
    assert run.inside(2) and run.inside(4) and not run.inside(3)
    run.go(2)
    assert not run.inside(3)
    run.go(4)
    assert run.inside(3)


@drives("3.3.6")
def test_at_most_256_readers_are_granted_at_once() -> None:
    run = Locks("w" + "r" * 258)
    assert run.inside(1)
    assert not any(run.inside(thread) for thread in range(2, 260))
    run.go(1)
    assert run.readers() == 256 and len(run.waiting()) == 2


def test_a_release_to_a_writer_wakes_only_that_one() -> None:
    run = Locks("wwr")
    assert run.inside(1) and not run.inside(2) and not run.inside(3)
    run.go(1)
    assert run.waiting() == [3] and run.writer() == 2


@drives("3.3.2")
def test_a_lone_reader_steals_before_the_woken_writer_runs() -> None:
    run = Locks("wwr", RWSEM_STEAL=1)
    assert run.inside(1) and not run.inside(2)
    run.go(1)
    assert run.writer() == 0 and run.waiting() == [2]
    assert run.inside(3), "the lock is free, the writer has not run yet"
    assert not run.inside(2)
    run.go(3)
    assert run.inside(2)


def test_readers_do_not_steal_from_readers() -> None:
    run = Locks("rwr", RWSEM_STEAL=1)
    assert run.inside(1) and not run.inside(2) and not run.inside(3)
    assert run.waiting() == [2, 3]


@drives("3.3.7")
def test_handoff_ends_stealing() -> None:
    run = Locks("wwr", RWSEM_STEAL=1, RWSEM_HANDOFF=1)
    run.choices["rwsem_handoff_due"] = lambda thread: 1
    assert run.inside(1) and not run.inside(2)
    assert run.get("RwSemaphore", run.lock, "handoff") == 1
    run.go(1)
    assert not run.inside(3), "no stealing"
    assert run.inside(2) and run.get("RwSemaphore", run.lock, "handoff") == 0
    run.go(2)
    assert run.inside(3)


@drives("3.3.5")
def test_a_writer_spins_on_readers_for_a_bounded_time() -> None:
    run = Locks("rw", RWSEM_SPIN=1)
    assert run.inside(1)
    polls = 0
    while "wait(" not in run.where(2):
        polls += "rwsem_spin" in run.where(2)
        run.step(2)
    assert polls == (20 + 1) // 2
    assert run.get("RwSemaphore", run.lock, "nonspinnable") == 1
    run.go(1)
    assert run.get("RwSemaphore", run.lock, "nonspinnable") == 0 and run.inside(2)


def test_a_writer_spins_on_a_running_owner() -> None:
    run = Locks("ww", RWSEM_SPIN=1)
    run.choices["rwsem_owner_on_cpu"] = lambda thread: 1
    assert run.inside(1)
    for _ in range(50):
        run.step(2)
    assert run.waiting() == [] and run.pc(2) != 0
    run.go(1)
    assert run.inside(2)


@drives("3.3.8")
def test_downgrade_lets_queued_readers_in() -> None:
    run = Locks("drw")
    while "downgrade_write" not in run.where(1):
        run.step(1)
    assert run.writer() == 1
    assert not run.inside(2) and not run.inside(3)
    assert run.inside(1) and run.readers() == 2 and run.waiting() == [3]
    assert run.inside(2) and not run.inside(3)


@drives("3.3.9")
def test_a_killed_writer_lets_those_behind_it_in() -> None:
    run = Locks("rWr")
    assert run.inside(1) and not run.inside(2) and not run.inside(3)
    run.set("Thread", 2, "fatal_signal_pending", 1)
    run.go(2)
    assert run.pc(2) == 0 and run.waiting() == [] and run.inside(3)


@drives("3.3.9")
def test_a_killed_reader_in_the_middle_leaves_the_queue_intact() -> None:
    run = Locks("wrRw")
    assert run.inside(1) and not any(run.inside(thread) for thread in (2, 3, 4))
    run.set("Thread", 3, "fatal_signal_pending", 1)
    run.go(3)
    assert run.pc(3) == 0 and run.waiting() == [2, 4]
    run.go(1)
    assert run.inside(2) and run.waiting() == [4]


def test_a_grant_that_came_first_wins_over_the_signal() -> None:
    for roles in ("wR", "wW"):
        run = Locks(roles)
        assert run.inside(1) and not run.inside(2)
        run.go(1)
        run.set("Thread", 2, "fatal_signal_pending", 1)
        assert run.inside(2)
        run.go(2)
        assert run.free()


def test_unlocking_what_is_not_held_is_found() -> None:
    run = Locks("r")
    run.inside(1)
    run.set("RwSemaphore", run.lock, "readers", 0)
    assert run.go(1) == "violated" and run.violation.startswith("S4 ")
