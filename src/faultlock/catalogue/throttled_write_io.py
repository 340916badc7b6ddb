# SPDX-License-Identifier: GPL-2.0-only
"""throttled-write+io: a fault that has been redone once is throttled.

T1 writes to page 0 of a shared mapping, which is not cached, with too much dirty memory; the disk completes.
"""

N_THREADS: Param = 2
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1
DIRTY_EXCEEDED: Param = 1


@setup
def nothing_cached():
    """One file, mapped shared for writing; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ | VM_WRITE | VM_SHARED | VM_MAYWRITE)


@thread("T1")
def writing():
    user = choose(0, 2, "user")
    touch(0, True, user == 1)


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)
