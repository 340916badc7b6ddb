# SPDX-License-Identifier: GPL-2.0-only
"""What a simulation of a recording starts from: plain data between trace and simulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from faultlock.trace.compact_addresses import TABLE
from faultlock.trace.recorded_device import Reads, RecordedDevice

# kinds of kernel/replay.py
KIND_NAMES = (
    *("none", "fault", "kernel_fault", "mmap", "munmap", "mprotect", "madvise", "thread"),
    *("fork", "vfork", "exec", "exit", "read", "sleep", "brk", "mremap", "drop"),
    "readahead",
)
KINDS = {name: number for number, name in enumerate(KIND_NAMES)}


@dataclass
class PlanVma:
    """A mapping that an address space has from its beginning. Pages."""

    start: int
    pages: int
    open_file: int
    pgoff: int
    prot: int
    shared: bool
    advice: int


@dataclass
class PlanThread:
    """A thread: its operations are [first, first + count) of the plan's."""

    name: str
    tid: int
    mm: int
    first: int = 0
    count: int = 0
    start_after_us: int = 0
    waits_for_parent: bool = False


@dataclass
class OperationTimes:
    """How often a thread did one kind of operation and how long it took, ns."""

    n: int = 0
    sum_ns: int = 0
    max_ns: int = 0
    blocked_ns: int = 0

    def add(self, took_ns: int, blocked_ns: int) -> None:
        """One more."""
        self.n += 1
        self.sum_ns += took_ns
        self.max_ns = max(self.max_ns, took_ns)
        self.blocked_ns += blocked_ns

    def document(self) -> dict[str, float]:
        """For JSON, in microseconds."""
        return {
            "n": self.n,
            "sum_us": self.sum_ns / 1e3,
            "max_us": self.max_ns / 1e3,
            "blocked_us": self.blocked_ns / 1e3,
        }


@dataclass
class ThreadTimes:
    """One thread, as recorded or as replayed: when its last operation ended, its operations."""

    name: str
    tid: int
    ended_ns: int
    operations: dict[str, OperationTimes] = field(default_factory=dict)

    @property
    def fault_blocked_ns(self) -> int:
        """Asleep in faults."""
        kinds = (self.operations.get(kind) for kind in ("fault", "kernel_fault"))
        return sum(times.blocked_ns for times in kinds if times is not None)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "tid": self.tid,
            "ended_s": self.ended_ns / 1e9,
            "operations": {kind: times.document() for kind, times in self.operations.items()},
        }


@dataclass
class ReplayPlan:
    """Everything a simulation of the recording starts from. `operations`: column -> int64 array."""

    name: str
    cpus: int
    kernel_version: str | None
    readahead_pages: int
    max_order: int = 9
    file_pages: list[int] = field(default_factory=list)
    resident: dict[int, set[int]] = field(default_factory=dict)
    open_files: list[int] = field(default_factory=list)
    mm_vmas: list[list[PlanVma]] = field(default_factory=list)
    mm_private: dict[int, set[int]] = field(default_factory=dict)  # pages that are mapped already
    mm_users: list[int] = field(default_factory=list)
    mm_map_count: list[int] = field(default_factory=list)
    threads: list[PlanThread] = field(default_factory=list)
    operations: dict[str, Any] = field(default_factory=dict)
    address_pages: int = TABLE
    elapsed_ns: int = 0
    reads: Reads = field(default_factory=list)
    # What the column "reads" of operations counts from 1: (up to page, ns) in order.
    known_times: list[list[tuple[int, int]]] = field(default_factory=list)
    device: RecordedDevice = field(default_factory=RecordedDevice)
    recorded: dict[str, float] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)  # what the recording lacks
    unknown: set[str] = field(default_factory=set)  # figures that it cannot tell therefore
    recorded_threads: list[ThreadTimes] = field(default_factory=list)

    @property
    def request_pages(self) -> int:
        """The longest request of the replay.

        Those of the recording are as long as the pages lie side by side in memory, which is not
        recorded; at least 256, because a bio has room for so many segments, and one folio.
        """
        return max(256, 1 << self.max_order)
