# SPDX-License-Identifier: GPL-2.0-only
"""read-gone-keeps-invalidate: read(2) keeps invalidate_lock when the page has left the file.

Must be found as: S4 in read+truncate
"""

base = "drop-retry"


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
