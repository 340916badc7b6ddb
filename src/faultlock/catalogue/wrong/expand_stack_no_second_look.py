# SPDX-License-Identifier: GPL-2.0-only
"""expand-stack-no-second-look: a stack that another thread has grown further is cut back.

Must be found as: S8 in stack-fault+stack-fault+munmap
"""

base = "drop-retry"


def expand_stack(mm: MM, address: Address) -> VMA:
    """Grow the stack down to address, with mmap_lock for write, then hold it for read.

    Source: expand_stack, upgrade_mmap_lock_carefully, mm/mmap.c, mm/memory.c, 6.12
    Context: mmap_lock not held; sleeps, killable; returns with it held for read unless None
    Returns: the VMA, or None (nothing held)
    Left out: accounting of stack pages
    """
    if not mmap_write_lock_killable(mm):
        return None
    vma = stack_vma_above(mm, address)
    if vma is None:
        mmap_write_unlock(mm)
        return None
    vma_start_write(vma)
    vma.vm_start = address
    mmap_write_downgrade(mm)
    return vma
