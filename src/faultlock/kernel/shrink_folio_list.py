# SPDX-License-Identifier: GPL-2.0-only
"""Reclaim of one isolated folio: kept, activated or freed (mm/vmscan.c, shrink_folio_list; spec 8.3).

Which folios are isolated, and how many, is in shrink_lruvec.py.  Direct reclaim runs in the context
of whoever allocates, with that thread's locks held; it takes neither mmap_lock nor VMA locks itself.
"""


class FolioReferences(Enum):
    """What the accessed bits say about a folio (enum folio_references)."""

    RECLAIM = 0
    KEEP = 1
    ACTIVATE = 2


def folio_check_references(folio: Folio) -> FolioReferences:
    """Was the folio used since reclaim last looked?  Clears the accessed bits it finds.

    Source: folio_check_references, folio_referenced, mm/vmscan.c, mm/rmap.c, 6.12
    Context: folio locked and isolated; tries i_mmap_rwsem
    Returns: RECLAIM, KEEP (one more round) or ACTIVATE
    Left out: swap-backed folios, FOLIOREF_RECLAIM_CLEAN (dirty folios are kept anyway)
    """
    referenced_ptes = 0
    vm_flags: vm_flags_t = 0
    mapping = folio.mapping
    cpu("rmap_walk_begin")
    if folio.mapcount > 0:
        if not i_mmap_trylock_read(mapping):
            folio.referenced = False  # folio_test_clear_referenced() comes first
            return FolioReferences.KEEP
        vma = rmap_next(folio, None)
        while vma is not None:
            cpu("rmap_walk")
            with atomic:
                found = folio_referenced_one(folio, vma)
                walked = 1 if vma_has_recency(vma) else 0
            cpu("folio_referenced", walked)
            cpu("clear_young", current.ptes_batched)
            if found > 0 or vma.vm_flags & VM_LOCKED:
                vm_flags |= vma.vm_flags
            referenced_ptes += found
            vma = rmap_next(folio, vma)
        i_mmap_unlock_read(mapping)
    return folio_judge_references(folio, referenced_ptes, vm_flags)  # 8.3.3


@atomic
def folio_judge_references(folio: Folio, referenced_ptes: int, vm_flags: vm_flags_t) -> FolioReferences:
    """Decide from the number of accessed entries and PG_referenced.

    Source: folio_check_references, second half, mm/vmscan.c, 6.12
    Context: folio locked and isolated
    Returns: RECLAIM, KEEP or ACTIVATE
    Left out: nothing
    """
    was_referenced = folio.referenced
    folio.referenced = False
    if vm_flags & VM_LOCKED:
        return FolioReferences.ACTIVATE
    if referenced_ptes == 0:
        return FolioReferences.RECLAIM
    folio.referenced = True
    if was_referenced or referenced_ptes > 1 or vm_flags & VM_EXEC:
        return FolioReferences.ACTIVATE
    return FolioReferences.KEEP


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
    if folio.dirty:
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
    return folio.dirty or folio.writeback


@atomic
def move_folio_to_lru(folio: Folio):
    """Put a folio that reclaim looked at back on the LRU; an active one makes the evicted ones older.

    Source: move_folios_to_lru, mm/vmscan.c, 6.12
    Context: folio isolated
    Returns: nothing
    Left out: a folio that somebody activated while it could not be locked
    """
    if folio.active:
        workingset_age_nonresident(1 << folio.order)
    folio_putback_lru(folio)


@atomic
def reclaim_keep(folio: Folio, activate: bool):
    """Unlock a folio that stays and put it back on the LRU.

    Source: keep_locked, activate_locked of shrink_folio_list, mm/vmscan.c, 6.12
    Context: folio locked and isolated
    Returns: nothing
    Left out: nothing
    """
    if activate and LRU == 2:
        folio.active = True
        emit("PGACTIVATE", folio_nr_pages(folio))
    folio_unlock(folio)
    move_folio_to_lru(folio)


@atomic
def reclaim_free(folio: Folio):
    """Unlock a folio that left the cache and drop the isolation's reference: the last one.

    Source: free_it of shrink_folio_list, mm/vmscan.c, 6.12
    Context: folio locked, isolated, out of the cache
    Returns: nothing
    Left out: nothing
    """
    emit("RECLAIM", folio.index)
    folio_unlock(folio)
    folio.extra_refs -= 1
    folio_ref_sub(folio, 1)


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
    if folio.mapcount > 0:
        try_to_unmap(folio)  # 8.3.5
        note_unmapped()
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
