# SPDX-License-Identifier: GPL-2.0-only
"""zap-keeps-reference: an entry is emptied and its folio reference is kept.

Must be found as: S3 in fault+munmap
"""

base = "drop-retry"


@atomic
def zap_pte_range(vma: VMA, start: Address, end: Address, even_cows: bool) -> int:
    """Empty the entries of [start, end), which lies in one page table.

    Source: zap_pte_range, mm/memory.c, 6.12
    Context: PTL; mmap_lock, or i_mmap_rwsem read
    Returns: number of entries that were emptied
    Left out: batching, dirty bits (a write fault marks the folio dirty already)
    """
    mm = vma.vm_mm
    zapped = 0
    has_recency = vma_has_recency(vma)
    for address in range(start, end):
        if not pte_present(mm, address):
            continue
        if not even_cows and mm.pte_flags[address] & PTE_PRIVATE:
            continue
        young = mm.pte_flags[address] & PTE_ACCESSED != 0
        folio = pte_clear(mm, address)
        zapped += 1
        if folio is not None:
            if young and has_recency:
                folio_mark_accessed(folio)
    return zapped
