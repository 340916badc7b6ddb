# SPDX-License-Identifier: GPL-2.0-only
"""write-faults-under-folio-lock: write(2) faults its buffer in with the page of the file locked.

Must be found as: L1 in write-own-page+fault
"""

base = "drop-retry"


def generic_perform_write(file: File, index: Index, buffer: int) -> errno_t:
    """write(2) of one page of user memory: the source is faulted in under i_rwsem, without a folio lock.

    Source: generic_perform_write, fault_in_iov_iter_readable, mm/filemap.c, 6.12
    Context: takes i_rwsem; the copy itself runs with page faults disabled under the folio lock
    Returns: 0, -EFAULT or -ENOMEM
    Left out: journal, block allocation, growth of the file; the copy does not fail once more
    """
    mapping = file.f_mapping
    inode_lock(mapping)
    filemap_invalidate_lock_shared(mapping)
    folio = __filemap_get_folio(mapping, index, FGP_LOCK | FGP_CREAT)
    filemap_invalidate_unlock_shared(mapping)
    if folio is None:
        inode_unlock(mapping)
        return -ENOMEM
    touch(buffer, False, False)
    wait_on_writeback(folio)
    cpu("copy_page")
    with atomic:
        folio.uptodate = True
        folio.dirty = True
    folio_unlock(folio)
    folio_put(folio)
    inode_unlock(mapping)
    return 0
