# SPDX-License-Identifier: GPL-2.0-only
"""Truncation and hole punching (mm/truncate.c; ext4 as the pattern; spec 8.1, 8.2)."""


@atomic
def inode_lock_acquired(mapping: Mapping):
    """Record that the current thread holds i_rwsem exclusively.

    Source: none (ghost state and a lock event)
    Context: i_rwsem held
    Returns: nothing
    Left out: nothing
    """
    current.holds_i_rwsem = mapping
    emit("LOCK_ACQUIRED", LOCK_I_RWSEM, mapping, LockMode.WRITE)


def inode_lock(mapping: Mapping):
    """Take the inode lock exclusively.

    Source: inode_lock, include/linux/fs.h, 6.12
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    down_write(mapping.i_rwsem)
    inode_lock_acquired(mapping)


@atomic
def inode_unlock(mapping: Mapping):
    """Release the inode lock.

    Source: inode_unlock, include/linux/fs.h, 6.12
    Context: held exclusively by current
    Returns: nothing
    Left out: nothing
    """
    assert current.holds_i_rwsem == mapping, "S4 lock balance: i_rwsem released that is not held"
    current.holds_i_rwsem = None
    emit("LOCK_RELEASED", LOCK_I_RWSEM, mapping, LockMode.WRITE)
    up_write(mapping.i_rwsem)


# ---- the page cache of a range ------------------------------------------------------------------------


@atomic
def find_lock_entry(mapping: Mapping, index: Index, end: Index) -> Folio:
    """Pass 1: the next folio in [index, end) that lies in the range and could be locked at once.

    Source: find_lock_entries, mm/filemap.c, 6.12
    Context: RCU
    Returns: the folio, referenced and locked; None: no such folio
    Left out: shadow entries (they are dropped with the range)
    """
    position: int = index
    while position < end:
        folio = filemap_peek(mapping, position)
        if folio is None:
            position += 1
            continue
        inside = folio.index >= index and folio_next_index(folio) <= end
        if inside and not folio.writeback and folio_trylock(folio):
            folio_get(folio)
            return folio
        position = folio_next_index(folio)
    return None


@atomic
def find_get_entry(mapping: Mapping, index: Index, end: Index) -> Folio:
    """Pass 2: the next folio in [index, end).

    Source: find_get_entries, mm/filemap.c, 6.12
    Context: RCU
    Returns: the folio, referenced; None: the range is empty
    Left out: batches of 31
    """
    position: int = index
    while position < end:
        if filemap_is_cached(mapping, position):
            return filemap_get_entry(mapping, position)
        position += 1
    return None


def unmap_mapping_folio(folio: Folio):
    """Remove the entries of one locked folio from all address spaces.

    Source: unmap_mapping_folio, mm/memory.c, 6.12
    Context: folio locked; takes i_mmap_rwsem for read
    Returns: nothing
    Left out: nothing
    """
    mapping = folio.mapping
    first = folio.index
    unmap_mapping_range(mapping, first, folio_next_index(folio) - 1, False)


def truncate_inode_folio(mapping: Mapping, folio: Folio):
    """Unmap a folio, cancel its dirtiness and take it out of the cache.

    Source: truncate_inode_folio, truncate_cleanup_folio, mm/truncate.c, 6.12
    Context: folio locked and referenced
    Returns: nothing
    Left out: private data of the file system
    """
    if folio.mapping != mapping:
        return
    if folio.mapcount > 0:
        unmap_mapping_folio(folio)
    cpu("truncate_folio")
    assert folio.mapcount == 0, "S1 no stale PTE: a folio is truncated that is still mapped"
    filemap_remove_folio(folio, None)


def truncate_pass_one(mapping: Mapping, start: Index, end: Index):
    """Remove what can be locked at once; skip locked folios and folios under writeback.

    Source: truncate_inode_pages_range, first loop, mm/truncate.c, 6.12
    Context: invalidate_lock exclusive on file systems that use it; sleeps for i_mmap_rwsem only
    Returns: nothing
    Left out: batches of 31
    """
    index: Index = start
    while True:
        folio = find_lock_entry(mapping, index, end)
        if folio is None:
            return
        index = min(folio_next_index(folio), end)
        truncate_inode_folio(mapping, folio)
        folio_unlock(folio)
        folio_put(folio)


def truncate_partial_folio(mapping: Mapping, index: Index):
    """Zero the part of the edge page that is cut off; the folio stays.

    Source: truncate_inode_partial_folio, mm/truncate.c, 6.12
    Context: waits for the folio lock, uninterruptible
    Returns: nothing
    Left out: splitting large folios (a large folio over the edge stays whole)
    """
    folio = __filemap_get_folio(mapping, index, FGP_LOCK)
    if folio is None:
        return
    wait_on_writeback(folio)
    cpu("zero_page")
    folio_unlock(folio)
    folio_put(folio)


def truncate_pass_two(mapping: Mapping, start: Index, end: Index):
    """Wait for each folio that is left, and remove it; repeat until nothing is left.

    Source: truncate_inode_pages_range, second loop, mm/truncate.c, 6.12
    Context: waits for folio locks (reads in flight) and writeback, uninterruptible
    Returns: nothing
    Left out: batches of 31
    """
    while True:
        folio = find_get_entry(mapping, start, end)
        if folio is None:
            return
        folio_lock(folio)
        wait_on_writeback(folio)
        truncate_inode_folio(mapping, folio)
        folio_unlock(folio)
        folio_put(folio)


def truncate_inode_pages_range(mapping: Mapping, start: Index, end: Index, partial: bool):
    """Empty [start, end) of the page cache; partial: the page before start loses its tail.

    Source: truncate_inode_pages_range, mm/truncate.c, 6.12
    Context: invalidate_lock exclusive on file systems that use it; sleeps, uninterruptible
    Returns: nothing
    Left out: a partial page at the end of the range
    """
    truncate_pass_one(mapping, start, end)  # 8.1.6
    if partial and start > 0:
        truncate_partial_folio(mapping, start - 1)
    truncate_pass_two(mapping, start, end)


def truncate_pagecache(mapping: Mapping, start: Index, partial: bool):
    """Unmap and empty everything from start on.

    Source: truncate_pagecache, mm/truncate.c, 6.12
    Context: as truncate_inode_pages_range
    Returns: nothing
    Left out: nothing
    """
    unmap_mapping_range(mapping, start, N_FILE_PAGES, True)  # 8.1.5
    truncate_inode_pages_range(mapping, start, N_FILE_PAGES, partial)
    unmap_mapping_range(mapping, start, N_FILE_PAGES, True)  # 8.1.7


# ---- the system calls ------------------------------------------------------------------------------------


def inode_dio_wait(mapping: Mapping):
    """Wait until no direct I/O is in flight.

    Source: inode_dio_wait, fs/inode.c, 6.12
    Context: i_rwsem held exclusively, so no new direct I/O starts; uninterruptible
    Returns: nothing
    Left out: nothing
    """
    while dio_wait_begin(mapping):
        wait(current.wait_woken, on=mapping)
        current.wait_woken = False


def ext4_setattr(mapping: Mapping, size: Index, partial: bool):
    """truncate(2) on a file system that uses invalidate_lock.

    Source: ext4_setattr, fs/ext4/inode.c, 6.12
    Context: nothing held before and after
    Returns: nothing
    Left out: journal, orphan list, quota
    """
    inode_lock(mapping)  # 8.1.1
    if size > mapping.i_size:
        mapping.i_size = size
        inode_unlock(mapping)
        return
    inode_dio_wait(mapping)  # 8.1.2
    filemap_invalidate_lock(mapping)  # 8.1.3
    cpu("journal_start")
    mapping.i_size = size  # 8.1.4
    truncate_pagecache(mapping, size, partial)
    cpu("free_blocks")  # 8.1.8
    filemap_invalidate_unlock(mapping)  # 8.1.9
    inode_unlock(mapping)


def truncate_setsize(mapping: Mapping, size: Index, partial: bool):
    """truncate(2) on a simple file system: no invalidate_lock.

    Source: truncate_setsize, mm/truncate.c, 6.12
    Context: nothing held before and after
    Returns: nothing
    Left out: nothing
    """
    inode_lock(mapping)
    with atomic:
        shrinks = size < mapping.i_size
        mapping.i_size = size
    if shrinks:
        truncate_pagecache(mapping, size, partial)
    inode_unlock(mapping)


def truncate_pagecache_range(mapping: Mapping, start: Index, end: Index):
    """Unmap a range once (private copies stay) and empty it.

    Source: truncate_pagecache_range, mm/truncate.c, 6.12
    Context: invalidate_lock exclusive
    Returns: nothing
    Left out: partial pages at both ends
    """
    unmap_mapping_range(mapping, start, end - 1, False)
    truncate_inode_pages_range(mapping, start, end, False)


def ext4_punch_hole(mapping: Mapping, start: Index, end: Index):
    """fallocate(FALLOC_FL_PUNCH_HOLE or FALLOC_FL_ZERO_RANGE): i_size stays.

    Source: ext4_punch_hole, ext4_zero_range, fs/ext4, 6.12
    Context: nothing held before and after
    Returns: nothing
    Left out: journal; zero range converts blocks where this frees them
    """
    inode_lock(mapping)
    inode_dio_wait(mapping)  # 8.2.1
    filemap_invalidate_lock(mapping)  # 8.2.2
    truncate_pagecache_range(mapping, start, end)  # 8.2.4
    cpu("free_blocks")  # 8.2.5
    filemap_invalidate_unlock(mapping)  # 8.2.6
    inode_unlock(mapping)


def ext4_collapse_range(mapping: Mapping, start: Index, end: Index):
    """fallocate(FALLOC_FL_COLLAPSE_RANGE): cut a range out; everything behind moves down.

    Source: ext4_collapse_range, fs/ext4/extents.c, 6.12
    Context: nothing held before and after
    Returns: nothing
    Left out: journal, insert range (the same locks with i_size growing)
    """
    inode_lock(mapping)
    inode_dio_wait(mapping)
    filemap_invalidate_lock(mapping)
    filemap_write_and_wait(mapping, start)  # 8.2.3
    truncate_pagecache(mapping, start, False)
    cpu("free_blocks")
    with atomic:
        mapping.i_size -= min(end, mapping.i_size) - min(start, mapping.i_size)
    filemap_invalidate_unlock(mapping)
    inode_unlock(mapping)
