# SPDX-License-Identifier: GPL-2.0-only
"""fault+reclaim: reclaim takes the page of a fault.

T1 reads page 0, which is cached; T2 reclaims one folio, twice; the disk completes.
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
def page_cached():
    """One file, mapped for reading; its page is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)
    boot_cache(mapping, 0, 0)
    for folio in each(Folio):
        folio.lru = folio.refcount > 0


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
