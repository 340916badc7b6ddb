# SPDX-License-Identifier: GPL-2.0-only
"""fault-missing+reclaim: reclaim takes the page between the read and the redo.

T1 reads page 0, which is not cached; T2 reclaims one folio, twice; the disk completes.
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
def faulting():
    touch(0, False, True)


@thread("reclaim")
def reclaiming():
    trap_enter()
    reclaim_once()
    reclaim_once()
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)


@always("L7 mapping progress")
def no_second_io_under_lock() -> bool:
    """No redo finds its page evicted and waits for the disk again with the fault lock held."""
    for thread in each(Thread):
        if (thread.vmf_flags & FAULT_FLAG_TRIED) != 0 and sleeps_on_read(thread):
            if thread.holds_mmap_lock is not None or thread.holds_vma_lock is not None:
                return False
    return True
