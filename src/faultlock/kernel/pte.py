# SPDX-License-Identifier: GPL-2.0-only
"""Setting page-table entries in a fault (mm/memory.c; spec 4.3, 4.4).

Emptying them is in zap.py.  Truncation and reclaim remove entries with the folio locked, and
set_pte insists on the folio lock: so no entry can map a folio that left the file.
"""


@atomic
def pte_alloc(mm: MM, address: Address):
    """Make sure that there is a page table for address.

    Source: pte_alloc, __do_fault (prealloc_pte), pmd_install, mm/memory.c, 6.12
    Context: fault lock held
    Returns: nothing
    Left out: its allocation failing or reclaiming; freeing it when a fault does not need it
    """
    if mm.page_table[address // PTRS_PER_PTE] == 0:
        mm.page_table[address // PTRS_PER_PTE] = 1


@atomic
def set_pte(vma: VMA, address: Address, folio: Folio, flags: pte_flags_t):
    """Map one page of a page cache folio; the PTE takes a reference.

    Source: set_pte_range, mm/memory.c, 6.12
    Context: PTL; folio locked by current; entry empty
    Returns: nothing
    Left out: nothing
    """
    mm = vma.vm_mm
    index = vma.vm_pgoff + address - vma.vm_start
    assert folio.locked and folio.locked_by == current, "S2 uptodate: a folio is mapped without its lock"
    assert folio.uptodate, "S2 uptodate: a folio that is not uptodate is mapped"
    assert folio.mapping == vma.vm_file.f_mapping, "S1 no stale PTE: a folio that left the file is mapped"
    assert folio.index <= index and index < folio.index + (1 << folio.order), "S1 no stale PTE: a folio is mapped at an index it does not cover"
    assert index < max(current.i_size_seen, folio.mapping.i_size), "S10 end of file: a page beyond i_size is mapped"
    assert fault_lock_held(), "S7 VMA use after release: a PTE is set without the fault lock"
    pte_alloc(mm, address)
    mm.pte[address] = folio
    mm.pte_flags[address] = flags
    mm.page_table[address // PTRS_PER_PTE] += 1
    folio.refcount += 1
    folio.mapcount += 1
    if LRU > 0:
        folio.rmap_hint = vma


@atomic
def set_private_pte(mm: MM, address: Address, flags: pte_flags_t):
    """Map a private page (anonymous, or a copy of a file page) in place of what is there.

    Source: set_ptes with an anonymous folio, wp_page_copy, mm/memory.c, 6.12
    Context: PTL; fault lock held
    Returns: nothing
    Left out: the anonymous folio itself (constants.py, PTE_PRIVATE)
    """
    if mm.pte[address] is not None:
        folio = pte_clear(mm, address)
        folio_ref_sub(folio, 1)
    elif (mm.pte_flags[address] & PTE_PRIVATE) != 0:
        pte_clear(mm, address)
    pte_alloc(mm, address)
    mm.pte_flags[address] = PTE_PRIVATE | flags
    mm.page_table[address // PTRS_PER_PTE] += 1


@atomic
def range_is_empty(mm: MM, start: Address, nr: int) -> bool:
    """Are nr entries from start on all empty?

    Source: pte_range_none, mm/memory.c, 6.12
    Context: PTL
    Returns: True if they are
    Left out: nothing
    """
    for address in range(start, start + nr):
        if pte_present(mm, address):
            return False
    return True


@atomic
def pte_state() -> int:
    """What the page table says about the fault's address.

    Source: handle_pte_fault, mm/memory.c, 6.12
    Context: fault lock held; lockless look, then PTL
    Returns: 0 nothing mapped; 1 mapped and sufficient (marked used); 2 mapped, but writing is not allowed
    Left out: swap and migration entries, NUMA hinting
    """
    mm = current.vmf_vma.vm_mm
    address = current.vmf_address
    if not pte_present(mm, address):
        if mm.page_table[address // PTRS_PER_PTE] > 0:
            current.vmf_flags |= FAULT_FLAG_ORIG_PTE_VALID
        return 0
    if (current.vmf_flags & FAULT_FLAG_WRITE) != 0 and (mm.pte_flags[address] & PTE_WRITE) == 0:
        return 2
    mm.pte_flags[address] |= PTE_ACCESSED
    return 1


@atomic
def folio_fits_mapping(vma: VMA, folio: Folio) -> bool:
    """Does the whole folio lie inside the VMA, one page table and the file?

    Source: finish_fault, filemap_map_pages, 7.0
    Context: fault lock held, folio locked
    Returns: True if all its pages may be mapped at once
    Left out: nothing
    """
    whole = 1 << folio.order
    start = vma.vm_start + folio.index - vma.vm_pgoff
    if start < vma.vm_start or start + whole > vma.vm_end:
        return False
    if start // PTRS_PER_PTE != (start + whole - 1) // PTRS_PER_PTE:
        return False
    return folio.index + whole <= folio.mapping.i_size
