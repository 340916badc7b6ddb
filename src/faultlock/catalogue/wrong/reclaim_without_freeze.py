# SPDX-License-Identifier: GPL-2.0-only
"""reclaim-without-freeze: reclaim does not look whether somebody has a reference.

Must be found as: S13 in fault+reclaim
"""

base = "drop-retry"


@atomic
def __remove_mapping(folio: Folio) -> bool:
    """Freeze the references and take the folio out of the cache, or find it in use.

    Source: __remove_mapping, mm/vmscan.c, 6.12
    Context: folio locked, isolated, unmapped; takes the xarray lock inside
    Returns: True if the folio is out (a shadow entry is left behind)
    Left out: nothing
    """
    nr = 1 << folio.order
    if folio.dirty:
        return False
    assert folio.mapcount == 0, "S13 freeze: a mapped folio is reclaimed"
    assert folio.extra_refs == 1, "S13 freeze: a folio that somebody else uses is reclaimed"
    assert folio.refcount == nr + 1, "S13 freeze: a folio that somebody has a reference to is reclaimed"
    shadow = workingset_eviction(folio.mapping, folio)
    filemap_remove_folio(folio, shadow)
    return True
