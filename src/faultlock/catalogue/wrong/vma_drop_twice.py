# SPDX-License-Identifier: GPL-2.0-only
"""vma-drop-twice: a VMA's reader count is lowered twice.

Must be found as: L1 in fault+fork
"""

base = "drop-retry"


@atomic
def vma_end_read(vma: VMA):
    """Release the VMA lock of a fault.

    Source: vma_end_read, include/linux/mm.h, 6.12; include/linux/mmap_lock.h, 7.0
    Context: vma lock held for read by current; released
    Returns: nothing
    Left out: nothing
    """
    assert current.holds_vma_lock == vma, "S4 lock balance: VMA read lock released by a thread that does not hold it"
    current.holds_vma_lock = None
    emit("LOCK_RELEASED", LOCK_VMA, vma, LockMode.READ)
    vma_drop_read(vma)
    vma_drop_read(vma)
