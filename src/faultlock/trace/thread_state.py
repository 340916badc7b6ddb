# SPDX-License-Identifier: GPL-2.0-only
"""One thread while its events go by: on or off a CPU, in which operation, what belongs to it.

The kernel prints no event at the end of a fault, so the end is found from what may follow: a
fault's events are mm_filemap_fault, mm_filemap_map_pages, mmap_lock for reading, readahead and
insertions for the file of that fault, and sleeps that follow one of those closely. Everything
else ends it, at the time of its last event.
"""

from __future__ import annotations

from dataclasses import dataclass

from faultlock.trace.recording import EXEC, FAULT, GUP, READ, SLEEP, TAKEN, Operation

# A sleep in state D this long (on CPU) after the last event of a fault is not the fault's.
# Building and queueing the requests of a window prints nothing and may take long (8 MiB: 140 us,
# on the machine of the shipped recordings); a fault that missed then waits for its own page for
# certain.
_TAIL_NS = 100_000
_TAIL_AFTER_WINDOW_NS = 3_000_000
_TAIL_AFTER_MISS_NS = 20_000_000
# Shorter losses of the CPU are the cost of switching back and forth.
_NOTABLE_LOSS_NS = 20_000


@dataclass(slots=True)
class _Hold:
    """One attempt of a fault under mmap_lock: may its end be a drop before a wait for I/O?

    A fault drops the lock and waits on its first attempt only, or on its second when the first
    one did not read (FAULT_FLAG_TRIED, do_user_addr_fault); and only when it got to filemap_fault.
    """

    fault: Operation | None = None
    filemap_faults: int = 0
    last: bool = False

    def begins(self, fault: Operation) -> None:
        again = self.fault is fault and fault.filemap_faults > self.filemap_faults
        self.last = fault.missed or again
        self.fault, self.filemap_faults = fault, fault.filemap_faults

    def may_drop_and_wait(self, fault: Operation) -> bool:
        if self.fault is not fault:  # no event said when it took the lock
            return fault.filemap_faults > 0
        return fault.filemap_faults > self.filemap_faults and not self.last


class ThreadState:
    """The state of thread `number`; finished operations go to `operations`."""

    def __init__(self, number: int, tid: int, mm: int, operations: list[Operation]) -> None:
        self.number = number
        self.tid = tid
        self.mm = mm
        self.operations = operations
        self.fault: Operation | None = None
        self.call: Operation | None = None
        self.call_name = ""
        self.arguments: dict[str, int] = {}
        self.exec_pending = False
        self.exec_mm_pointer: int | None = None
        self._on_cpu = True
        self._since_ns = -1  # on CPU since, not yet charged
        self._compute_ns = 0
        self._off: tuple[int, str] | None = None
        self._last_ns = -1  # last event of the open fault
        self._waits = False  # its last event may be followed by a sleep
        self._lock_start_ns = -1
        self._preempted_ns = 0
        self._hold = _Hold()
        self.expected = range(0)  # pages of which a fault or read(2) wants a readahead window
        self.off_cpu = -1  # the CPU it left
        self._taken_ns = 0

    # -- time on the CPU ------------------------------------------------------------------

    def seen(self, now_ns: int) -> None:
        """Any event of this thread: it runs (even if its switch to the CPU was lost)."""
        if not self._on_cpu:
            self.switch_in(now_ns)
        elif self._since_ns < 0:
            self._since_ns = now_ns

    def _charge(self, now_ns: int) -> None:
        if self._on_cpu and self._since_ns >= 0:
            self._compute_ns += now_ns - self._since_ns
        self._since_ns = now_ns

    def _take_compute(self, now_ns: int) -> int:
        """Time on the CPU since the last operation ended."""
        self._charge(now_ns)
        taken, self._compute_ns = self._compute_ns, 0
        return taken

    def switch_out(self, now_ns: int, state: str, cpu: int = -1, taken_ns: int = 0) -> None:
        """The thread leaves the CPU: preempted (R...), waiting, or dead.

        taken_ns: how long programs that are not recorded have had this CPU so far.
        """
        if not self._on_cpu:
            return
        self.off_cpu, self._taken_ns = cpu, taken_ns
        self.seen(now_ns)
        if (
            self.fault is not None
            and not state.startswith("R")
            and not self._fault_sleeps(now_ns, state)
        ):
            self.close_fault()
        self._charge(now_ns)
        self._on_cpu = False
        self._off = (now_ns, state)

    def _fault_sleeps(self, now_ns: int, state: str) -> bool:
        """May the open fault (or read) be what the thread sleeps in?"""
        if not state.startswith("D"):
            return False
        if self._lock_start_ns >= 0:
            return True
        assert self.fault is not None
        tail_ns = _TAIL_AFTER_WINDOW_NS if self.fault.windows else _TAIL_NS
        if self.fault.missed and not self.fault.blocked_ns:
            tail_ns = _TAIL_AFTER_MISS_NS
        return self._waits and now_ns - self._last_ns <= tail_ns

    def switch_in(self, now_ns: int, taken_ns: int = 0) -> None:
        """The thread gets a CPU; how it spent the time since switch_out is accounted.

        taken_ns: how long programs that are not recorded have had the CPU that it left.
        """
        if self._on_cpu:
            return
        self._on_cpu = True
        off, self._off = self._off, None
        if off is None:
            self._since_ns = now_ns
            return
        out_ns, state = off
        away_ns = now_ns - out_ns
        owner = self.fault or self.call
        self._since_ns = now_ns
        if state.startswith("R"):
            # Whether the fault was over is not known before its next event, if there is one.
            if self.fault is not None:
                self._preempted_ns += away_ns
            elif self.call is not None:
                self.call.preempted_ns += away_ns
            self._lost_cpu(out_ns, min(away_ns, taken_ns - self._taken_ns))
            return
        if self.fault is not None:
            self.touch(now_ns, waits=True)
            self.fault.woken_ns = now_ns
        if owner is not None:
            owner.blocked_ns += away_ns
        else:
            self._sleep(out_ns, now_ns, state)

    def _lost_cpu(self, start_ns: int, ns: int) -> None:
        """Programs that are not recorded had the CPU for so long while the thread could run."""
        if ns < _NOTABLE_LOSS_NS:
            return
        taken = Operation(self.number, TAKEN, start_ns, start_ns + ns, mm=self.mm)
        if self.fault is None and self.call is None:
            taken.compute_ns, self._compute_ns = self._compute_ns, 0
        self.operations.append(taken)

    def _sleep(self, start_ns: int, end_ns: int, state: str) -> None:
        compute_ns, self._compute_ns = self._compute_ns, 0
        self.operations.append(
            Operation(self.number, SLEEP, start_ns, end_ns, compute_ns, mm=self.mm, state=state[:1])
        )

    # -- operations -----------------------------------------------------------------------

    def begin(self, kind: str, now_ns: int) -> Operation:
        """A new operation starts now; an open fault ends."""
        self.close_fault()
        return Operation(
            self.number,
            kind,
            now_ns,
            now_ns,
            self._take_compute(now_ns),
            mm=self.mm,
            inside=self.call_name,
        )

    def begin_fault(self, kind: str, now_ns: int) -> Operation:
        """A fault, or a read that fills the page cache, is now what the thread does."""
        self.fault = self.begin(kind, now_ns)
        self._last_ns = now_ns
        self._waits = False
        return self.fault

    def touch(self, now_ns: int, waits: bool) -> None:
        """An event of the open fault: it lasted at least until now."""
        assert self.fault is not None
        self._last_ns = now_ns
        self._waits = waits
        self.fault.end_ns = now_ns
        self.fault.events += 1
        self.fault.preempted_ns += self._preempted_ns
        self._preempted_ns = 0
        self._compute_ns = 0
        self._since_ns = now_ns

    def close_fault(self) -> Operation | None:
        """The open fault ended at its last event; compute time counts from there."""
        fault, self.fault = self.fault, None
        self._lock_start_ns = -1
        self._preempted_ns = 0
        if fault is not None:
            self.operations.append(fault)
        return fault

    def begin_call(self, name: str, now_ns: int) -> Operation:
        """A system call that is modelled: its time is its own."""
        self.call = self.begin(name, now_ns)
        self.call_name = name
        return self.call

    def end_call(self, now_ns: int, result: int) -> Operation | None:
        """The system call returns."""
        self.close_fault()
        call, self.call = self.call, None
        self.call_name = ""
        if call is None:
            return None
        call.end_ns = now_ns
        call.events += 1
        call.result = result
        self._take_compute(now_ns)
        self.operations.append(call)
        return call

    def mark(self, kind: str, now_ns: int) -> Operation:
        """An operation without duration (exec, exit)."""
        operation = self.begin(kind, now_ns)
        self.operations.append(operation)
        return operation

    # -- what belongs to the open fault ---------------------------------------------------

    def lock_event(self, now_ns: int, step: str, write: bool) -> None:
        """mmap_lock: start_locking, acquire_returned or released."""
        owner = self.fault or self.call
        if write and self.fault is not None and self.fault.kind != EXEC:
            self.close_fault()
            owner = self.call
        if step == "start":
            self._lock_start_ns = now_ns
        elif step == "acquired" and self._lock_start_ns >= 0:
            if owner is not None:
                owner.lock_wait_ns += now_ns - self._lock_start_ns
            self._lock_start_ns = -1
        if self.fault is not None:
            waits = self.fault.filemap_faults > 0
            if step == "acquired":
                self._hold.begins(self.fault)
            elif step == "released":
                waits = self._hold.may_drop_and_wait(self.fault)
            self.touch(now_ns, waits)
        elif self.call is not None:
            self.call.events += 1

    def file_event(self, now_ns: int, file: int, first: int, last: int, is_fault: bool) -> None:
        """mm_filemap_fault (first == last) or mm_filemap_map_pages."""
        fault = self.fault
        own = fault is not None and fault.kind in (FAULT, GUP)
        if own and fault is not None and fault.file >= 0:
            # Before the first mm_filemap_fault the page may be a guess within fault-around's
            # range.
            guessed = is_fault and not fault.filemap_faults and abs(first - fault.index) < 16
            own = fault.file == file and (guessed or first <= fault.index <= last)
        if not own:
            fault = self.begin_fault(GUP, now_ns)
            fault.kernel = True
        assert fault is not None
        fault.file = file
        if is_fault:
            fault.filemap_faults += 1
            fault.index = first
        else:
            fault.map_pages += 1
        self.touch(now_ns, waits=is_fault)

    def forced_readahead(self, now_ns: int, file: int, index: int, pages: int) -> Operation:
        """Pages that neither a fault nor read(2) wanted: readahead(2), posix_fadvise(2)."""
        fault = self.fault
        follows = fault is not None and fault.forced and fault.file == file
        if fault is None or not follows or index != fault.index + fault.length:
            fault = self.begin_fault(READ, now_ns)
            fault.file, fault.index, fault.forced = file, index, True
        fault.length = index + pages - fault.index
        self.touch(now_ns, waits=True)
        return fault

    def readahead_event(
        self, now_ns: int, file: int, index: int, pages: int, asked: bool
    ) -> Operation:
        """A readahead window, or (asked) a request for pages; the operation that it belongs to."""
        fault = self.fault
        if fault is not None and fault.kind in (FAULT, GUP):
            own = fault.filemap_faults > 0 and fault.file == file and self._waits
        else:
            own = fault is not None and fault.file == file and not (asked and fault.forced)
            if own and asked and fault is not None and fault.kind == READ and fault.length:
                # One read(2) asks up to the same page each time.
                own = fault.index <= index and index + pages == fault.index + fault.length
        if not own or fault is None:
            fault = self.begin_fault(READ, now_ns)
            fault.file, fault.index, fault.length = file, index, pages
        self.touch(now_ns, waits=True)
        return fault

    def page_added(self, now_ns: int, file: int, pages: int) -> None:
        """A folio was inserted into the page cache by this thread."""
        fault = self.fault
        if file < 0:  # metadata of the file system
            own = fault is not None and fault.kind in (FAULT, GUP) and self._waits
            more = fault is not None and fault.kind == READ and fault.file < 0
            if not own and not (more and fault is not None and not fault.blocked_ns):
                self.begin_fault(READ, now_ns)
            self.touch(now_ns, waits=True)
            return
        if fault is None or fault.file != file:
            fault = self.begin_fault(READ, now_ns)
            fault.file = file
        fault.pages_added += pages
        self.touch(now_ns, waits=True)
