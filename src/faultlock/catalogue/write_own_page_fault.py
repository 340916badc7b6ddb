# SPDX-License-Identifier: GPL-2.0-only
"""write-own-page+fault: write(2) copies a page of a file from a mapping of that page.

T1 writes to page 0 of the file from address 0, which maps it; T2 reads it; the disk completes.
"""

N_THREADS: Param = 3
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 2
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
def writing():
    with atomic:
        file = open_file(1)
    trap_enter()
    generic_perform_write(file, 0, 0)
    trap_exit()


@thread("T2")
def faulting():
    touch(0, False, True)


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)
