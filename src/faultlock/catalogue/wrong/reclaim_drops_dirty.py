# SPDX-License-Identifier: GPL-2.0-only
"""reclaim-drops-dirty: reclaim does not look whether a folio is dirty.

Must be found as: S13 in shared-write+writeback
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
    if folio.refcount != nr + 1:  # the cache's and the isolation's
        return False
    assert folio.mapcount == 0, "S13 freeze: a mapped folio is reclaimed"
    assert not folio.dirty, "S13 freeze: a dirty folio is reclaimed"
    assert folio.extra_refs == 1, "S13 freeze: a folio that somebody else uses is reclaimed"
    assert folio.refcount == nr + 1, "S13 freeze: a folio that somebody has a reference to is reclaimed"
    shadow = workingset_eviction(folio.mapping, folio)
    filemap_remove_folio(folio, shadow)
    return True


@atomic
def folio_is_busy(folio: Folio) -> bool:
    """Is the folio dirty or under writeback, so that it cannot go now?

    Source: folio_check_dirty_writeback in shrink_folio_list, mm/vmscan.c, 6.12
    Context: folio locked
    Returns: True if so
    Left out: writing it out from kswapd, the reclaim flag, waiting for writeback (memcg v1)
    """
    return folio.writeback
