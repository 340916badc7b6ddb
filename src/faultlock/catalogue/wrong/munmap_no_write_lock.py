# SPDX-License-Identifier: GPL-2.0-only
"""munmap-no-write-lock: munmap detaches a VMA that it has not write-locked.

Must be found as: S8 in fault+munmap-612
"""

base = "drop-retry"


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
