# SPDX-License-Identifier: GPL-2.0-only
"""hold-fix: hold with its defects of code repaired: leaks when killed, NOWAIT that sleeps, unkillable waits.

- Killed while waiting for the folio: the reference and invalidate_lock are given back.
- RETRY_NOWAIT: the folio lock is only tried; RETRY with the fault lock still held.
- The ordinary wait for a page that is being read is killable: find or create without
  FGP_LOCK, then lock with the same killable routine.

What follows from holding the lock over I/O (who waits for it, and in which cycles) is untouched.
"""

base = "hold"


def lock_folio_holding(folio: Folio) -> int:
    """Take the folio lock with the fault lock held; do not sleep for it with RETRY_NOWAIT.

    Source: proposed repair of the RFC's filemap_fault
    Context: folio referenced; sleeps: killable with FAULT_FLAG_KILLABLE, else uninterruptible
    Returns: 1 locked; 0 not locked (RETRY_NOWAIT); -1 killed
    Left out: nothing
    """
    if folio_trylock(folio):
        return 1
    if (current.vmf_flags & FAULT_FLAG_RETRY_NOWAIT) != 0:
        return 0
    if (current.vmf_flags & FAULT_FLAG_KILLABLE) == 0:
        __folio_lock(folio)
        return 1
    if __folio_lock_killable(folio):
        return 1
    return -1


def filemap_fault_give_up(mapping: Mapping, folio: Folio, invalidate_locked: bool, ret: vm_fault_t) -> vm_fault_t:
    """Leave without the page: give back what was taken.

    Source: proposed repair of the RFC's filemap_fault
    Context: fault lock held, and stays so
    Returns: ret
    Left out: nothing
    """
    folio_put(folio)
    if invalidate_locked:
        filemap_invalidate_unlock_shared(mapping)
    return ret


def filemap_fault() -> vm_fault_t:
    """Find the page of a file-mapped address, reading it if necessary, under the fault lock.

    Source: filemap_fault, mm/filemap.c, RFC of 22 June 2026 with the repairs named above
    Context: fault lock held throughout
    Returns: VM_FAULT_LOCKED with current.vmf_page locked and referenced; SIGBUS, OOM, NOPAGE; RETRY (RETRY_NOWAIT only, fault lock held); | MAJOR
    Left out: DAX, swap-backed files, hardware poison
    """
    file = current.vmf_vma.vm_file
    mapping = file.f_mapping
    index = current.vmf_pgoff
    ret = 0
    invalidate_locked = False
    cpu("filemap_fault")
    if filemap_beyond_eof(mapping, index):
        return VM_FAULT_SIGBUS
    folio = filemap_get_entry(mapping, index)
    if folio is not None:
        if (current.vmf_flags & FAULT_FLAG_TRIED) == 0:
            do_async_mmap_readahead(file, folio)
        if not folio.uptodate:
            filemap_invalidate_lock_shared(mapping)
            invalidate_locked = True
    else:
        if not filemap_fault_recheck_pte_none():
            return VM_FAULT_NOPAGE
        emit("PGMAJFAULT")
        ret = VM_FAULT_MAJOR
        do_sync_mmap_readahead(file)

    while True:
        if folio is None:
            if not invalidate_locked:
                filemap_invalidate_lock_shared(mapping)
                invalidate_locked = True
            folio = __filemap_get_folio(mapping, index, FGP_CREAT | FGP_FOR_MMAP)
            if folio is None:
                filemap_invalidate_unlock_shared(mapping)
                return VM_FAULT_OOM
        locked = lock_folio_holding(folio)
        if locked == 0:
            return filemap_fault_give_up(mapping, folio, invalidate_locked, ret | VM_FAULT_RETRY)
        if locked == -1:
            return filemap_fault_give_up(mapping, folio, invalidate_locked, VM_FAULT_SIGBUS)
        still_cached = folio.mapping == mapping
        if still_cached:
            if folio.uptodate:
                break
        if not still_cached or not invalidate_locked:
            folio_unlock(folio)
            folio_put(folio)
            folio = None
            continue
        error = filemap_read_folio(file, folio)
        folio_put(folio)
        folio = None
        if error != 0 and error != AOP_TRUNCATED_PAGE:
            filemap_invalidate_unlock_shared(mapping)
            return VM_FAULT_SIGBUS

    if invalidate_locked:
        filemap_invalidate_unlock_shared(mapping)
    if filemap_beyond_eof(mapping, index):
        folio_unlock(folio)
        folio_put(folio)
        return VM_FAULT_SIGBUS
    current.vmf_page = folio
    return ret | VM_FAULT_LOCKED
