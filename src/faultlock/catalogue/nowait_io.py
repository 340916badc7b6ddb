# SPDX-License-Identifier: GPL-2.0-only
"""nowait+io: FOLL_NOWAIT on a page that is not cached.

T1 asks get_user_pages for page 0 with FOLL_NOWAIT; the disk completes.
"""

N_THREADS: Param = 2
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
def asking():
    trap_enter()
    get_user_pages_unlocked(0, 1, FOLL_NOWAIT)
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the read is submitted")
def read_is_submitted() -> bool:
    """Some run reads the page."""
    return is_being_read(0)
