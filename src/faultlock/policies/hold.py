# SPDX-License-Identifier: GPL-2.0-only
"""hold: the RFC "filemap: Remove file pinning during fault handling", exactly as posted.

Matthew Wilcox, linux-mm, 22 June 2026.  The fault keeps its lock (VMA lock or mmap_lock) while
it submits and waits for I/O, maps the page and returns: no file pin, no RETRY.  Its defects are
kept, they are what the checker must find: H5 leaks the folio reference and invalidate_lock when
it is killed; RETRY_NOWAIT is not looked at; the ordinary wait (H14) is not killable.

The RFC also removes FGP_FOR_MMAP; here the flag stays, and nobody passes it.
"""


def do_sync_mmap_readahead(file: File):
    """A fault found nothing: read a window, or not; the fault lock is kept.

    Source: do_sync_mmap_readahead, mm/filemap.c, RFC applied to 6.12 and 7.0
    Context: fault lock held throughout; sleeps
    Returns: nothing
    Left out: nothing
    """
    index = current.vmf_pgoff
    vm_flags = current.vmf_vma.vm_flags
    huge = (vm_flags & VM_HUGEPAGE) != 0
    if not huge:
        random = (vm_flags & VM_RAND_READ) != 0
        if KERNEL_VERSION >= 617:
            random = random and (vm_flags & VM_EXEC) == 0
        if random:
            return
        if file.ra_pages == 0:
            return
        if (vm_flags & VM_SEQ_READ) != 0:
            ra_pages = file.ra_pages
            page_cache_sync_ra(file, index, ra_pages)
            return
    counted = not huge
    if KERNEL_VERSION >= 700:
        counted = (vm_flags & VM_SEQ_READ) == 0
    if counted:
        mmap_miss = mmap_miss_increase(file)
        if mmap_miss > MMAP_LOTSAMISS:
            return
    if huge:
        ra_huge_window(file, vm_flags)
        page_cache_ra_order(file, index - index % HPAGE_PMD_NR, HPAGE_PMD_ORDER)
        return
    if KERNEL_VERSION >= 617 and (vm_flags & VM_EXEC) != 0:
        ra_exec_window(file, current.vmf_vma, index)
    else:
        ra_read_around_window(file, index)
    with atomic:
        start = file.ra_start
        order = file.ra_order
    page_cache_ra_order(file, start, order)


def do_async_mmap_readahead(file: File, folio: Folio):
    """A fault found a folio: count the hit; on the marked folio start the next window.

    Source: do_async_mmap_readahead, mm/filemap.c, RFC applied to 6.12 and 7.0
    Context: fault lock held throughout; sleeps
    Returns: nothing
    Left out: nothing
    """
    index = current.vmf_pgoff
    vm_flags = current.vmf_vma.vm_flags
    ra_pages = file.ra_pages
    if (vm_flags & VM_RAND_READ) != 0 or ra_pages == 0:
        return
    locked = False
    if KERNEL_VERSION >= 617:
        locked = folio.locked
    if not locked:
        mmap_miss_decrease(file, 1)
    if folio.readahead:
        page_cache_async_ra(file, index, folio, ra_pages)


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
    if filemap_beyond_eof(mapping, index):  # H22
        folio_unlock(folio)
        folio_put(folio)
        return VM_FAULT_SIGBUS
    current.vmf_page = folio
    return ret | VM_FAULT_LOCKED
