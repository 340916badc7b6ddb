# SPDX-License-Identifier: GPL-2.0-only
"""reclaim+truncate: a page that reclaim has isolated is truncated.

T1 reclaims page 0, which is cached; T2 truncates the file.
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


@setup
def page_cached():
    """One file, cached, mapped for reading."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_cache(mapping, 0, 0)
    for folio in each(Folio):
        folio.lru = folio.refcount > 0


@thread("reclaim")
def reclaiming():
    trap_enter()
    reclaim_once()
    trap_exit()


@thread("truncate")
def truncating():
    trap_enter()
    ext4_setattr(file_mapping(), 0, False)
    trap_exit()


@sometimes("V reclaim meets a page without a file")
def reclaim_meets_what_is_gone() -> bool:
    """In some run reclaim has locked a page that truncation has taken out of the file."""
    folio = task(1).holds_folio_lock
    return folio is not None and folio.mapping is None
