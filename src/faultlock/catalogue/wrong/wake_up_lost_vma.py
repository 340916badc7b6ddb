# SPDX-License-Identifier: GPL-2.0-only
"""wake-up-lost-vma: the last reader of a VMA does not wake the writer that waits.

Must be found as: L1 in fault+mprotect
"""

base = "drop-retry"


@atomic
def vma_refcount_put(vma: VMA):
    """6.15+: count a reader out; the last one wakes the writer that waits.

    Source: vma_refcount_put, include/linux/mmap_lock.h, 7.0
    Context: counted in
    Returns: nothing
    Left out: nothing
    """
    assert vma.vm_refcnt > 0, "S4 lock balance: VMA read lock released that is not held"
    vma.vm_refcnt -= 1  # 3.2.2
