# SPDX-License-Identifier: GPL-2.0-only
"""shared-write+writeback: writes to a shared page meet the flusher and reclaim.

T1 writes page 0, which is not cached; the flusher writes it back; reclaim scans twice; the disk completes.
"""

N_THREADS: Param = 4
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
    """One file, mapped shared for writing; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ | VM_WRITE | VM_SHARED | VM_MAYWRITE)


@thread("T1")
def writing():
    do_user_addr_fault(0, True, True)


@thread("flusher")
def flushing():
    trap_enter()
    filemap_write_and_wait(file_mapping(), 0)
    trap_exit()


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
