# SPDX-License-Identifier: GPL-2.0-only
"""Buffered read(2) of page cache folios (mm/filemap.c; spec 8.4)."""


@atomic
def filemap_get_read_batch(mapping: Mapping, index: Index, last_index: Index) -> Folio:
    """The last folio of the run of cached, uptodate folios from index on, or the first other one.

    Source: filemap_get_read_batch, mm/filemap.c, 6.12
    Context: RCU
    Returns: the folio, with a reference; None: nothing at index
    Left out: the batch's other folios (their references are dropped with the copy)
    """
    found: Folio = None
    position: int = index
    while position < last_index:
        folio = filemap_peek(mapping, position)
        if folio is None:
            break
        found = folio
        if folio.readahead or not folio.uptodate:
            break
        position = folio_next_index(folio)
    if found is not None:
        folio_get(found)
    return found


def filemap_create_read_folio(file: File, mapping: Mapping, index: Index) -> errno_t:
    """Nothing there even after readahead: make one folio and read it.

    Source: filemap_create_folio, mm/filemap.c, 6.12
    Context: takes invalidate_lock shared; waits for the read, killable
    Returns: 0: current.read_folio is it, uptodate, with a reference; AOP_TRUNCATED_PAGE: start over; -EINTR, -EIO, -ENOMEM
    Left out: nothing
    """
    filemap_invalidate_lock_shared(mapping)
    folio = filemap_create_folio(mapping, index)
    if folio is None:
        is_cached = filemap_is_cached(mapping, index)
        filemap_invalidate_unlock_shared(mapping)
        return AOP_TRUNCATED_PAGE if is_cached else -ENOMEM
    error = filemap_read_folio(file, folio)
    filemap_invalidate_unlock_shared(mapping)
    if error != 0:
        folio_put(folio)
        return error
    current.read_folio = folio
    return 0


def filemap_update_page(file: File, mapping: Mapping, folio: Folio) -> errno_t:
    """The folio is not uptodate: wait for whoever reads it, or read it.

    Source: filemap_update_page, mm/filemap.c, 6.12
    Context: reference held; it is dropped unless 0 is returned; waits killable, invalidate_lock [U]
    Returns: 0: uptodate; AOP_TRUNCATED_PAGE: start over; -EINTR, -EIO
    Left out: IOCB_NOWAIT, IOCB_WAITQ, partially uptodate folios
    """
    filemap_invalidate_lock_shared(mapping)  # 8.4.5
    if not folio_trylock(folio):
        filemap_invalidate_unlock_shared(mapping)
        if not folio_put_wait_locked_killable(folio):
            return -EINTR
        return AOP_TRUNCATED_PAGE
    if folio.mapping is None:
        folio_unlock(folio)
        filemap_invalidate_unlock_shared(mapping)
        folio_put(folio)
        return AOP_TRUNCATED_PAGE
    if folio.uptodate:
        folio_unlock(folio)
        filemap_invalidate_unlock_shared(mapping)
        return 0
    error = filemap_read_folio(file, folio)
    filemap_invalidate_unlock_shared(mapping)
    if error != 0:
        folio_put(folio)
    return error


def filemap_get_pages(file: File, index: Index, last_index: Index) -> errno_t:
    """Find uptodate folios from index on, reading what is absent.

    Source: filemap_get_pages, mm/filemap.c, 6.12
    Context: no fault lock held; sleeps
    Returns: 0: current.read_folio is the last one of the batch, with a reference; -EINTR, -EIO, -ENOMEM
    Left out: nothing
    """
    mapping = file.f_mapping
    while True:
        if current.fatal_signal_pending:  # 8.4.1
            return -EINTR
        folio = filemap_get_read_batch(mapping, index, last_index)  # 8.4.2
        if folio is None:
            page_cache_sync_ra(file, index, last_index - index)  # 8.4.3
            folio = filemap_get_read_batch(mapping, index, last_index)
        if folio is None:
            error = filemap_create_read_folio(file, mapping, index)
            if error == AOP_TRUNCATED_PAGE:
                continue
            return error
        if folio.readahead:
            page_cache_async_ra(file, index, folio, last_index - index)  # 8.4.4
        if not folio.uptodate:
            error = filemap_update_page(file, mapping, folio)
            if error == AOP_TRUNCATED_PAGE:
                continue
            if error != 0:
                return error
        current.read_folio = folio
        return 0


def filemap_read(file: File, index: Index, last_index: Index, buffer: int) -> errno_t:
    """read(2) of the pages [index, last_index) into user memory at buffer (-1: nowhere that can fault).

    Source: filemap_read, mm/filemap.c, 6.12
    Context: nothing held; the copy may fault (mmap_lock mode) with a folio reference, no folio lock
    Returns: 0 or a negative error
    Left out: direct I/O, partial pages
    """
    position: Index = index
    while position < last_index:
        if filemap_beyond_eof(file.f_mapping, position):
            return 0
        error = filemap_get_pages(file, position, last_index)
        if error != 0:
            return error
        folio = current.read_folio
        current.read_folio = None
        if filemap_beyond_eof(file.f_mapping, position):  # 8.4.6
            folio_put(folio)
            return 0
        next_index: Index = min(folio_next_index(folio), last_index)
        cpu("copy_page", next_index - position)
        mark_read(file, folio, next_index - 1)
        fault = Trap.MAPPED
        if buffer >= 0:
            fault = touch(buffer, True, False)
        folio_put(folio)
        if fault != Trap.MAPPED:
            return -EFAULT
        position = next_index
    return 0


@atomic
def mark_read(file: File, folio: Folio, last: Index):
    """Note the use of a folio and where the file was read last.

    Source: folio_mark_accessed, ra->prev_pos in filemap_read, mm/filemap.c, 6.12
    Context: reference held
    Returns: nothing
    Left out: nothing
    """
    current.eof_seen = False
    folio_mark_accessed(folio)
    file.prev_read = last + 1


def ksys_read(file: File, index: Index, last_index: Index, buffer: int) -> errno_t:
    """The system call around filemap_read.

    Source: ksys_read, fs/read_write.c, 6.12
    Context: nothing held before and after
    Returns: 0 or a negative error
    Left out: f_pos
    """
    trap_enter()
    cpu("system_call")
    error = filemap_read(file, index, last_index, buffer)
    trap_exit()
    return error


def generic_perform_write(file: File, index: Index, buffer: int) -> errno_t:
    """write(2) of one page of user memory: the source is faulted in under i_rwsem, without a folio lock.

    Source: generic_perform_write, fault_in_iov_iter_readable, mm/filemap.c, 6.12
    Context: takes i_rwsem; the copy itself runs with page faults disabled under the folio lock
    Returns: 0, -EFAULT or -ENOMEM
    Left out: journal, block allocation, growth of the file; the copy does not fail once more
    """
    mapping = file.f_mapping
    inode_lock(mapping)
    fault = touch(buffer, False, False)
    if fault != Trap.MAPPED:
        inode_unlock(mapping)
        return -EFAULT
    filemap_invalidate_lock_shared(mapping)
    folio = __filemap_get_folio(mapping, index, FGP_LOCK | FGP_CREAT)
    filemap_invalidate_unlock_shared(mapping)
    if folio is None:
        inode_unlock(mapping)
        return -ENOMEM
    wait_on_writeback(folio)
    cpu("copy_page")
    with atomic:
        folio.uptodate = True
        folio.dirty = True
    folio_unlock(folio)
    folio_put(folio)
    inode_unlock(mapping)
    return 0
