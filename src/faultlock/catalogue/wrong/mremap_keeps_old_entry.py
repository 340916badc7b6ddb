# SPDX-License-Identifier: GPL-2.0-only
"""mremap-keeps-old-entry: mremap copies entries and does not empty the old ones.

Must be found as: S3 in fault+mremap
"""

base = "drop-retry"


@atomic
def move_ptes(mm: MM, old: Address, new: Address, length: Address) -> int:
    """Move the entries of [old, old + length) to new.

    Source: move_ptes, mm/mremap.c, 6.12
    Context: both PTLs; mmap_lock held for write, both VMAs write-locked, i_mmap_rwsem held for write
    Returns: number of entries moved
    Left out: moving whole page tables
    """
    moved = 0
    for i in range(0, length):
        if pte_present(mm, old + i):
            pte_alloc(mm, new + i)
            mm.pte[new + i] = mm.pte[old + i]
            mm.pte_flags[new + i] = mm.pte_flags[old + i]
            mm.page_table[(new + i) // PTRS_PER_PTE] += 1
            moved += 1
    return moved
