# SPDX-License-Identifier: GPL-2.0-only
"""madvise: locking and the walk over the VMAs (mm/madvise.c; spec 8.6)."""


def madvise_vma_behavior(mm: MM, vma: VMA, start: Address, end: Address, advice: int) -> errno_t:
    """Apply the advice to a part of one VMA.

    Source: madvise_vma_behavior, mm/madvise.c, 6.12
    Context: the lock of madvise_lock_mode; WILLNEED and REMOVE release and re-take it
    Returns: 0, -EINVAL, -ENOMEM
    Left out: sealed mappings
    """
    cpu("madvise_vma")
    if advice == MADV_DONTNEED:
        zap_page_range_single(vma, start, end, True)
        return 0
    if advice == MADV_FREE:
        if vma.vm_file is not None:
            return -EINVAL
        # Model: pages go at once; the kernel waits for memory pressure.
        zap_page_range_single(vma, start, end, True)
        return 0
    if advice == MADV_WILLNEED:
        madvise_willneed(mm, vma, start, end)
        return 0
    if advice == MADV_REMOVE:
        return madvise_remove(mm, vma, start, end)
    if advice == MADV_COLD or advice == MADV_PAGEOUT:
        madvise_cold_or_pageout(vma, start, end, advice == MADV_PAGEOUT)
        return 0
    old_flags = vma.vm_flags
    new_flags = advised_flags(old_flags, advice)
    return madvise_update_vma(vma, start, end, new_flags)


def madvise_walk_vmas(mm: MM, start: Address, end: Address, advice: int) -> errno_t:
    """Apply the advice to every VMA of a range.

    Source: madvise_walk_vmas, mm/madvise.c, 6.12
    Context: mmap_lock held; looks VMAs up again by address after each, as WILLNEED may have released it
    Returns: 0, -ENOMEM (a hole in the range), or what the advice returned
    Left out: nothing
    """
    address: Address = start
    unmapped_error: errno_t = 0
    while address < end:
        vma = find_vma_intersection(mm, address, end)
        if vma is None:
            return -ENOMEM
        vm_start = vma.vm_start
        if address < vm_start:
            unmapped_error = -ENOMEM
            address = vm_start
        part_end = populate_end(vma, end)
        error = madvise_vma_behavior(mm, vma, address, part_end, advice)
        if error != 0:
            return error
        address = part_end
    return unmapped_error


def madvise_populate(mm: MM, start: Address, end: Address, write: bool) -> errno_t:
    """MADV_POPULATE_READ and _WRITE.

    Source: madvise_populate, mm/madvise.c, 6.12
    Context: mmap_lock held for read before and after; lost and re-taken (uninterruptible) by faults
    Returns: 0, -EINTR, -EFAULT, -ENOMEM
    Left out: hardware poison
    """
    address: Address = start
    while address < end:
        pages = faultin_page_range(address, end, write)
        if not current.gup_locked:
            mmap_read_lock(mm)
        if pages < 0:
            return pages
        address += pages
    return 0


def madvise_under_vma_lock(start: Address, end: Address, advice: int) -> bool:
    """6.17+: DONTNEED and FREE inside one VMA need only its lock.

    Source: try_vma_read_lock, madvise_lock, mm/madvise.c, 7.0
    Context: nothing held before and after
    Returns: True if done; False: take mmap_lock instead
    Left out: userfaultfd
    """
    vma = lock_vma_under_rcu(current.mm, start)
    if vma is None:
        return False
    if end > vma.vm_end:
        vma_end_read(vma)
        return False
    madvise_vma_behavior(current.mm, vma, start, end, advice)
    vma_end_read(vma)
    return True


def do_madvise(start: Address, end: Address, advice: int) -> errno_t:
    """madvise(2) on the own mm.

    Source: do_madvise, mm/madvise.c, 6.12, 7.0
    Context: see madvise_lock_mode; write mode killable, read mode uninterruptible
    Returns: 0 or a negative error
    Left out: address checks
    """
    mm = current.mm
    mode = madvise_lock_mode(advice)
    if mode == MadviseLock.VMA_READ:
        if madvise_under_vma_lock(start, end, advice):
            return 0
    if mode == MadviseLock.MMAP_WRITE:
        if not mmap_write_lock_killable(mm):
            return -EINTR
    else:
        mmap_read_lock(mm)
    error: errno_t = 0
    if advice == MADV_POPULATE_READ or advice == MADV_POPULATE_WRITE:
        error = madvise_populate(mm, start, end, advice == MADV_POPULATE_WRITE)
    else:
        error = madvise_walk_vmas(mm, start, end, advice)
    if mode == MadviseLock.MMAP_WRITE:
        mmap_write_unlock(mm)
    else:
        mmap_read_unlock(mm)
    return error


def process_madvise(mm: MM, start: Address, end: Address, advice: int) -> errno_t:
    """process_madvise(2): COLD, PAGEOUT or WILLNEED on another process.

    Source: process_madvise, mm/madvise.c, 6.12
    Context: takes mmap_lock of the target for read, uninterruptible
    Returns: 0 or a negative error
    Left out: MADV_COLLAPSE
    """
    if advice != MADV_COLD and advice != MADV_PAGEOUT and advice != MADV_WILLNEED:
        return -EINVAL
    mmap_read_lock(mm)
    error = madvise_walk_vmas(mm, start, end, advice)
    mmap_read_unlock(mm)
    return error
