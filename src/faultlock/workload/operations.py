# SPDX-License-Identifier: GPL-2.0-only
"""What a thread can do: each operation's keys, default name in the results and meaning.

The simulator's roles and the C driver implement this table; the time that is reported is from just
before to just after the call named here. `real` says whether the C driver can do it on a kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

ALWAYS = frozenset({"op", "actor", "timed", "repeat", "think"})


@dataclass(frozen=True)
class OperationKind:
    """One row of the table of operations."""

    text: str
    keys: frozenset[str]
    actor: str
    real: bool = True
    needs: str = ""  # "mapping" or "file": must resolve to one
    size_bytes: int = 0  # default of the key size; 0: the whole VMA or not used


def _kind(
    text: str, keys: str, actor: str, *, real: bool = True, needs: str = "", size_bytes: int = 0
) -> OperationKind:
    return OperationKind(text, ALWAYS | frozenset(keys.split()), actor, real, needs, size_bytes)


_PAGE = "mapping access zipf_exponent"
OPERATIONS: dict[str, OperationKind] = {
    "touch": _kind(
        "read (or write) one byte of one page: a user-mode fault when it is not mapped",
        f"{_PAGE} write",
        "fault",
        needs="mapping",
    ),
    "kernel_mode_fault": _kind(
        "write(2) of one byte of one page to a pipe: the kernel faults on the page",
        _PAGE,
        "kernel_mode_fault",
        needs="mapping",
    ),
    "anon_touch": _kind(
        "write one byte to the next page of private anonymous memory of its own (default 64 MiB); "
        "madvise(DONTNEED) at its end, not timed",
        "size",
        "anon_fault",
        size_bytes=64 << 20,
    ),
    "fork": _kind(
        "fork in the parent; the child exits at once; waiting for the child is not timed",
        "",
        "fork",
    ),
    "mmap_munmap": _kind(
        "mmap and munmap of anonymous memory (default 64 KiB), timed together",
        "size",
        "mmap_munmap",
        size_bytes=64 << 10,
    ),
    "mmap": _kind(
        "mmap of one VMA of a mapping with at_start = false",
        "mapping which",
        "mmap",
        needs="mapping",
    ),
    "munmap": _kind("munmap of one VMA of a mapping", "mapping which", "munmap", needs="mapping"),
    "mprotect": _kind(
        "mprotect of one VMA (or its first `size` bytes); alternates READ and READ+EXEC",
        "mapping which size",
        "mprotect",
        needs="mapping",
    ),
    "madvise": _kind(
        "madvise of one VMA (or its first `size` bytes)",
        "mapping which size advice",
        "madvise",
        needs="mapping",
    ),
    "populate": _kind(
        "mmap with MAP_POPULATE of the next `size` bytes (default 1 MiB) of a mapping's file, then "
        "munmap (not timed)",
        "mapping size",
        "populate",
        needs="mapping",
        size_bytes=1 << 20,
    ),
    "populate_read": _kind(
        "madvise(POPULATE_READ) of the next `size` bytes (default 1 MiB) of a mapping",
        "mapping size",
        "populate_read",
        needs="mapping",
        size_bytes=1 << 20,
    ),
    "willneed": _kind(
        "madvise(WILLNEED) of the next `size` bytes (default 1 MiB) of a mapping",
        "mapping size",
        "willneed",
        needs="mapping",
        size_bytes=1 << 20,
    ),
    "mlock": _kind(
        "mlock, then munlock (not timed), of the next `size` bytes (default 1 MiB) of a mapping",
        "mapping size",
        "mlock",
        needs="mapping",
        size_bytes=1 << 20,
    ),
    "gup": _kind(
        "get_user_pages of one page (process_vm_readv of the target when unlockable)",
        f"{_PAGE} gup target",
        "gup",
        needs="mapping",
    ),
    "vcpu": _kind(
        "a KVM guest touches a page of its memory: get_user_pages with NOWAIT first, then the "
        "asynchronous page fault or a synchronous wait; timed until the guest can go on",
        f"{_PAGE} async_page_fault",
        "vcpu",
        real=False,
        needs="mapping",
    ),
    "read_proc": _kind(
        "open, read to the end and close /proc/PID/proc_file of the target process",
        "proc_file target",
        "",
        needs="",
    ),
    "read_file": _kind(
        "pread(2) of the next `size` bytes (default 4 KiB) of a file",
        "file size",
        "read_file",
        needs="file",
        size_bytes=4096,
    ),
    "truncate": _kind(
        "ftruncate of a file to its size less the last `size` bytes (default 1 MiB), and back",
        "file size",
        "truncate",
        needs="file",
        size_bytes=1 << 20,
    ),
    "punch_hole": _kind(
        "fallocate(PUNCH_HOLE) of the next `size` bytes (default 1 MiB) of a file "
        "(BLKDISCARD of them on a block device)",
        "file size",
        "punch_hole",
        needs="file",
        size_bytes=1 << 20,
    ),
    "kill": _kind("SIGKILL to the process of the target threads", "target", "kill"),
    "sleep": _kind("sleep for `time`", "time", "sleep"),
    "compute": _kind("use the CPU for `time`", "time", "compute"),
    "fuse_receive": _kind(
        "wait for the next read request of a file that names these threads as its server",
        "",
        "fuse_receive",
        real=False,
    ),
    "fuse_reply": _kind("answer that request after `time`", "time", "fuse_reply", real=False),
}
SHORT_PROC_ACTORS = {"smaps_rollup": "smaps"}


def default_actor(op: str, proc_file: str) -> str:
    """The name of an operation in the results when the file gives none.

    read_proc is named after the file read; smaps_rollup is `smaps`, as in the shipped measurements.
    """
    if op == "read_proc":
        return SHORT_PROC_ACTORS.get(proc_file, f"read_{proc_file}")
    return OPERATIONS[op].actor
