# SPDX-License-Identifier: GPL-2.0-only
"""Writing to shared file mappings: page_mkwrite, dirty throttling (mm/memory.c; spec 4.3).
"""


def do_shared_fault() -> vm_fault_t:
    """Write to a shared mapping.

    Source: do_shared_fault, mm/memory.c, 6.12
    Context: fault lock held; RETRY and COMPLETED: released
    Returns: 0, NOPAGE, RETRY, COMPLETED, errors; | MAJOR
    Left out: nothing
    """
    ret = vmf_can_call_fault()  # 4.3s1
    if ret != 0:
        return ret
    ret = __do_fault()  # 4.3s2
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) != 0:
        return ret
    folio = current.vmf_page
    if current.vmf_vma.page_mkwrite:
        folio_unlock(folio)
        tmp = do_page_mkwrite(folio)  # 4.3s3
        if (tmp & VM_FAULT_LOCKED) == 0:
            folio_put(folio)
            return tmp
    ret |= finish_fault_pte(False)  # 4.3s4
    cpu("finish_fault")
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) != 0:
        folio_unlock(folio)
        folio_put(folio)
        return ret
    tmp = fault_dirty_shared_page(folio)  # 4.3s5
    return ret | tmp


def do_page_mkwrite(folio: Folio) -> vm_fault_t:
    """Tell the file system that the page becomes writable.

    Source: do_page_mkwrite, mm/memory.c; filemap_page_mkwrite, mm/filemap.c, 6.12
    Context: folio referenced, not locked; sleeps for the folio lock, uninterruptible
    Returns: LOCKED: folio locked, still in the file; NOPAGE: it was truncated, fault again
    Left out: transactions, waiting for writeback (stable pages)
    """
    mapping = current.vmf_vma.vm_file.f_mapping
    cpu("page_mkwrite")
    folio_lock(folio)
    if folio.mapping != mapping:
        folio_unlock(folio)
        return VM_FAULT_NOPAGE
    # Ghost (S10): i_size is not looked at again.  A truncate that has lowered it waits for the
    # folio lock, and takes the page out of the page tables then.
    current.i_size_seen = current.vmf_pgoff + 1
    return VM_FAULT_LOCKED


def fault_dirty_shared_page(folio: Folio) -> vm_fault_t:
    """Mark the folio dirty, unlock it, and throttle the writer if there is too much dirty memory.

    Source: fault_dirty_shared_page, mm/memory.c, 6.12
    Context: folio locked, unlocked here; COMPLETED: fault lock released
    Returns: 0 or COMPLETED
    Left out: file times; the length of the throttling is the simulator's
    """
    folio.dirty = True
    folio_unlock(folio)
    if DIRTY_EXCEEDED == 1:
        maybe_unlock_mmap_for_io()
        balance_dirty_pages()
        if current.pinned_file is not None:
            fput(current.pinned_file)
            return VM_FAULT_COMPLETED
    return 0


def balance_dirty_pages():
    """Wait until writeback has caught up.

    Source: balance_dirty_pages_ratelimited, mm/page-writeback.c, 6.12
    Context: sleeps, killable inside its loop
    Returns: nothing
    Left out: writeback itself: the pause is a fixed time
    """
    emit("THROTTLE")
    sleep(10000)


def wp_page_shared(folio: Folio) -> vm_fault_t:
    """Write to a shared page that is mapped read-only.

    Source: wp_page_shared, finish_mkwrite_fault, mm/memory.c, 6.12
    Context: fault lock held; folio referenced, put here
    Returns: 0, RETRY, NOPAGE, COMPLETED
    Left out: nothing
    """
    if current.vmf_vma.page_mkwrite:
        ret = vmf_can_call_fault()
        if ret == 0:
            ret = do_page_mkwrite(folio)
        if (ret & VM_FAULT_LOCKED) == 0:
            folio_put(folio)
            return ret
    else:
        folio_lock(folio)
    if not pte_make_writable(folio):
        folio_unlock(folio)
        folio_put(folio)
        return VM_FAULT_NOPAGE
    ret = fault_dirty_shared_page(folio)
    folio_put(folio)
    return ret


@atomic
def pte_make_writable(folio: Folio) -> bool:
    """Allow writing, if the PTE still maps the folio.

    Source: finish_mkwrite_fault, wp_page_reuse, mm/memory.c, 6.12
    Context: PTL; fault lock held
    Returns: False if the PTE changed
    Left out: nothing
    """
    mm = current.vmf_vma.vm_mm
    if mm.pte[current.vmf_address] != folio:
        return False
    mm.pte_flags[current.vmf_address] |= PTE_WRITE | PTE_ACCESSED
    return True


@atomic
def vm_normal_folio() -> Folio:
    """The page cache folio that is mapped at the fault's address, with a reference.

    Source: vm_normal_page, folio_get, mm/memory.c, 6.12
    Context: PTL
    Returns: the folio; None: a private page, or nothing any more
    Left out: nothing
    """
    folio = current.vmf_vma.vm_mm.pte[current.vmf_address]
    if folio is not None:
        folio_get(folio)
    return folio


def do_wp_page() -> vm_fault_t:
    """Write to a page that is mapped read-only.

    Source: do_wp_page, mm/memory.c, 6.12
    Context: fault lock held
    Returns: 0, NOPAGE, RETRY, COMPLETED, OOM
    Left out: userfaultfd, unsharing
    """
    vm_flags = current.vmf_vma.vm_flags
    folio = vm_normal_folio()
    if (vm_flags & VM_SHARED) != 0 and folio is not None:
        return wp_page_shared(folio)
    return wp_page_copy(folio)
