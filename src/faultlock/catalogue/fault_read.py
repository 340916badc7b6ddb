# SPDX-License-Identifier: GPL-2.0-only
"""fault+read: a fault races with read(2) of the same page.

T1 reads page 0 by its mapping, T2 by read(2); the disk completes.
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


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("read")
def reading():
    with atomic:
        file = open_file(1)
    ksys_read(file, 0, 1, -1)


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)
