# SPDX-License-Identifier: GPL-2.0-only
"""write-lock-gap: a VMA is marked write-locked after its semaphore was released.

Must be found as: S9 in fault+fork-612
"""

base = "drop-retry"


def __vma_start_write(vma: VMA, is_killable: bool) -> bool:
    """Wait for the readers of one VMA, then mark it write-locked.

    Source: __vma_start_write, include/linux/mm.h, 6.12; mm/mmap_lock.c, 7.0
    Context: mmap_lock held for write; sleeps
    Returns: True: write-locked; False: killed (only when is_killable, 7.0)
    Left out: nothing
    """
    if vma.write_locked:
        return True
    cpu("vma_start_write")
    if KERNEL_VERSION < 615:
        down_write(vma.vm_lock)  # 3.1.4
        up_write(vma.vm_lock)
        vma_set_write_locked(vma)
        return True
    vma_exclude_readers(vma)  # 3.2.3
    if not vma_wait_for_readers(vma, 1, is_killable):
        vma_admit_readers(vma)
        return False
    with atomic:
        vma_set_write_locked(vma)
        vma_admit_readers(vma)
    return True
