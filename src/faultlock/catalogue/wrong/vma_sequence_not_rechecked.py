# SPDX-License-Identifier: GPL-2.0-only
"""vma-sequence-not-rechecked: the VMA lock is taken without a second look at the sequence number.

Must be found as: S9 in fault+munmap
"""

base = "drop-retry"


def vma_start_read(vma: VMA) -> int:
    """Try to take the VMA lock for read.

    Source: vma_start_read, include/linux/mm.h, 6.12; mm/mmap_lock.c, 7.0
    Context: RCU read lock; never sleeps
    Returns: 1 locked; 0 failed; -1 detached (6.15+)
    Left out: the vm_mm comparison of 6.15+ (a freed VMA is not reused under a reader here)
    """
    if vma.write_locked:
        return 0
    if KERNEL_VERSION < 615:
        if not down_read_trylock(vma.vm_lock):  # 3.1.5
            return 0
        return 1
    counted = vma_refcount_get(vma)  # 3.2.1
    if counted != 1:
        return counted
    return 1
