# SPDX-License-Identifier: GPL-2.0-only
"""reclaim-keeps-folio-lock: reclaim leaves a page locked that has left its file.

Must be found as: S4 in reclaim+truncate
"""

base = "drop-retry"


def shrink_folio(folio: Folio) -> int:
    """Try to reclaim one isolated folio.

    Source: loop body of shrink_folio_list, mm/vmscan.c, 6.12
    Context: folio isolated; no lock held afterwards
    Returns: number of pages freed (0: kept)
    Left out: swap, demotion, pageout, hardware poison
    """
    nr = folio_nr_pages(folio)
    cpu("shrink_folio")
    if not folio_trylock(folio):  # 8.3.2
        folio_putback_lru(folio)
        return 0
    if folio.mapping is None:
        folio_putback_lru(folio)
        return 0
    references = folio_check_references(folio)  # 8.3.4
    if references != FolioReferences.RECLAIM:
        reclaim_keep(folio, references == FolioReferences.ACTIVATE)
        return 0
    if folio.mapcount > 0:
        try_to_unmap(folio)  # 8.3.5
        if folio.mapcount > 0:
            reclaim_keep(folio, True)
            return 0
    if folio_is_busy(folio):  # 8.3.6
        reclaim_keep(folio, True)
        return 0
    cpu("filemap_release_folio")  # 8.3.7
    cpu("drop_buffers", folio.has_buffers)
    if not __remove_mapping(folio):  # 8.3.8
        reclaim_keep(folio, False)
        return 0
    reclaim_free(folio)  # 8.3.9
    return nr
