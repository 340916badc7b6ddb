# SPDX-License-Identifier: GPL-2.0-only
"""Feed the accesses of a recording to the readahead code and compare what it does, window by
window.

The accesses are: faults that reached filemap_fault (page, mapping, open file), reads that asked
for readahead (page, pages asked for, previous position), and which pages were in the page cache,
followed from the insertions. Readahead state belongs to open files; see
faultlock.trace.open_files for how they are told apart. A read(2) goes through a descriptor that
the recording does not name: it is the open file of the same process and inode whose state the
trace point printed, else one that is mapped later.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from faultlock.trace.address_space import MADV_HUGEPAGE, MADV_RANDOM, MADV_SEQUENTIAL, PROT_EXEC
from faultlock.trace.reconstruct import reconstruct
from faultlock.trace.recording import FAULT, Operation
from faultlock.trace.residency import Residency
from faultlock.trace.store import Trace
from faultlock.trace.thread_state import ThreadState
from faultlock.trace.world import World
from tests.conformance.trace.readahead_model import (
    FAULT_HIT,
    FAULT_MISS,
    READ_HIT,
    READ_MISS,
    VM_EXEC,
    VM_HUGEPAGE,
    VM_RAND_READ,
    VM_SEQ_READ,
    Answer,
    Call,
    ReadaheadModel,
    ReadaheadState,
)
from tests.conformance.trace.recorded_page_cache import PAGES_BEHIND, PageCache

ADVICE_FLAGS = {
    MADV_RANDOM: VM_RAND_READ,
    MADV_SEQUENTIAL: VM_SEQ_READ,
    MADV_HUGEPAGE: VM_HUGEPAGE,
}


@dataclass
class Traced:
    """A trace point of readahead: its name and (index, ...) as printed."""

    name: str
    index: int
    values: tuple[int, ...]


@dataclass
class Trigger:
    """A fault or read and the trace points it caused."""

    kind: int
    process: int
    file: int
    open_file: int
    index: int
    req_count: int
    vma: int
    page: int
    time_ns: int
    is_fault: bool
    printed: tuple[int, ...] = ()  # order, size, async_size, ra_pages, mmap_miss, prev_pos
    traced: list[Traced] = field(default_factory=list)
    cached: Any = None
    folio: tuple[int, int] = (0, 0)


class Feed:
    """Collects the triggers of a recording, in order, as an observer of its reconstruction."""

    def __init__(self, trace: Trace) -> None:
        residency = Residency()
        self.recording = reconstruct(trace, residency.observe)
        self.cache = PageCache(self.recording)
        for file, pages in residency.finish(self.recording).items():
            for page in pages:
                self.cache.add(file, page, 1)
        self.triggers: list[Trigger] = []
        self._open: dict[int, Trigger] = {}
        reconstruct(trace, self._observe)

    def _observe(
        self, world: World, thread: ThreadState | None, event: str, row: tuple[Any, ...]
    ) -> None:
        if thread is None:
            return
        if event == "mm_filemap_add_to_page_cache":
            dev, ino, index, order = row[5:9]
            file = world.file(dev, ino, -1)
            if file >= 0:
                self.cache.add(file, index, 1 << (order or 0))
        elif event == "mm_filemap_fault":
            self._fault(world, thread, row)
        elif event.startswith("page_cache_"):
            self._readahead(world, thread, event, row)

    def _begin(self, world: World, thread: ThreadState, **values: Any) -> Trigger:
        process = world.recording.threads[thread.number].process
        trigger = Trigger(process=process, time_ns=world.now_ns, **values)
        trigger.cached = self.cache.cached(trigger.file).copy()
        trigger.folio = self.cache.folio(trigger.file, trigger.index)
        self.triggers.append(trigger)
        self._open[thread.number] = trigger
        return trigger

    def _fault(self, world: World, thread: ThreadState, row: tuple[Any, ...]) -> None:
        fault = thread.fault
        self._open.pop(thread.number, None)
        if fault is None or fault.file < 0:
            return
        if self.cache.heads(fault.file)[row[7]] >= 0:
            return  # found; a trigger only if the kernel says that it starts a window
        self._begin_fault(world, thread, fault, FAULT_MISS)

    def _begin_fault(
        self, world: World, thread: ThreadState, fault: Operation, kind: int
    ) -> Trigger:
        joined = self.recording.joined_open_files
        return self._begin(
            world,
            thread,
            kind=kind,
            file=fault.file,
            open_file=joined.get(fault.open_file, fault.open_file),
            index=fault.index,
            req_count=0,
            vma=fault.vma,
            page=fault.address // 4096,
            is_fault=True,
        )

    def _readahead(
        self, world: World, thread: ThreadState, event: str, row: tuple[Any, ...]
    ) -> None:
        dev, ino, index, *values = row[5:-1]
        operation = thread.fault
        file = world.file(dev, ino, -1)
        if operation is None or file < 0:
            return
        trigger = self._open.get(thread.number)
        is_fault = operation.kind == FAULT
        if event in ("page_cache_sync_ra", "page_cache_async_ra"):
            is_hit = event == "page_cache_async_ra"
            if is_fault and is_hit:
                trigger = self._begin_fault(world, thread, operation, FAULT_HIT)
            elif not is_fault:
                trigger = self._begin(
                    world,
                    thread,
                    kind=READ_HIT if is_hit else READ_MISS,
                    file=file,
                    open_file=-1,
                    index=index,
                    req_count=values[0],
                    vma=-1,
                    page=0,
                    is_fault=False,
                )
            if trigger is not None:
                trigger.printed = tuple(values[1:])
        if trigger is None or trigger.file != file:
            # The page was taken for cached, or the window belongs to something that is not
            # traced.
            kind = FAULT_MISS if is_fault else READ_MISS
            if not is_fault:
                return
            trigger = self._begin_fault(world, thread, operation, kind)
        trigger.traced.append(Traced(event, index, tuple(values)))


@dataclass
class Comparison:
    """One trace point of a fault against the model's."""

    trigger: Trigger
    traced: Traced
    expected: tuple[int, ...] | None
    got: tuple[int, ...]
    agrees: bool
    cause: str


class Conformance:
    """Runs every trigger through the kernel text; `comparisons` are those of faults."""

    def __init__(self, trace: Trace, kernel_version: int, max_order: int) -> None:
        self.feed = Feed(trace)
        recording = self.feed.recording
        longest = max((file.pages for file in recording.files), default=1)
        self._model = ReadaheadModel(kernel_version, longest + PAGES_BEHIND, max_order)
        self._states: dict[tuple[str, int], ReadaheadState] = {}
        self._of_file: dict[int, list[tuple[tuple[str, int], int]]] = {}
        self._unmapped: dict[tuple[int, int], tuple[str, int]] = {}
        self.comparisons: list[Comparison] = []
        self.silent = Counter[str]()
        for trigger in self.feed.triggers:
            self._feed(trigger)

    # -- open files -----------------------------------------------------------------------

    def _key(self, trigger: Trigger) -> tuple[tuple[str, int], str]:
        """The open file's key and how it was found."""
        known = self._of_file.setdefault(trigger.file, [])
        if trigger.is_fault:
            key = ("mapped", trigger.open_file)
            if key not in self._states:
                read = self._unmapped.pop((trigger.process, trigger.file), None)
                self._states[key] = self._states.pop(read) if read else ReadaheadState()
                known.append((key, trigger.process))
            if not trigger.printed or self._fits(self._states[key], trigger.printed):
                return key, ""
            others = [k for k, _ in known if k in self._states]
            for other in others:
                if self._fits(self._states[other], trigger.printed):
                    return other, "other open file"
            return key, "state unknown"
        own = [k for k, process in known if process == trigger.process and k in self._states]
        for key in reversed(own):
            if self._fits(self._states[key], trigger.printed):
                return key, ""
        key = ("read", len(self._states) + 1_000_000)
        self._states[key] = ReadaheadState()
        known.append((key, trigger.process))
        self._unmapped[trigger.process, trigger.file] = key
        return key, "" if self._fits(self._states[key], trigger.printed) else "state unknown"

    @staticmethod
    def _fits(state: ReadaheadState, printed: tuple[int, ...]) -> bool:
        return (state.order, state.size, state.async_size) == printed[:3]

    # -- one trigger ----------------------------------------------------------------------

    def _feed(self, trigger: Trigger) -> None:
        key, doubt = self._key(trigger)
        state = self._states[key]
        if trigger.printed:
            order, size, async_size, ra_pages, _, prev_pos = trigger.printed
            state.order, state.size, state.async_size = order, size, async_size
            state.prev_read = 0 if prev_pos < 0 else prev_pos // 4096 + 1
            state.ra_pages = ra_pages
        for traced in trigger.traced:
            if traced.name == "page_cache_ra_order":
                state.ra_pages = traced.values[3]
        answer = self._model.call(self._call(trigger, state))
        self._states[key] = answer.state
        if trigger.is_fault:
            self._compare(trigger, answer, doubt)

    def _call(self, trigger: Trigger, state: ReadaheadState) -> Call:
        recording = self.feed.recording
        call = Call(
            trigger.kind,
            trigger.index,
            trigger.req_count,
            recording.files[trigger.file].pages,
            trigger.cached,
            state,
            folio=trigger.folio,
        )
        if trigger.kind == FAULT_MISS:
            # The kernel missed: whatever we believe, the page was not cached.
            call.cached[trigger.index] = False
        if trigger.vma >= 0:
            vma = recording.vmas[trigger.vma]
            while not vma.start // 4096 <= trigger.page < vma.end // 4096:
                vma = next(  # cut at the end of the reconstruction
                    other
                    for other in recording.vmas
                    if other.mm == vma.mm
                    and other.start // 4096 <= trigger.page < other.end // 4096
                    and other.created_ns == vma.created_ns
                )
            call.vm_flags = ADVICE_FLAGS.get(vma.advice, 0)
            call.vm_flags |= VM_EXEC if vma.prot & PROT_EXEC else 0
            call.vma_first = vma.offset // 4096
            call.vma_pages = (vma.end - vma.start) // 4096
        return call

    def _compare(self, trigger: Trigger, answer: Answer, doubt: str) -> None:
        if not trigger.traced:
            if answer.events:
                self.silent[doubt or "model reads, kernel did not"] += 1
            return
        expected = _expected(answer)
        for traced in trigger.traced:
            queue = expected.get(traced.name, [])
            wanted = queue.pop(0) if queue else None
            got = _comparable(traced)
            self.comparisons.append(Comparison(trigger, traced, wanted, got, wanted == got, doubt))


def _comparable(traced: Traced) -> tuple[int, ...]:
    """The numbers the model must compute; request events: index and pages asked for."""
    if traced.name in ("page_cache_sync_ra", "page_cache_async_ra"):
        return (traced.index, traced.values[0])
    if traced.name == "page_cache_ra_order":
        order, size, async_size, _ = traced.values
        return (traced.index, order, size, async_size)
    return (traced.index, *traced.values)


def _expected(answer: Answer) -> dict[str, list[tuple[int, ...]]]:
    """The model's trace points by the kernel's names, in order."""
    expected: dict[str, list[tuple[int, ...]]] = {}
    window: tuple[int, ...] = ()
    for name, values in answer.events:
        if name == "READAHEAD":
            window = values
        elif name == "READAHEAD_ORDER":
            index, size, async_size = window
            expected.setdefault("page_cache_ra_order", []).append(
                (index, values[1], size, async_size)
            )
        elif name == "READAHEAD_UNBOUNDED":
            expected.setdefault("page_cache_ra_unbounded", []).append(values)
        else:
            kernel_name = f"page_cache_{name.removeprefix('READAHEAD_').lower()}_ra"
            expected.setdefault(kernel_name, []).append(values[:2])
    return expected
