# SPDX-License-Identifier: GPL-2.0-only
"""The workload: what runs beside what, on which memory, files, device and kernel.

These classes *are* the file format: each field is a key of the TOML file with its unit,
default, allowed values and one sentence (docs/reference-workload.md is printed from them).
A field whose name ends in a unit is written without it: `duration_ns` is the key `duration`.
Reading and checking is in `read.py`; the simulator, the C driver and replay use only this.
"""

# ruff: noqa: RUF009 - key() only returns dataclasses.field()

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field
from typing import Any

from faultlock.units import PAGE_BYTES
from faultlock.workload.distribution import Distribution, constant
from faultlock.workload.fields import key
from faultlock.workload.system import KERNEL_VERSIONS, Device, Kernel, Machine, PageCache

__all__ = [
    "KERNEL_VERSIONS",
    "Device",
    "File",
    "Kernel",
    "Machine",
    "Mapping",
    "Operation",
    "PageCache",
    "Threads",
    "Workload",
]

MAX_THREADS = 16_384
MAX_VMAS = 65_536
MAX_FILE_PAGES = 1 << 30
HPAGE_PMD_ORDER = 9


@dataclass(frozen=True)
class File:
    """A file (or `count` equal files) on the device."""

    name: str = key("", "text", "name by which mappings refer to it")
    size_bytes: int = key(
        0,
        "size",
        "size of each file, rounded up to pages",
        minimum=1,
        maximum=MAX_FILE_PAGES * PAGE_BYTES,
    )
    count: int = key(1, "int", "number of equal files", minimum=1, maximum=MAX_VMAS)
    cached: float = key(
        0.0,
        "float",
        "share of pages in the page cache at the start (0 none, 1 all)",
        minimum=0.0,
        maximum=1.0,
    )
    latency: Distribution | None = key(
        None, "distribution", "latency of this file instead of the device's", optional=True
    )
    sparse: bool = key(
        False, "bool", "nothing was written to it: reads are of holes, without the device"
    )
    large_folios: bool = key(
        False, "bool", "its file system makes large folios (XFS; ext4 since Linux 6.16)"
    )
    server: str = key(
        "", "text", "name of the threads that serve its reads (FUSE); empty: the device"
    )

    @property
    def pages(self) -> int:
        """Size of each file in pages."""
        return -(-self.size_bytes // PAGE_BYTES)

    @property
    def max_order(self) -> int:
        """Order of the largest folio (mapping_max_folio_order); on x86-64 HPAGE_PMD_ORDER."""
        return HPAGE_PMD_ORDER if self.large_folios else 0


@dataclass(frozen=True)
class Mapping:
    """`count` equal VMAs of one process.

    VMA i maps file instance i % file.count from page offset + (i // file.count) * pages on.
    """

    name: str = key("", "text", "name by which operations refer to it")
    file: str = key("", "text", "file that is mapped; empty: anonymous memory (size is needed)")
    process: str = key("main", "text", "process that owns the VMAs")
    count: int = key(1, "int", "number of VMAs", minimum=1, maximum=MAX_VMAS)
    offset_bytes: int = key(0, "size", "offset of the first VMA in its file", minimum=0)
    size_bytes: int = key(
        0,
        "size",
        "size of each VMA; 0: equal shares of the file",
        minimum=0,
        maximum=MAX_FILE_PAGES * PAGE_BYTES,
    )
    sharing: str = key(
        "private", "choice", "MAP_PRIVATE or MAP_SHARED", choices=("private", "shared")
    )
    writable: bool = key(False, "bool", "PROT_WRITE too")
    executable: str = key(
        "none",
        "choice",
        "which VMAs also have PROT_EXEC (odd: every second one, from the second on)",
        choices=("none", "odd", "all"),
    )
    advice: str = key(
        "normal",
        "choice",
        "madvise of each VMA at the start",
        choices=("normal", "random", "sequential"),
    )
    open_files: str = key(
        "shared",
        "choice",
        "shared: one open file (one readahead state) per file; each: one per VMA",
        choices=("shared", "each"),
    )
    written_bytes: int = key(
        0,
        "size",
        "part of each private VMA that was written before the start (fork copies its page tables)",
        minimum=0,
    )
    at_start: bool = key(True, "bool", "false: only an mmap operation maps it")


@dataclass(frozen=True)
class Operation:
    """One step of a thread's loop. Which keys an operation takes: `operations.py`."""

    op: str = key("", "text", "what is done, see the table of operations")
    actor: str = key("", "text", "name in the results; empty: that of the operation")
    timed: bool = key(True, "bool", "false: does not appear in the results")
    mapping: str = key("", "text", "mapping it works on; empty: the only one of the process")
    access: str = key(
        "random",
        "choice",
        "which page comes next",
        choices=("random", "own", "sequential", "herd", "zipf"),
    )
    zipf_exponent: float = key(0.99, "float", 'skew of access = "zipf"', minimum=0.0, maximum=10.0)
    write: bool = key(False, "bool", "write the byte instead of reading it")
    which: str = key(
        "next",
        "choice",
        "which VMA of the mapping: next (round robin), own (thread number), random",
        choices=("next", "own", "random"),
    )
    size_bytes: int = key(
        0, "size", "bytes it covers; 0: the default of the operation or the whole VMA", minimum=0
    )
    repeat: int = key(
        1, "int", "how often it is done in each pass of the loop", minimum=1, maximum=1 << 30
    )
    think: Distribution = key(constant(0), "distribution", "sleep after it (none when 0)")
    time: Distribution = key(constant(0), "distribution", "how long sleep or compute takes")
    advice: str = key(
        "dontneed",
        "choice",
        "advice of madvise",
        choices=(
            "normal",
            "random",
            "sequential",
            "willneed",
            "dontneed",
            "cold",
            "pageout",
            "free",
        ),
    )
    proc_file: str = key(
        "smaps_rollup",
        "choice",
        "file of read_proc",
        choices=(
            "maps",
            "smaps",
            "smaps_rollup",
            "cmdline",
            "environ",
            "status",
            "stat",
            "numa_maps",
        ),
    )
    target: str = key(
        "", "text", "process that is read, or threads that are killed; empty: the own process"
    )
    file: str = key("", "text", "file of truncate, punch_hole and read_file")
    gup: str = key(
        "unlockable",
        "choice",
        "locking of gup: unlockable (may release mmap_lock), locked (not), nowait",
        choices=("unlockable", "locked", "nowait"),
    )
    async_page_fault: bool = key(
        True, "bool", "vcpu: the guest can run another task while its page is read"
    )

    @property
    def pages(self) -> int:
        """size in pages, rounded up; 0 when not given."""
        return -(-self.size_bytes // PAGE_BYTES)


@dataclass(frozen=True)
class Threads:
    """`count` threads with one loop: `loop`, or the keys of its only operation written here."""

    name: str = key("", "text", "name of the group; empty: that of its first operation")
    process: str = key("main", "text", "process they belong to")
    count: int = key(1, "int", "number of threads", minimum=0, maximum=MAX_THREADS)
    start_after: Distribution = key(
        constant(0), "distribution", "delay of the first operation after the common start"
    )
    rounds: int = key(0, "int", "passes through the loop; 0: until the end", minimum=0)
    round_actor: str = key(
        "", "text", "when given, each whole pass appears under this name in the results"
    )
    loop: tuple[Operation, ...] = key((), "tables", "operations of one pass, in order")


@dataclass(frozen=True)
class Workload:
    """A workload file. `document` is the checked TOML it was read from, for overrides."""

    name: str = key("", "text", "name; the file's name when not given")
    description: str = key("", "text", "one sentence: what it shows")
    source: str = key("", "text", "where its figures come from")
    duration_ns: int = key(
        1_000_000_000, "time", "how long it runs", minimum=1_000_000, maximum=3600 * 1_000_000_000
    )
    kernel: Kernel = key(Kernel(), "table", "kernel version and rules")
    machine: Machine = key(Machine(), "table", "CPUs, clock, memory")
    device: Device = key(Device(), "table", "storage")
    page_cache: PageCache = key(PageCache(), "table", "page cache and reclaim")
    files: tuple[File, ...] = key((), "tables", "files")
    mappings: tuple[Mapping, ...] = key((), "tables", "VMAs at the start")
    threads: tuple[Threads, ...] = key((), "tables", "threads")
    keep_results: bool = key(
        True, "bool", "threads note how long each operation took, on the C library's heap"
    )
    document: AbstractMapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    path: str = field(default="", compare=False)

    @property
    def n_threads(self) -> int:
        """All threads of all groups."""
        return sum(group.count for group in self.threads)

    @property
    def processes(self) -> tuple[str, ...]:
        """Names of the processes in order of appearance; each has its own mm."""
        names = [mapping.process for mapping in self.mappings]
        names += [group.process for group in self.threads]
        return tuple(dict.fromkeys(names))

    def file(self, name: str) -> File:
        """The file called `name`. Raises KeyError."""
        return {item.name: item for item in self.files}[name]

    def mapping(self, name: str) -> Mapping:
        """The mapping called `name`. Raises KeyError."""
        return {item.name: item for item in self.mappings}[name]

    def vma_pages(self, mapping: Mapping) -> int:
        """Pages of each VMA: its size, or equal shares of its file from the offset on."""
        if mapping.size_bytes:
            return -(-mapping.size_bytes // PAGE_BYTES)
        file = self.file(mapping.file)
        per_file = -(-mapping.count // file.count)
        return (file.pages - mapping.offset_bytes // PAGE_BYTES) // per_file
