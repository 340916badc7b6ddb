# SPDX-License-Identifier: GPL-2.0-only
"""munmap: detach under the write lock, zap under the read lock (mm/vma.c; spec 8.6).

The downgrade between the two ends all VMA write locks at once.  What keeps faults out of the
detached VMAs after that is the detached flag (6.12) or the reference count of 0 (6.15+).

# Model: detached VMAs wait in a list by next_detached until they are freed (kernel: a maple
tree on the stack of the caller).
"""


def vms_gather_munmap_vmas(mm: MM, start: Address, end: Address) -> VMA:
    """Split at the ends, then write-lock and detach every VMA of the range.

    Source: vms_gather_munmap_vmas, mm/vma.c, 6.12
    Context: mmap_lock held for write; waits for the readers of each VMA, uninterruptible
    Returns: first of the list of detached VMAs, None if there was nothing (or no VMA for a split)
    Left out: sealed mappings, userfaultfd, undoing after a failure
    """
    first: VMA = None
    last: VMA = None
    vma = find_vma_intersection(mm, start, end)
    if vma is None:
        return None
    if vma.vm_start < start:
        if not __split_vma(vma, start, True):
            return None
    while vma is not None:
        if vma.vm_end > end:
            if not __split_vma(vma, end, False):
                return first
        vma_start_write(vma)
        cpu("munmap_vma")
        following = next_vma_in_range(mm, vma, end)
        vma_mark_detached(vma)
        vma_erase(mm, vma)
        if first is None:
            first = vma
        else:
            last.next_detached = vma
        last = vma
        vma = following
    return first


@atomic
def next_vma_in_range(mm: MM, vma: VMA, end: Address) -> VMA:
    """The VMA after vma if it starts below end.

    Source: for_each_vma_range, include/linux/mm.h, 6.12
    Context: mmap_lock held
    Returns: the VMA, or None
    Left out: nothing
    """
    following = vma_next(mm, vma)
    if following is None or following.vm_start >= end:
        return None
    return following


def vms_clear_ptes(mm: MM, first: VMA):
    """Empty the page tables of detached VMAs and free the tables.

    Source: vms_clear_ptes, unmap_region, mm/vma.c, 6.12
    Context: mmap_lock held for read (munmap) or write (MAP_FIXED); VMAs are out of the tree
    Returns: nothing
    Left out: nothing
    """
    vma = first
    while vma is not None:
        start = vma_start(vma)
        end = vma_end(vma)
        zap_page_range_single(vma, start, end, True)
        unlink_file_vma(vma)
        freed = free_vma_pgtables(mm, vma)
        cpu("free_page_table", freed)
        vma = vma.next_detached


@atomic
def vma_end(vma: VMA) -> Address:
    """End of a VMA.

    Source: vma->vm_end, 6.12
    Context: vma stable
    Returns: the address
    Left out: nothing
    """
    return vma.vm_end


@atomic
def free_vma_pgtables(mm: MM, vma: VMA) -> int:
    """Free the page tables that only this VMA used.

    Source: free_pgtables, mm/memory.c, 6.12
    Context: mmap_lock; vma is out of the tree, its entries are empty
    Returns: number of tables freed
    Left out: nothing
    """
    return free_pgtables(mm, vma.vm_start, vma.vm_end)


def remove_detached_vmas(first: VMA):
    """Free a list of detached VMAs.

    Source: vms_complete_munmap_vmas, mm/vma.c, 6.12
    Context: mmap_lock held; page tables empty
    Returns: nothing
    Left out: accounting
    """
    vma = first
    while vma is not None:
        following = vma.next_detached
        cpu("vma_free")
        emit("CALL_RCU")
        with atomic:
            vma.next_detached = None
            remove_vma(vma)
        vma = following


def do_vmi_munmap(mm: MM, start: Address, end: Address, unlock: bool):
    """Unmap a range.

    Source: do_vmi_munmap, do_vmi_align_munmap, vms_complete_munmap_vmas, mm/vma.c, 6.12
    Context: mmap_lock held for write; with unlock it is downgraded and released, else kept
    Returns: nothing
    Left out: errors (-ENOMEM of a split leaves the range partly mapped)
    """
    first = vms_gather_munmap_vmas(mm, start, end)
    if unlock:
        mmap_write_downgrade(mm)
    if first is not None:
        vms_clear_ptes(mm, first)
        remove_detached_vmas(first)
    if unlock:
        mmap_read_unlock(mm)


def __vm_munmap(start: Address, end: Address) -> errno_t:
    """munmap(2).

    Source: __vm_munmap, mm/mmap.c, 6.12
    Context: takes mmap_lock for write, killable; downgraded while page tables are emptied
    Returns: 0 or -EINTR
    Left out: nothing
    """
    mm = current.mm
    if not mmap_write_lock_killable(mm):
        return -EINTR
    do_vmi_munmap(mm, start, end, True)
    return 0
