# SPDX-License-Identifier: GPL-2.0-only
"""What a reconstruction knows at one moment: threads, address spaces, files."""

from __future__ import annotations

from faultlock.trace.address_space import AddressSpace
from faultlock.trace.known_reads import KnownReads
from faultlock.trace.open_files import OpenFiles
from faultlock.trace.recording import (
    FAULT,
    GUP,
    Operation,
    RecordedFile,
    RecordedMm,
    RecordedThread,
    Recording,
)
from faultlock.trace.segments import Boundaries
from faultlock.trace.store import Trace
from faultlock.trace.thread_state import ThreadState


def block_devices(trace: Trace) -> set[int]:
    """Devices that hold the files of the recording.

    A file system's metadata is cached in the page cache of its block device. The kernel prints
    that cache's inode as a file of a pseudo file system (major 0) whose number is the device's.
    """
    devices: set[int] = set()
    for table in trace.tables.values():
        if "dev" in table.columns:
            devices.update(int(dev) for dev in table["dev"].unique() if dev >> 20)
    return devices


class CpuUse:
    """How long programs that are not recorded have certainly had each CPU so far.

    Certainly: from a switch to such a program to the next switch, if that is from one. Between
    the two nothing of them is recorded. Only for a thread that could have run is that a loss: while
    there is one, a CPU is not idle.
    """

    def __init__(self) -> None:
        self._taken_ns: dict[int, int] = {}
        self._since_ns: dict[int, int] = {}

    def switch(self, cpu: int, now_ns: int, from_recorded: bool, to: int, recorded: bool) -> None:
        """The CPU changes to the thread `to` (0: idle), which is recorded or not."""
        since_ns = self._since_ns.pop(cpu, None)
        if since_ns is not None and not from_recorded:
            self._taken_ns[cpu] = self._taken_ns.get(cpu, 0) + now_ns - since_ns
        if to != 0 and not recorded:
            self._since_ns[cpu] = now_ns

    def taken_ns(self, cpu: int, now_ns: int) -> int:
        """Up to now: who was switched to last is taken to run still."""
        since_ns = self._since_ns.get(cpu, now_ns)
        return self._taken_ns.get(cpu, 0) + now_ns - since_ns


class EventCost:
    """What recording an event costs: the time between asking for a free lock and having it."""

    _MOST_NS, _LEAST_PAIRS = 5000, 20

    def __init__(self) -> None:
        self._asked_ns: dict[int, int] = {}
        self._sum_ns = self._pairs = 0

    def lock_event(self, thread: int, now_ns: int, step: str) -> None:
        """mmap_lock: start, acquired or released; between the first two nothing else happens."""
        asked_ns = self._asked_ns.pop(thread, None)
        if step == "start":
            self._asked_ns[thread] = now_ns
        elif step == "acquired" and asked_ns is not None and now_ns - asked_ns <= self._MOST_NS:
            self._sum_ns += now_ns - asked_ns
            self._pairs += 1

    @property
    def ns(self) -> int:
        """0 when the recording does not tell."""
        return self._sum_ns // self._pairs if self._pairs >= self._LEAST_PAIRS else 0


class World:
    """The state that events change. `now_ns` is the time of the current event."""

    def __init__(self, trace: Trace) -> None:
        self.recording = Recording(trace.header)
        self.recording.start_ns, self.recording.end_ns = trace.span_ns
        self.operations: list[Operation] = []
        self.threads: dict[int, ThreadState] = {}
        self.spaces: list[AddressSpace] = []
        self.mm_of_process: dict[int, int] = {}
        self.open_files = OpenFiles(self.recording.open_files)
        self.boundaries = Boundaries()
        self.cpu_use = CpuUse()
        self.event_cost = EventCost()
        self.known_reads = KnownReads()
        self.recording.known_reads = self.known_reads.runs
        self.now_ns = 0
        self._files: dict[tuple[int, int], int] = {}
        self._block_devices = block_devices(trace)
        self._vma_count = 0

    def new_space(self, origin: str, parent: int) -> AddressSpace:
        """An empty address space; origin is start, fork or exec."""
        recording = self.recording
        space = AddressSpace(len(self.spaces), recording.vmas.append, self._next_vma)
        self.spaces.append(space)
        recording.mms.append(RecordedMm(space.number, origin, parent, self.now_ns))
        return space

    def _next_vma(self) -> int:
        self._vma_count += 1
        return self._vma_count - 1

    def thread(self, tid: int, tgid: int | None, comm: str | None) -> ThreadState:
        """The state of a thread; a thread never seen before existed when recording began."""
        state = self.threads.get(tid)
        if state is None:
            process = tid if tgid is None else tgid
            if process not in self.mm_of_process:
                self.mm_of_process[process] = self.new_space("start", -1).number
            state = self.add_thread(tid, process, comm or "", self.mm_of_process[process])
        record = self.recording.threads[state.number]
        if comm and not comm.startswith("<"):
            record.name = comm
        if tgid is not None and record.process != tgid:
            record.process = tgid
        return state

    def add_thread(self, tid: int, process: int, name: str, mm: int) -> ThreadState:
        """A thread that begins (or is seen first) now."""
        number = len(self.recording.threads)
        self.recording.threads.append(RecordedThread(number, tid, process, name, mm, first_mm=mm))
        state = ThreadState(number, tid, mm, self.operations)
        self.threads[tid] = state
        return state

    def file(self, dev: int, ino: int, last_index: int) -> int:
        """The number of a file; -1 for the file system's metadata."""
        if ino in self._block_devices and dev >> 20 == 0:
            return -1
        number = self._files.get((dev, ino))
        if number is None:
            number = len(self.recording.files)
            self._files[dev, ino] = number
            self.recording.files.append(RecordedFile(number, dev, ino))
        self.within(number, last_index)
        return number

    def within(self, file: int, index: int) -> None:
        """A file (number) has at least the page `index`."""
        if file >= 0:
            known = self.recording.files[file]
            known.pages = max(known.pages, index + 1)

    def finish_fault(self, thread: ThreadState) -> None:
        """Whatever fault or read the thread was in is over."""
        fault = thread.close_fault()
        if fault is not None:
            self.resolve(thread, fault)

    def resolve(self, thread: ThreadState, fault: Operation) -> None:
        """A fault is over; one without any file event was anonymous (or found its page mapped)."""
        if fault.kind in (FAULT, GUP) and fault.file >= 0:
            self.known_reads.used(fault)
        if fault.kind == FAULT and fault.vma < 0:
            space = self.spaces[fault.mm]
            vma = space.find(fault.address)
            if vma is None and fault.address < 1 << 47:
                vma = space.observe_anonymous(fault.start_ns, fault.address)
            if vma is not None:
                fault.vma = vma.number
