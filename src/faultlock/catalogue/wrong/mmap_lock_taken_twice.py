# SPDX-License-Identifier: GPL-2.0-only
"""mmap-lock-taken-twice: a fault keeps mmap_lock for reading where it finds no VMA.

Must be found as: S4 in fault+munmap
"""

base = "drop-retry"


def lock_mm_and_find_vma(mm: MM, address: Address) -> VMA:
    """Take mmap_lock for read and find the VMA, growing a stack if needed.

    Source: lock_mm_and_find_vma, mm/memory.c, 6.12
    Context: nothing held; sleeps, killable; returns with mmap_lock held for read unless None
    Returns: the VMA, or None (nothing held): no mapping, or killed
    Left out: kernel-mode traps without an exception-table entry, which do not wait
    """
    if not mmap_read_trylock(mm):
        if not mmap_read_lock_killable(mm):
            return None
    vma = vma_lookup(mm, address)
    cpu("vma_lookup")
    if vma is not None:
        return vma
    vma = stack_vma_above(mm, address)
    if vma is None:
        return None
    return expand_stack(mm, address)
