# SPDX-License-Identifier: GPL-2.0-only
"""fault+proc-clear-refs: clear_refs write-locks every VMA while a fault waits for its page.

T1 reads page 0, which is not cached; T2 writes clear_refs; the disk completes.
"""

N_THREADS: Param = 3
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1


@setup
def nothing_cached():
    """One file, mapped for reading; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("monitor")
def monitoring():
    with atomic:
        mm = task(1).mm
    read_proc(mm, ProcFile.CLEAR_REFS)



@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)
