# SPDX-License-Identifier: GPL-2.0-only
"""Which kernel events a recording holds, and the columns of each: the schema of a `.flt` file.

An event type has the kernel's own name (`mm_filemap_fault`, `sys_enter_mmap`) and its own columns
beside the common ones. In memory each event type is one narrow table; in the file all of them
share one wide Parquet table in which the columns that an event does not have are null. The column
names are documented for users in docs/reference-trace.md; a test holds both together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SCHEMA_VERSION = 1
PAGE_SHIFT = 12

# Limits that bound the memory of every reader; a trace beyond them is refused with a clear error.
MAX_EVENTS = 6_000_000
MAX_NAMES = 200_000
MAX_SPAN_NS = 7 * 86_400 * 1_000_000_000


@dataclass(frozen=True)
class Column:
    """One column: `kind` is u64, u32, u8, i64, bool or name (a dictionary-encoded string)."""

    name: str
    kind: str
    meaning: str


# Largest values that a kernel can mean: a file has at most 2**63 bytes, a folio 64 MiB.
_MAX_PAGES = 1 << 51
LIMITS: Mapping[str, int] = {
    "index": _MAX_PAGES,
    "last_index": _MAX_PAGES,
    "req_count": _MAX_PAGES,
    "nr_to_read": _MAX_PAGES,
    "lookahead_size": _MAX_PAGES,
    "order": 14,
}

_COLUMNS = (
    Column("time_ns", "i64", "time of the event on the recorder's clock, ns"),
    Column("cpu", "u32", "CPU the event happened on"),
    Column("tid", "u32", "thread that caused the event (kernel: task_struct.pid)"),
    Column("tgid", "u32", "its process (kernel: task_struct.tgid); null if the source did not say"),
    Column("comm", "name", "name of the thread at that time, as the source printed it"),
    Column("event", "name", "event type"),
    Column("address", "u64", "faulting address, or first address of the call's range"),
    Column("ip", "u64", "instruction that faulted; 0 if the source printed a symbol"),
    Column("ip_symbol", "name", "kernel function that faulted, if the source printed a symbol"),
    Column("error_code", "u32", "x86 page-fault error code: 1 present, 2 write, 4 user, 16 fetch"),
    Column("length", "u64", "length of the call's range, bytes"),
    Column("new_length", "u64", "mremap: new length, bytes"),
    Column("new_address", "u64", "mremap: requested new address"),
    Column("prot", "u32", "PROT_* bits of mmap or mprotect, of a mapping at start-up"),
    Column("flags", "u64", "MAP_*, MREMAP_* or CLONE_* bits"),
    Column("advice", "u32", "madvise: MADV_* number"),
    Column("fd", "i64", "mmap: file descriptor, -1 for anonymous"),
    Column("offset", "u64", "mmap, mapping at start-up: offset in the file, bytes"),
    Column("result", "i64", "what the system call returned; negative: -errno"),
    Column("dev", "u32", "device of the file: major << 20 | minor"),
    Column("ino", "u64", "inode number of the file"),
    Column("index", "u64", "page index in the file, pages"),
    Column("last_index", "u64", "last page index of a range, inclusive, pages"),
    Column("order", "u32", "log2 of the pages of the folio, or the readahead order"),
    Column("size", "u32", "readahead window, pages"),
    Column("async_size", "u32", "pages of the window after the readahead mark"),
    Column("ra_pages", "u32", "readahead limit of the open file, pages"),
    Column("mmap_miss", "u32", "mmap_miss of the open file"),
    Column("prev_pos", "i64", "prev_pos of the open file, bytes; -1 before the first read(2)"),
    Column("req_count", "u64", "pages asked for"),
    Column("nr_to_read", "u64", "pages of the window within the file"),
    Column("lookahead_size", "u64", "pages after the readahead mark"),
    Column("mm", "u64", "identity of the address space (a hashed pointer)"),
    Column("write", "bool", "mmap_lock: for write"),
    Column("success", "bool", "mmap_lock: acquired"),
    Column("prev_tid", "u32", "sched_switch: thread that leaves the CPU"),
    Column("prev_state", "name", "sched_switch: its state: R, R+, S, D, ..."),
    Column("next_tid", "u32", "sched_switch: thread that gets the CPU"),
    Column("child_tid", "u32", "the new thread"),
    Column("filename", "name", "program or mapped file"),
    Column("group_dead", "bool", "sched_process_exit: it was the last thread of its process"),
)
COLUMNS: Mapping[str, Column] = {column.name: column for column in _COLUMNS}
COMMON_COLUMNS = ("time_ns", "cpu", "tid", "tgid", "comm")

_FILE = ("dev", "ino", "index")
_RA_STATE = ("order", "size", "async_size", "ra_pages", "mmap_miss", "prev_pos")

# Entered system calls with their arguments; their exits carry `result`.
SYSTEM_CALLS: Mapping[str, tuple[str, ...]] = {
    "mmap": ("address", "length", "prot", "flags", "fd", "offset"),
    "munmap": ("address", "length"),
    "mprotect": ("address", "length", "prot"),
    "madvise": ("address", "length", "advice"),
    "mremap": ("address", "length", "new_length", "flags", "new_address"),
    "brk": ("address",),
    "clone": ("flags",),
    "clone3": (),
    "fork": (),
    "vfork": (),
    "execve": (),
    "execveat": (),
    "exit": (),
    "exit_group": (),
}

EVENTS: Mapping[str, tuple[str, ...]] = {
    "page_fault_user": ("address", "ip", "ip_symbol", "error_code"),
    "page_fault_kernel": ("address", "ip", "ip_symbol", "error_code"),
    "mm_filemap_fault": _FILE,
    "mm_filemap_map_pages": (*_FILE, "last_index"),
    "mm_filemap_get_pages": (*_FILE, "last_index"),
    "mm_filemap_add_to_page_cache": (*_FILE, "order"),
    "mm_filemap_delete_from_page_cache": (*_FILE, "order"),
    "page_cache_sync_ra": (*_FILE, "req_count", *_RA_STATE),
    "page_cache_async_ra": (*_FILE, "req_count", *_RA_STATE),
    "page_cache_ra_order": (*_FILE, "order", "size", "async_size", "ra_pages"),
    "page_cache_ra_unbounded": (*_FILE, "nr_to_read", "lookahead_size"),
    "mmap_lock_start_locking": ("mm", "write"),
    "mmap_lock_acquire_returned": ("mm", "write", "success"),
    "mmap_lock_released": ("mm", "write"),
    "sched_switch": ("prev_tid", "prev_state", "next_tid"),
    "sched_process_fork": ("child_tid",),
    "sched_process_exec": ("filename",),
    "sched_process_exit": ("group_dead",),
    "task_newtask": ("child_tid", "flags"),
    # Not an event of the kernel: one row per mapping that existed when recording began.
    "vma_snapshot": ("address", "length", "prot", "flags", "offset", "dev", "ino", "filename"),
    **{f"sys_enter_{name}": columns for name, columns in SYSTEM_CALLS.items()},
    **{f"sys_exit_{name}": ("result",) for name in SYSTEM_CALLS if not name.startswith("exit")},
}


def device_text(dev: int) -> str:
    """`dev` as the kernel prints it, e.g. 254:0."""
    return f"{dev >> 20}:{dev & 0xFFFFF}"
