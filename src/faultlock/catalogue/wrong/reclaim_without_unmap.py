# SPDX-License-Identifier: GPL-2.0-only
"""reclaim-without-unmap: reclaim takes a folio out of the cache that is still mapped.

Must be found as: S13 in fault+reclaim
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
        reclaim_keep(folio, False)
        return 0
    references = folio_check_references(folio)  # 8.3.4
    if references != FolioReferences.RECLAIM:
        reclaim_keep(folio, references == FolioReferences.ACTIVATE)
        return 0
    if folio_is_busy(folio):  # 8.3.6
        reclaim_keep(folio, True)
        return 0
    cpu("filemap_release_folio")  # 8.3.7
    if not __remove_mapping(folio):  # 8.3.8
        reclaim_keep(folio, False)
        return 0
    reclaim_free(folio)  # 8.3.9
    return nr


@atomic
def __remove_mapping(folio: Folio) -> bool:
    """Freeze the references and take the folio out of the cache, or find it in use.

    Source: __remove_mapping, mm/vmscan.c, 6.12
    Context: folio locked, isolated, unmapped; takes the xarray lock inside
    Returns: True if the folio is out (a shadow entry is left behind)
    Left out: nothing
    """
    nr = 1 << folio.order
    if folio.refcount != nr + 1 + folio.mapcount:
        return False
    if folio.dirty:
        return False
    assert folio.mapcount == 0, "S13 freeze: a mapped folio is reclaimed"
    assert folio.extra_refs == 1, "S13 freeze: a folio that somebody else uses is reclaimed"
    shadow = workingset_eviction(folio.mapping, folio)
    filemap_remove_folio(folio, shadow)
    return True
