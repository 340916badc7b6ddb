# SPDX-License-Identifier: GPL-2.0-only
"""How long recorded reads took, as far as the threads that needed their pages tell.

A recording has no event for the end of a read. But who slept in a fault until a page was there
tells when the request with that page was complete, and who mapped a page without sleeping tells
by when it was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from faultlock.trace.recording import Operation

GRAIN_PAGES = 64  # what is known is kept for blocks of so many pages
_RUNS_KEPT = 64  # of each file
_LONGEST_READ_NS = 1_000_000_000

# Block of a run -> (latest time at which somebody woke who waited for a page of it, earliest at
# which somebody had a page of it without waiting), ns after the last insertion; 0: nobody did.
KnownBlocks = dict[int, tuple[int, int]]


@dataclass(eq=False, slots=True)
class Run:
    """Pages [first, end) of a file, inserted one after the other by one operation."""

    first: int
    end: int
    operation: Operation
    inserted_ns: int  # the last of them
    blocks: KnownBlocks = field(default_factory=dict)

    def late(self, fault: Operation, ns: int) -> None:
        """Another thread had the page before this one woke: the rest is waiting for a CPU."""
        _, earliest = self.blocks.get((fault.index - self.first) // GRAIN_PAGES, (0, 0))
        late_ns = min(ns - earliest, fault.blocked_ns - 1) if earliest else 0
        if late_ns > 0:
            fault.blocked_ns -= late_ns
            fault.preempted_ns += late_ns

    def known(self, index: int, ns: int, waited: bool) -> None:
        """Page `index` was there `ns` after the insertion; `waited`: and not before."""
        block = (index - self.first) // GRAIN_PAGES
        latest, earliest = self.blocks.get(block, (0, 0))
        if waited:
            latest = max(latest, ns)
        else:
            earliest = ns if not earliest else min(earliest, ns)
        self.blocks[block] = latest, earliest


class KnownReads:
    """Follows which operation inserted which pages; `runs` are those of which something is known.

    An operation gets a number (`reads`) when it is the first time that something is known of it.
    """

    def __init__(self) -> None:
        self.runs: list[list[Run]] = []
        self._latest: dict[int, deque[Run]] = {}

    def added(self, file: int, index: int, pages: int, operation: Operation, now_ns: int) -> None:
        """An operation inserted pages of a file."""
        runs = self._latest.setdefault(file, deque(maxlen=_RUNS_KEPT))
        if runs and runs[-1].operation is operation and runs[-1].end == index:
            runs[-1].end, runs[-1].inserted_ns = index + pages, now_ns
        else:
            runs.append(Run(index, index + pages, operation, now_ns))

    def used(self, fault: Operation) -> None:
        """A fault is over: it found the page that it is about, at once or after a wait."""
        now_ns = fault.woken_ns if fault.blocked_ns else fault.end_ns
        for run in reversed(self._latest.get(fault.file, ())):
            if run.inserted_ns < now_ns - _LONGEST_READ_NS:
                return
            if run.first <= fault.index < run.end:
                ns = max(1, now_ns - run.inserted_ns)
                if fault.blocked_ns:
                    run.late(fault, ns)
                if run.operation is fault:
                    # What it waited is exact; that it did not is: the read was over at once.
                    ns = fault.blocked_ns or 1
                run.known(fault.index, ns, run.operation is fault or fault.blocked_ns > 0)
                self._number(run)
                return

    def _number(self, run: Run) -> None:
        if run.operation.reads < 0:
            run.operation.reads = len(self.runs)
            self.runs.append([])
        if run not in self.runs[run.operation.reads]:
            self.runs[run.operation.reads].append(run)
