# SPDX-License-Identifier: GPL-2.0-only
"""no-i-size-recheck: the end of the file is not looked at again under the folio lock.

Must be found as: S10 in fault+truncate
"""

base = "hold"


def filemap_fault() -> vm_fault_t:
    """Find the page of a file-mapped address, reading it if necessary, under the fault lock.

    Source: filemap_fault, mm/filemap.c, RFC of 22 June 2026
    Context: fault lock held throughout
    Returns: VM_FAULT_LOCKED with current.vmf_page locked and referenced; SIGBUS, OOM, NOPAGE; | MAJOR
    Left out: DAX, swap-backed files, hardware poison
    """
    file = current.vmf_vma.vm_file
    mapping = file.f_mapping
    index = current.vmf_pgoff
    ret = 0
    invalidate_locked = False
    cpu("filemap_fault")
    if filemap_beyond_eof(mapping, index):  # H1
        return VM_FAULT_SIGBUS
    folio = filemap_get_entry(mapping, index)  # H2
    if folio is not None:
        if (current.vmf_flags & FAULT_FLAG_TRIED) == 0:  # H3
            do_async_mmap_readahead(file, folio)
        if not folio.uptodate:  # H4
            filemap_invalidate_lock_shared(mapping)
            invalidate_locked = True
        if not folio_trylock(folio):  # H5
            if (current.vmf_flags & FAULT_FLAG_KILLABLE) != 0:
                if not __folio_lock_killable(folio):
                    return VM_FAULT_SIGBUS
            else:
                __folio_lock(folio)
        if folio.mapping != mapping:  # H6
            folio_unlock(folio)
            folio_put(folio)
            folio = None
    else:
        if not filemap_fault_recheck_pte_none():  # H10
            return VM_FAULT_NOPAGE
        emit("PGMAJFAULT")  # H11
        ret = VM_FAULT_MAJOR
        do_sync_mmap_readahead(file)  # H12

    while True:
        if folio is None:
            if not invalidate_locked:
                filemap_invalidate_lock_shared(mapping)  # H13
                invalidate_locked = True
            folio = __filemap_get_folio(mapping, index, FGP_CREAT | FGP_LOCK)  # H14
            if folio is None:
                filemap_invalidate_unlock_shared(mapping)  # H15
                return VM_FAULT_OOM
        if folio.uptodate:  # H20
            break
        if not invalidate_locked:
            folio_unlock(folio)
            folio_put(folio)
            folio = None
            continue
        error = filemap_read_folio(file, folio)  # H30
        folio_put(folio)  # H31
        folio = None
        if error != 0 and error != AOP_TRUNCATED_PAGE:
            filemap_invalidate_unlock_shared(mapping)
            return VM_FAULT_SIGBUS

    if invalidate_locked:  # H21
        filemap_invalidate_unlock_shared(mapping)
    current.vmf_page = folio
    return ret | VM_FAULT_LOCKED
