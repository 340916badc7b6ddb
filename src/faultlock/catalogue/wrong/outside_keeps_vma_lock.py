# SPDX-License-Identifier: GPL-2.0-only
"""outside-keeps-vma-lock: a VMA that no longer contains the address stays locked.

Must be found as: S4 in fault+mprotect-part
"""

base = "drop-retry"


def lock_vma_under_rcu(mm: MM, address: Address) -> VMA:
    """Find and read-lock the VMA at address without touching mmap_lock.

    Source: lock_vma_under_rcu, mm/memory.c, 6.12; mm/mmap_lock.c, 7.0
    Context: no lock held; never sleeps; returns with the VMA lock held
    Returns: the VMA, or None: take mmap_lock instead
    Left out: nothing
    """
    while True:
        vma = vma_lookup_rcu(mm, address)
        cpu("vma_lookup")
        if vma is None:
            break
        locked = vma_start_read(vma)
        gone = locked == -1
        if KERNEL_VERSION < 615:
            if locked == 1:
                gone = vma.detached
                if gone:
                    vma_drop_read(vma)
        if gone:
            rcu_read_unlock_vma(vma)
            emit("VMA_LOCK_MISS")  # 3.1.8
            continue
        if locked == 0:
            rcu_read_unlock_vma(vma)
            break
        if not vma_contains(vma, address):
            rcu_read_unlock_vma(vma)
            break
        with atomic:
            rcu_read_unlock_vma(vma)
            vma_acquired(vma)
        return vma
    emit("VMA_LOCK_ABORT")
    return None
