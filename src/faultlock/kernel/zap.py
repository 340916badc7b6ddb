# SPDX-License-Identifier: GPL-2.0-only
"""Taking pages out of page tables (mm/memory.c): unmap, DONTNEED, truncation, reclaim.

# Model: what the kernel does under one page-table lock (one table of 512 entries) is one step.
mm.page_table[t] is 0 for no table, else 1 + the number of entries in use, so that empty parts
of a large address space cost nothing.
"""


@atomic
def pte_present(mm: MM, address: Address) -> bool:
    """Does the page table map something at address?

    Source: pte_present, arch/x86/include/asm/pgtable.h, 6.12
    Context: PTL, or a lockless look
    Returns: True if it does
    Left out: swap and migration entries
    """
    return mm.pte[address] is not None or mm.pte_flags[address] & PTE_PRIVATE != 0


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
        folio.mapcount -= 1
    return folio


@atomic
def zap_pte_range(vma: VMA, start: Address, end: Address, even_cows: bool) -> int:
    """Empty the entries of [start, end), which lies in one page table.

    Source: zap_pte_range, mm/memory.c, 6.12
    Context: PTL; mmap_lock, or i_mmap_rwsem read
    Returns: number of entries that were emptied
    Left out: dirty bits (a write fault marks the folio dirty already)
    """
    mm = vma.vm_mm
    zapped = 0
    batched = 0
    last: Folio = None
    marked = False
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
            if folio == last:
                batched += 1
            else:
                marked = False
            last = folio
            if young and has_recency and not marked:  # once for all entries of a folio
                folio_mark_accessed(folio)
                marked = True
            folio_ref_sub(folio, 1)
    if TLB == 1:
        current.ptes_batched = batched
    return zapped


@atomic
def next_page_table(mm: MM, start: Address, end: Address) -> Address:
    """First address in [start, end) whose page table has entries; end if there is none.

    Source: none_or_clear checks in zap_pmd_range, mm/memory.c, 6.12
    Context: any
    Returns: the address
    Left out: nothing
    """
    address: int = start
    while address < end:
        if mm.page_table[address // PTRS_PER_PTE] > 1:
            return address
        address = min((address // PTRS_PER_PTE + 1) * PTRS_PER_PTE, end)
    return end


@atomic
def page_table_end(address: Address, end: Address) -> Address:
    """End of the part of [address, end) that one page table covers.

    Source: pmd_addr_end, include/linux/pgtable.h, 6.12
    Context: any
    Returns: the address
    Left out: nothing
    """
    return min((address // PTRS_PER_PTE + 1) * PTRS_PER_PTE, end)


def zap_page_range_single(vma: VMA, start: Address, end: Address, even_cows: bool):
    """Empty the page tables of a part of one VMA.

    Source: zap_page_range_single, unmap_page_range, mm/memory.c, 6.12
    Context: mmap_lock, or the VMA lock, or i_mmap_rwsem read; takes the PTL of one table after the other
    Returns: nothing
    Left out: mmu notifiers, TLB gathering
    """
    address: Address = next_page_table(vma.vm_mm, start, end)
    while address < end:
        part_end = page_table_end(address, end)
        if VMSCAN == 1:
            flush_tlb_batched_pending(vma.vm_mm)
        zapped = zap_pte_range(vma, address, part_end, even_cows)
        cpu("zap_page_table")
        cpu("zap_pte_slot", part_end - address)
        cpu("zap_pte", zapped - current.ptes_batched)
        cpu("zap_ptes", current.ptes_batched)
        address = next_page_table(vma.vm_mm, part_end, end)
    flush_tlb_mm_range(vma.vm_mm)


@atomic
def free_pgtables(mm: MM, start: Address, end: Address) -> int:
    """Free the page tables that only [start, end) uses.

    Source: free_pgtables, free_pgd_range, mm/memory.c, 6.12
    Context: mmap_lock; the VMAs of the range are out of the tree, their entries are empty
    Returns: number of tables freed
    Left out: upper levels
    """
    floor = 0
    slot = vma_slot(mm, start)
    if slot > 0:
        floor = mm.vmas[slot - 1].vm_end
    ceiling = N_ADDRESS_PAGES
    if slot < mm.map_count:
        ceiling = max(mm.vmas[slot].vm_start, end)
    first = (floor + PTRS_PER_PTE - 1) // PTRS_PER_PTE
    last = N_PAGE_TABLES
    if ceiling < N_ADDRESS_PAGES:
        last = ceiling // PTRS_PER_PTE
    first = max(first, start // PTRS_PER_PTE)
    last = min(last, (end + PTRS_PER_PTE - 1) // PTRS_PER_PTE)
    freed = 0
    for table in range(first, last):
        if mm.page_table[table] == 1:
            mm.page_table[table] = 0
            freed += 1
    return freed


@atomic
def page_table_missing(address: Address) -> int:
    """Does a page table have to be allocated before this address can be mapped?

    Source: pmd_none(*vmf->pmd) in do_fault_around, __do_fault, mm/memory.c, 6.12
    Context: fault lock held
    Returns: 1 if it has, else 0
    Left out: a preallocated table that is not used is freed at once
    """
    return 1 if current.vmf_vma.vm_mm.page_table[address // PTRS_PER_PTE] == 0 else 0


@atomic
def pmd_page_missing(address: Address) -> int:
    """Does a page of the level above the page tables have to be allocated?

    Source: pmd_alloc in __handle_mm_fault, mm/memory.c, 6.12
    Context: fault lock held
    Returns: 1 if no page table of this GiB exists yet, else 0
    Left out: higher levels
    """
    return 0 if pmd_page_present(current.vmf_vma.vm_mm, address // PTRS_PER_PTE) else 1


@atomic
def pmd_page_present(mm: MM, table: int) -> bool:
    """Is there any page table in the GiB that page table `table` belongs to?

    Source: none (the kernel's upper levels, which have no state of their own here)
    Context: any
    Returns: True if there is
    Left out: nothing
    """
    first = table - table % PTRS_PER_PTE
    last = min(first + PTRS_PER_PTE, N_PAGE_TABLES)
    if mm.page_table[table] > 0:
        return True
    while first < last and mm.page_table[first] == 0:
        first += 1
    return first < last


@atomic
def pmd_entries_in_range(mm: MM, start: Address, end: Address) -> int:
    """How many entries of the level above the page tables a walk of [start, end) looks at.

    Source: change_pmd_range, walk_pmd_range, zap_pmd_range, 6.12
    Context: any
    Returns: their number; a GiB without any page table is skipped as a whole
    Left out: nothing
    """
    entries = 0
    table = start // PTRS_PER_PTE
    last = (end + PTRS_PER_PTE - 1) // PTRS_PER_PTE
    while table < last:
        following = min(table - table % PTRS_PER_PTE + PTRS_PER_PTE, last)
        if pmd_page_present(mm, table):
            entries += following - table
        table = following
    return entries


@atomic
def page_tables_in_range(mm: MM, start: Address, end: Address) -> int:
    """Number of page tables that exist for [start, end): what a walk of the range costs.

    Source: none (a count for cpu costs)
    Context: any
    Returns: the number
    Left out: nothing
    """
    tables = 0
    if start >= end:
        return 0
    for table in range(start // PTRS_PER_PTE, (end - 1) // PTRS_PER_PTE + 1):
        if mm.page_table[table] > 0:
            tables += 1
    return tables


@atomic
def ptes_in_range(mm: MM, start: Address, end: Address) -> int:
    """Number of present entries in the page tables of [start, end).

    Source: none (a count for cpu costs)
    Context: any
    Returns: the number; tables that reach beyond the range count whole
    Left out: nothing
    """
    entries = 0
    if start >= end:
        return 0
    for table in range(start // PTRS_PER_PTE, (end - 1) // PTRS_PER_PTE + 1):
        entries += max(0, mm.page_table[table] - 1)
    return entries
