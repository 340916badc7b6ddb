# SPDX-License-Identifier: GPL-2.0-only
"""What a recording means: threads with their operations, processes with their mappings, files.

Times are ns on the recorder's clock; indexes are page indexes; addresses are bytes. Threads,
address spaces (mms), files, open files and mappings are numbered from 0 in the order they appear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from faultlock.trace.address_space import OpenFile, Vma
from faultlock.trace.store import TraceHeader

if TYPE_CHECKING:
    from faultlock.trace.known_reads import Run

# What a thread does. "sleep" is voluntary (or unexplained) waiting outside of every other
# operation; "read" fills the page cache outside of a fault (read(2), exec, readahead(2)); "gup"
# is a fault without a trap (get_user_pages, populate). "taken": programs that are not recorded
# had the CPU while the thread could run.
FAULT, READ, SLEEP, EXEC, EXIT, GUP = "fault", "read", "sleep", "exec", "exit", "gup"
TAKEN = "taken"


@dataclass(slots=True)
class Operation:
    """One thing a thread did, between two stretches of computing."""

    thread: int
    kind: str
    start_ns: int
    end_ns: int
    compute_ns: int = 0  # on a CPU between the previous operation's end and this start
    mm: int = -1
    vma: int = -1
    open_file: int = -1
    file: int = -1
    index: int = -1
    address: int = 0
    length: int = 0
    new_address: int = 0  # mremap: where it went; brk: the new end of the heap
    new_length: int = 0
    prot: int = 0
    flags: int = 0
    result: int = 0
    write: bool = False
    fetch: bool = False
    kernel: bool = False
    present: bool = False  # the page was mapped: a write to a read-only page table entry
    inside: str = ""  # the system call around a fault or read
    child: int = -1
    state: str = ""  # of a sleep: the scheduler's letter
    filemap_faults: int = 0
    map_pages: int = 0
    missed: bool = False  # the page cache had not got the page: a major fault
    position: int = -1  # of its page among the pages that it inserted
    pages_added: int = 0
    windows: int = 0
    forced: bool = False  # of a read: readahead(2) or posix_fadvise(2)
    reads: int = -1  # number of what is known of its reads: Recording.known_reads
    dropped: int = -1  # number of what it read although it had been read: Recording.dropped
    blocked_ns: int = 0  # asleep for I/O or a lock
    woken_ns: int = -1  # when it woke from that for the last time
    lock_wait_ns: int = 0  # of it (or spinning): waiting for mmap_lock
    preempted_ns: int = 0
    events: int = 0  # after its first one, up to its end


OPERATION_COLUMNS = tuple(Operation.__dataclass_fields__)


@dataclass
class RecordedThread:
    """A task. `process` is its tgid; times are -1 when the recording does not hold them.

    `mm` is its last address space, `first_mm` the one it began in.
    """

    number: int
    tid: int
    process: int
    name: str
    mm: int
    parent: int = -1
    start_ns: int = -1
    end_ns: int = -1
    clone_flags: int = 0
    first_mm: int = -1


@dataclass
class RecordedMm:
    """An address space: how it came about (start, fork, exec) and from which one."""

    number: int
    origin: str
    parent: int
    created_ns: int
    program: str = ""


@dataclass
class RecordedFile:
    """A file by device and inode. `pages`: the highest page seen + 1, a lower bound."""

    number: int
    dev: int
    ino: int
    pages: int = 0
    path: str = ""


@dataclass
class Recording:
    """The rebuilt recording; `operations` is one row per Operation in order of their start.

    Operations name open files after joining; mappings may name one that `joined_open_files` maps.
    `unread_until_ns`: open file -> until when read(2) has not read through it, as far as is known.
    `dropped`: ranges of pages (file, first, end) that had been in the page cache and left it.
    """

    header: TraceHeader
    threads: list[RecordedThread] = field(default_factory=list)
    mms: list[RecordedMm] = field(default_factory=list)
    files: list[RecordedFile] = field(default_factory=list)
    open_files: list[OpenFile] = field(default_factory=list)
    joined_open_files: dict[int, int] = field(default_factory=dict)
    unread_until_ns: dict[int, int] = field(default_factory=dict)
    vmas: list[Vma] = field(default_factory=list)
    known_reads: list[list[Run]] = field(default_factory=list)
    dropped: list[list[tuple[int, int, int]]] = field(default_factory=list)
    operations: pl.DataFrame = field(default_factory=pl.DataFrame)
    start_ns: int = 0
    end_ns: int = 0
    event_cost_ns: int = 0  # what recording an event cost, as far as it shows

    @property
    def elapsed_ns(self) -> int:
        """From the first to the last event."""
        return self.end_ns - self.start_ns
