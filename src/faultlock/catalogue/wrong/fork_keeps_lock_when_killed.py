# SPDX-License-Identifier: GPL-2.0-only
"""fork-keeps-lock-when-killed: a fork that is killed keeps mmap_lock.

Must be found as: S4 in fault+fork+kill
"""

base = "drop-retry"


def dup_mmap(child: MM) -> bool:
    """Copy the address space of the current thread into child.

    Source: dup_mmap, kernel/fork.c, 6.12; mm/mmap.c, 7.0
    Context: takes the parent's mmap_lock for write, killable; none held afterwards
    Returns: True; False: killed or out of memory (the child is then incomplete and must exit)
    Left out: uprobes, ksm, khugepaged registration
    """
    mm = current.mm
    if not mmap_write_lock_killable(mm):  # 8.5.1
        return False
    if child is not None:
        mmap_write_lock_nested(child)  # 8.5.2
    cpu("fork_dup_tree", mm.map_count)  # 8.5.3
    complete = True
    vma = find_vma(mm, 0)
    while vma is not None and complete:  # 8.5.4
        complete = dup_mmap_vma(vma, child)
        vma = vma_next(mm, vma)
    if child is not None:
        if not complete:
            child.unstable = True
        mmap_write_unlock_nested(child)
    cpu("tlb_flush")
    if TLB:
        flush_tlb()
    if complete:
        mmap_write_unlock(mm)
    return complete
