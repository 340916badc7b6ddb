# SPDX-License-Identifier: GPL-2.0-only
"""gup+gup: two threads pin the same page; do both end?

T1 and T2 call get_user_pages on page 0, which is not cached; the disk completes.
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


@thread("T", count=2)
def pinning():
    trap_enter()
    get_user_pages_unlocked(0, 1, 0)
    trap_exit()



@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)
