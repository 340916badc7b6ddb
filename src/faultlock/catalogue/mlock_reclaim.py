# SPDX-License-Identifier: GPL-2.0-only
"""mlock+reclaim: a page that is being reclaimed is locked into memory.

T1 touches page 0, which is cached, and locks it into memory; T2 reclaims it.
"""

N_THREADS: Param = 3
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 2
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1


@setup
def page_cached():
    """One file, cached, mapped for reading."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_cache(mapping, 0, 0)
    for folio in each(Folio):
        folio.lru = folio.refcount > 0


@thread("T1")
def locking():
    touch(0, False, True)
    trap_enter()
    do_mlock(0, 1, True)
    trap_exit()


@thread("reclaim")
def reclaiming():
    trap_enter()
    reclaim_once()
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)
