# SPDX-License-Identifier: GPL-2.0-only
"""Who waited for mmap_lock, for how long, who held it meanwhile, and what the holder waited for.

From the events mmap_lock_start_locking, mmap_lock_acquire_returned, mmap_lock_released and
sched_switch. Waits for per-VMA locks and folio locks leave no events of their own: they show as
the holder's sleep.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from faultlock.trace.thread_state import ThreadState
from faultlock.trace.world import World

# Shorter waits are the cost of an uncontended acquisition with tracing on.
NOTABLE_WAIT_NS = 20_000
_MAX_CHAIN = 16


@dataclass(frozen=True)
class Holder:
    """A thread that held the lock when the wait began, what it did, and since when."""

    thread: int
    doing: str
    write: bool
    since_ns: int


@dataclass
class LockWait:
    """One wait for mmap_lock; thread numbers are the recording's."""

    thread: int
    doing: str
    mm_pointer: int
    write: bool
    start_ns: int
    end_ns: int
    holders: list[Holder] = field(default_factory=list)

    @property
    def wait_ns(self) -> int:
        """How long."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True)
class ChainLink:
    """One thread of a wait chain: what it did, what it waited for, how long of the first wait."""

    thread: int
    doing: str
    waits_for: str
    overlap_ns: int


def what(thread: ThreadState) -> str:
    """What a thread does, in one word."""
    if thread.fault is not None:
        return thread.fault.kind
    return thread.call_name or ("exec" if thread.exec_pending else "user")


class LockWaits:
    """An observer of a reconstruction."""

    def __init__(self) -> None:
        self.waits: list[LockWait] = []
        self.acquisitions = {False: 0, True: 0}
        self.held_ns: dict[bool, int] = {False: 0, True: 0}
        self.longest_held_ns: dict[bool, int] = {False: 0, True: 0}
        self._starting: dict[tuple[int, int], LockWait] = {}
        self._holding: dict[int, dict[int, Holder]] = {}
        self._sleep_start: dict[int, int] = {}
        self._sleeps: dict[int, list[tuple[int, int]]] = {}

    def observe(
        self, world: World, thread: ThreadState | None, event: str, row: tuple[Any, ...]
    ) -> None:
        """One event."""
        if event == "sched_switch":
            self._switch(world, row)
        elif thread is not None and event.startswith("mmap_lock_"):
            pointer, write = row[5], row[6]
            if event == "mmap_lock_start_locking":
                self._start(world, thread, pointer, write)
            elif event == "mmap_lock_released":
                self._released(world, thread, pointer)
            elif row[7]:
                self._acquired(world, thread, pointer, write)

    def _switch(self, world: World, row: tuple[Any, ...]) -> None:
        now_ns, prev_tid, prev_state, next_tid = row[0], row[5], row[6], row[7]
        previous, following = world.threads.get(prev_tid), world.threads.get(next_tid)
        if previous is not None and prev_state.startswith("D"):
            self._sleep_start[previous.number] = now_ns
        if following is not None:
            start_ns = self._sleep_start.pop(following.number, None)
            if start_ns is not None:
                self._sleeps.setdefault(following.number, []).append((start_ns, now_ns))

    def _start(self, world: World, thread: ThreadState, pointer: int, write: bool) -> None:
        now_ns = world.now_ns
        wait = LockWait(thread.number, what(thread), pointer, write, now_ns, now_ns)
        wait.holders = [
            h for h in self._holding.get(pointer, {}).values() if h.thread != thread.number
        ]
        self._starting[thread.number, pointer] = wait

    def _acquired(self, world: World, thread: ThreadState, pointer: int, write: bool) -> None:
        self.acquisitions[write] += 1
        holder = Holder(thread.number, what(thread), write, world.now_ns)
        self._holding.setdefault(pointer, {})[thread.number] = holder
        wait = self._starting.pop((thread.number, pointer), None)
        if wait is not None:
            wait.end_ns = world.now_ns
            if wait.wait_ns >= NOTABLE_WAIT_NS:
                self.waits.append(wait)

    def _released(self, world: World, thread: ThreadState, pointer: int) -> None:
        holder = self._holding.get(pointer, {}).pop(thread.number, None)
        if holder is not None:
            held_ns = world.now_ns - holder.since_ns
            self.held_ns[holder.write] += held_ns
            self.longest_held_ns[holder.write] = max(held_ns, self.longest_held_ns[holder.write])

    def chain(self, wait: LockWait) -> list[ChainLink]:
        """The wait, what its holder waited for meanwhile, and so on; ends at sleep or at work.

        Of several holders the one that was held up longest during the wait is followed.
        """
        links = [ChainLink(wait.thread, wait.doing, "mmap_lock", wait.wait_ns)]
        seen, current = {wait.thread}, wait
        while current.holders and len(links) < _MAX_CHAIN:
            best: tuple[int, ChainLink, LockWait | None] | None = None
            for holder in current.holders:
                if holder.thread in seen:
                    continue
                candidate = self._held_up(holder, wait)
                if best is None or candidate[0] > best[0]:
                    best = candidate
            if best is None:
                break
            links.append(best[1])
            seen.add(best[1].thread)
            if best[2] is None:
                break
            current = best[2]
        return links

    def _held_up(self, holder: Holder, wait: LockWait) -> tuple[int, ChainLink, LockWait | None]:
        """What held a holder up during the wait: another lock, a sleep, or nothing."""
        for other in self.waits:
            overlap_ns = _overlap_ns((other.start_ns, other.end_ns), wait)
            if other.thread == holder.thread and overlap_ns > 0:
                link = ChainLink(holder.thread, holder.doing, "mmap_lock", overlap_ns)
                return overlap_ns, link, other
        asleep_ns = sum(_overlap_ns(sleep, wait) for sleep in self._sleeps.get(holder.thread, []))
        waits_for = "sleep (I/O or a lock)" if asleep_ns else "running"
        link = ChainLink(holder.thread, holder.doing, waits_for, asleep_ns)
        return asleep_ns, link, None


def _overlap_ns(span: tuple[int, int], wait: LockWait) -> int:
    return max(0, min(span[1], wait.end_ns) - max(span[0], wait.start_ns))
