# SPDX-License-Identifier: GPL-2.0-only
"""every-other-pair: populate, FOLL_NOWAIT, the flusher and the OOM killer: does any pair break a rule?

Two threads of a process each do one of the four; page 0 is dirty, page 1 is not cached.
"""

N_THREADS: Param = 3
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 2
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1


@setup
def dirty_and_missing():
    """One file of two pages, mapped shared: the first is dirty, the second is not cached."""
    mm = boot_mm()
    mapping = boot_mapping(2)
    boot_map(mm, boot_file(mapping, 1), 0, 2, 0, VM_READ | VM_WRITE | VM_SHARED | VM_MAYWRITE)
    boot_cache(mapping, 0, 0)
    mapping.pages[0].dirty = True


@thread("actor", count=2)
def acting():
    actor = choose(0, 4, "actor")
    trap_enter()
    if actor == 0:
        __mm_populate(0, 2, False)
    if actor == 1:
        get_user_pages_unlocked(1, 1, FOLL_NOWAIT)
    if actor == 2:
        filemap_write_and_wait(file_mapping(), 0)
    if actor == 3:
        with atomic:
            mm = current.mm
        out_of_memory(mm)
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(1)
