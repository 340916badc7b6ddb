# SPDX-License-Identifier: GPL-2.0-only
"""A recording as the simulator needs it: threads, operations, address spaces, files.

Numbers of threads, mms, files, open files and operations count from 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from faultlock.errors import FaultlockError, LimitReached
from faultlock.trace.address_space import PAGE, PROT_WRITE
from faultlock.trace.dependencies import dependencies
from faultlock.trace.gaps import (
    cpus_seen,
    folio_order_limit,
    gaps,
    has_any,
    readahead_limit,
    unknown_figures,
)
from faultlock.trace.plan_readers import PlanReaders
from faultlock.trace.plan_reads import PlanReads
from faultlock.trace.plan_spaces import PlanSpaces
from faultlock.trace.reconstruct import reconstruct
from faultlock.trace.recorded_device import recorded_device
from faultlock.trace.recorded_figures import recorded_figures
from faultlock.trace.recording import EXIT, FAULT, GUP, READ, SLEEP, TAKEN, Recording
from faultlock.trace.replay_plan import (
    KIND_NAMES,
    KINDS,
    OperationTimes,
    PlanThread,
    ReplayPlan,
    ThreadTimes,
)
from faultlock.trace.residency import Residency, shared_memory_files
from faultlock.trace.store import Trace
from faultlock.units import LONGEST_MODEL_TIME

CLONE_VM, CLONE_VFORK = 0x100, 0x4000
MAX_PAGES_IN_CACHE = 1 << 23
# Advice that the kernel text knows and that changes what later operations meet.
_ADVICE = {0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 18, 19}


class _Planner:
    """Builds the plan of one recording."""

    def __init__(self, trace: Trace, name: str) -> None:
        residency = Residency()
        self.recording: Recording = reconstruct(trace, residency.observe)
        recording = self.recording
        self.plan = ReplayPlan(
            name,
            trace.header.cpu_count or cpus_seen(trace),
            trace.header.kernel_version,
            readahead_limit(trace, recording),
            folio_order_limit(trace),
            [max(1, file.pages) for file in recording.files],
            residency.finish(recording),
        )
        for file, pages in residency.written.items():
            # They are there when something faults on them; that is all the replay needs.
            self.plan.resident.setdefault(file, set()).update(pages)
        self.missed = residency.lookups_that_missed()
        cached = sum(self.plan.file_pages)
        if cached > MAX_PAGES_IN_CACHE * 4:
            raise LimitReached(f"{name}: files of {cached:,} pages; too large to replay")
        self.plan.elapsed_ns = recording.elapsed_ns
        self.spaces = PlanSpaces(recording, self.plan, shared_memory_files(trace, recording))
        self.plan.gaps, self.plan.unknown = gaps(trace), unknown_figures(trace)
        self._sleeps_are_known = has_any(trace, ("sched_switch",))
        self._made_of: dict[int, int] = {}
        self._leave_their_parent: set[int] = set()
        self._rows: list[dict[str, int]] = []
        self._reads = PlanReads(recording, self.plan.device, self.plan.request_pages)
        self._readers = PlanReaders(recording, self.plan, self.spaces)

    # -- operations -----------------------------------------------------------------------

    def threads(self, rows: list[dict[str, Any]]) -> None:
        """Operations of each thread, one after the other."""
        recording, plan = self.recording, self.plan
        plan.device = recorded_device(plan.reads)
        self._reads = PlanReads(recording, plan.device, plan.request_pages)
        self._readers.index()
        by_thread = self._by_thread(rows)
        started = self._started(by_thread)
        for record, own in zip(recording.threads, by_thread, strict=True):
            mm = record.first_mm
            thread = PlanThread(record.name, record.tid, mm, len(self._rows))
            thread.waits_for_parent = record.number in started
            if own and not thread.waits_for_parent:
                begin_ns = own[0]["start_ns"] - own[0]["compute_ns"]
                after_us = max(0, begin_ns - recording.start_ns) // 1000
                thread.start_after_us = self._sleeps(after_us)
                plan.mm_users[mm] += 1
            times = ThreadTimes(record.name, record.tid, 0)
            unseen = False
            for row in own:
                if row["mm"] != mm and self._execs(mm, row["mm"]):
                    # The loader faults in the new address space before the exec event.
                    mm = row["mm"]
                    self._rows.append({**_NOTHING, "kind": KINDS["exec"], "child_mm": mm})
                compute_ns = self._before(row)
                first = len(self._rows)
                self._operation(row, compute_ns)
                self._computed_inside(row)
                self._made_of[row["position"]] = len(self._rows) - 1
                # A fault without an event of its own ends unseen: its work is in what follows.
                if unseen:
                    self._rows[first]["unseen_faults"] = 1
                self._count(times, row, self._rows[first]["kind"])
                unseen = row["kind"] == FAULT and row["end_ns"] == row["start_ns"]
            thread.count = len(self._rows) - thread.first
            plan.threads.append(thread)
            plan.recorded_threads.append(times)
        for position, needed in dependencies(rows).items():
            if position in self._made_of and needed in self._made_of:
                self._rows[self._made_of[position]]["needs"] = self._made_of[needed] + 1
        plan.operations = {
            name: np.array([row.get(name, 0) for row in self._rows], dtype=np.int64)
            for name in _COLUMNS
        }
        plan.known_times = self._reads.times

    def _count(self, times: ThreadTimes, row: dict[str, Any], kind: int) -> None:
        """A recorded operation, under the name that the replay has for it."""
        times.ended_ns = row["end_ns"] - self.recording.start_ns
        if kind:
            operation = times.operations.setdefault(KIND_NAMES[kind], OperationTimes())
            operation.add(row["end_ns"] - row["start_ns"], row["blocked_ns"])

    def _execs(self, old: int, new: int) -> bool:
        """Did an exec make the address space `new` out of `old`?"""
        mms = self.recording.mms
        while mms[new].origin == "exec" and mms[new].parent not in (old, -1):
            new = mms[new].parent  # nothing was seen of a program between two
        return mms[new].origin == "exec" and mms[new].parent == old

    def _by_thread(self, rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """The operations of each thread, up to its end."""
        by_thread: list[list[dict[str, Any]]] = [[] for _ in self.recording.threads]
        for row in rows:
            own = by_thread[row["thread"]]
            if not own or own[-1]["kind"] != EXIT:  # else a damaged recording
                own.append(row)
        return by_thread

    def _started(self, by_thread: list[list[dict[str, Any]]]) -> set[int]:
        """The threads that another one starts; who goes on from a vfork is noted, too."""
        for number, own in enumerate(by_thread):
            if own and (own[-1]["kind"] == EXIT or own[-1]["mm"] != own[0]["mm"]):
                self._leave_their_parent.add(number)  # who waits until its child execs or is gone
        # Who did something before it was made is part of a damaged recording: it does not wait.
        end_ns = self.recording.end_ns
        first_ns = [own[0]["start_ns"] if own else end_ns for own in by_thread]
        rows = (row for own in by_thread for row in own if row["child"] >= 0)
        return {row["child"] for row in rows if row["start_ns"] <= first_ns[row["child"]]}

    def _before(self, row: dict[str, Any]) -> int:
        """Append what comes before an operation; the time that is left to compute, ns."""
        compute_ns = int(row["compute_ns"] + row["events"] * self.recording.event_cost_ns)
        while compute_ns > LONGEST_MODEL_TIME:
            self._rows.append({**_NOTHING, "kind": 0, "compute_ns": LONGEST_MODEL_TIME})
            compute_ns -= LONGEST_MODEL_TIME
        self._drop(row)
        return compute_ns

    def _sleeps(self, us: int) -> int:
        """Append long parts of a sleep; the rest of it, us."""
        while us > LONGEST_MODEL_TIME:
            self._rows.append({**_NOTHING, "kind": KINDS["sleep"], "sleep_us": LONGEST_MODEL_TIME})
            us -= LONGEST_MODEL_TIME
        return us

    def _operation(self, row: dict[str, Any], compute_ns: int) -> None:
        """Append what a recorded operation becomes; time computed before it is never lost."""
        kind = row["kind"]
        if not self._sleeps_are_known:
            self._rows.append({**_NOTHING, **self._slept(compute_ns)})
            compute_ns = 0
        made = {**_NOTHING, "compute_ns": compute_ns}
        if kind == FAULT and row["vma"] >= 0:
            page, _ = self.spaces.span(row["mm"], row["address"] // PAGE * PAGE, PAGE)
            name = "kernel_fault" if row["kernel"] else "fault"
            made.update(kind=KINDS[name], address=page, pages=1, write=int(row["write"]))
            made["reads"] = self._reads.of(row) if self._sleeps_are_known else 0
        elif kind == GUP and (row["mm"], row["file"]) in self._readers.vmas_of:
            self._populate(row, made)
        elif kind == READ and row["forced"]:
            if row["inside"] != "madvise":  # MADV_WILLNEED is a call
                made.update(kind=KINDS["readahead"], file=self._readers.of(row), pgoff=row["index"])
                made.update(pages=row["length"], reads=self._reads.of(row))
        elif kind == READ and row["file"] >= 0 and row["index"] >= 0:
            reader = self._readers.of(row)
            left = self.recording.files[row["file"]].pages - row["index"]
            pages = max(1, min(row["length"], left, 1 << 16))
            made.update(kind=KINDS["read"], file=reader, pgoff=row["index"], pages=pages)
            io_ns = min(row["blocked_ns"], self.plan.device.read_ns(row["pages_added"]))
            made["reads"] = self._reads.add([(row["index"] + pages, io_ns)] if io_ns else [])
            self._rows.append(made)
            # A read also waits for the file system's own blocks, which the replay does not read.
            made = {**_NOTHING, **self._slept(row["blocked_ns"] - io_ns)}
        elif kind == READ:
            made.update(self._slept(row["blocked_ns"]))
        elif kind in (SLEEP, TAKEN):
            slept_ns = row["end_ns"] - row["start_ns"]
            made.update(kind=KINDS["sleep"], sleep_us=max(1, self._sleeps(slept_ns // 1000)))
        elif kind == EXIT:
            made.update(kind=KINDS["exit"])
        elif row["child"] >= 0:
            self._clone(row, made)
        elif not -4096 < row["result"] < 0:
            self._call(row, made)
        if "kind" not in made:
            made["kind"] = 0
        self._rows.append(made)

    def _drop(self, row: dict[str, Any]) -> None:
        """What the operation reads again has left the page cache by then."""
        for file, first, end in (
            self.recording.dropped[row["dropped"]] if row["dropped"] >= 0 else ()
        ):
            pages = min(end, self.plan.file_pages[file]) - first
            dropped = {"kind": KINDS["drop"], "file": self.spaces.any_open(file), "pgoff": first}
            self._rows.append({**_NOTHING, **dropped, "pages": pages})

    def _computed_inside(self, row: dict[str, Any]) -> None:
        """What looks like one read may be many, with computing in between; MAP_POPULATE."""
        inside_ns = row["end_ns"] - row["start_ns"] - row["blocked_ns"] - row["preempted_ns"]
        inside_ns -= _INSERTION_NS * row["pages_added"]
        counts = row["kind"] == READ and not row["forced"]
        if row["kind"] in ("mmap", "munmap"):
            counts = self._readers.populates(row)  # no event tells of anonymous pages
        if counts and inside_ns > _NOTABLE_NS:
            self._rows.append({**_NOTHING, "kind": 0, "compute_ns": inside_ns})

    def _slept(self, ns: int) -> dict[str, int]:
        if ns < 1000:
            return {"kind": 0}
        return {"kind": KINDS["sleep"], "sleep_us": self._sleeps(ns // 1000)}

    def _populate(self, row: dict[str, Any], made: dict[str, int]) -> None:
        """A fault without a trap: the address is where the page is mapped then."""
        found = self._readers.mapped_at(row)
        if found is not None:
            vma, address = found
            page, _ = self.spaces.span(row["mm"], address, PAGE)
            write = row["filemap_faults"] > 0 and not row["map_pages"] and vma.prot & PROT_WRITE
            made.update(kind=KINDS["kernel_fault"], address=page, pages=1, write=int(bool(write)))
            made["reads"] = self._reads.of(row) if self._sleeps_are_known else 0

    def _clone(self, row: dict[str, Any], made: dict[str, int]) -> None:
        child = self.recording.threads[row["child"]]
        made["child"] = child.number
        if row["flags"] & CLONE_VFORK and child.number in self._leave_their_parent:
            made["kind"] = KINDS["vfork"]
        elif row["flags"] & CLONE_VM:
            made["kind"] = KINDS["thread"]
        else:
            made["kind"] = KINDS["fork"]
            made["child_mm"] = self.spaces.forked_mm(child, row)

    def _call(self, row: dict[str, Any], made: dict[str, int]) -> None:
        kind = row["kind"]
        if kind == "brk":
            made.update(self.spaces.brk(row))
            return
        if kind not in _RANGE_CALLS or not row["length"]:
            return
        if kind == "madvise" and row["flags"] not in _ADVICE:
            return
        page, pages = self.spaces.span(row["mm"], row["address"], row["length"])
        made.update(kind=KINDS[kind], address=page, pages=pages)
        if kind == "madvise":
            made["advice"] = row["flags"]
        if kind == "mremap":
            made["new_address"], made["new_pages"] = self.spaces.span(
                row["mm"], row["new_address"], row["new_length"]
            )
        if kind in ("mmap", "mprotect"):
            made["prot"] = row["prot"]
        if kind == "mmap":
            vma = self.recording.vmas[row["vma"]]
            if row["open_file"] >= 0:
                made["file"] = self.spaces.open(row["open_file"])
            if made["file"] >= 0 and self.spaces.within_file(vma):
                made["shared"] = int(vma.shared)
                made["pgoff"] = vma.offset // PAGE
                made["pages"] = self.spaces.file_part(vma, pages)
            else:
                made["file"] = -1


_INSERTION_NS = 1000  # of a page into the page cache, with tracing; the model charges its own
_NOTABLE_NS = 5000
_RANGE_CALLS = ("mmap", "munmap", "mprotect", "madvise", "mremap")
_NOTHING = {"compute_ns": 0, "file": -1, "child": -1, "child_mm": -1}
_COLUMNS = (
    "kind",
    "needs",
    "unseen_faults",
    "compute_ns",
    "sleep_us",
    "reads",
    "address",
    "pages",
    "new_address",
    "new_pages",
    "write",
    "prot",
    "shared",
    "advice",
    "file",
    "pgoff",
    "child",
    "child_mm",
)


def plan_replay(trace: Trace, name: str) -> ReplayPlan:
    """What a simulation of the recording starts from.

    Raises FaultlockError when it has no faults, LimitReached when it is too large to replay.
    """
    if not has_any(trace, ("page_fault_user", "page_fault_kernel")):
        raise FaultlockError(
            f"{name}: no page_fault_user events, so there is nothing to replay; record "
            "exceptions:page_fault_user and page_fault_kernel, too"
        )
    planner = _Planner(trace, name)
    rows = planner.recording.operations.sort("thread", "start_ns", "end_ns", maintain_order=True)
    table = [{**row, "position": n} for n, row in enumerate(rows.iter_rows(named=True))]
    plan = planner.plan
    plan.recorded, plan.reads = recorded_figures(planner.recording, planner.missed)
    planner.spaces.addresses(table)
    planner.spaces.mms(table)
    planner.threads(table)
    return plan
