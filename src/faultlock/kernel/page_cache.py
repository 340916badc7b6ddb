# SPDX-License-Identifier: GPL-2.0-only
"""The page cache of a mapping: look up, insert, remove (mm/filemap.c).

# Model: the xarray is an array with one entry per page; a large folio stands in all entries
# that it covers.  What the kernel does under the xarray lock is one step.
"""


# ---- looking up -----------------------------------------------------------------------------------


@atomic
def filemap_is_cached(mapping: Mapping, index: int) -> bool:
    """Is there a folio (not a shadow) at index?

    Source: xa_load and xa_is_value, as page_cache_ra_unbounded uses them, 6.12
    Context: RCU
    Returns: True if there is
    Left out: nothing
    """
    if index < 0 or index >= N_FILE_PAGES:
        return False
    entry = mapping.pages[index]
    if entry is None or entry == page_cache.shadow or entry == page_cache.shadow_workingset:
        return False
    return True


@atomic
def filemap_peek(mapping: Mapping, index: int) -> Folio:
    """The folio at index without a reference; a page that had no folio yet gets one.

    Source: xa_load(&mapping->i_pages, index), 6.12
    Context: RCU
    Returns: the folio, or None
    Left out: nothing
    """
    if not filemap_is_cached(mapping, index):
        return None
    folio = mapping.pages[index]
    if folio == page_cache.resident:
        # Model: a page that is cached from the start becomes a folio when first looked at.
        folio = alloc(Folio)
        if folio is None:
            return None
        folio.index = index
        folio.refcount = 1
        folio.uptodate = True
        folio.mapping = mapping
        mapping.pages[index] = folio
        page_counter_charge(1)
        folio_add_lru(folio)
        emit("PAGE_CACHE_RESIDENT", folio, index, 1)
    return folio


@atomic
def filemap_get_entry(mapping: Mapping, index: int) -> Folio:
    """The folio at index, with a reference.

    Source: filemap_get_entry, mm/filemap.c, 6.12
    Context: RCU
    Returns: the folio, or None (nothing there, or a shadow entry)
    Left out: the retry when the folio moved between load and reference
    """
    folio = filemap_peek(mapping, index)
    if folio is not None:
        folio_get(folio)
    return folio


@atomic
def page_cache_next_miss(mapping: Mapping, index: int, max_scan: int) -> int:
    """First index at or after `index` that is not cached.

    Source: page_cache_next_miss, mm/filemap.c, 6.12
    Context: RCU
    Returns: the index; index + max_scan when max_scan pages are cached
    Left out: nothing
    """
    position = index
    while position < index + max_scan and filemap_is_cached(mapping, position):
        position += 1
    return position


@atomic
def page_cache_prev_miss(mapping: Mapping, index: int, max_scan: int) -> int:
    """First index at or before `index` that is not cached.

    Source: page_cache_prev_miss, mm/filemap.c, 6.12
    Context: RCU
    Returns: the index, -1 when the file is cached from its start; index - max_scan when max_scan pages are
    Left out: nothing
    """
    position = index
    while position > index - max_scan and position >= 0 and filemap_is_cached(mapping, position):
        position -= 1
    return position


@atomic
def filemap_beyond_eof(mapping: Mapping, index: int) -> bool:
    """Is the page beyond the end of the file?

    Source: DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE) <= index, mm/filemap.c, 6.12
    Context: lockless; decides only under the folio lock
    Returns: True if index >= i_size
    Left out: nothing
    """
    if index >= mapping.i_size:
        current.eof_seen = True
        return True
    if current.holds_folio_lock is not None:
        current.i_size_seen = max(current.i_size_seen, mapping.i_size)
    return False


# ---- insert and remove ------------------------------------------------------------------------------


@atomic
def filemap_add_folio(mapping: Mapping, folio: Folio, index: int) -> bool:
    """Insert a new folio, locked; the cache takes one reference per page.

    Source: filemap_add_folio, __filemap_add_folio, mm/filemap.c, 6.12
    Context: xarray lock; reference held by the caller
    Returns: True; False (-EEXIST) when a page is already there
    Left out: -ENOMEM of the xarray
    """
    nr = 1 << folio.order
    for i in range(index, index + nr):
        if filemap_is_cached(mapping, i):
            return False
    assert current.holds_invalidate_lock == mapping or not mapping.uses_invalidate_lock, "S11 no fill under removal: folio inserted without invalidate_lock"
    shadow: Folio = None
    evicted = index
    for i in range(index, min(index + nr, N_FILE_PAGES)):
        if mapping.pages[i] is not None:
            shadow = mapping.pages[i]
            evicted = i
        mapping.pages[i] = folio
    folio.mapping = mapping
    if shadow is not None:  # one verdict for the folio, by the last page of it that was evicted
        workingset_refault(mapping, folio, evicted, shadow == page_cache.shadow_workingset)
    folio.refcount += nr
    folio.locked = True
    folio.locked_by = current
    folio_add_lru(folio)
    emit("PAGE_CACHE_ADD", folio, index, nr)
    return True


@atomic
def filemap_remove_folio(folio: Folio, replacement: Folio):
    """Take a folio out of the cache and drop the cache's references.

    Source: filemap_remove_folio, __remove_mapping, mm/filemap.c, mm/vmscan.c, 6.12
    Context: folio locked and referenced by current
    Returns: nothing
    Left out: private data of the file system
    """
    assert folio.locked and folio.locked_by == current, "S1 no stale PTE: folio removed from the cache without its lock"
    mapping = folio.mapping
    nr = 1 << folio.order
    for i in range(folio.index, min(folio.index + nr, N_FILE_PAGES)):
        mapping.pages[i] = replacement
    folio.mapping = None
    folio.dirty = False
    emit("PAGE_CACHE_REMOVE", folio, folio.index, nr)
    folio_ref_sub(folio, nr)


@atomic
def folio_discard(folio: Folio):
    """Drop a new folio that lost the race for its place in the cache.

    Source: folio_put after filemap_add_folio failed, mm/filemap.c, 6.12
    Context: only reference held by the caller
    Returns: nothing
    Left out: nothing
    """
    folio_ref_sub(folio, 1)


# ---- find or create -----------------------------------------------------------------------------------


def filemap_create_folio(mapping: Mapping, index: int) -> Folio:
    """Allocate a folio for index and insert it, locked, with a reference for the caller.

    Source: no_page part of __filemap_get_folio, mm/filemap.c, 6.12
    Context: invalidate_lock held shared; may reclaim
    Returns: the folio; None: out of memory, or somebody was faster (then it is cached)
    Left out: orders above the mapping's minimum (write path only)
    """
    start = (index >> mapping.min_order) << mapping.min_order
    folio = filemap_alloc_folio(start, mapping.min_order, False)
    if folio is None:
        return None
    with atomic:
        if not filemap_add_folio(mapping, folio, start):
            folio_discard(folio)
            return None
        record_folio_reference(folio)
        folio_lock_acquired(folio)
    return folio


def __filemap_get_folio(mapping: Mapping, index: int, fgp_flags: fgp_t) -> Folio:
    """Find the folio at index, or create it.

    Source: __filemap_get_folio, mm/filemap.c, 6.12
    Context: FGP_LOCK sleeps for the folio lock [U] unless FGP_NOWAIT; FGP_CREAT may reclaim
    Returns: the folio with a reference (FGP_LOCK: locked); None: absent, no memory, or FGP_NOWAIT and locked
    Left out: FGP_ACCESSED, FGP_WRITE, FGP_NOFS, FGP_STABLE, FGP_DONTCACHE
    """
    while True:
        folio = filemap_get_entry(mapping, index)
        if folio is not None:
            if (fgp_flags & FGP_LOCK) == 0:
                return folio
            if (fgp_flags & FGP_NOWAIT) != 0:
                if not folio_trylock(folio):
                    folio_put(folio)
                    return None
            else:
                folio_lock(folio)
            if folio.mapping == mapping:
                return folio
            folio_unlock(folio)
            folio_put(folio)
            continue
        if (fgp_flags & FGP_CREAT) == 0:
            return None
        folio = filemap_create_folio(mapping, index)
        if folio is not None:
            if (fgp_flags & FGP_FOR_MMAP) != 0:
                folio_unlock(folio)
            return folio
        if not filemap_is_cached(mapping, index):
            return None
