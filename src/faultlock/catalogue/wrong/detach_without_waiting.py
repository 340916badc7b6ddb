# SPDX-License-Identifier: GPL-2.0-only
"""detach-without-waiting: a VMA is detached without waiting for its readers, and without their exclusion.

Must be found as: S9 in fault+munmap
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
        with atomic:
            vma_set_write_locked(vma)
            up_write(vma.vm_lock)
        return True
    if is_killable and current.fatal_signal_pending:
        return False
    vma_set_write_locked(vma)
    return True
