# SPDX-License-Identifier: GPL-2.0-only
"""nowait+in-flight: FOLL_NOWAIT on a page that is being read.

T1 asks get_user_pages for page 0 with FOLL_NOWAIT while it is in flight; the disk completes.
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
def page_in_flight():
    """One file, mapped for reading; its page is being read."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_read(mapping, 0, 1)


@thread("T1")
def asking():
    trap_enter()
    get_user_pages_unlocked(0, 1, FOLL_NOWAIT)
    trap_exit()
    thread_ends(1)


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the call ends while the read is in flight")
def ends_before_io() -> bool:
    """Some run ends the call before the disk answers."""
    return is_being_read(0) and has_ended(1)
