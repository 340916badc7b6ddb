# SPDX-License-Identifier: GPL-2.0-only
"""What a simulation of a recording starts from: plain data between trace and simulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from faultlock.trace.compact_addresses import TABLE
from faultlock.trace.recorded_device import Reads, RecordedDevice

# kinds of kernel/replay.py
_KIND_NAMES = (
    *("none", "fault", "kernel_fault", "mmap", "munmap", "mprotect", "madvise", "thread"),
    *("fork", "vfork", "exec", "exit", "read", "sleep", "brk", "mremap"),
)
KINDS = {name: number for number, name in enumerate(_KIND_NAMES)}


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
    start_after_ns: int = 0
    waits_for_parent: bool = False


@dataclass
class ReplayPlan:
    """Everything a simulation of the recording starts from. `operations`: column -> int64 array."""

    name: str
    cpus: int
    kernel_version: str | None
    readahead_pages: int
    file_pages: list[int] = field(default_factory=list)
    resident: dict[int, set[int]] = field(default_factory=dict)
    open_files: list[int] = field(default_factory=list)
    mm_vmas: list[list[PlanVma]] = field(default_factory=list)
    mm_users: list[int] = field(default_factory=list)
    mm_map_count: list[int] = field(default_factory=list)
    threads: list[PlanThread] = field(default_factory=list)
    operations: dict[str, Any] = field(default_factory=dict)
    address_pages: int = TABLE
    elapsed_ns: int = 0
    reads: Reads = field(default_factory=list)
    device: RecordedDevice = field(default_factory=RecordedDevice)
    recorded: dict[str, float] = field(default_factory=dict)
