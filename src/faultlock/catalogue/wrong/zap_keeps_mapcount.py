# SPDX-License-Identifier: GPL-2.0-only
"""zap-keeps-mapcount: an entry is emptied and the folio's mapcount is not lowered.

Must be found as: S3 in fault+munmap
"""

base = "drop-retry"


@atomic
def pte_clear(mm: MM, address: Address) -> Folio:
    """Empty one page-table entry.

    Source: ptep_get_and_clear, zap_present_folio_ptes, mm/memory.c, 6.12
    Context: PTL; the entry is present
    Returns: the page cache folio that was mapped (its PTE reference is the caller's), or None
    Left out: TLB flush (its cost is in the callers)
    """
    folio = mm.pte[address]
    if mm.pte_flags[address] & PTE_PRIVATE:
        memory_uncharge(1)
    mm.pte[address] = None
    mm.pte_flags[address] = 0
    mm.page_table[address // PTRS_PER_PTE] -= 1
    if folio is not None:
        pass
    return folio
