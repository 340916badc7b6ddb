# SPDX-License-Identifier: GPL-2.0-only
"""one-reader-too-many: a VMA's writer goes ahead with one reader left.

Must be found as: S9 in fault+mprotect
"""

base = "drop-retry"


@atomic
def vma_readers_left(vma: VMA, base: int) -> bool:
    """6.15+: have all readers left?  Called again after each wake-up.

    Source: rcuwait_wait_event in __vma_start_exclude_readers, mm/mmap_lock.c, 7.0
    Context: readers are excluded
    Returns: True if only `base` references are left
    Left out: nothing
    """
    current.wait_woken = False
    return vma.vm_refcnt <= base + 1
