# SPDX-License-Identifier: GPL-2.0-only
"""read-error-for-ever: a fault reads a page again and again that cannot be read.

Must be found as: L8 in fault+io-error
"""

base = "drop-retry"


def filemap_fault() -> vm_fault_t:
    """Find the page of a file-mapped address, reading it if necessary.

    Source: filemap_fault, mm/filemap.c, 6.12
    Context: fault lock held; RETRY: released; other results: held
    Returns: VM_FAULT_LOCKED with current.vmf_page locked and referenced; SIGBUS, OOM, NOPAGE, RETRY; | MAJOR
    Left out: DAX, swap-backed files, hardware poison, GFS2's cluster lock around the fault
    """
    file = current.vmf_vma.vm_file
    mapping = file.f_mapping
    index = current.vmf_pgoff
    ret = 0
    invalidate_locked = False
    cpu("filemap_fault")
    if filemap_beyond_eof(mapping, index):  # F1
        return VM_FAULT_SIGBUS
    folio = filemap_get_entry(mapping, index)  # F2
    find = folio is None
    if folio is not None:
        if (current.vmf_flags & FAULT_FLAG_TRIED) == 0:  # F3
            do_async_mmap_readahead(file, folio)
        if not folio.uptodate:  # F4
            filemap_invalidate_lock_shared(mapping)
            invalidate_locked = True
    else:
        if not filemap_fault_recheck_pte_none():  # F10
            return VM_FAULT_NOPAGE
        emit("PGMAJFAULT", 1 if (current.vmf_flags & FAULT_FLAG_TRIED) != 0 else 0)  # F11
        ret = VM_FAULT_MAJOR
        do_sync_mmap_readahead(file)  # F12

    while True:
        if find:
            if not invalidate_locked:
                filemap_invalidate_lock_shared(mapping)  # F13
                invalidate_locked = True
            folio = __filemap_get_folio(mapping, index, FGP_CREAT | FGP_FOR_MMAP)  # F14
            if folio is None:
                if current.pinned_file is not None:  # F15
                    return filemap_fault_retry(mapping, None, invalidate_locked, ret)
                filemap_invalidate_unlock_shared(mapping)
                return VM_FAULT_OOM
        find = True
        if not lock_folio_maybe_drop_mmap(folio):  # F5
            return filemap_fault_retry(mapping, folio, invalidate_locked, ret)

        # Truncated or reclaimed while we waited?
        if folio.mapping != mapping:  # F25
            folio_unlock(folio)
            folio_put(folio)
            continue
        if not folio.uptodate:  # F26
            if not invalidate_locked:
                # It was uptodate when we found it, it is not any more: take the lock first.
                folio_unlock(folio)
                folio_put(folio)
                continue
            maybe_unlock_mmap_for_io()  # F30
            error = filemap_read_folio(file, folio)  # F31
            if current.pinned_file is not None:  # F32
                return filemap_fault_retry(mapping, folio, invalidate_locked, ret)
            folio_put(folio)  # F33
            if error == 0 or error == -EIO or error == AOP_TRUNCATED_PAGE:
                continue
            filemap_invalidate_unlock_shared(mapping)
            return VM_FAULT_SIGBUS

        # The lock was released somewhere: the VMA may be another one now.
        if current.pinned_file is not None:  # F27
            return filemap_fault_retry_locked(mapping, folio, invalidate_locked, ret)
        if invalidate_locked:  # F28
            filemap_invalidate_unlock_shared(mapping)
        if filemap_beyond_eof(mapping, index):  # F29
            folio_unlock(folio)
            folio_put(folio)
            return VM_FAULT_SIGBUS
        current.vmf_page = folio
        return ret | VM_FAULT_LOCKED
