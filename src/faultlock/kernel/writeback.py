# SPDX-License-Identifier: GPL-2.0-only
"""Writeback and direct I/O, only as far as truncation and reclaim meet them (spec 8.13, 8.1).

Writeback locks folios briefly and waits for none of mmap_lock and the VMA locks.
"""


@atomic
def writeback_wait_begin(folio: Folio) -> bool:
    """Queue for the end of writeback if there is any.

    Source: folio_wait_writeback, mm/page-writeback.c, 6.12
    Context: folio referenced
    Returns: True: queued, wait for wait_woken; False: nothing to wait for
    Left out: several waiters (the folio lock is held, so there is one; others poll again)
    """
    if not folio.writeback:
        return False
    current.wait_woken = False
    folio.writeback_waiter = current
    return True


def wait_on_writeback(folio: Folio):
    """Wait until the folio is not under writeback.

    Source: folio_wait_writeback, mm/page-writeback.c, 6.12
    Context: folio locked and referenced; sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    while writeback_wait_begin(folio):
        wait(current.wait_woken, on=folio)
        current.wait_woken = False


@atomic
def folio_start_writeback(folio: Folio):
    """The folio's contents go to the device.

    Source: folio_clear_dirty_for_io, folio_start_writeback, mm/page-writeback.c, 6.12
    Context: folio locked by current
    Returns: nothing
    Left out: write-protecting shared mappings (page_mkclean)
    """
    folio.dirty = False
    folio.writeback = True
    folio.refcount += 1
    folio.extra_refs += 1


@atomic
def folio_end_writeback(folio: Folio):
    """The device has the contents.

    Source: folio_end_writeback, mm/filemap.c, 6.12
    Context: interrupt
    Returns: nothing
    Left out: errors
    """
    folio.writeback = False
    if folio.writeback_waiter is not None:
        folio.writeback_waiter.wait_woken = True
        folio.writeback_waiter = None
    folio.extra_refs -= 1
    folio_ref_sub(folio, 1)


def write_folio(folio: Folio):
    """Write one dirty folio and wait for the device.

    Source: write_cache_pages, folio_wait_writeback, mm/page-writeback.c, 6.12
    Context: folio referenced; sleeps for the folio lock, uninterruptible
    Returns: nothing
    Left out: queueing of many folios; the device time is the simulator's
    """
    folio_lock(folio)
    if not folio.dirty:
        folio_unlock(folio)
        return
    folio_start_writeback(folio)
    folio_unlock(folio)
    cpu("submit_bio")
    emit("IO_WRITE", folio.index)
    sleep(1000)
    folio_end_writeback(folio)


@atomic
def next_dirty_folio(mapping: Mapping, index: Index) -> Folio:
    """The next dirty folio from index on.

    Source: filemap_get_folios_tag(PAGECACHE_TAG_DIRTY), mm/filemap.c, 6.12
    Context: RCU
    Returns: the folio, referenced; None: all clean
    Left out: nothing
    """
    position: int = index
    while position < N_FILE_PAGES:
        folio = mapping.pages[position]
        if folio is not None and folio != page_cache.resident and filemap_is_cached(mapping, position):
            if folio.dirty:
                folio_get(folio)
                return folio
        position += 1
    return None


def filemap_write_and_wait(mapping: Mapping, index: Index):
    """Write everything that is dirty from index on.

    Source: filemap_write_and_wait_range, mm/filemap.c, 6.12
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: what becomes dirty behind the walk
    """
    position: Index = index
    while True:
        folio = next_dirty_folio(mapping, position)
        if folio is None:
            return
        position = min(folio_next_index(folio), N_FILE_PAGES)
        write_folio(folio)
        folio_put(folio)


# ---- direct I/O ------------------------------------------------------------------------------------------


@atomic
def dio_wait_begin(mapping: Mapping) -> bool:
    """Queue for the end of direct I/O if there is any.

    Source: inode_dio_wait, fs/inode.c, 6.12
    Context: i_rwsem held exclusively
    Returns: True: queued; False: nothing to wait for
    Left out: nothing
    """
    if mapping.i_dio_count == 0:
        return False
    current.wait_woken = False
    mapping.i_dio_waiter = current
    return True


@atomic
def inode_dio_end(mapping: Mapping):
    """One direct I/O is done; the last one wakes the truncater.

    Source: inode_dio_end, include/linux/fs.h, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    mapping.i_dio_count -= 1
    if mapping.i_dio_count == 0 and mapping.i_dio_waiter is not None:
        mapping.i_dio_waiter.wait_woken = True
        mapping.i_dio_waiter = None


def direct_read(mapping: Mapping):
    """An O_DIRECT read: it does not touch the page cache, but truncation waits for it.

    Source: ext4_dio_read_iter, iomap_dio_rw, fs/ext4/file.c, 6.12
    Context: takes i_rwsem shared to start; nothing held during the I/O
    Returns: nothing
    Left out: writing back cached pages of the range first; the device time is the simulator's
    """
    down_read(mapping.i_rwsem)
    mapping.i_dio_count += 1
    up_read(mapping.i_rwsem)
    cpu("submit_bio")
    sleep(1000)
    inode_dio_end(mapping)
