# SPDX-License-Identifier: GPL-2.0-only
"""Filling readahead windows: which pages, which folios, which mark (mm/readahead.c; spec 7.2).

Inserting is one step per folio; a run of inserted folios is submitted as a whole.
"""

# ---- inserting folios and submitting them --------------------------------------------------------


@atomic
def ra_insert(mapping: Mapping, folio: Folio, index: int, marked: bool) -> bool:
    """Insert one new folio of a window, locked, with or without the readahead mark.

    Source: filemap_add_folio and folio_set_readahead in page_cache_ra_unbounded, ra_alloc_folio, 6.12
    Context: invalidate_lock held shared
    Returns: True; False (-EEXIST): somebody was faster, the folio is dropped
    Left out: the inserter's own reference until submission; the lock alone keeps the folio in the cache
    """
    if not filemap_add_folio(mapping, folio, index):
        folio_discard(folio)
        return False
    folio.readahead = marked
    folio_ref_sub(folio, 1)
    return True


@atomic
def nr_folios(mapping: Mapping, index: int, nr: int) -> int:
    """How many folios a run of pages consists of.

    Source: readahead_folio in a loop, include/linux/pagemap.h, 6.12
    Context: the run's folios are locked by current
    Returns: folios
    Left out: nothing
    """
    if mapping.max_order == 0:
        return nr
    found = 0
    position = index
    while position < index + nr:
        position += folio_nr_pages(mapping.pages[position])
        found += 1
    return found


def read_pages(mapping: Mapping, index: int, nr: int):
    """Submit a run of locked folios that were inserted.

    Source: read_pages, mm/readahead.c, 6.12
    Context: invalidate_lock held shared; sleeps
    Returns: nothing
    Left out: folios that the file system did not take
    """
    if nr > 0:
        mpage_readahead(mapping, index, nr)


def page_cache_ra_unbounded(mapping: Mapping, index: int, nr_to_read: int, lookahead_size: int):
    """Insert and submit the absent pages of [index, index + nr_to_read); mark one.

    Source: page_cache_ra_unbounded, mm/readahead.c, 6.12
    Context: takes invalidate_lock shared (6.12 here, 7.0 in the callers: same times); sleeps
    Returns: nothing
    Left out: nothing
    """
    emit("READAHEAD_UNBOUNDED", index, nr_to_read, lookahead_size)
    memalloc_nofs(1)
    filemap_invalidate_lock_shared(mapping)
    step = 1 << mapping.min_order
    start = index - index % step
    mark = index + nr_to_read - lookahead_size
    mark = (mark + step - 1) // step * step
    if lookahead_size > nr_to_read:
        mark = -1
    end = index + nr_to_read
    batch = start
    position = start
    while position < end:
        if filemap_is_cached(mapping, position):
            read_pages(mapping, batch, position - batch)
            position += step
            batch = position
            continue
        folio = filemap_alloc_folio(position, mapping.min_order, True)
        if folio is None:
            break
        if ra_insert(mapping, folio, position, position == mark):
            folio_batch_add_and_move(mapping.min_order)
            position += step
        else:
            read_pages(mapping, batch, position - batch)
            position += step
            batch = position
    read_pages(mapping, batch, position - batch)
    filemap_invalidate_unlock_shared(mapping)
    memalloc_nofs(0)


@atomic
def memalloc_nofs(inside: int):
    """Reclaim in the middle of a window must not wait for file systems: its folios are locked.

    Source: memalloc_nofs_save, memalloc_nofs_restore, include/linux/sched/mm.h, 6.12
    Context: not nested
    Returns: nothing
    Left out: nothing
    """
    if VMSCAN == 1:
        current.memalloc_nofs = inside


def do_page_cache_ra(mapping: Mapping, index: int, nr_to_read: int, lookahead_size: int):
    """Read a window, clipped to the end of the file.

    Source: do_page_cache_ra, mm/readahead.c, 6.12
    Context: sleeps
    Returns: nothing
    Left out: nothing
    """
    i_size = mapping.i_size
    if index >= i_size:
        return
    page_cache_ra_unbounded(mapping, index, min(nr_to_read, i_size - index), lookahead_size)


def force_page_cache_ra(file: File, index: int, nr_to_read: int):
    """Read as many pages as asked for (up to the device's optimum), in steps of 2 MiB, no mark.

    Source: force_page_cache_ra, mm/readahead.c, 6.12
    Context: sleeps
    Returns: nothing
    Left out: nothing
    """
    left = min(nr_to_read, max(IO_PAGES, file.ra_pages))
    position = index
    while left > 0:
        chunk = min(left, 512)
        do_page_cache_ra(file.f_mapping, position, chunk, 0)
        position += chunk
        left -= chunk


def page_cache_ra_order(file: File, index: int, order: int):
    """Read the window in file_ra_state with large folios where the mapping has them.

    Source: page_cache_ra_order, mm/readahead.c, 6.12; 7.0
    Context: takes invalidate_lock shared; sleeps
    Returns: nothing
    Left out: nothing
    """
    mapping = file.f_mapping
    with atomic:
        size = file.ra_size
        async_size = file.ra_async_size
        limit = min(mapping.i_size - 1, index + size - 1)
        if mapping.max_order == 0:
            file.ra_order = 0
    emit("READAHEAD", index, size, async_size)
    emit("READAHEAD_ORDER", index, order)
    position = index
    use_large = mapping.max_order > 0
    if KERNEL_VERSION < 617:
        use_large = use_large and size >= max(4, 1 << mapping.min_order)
    if use_large:
        position = ra_fill_large(file, index, size, index + size - async_size, limit, order)
        if position > limit:
            return
    if KERNEL_VERSION < 617:
        do_page_cache_ra(mapping, position, size, async_size)
    else:
        if size > position - index:
            do_page_cache_ra(mapping, position, size - (position - index), async_size)


def ra_fill_large(file: File, index: int, size: int, mark: int, limit: int, order: int) -> int:
    """Insert and submit folios of the preferred order, smaller where alignment or the end demands.

    Source: loop of page_cache_ra_order, mm/readahead.c, 6.12; 7.0
    Context: takes invalidate_lock shared; sleeps
    Returns: the first index that was not filled; above limit when all were
    Left out: nothing
    """
    mapping = file.f_mapping
    preferred = order
    if KERNEL_VERSION < 617:
        if preferred < mapping.max_order:
            preferred += 2
    preferred = max(min(min(mapping.max_order, preferred), ilog2(max(size, 1))), mapping.min_order)
    if KERNEL_VERSION >= 617:
        file.ra_order = preferred
    memalloc_nofs(1)
    filemap_invalidate_lock_shared(mapping)
    start = index - index % (1 << mapping.min_order)
    position = start
    while position <= limit:
        used = preferred
        if position % (1 << used) != 0:
            used = lowest_bit(position)
        while used > mapping.min_order and position + (1 << used) - 1 > limit:
            used -= 1
        folio = filemap_alloc_folio(position, used, True)
        if folio is None:
            break
        if not ra_insert(mapping, folio, position, position == mark - mark % (1 << used)):
            break
        folio_batch_add_and_move(used)
        position += 1 << used
    read_pages(mapping, start, position - start)
    filemap_invalidate_unlock_shared(mapping)
    memalloc_nofs(0)
    return position


# ---- on demand: a miss, and a hit on the mark ------------------------------------------------------


def page_cache_sync_ra(file: File, index: int, req_count: int):
    """Readahead for a miss.

    Source: page_cache_sync_ra, mm/readahead.c, 6.12
    Context: sleeps
    Returns: nothing
    Left out: congested block cgroups
    """
    emit("READAHEAD_SYNC", index, req_count)
    if file.ra_pages == 0:
        force_page_cache_ra(file, index, 1)
        return
    if file.f_mode_random:
        force_page_cache_ra(file, index, req_count)
        return
    max_pages = ractl_max_pages(file, req_count)
    if ra_sync_window(file, index, req_count, max_pages):
        page_cache_ra_order(file, index, 0)
    else:
        do_page_cache_ra(file.f_mapping, index, req_count, 0)


def page_cache_async_ra(file: File, index: int, folio: Folio, req_count: int):
    """Readahead for a hit on the marked folio.

    Source: page_cache_async_ra, mm/readahead.c, 6.12
    Context: folio referenced; sleeps
    Returns: nothing
    Left out: congested block cgroups
    """
    if file.ra_pages == 0:
        return
    emit("READAHEAD_ASYNC", index, req_count)
    if folio.writeback:
        return
    folio.readahead = False
    if ra_async_window(file, index, folio, req_count):
        with atomic:
            start = file.ra_start
            order = file.ra_order
        page_cache_ra_order(file, start, order)
