# SPDX-License-Identifier: GPL-2.0-only
"""fault+broken-disk: every read fails.

T1 and T2 read page 0, which is not cached; the disk answers each read with an error.
"""

N_THREADS: Param = 3
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1


@setup
def nothing_cached():
    """One file, mapped for reading; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)


@thread("T", count=2)
def faulting():
    touch(0, False, True)


@thread("disk", daemon=True)
def failing_disk():
    while True:
        request: Request = choose(1, N_REQUESTS + 1, "io_completion", where=request.in_flight)
        bio_endio(request, True)


@always("S2 only uptodate pages are mapped (broken disk)")
def nothing_is_mapped() -> bool:
    """What could not be read is never mapped."""
    return not is_mapped(0)


@sometimes("V the read fails")
def read_fails() -> bool:
    """Some run sees the error."""
    return task(1).read_failed
